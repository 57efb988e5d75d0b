package projections

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// memoryLedger is a store and ledger in memory. Drawn histories are kept in it,
// each in one of its own: a hundred engines with their disks cost more than all
// questions asked of the models.
type memoryLedger struct {
	mu      sync.Mutex // guards all fields
	all     []eventstore.Recorded
	streams map[eventstore.Stream][]eventstore.Recorded
	ids     map[uuid.UUID]bool
	grown   chan struct{} // closed by the next append
}

func newMemoryLedger() *memoryLedger {
	return &memoryLedger{
		streams: map[eventstore.Stream][]eventstore.Recorded{},
		ids:     map[uuid.UUID]bool{},
		grown:   make(chan struct{}),
	}
}

func (l *memoryLedger) Load(ctx context.Context, s eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded,
	eventstore.Version, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.streams[s]
	if after.Count > uint64(len(events)) {
		return nil, after, errors.Join(eventstore.ErrConflict, ctx.Err())
	}
	return slices.Clone(events[after.Count:]), eventstore.Version{Count: uint64(len(events))}, ctx.Err()
}

func (l *memoryLedger) Append(ctx context.Context, s eventstore.Stream, at eventstore.Version,
	events []eventstore.Pending) (eventstore.Version, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return at, err
	}
	held := l.streams[s]
	end := eventstore.Version{Count: at.Count + uint64(len(events))}
	if uint64(len(held)) >= end.Count && slices.EqualFunc(held[at.Count:end.Count], events,
		func(r eventstore.Recorded, p eventstore.Pending) bool {
			return r.ID == p.ID
		}) {
		return end, nil // appended before
	}
	if uint64(len(held)) != at.Count {
		return at, eventstore.ErrConflict
	}
	for i, e := range events {
		if l.ids[e.ID] || slices.ContainsFunc(events[:i], func(p eventstore.Pending) bool { return p.ID == e.ID }) {
			return at, eventstore.ErrConflict
		}
	}
	for _, e := range events {
		r := eventstore.Recorded{Stream: s, ID: e.ID, Position: eventstore.Position(len(l.all) + 1),
			Body: slices.Clone(e.Body)}
		l.all, l.streams[s], l.ids[e.ID] = append(l.all, r), append(l.streams[s], r), true
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return end, nil
}

func (l *memoryLedger) Head(ctx context.Context) (eventstore.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return eventstore.Position(len(l.all)), ctx.Err()
}

// after returns the events after a position, and what is closed once there are more.
func (l *memoryLedger) after(p eventstore.Position) ([]eventstore.Recorded, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all[p:]), l.grown
}

func (l *memoryLedger) Follow(ctx context.Context, p eventstore.Position,
	each func([]eventstore.Recorded) error) error {
	for {
		events, grown := l.after(p)
		for part := range slices.Chunk(events, 500) {
			if err := errors.Join(ctx.Err(), each(part)); err != nil {
				return err
			}
		}
		p += eventstore.Position(len(events))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

func (l *memoryLedger) Read(ctx context.Context, after, to eventstore.Position,
	each func([]eventstore.Recorded) error) error {
	if to <= after {
		return ctx.Err()
	}
	events, _ := l.after(after)
	for part := range slices.Chunk(events[:to-after], 500) {
		if err := errors.Join(ctx.Err(), each(part)); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLedger) Close() error { return nil }

// TestMemoryLedger holds the ledger of drawn histories to what the engines promise.
func TestMemoryLedger(t *testing.T) {
	l := newMemoryLedger()
	storetest.Run(t, func(*testing.T) (eventstore.Store, eventstore.Ledger) { return l, l })
}
