package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	outboxBucket = "WEBHOOKS"
	outboxStream = "KV_" + outboxBucket
	queuePrefix  = "webhook_"
	markerTTL    = time.Hour // how long what was removed from the bucket leaves a trace
)

// Outbox is what all nodes that deliver events to endpoints share: a queue an
// endpoint, which is a durable consumer of the ledger; a bucket of small
// records that are changed only by a writer that saw their last state; and the log
// of deliveries. It does not interpret the records.
type Outbox struct {
	ledger *Ledger
	bucket natsjs.KeyValue
}

// Outbox opens the outbox, or makes an empty one.
func (l *Ledger) Outbox(ctx context.Context) (*Outbox, error) {
	doing := "open the outbox"
	bucket, err := l.js.CreateOrUpdateKeyValue(ctx, natsjs.KeyValueConfig{
		Bucket: outboxBucket, Description: "jointlab: what is still to be delivered to webhooks.",
		Replicas: l.replicas, LimitMarkerTTL: markerTTL,
	})
	if err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	if _, err := l.js.CreateOrUpdateStream(ctx, deliveriesConfig(l.replicas)); err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	return &Outbox{l, bucket}, nil
}

// Queue hands out the events of labs to the worker of one endpoint:
// over all nodes one event at a time, each until it is done, in the order of
// the ledger.
type Queue struct {
	after    eventstore.Position
	consumer natsjs.Consumer
}

// queueName tells the queues of an endpoint apart: one begun anew from a
// position has a name, and so a place, of its own.
func queueName(endpoint uuid.UUID, round int) string {
	return queuePrefix + endpoint.String() + "_" + strconv.Itoa(round)
}

// Queue opens the queue of an endpoint, or makes it so that it begins after a
// position. An event that was handed out and not settled within patience is
// handed out again.
func (o *Outbox) Queue(ctx context.Context, endpoint uuid.UUID, round int, after eventstore.Position, patience time.Duration) (*Queue, error) {
	doing := "open the queue of webhook " + endpoint.String()
	name := queueName(endpoint, round)
	if had, err := o.ledger.js.Consumer(ctx, streamName, name); err == nil { // it may have been restored from where it was
		after = max(after, eventstore.Position(had.CachedInfo().Config.OptStartSeq)-1)
	}
	consumer, err := o.ledger.js.CreateOrUpdateConsumer(ctx, streamName, queueConfig(name, after, patience))
	if err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	return &Queue{after, consumer}, nil
}

func queueConfig(name string, after eventstore.Position, patience time.Duration) natsjs.ConsumerConfig {
	return natsjs.ConsumerConfig{
		Durable: name, AckPolicy: natsjs.AckExplicitPolicy, AckWait: patience, MaxAckPending: 1,
		DeliverPolicy: natsjs.DeliverByStartSequencePolicy, OptStartSeq: uint64(after) + 1,
		FilterSubject: subjectPrefix + "lab.>",
	}
}

// QueuedDelivery is an event handed out. It must be settled: Done or Back.
type QueuedDelivery struct {
	eventstore.Recorded
	message natsjs.Msg
}

// pullTime is how long one pull request lasts: the server hands an
// event to it even after the caller has stopped waiting.
const pullTime = time.Second

// Next waits for the next event. Each call is one pull request. The client's
// own iterator counts what it asked for, and where an answer overtakes the
// question's end it asks no more until half a minute of silence has passed.
func (q *Queue) Next(ctx context.Context) (*QueuedDelivery, error) {
	doing := "take an event from a queue"
	for ctx.Err() == nil {
		batch, err := q.consumer.Fetch(1, natsjs.FetchMaxWait(pullTime))
		if err != nil {
			return nil, unavailable(ctx, doing, err)
		}
		for m := range batch.Messages() {
			if ctx.Err() != nil {
				_ = m.Nak()
				continue
			}
			event, err := received(m)
			if err != nil {
				return nil, fmt.Errorf("jetstream: %s: %w", doing, err)
			}
			return &QueuedDelivery{event, m}, nil
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			return nil, unavailable(ctx, doing, err)
		}
	}
	return nil, unavailable(ctx, doing, ctx.Err())
}

// Ack acknowledges the event: it is not delivered again. When the ack is lost it
// will be, all the same.
func (t *QueuedDelivery) Ack() error { return t.message.Ack() }

// Nak asks for the event to be delivered again, after a while.
func (t *QueuedDelivery) Nak(wait time.Duration) error { return t.message.NakWithDelay(wait) }

// Progress is the position up to which all is settled, and how many events
// are still to come.
func (o *Outbox) Progress(ctx context.Context, endpoint uuid.UUID, round int) (eventstore.Position, uint64, error) {
	doing := "look at the queue of webhook " + endpoint.String()
	consumer, err := o.ledger.js.Consumer(ctx, streamName, queueName(endpoint, round))
	if errors.Is(err, natsjs.ErrConsumerNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, unavailable(ctx, doing, err)
	}
	info := consumer.CachedInfo()
	reached := max(info.AckFloor.Stream, info.Config.OptStartSeq-1)
	return eventstore.Position(reached), info.NumPending + uint64(info.NumAckPending), nil
}

