package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	pageEvents = 2_000   // in more than these a consumer is faster, though it is sent too many
	pageBytes  = 8 << 20 // well below what makes the server drop a slow connection
)

// Load returns the events of stream after version, in order, and the version
// reached.
//
// On a cluster a direct read may be answered by a follower that lags behind an
// acknowledgement just given, so there Load first asks the leader how far the
// stream goes and reads until it has seen that.
func (l *Ledger) Load(ctx context.Context, stream eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded, eventstore.Version, error) {
	subject, err := subjectOf(stream)
	if err != nil {
		return nil, eventstore.Version{}, err
	}
	doing := "load " + stream.String()
	ctx, cancel := l.withPatience(ctx)
	defer cancel()
	var atLeast uint64
	if l.replicas > 1 {
		var last stored
		err := l.retry(ctx, func(ctx context.Context) (err error) {
			last, err = l.lastOnLeader(ctx, streamName, subject)
			return err
		})
		if err != nil {
			return nil, eventstore.Version{}, unavailable(ctx, doing, err)
		}
		atLeast = last.Seq
	}
	var events []eventstore.Recorded
	at := after
	for {
		err = l.pages(ctx, doing, l.js, streamName, subject, at.Token+1, pageEvents, func(m *natsjs.RawStreamMsg) (bool, error) {
			// An event names the one its writer saw last; in a batch only the first does.
			if saw, ok := number(m.Header, natsjs.ExpectedLastSubjSeqHeader); ok && saw != at.Token {
				return false, fmt.Errorf("position %d was written after position %d, but follows %d: events are missing; stop writing and restore from a backup", m.Sequence, saw, at.Token)
			}
			event, err := recorded(m.Subject, m.Header, m.Sequence, m.Data)
			events = append(events, event)
			at = eventstore.Version{Count: at.Count + 1, Token: m.Sequence}
			return true, err
		})
		if err != nil {
			return nil, eventstore.Version{}, err
		}
		if at.Token >= atLeast {
			return events, at, nil
		}
		if err := catchUp(ctx, doing); err != nil {
			return nil, eventstore.Version{}, err
		}
	}
}

// catchUp gives a server that lags behind its leader a moment.
func catchUp(ctx context.Context, doing string) error {
	select {
	case <-ctx.Done():
		return unavailable(ctx, doing, ctx.Err())
	case <-time.After(2 * time.Millisecond):
		return nil
	}
}

// Read calls each with the events after position up to and including to. A
// position beyond the head is an error: events are never waited for, and never
// passed over.
func (l *Ledger) Read(ctx context.Context, after, to eventstore.Position, each func([]eventstore.Recorded) error) error {
	doing := fmt.Sprintf("read positions %d to %d", after+1, to)
	if to <= after {
		return nil
	}
	if err := l.within(ctx, doing, to); err != nil {
		return err
	}
	if to-after > pageEvents {
		return l.follow(ctx, after, to, each)
	}
	var batch []eventstore.Recorded
	last := after
	for {
		err := l.pages(ctx, doing, l.bulk, streamName, "", uint64(last)+1, int(to-last), func(m *natsjs.RawStreamMsg) (bool, error) {
			event, err := recorded(m.Subject, m.Header, m.Sequence, m.Data)
			if err != nil {
				return false, err
			}
			if event.Position != last+1 {
				return false, gap(last, event.Position)
			}
			batch, last = append(batch, event), event.Position
			if len(batch) == maxSlice || last == to {
				err = each(batch)
				batch = batch[:0]
			}
			return last < to, err
		})
		if err != nil || last == to {
			return err
		}
		if err := catchUp(ctx, doing); err != nil {
			return err
		}
	}
}

func gap(last, next eventstore.Position) error {
	return fmt.Errorf("the ledger has no positions %d to %d: events are missing; stop writing and restore from a backup", last+1, next-1)
}

