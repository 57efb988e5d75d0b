package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// natsServer is an outside server that can be away for a while.
type natsServer struct {
	options server.Options
	server  *server.Server
	proxy   *storetest.Proxy
}

func startNATS(t *testing.T) *natsServer {
	t.Helper()
	n := &natsServer{proxy: storetest.NewProxy(t), options: server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	}}
	n.back(t)
	t.Cleanup(n.away)
	return n
}

func (n *natsServer) back(t *testing.T) {
	t.Helper()
	options := n.options
	s, err := server.NewServer(&options)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(5 * time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	n.server = s
	n.proxy.To(s.Addr().String())
}

func (n *natsServer) away() {
	n.proxy.To("")
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

func (n *natsServer) url() string { return "nats://" + n.proxy.Addr() }

func (n *natsServer) ledger(t *testing.T, relayed bool) *jetstream.Ledger {
	t.Helper()
	l, err := jetstream.Open(t.Context(), jetstream.Config{NATS: n.url(), Relayed: relayed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func openESDB(t *testing.T, s *esdbtest.Server) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(esdb.Config{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// write appends n events to several streams at once, n a multiple of four.
func write(t *testing.T, store eventstore.Store, n int) {
	t.Helper()
	var writers sync.WaitGroup
	defer writers.Wait()
	for range 4 {
		writers.Go(func() {
			s, v := storetest.NewStream(), eventstore.Version{}
			left := storetest.Events(n / 4)
			for a := 0; len(left) > 0; a++ {
				next := left[:min(len(left), 1+a%9/8*2)] // now and then several
				left = left[len(next):]
				if a%200 == 199 {
					s, v = storetest.NewStream(), eventstore.Version{}
				}
				var err error
				if v, err = store.Append(t.Context(), s, v, next); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

// run runs a relay until stop is called, which waits for it.
func run(t testing.TB, r *Relay) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// reaches waits until the ledger holds n events.
func reaches(t testing.TB, l *jetstream.Ledger, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		for e, err := range eventstore.Follow(ctx, l, 0) { // fails on a gap
			switch {
			case err == nil && int(e.Position) >= n:
				return
			case err != nil && (!errors.Is(err, eventstore.ErrUnavailable) || ctx.Err() != nil):
				t.Fatal(err)
			}
		}
		pause(ctx, 10*time.Millisecond) // the connection is not back yet
	}
}

// agree checks that the ledger is the source, event for event.
func agree(t *testing.T, source, ledger eventstore.Reader, n int) {
	t.Helper()
	report, err := Compare(t.Context(), Side{"source", source}, Side{"ledger", ledger})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Agree() || report.Events != [2]int{n, n} {
		t.Fatalf("%d events of %d: %v", report.Events, n, report.First)
	}
}

func TestKilledRelaysCopyOnce(t *testing.T) {
	n, kills := 4*domaintest.Runs(750, 2500), domaintest.Runs(40, 100)
	double, outside := esdbtest.Start(t), startNATS(t)
	store := openESDB(t, double)
	var source rand.PCG
	random := rand.New(&source)
	double.Faults(func(op esdbtest.Op) esdbtest.Fault { // called one at a time
		switch {
		case op == esdbtest.Deliver && random.IntN(500) == 0:
			return esdbtest.Refuse
		case op == esdbtest.Append && random.IntN(200) == 0:
			return []esdbtest.Fault{esdbtest.FailAfter, esdbtest.FailBefore, esdbtest.Refuse}[random.IntN(3)]
		}
		return esdbtest.None
	})
	ledgers := [2]*jetstream.Ledger{outside.ledger(t, true), outside.ledger(t, true)}
	var all sync.WaitGroup
	all.Go(func() { write(t, store, n) })
	var killed atomic.Int64
	for _, ledger := range ledgers {
		all.Go(func() {
			for killed.Add(1) <= int64(kills) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(150*time.Millisecond))))
				if err := New(store.All(), ledger.RelayTarget()).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	double.Faults(nil)
	for _, ledger := range ledgers {
		run(t, New(store.All(), ledger.RelayTarget()))
	}
	double.DropSubscriptions()
	reaches(t, ledgers[0], n)
	agree(t, store.All(), ledgers[0], n)
}

func TestRelayResumesAfterOutage(t *testing.T) {
	double, outside := esdbtest.Start(t), startNATS(t)
	store, ledger := openESDB(t, double), outside.ledger(t, true)
	r := New(store.All(), ledger.RelayTarget())
	run(t, r)
	n := 0
	more := func(events int) {
		write(t, store, events)
		n += events
	}
	more(400)
	reaches(t, ledger, n)

	outside.away()
	more(200)
	until(t, r, func(s Status) bool { return errors.Is(s.Err, eventstore.ErrUnavailable) && s.Relayed < s.Head })
	outside.back(t)
	reaches(t, ledger, n)

	double.Away()
	until(t, r, func(s Status) bool { return errors.Is(s.Err, eventstore.ErrUnavailable) })
	double.Back(t)
	more(200)
	reaches(t, ledger, n)
	double.DropSubscriptions()
	more(100)
	reaches(t, ledger, n)
	agree(t, store.All(), ledger, n)
	until(t, r, func(s Status) bool { return caughtUp(s) && s.Sequence == uint64(n) && s.Relayed == s.Head })
}

// caughtUp reports whether all that the source held when it was last asked is relayed.
func caughtUp(s Status) bool { return s.Err == nil && !s.Asked.IsZero() && s.Relayed >= s.Head }

// until waits for a state of a relay.
func until(t *testing.T, r *Relay, holds func(Status) bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Minute)
	for !holds(r.Status()) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it still says %+v", r.Status())
		}
	}
}

func TestRelayedLedgerContract(t *testing.T) {
	store, ledger := openESDB(t, esdbtest.Start(t)), startNATS(t).ledger(t, true)
	run(t, New(store.All(), ledger.RelayTarget()))
	run(t, New(store.All(), ledger.RelayTarget()))
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) { return store, ledger })
}

func TestRelayRefusesForeignSource(t *testing.T) {
	outside := startNATS(t)
	ledger := outside.ledger(t, true)
	one, other := openESDB(t, esdbtest.Start(t)), openESDB(t, esdbtest.Start(t))
	write(t, one, 52)
	stop := run(t, New(one.All(), ledger.RelayTarget()))
	reaches(t, ledger, 52)
	stop()
	write(t, other, 52)
	err := New(other.All(), ledger.RelayTarget()).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another") {
		t.Fatal(err)
	}
	written := startNATS(t).ledger(t, false)
	if _, err := written.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, storetest.Events(1)); err != nil {
		t.Fatal(err)
	}
	err = New(one.All(), written.RelayTarget()).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not written by a relay") {
		t.Fatal(err)
	}
}

func TestDerivedStream(t *testing.T) {
	outside := startNATS(t)
	ledger := outside.ledger(t, false)
	var want []string
	for i := range 40 {
		s := eventstore.Stream{Kind: eventstore.Kinds()[i%len(eventstore.Kinds())], ID: uuid.New()}
		events := storetest.Events(5)
		if _, err := ledger.Append(t.Context(), s, eventstore.Version{}, events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if s.Kind == "entity" {
				want = append(want, string(e.Body))
			}
		}
	}
	target, err := ledger.Derive(t.Context(), "ENTITIES", "entities only", []string{"jointlab.entities.>"}, func(e eventstore.Recorded) (string, bool, error) {
		return "jointlab.entities." + e.Stream.ID.String(), e.Stream.Kind == "entity", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // killed early, so that it begins again where nothing belongs to it
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(10*time.Millisecond))))
		_ = New(ledger, target).Run(ctx)
		cancel()
	}
	r := New(ledger, target)
	run(t, r)
	run(t, New(ledger, target))
	until(t, r, func(s Status) bool { return caughtUp(s) && s.Head == 200 })

	conn, err := nats.Connect(outside.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := natsjs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "ENTITIES")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for seq := range stream.CachedInfo().State.LastSeq {
		m, err := stream.GetMsg(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Data))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d messages are not the %d events", len(got), len(want))
	}
}

// typed are events that carry their type, as real ones do.
func typed(n int) []eventstore.Pending {
	events := storetest.Events(n)
	for i := range events {
		events[i].Body = fmt.Appendf(nil, `{"id":%q,"type":%q , "n":%d}`, events[i].ID, events[i].Type, i)
	}
	return events
}