// Undelivered is how many events the queues of all endpoints have still to hand
// out, and the values of all records. It makes nothing that is missing.
func (l *Ledger) Undelivered(ctx context.Context) (events uint64, records [][]byte, err error) {
	consumers := l.stream.ListConsumers(ctx)
	for info := range consumers.Info() {
		if strings.HasPrefix(info.Name, queuePrefix) {
			events += info.NumPending + uint64(info.NumAckPending)
		}
	}
	if err := consumers.Err(); err != nil {
		return 0, nil, unavailable(ctx, "list the queues of webhooks", err)
	}
	err = l.eachKept(ctx, outboxStream, func(m any) error {
		records = append(records, m.(keptMessage).Data)
		return nil
	})
	return events, records, err
}

// DropQueues drops the queues of an endpoint from rounds before the given one.
func (o *Outbox) DropQueues(ctx context.Context, endpoint uuid.UUID, before int) error {
	doing := "drop the queues of webhook " + endpoint.String()
	names := o.ledger.stream.ConsumerNames(ctx)
	var old []string
	for name := range names.Name() {
		rest, ours := strings.CutPrefix(name, queuePrefix+endpoint.String()+"_")
		if round, err := strconv.Atoi(rest); ours && err == nil && round < before {
			old = append(old, name)
		}
	}
	if err := names.Err(); err != nil {
		return unavailable(ctx, doing, err)
	}
	for _, name := range old {
		if err := o.ledger.js.DeleteConsumer(ctx, streamName, name); err != nil && !errors.Is(err, natsjs.ErrConsumerNotFound) {
			return unavailable(ctx, doing, err)
		}
	}
	return nil
}

// Entry is a record of the bucket as it was last seen. Without a value there
// is none.
type Entry struct {
	Key      string // <endpoint>.<lab>
	Value    []byte
	revision uint64
}

// Entry reads a record as the bucket's leader knows it: a caller that acts on it
// must not act on what a follower has not heard of yet.
func (o *Outbox) Entry(ctx context.Context, key string) (Entry, error) {
	var last stored
	err := o.ledger.retry(ctx, func(ctx context.Context) (err error) {
		last, err = o.ledger.lastOnLeader(ctx, outboxStream, "$KV."+outboxBucket+"."+key)
		return err
	})
	if err != nil {
		return Entry{}, unavailable(ctx, "read "+key+" of the outbox", err)
	}
	return Entry{key, last.Data, last.Seq}, nil
}

// Put writes a record in the place of the one that was seen, or removes it
// where it has no value. It returns the present value. ErrConflict reports that
// another writer came first.
func (o *Outbox) Put(ctx context.Context, e Entry) (Entry, error) {
	doing := "write " + e.Key + " of the outbox"
	ctx, cancel := context.WithTimeout(ctx, o.ledger.answer)
	defer cancel()
	var err error
	if len(e.Value) == 0 {
		if e.revision == 0 {
			return e, nil
		}
		err = o.bucket.Purge(ctx, e.Key, natsjs.LastRevision(e.revision), natsjs.PurgeTTL(markerTTL))
	} else {
		e.revision, err = o.bucket.Update(ctx, e.Key, e.Value, e.revision)
	}
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, natsjs.ErrKeyRevisionMismatch):
		return Entry{}, fmt.Errorf("jetstream: %s: %w: %w", doing, eventstore.ErrConflict, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return Entry{}, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	return Entry{}, unavailable(ctx, doing, err)
}

// Watch calls each with every record, then with every one that changes, until
// ctx ends. It may lag behind Entry.
func (o *Outbox) Watch(ctx context.Context, each func(Entry)) error {
	watcher, err := o.bucket.WatchAll(ctx)
	if err != nil {
		return unavailable(ctx, "watch the outbox", err)
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-watcher.Updates():
			if !open {
				return unavailable(ctx, "watch the outbox", errClosed)
			}
			if e != nil { // nil: these were all
				each(Entry{e.Key(), e.Value(), e.Revision()})
			}
		}
	}
}

// Drop removes all records of an endpoint.
func (o *Outbox) Drop(ctx context.Context, endpoint uuid.UUID) error {
	stream, err := o.ledger.js.Stream(ctx, outboxStream)
	if err == nil {
		err = stream.Purge(ctx, natsjs.WithPurgeSubject("$KV."+outboxBucket+"."+endpoint.String()+".>"))
	}
	if err != nil {
		return unavailable(ctx, "drop what was to be delivered to webhook "+endpoint.String(), err)
	}
	return nil
}
