package jetstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"go.opentelemetry.io/otel/attribute"

	"github.com/jointlab/jointlab/eventstore"
)

// What a relayed message carries. The event's id is not in the header that
// makes the engine drop what it takes for a duplicate: the expected sequence
// identifies it better, and two streams of the source may share an id.
const (
	sourcePosition = "Jointlab-Source-Position"
	relayedID      = "Jointlab-Event-Id"
)

const batchBytes = 8 << 20 // of bodies in one atomic batch

// Target is a stream that a relay fills from an ordered source. Each message
// carries the position in the source that it came from, so the stream itself
// remembers how far the relay has come; and each is written only where the
// stream ends as the relay believes, so that of several relays one writes it.
type Target struct {
	ledger  *Ledger
	stream  string
	subject func(eventstore.Recorded) (string, bool, error)
	beside  func() nats.Header // headers that go with each message; nil: none
}

// Cursor is how far a target has come. The zero Mark is that of an empty stream.
type Cursor struct {
	Sequence uint64              // of the last message
	Source   eventstore.Position // all of the source up to here is in the stream, or does not belong there
	Event    uuid.UUID           // the event at Source, where the mark was read from the stream
}

// RelayTarget is the ledger itself, every event of the source on its
// aggregate's subject. The log must have been opened as Relayed.
func (l *Ledger) RelayTarget() *Target {
	return &Target{ledger: l, stream: streamName, subject: func(e eventstore.Recorded) (string, bool, error) {
		if !l.relayed {
			return "", false, errors.New("jetstream: commands append to this ledger; a relay may not")
		}
		subject, err := subjectOf(e.Stream)
		return subject, true, err
	}}
}

// Derive is the stream of that name, which is made if it is missing, with the
// same promises as the ledger's. subject returns the subject on which an event goes
// there, or that it does not.
func (l *Ledger) Derive(ctx context.Context, name, description string, subjects []string, subject func(eventstore.Recorded) (string, bool, error)) (*Target, error) {
	config := streamConfig(l.replicas)
	config.Name, config.Description, config.Subjects = name, description, subjects
	if had, err := l.js.Stream(ctx, name); err == nil {
		for _, s := range had.CachedInfo().Config.Subjects {
			if !slices.Contains(subjects, s) { // another node may be filling it so
				return nil, fmt.Errorf("jetstream: make stream %s: it holds %s as well, which this node would leave out; start all nodes with the same settings", name, s)
			}
		}
	}
	if _, err := l.js.CreateOrUpdateStream(ctx, config); err != nil {
		return nil, fmt.Errorf("jetstream: make stream %s: %w", name, err)
	}
	return &Target{ledger: l, stream: name, subject: subject}, nil
}

// Name is the stream's.
func (t *Target) Name() string { return t.stream }

// Last is how far the stream has come, as its leader knows it.
func (t *Target) Last(ctx context.Context) (Cursor, error) {
	doing := "read the end of stream " + t.stream
	var last stored
	err := t.ledger.retry(ctx, func(ctx context.Context) (err error) {
		last, err = t.ledger.lastOnLeader(ctx, t.stream, ">")
		return err
	})
	if err != nil {
		return Cursor{}, unavailable(ctx, doing, err)
	}
	if last.Seq == 0 {
		return Cursor{}, nil
	}
	header, err := last.header()
	if err != nil {
		return Cursor{}, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	from, ok := number(header, sourcePosition)
	id, err := eventID(header)
	if !ok || err != nil {
		return Cursor{}, fmt.Errorf("jetstream: %s: message %d was not written by a relay; relay into an empty stream", doing, last.Seq)
	}
	return Cursor{last.Seq, eventstore.Position(from), id}, nil
}

// Publish writes events that follow mark in the source: in atomic batches, or a
// single one by itself, synced to disk when Publish returns. It returns how far
// it knows to have come, also with an error.
//
// ErrConflict reports that the stream does not end at mark: another relay wrote,
// or this one did without hearing of it. After ErrUnavailable either may be so.
// Last tells.
func (t *Target) Publish(ctx context.Context, mark Cursor, events []eventstore.Recorded) (Cursor, error) {
	if err := t.ledger.Refusal(); err != nil {
		return mark, fmt.Errorf("jetstream: publish to %s: %w", t.stream, err)
	}
	var beside nats.Header
	if t.beside != nil {
		beside = t.beside()
	}
	for len(events) > 0 {
		var batch []*nats.Msg
		var ends []func(error)
		n, size := 0, 0
		for ; n < len(events) && len(batch) < maxBatch && size < batchBytes; n++ {
			e := events[n]
			subject, belongs, err := t.subject(e)
			if err != nil {
				return mark, err
			}
			if !belongs {
				continue
			}
			size += len(e.Body)
			_, end := eventstore.SpanOf(ctx, "publish", e, attribute.String("messaging.destination.name", t.stream))
			ends = append(ends, end)
			m := &nats.Msg{Subject: subject, Data: e.Body, Header: nats.Header{
				relayedID:      {e.ID.String()},
				sourcePosition: {strconv.FormatUint(uint64(e.Position), 10)},
			}}
			maps.Copy(m.Header, beside)
			batch = append(batch, m)
		}
		if len(batch) > 0 {
			seq, err := t.publish(ctx, mark.Sequence, batch)
			if err == nil {
				err = t.ledger.durable()
			}
			for _, end := range ends {
				end(err)
			}
			if err != nil {
				return mark, t.failed(ctx, err)
			}
			mark.Sequence = seq
			if t.stream == streamName {
				t.ledger.acknowledged(seq)
			}
		}
		mark.Source, mark.Event = events[n-1].Position, events[n-1].ID
		events = events[n:]
	}
	return mark, nil
}

func (t *Target) publish(ctx context.Context, after uint64, msgs []*nats.Msg) (uint64, error) {
	l := t.ledger
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	msgs[0].Header.Set(natsjs.ExpectedLastSeqHeader, strconv.FormatUint(after, 10))
	msgs[0].Header.Set(natsjs.ExpectedStreamHeader, t.stream)
	if len(msgs) == 1 {
		ack, err := l.js.PublishMsg(ctx, msgs[0], natsjs.WithRetryAttempts(0))
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, l.js, msgs, jetstreamext.BatchFlowControl{AckFirst: true, AckTimeout: l.answer})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (t *Target) failed(ctx context.Context, err error) error {
	doing := "publish to " + t.stream
	var answer *natsjs.APIError
	errors.As(err, &answer)
	switch {
	case isCode(answer, codeWrongSequence, codeWrongSequenceConstant):
		return fmt.Errorf("jetstream: %s: %w: %w", doing, eventstore.ErrConflict, err)
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
		return fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	return unavailable(ctx, doing, err)
}

// At returns the event at a position of the ledger, so that the ledger can be
// a relay's source as well.
func (l *Ledger) At(ctx context.Context, p eventstore.Position) (event eventstore.Recorded, err error) {
	err = l.Read(ctx, p-1, p, func(events []eventstore.Recorded) error {
		event = events[0]
		return nil
	})
	return event, err
}
