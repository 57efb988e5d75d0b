// Package relay copies an ordered source onto a stream, each event exactly once
// and in order: EventStoreDB onto the ledger, the ledger onto streams derived
// from it. It also compares two stores and copies a ledger into EventStoreDB.
//
// A relay keeps nothing of its own. The last message of the stream names which
// position of the source it came from, and the next one is written only if the
// stream still ends there. So a relay that is killed at any point goes on where
// it was, and of several at once, on whichever nodes, one writes each event; no
// leader is chosen.
package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// Source is events in the one order in which they were accepted. Their
// positions rise, and may have gaps. Both *esdb.All and *jetstream.Log are one.
type Source interface {
	// Head is the position of the last event, 0 if there is none.
	Head(ctx context.Context) (eventstore.Position, error)
	// At returns the event at a position that an event was found at before.
	At(ctx context.Context, p eventstore.Position) (eventstore.Recorded, error)
	// Follow calls each with the events after a position, then with new ones.
	Follow(ctx context.Context, after eventstore.Position, each func([]eventstore.Recorded) error) error
}

// Status is how far a relay has come.
type Status struct {
	Head     eventstore.Position // of the source, when it was last asked
	Asked    time.Time           // when that was; zero: it has not answered yet
	Relayed  eventstore.Position // all of the source up to here is in the stream, or does not belong there
	Sequence uint64              // of the stream's last message
	Err      error               // what holds it up; nil: nothing
}

const (
	askEvery = time.Second
	maxWait  = 2 * time.Second        // between tries while a server is away
	maxYield = 250 * time.Millisecond // how long a relay waits where another is quicker, so how long one may be missing unnoticed
)

// Relay copies source onto target while Run runs.
type Relay struct {
	source Source
	target *jetstream.Target
	cursor jetstream.Cursor // Run's
	lost   int              // how often in a row another relay was quicker; Run's

	mu      sync.Mutex // guards the rest
	status  Status
	problem [2]error // what holds up relaying, and asking the source
}

// New makes a relay. It does nothing until it is run.
func New(source Source, target *jetstream.Target) *Relay {
	return &Relay{source: source, target: target}
}

// Status may be asked at any time.
func (r *Relay) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Err = errors.Join(r.problem[:]...)
	return s
}

// Run relays until ctx ends, and waits while either side is away. It returns
// another error only where going on would make the stream differ from
// the source: where the two do not belong together, or either has lost
// events. Run it once at a time.
func (r *Relay) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.watch(ctx) })
	defer watching.Wait()
	defer stop()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, maxWait) {
		before := r.cursor
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.setProblem(err)
		if !isTransient(err) {
			return fmt.Errorf("relay: onto %s: %w", r.target.Name(), err)
		}
		if r.cursor != before {
			wait = 10 * time.Millisecond
		}
		pause(ctx, wait)
	}
}

// isTransient reports whether trying again may help.
func isTransient(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrConflict)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow finds where the stream ends, and carries on from there.
func (r *Relay) follow(ctx context.Context) error {
	last, err := r.target.Last(ctx)
	if err != nil {
		return err
	}
	if last.Sequence > 0 {
		e, err := r.source.At(ctx, last.Source)
		if err != nil {
			return fmt.Errorf("the stream's last message, %d, came from position %d of the source: %w", last.Sequence, last.Source, err)
		}
		if e.ID != last.Event {
			return fmt.Errorf("the stream's last message, %d, is event %s from position %d of the source, where event %s is now: this is another source, or it was put back to an older state; compare the two", last.Sequence, last.Event, last.Source, e.ID)
		}
	}
	r.setCursor(last)
	return r.source.Follow(ctx, last.Source, func(events []eventstore.Recorded) error { return r.carry(ctx, events) })
}

// carry writes events that follow the mark, or finds that another relay did.
func (r *Relay) carry(ctx context.Context, events []eventstore.Recorded) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, maxWait) {
		for len(events) > 0 && events[0].Position <= r.cursor.Source {
			events = events[1:]
		}
		if len(events) == 0 {
			return nil
		}
		mark, err := r.target.Publish(ctx, r.cursor, events)
		r.setCursor(mark)
		switch {
		case err == nil:
			r.lost = 0
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, eventstore.ErrConflict):
			pause(ctx, min(maxYield, 5*time.Millisecond<<min(r.lost, 10)))
			r.lost++
		case isTransient(err):
			r.setProblem(err)
			pause(ctx, wait)
		default:
			return err
		}
		last, err := r.target.Last(ctx)
		switch {
		case err != nil && isTransient(err):
			r.setProblem(err)
			continue
		case err != nil:
			return err
		case last.Sequence < r.cursor.Sequence:
			return fmt.Errorf("the stream ended at message %d and now ends at %d: it lost events; restore it from a backup, or relay into an empty one", r.cursor.Sequence, last.Sequence)
		case last.Sequence == r.cursor.Sequence:
			continue // its source may be less: what does not belong there leaves no message
		}
		for _, e := range events {
			if e.Position == last.Source && e.ID != last.Event {
				return fmt.Errorf("message %d is event %s from position %d of a source, where this source has event %s: two relays copy different sources into one stream; stop one of them and compare", last.Sequence, last.Event, last.Source, e.ID)
			}
		}
		r.setCursor(last)
	}
}

// watch asks the source now and then how far it goes.
func (r *Relay) watch(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		soon, cancel := context.WithTimeout(ctx, 2*askEvery)
		head, err := r.source.Head(soon)
		cancel()
		r.mu.Lock()
		r.problem[1] = err
		if err == nil {
			r.status.Head, r.status.Asked = max(head, r.status.Relayed), time.Now()
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Relay) setCursor(m jetstream.Cursor) {
	r.cursor = m
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Relayed, r.status.Sequence, r.status.Head = m.Source, m.Sequence, max(r.status.Head, m.Source)
	r.problem[0] = nil
}

func (r *Relay) setProblem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem[0] = err
}
