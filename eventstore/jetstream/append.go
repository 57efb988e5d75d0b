package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

const (
	maxBatch   = 1000 // messages the engine takes in one atomic batch
	headerRoom = 1024 // more than the headers of an event ever need
)

// What the engine's error codes mean to a writer.
const (
	codeWrongSequence         natsjs.ErrorCode = 10071
	codeWrongSequenceConstant natsjs.ErrorCode = 10164 // the same on a cluster, where another write of the subject may still be in process
	codeKnownID               natsjs.ErrorCode = 10201 // an id of the batch is stored already
	codeIDInProcess           natsjs.ErrorCode = 10158 // as is, on a cluster, another attempt with the same id
	codeBatchIncomplete       natsjs.ErrorCode = 10176
	codeTooManyBatches        natsjs.ErrorCode = 10210
	codeAccountFull           natsjs.ErrorCode = 10002
	codeServerFull            natsjs.ErrorCode = 10023
	codeStorageFull           natsjs.ErrorCode = 10047
)

// errDuplicate: the engine dropped the message because it knows its id.
var errDuplicate = errors.New("the id is already stored")

// Append adds events to stream if it is exactly at version: one event as a
// single message, several as one atomic batch. They are synced to disk when
// Append returns.
//
// Events that are already there, in that place, under the same ids, are not
// written again, and the version returned is the one the first Append
// returned: just after these events, also where others have followed since.
// An id that is used elsewhere is refused for as long as the engine remembers
// it, two minutes, and is never taken for this append.
//
// After a lost answer Append sends the same events again, until ctx ends or
// its patience does; then it fails with ErrUnavailable, the outcome unknown.
func (l *Ledger) Append(ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (eventstore.Version, error) {
	subject, err := subjectOf(stream)
	if err != nil {
		return eventstore.Version{}, err
	}
	doing := "append to " + stream.String()
	if l.relayed {
		return eventstore.Version{}, fmt.Errorf("jetstream: %s: the ledger is filled by a relay; append to the store it relays from", doing)
	}
	if err := l.acceptable(events); err != nil {
		return eventstore.Version{}, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	if len(events) == 0 {
		return at, nil
	}
	ctx, cancel := l.withPatience(ctx)
	defer cancel()
	sent := false
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if err := l.Refusal(); err != nil {
			if sent { // it may have been written
				err = outcomeUnknown(err)
			}
			return eventstore.Version{}, fmt.Errorf("jetstream: %s: %w", doing, err)
		}
		sent = true
		seq, err := l.publish(ctx, subject, at.Token, events)
		if err == nil {
			err = l.durable()
		}
		if err == nil {
			l.acknowledged(seq)
			return eventstore.Version{Count: at.Count + uint64(len(events)), Token: seq}, nil
		}
		var answer *natsjs.APIError
		errors.As(err, &answer)
		switch {
		case errors.Is(err, errDuplicate), isCode(answer, codeWrongSequence, codeWrongSequenceConstant, codeKnownID):
			var v eventstore.Version
			v, err = l.resolveOutcome(ctx, stream, at, events, err)
			if !errors.Is(err, eventstore.ErrUnavailable) {
				return v, err
			}
		case isCode(answer, codeAccountFull, codeServerFull, codeStorageFull):
			return eventstore.Version{}, unavailable(ctx, doing, fmt.Errorf("the store is full; free or extend the disk and restart: %w", err))
		case answer != nil && answer.Code < 500 && !isCode(answer, codeIDInProcess, codeBatchIncomplete, codeTooManyBatches),
			errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
			return eventstore.Version{}, fmt.Errorf("jetstream: %s: %w", doing, err)
		}
		select {
		case <-ctx.Done():
			return eventstore.Version{}, unavailable(ctx, doing, err)
		case <-l.closing.Done():
			return eventstore.Version{}, unavailable(l.closing, doing, err)
		case <-time.After(wait):
		}
	}
}

// withPatience ends ctx after the log's patience, if it does not end before.
func (l *Ledger) withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.patience, fmt.Errorf("no answer in %s; try again later, with the same events", l.patience))
}

func isCode(e *natsjs.APIError, codes ...natsjs.ErrorCode) bool {
	return e != nil && slices.Contains(codes, e.ErrorCode)
}

// acceptable refuses what the engine could not take whole.
func (l *Ledger) acceptable(events []eventstore.Pending) error {
	if len(events) > maxBatch {
		return fmt.Errorf("%d events are more than the %d that can be written all or none; split the command", len(events), maxBatch)
	}
	ids := make(map[uuid.UUID]bool, len(events))
	for i, e := range events {
		if ids[e.ID] || e.ID == uuid.Nil {
			return fmt.Errorf("event %d has no id of its own", i)
		}
		ids[e.ID] = true
		if limit := l.conns[0].MaxPayload() - headerRoom; int64(len(e.Body)) > limit {
			return fmt.Errorf("event %d is %d bytes, more than the %d an event may have", i, len(e.Body), limit)
		}
	}
	return nil
}

