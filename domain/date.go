package domain

import (
	"fmt"
	"strings"
	"time"
)

// china is China Standard Time; the country keeps one zone without summer time.
var china = time.FixedZone("CST", 8*60*60)

const dayLayout = "2006-01-02"

// Date is a calendar day, written 2024-02-29. The zero Date means "not given".
type Date struct{ days int32 } // days since 0000-12-31, so that 0 stays free

var epoch = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)

// DateOf returns the day in China at the instant t.
func DateOf(t time.Time) Date {
	y, m, d := t.In(china).Date()
	return NewDate(y, m, d)
}

// NewDate returns the given day; out-of-range days and months carry over as in time.Date.
func NewDate(year int, month time.Month, day int) Date {
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return Date{int32((t.Unix() - epoch.Unix()) / 86400)}
}

// ParseDate returns the day written as YYYY-MM-DD, or an error where it does not exist.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dayLayout, s)
	if err != nil || t.Year() < 1 {
		return Date{}, fmt.Errorf("%q is not a date; write an existing day as YYYY-MM-DD, e.g. 2024-02-29", s)
	}
	return NewDate(t.Date()), nil
}

// MustDate is ParseDate for dates written in the source; it panics on any other.
func MustDate(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func (d Date) time() time.Time { return epoch.AddDate(0, 0, int(d.days)) }

// IsZero reports whether no date is given.
func (d Date) IsZero() bool { return d.days == 0 }

// Before reports whether d comes before o.
func (d Date) Before(o Date) bool { return d.days < o.days }

// After reports whether d comes after o.
func (d Date) After(o Date) bool { return d.days > o.days }

// Compare returns a negative number, zero or a positive one as d is before, on or
// after o.
func (d Date) Compare(o Date) int { return int(d.days) - int(o.days) }

// Year returns the calendar year.
func (d Date) Year() int { return d.time().Year() }

// AddDays returns the day n days later.
func (d Date) AddDays(n int) Date { return Date{d.days + int32(n)} }

// AddYears returns the same day n calendar years later; 29 February becomes
// 28 February where that year has none (C62).
func (d Date) AddYears(n int) Date {
	y, m, day := d.time().Date()
	if m == time.February && day == 29 && time.Date(y+n, 2, 29, 0, 0, 0, 0, time.UTC).Day() != 29 {
		day = 28
	}
	return NewDate(y+n, m, day)
}

// EndOfMonth returns the last day of the period of months months, counted from
// January, that contains d: 1 for months, 3 for quarters, 12 for years.
func (d Date) EndOfMonth(months int) Date {
	y, m, _ := d.time().Date()
	return NewDate(y, time.Month((int(m)-1)/months*months+months+1), 0)
}

// String returns YYYY-MM-DD, or the empty string for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.time().Format(dayLayout)
}

// MarshalText writes YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD; empty text is the zero Date.
func (d *Date) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	*d, err = ParseDate(string(b))
	return err
}

// Later returns the later of two dates; a zero Date is earlier than any other.
func Later(a, b Date) Date {
	if a.After(b) {
		return a
	}
	return b
}

// Period is a span of days, both ends included. A zero From or To leaves that
// end open.
type Period struct {
	From Date `json:"from,omitzero" doc:"First day"`
	To   Date `json:"to,omitzero" doc:"Last day, included; absent: open-ended"`
}

// Contains reports whether d lies in the period.
func (p Period) Contains(d Date) bool {
	return (p.From.IsZero() || !d.Before(p.From)) && (p.To.IsZero() || !d.After(p.To))
}

// Check reports to c a period that ends before it begins.
func (p Period) Check(c *Check, path string) {
	c.Require(p.From.IsZero() || p.To.IsZero() || !p.To.Before(p.From), path+".to",
		"结束日期早于开始日期", "the period ends before it begins")
}

// PartialDate is a day, a month or a year as a source gives it: 2015-12-24,
// 2015-12 or 2015 (a subset of EDTF, ISO 8601-2).
type PartialDate struct{ text string }

// ParsePartialDate returns the date written as YYYY, YYYY-MM or YYYY-MM-DD.
func ParsePartialDate(s string) (PartialDate, error) {
	full := s + "-01-01"[min(6, max(0, len(s)-4)):]
	if len(s) == 4 || len(s) == 7 || len(s) == 10 {
		if _, err := ParseDate(full); err == nil {
			return PartialDate{s}, nil
		}
	}
	return PartialDate{}, fmt.Errorf("%q is not a date; write YYYY, YYYY-MM or YYYY-MM-DD as far as it is known", s)
}

// Partial returns the day as a partial date.
func (d Date) Partial() PartialDate { return PartialDate{d.String()} }

// IsZero reports whether no date is given.
func (p PartialDate) IsZero() bool { return p.text == "" }

// String returns the date as far as it is known.
func (p PartialDate) String() string { return p.text }

// Earliest returns the first day it can mean.
func (p PartialDate) Earliest() Date {
	if p.IsZero() {
		return Date{}
	}
	return MustDate(p.text + "-01-01"[len(p.text)-4:])
}

// Latest returns the last day it can mean.
func (p PartialDate) Latest() Date {
	d := p.Earliest()
	switch len(p.text) {
	case 4:
		return NewDate(d.Year(), time.December, 31)
	case 7:
		y, m, _ := d.time().Date()
		return NewDate(y, m+1, 0)
	}
	return d
}

// MarshalText writes the date as far as it is known.
func (p PartialDate) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText reads what MarshalText writes.
func (p *PartialDate) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = PartialDate{}
		return nil
	}
	*p, err = ParsePartialDate(string(b))
	return err
}

// PartialPeriod is a span with partial dates as its ends, written
// 2016-01/2018-12 or 2019/2022.
type PartialPeriod struct {
	From PartialDate `json:"from,omitzero"`
	To   PartialDate `json:"to,omitzero"`
}

// ParsePartialPeriod returns the period of two partial dates with a slash between them.
func ParsePartialPeriod(s string) (PartialPeriod, error) {
	from, to, found := strings.Cut(s, "/")
	if !found {
		return PartialPeriod{}, fmt.Errorf("%q is not a period; write its two ends with a slash between, e.g. 2016-01/2018-12", s)
	}
	var p PartialPeriod
	var err error
	if p.From, err = ParsePartialDate(from); err != nil {
		return PartialPeriod{}, err
	}
	if p.To, err = ParsePartialDate(to); err != nil {
		return PartialPeriod{}, err
	}
	if p.To.Latest().Before(p.From.Earliest()) {
		return PartialPeriod{}, fmt.Errorf("the period %q ends before it begins", s)
	}
	return p, nil
}