// within refuses a position the ledger does not reach.
func (l *Ledger) within(ctx context.Context, doing string, p eventstore.Position) error {
	head, err := l.Head(ctx)
	if err == nil && p > head {
		err = fmt.Errorf("jetstream: %s: the ledger ends at %d; whoever has seen more has seen another ledger, or this one lost events", doing, head)
	}
	return err
}

// pages calls each with the messages of a stream from sequence on, of one
// subject or of all, asking for size at a time, until there are no more or each
// returns false. It asks again where an answer is lost, up to the log's patience.
// Errors of each are returned with what was being done; errors of the engine
// as ErrUnavailable.
func (l *Ledger) pages(ctx context.Context, doing string, js natsjs.JetStream, stream, subject string, from uint64, size int, each func(*natsjs.RawStreamMsg) (bool, error)) error {
	for more := true; more; {
		err := l.retry(ctx, func(ctx context.Context) error {
			next, left, err := l.page(ctx, js, stream, subject, from, size, each)
			if err == nil && left && next == from {
				err = nats.ErrTimeout
			}
			from, more = next, left
			return err
		})
		var own *eachError
		switch {
		case errors.As(err, &own):
			return fmt.Errorf("jetstream: %s: %w", doing, own.error)
		case err != nil:
			return unavailable(ctx, doing, err)
		}
	}
	return nil
}

type eachError struct{ error }

// page reads one page. The engine's client ends a page without an error when
// it runs out of time, so only the engine's own count of the rest tells
// that nothing is.
func (l *Ledger) page(ctx context.Context, js natsjs.JetStream, stream, subject string, from uint64, size int, each func(*natsjs.RawStreamMsg) (bool, error)) (next uint64, more bool, err error) {
	options := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchMaxBytes(pageBytes)}
	if subject != "" {
		options = append(options, jetstreamext.GetBatchSubject(subject))
	}
	msgs, err := jetstreamext.GetBatch(ctx, js, stream, size, options...)
	if err != nil {
		return from, false, err
	}
	more = true
	for m, err := range msgs {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return from, false, nil
		}
		if err != nil {
			return from, false, err
		}
		if m.Sequence < from || subject != "" && m.Subject != subject {
			return from, false, &eachError{fmt.Errorf("position %d of %s came where %d or later of %s was asked for", m.Sequence, m.Subject, from, subject)}
		}
		from = m.Sequence + 1
		left, _ := number(m.Header, "Nats-Num-Pending")
		if more, err = each(m); err != nil {
			return from, false, &eachError{err}
		}
		if more = more && left > 0; !more {
			return from, false, nil
		}
	}
	return from, true, nil
}

// stored is a message as the stream's leader returns it.
type stored struct {
	Subject string `json:"subject"`
	Seq     uint64 `json:"seq"`
	Headers []byte `json:"hdrs"`
	Data    []byte `json:"data"`
}

// header reads the message's headers.
func (m stored) header() (nats.Header, error) {
	if len(m.Headers) == 0 {
		return nil, nil
	}
	return nats.DecodeHeadersMsg(m.Headers)
}

// lastOnLeader is the last message of a stream whose subject matches, as the
// stream's leader knows it. Its sequence is 0 if there is none.
func (l *Ledger) lastOnLeader(ctx context.Context, stream, subject string) (stored, error) {
	m, err := l.onLeader(ctx, stream, fmt.Appendf(nil, `{"last_by_subj":%q}`, subject))
	var answer *natsjs.APIError
	if errors.As(err, &answer) && isCode(answer, natsjs.JSErrCodeMessageNotFound) {
		return stored{}, nil
	}
	return m, err
}

// onLeader asks the stream's leader for a message. The engine's client would
// ask any server that has a copy, and a copy may lag behind an acknowledgement.
func (l *Ledger) onLeader(ctx context.Context, stream string, which []byte) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	answer, err := l.conns[0].RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, which)
	if err != nil {
		return stored{}, err
	}
	var got struct {
		Error   *natsjs.APIError `json:"error"`
		Message stored           `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return stored{}, err
	}
	if got.Error != nil {
		return stored{}, got.Error
	}
	return got.Message, nil
}
