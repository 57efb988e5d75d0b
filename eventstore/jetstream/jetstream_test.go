package jetstream

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, dir string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // a second Close does nothing
	return l
}

func closeLedger(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, l *Ledger, s eventstore.Stream, at eventstore.Version, events []eventstore.Pending) eventstore.Version {
	t.Helper()
	v, err := l.Append(t.Context(), s, at, events)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// holds checks that the stream begins with these events.
func holds(t testing.TB, l *Ledger, s eventstore.Stream, want []eventstore.Pending) {
	t.Helper()
	got, _, err := l.Load(t.Context(), s, eventstore.Version{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < len(want) {
		t.Fatalf("%s holds %d events, want %d", s, len(got), len(want))
	}
	for i, e := range want {
		if got[i].ID != e.ID {
			t.Fatalf("%s holds %s at revision %d, want %s", s, got[i].ID, i, e.ID)
		}
	}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) {
		l := open(t, t.TempDir())
		if len(l.Problems()) > 0 {
			t.Fatal(l.Problems())
		}
		return l, l
	})
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	_, err := Open(t.Context(), Config{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Fatal(err)
	}
	closeLedger(t, first)
	open(t, dir)
}

func TestRestartKeepsEvents(t *testing.T) {
	dir, s := t.TempDir(), storetest.NewStream()
	var all []eventstore.Pending
	var v eventstore.Version
	for round := range 3 {
		l := open(t, dir)
		if len(l.Problems()) > 0 {
			t.Fatal(l.Problems())
		}
		holds(t, l, s, all)
		for _, n := range []int{1, 5} {
			events := storetest.Events(n)
			v = mustAppend(t, l, s, v, events)
			all = append(all, events...)
		}
		if head, err := l.Head(t.Context()); err != nil || int(head) != 6*(round+1) {
			t.Fatal(head, err)
		}
		closeLedger(t, l)
	}
}

func TestIDOfAnotherStream(t *testing.T) {
	l := open(t, t.TempDir())
	for _, n := range []int{1, 3} {
		events := storetest.Events(n)
		mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, events)
		other := storetest.NewStream()
		_, err := l.Append(t.Context(), other, eventstore.Version{}, events)
		// Loading again and deciding again, as after a conflict, would not help.
		if err == nil || errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
}

func TestOversizeIsRefused(t *testing.T) {
	l := open(t, t.TempDir())
	large := storetest.Events(2)
	large[1].Body = make([]byte, 1<<20)
	for what, events := range map[string][]eventstore.Pending{
		"too many":  storetest.Events(maxBatch + 1),
		"too large": large,
		"no id":     {{Body: []byte("{}")}},
	} {
		_, err := l.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, events)
		if err == nil || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, kind := range []string{"", "a.b", "*", ">"} {
		if _, err := l.Append(t.Context(), eventstore.Stream{Kind: kind}, eventstore.Version{}, storetest.Events(1)); err == nil {
			t.Errorf("kind %q is accepted", kind)
		}
	}
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(maxBatch))
	if head, err := l.Head(t.Context()); err != nil || head != maxBatch {
		t.Fatal(head, err)
	}
}

func TestPositionBeyondHead(t *testing.T) {
	l := open(t, t.TempDir())
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(3))
	each := func(events []eventstore.Recorded) error { return fmt.Errorf("called with %d events", len(events)) }
	for what, err := range map[string]error{
		"follow": l.Follow(t.Context(), 4, each),
		"read":   l.Read(t.Context(), 3, 4, each),
	} {
		if err == nil || !strings.Contains(err.Error(), "ends at 3") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestIncompleteStream(t *testing.T) {
	l := open(t, t.TempDir())
	s := storetest.NewStream()
	first := mustAppend(t, l, s, eventstore.Version{}, storetest.Events(1))
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(1))
	mustAppend(t, l, s, first, storetest.Events(1))
	// As if the events between were gone: the next one was written after another.
	_, _, err := l.Load(t.Context(), s, eventstore.Version{Count: 2, Token: 2})
	if err == nil || !strings.Contains(err.Error(), "position 3 was written after position 1") {
		t.Fatal(err)
	}
}

func TestFollowAfterClose(t *testing.T) {
	l := open(t, t.TempDir())
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(1))
	err := l.Follow(t.Context(), 0, func([]eventstore.Recorded) error { return l.Close() })
	if !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, storetest.Events(1)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
}
