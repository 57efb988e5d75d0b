package eventstore

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

// TestEveryTypeSaysWhatDatesIt compares with a list that people have read: the
// answer for a day in the past hangs on it.
func TestEveryTypeSaysWhatDatesIt(t *testing.T) {
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(eventTypes)) {
		e := sample(name)
		w := codec.dates[reflect.TypeOf(e)]
		fmt.Fprintf(&list, "%-45s %s\n", name, cmp.Or(w.member, "-"))
		if on := HappenedOn(e, sampleMeta(name)); on.IsZero() != (w.member == "") {
			t.Errorf("%s is dated by %q, its sample by %s", name, w.member, on)
		}
	}
	file := filepath.Join("testdata", "worlddates.txt")
	if *update {
		if err := os.WriteFile(file, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), list.String()); diff != "" {
		t.Errorf("events are dated by other members than %s says; if that is meant, run: go test ./eventstore -run SaysWhatDates -update\n%s", file, diff)
	}
}

func TestANewTypeCannotForgetItsWorldDate(t *testing.T) {
	type forgotten struct {
		Due domain.Date `json:"due"`
	}
	type wrong struct {
		On string `json:"on"`
	}
	for _, e := range []any{forgotten{}, wrong{}} {
		if _, err := worldDateOf("lab.record.forgotten.v1", on, reflect.TypeOf(e)); err == nil {
			t.Errorf("%T passes", e)
		}
	}
}

func TestAHistoryOnADayHoldsWhatHadHappenedByThen(t *testing.T) {
	day := domain.MustDate
	registered := domain.Meta{Time: time.Date(2026, 5, 1, 20, 0, 0, 0, time.UTC)} // the second of May in China
	sign := func(on string) lab.Event {
		return lab.AgreementSigned{Agreement: "A1", Signature: lab.Signature{On: day(on)}}
	}
	year, err := domain.ParsePartialDate("2015")
	if err != nil {
		t.Fatal(err)
	}
	history := []domain.RecordedEvent[lab.Event]{
		{Meta: registered, Event: lab.Proposed{}},
		{Event: lab.AgreementDrafted{Agreement: "A1"}},
		{Event: sign("2016-03-04")},
		{Event: lab.HistoryRecorded{On: year}},
		{Event: lab.FactAsserted{}},
	}
	for _, c := range []struct {
		on   string
		want []int
	}{
		{"2014-12-31", nil},
		{"2015-01-01", []int{0, 1, 3, 4}},
		{"2016-03-03", []int{0, 1, 3, 4}},
		{"2016-03-04", []int{0, 1, 2, 3, 4}},
	} {
		var want []domain.RecordedEvent[lab.Event]
		for _, i := range c.want {
			want = append(want, history[i])
		}
		if diff := gocmp.Diff(want, EffectiveOn(history, day(c.on)), domaintest.Same); diff != "" {
			t.Errorf("on %s:\n%s", c.on, diff)
		}
	}
	if got := EffectiveOn(history, domain.Date{}); len(got) != len(history) {
		t.Errorf("on no day: %d of %d events", len(got), len(history))
	}
	if got := EffectiveOn(history[:2], day("2026-05-01")); got != nil {
		t.Errorf("a day before it was registered and anything is known of it: %v", got)
	}
	if got := EffectiveOn(history[:2], day("2026-05-02")); len(got) != 2 {
		t.Errorf("on the day it was registered: %v", got)
	}
}
