package webhooks_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

// A subscriber killed 1,000 times at random while 10,000 status events flow:
// after dedupe by id exactly the sequence in the ledger, lab by lab. What is
// killed is either of two nodes that deliver, or the receiver, which is cut off
// before it takes an event, after it took one and before it acknowledged it, or stays
// away for a while.
func TestDeliveryThroughKills(t *testing.T) {
	t.Parallel()
	events, kills := domaintest.Runs(1000, 10_000), domaintest.Runs(100, 1000)
	r := newRegister(t)
	kill(t, r, events, kills, func() (stop func()) { return r.run(r.dispatcher(impatient())) })
}

// On a cluster the nodes die without a word: their connection is cut, whatever
// they were at, and what they had in hand comes back after a while.
func TestDeliveryOnFailingCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	t.Parallel()
	_, urls := storetest.Cluster(t)
	open := func() *jetstream.Ledger {
		log, err := jetstream.Open(context.Background(), jetstream.Config{NATS: urls, Replicas: 3, Patience: time.Minute})
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { log.Close() })
		return log
	}
	r := onLedger(t, open())
	kill(t, r, domaintest.Runs(200, 2000), domaintest.Runs(10, 100), func() (stop func()) {
		log, cfg := open(), impatient()
		cfg.Timeout = 250 * time.Millisecond
		halt := r.run(webhooks.New(log, log, webhooks.Registry{Sees: r.sees}, r.key, cfg))
		return func() {
			if rand.N(2) == 0 {
				log.Close()
			}
			halt()
			log.Close()
		}
	})
}

// impatient returns settings under which what a killed node had in hand comes
// back soon.
func impatient() webhooks.Config {
	cfg := usual()
	cfg.Timeout = 5 * time.Second
	return cfg
}

func kill(t *testing.T, r *register, events, kills int, node func() (stop func())) {
	var cut, away int // what is to befall the receiver; under its mutex
	c := newReceiver(t, nil)
	c.answer = func(w http.ResponseWriter, req *http.Request, n int) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.taken = c.taken[:0] // slow to search; the test looks at all that came
		switch {
		case away > 0:
			away--
			w.WriteHeader(http.StatusBadGateway)
			c.got[n-1].body = ""
			return false
		case cut > 0:
			if cut--; rand.N(2) == 0 {
				c.got[n-1].body = "" // it was killed before it took the event
			}
			defer panic(http.ErrAbortHandler)
		}
		return true
	}
	nodes := [2]func(){}
	begin := func(i int) { nodes[i] = node() }
	begin(0)
	begin(1)
	id := r.registered(c.URL)

	labs := make([]uuid.UUID, 40)
	for i := range labs {
		labs[i] = uuid.New()
	}
	want := map[string][]string{}
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		for range events {
			lab := labs[rand.N(len(labs))]
			e := r.moves(lab)
			want["/labs/"+lab.String()] = append(want["/labs/"+lab.String()], e.ID.String())
		}
	}()
	seen := 0
	wait := func(n int) { // for more calls of the receiver
		t.Helper()
		for deadline := time.After(soon); n > 0; n-- {
			select {
			case <-c.more:
				seen++
			case <-deadline:
				t.Fatalf("no delivery after %d", seen)
			}
		}
	}
	for k := range kills {
		wait(1 + rand.N(2*events/kills/3))
		switch kind := rand.N(4); kind {
		case 0, 1:
			nodes[kind]()
			begin(kind)
		case 2:
			c.mu.Lock()
			cut++
			c.mu.Unlock()
		case 3:
			c.mu.Lock()
			away += 1 + rand.N(3)
			c.mu.Unlock()
		}
		if k%100 == 0 {
			t.Logf("%d kills, %d calls", k, seen)
		}
	}
	<-recorded
	defer nodes[0]()
	defer nodes[1]()
	d := r.dispatcher(usual()) // only to ask
	stop := r.run(d)
	defer stop()
	for quiet := time.Now(); ; {
		p, err := d.Progress(t.Context(), &webhook.Webhook{ID: id})
		if err == nil && p.Lag == 0 && len(p.HeldUp) == 0 {
			break
		}
		select {
		case <-c.more:
			quiet = time.Now()
		case <-time.After(50 * time.Millisecond):
			if time.Since(quiet) > soon {
				t.Fatalf("nothing more is delivered; it stands at %+v, %v", p, err)
			}
		}
	}
	got, known, repeats := map[string][]string{}, map[string]bool{}, 0
	for _, one := range c.deliveries() {
		id := one.header.Get("Webhook-Id")
		if one.body == "" {
			continue
		}
		if known[id] {
			repeats++
			continue
		}
		known[id] = true
		o, err := eventstore.ParseHeader([]byte(one.body))
		if err != nil {
			t.Fatal(err)
		}
		got[o.Stream.Source()] = append(got[o.Stream.Source()], id)
	}
	for lab, ids := range want {
		if !slices.Equal(got[lab], ids) {
			t.Errorf("%s: %d events in the ledger, %d delivered, or in another order", lab, len(ids), len(got[lab]))
		}
	}
	t.Logf("%d events, %d calls, %d repeats", len(known), len(c.deliveries()), repeats)
	if len(known) != events {
		t.Errorf("%d events were delivered of %d", len(known), events)
	}
}
