package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A subscriber reads the status changes of a laboratory, each once and in order.
func ExampleSubscribe() {
	ctx, cancel := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "jointlab")
	must(err)
	defer os.RemoveAll(dir)
	seed, err := jetstream.CreateSubscriber(dir, jetstream.Subscriber{Name: "ministry", Window: 1, AckWaitMS: 30_000})
	must(err)

	// The register listens, relays two status events, and admits subscribers.
	ledger, err := jetstream.Open(ctx, jetstream.Config{Dir: dir, Listen: jetstream.Listen{Addr: "127.0.0.1:0"}})
	must(err)
	defer ledger.Close()
	stream := storetest.NewStream()
	_, err = ledger.Append(ctx, stream, eventstore.Version{}, storetest.StatusEvents(stream, 2))
	must(err)
	target, err := ledger.StatusTarget(ctx, jetstream.StatusConfig{})
	must(err)
	must(ledger.Read(ctx, 0, 2, func(events []eventstore.Recorded) error {
		_, err := target.Publish(ctx, jetstream.Cursor{}, events)
		return err
	}))
	admitting := make(chan struct{})
	go func() { defer close(admitting); ledger.AdmitSubscribers(ctx) }()

	subscription := jetstream.Subscription{URL: "nats://" + ledger.SubscribersAddr(), Name: "ministry", Seed: seed}
	for err = nats.ErrAuthorization; errors.Is(err, nats.ErrAuthorization); { // until it is admitted
		err = jetstream.Subscribe(ctx, subscription, func(d jetstream.Delivery) error {
			fmt.Println("position", d.Position)
			if d.Position == 2 {
				return jetstream.ErrEnough
			}
			return nil
		})
	}
	must(err)
	cancel()
	<-admitting
	// Output:
	// position 1
	// position 2
}