// Refusal is the *eventstore.RefusedError with which Append refuses now: for
// Problems, for a store that failed, which takes a restart, or for a disk without
// room, which does not; nil: it does not refuse.
func (l *Ledger) Refusal() error {
	refuse := func(zh, en string, args ...any) error {
		return &eventstore.RefusedError{Why: domain.Textf(zh, en, args...)}
	}
	if len(l.problems) > 0 {
		return refuse("账本打开时发现问题：%s", "the ledger was opened with problems: %s", strings.Join(l.problems, "; "))
	}
	if l.server == nil {
		return nil
	}
	if err := l.server.log.failure(); err != nil {
		return refuse("存储写入失败；请管理员腾出空间或修复磁盘，然后重启：%s", "the store failed to write; have the operator free or mend the disk, and restart: %s", err)
	}
	if free, ok := FreeBytes(l.dir); ok && free < l.reserve {
		return refuse("磁盘将满，仅余 %d MiB；请管理员腾出空间，达到 %d MiB 后自动恢复写入", "the disk is nearly full, with %d MiB left; have the operator free some, and writing goes on by itself from %d MiB", free>>20, l.reserve>>20)
	}
	return nil
}

// outcomeUnknown is a refusal that came when the events had been sent.
func outcomeUnknown(refusal error) error {
	return fmt.Errorf("%w, and whether it was written is not known: %s", eventstore.ErrUnavailable, strings.TrimPrefix(refusal.Error(), eventstore.ErrUnavailable.Error()+": "))
}

// publish sends the events once and returns the sequence of the last of them.
func (l *Ledger) publish(ctx context.Context, subject string, mark uint64, events []eventstore.Pending) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	msgs := make([]*nats.Msg, len(events))
	for i, e := range events {
		msgs[i] = &nats.Msg{Subject: subject, Data: e.Body, Header: nats.Header{natsjs.MsgIDHeader: {e.ID.String()}}}
	}
	// In a batch only the first message may expect: the rest follow it in any case.
	msgs[0].Header.Set(natsjs.ExpectedLastSubjSeqHeader, strconv.FormatUint(mark, 10))
	if len(msgs) > 1 {
		ack, err := jetstreamext.PublishMsgBatch(ctx, l.js, msgs)
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	ack, err := l.js.PublishMsg(ctx, msgs[0])
	if err != nil {
		return 0, err
	}
	if ack.Duplicate { // its sequence may be that of another subject or another place
		return 0, errDuplicate
	}
	return ack.Sequence, nil
}

// resolveOutcome finds out what it means that the engine did not take the events: they
// are there since an earlier attempt, or the stream has moved on, or their ids
// are used elsewhere. ErrUnavailable means that it cannot be told yet.
func (l *Ledger) resolveOutcome(ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending, cause error) (eventstore.Version, error) {
	doing := "append to " + stream.String()
	there, now, err := l.Load(ctx, stream, at)
	if err != nil {
		return eventstore.Version{}, err
	}
	if err := errors.Join(l.durable(), l.Refusal()); err != nil { // what was just read may not be on disk
		return eventstore.Version{}, fmt.Errorf("jetstream: %s: %w", doing, outcomeUnknown(err))
	}
	same := func(p eventstore.Pending, r eventstore.Recorded) bool { return p.ID == r.ID }
	if n := len(events); len(there) >= n && slices.EqualFunc(events, there[:n], same) {
		return eventstore.Version{Count: at.Count + uint64(n), Token: uint64(there[n-1].Position)}, nil
	}
	var answer *natsjs.APIError
	errors.As(cause, &answer)
	if len(there) == 0 && isCode(answer, codeWrongSequenceConstant) {
		return eventstore.Version{}, unavailable(ctx, doing, cause) // what it lost against is not visible yet
	}
	if len(there) == 0 && (errors.Is(cause, errDuplicate) || isCode(answer, codeKnownID)) {
		earlier, _, err := l.Load(ctx, stream, eventstore.Version{})
		if err != nil {
			return eventstore.Version{}, err
		}
		if !slices.ContainsFunc(earlier, func(r eventstore.Recorded) bool {
			return slices.ContainsFunc(events, func(p eventstore.Pending) bool { return same(p, r) })
		}) {
			return eventstore.Version{}, fmt.Errorf("jetstream: %s: an event of another stream has the same id; nothing was written: give new events new ids", doing)
		}
	}
	return eventstore.Version{}, fmt.Errorf("jetstream: %s at %d events: %w: it holds %d", doing, at.Count, eventstore.ErrConflict, now.Count)
}
