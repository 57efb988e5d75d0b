package relay

import (
	"context"
	"fmt"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	migrateEvents = 500       // in one append
	migrateBytes  = 512 << 10 // of bodies in one append, beyond the first
)

// Migrate appends every event of a ledger to another store, in the ledger's
// order, with its id, revision and bytes; there is everything the other store
// holds. What it holds already must be the ledger's beginning, so Migrate that
// was broken off is run again, and goes on. progress is told how many of the
// ledger's events are there.
//
// Nobody may append to the other store meanwhile. What is appended to the
// ledger after Migrate began is left for the next run.
func Migrate(ctx context.Context, ledger eventstore.Reader, to eventstore.Store, there eventstore.Reader, progress func(done, total int)) error {
	held, err := entriesOf(ctx, there)
	if err != nil {
		return fmt.Errorf("relay: migrate: read what is there: %w", err)
	}
	head, err := ledger.Head(ctx)
	if err != nil {
		return fmt.Errorf("relay: migrate: %w", err)
	}
	if len(held) > int(head) {
		return fmt.Errorf("relay: migrate: the other store holds %d events, the ledger only %d; migrate into an empty store", len(held), head)
	}
	m := migration{to: to, held: held, revisions: map[eventstore.Stream]uint64{}, versions: map[eventstore.Stream]eventstore.Version{}}
	err = ledger.Read(ctx, 0, head, func(events []eventstore.Recorded) error {
		for len(events) > 0 {
			n, err := m.copy(ctx, events)
			if err != nil {
				return err
			}
			events = events[n:]
		}
		progress(m.done, int(head))
		return nil
	})
	if err != nil {
		return fmt.Errorf("relay: migrate: after %d of %d events: %w", m.done, head, err)
	}
	return nil
}

type migration struct {
	to        eventstore.Store
	held      []entry // what was there
	done      int     // events of the ledger that are there now
	revisions map[eventstore.Stream]uint64
	versions  map[eventstore.Stream]eventstore.Version // of the streams appended to
}

// copy takes the first of events, and those of the same stream that follow it
// directly, to the other store.
func (m *migration) copy(ctx context.Context, events []eventstore.Recorded) (int, error) {
	stream := events[0].Stream
	if m.done < len(m.held) {
		h := m.held[m.done]
		h.position = events[0].Position
		now := entryOf(events[0], m.revisions[stream])
		if h != now {
			return 0, fmt.Errorf("the other store begins with other events: its event %d is %s of %s, the ledger's is %s of %s, or their bytes differ; migrate into an empty store, or compare the two", m.done+1, h.id, h.stream, now.id, now.stream)
		}
		m.revisions[stream]++
		m.done++
		return 1, nil
	}
	at, known := m.versions[stream]
	if !known && m.revisions[stream] > 0 {
		var err error
		if _, at, err = m.to.Load(ctx, stream, eventstore.Version{}); err != nil {
			return 0, err
		}
	}
	var run []eventstore.Pending
	for n, size := 0, 0; n < len(events) && n < migrateEvents && events[n].Stream == stream && (n == 0 || size+len(events[n].Body) < migrateBytes); n++ {
		typ := eventstore.TypeOf(events[n].Body)
		if typ == "" {
			return 0, fmt.Errorf("event %s at position %d has no type", events[n].ID, events[n].Position)
		}
		size += len(events[n].Body)
		run = append(run, eventstore.Pending{ID: events[n].ID, Type: typ, Body: events[n].Body})
	}
	reached, err := m.to.Append(ctx, stream, at, run)
	if err != nil {
		return 0, err
	}
	m.versions[stream] = reached
	m.done += len(run)
	return len(run), nil
}
