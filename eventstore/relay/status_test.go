package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// listening opens an embedded ledger that a subscriber of that name may read
// STATUS of, and returns how. The stream is filled from the ledger meanwhile.
func listening(t *testing.T, s jetstream.Subscriber, cfg jetstream.StatusConfig) (*jetstream.Ledger, jetstream.Subscription) {
	t.Helper()
	dir := t.TempDir()
	log, err := jetstream.Open(t.Context(), jetstream.Config{Dir: dir, Listen: jetstream.Listen{Addr: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	target, err := log.StatusTarget(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, New(log, target))
	seed, err := jetstream.CreateSubscriber(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	admitting := make(chan struct{})
	go func() { defer close(admitting); log.AdmitSubscribers(ctx) }()
	t.Cleanup(func() { stop(); <-admitting })
	sub := jetstream.Subscription{URL: "nats://" + log.SubscribersAddr(), Name: s.Name, Seed: seed}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := jetstream.Subscribe(soon, sub, func(jetstream.Delivery) error { return errors.New("there is no event yet") })
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return log, sub
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestKilledSubscriberOverNATS(t *testing.T) {
	events, kills := 50*domaintest.Runs(20, 200), domaintest.Runs(100, 1000)
	log, sub := listening(t, jetstream.Subscriber{Name: "ministry", Window: 1, AckWaitMS: 20}, jetstream.StatusConfig{})
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for range events / 50 {
			s := storetest.NewStream()
			if _, err := log.Append(t.Context(), s, eventstore.Version{}, storetest.StatusEvents(s, 50)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	// What the subscriber keeps is what it processed, whose last position says
	// where it goes on. A kill may come anywhere but within that one step.
	type processed struct {
		position eventstore.Position
		body     string
	}
	var kept []processed
	handed := 0
	for killed := 0; len(kept) < events || killed < kills; killed++ {
		ctx, kill := context.WithCancel(t.Context())
		lives := events
		if killed < kills {
			if lives = rand.IntN(2 * events / kills); rand.IntN(2) == 0 {
				time.AfterFunc(time.Duration(rand.IntN(int(10*time.Millisecond))), kill)
			}
		}
		if len(kept) > 0 {
			sub.After = kept[len(kept)-1].position
		}
		err := jetstream.Subscribe(ctx, sub, func(d jetstream.Delivery) error {
			handed++
			if lives--; lives < 0 {
				kill()
				return context.Canceled // killed before it has processed the event
			}
			if kept = append(kept, processed{d.Position, string(d.Body)}); len(kept) == events {
				kill() // killed before it has acknowledged the event
			}
			return nil
		})
		kill()
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if killed > 2*kills {
			t.Fatalf("after %d kills there are %d events", killed, len(kept))
		}
	}
	<-writing
	var want []processed
	for e, err := range eventstore.Read(t.Context(), log, 0, eventstore.Position(events)) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, processed{e.Position, string(e.Body)})
	}
	if !slices.Equal(kept, want) {
		t.Errorf("processed %d events, which are not the %d in the ledger, each once and in order", len(kept), len(want))
	}
	t.Logf("processed %d events, each once and in the ledger's order; handed over %d times", len(kept), handed)
}

func TestStatusStreamContent(t *testing.T) {
	var signed atomic.Pointer[string]
	first := "checkpoint\n10\nhash\n\n— signature\n"
	signed.Store(&first)
	log, sub := listening(t, jetstream.Subscriber{Name: "all", Window: 1, AckWaitMS: 1000},
		jetstream.StatusConfig{Agreements: true, Checkpoint: func() []byte { return []byte(*signed.Load()) }})
	lab := storetest.NewStream()
	moves := storetest.StatusEvents(lab, 3)
	other := func(typ, data string) eventstore.Pending {
		id := uuid.New()
		return eventstore.Pending{ID: id, Type: typ, Body: []byte(`{"specversion":"1.0","id":"` + id.String() + `","source":"` + lab.Source() + `","type":"` + typ + `","data":` + data + `}`)}
	}
	events := []eventstore.Pending{
		other("lab.record.renamed.v1", `{"to":"NOT A STATUS"}`), moves[0],
		other("lab.agreement.signed.v1", `{"agreement":"A1"}`), moves[1],
		other("lab.status.something-newer.v2", `{"from":"OPERATING","to":"SUSPENDED","more":1}`),
		other("lab.record.corrected.v1", `{"corrects":"`+moves[0].ID.String()+`","with":{"type":"lab.status.suspended.v1","data":{"from":"OPERATING","to":"CLOSED"}}}`),
		other("lab.record.corrected.v1", `{"corrects":"`+moves[0].ID.String()+`","with":{"type":"lab.record.renamed.v1","data":{"to":"x"}}}`), moves[2],
	}
	var v eventstore.Version
	for _, e := range events {
		var err error
		if v, err = log.Append(t.Context(), lab, v, []eventstore.Pending{e}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"2 status.SUSPENDED " + string(events[1].Body), "3 agreement.signed " + string(events[2].Body), "4 status.OPERATING " + string(events[3].Body),
		"5 status.SUSPENDED " + string(events[4].Body), "6 status.CLOSED " + string(events[5].Body), "8 status.SUSPENDED " + string(events[7].Body),
	}
	var got []string
	err := jetstream.Subscribe(t.Context(), sub, func(d jetstream.Delivery) error {
		if string(d.Checkpoint) != first {
			t.Errorf("position %d came with checkpoint %q", d.Position, d.Checkpoint)
		}
		kind, what, _ := strings.Cut(strings.TrimPrefix(d.Subject, "jointlab."), "."+lab.ID.String()+".")
		got = append(got, strings.Join([]string{strconv.FormatUint(uint64(d.Position), 10), kind + "." + what, string(d.Body)}, " "))
		if len(got) == len(want) {
			return jetstream.ErrEnough
		}
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := log.StatusTarget(t.Context(), jetstream.StatusConfig{}); err == nil {
		t.Error("a node that would leave out agreement events is let fill the stream")
	}
}
