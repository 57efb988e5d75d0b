package domain

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// exact computes without ever rounding: a result that would need more digits
// is an error, and every input is bounded well below that.
var exact = apd.Context{Precision: 100, MaxExponent: 100, MinExponent: -100, Traps: apd.DefaultTraps | apd.Inexact}

// Decimal is an exact decimal number, written in plain digits: 1200000.00. The
// zero Decimal is 0. In JSON it is a string, since JSON numbers lose digits.
type Decimal struct{ text string }

// maxDigits bounds a Decimal; exact has room for sums of more of them than a
// register will ever hold.
const maxDigits = 30

// ParseDecimal returns the number written in plain digits with an optional sign
// and point. Exponents, grouping and more than 30 digits are errors.
func ParseDecimal(s string) (Decimal, error) {
	d, _, err := apd.NewFromString(s)
	if err != nil || s == "" || strings.Trim(s, "-0123456789.") != "" || d.NumDigits() > maxDigits ||
		len(s) > maxDigits+2 {
		return Decimal{}, fmt.Errorf("%q is not an amount; write plain digits such as 1200000.00, at most %d of them",
			s, maxDigits)
	}
	return decimal(d), nil
}

// MustDecimal is ParseDecimal for numbers written in the source; it panics on any other.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

func decimal(d *apd.Decimal) Decimal {
	if d.IsZero() && d.Exponent == 0 {
		return Decimal{}
	}
	return Decimal{d.Text('f')}
}

func (d Decimal) apd() *apd.Decimal {
	v, _, err := apd.NewFromString(d.String())
	if err != nil {
		panic(err) // a Decimal holds nothing but what ParseDecimal accepted
	}
	return v
}

// String returns the number in plain digits.
func (d Decimal) String() string {
	if d.text == "" {
		return "0"
	}
	return d.text
}

// Add returns the exact sum.
func (d Decimal) Add(o Decimal) Decimal {
	var sum apd.Decimal
	if _, err := exact.Add(&sum, d.apd(), o.apd()); err != nil {
		panic(fmt.Sprintf("domain: add %s and %s: %v", d, o, err))
	}
	return decimal(&sum)
}

// Convert returns the amount at a rate, in the usual decimals of the currency it is
// converted into. It rounds half away from zero: a conversion is for reports,
// never for what is owed.
func (d Decimal) Convert(rate Decimal, into string) Decimal {
	var v apd.Decimal
	if _, err := exact.Mul(&v, d.apd(), rate.apd()); err != nil {
		panic(fmt.Sprintf("domain: convert %s at %s: %v", d, rate, err))
	}
	return rounded(&v, max(0, currencies[into]))
}

// ShareOf returns the number as a share of whole, rounded half up to four decimals:
// 0.3333. A share of nothing is 0.
func (d Decimal) ShareOf(whole Decimal) Decimal {
	if whole.IsZero() {
		return Decimal{}
	}
	var v apd.Decimal
	if _, err := rounding.Quo(&v, d.apd(), whole.apd()); err != nil {
		panic(fmt.Sprintf("domain: %s of %s: %v", d, whole, err))
	}
	return rounded(&v, 4)
}

// PercentOf returns ShareOf in percent, to two decimals.
func (d Decimal) PercentOf(whole Decimal) Decimal {
	if whole.IsZero() {
		return Decimal{}
	}
	v := d.ShareOf(whole).apd()
	v.Exponent += 2
	return decimal(v)
}

// rounding is exact without the promise never to round.
var rounding = apd.Context{Precision: 100, MaxExponent: 100, MinExponent: -100, Traps: apd.DefaultTraps,
	Rounding: apd.RoundHalfUp}

func rounded(v *apd.Decimal, places int) Decimal {
	if _, err := rounding.Quantize(v, v, int32(-places)); err != nil {
		panic(fmt.Sprintf("domain: round %s: %v", v, err))
	}
	return decimal(v)
}

