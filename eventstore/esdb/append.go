package esdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/jointlab/jointlab/eventstore"
)

// maxAppend is what the server takes in one append, and the ledger in one
// event, less room for what surrounds the events. A larger append would fail
// with an error that does not tell.
const maxAppend = 1<<20 - 2048

// Append adds events to stream if it is exactly at version. The server
// compares the ids of an append that is sent again with those that are there,
// so an append whose answer was lost is sent again, until ctx ends or the
// store's patience does; then it fails with ErrUnavailable, the outcome unknown.
func (s *Store) Append(ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (eventstore.Version, error) {
	name, err := nameOf(stream)
	if err != nil {
		return eventstore.Version{}, err
	}
	doing := "append to " + name
	data, err := acceptable(events)
	if err != nil {
		return eventstore.Version{}, fmt.Errorf("esdb: %s: %w", doing, err)
	}
	if len(events) == 0 {
		return at, nil
	}
	options := client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}, Deadline: &s.answer}
	if at.Count > 0 {
		options.ExpectedRevision = client.Revision(at.Count - 1)
	}
	reached := eventstore.Version{Count: at.Count + uint64(len(events))}
	ctx, cancel := s.withPatience(ctx)
	defer cancel()
	var problem error
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		last, err := lend(ctx, s.clients, s.answer, func(ctx context.Context, c *client.Client) (uint64, error) {
			result, err := c.AppendToStream(ctx, name, options, data...)
			if err != nil {
				return 0, err
			}
			return result.NextExpectedVersion, nil
		})
		switch {
		case err == nil && last+1 != reached.Count:
			return eventstore.Version{}, fmt.Errorf("esdb: %s: the events were written as revisions up to %d, not %d: the stream was deleted and begun anew; stop writing and restore EventStoreDB from a backup", doing, last, reached.Count-1)
		case err == nil:
			return reached, nil
		case isCode(err, client.ErrorCodeWrongExpectedVersion):
			if done, err := s.resolveOutcome(ctx, stream, at, events); done || !isUnavailable(err) {
				return reached, err
			}
		case isCode(err, client.ErrorCodeStreamDeleted):
			return eventstore.Version{}, fmt.Errorf("esdb: %s: the stream was deleted; restore EventStoreDB from a backup: %w", doing, err)
		case isCode(err, client.ErrorCodeAccessDenied, client.ErrorCodeUnauthenticated):
			return eventstore.Version{}, unavailable(ctx, doing, fmt.Errorf("check the user and password of the EventStoreDB URL: %w", err))
		case status.Code(err) == codes.InvalidArgument, isCode(err, client.ErrorCodeUnsupportedFeature):
			return eventstore.Version{}, fmt.Errorf("esdb: %s: the server refuses the events: %w", doing, err)
		}
		if problem == nil || ctx.Err() == nil {
			problem = err
		}
		if !pause(ctx, wait) {
			return eventstore.Version{}, unavailable(ctx, doing, problem)
		}
	}
}

// acceptable makes the events what the library takes, and refuses what the
// server could not take whole.
func acceptable(events []eventstore.Pending) ([]client.EventData, error) {
	ids := make(map[uuid.UUID]bool, len(events))
	data := make([]client.EventData, len(events))
	size := 0
	for i, e := range events {
		if ids[e.ID] || e.ID == uuid.Nil { // the library would make an id up
			return nil, fmt.Errorf("event %d has no id of its own", i)
		}
		ids[e.ID] = true
		size += len(e.Body) + 2*len(e.Type) + 64
		data[i] = client.EventData{EventID: e.ID, EventType: e.Type, ContentType: client.ContentTypeJson, Data: e.Body}
	}
	if size > maxAppend {
		return nil, fmt.Errorf("the events take %d bytes, more than the %d that can be written all or none; split the command", size, maxAppend)
	}
	return data, nil
}

// resolveOutcome finds out what a wrong expected version means: done, the events are
// there since an earlier try; or the stream has moved on. ErrUnavailable means
// that it cannot be told yet.
func (s *Store) resolveOutcome(ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (done bool, err error) {
	there, now, err := s.Load(ctx, stream, at)
	if err != nil {
		return false, err
	}
	same := func(p eventstore.Pending, r eventstore.Recorded) bool { return p.ID == r.ID }
	if n := len(events); len(there) >= n && slices.EqualFunc(events, there[:n], same) {
		return true, nil
	}
	doing := fmt.Sprintf("append to %s at %d events", stream, at.Count)
	if len(there) > 0 {
		return false, fmt.Errorf("esdb: %s: %w: it holds %d", doing, eventstore.ErrConflict, now.Count)
	}
	holds, err := s.length(ctx, stream)
	switch {
	case err != nil:
		return false, err
	case holds < at.Count:
		return false, fmt.Errorf("esdb: %s: it holds %d, fewer than were read before: EventStoreDB was put back to an older state; compare it with the ledger", doing, holds)
	}
	return false, unavailable(ctx, doing, fmt.Errorf("what it lost against is not visible yet"))
}
