package relay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// step is one event of a story told to two stores.
type step struct {
	stream eventstore.Stream
	event  eventstore.Pending
}

func tell(t *testing.T, store eventstore.Store, story []step) {
	t.Helper()
	versions := map[eventstore.Stream]eventstore.Version{}
	for _, s := range story {
		v, err := store.Append(t.Context(), s.stream, versions[s.stream], []eventstore.Pending{s.event})
		if err != nil {
			t.Fatal(err)
		}
		versions[s.stream] = v
	}
}

func TestCompareFirstDivergence(t *testing.T) {
	streams := []eventstore.Stream{storetest.NewStream(), {Kind: "entity", ID: uuid.New()}}
	var story []step
	for i, e := range storetest.Events(20) {
		story = append(story, step{streams[i/2%2], e}) // 0 0 1 1 0 0 1 1 …
	}
	ledger := startNATS(t).ledger(t, false)
	tell(t, ledger, story)
	for name, c := range map[string]struct {
		change  func([]step) []step
		first   Kind
		event   int    // of the story
		streams []Kind // of each that differs
		says    string
	}{
		"nothing": {func(s []step) []step { return s }, "", 0, nil, ""},
		"a changed byte": {func(s []step) []step {
			s[7].event.Body = slices.Clone(s[7].event.Body)
			s[7].event.Body[3] ^= 1
			return s
		}, Changed, 7, []Kind{Changed}, "other bytes at EventStoreDB"},
		"a dropped event":         {func(s []step) []step { return slices.Delete(s, 9, 10) }, Missing, 9, []Kind{Missing}, "not in EventStoreDB"},
		"the last event dropped":  {func(s []step) []step { return s[:19] }, Missing, 19, []Kind{Missing}, "ends before it"},
		"everything dropped":      {func(s []step) []step { return nil }, Missing, 0, []Kind{Missing, Missing}, "ends before it"},
		"a pair of one swapped":   {func(s []step) []step { s[4], s[5] = s[5], s[4]; return s }, Reordered, 4, []Kind{Reordered}, "another place of the order"},
		"a pair of two swapped":   {func(s []step) []step { s[5], s[6] = s[6], s[5]; return s }, Reordered, 5, nil, "another place of the order"},
		"an event too many":       {func(s []step) []step { return slices.Insert(s, 2, step{streams[1], storetest.Events(1)[0]}) }, Extra, -1, []Kind{Extra}, "not in the ledger"},
		"an event too many, last": {func(s []step) []step { return append(s, step{streams[1], storetest.Events(1)[0]}) }, Extra, -1, []Kind{Extra}, "ends before it"},
		"an event twice": {func(s []step) []step {
			return slices.Insert(s, 3, s[2])
		}, Extra, 2, []Kind{Extra}, "a second time"},
		"an event replaced": {func(s []step) []step { s[8].event = storetest.Events(1)[0]; return s }, Missing, 8, []Kind{Missing}, "not in EventStoreDB"},
	} {
		t.Run(name, func(t *testing.T) {
			double := esdbtest.Start(t)
			store := openESDB(t, double)
			tell(t, store, c.change(slices.Clone(story)))
			report, err := Compare(t.Context(), Side{"the ledger", ledger}, Side{"EventStoreDB", store.All()})
			if err != nil {
				t.Fatal(err)
			}
			if report.Agree() != (c.first == "") {
				t.Fatal(report)
			}
			if report.Agree() {
				return
			}
			d := report.First
			if d.Kind != c.first || !strings.Contains(d.String(), c.says) {
				t.Errorf("first: %s", d)
			}
			if c.event >= 0 && (d.Event != story[c.event].event.ID || d.Stream != story[c.event].stream) {
				t.Errorf("first: %s, want event %s", d, story[c.event].event.ID)
			}
			var kinds []Kind
			for _, d := range report.Streams {
				kinds = append(kinds, d.Kind)
			}
			if !slices.Equal(kinds, c.streams) {
				t.Errorf("streams: %v", report.Streams)
			}
		})
	}
}

func TestMigrateResumes(t *testing.T) {
	ledger, err := jetstream.Open(t.Context(), jetstream.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	streams := []eventstore.Stream{storetest.NewStream(), {Kind: "entity", ID: uuid.New()}, {Kind: "programme", ID: uuid.New()}}
	versions := make([]eventstore.Version, 3)
	n := 0
	for i := range 200 {
		events := typed(1 + i%4*i%7)
		n += len(events)
		if versions[i%3], err = ledger.Append(t.Context(), streams[i%3], versions[i%3], events); err != nil {
			t.Fatal(err)
		}
	}
	double := esdbtest.Start(t)
	store := openESDB(t, double)
	for round := 1; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		appends := 0
		double.Faults(func(op esdbtest.Op) esdbtest.Fault { // one at a time
			if op == esdbtest.Append {
				if appends++; appends == 20 {
					cancel()
					return esdbtest.FailAfter
				}
			}
			return esdbtest.None
		})
		err := Migrate(ctx, ledger, store, store.All(), func(int, int) {})
		cancel()
		if err == nil {
			if round < 5 {
				t.Errorf("done in %d rounds", round)
			}
			break
		}
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	agree(t, ledger, store.All(), n)
	for i, s := range streams {
		_, v, err := store.Load(t.Context(), s, eventstore.Version{})
		if err != nil || v.Count != versions[i].Count {
			t.Error(s, v, err)
		}
	}
	var reported int
	if err := Migrate(t.Context(), ledger, store, store.All(), func(done, total int) { reported = done }); err != nil || reported != n {
		t.Fatal(reported, err)
	}

	// What goes on from there comes back as a ledger of the same beginning.
	relayed := startNATS(t).ledger(t, true)
	run(t, New(store.All(), relayed.RelayTarget()))
	reaches(t, relayed, n)
	agree(t, ledger, relayed, n)

	other := openESDB(t, esdbtest.Start(t))
	tell(t, other, []step{{streams[0], typed(1)[0]}})
	err = Migrate(t.Context(), ledger, other, other.All(), func(int, int) {})
	if err == nil || !strings.Contains(err.Error(), "begins with other events") {
		t.Fatal(err)
	}
}
