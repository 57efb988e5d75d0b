package jetstream

import (
	"context"
	"errors"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func TestPublishExpectsLastCheckpoint(t *testing.T) {
	l := open(t, t.TempDir())
	b := l.Checkpoints()
	if p, err := b.Last(t.Context()); err != nil || p.Sequence != 0 {
		t.Fatal(p, err)
	}
	if err := b.Publish(t.Context(), 0, []byte("one"), "key"); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), 0, []byte("two"), "key"); !errors.Is(err, eventstore.ErrConflict) {
		t.Error(err)
	}
	if p, err := l.Checkpoints().Last(t.Context()); err != nil || p.Sequence != 1 || string(p.Note) != "one" || p.Key != "key" {
		t.Error(p, err)
	}
	stream, err := l.js.Stream(t.Context(), checkpointStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err == nil {
		t.Error("checkpoints can be purged")
	}
	if err := stream.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("a checkpoint can be deleted")
	}
}

func TestLogPublishesCheckpoints(t *testing.T) {
	dir := t.TempDir()
	var last audit.Checkpoint
	for _, events := range []int{3, 0, 4} { // opened three times
		l := open(t, dir)
		log, err := audit.Open(audit.Config{Dir: dir, Ledger: l, Board: l.Checkpoints(), Alone: true, Pause: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- log.Run(ctx) }()
		if events > 0 {
			mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(events))
		}
		head, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := log.Wait(t.Context(), int64(head))
		if err != nil || c.Size != int64(head) || c.Size < last.Size || len(log.Problems()) > 0 {
			t.Fatal(c.Size, err, log.Problems())
		}
		last = c
		stop()
		<-ended
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		closeLedger(t, l)
	}
	l := open(t, dir)
	var sizes []int64
	consumer, err := l.js.OrderedConsumer(t.Context(), checkpointStream, natsjs.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	published, err := consumer.FetchNoWait(100)
	if err != nil {
		t.Fatal(err)
	}
	for m := range published.Messages() {
		c, err := audit.OpenCheckpoint(m.Data(), m.Headers().Get(verifierKey))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(sizes); n > 0 && c.Size <= sizes[n-1] {
			t.Errorf("a checkpoint of %d events follows that of %d", c.Size, sizes[n-1])
		}
		sizes = append(sizes, c.Size)
	}
	if len(sizes) < 2 || sizes[len(sizes)-1] != 7 {
		t.Error(sizes)
	}
}
