package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// body is an event of the usual size.
var body = []byte(`{"data":"` + strings.Repeat("实验室", 65) + `..."}`)

func event() eventstore.Pending {
	return eventstore.Pending{ID: uuid.New(), Type: "lab.test.happened.v1", Body: body}
}

// BenchmarkAppend is one event an append, each client on a stream of its own,
// beside a bare publish of the same bytes with the same durability.
func BenchmarkAppend(b *testing.B) {
	l := open(b, b.TempDir())
	ctx := b.Context()
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("bare/%d", clients), func(b *testing.B) {
			share(b, clients, func() func() error {
				subject := subjectPrefix + storetest.NewStream().String()
				return func() error {
					_, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: body, Header: nats.Header{natsjs.MsgIDHeader: {uuid.NewString()}}})
					return err
				}
			})
		})
		b.Run(fmt.Sprintf("store/%d", clients), func(b *testing.B) {
			share(b, clients, func() func() error {
				s, v := storetest.NewStream(), eventstore.Version{}
				return func() (err error) {
					v, err = l.Append(ctx, s, v, []eventstore.Pending{event()})
					return err
				}
			})
		})
	}
}

// share divides b.N operations among clients.
func share(b *testing.B, clients int, client func() func() error) {
	b.SetBytes(int64(len(body)))
	b.ResetTimer()
	shareOf(b, b.N, clients, client)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// shareOf divides n operations among clients.
func shareOf(b *testing.B, n, clients int, client func() func() error) {
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range clients {
		do := client()
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkLoad is a stream of 20 events among many.
func BenchmarkLoad(b *testing.B) {
	l := open(b, b.TempDir())
	var s eventstore.Stream
	for range 50 {
		s = storetest.NewStream()
		if _, err := l.Append(b.Context(), s, eventstore.Version{}, storetest.Events(20)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if events, _, err := l.Load(b.Context(), s, eventstore.Version{}); err != nil || len(events) != 20 {
			b.Fatal(len(events), err)
		}
	}
}

// BenchmarkFollow reads the whole ledger, beside a bare ordered consumer. Set
// its length with -benchtime, e.g. -benchtime 1000000x.
func BenchmarkFollow(b *testing.B) {
	l := open(b, b.TempDir())
	fill(b, l, 1000)
	for name, read := range map[string]func(n int) error{
		"bare": func(n int) error {
			consumer, err := l.bulk.OrderedConsumer(b.Context(), streamName, natsjs.OrderedConsumerConfig{})
			if err != nil {
				return err
			}
			done := make(chan struct{})
			seen := 0
			consuming, err := consumer.Consume(func(natsjs.Msg) {
				if seen++; seen == n {
					close(done)
				}
			}, natsjs.PullMaxMessages(ahead), natsjs.PullThresholdMessages(ahead/2))
			if err != nil {
				return err
			}
			<-done
			consuming.Stop()
			<-consuming.Closed()
			return nil
		},
		"ledger": func(n int) error {
			enough := errors.New("enough")
			seen := 0
			err := l.Follow(b.Context(), 0, func(events []eventstore.Recorded) error {
				if seen += len(events); seen >= n {
					return enough
				}
				return nil
			})
			if errors.Is(err, enough) {
				return nil
			}
			return err
		},
		"read": func(n int) error {
			return l.Read(context.Background(), 0, eventstore.Position(n), func([]eventstore.Recorded) error { return nil })
		},
	} {
		b.Run(name, func(b *testing.B) {
			fill(b, l, b.N)
			b.SetBytes(int64(len(body)))
			b.ResetTimer()
			if err := read(b.N); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// fill makes the ledger hold at least n events.
func fill(b *testing.B, l *Ledger, n int) {
	b.Helper()
	head, err := l.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for int(head) < n {
		events := make([]eventstore.Pending, maxBatch)
		for i := range events {
			events[i] = event()
		}
		if _, err := l.Append(b.Context(), storetest.NewStream(), eventstore.Version{}, events); err != nil {
			b.Fatal(err)
		}
		head += maxBatch
	}
}
