// Package eventstore keeps events: what a store of streams and a ledger of all
// events promise, the one format events have on disk and on the wire, and the
// handling of a command from its stream to the events appended.
//
// The stores themselves are in the folders below; package storetest holds the
// promises as tests, run against each of them.
package eventstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Stream names the events of one aggregate.
type Stream struct {
	Kind string // one of Kinds: lab, entity, …
	ID   uuid.UUID
}

// String is kind-uuid, the stream's name in EventStoreDB.
func (s Stream) String() string { return s.Kind + "-" + s.ID.String() }

// ParseStream reads what String writes.
func ParseStream(s string) (Stream, error) {
	kind, rest, _ := strings.Cut(s, "-")
	id, err := uuid.Parse(rest)
	if err != nil || kind == "" {
		return Stream{}, fmt.Errorf("eventstore: %q is not the name of a stream", s)
	}
	return Stream{kind, id}, nil
}

// Position is an event's place in the ledger, from 1, without gaps. 0 is the
// place before the first event.
type Position uint64

// Pending is an event to be appended.
type Pending struct {
	ID   uuid.UUID
	Type string
	Body []byte // the CloudEvents object, kept byte for byte
}

// Recorded is an event as the store keeps it.
type Recorded struct {
	Stream   Stream
	ID       uuid.UUID
	Position Position // 0 when it was loaded from a store that is not the ledger
	Body     []byte
}

// Version is the state of a stream that Load saw and Append compares. The zero
// Version is that of a stream without events.
type Version struct {
	Count uint64 // number of events in the stream, which is the revision of the next
	Token uint64 // the store's own number of the last of them; for its store alone to read
}

// ErrConflict reports that the stream is not at the version Append expected.
// Nothing was written: load again and decide again.
var ErrConflict = errors.New("eventstore: expected version does not match")

// ErrUnavailable reports that the store did not answer in time, or may not be
// written to now. An Append that fails with it may have been written or not;
// the same Append with the same event ids, sent again, resolves it.
var ErrUnavailable = errors.New("eventstore: the store is unavailable")

// Store keeps streams.
type Store interface {
	// Load returns the events of stream after version, in order, and the
	// version reached. It sees every append acknowledged before it began,
	// through whichever node.
	Load(ctx context.Context, stream Stream, after Version) ([]Recorded, Version, error)

	// Append adds events to stream if it is exactly at version: all of
	// them or none, durable once Append returns. Appending events that are
	// already there, in that place, under the same ids, succeeds and changes
	// nothing, so an Append whose answer was lost may be sent again.
	Append(ctx context.Context, stream Stream, at Version, events []Pending) (Version, error)
}

// Ledger is all events of all streams in the one order in which they were
// accepted.
type Ledger interface {
	Reader

	// Follow calls each with the events after position, in order and without
	// gaps: first those that are there, then new ones as they arrive. The
	// slice is each's only until it returns. Follow returns when ctx ends,
	// with its error, or when each fails, with that error.
	Follow(ctx context.Context, after Position, each func([]Recorded) error) error
}
