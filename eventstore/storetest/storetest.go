// Package storetest is what a store and a ledger promise, as sentences that
// are run against each of them.
//
// The sentences use streams of their own and start at the ledger's head, so a
// store that holds other events, and is written to meanwhile, will do.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

// Run checks every sentence against what open returns. A store that is not a
// ledger, and feeds none, returns nil for it; what is tested of ledgers is then
// left out.
func Run(t *testing.T, open func(*testing.T) (eventstore.Store, eventstore.Ledger)) {
	for _, sentence := range sentences {
		t.Run(sentence.says, func(t *testing.T) {
			store, ledger := open(t)
			if sentence.ofLedger && ledger == nil {
				t.Skip("there is no ledger")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			sentence.check(&test{T: t, ctx: ctx, store: store, ledger: ledger})
		})
	}
}

var sentences = []struct {
	says     string
	ofLedger bool
	check    func(*test)
}{
	{"a stream nobody wrote to is empty and stands at the zero version", false, emptyStream},
	{"what was appended is loaded, in order", false, appendThenLoad},
	{"loading after a version gives the rest", false, loadAfter},
	{"a body is kept byte for byte", false, bodies},
	{"a stream of 3,000 events is loaded whole", false, bigStream},
	{"an append at a version the stream has left is a conflict and leaves nothing", false, conflict},
	{"several events are appended all or none", false, allOrNone},
	{"the same append again succeeds and changes nothing", false, again},
	{"the same append again returns the version just after its own events", false, againLater},
	{"the same append sent many times at once is written once", false, atOnce},
	{"part of an append does not pass for the whole", false, part},
	{"an id used in another stream is not taken for this append", false, foreignID},
	{"of two racing writers exactly one wins", false, racingWriters},
	{"an append whose context has ended is settled by sending it again", false, cancelledAppend},
	{"loading with a context that has ended fails", false, cancelledLoad},
	{"a follower sees every event of many writers once, in order, without a gap", true, manyWriters},
	{"a follower may start in the middle", true, followFromTheMiddle},
	{"a follower stops with the error of the function it calls", true, followerFails},
	{"a follower stops with its context", true, followerEnds},
	{"reading is bounded at both ends", true, read},
}

// test is one sentence being checked.
type test struct {
	*testing.T
	ctx    context.Context
	store  eventstore.Store
	ledger eventstore.Ledger
}

// NewStream returns a stream that has no events yet.
func NewStream() eventstore.Stream { return eventstore.Stream{Kind: "lab", ID: uuid.New()} }

// Events makes n events that are like no others.
func Events(n int) []eventstore.Pending {
	events := make([]eventstore.Pending, n)
	for i := range events {
		id := uuid.New()
		events[i] = eventstore.Pending{ID: id, Type: "lab.test.happened.v1", Body: fmt.Appendf(nil, `{"id":%q,"n":%d}`, id, i)}
	}
	return events
}

func (t *test) append(s eventstore.Stream, at eventstore.Version, events []eventstore.Pending) eventstore.Version {
	t.Helper()
	v, err := t.store.Append(t.ctx, s, at, events)
	if err != nil {
		t.Fatalf("append to %s at %d: %v", s, at.Count, err)
	}
	if v.Count != at.Count+uint64(len(events)) {
		t.Fatalf("append of %d events at %d returned version %d", len(events), at.Count, v.Count)
	}
	return v
}

// holds checks that the stream's events are these and no others.
func (t *test) holds(s eventstore.Stream, want []eventstore.Pending) eventstore.Version {
	t.Helper()
	got, v := t.load(s, eventstore.Version{})
	t.same(s, got, want)
	if v.Count != uint64(len(want)) {
		t.Fatalf("%s stands at version %d with %d events", s, v.Count, len(want))
	}
	return v
}

func (t *test) load(s eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded, eventstore.Version) {
	t.Helper()
	got, v, err := t.store.Load(t.ctx, s, after)
	if err != nil {
		t.Fatalf("load %s after %d: %v", s, after.Count, err)
	}
	return got, v
}

func (t *test) same(s eventstore.Stream, got []eventstore.Recorded, want []eventstore.Pending) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(r eventstore.Recorded, p eventstore.Pending) bool {
		return r.Stream == s && r.ID == p.ID && bytes.Equal(r.Body, p.Body)
	}) {
		t.Fatalf("%s holds %d events that are not the %d appended: %s", s, len(got), len(want), ids(got))
	}
}

func ids(events []eventstore.Recorded) (s string) {
	for _, e := range events[:min(len(events), 5)] {
		s += e.ID.String() + " "
	}
	return s
}

func (t *test) refused(err, want error, doing string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want: %v", doing, err, want)
	}
}
