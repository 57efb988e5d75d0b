package jetstream

import (
	"context"
	"fmt"
	"math"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	maxSlice    = 1000   // events handed over at once
	ahead       = 20_000 // events asked for ahead of need; far more or fewer is slower
	aheadBytes  = 16 << 20
	consumerTTL = 30 * time.Second // how long the server keeps a follower that vanished
)

// Follow calls each with the events after position, then with new ones as they
// arrive. A single event is not held back to make a larger slice. When the
// connection is lost Follow waits for it and goes on where it was. A server of
// a cluster that lags behind its leader delays events; the order is the same.
//
// It fails, rather than pass anything over, when a position is missing and
// when after lies beyond the head.
func (l *Ledger) Follow(ctx context.Context, after eventstore.Position, each func([]eventstore.Recorded) error) error {
	return l.follow(ctx, after, math.MaxInt64, each)
}

// follow follows as far as to.
func (l *Ledger) follow(ctx context.Context, after, to eventstore.Position, each func([]eventstore.Recorded) error) error {
	doing := fmt.Sprintf("follow after position %d", after)
	if err := l.within(ctx, doing, after); err != nil {
		return err
	}
	var consumer natsjs.Consumer
	err := l.retry(ctx, func(ctx context.Context) (err error) {
		consumer, err = l.bulk.OrderedConsumer(ctx, streamName, natsjs.OrderedConsumerConfig{
			DeliverPolicy:     natsjs.DeliverByStartSequencePolicy,
			OptStartSeq:       uint64(after) + 1,
			InactiveThreshold: consumerTTL,
		})
		return err
	})
	if err != nil {
		return unavailable(ctx, doing, err)
	}
	stop := make(chan struct{})
	msgs := make(chan natsjs.Msg, maxSlice)
	consuming, err := consumer.Consume(func(m natsjs.Msg) {
		select {
		case msgs <- m: // blocks while each is busy, and so stops the asking for more
		case <-stop:
		}
	}, natsjs.PullMaxMessagesWithBytesLimit(ahead, aheadBytes), natsjs.PullThresholdMessages(ahead/2))
	if err != nil {
		return unavailable(ctx, doing, err)
	}
	defer func() {
		close(stop)
		consuming.Stop()
		<-consuming.Closed()
		l.forget(consumer)
	}()

	last := after
	batch := make([]eventstore.Recorded, 0, maxSlice)
	for last < to {
		batch = batch[:0]
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.closing.Done():
			return unavailable(l.closing, doing, errClosed)
		case m := <-msgs:
			for more := true; more; {
				event, err := received(m)
				if err == nil && event.Position != last+1 {
					err = gap(last, event.Position)
				}
				if err != nil {
					return fmt.Errorf("jetstream: %s: %w", doing, err)
				}
				batch, last = append(batch, event), event.Position
				if more = len(batch) < maxSlice && last < to; more {
					select {
					case m = <-msgs:
					default:
						more = false
					}
				}
			}
		}
		if err := each(batch); err != nil {
			return err
		}
	}
	return nil
}

// FollowKind calls each with the events of all streams of a kind, then with new
// ones as they arrive; more reports that others are there already. Order is the
// ledger's. To read every event of the ledger use Follow.
func (l *Ledger) FollowKind(ctx context.Context, kind string, each func(event eventstore.Recorded, more bool) error) error {
	doing := "follow streams of kind " + kind
	consumer, err := l.bulk.OrderedConsumer(ctx, streamName, natsjs.OrderedConsumerConfig{
		FilterSubjects: []string{subjectPrefix + kind + ".*"}, DeliverPolicy: natsjs.DeliverAllPolicy, InactiveThreshold: consumerTTL,
	})
	if err != nil {
		return unavailable(ctx, doing, err)
	}
	defer l.forget(consumer)
	messages, err := consumer.Messages()
	if err != nil {
		return unavailable(ctx, doing, err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(natsjs.NextContext(ctx))
		if err != nil {
			return unavailable(ctx, doing, err)
		}
		event, err := received(m)
		if err != nil {
			return fmt.Errorf("jetstream: %s: %w", doing, err)
		}
		meta, _ := m.Metadata() // received read it
		if err := each(event, meta.NumPending > 0); err != nil {
			return err
		}
	}
}

func received(m natsjs.Msg) (eventstore.Recorded, error) {
	meta, err := m.Metadata()
	if err != nil {
		return eventstore.Recorded{}, err
	}
	return recorded(m.Subject(), m.Headers(), meta.Sequence.Stream, m.Data())
}

// forget takes the follower's consumer off the server, which would otherwise
// keep it for consumerTTL. Nothing depends on its success.
func (l *Ledger) forget(consumer natsjs.Consumer) {
	ctx, cancel := context.WithTimeout(l.closing, time.Second)
	defer cancel()
	if l.bulk.Conn().IsConnected() {
		_ = l.bulk.DeleteConsumer(ctx, streamName, consumer.CachedInfo().Name)
	}
}