// Neg returns the number with its sign turned.
func (d Decimal) Neg() Decimal {
	if d.Sign() == 0 {
		return d
	}
	v := d.apd()
	v.Negative = !v.Negative
	return decimal(v)
}

// Cmp returns -1, 0 or 1 as d is less than, equal to or more than o.
func (d Decimal) Cmp(o Decimal) int { return d.apd().Cmp(o.apd()) }

// Sign returns -1, 0 or 1 as d is negative, zero or positive.
func (d Decimal) Sign() int { return d.apd().Sign() }

// Places returns how many decimals the number is written with.
func (d Decimal) Places() int { return int(max(0, -d.apd().Exponent)) }

// IsZero reports whether the number is 0, however it is written.
func (d Decimal) IsZero() bool { return d.text == "" || d.Sign() == 0 }

// MarshalText writes plain digits.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads plain digits.
func (d *Decimal) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDecimal(string(b))
	return err
}

//go:embed iso4217.csv
var iso4217 string

// currencies maps each ISO 4217 code to its minor units, -1 where it has none
// (gold, testing codes). The list is SIX's of 2026-02-01.
var currencies = func() map[string]int {
	rows, err := csv.NewReader(strings.NewReader(iso4217)).ReadAll()
	if err != nil {
		panic(err)
	}
	m := make(map[string]int, len(rows))
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[2])
		if err != nil {
			n = -1
		}
		m[row[0]] = n
	}
	return m
}()

// Currencies lists the codes money may be stated in, in alphabetical order.
func Currencies() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for code := range maps.Keys(currencies) {
			if currencies[code] >= 0 && !yield(code) {
				return
			}
		}
	})
}

// Money is an exact amount in one currency. Amounts in different currencies
// are never added.
type Money struct {
	Amount   Decimal `json:"amount" doc:"Plain digits as a string, e.g. \"1200000.00\""`
	Currency string  `json:"currency" doc:"ISO 4217 code, e.g. CNY" minLength:"3" maxLength:"3" zh:"币种" en:"currency"`
}

// NewMoney returns the amount in its currency's usual number of decimals. It
// refuses unknown currencies, codes that are no currency for payments (XAU,
// XXX …) and more decimals than the currency has.
func NewMoney(amount Decimal, currency string) (Money, error) {
	places, ok := currencies[currency]
	switch {
	case !ok:
		return Money{}, fmt.Errorf("currency %q is not an active ISO 4217 code; use three capital letters, e.g. CNY, EUR, JPY", currency)
	case places < 0:
		return Money{}, fmt.Errorf("%s has no unit of account, so nothing can be committed in it; use a currency such as CNY", currency)
	case amount.Places() > places:
		return Money{}, fmt.Errorf("%s has %d decimals at most; %s has %d", currency, places, amount, amount.Places())
	}
	v := amount.apd()
	if _, err := exact.Quantize(v, v, int32(-places)); err != nil {
		return Money{}, fmt.Errorf("amount %s is too large", amount)
	}
	return Money{decimal(v), currency}, nil
}

// String returns the amount and the code: 1200000.00 CNY.
func (m Money) String() string { return m.Amount.String() + " " + m.Currency }

// Check reports to c money that cannot be stated or is not positive, and returns
// it in its currency's usual number of decimals.
func (m Money) Check(c *Check, path string) Money {
	n, err := NewMoney(m.Amount, m.Currency)
	if err != nil {
		at := path + ".amount"
		if _, ok := currencies[m.Currency]; !ok || currencies[m.Currency] < 0 {
			at = path + ".currency"
		}
		c.Require(false, at, "金额或币种不符合 ISO 4217（%s）", "%s", err)
		return m
	}
	c.Require(n.Amount.Sign() > 0, path+".amount", "金额必须大于零；退款请使用退回登记", "the amount must be more than zero; record a return for money given back")
	return n
}

// Sums adds amounts exactly, each currency on its own.
type Sums map[string]Decimal

// Add adds m to the sum in its currency.
func (s Sums) Add(m Money) { s[m.Currency] = s[m.Currency].Add(m.Amount) }
