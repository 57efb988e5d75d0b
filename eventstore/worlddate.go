package eventstore

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// worldDate is where an event type keeps the day it happened in the world.
type worldDate struct {
	member string
	field  []int
}

// worldDateOf returns where a type has the member that dates it; an error where
// there is no such member, or it is no date.
func worldDateOf(name, member string, t reflect.Type) (worldDate, error) {
	if member == "" || member == recorded {
		return worldDate{member: member}, nil
	}
	w := worldDate{member: member}
	for part := range strings.SplitSeq(member, ".") {
		found := false
		for _, f := range reflect.VisibleFields(t) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == part && !found {
				w.field, t, found = append(w.field, f.Index...), f.Type, true
			}
		}
		if !found {
			return w, fmt.Errorf("eventstore: %s has no member %q to date it by; name another in eventtypes.go, or undated", name, member)
		}
	}
	if t != reflect.TypeFor[domain.Date]() && t != reflect.TypeFor[domain.PartialDate]() {
		return w, fmt.Errorf("eventstore: %s: its member %q is no date", name, member)
	}
	return w, nil
}

// HappenedOn is the day an event happened in the world: for a date known to
// the month or year only, the earliest it can mean. It is zero where the event
// has none. Of a correction ask for the event it restates.
func HappenedOn(event domain.Event, m domain.Meta) domain.Date {
	w := codec.dates[reflect.TypeOf(event)]
	switch {
	case w.member == recorded:
		return domain.DateOf(m.Time)
	case w.field == nil:
		return domain.Date{}
	}
	switch d := reflect.ValueOf(event).FieldByIndex(w.field).Interface().(type) {
	case domain.Date:
		return d
	case domain.PartialDate:
		return d.Earliest()
	}
	panic("unreachable: worldDateOf admits nothing else")
}

// Days is how a history, as its corrections leave it, lies in the world: the
// day from which on each event counts, zero where it counts on every day. The
// first event founds the aggregate, so it counts from the first day on which
// anything is known to have happened to it; before that day there is nothing.
func Days[E domain.Event](effective []domain.RecordedEvent[E]) []domain.Date {
	days := make([]domain.Date, len(effective))
	for i, h := range effective {
		days[i] = HappenedOn(h.Event, h.Meta)
		if d := days[i]; i > 0 && !d.IsZero() && d.Before(days[0]) {
			days[0] = d
		}
	}
	return days
}

// EffectiveOn is what of a history, as its corrections leave it, had happened in the
// world by the end of a day: empty where the aggregate was not there yet. A
// zero day keeps everything.
func EffectiveOn[E domain.Event](effective []domain.RecordedEvent[E], day domain.Date) []domain.RecordedEvent[E] {
	if day.IsZero() {
		return effective
	}
	var counts []domain.RecordedEvent[E]
	days := Days(effective)
	for i, h := range effective {
		if days[0].After(day) {
			break
		}
		if !days[i].After(day) {
			counts = append(counts, h)
		}
	}
	return counts
}
