package esdb

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// write appends n events to several streams, and one event of another application's
// between them, and returns their ids in order.
func write(t *testing.T, s *Store, raw *client.Client, n int) (ids []uuid.UUID) {
	t.Helper()
	streams := []eventstore.Stream{storetest.NewStream(), {Kind: "entity", ID: uuid.New()}, {Kind: "programme", ID: uuid.New()}}
	versions := make([]eventstore.Version, len(streams))
	for i := 0; len(ids) < n; i++ {
		events := storetest.Events(1 + i%3)
		versions[i%3] = mustAppend(t, s, streams[i%3], versions[i%3], events)
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		if i%4 == 0 && raw != nil {
			foreign := []string{"order-1", "lab-notes", "lab-" + "ABCDEF00-0000-4000-8000-000000000000", "labyrinth-1"}[i/4%4]
			if _, err := raw.AppendToStream(t.Context(), foreign, client.AppendToStreamOptions{}, client.EventData{EventID: uuid.New(), EventType: "x", Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ids
}

// follow collects ids until it has n of them.
func follow(ctx context.Context, a *All, after eventstore.Position, n int) (ids []uuid.UUID, last eventstore.Position, err error) {
	last = after
	for e, err := range eventstore.Follow(ctx, a, after) {
		switch {
		case err != nil:
			return ids, last, err
		case e.Position <= last:
			return ids, last, errors.New("out of order")
		}
		if ids, last = append(ids, e.ID), e.Position; len(ids) == n {
			break
		}
	}
	return ids, last, nil
}

func TestAllReadsOwnEvents(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	all := s.All()
	if head, err := all.Head(t.Context()); err != nil || head != 0 {
		t.Fatal(head, err)
	}
	raw := rawClient(t, server.URL())
	want := write(t, s, raw, 2500)
	var got []uuid.UUID
	var positions []eventstore.Position
	collect := func(events []eventstore.Recorded) error {
		for _, e := range events {
			got, positions = append(got, e.ID), append(positions, e.Position)
		}
		return nil
	}
	head, err := all.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Read(t.Context(), 0, head, collect); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) || !slices.IsSorted(positions) || positions[len(positions)-1] != head {
		t.Fatalf("read %d events, want %d", len(got), len(want))
	}
	for _, span := range [][2]int{{0, 1}, {10, 1500}, {2000, 2000}} {
		got = nil
		from, to := positions[span[0]], positions[span[1]]
		if err := all.Read(t.Context(), from, to, collect); err != nil || !slices.Equal(got, want[span[0]+1:span[1]+1]) {
			t.Fatalf("read after %d to %d: %d events, %v", from, to, len(got), err)
		}
		if e, err := all.At(t.Context(), to); err != nil || e.ID != want[span[1]] {
			t.Fatal(e, err)
		}
		got, _, err := follow(t.Context(), all, from, len(want)-span[0]-1)
		if err != nil || !slices.Equal(got, want[span[0]+1:]) {
			t.Fatalf("follow after %d: %d events, %v", from, len(got), err)
		}
	}
	for _, p := range []eventstore.Position{positions[5] + 1, head + 1<<30} {
		if e, err := all.At(t.Context(), p); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("there is %v at %d: %v", e, p, err)
		}
	}
}

func TestHeadSkipsForeignEvents(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	all, raw := s.All(), rawClient(t, server.URL())
	mustAppend(t, s, storetest.NewStream(), eventstore.Version{}, storetest.Events(3))
	before, err := all.Head(t.Context())
	if err != nil || before == 0 {
		t.Fatal(before, err)
	}
	for range 300 {
		if _, err := raw.AppendToStream(t.Context(), "order-1", client.AppendToStreamOptions{}, client.EventData{EventType: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []*All{all, s.All()} { // one that remembers, one that does not
		if head, err := a.Head(t.Context()); err != nil || head != before {
			t.Fatal(head, before, err)
		}
	}
	mustAppend(t, s, storetest.NewStream(), eventstore.Version{}, storetest.Events(1))
	if head, err := all.Head(t.Context()); err != nil || head <= before {
		t.Fatal(head, before, err)
	}
}

func TestFollowSurvivesFaults(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	write(t, s, nil, 1)
	random := rand.New(rand.NewPCG(1, 2))
	server.Faults(func(op esdbtest.Op) esdbtest.Fault { // called one at a time
		switch {
		case op == esdbtest.Deliver && random.IntN(150) == 0:
			return []esdbtest.Fault{esdbtest.FailBefore, esdbtest.Refuse}[random.IntN(2)]
		case op == esdbtest.Deliver && random.IntN(700) == 0:
			return esdbtest.Hang
		case op == esdbtest.Subscribe && random.IntN(4) == 0:
			return []esdbtest.Fault{esdbtest.FailBefore, esdbtest.Refuse, esdbtest.NotLeader}[random.IntN(3)]
		}
		return esdbtest.None
	})
	const n = 2000
	var followers sync.WaitGroup
	var got [2][]uuid.UUID
	for i := range got {
		followers.Go(func() {
			ids, _, err := follow(t.Context(), s.All(), 0, n+1)
			if err != nil {
				t.Error(err)
			}
			got[i] = ids[1:]
		})
	}
	want := write(t, s, nil, n/2)
	server.DropSubscriptions()
	server.Away()
	server.Back(t)
	want = append(want, write(t, s, nil, n-len(want))...)
	followers.Wait()
	for _, ids := range got {
		if !slices.Equal(ids, want[:len(ids)]) {
			t.Fatalf("followed %d events that are not the %d written", len(ids), len(want))
		}
	}
}

func TestFollowEnds(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	write(t, s, nil, 1)
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.All().Follow(ctx, 0, func([]eventstore.Recorded) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	server.Away()
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.All().Follow(ctx, 0, func([]eventstore.Recorded) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	server.Back(t)
	if err := s.All().Follow(t.Context(), 0, func([]eventstore.Recorded) error { go s.Close(); return nil }); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
}
