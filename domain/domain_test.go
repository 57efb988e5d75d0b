package domain_test

import (
	"encoding/csv"
	"os"
	"testing"

	"github.com/jointlab/jointlab/domain"
)

func rows(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func TestIdentifiers(t *testing.T) {
	for _, row := range rows(t, "testdata/identifiers.csv") {
		id, err := domain.Identifier{Scheme: domain.Scheme(row[0]), Value: row[1]}.Canonical()
		if valid := err == nil; valid != (row[3] == "True") {
			t.Errorf("%s %s: valid %v, want %s (%v)", row[0], row[1], valid, row[3], err)
		}
		if err == nil {
			if again, err := id.Canonical(); err != nil || again != id {
				t.Errorf("%s: the canonical form changes when made canonical again: %s, %v", id, again, err)
			}
		}
	}
}

func TestCheckDigits(t *testing.T) {
	alphabets := map[domain.Scheme]string{domain.USCC: "0123456789ABCDEFGHJKLMNPQRTUWXY",
		domain.ROR: "0123456789abcdefghjkmnpqrstvwxyz"}
	for scheme, value := range map[domain.Scheme]string{domain.USCC: "12100000400002259P", domain.ROR: "02v51f717"} {
		for i := range value {
			for _, r := range alphabets[scheme] {
				wrong := value[:i] + string(r) + value[i+1:]
				_, err := domain.Identifier{Scheme: scheme, Value: wrong}.Canonical()
				if (err == nil) != (wrong == value) {
					t.Errorf("%s %s: %v", scheme, wrong, err)
				}
			}
		}
	}
}

func TestCurrencyDecimals(t *testing.T) {
	digits := []string{"1", "1.5", "1.25", "1.125", "1.0625", "1.03125"}
	for _, row := range rows(t, "iso4217.csv") {
		for places, amount := range digits {
			m, err := domain.NewMoney(domain.MustDecimal(amount), row[0])
			want := row[2] != "-" && places <= int(row[2][0]-'0')
			if (err == nil) != want {
				t.Errorf("%s %s: %v %v", amount, row[0], m, err)
			}
			if err == nil && m.Amount.Places() != int(row[2][0]-'0') {
				t.Errorf("%s %s is written %s", amount, row[0], m)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	sum := domain.Decimal{}
	for range 10 {
		sum = sum.Add(domain.MustDecimal("0.1"))
	}
	if sum.Cmp(domain.MustDecimal("1")) != 0 {
		t.Errorf("ten times 0.1 is %s", sum)
	}
	for _, bad := range []string{"", " 1", "1e3", "1,000", "NaN", "Infinity", "-", "+1", "1.2.3", "１", "0x1",
		"9999999999999999999999999999999"} {
		if d, err := domain.ParseDecimal(bad); err == nil {
			t.Errorf("%q is read as %s", bad, d)
		}
	}
	if got := domain.MustDecimal("-5.00").Neg(); got.String() != "5.00" {
		t.Errorf("turning the sign of -5.00 gives %s", got)
	}
}

func TestAddYears(t *testing.T) {
	for from, want := range map[string]string{"2024-02-29": "2026-02-28", "2022-02-28": "2024-02-28",
		"2020-12-31": "2022-12-31"} {
		if got := domain.MustDate(from).AddYears(2).String(); got != want {
			t.Errorf("two years after %s is %s, want %s", from, got, want)
		}
	}
	for _, bad := range []string{"2023-02-29", "2023-13-01", "2023-1-1", "0000-01-01", "20230101"} {
		if d, err := domain.ParseDate(bad); err == nil {
			t.Errorf("%q is read as %s", bad, d)
		}
	}
}

func TestPartialDate(t *testing.T) {
	for text, want := range map[string][2]string{
		"2015": {"2015-01-01", "2015-12-31"}, "2016-02": {"2016-02-01", "2016-02-29"},
		"2015-12-24": {"2015-12-24", "2015-12-24"},
	} {
		p, err := domain.ParsePartialDate(text)
		if err != nil || p.String() != text || p.Earliest().String() != want[0] || p.Latest().String() != want[1] {
			t.Errorf("%s: %s from %s to %s, %v", text, p, p.Earliest(), p.Latest(), err)
		}
	}
	for _, bad := range []string{"15", "2015-", "2015-13", "2015-02-30", "2015-1", "about 2015", "20151"} {
		if p, err := domain.ParsePartialDate(bad); err == nil {
			t.Errorf("%q is read as %s", bad, p)
		}
	}
	if _, err := domain.ParsePartialPeriod("2022/2019"); err == nil {
		t.Error("a period that ends before it begins is accepted")
	}
}
