package esdb

import (
	"context"
	"fmt"
	"strings"
	"sync"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/jointlab/jointlab/eventstore"
)

// All is every event of the register's own streams, in the order in which the
// server accepted them ($all). Its positions are places in the server's log:
// they rise, with gaps. What else is in the database is left out.
type All struct {
	store *Store

	mu   sync.Mutex
	seen client.Position     // the end of $all when Head was last asked
	head eventstore.Position // what it answered
}

// All is the source from which a relay feeds the ledger.
func (s *Store) All() *All { return &All{store: s} }

// ours is the register's event in e, if it is one.
func ours(e *client.RecordedEvent) (eventstore.Recorded, bool) {
	stream, ok := own(e.StreamID)
	if !ok || strings.HasPrefix(e.EventType, "$") { // such as a tombstone
		return eventstore.Recorded{}, false
	}
	return eventstore.Recorded{Stream: stream, ID: e.EventID, Position: eventstore.Position(e.Position.Commit), Body: e.Data}, true
}

func at(p eventstore.Position) client.AllPosition {
	if p == 0 {
		return client.Start{}
	}
	return client.Position{Commit: uint64(p), Prepare: uint64(p)}
}

// Head is the position of the last event, 0 if there is none.
func (a *All) Head(ctx context.Context) (eventstore.Position, error) {
	a.mu.Lock()
	seen, head := a.seen, a.head
	a.mu.Unlock()
	ctx, cancel := a.store.withPatience(ctx)
	defer cancel()
	const few = 64 // the last event is rarely far from the end, as other things are seldom written
	var end client.Position
	for from := client.AllPosition(client.End{}); ; {
		page, err := a.page(ctx, "read the end of $all", never, client.Backwards, from, few)
		if err != nil {
			return 0, err
		}
		found := false
		for _, e := range page {
			if end == (client.Position{}) {
				end = e.Position
			}
			if e.Position.Commit <= seen.Commit {
				found = true // as it was when last asked
				break
			}
			if r, ok := ours(e); ok {
				head, found = r.Position, true
				break
			}
		}
		if found || len(page) < few {
			break
		}
		from = page[len(page)-1].Position
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen.Commit <= end.Commit {
		a.seen, a.head = end, head
	}
	return head, nil
}

// At returns the event at a position that an event had when it was read.
func (a *All) At(ctx context.Context, p eventstore.Position) (eventstore.Recorded, error) {
	ctx, cancel := a.store.withPatience(ctx)
	defer cancel()
	doing := fmt.Sprintf("read $all at %d", p)
	noPlace := func(err error) bool { // how the server refuses a place where no record begins
		said, ok := status.FromError(err)
		return ok && (said.Code() == codes.Unknown || said.Code() == codes.InvalidArgument)
	}
	page, err := a.page(ctx, doing, noPlace, client.Forwards, at(p), 1)
	if err != nil && !noPlace(err) {
		return eventstore.Recorded{}, err
	}
	if len(page) == 1 {
		if r, ok := ours(page[0]); ok && r.Position == p {
			return r, nil
		}
	}
	return eventstore.Recorded{}, fmt.Errorf("esdb: %s: there is no event of the register: this is another EventStoreDB, or it was put back to an older state (%v)", doing, err)
}

// Read calls each with the events after position up to and including to.
func (a *All) Read(ctx context.Context, after, to eventstore.Position, each func([]eventstore.Recorded) error) error {
	doing := fmt.Sprintf("read $all after %d", after)
	last := after
	for {
		ctx, cancel := a.store.withPatience(ctx)
		page, err := a.page(ctx, doing, never, client.Forwards, at(last), pageEvents)
		cancel()
		if err != nil {
			return err
		}
		var events []eventstore.Recorded
		done := len(page) < pageEvents
		for _, e := range page {
			p := eventstore.Position(e.Position.Commit)
			if p > to {
				done = true
				break
			}
			if r, ok := ours(e); ok && p > after { // the place read from comes again
				events = append(events, r)
			}
			last, after = p, max(after, p)
		}
		if len(events) > 0 {
			if err := each(events); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

func never(error) bool { return false }

func (a *All) page(ctx context.Context, doing string, final func(error) bool, d client.Direction, from client.AllPosition, count uint64) ([]*client.RecordedEvent, error) {
	options := client.ReadAllOptions{Direction: d, From: from, Deadline: &a.store.answer}
	return a.store.read(ctx, doing, final, func(ctx context.Context, c *client.Client) (*client.ReadStream, error) {
		return c.ReadAll(ctx, options, count)
	})
}
