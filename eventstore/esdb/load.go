package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

const pageEvents = 1000 // read in one call

var errEmpty = errors.New("the server sent an event without content")

func isUnavailable(err error) bool { return errors.Is(err, eventstore.ErrUnavailable) }

// Load returns the events of stream after version, in order, and the version
// reached. It is the leader that answers.
func (s *Store) Load(ctx context.Context, stream eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded, eventstore.Version, error) {
	name, err := nameOf(stream)
	if err != nil {
		return nil, eventstore.Version{}, err
	}
	doing := "load " + name
	ctx, cancel := s.withPatience(ctx)
	defer cancel()
	var events []eventstore.Recorded
	at := after
	for {
		options := client.ReadStreamOptions{From: client.Revision(at.Count), Deadline: &s.answer}
		page, found, err := s.readStream(ctx, doing, name, options, pageEvents)
		if err != nil {
			return nil, eventstore.Version{}, err
		}
		if !found && at.Count > 0 {
			return nil, eventstore.Version{}, fmt.Errorf("esdb: %s: its %d events are gone: it was deleted, or EventStoreDB was put back to an older state; restore it from a backup", doing, at.Count)
		}
		for _, e := range page {
			if e.EventNumber != at.Count {
				return nil, eventstore.Version{}, fmt.Errorf("esdb: %s: revision %d follows %d events: some are missing, or the stream was cut short; stop writing and restore EventStoreDB from a backup", doing, e.EventNumber, at.Count)
			}
			if e.EventID == uuid.Nil {
				return nil, eventstore.Version{}, fmt.Errorf("esdb: %s: revision %d has no event id; something else writes into the stream", doing, e.EventNumber)
			}
			events = append(events, eventstore.Recorded{Stream: stream, ID: e.EventID, Body: e.Data})
			at.Count++
		}
		if len(page) < pageEvents {
			return events, at, nil
		}
	}
}

// length is how many events the stream holds.
func (s *Store) length(ctx context.Context, stream eventstore.Stream) (uint64, error) {
	options := client.ReadStreamOptions{From: client.End{}, Direction: client.Backwards, Deadline: &s.answer}
	last, _, err := s.readStream(ctx, "read the end of "+stream.String(), stream.String(), options, 1)
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].EventNumber + 1, nil
}

func (s *Store) readStream(ctx context.Context, doing, name string, options client.ReadStreamOptions, count uint64) (events []*client.RecordedEvent, found bool, err error) {
	found = true
	notFound := func(err error) bool { return isCode(err, client.ErrorCodeResourceNotFound) }
	events, err = s.read(ctx, doing, notFound, func(ctx context.Context, c *client.Client) (*client.ReadStream, error) {
		return c.ReadStream(ctx, name, options, count)
	})
	if notFound(err) {
		return nil, false, nil
	}
	return events, found, err
}

// read reads to the end of what open opens, again and again until the server
// answers or ctx ends. An error that is final is returned as it is.
func (s *Store) read(ctx context.Context, doing string, final func(error) bool, open func(context.Context, *client.Client) (*client.ReadStream, error)) ([]*client.RecordedEvent, error) {
	var last error
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		events, err := lend(ctx, s.clients, s.answer, func(ctx context.Context, c *client.Client) ([]*client.RecordedEvent, error) {
			stream, err := open(ctx, c)
			if err != nil {
				return nil, err
			}
			defer stream.Close()
			var events []*client.RecordedEvent
			for {
				e, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return events, nil
				}
				if err != nil {
					return nil, err
				}
				if e.OriginalEvent() == nil {
					return nil, errEmpty
				}
				events = append(events, e.OriginalEvent())
			}
		})
		switch {
		case err == nil:
			return events, nil
		case final(err):
			return nil, err
		case isCode(err, client.ErrorCodeStreamDeleted):
			return nil, fmt.Errorf("esdb: %s: the stream was deleted; restore EventStoreDB from a backup: %w", doing, err)
		case isCode(err, client.ErrorCodeAccessDenied, client.ErrorCodeUnauthenticated):
			return nil, unavailable(ctx, doing, fmt.Errorf("check the user and password of the EventStoreDB URL: %w", err))
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if !pause(ctx, wait) {
			return nil, unavailable(ctx, doing, last)
		}
	}
}
