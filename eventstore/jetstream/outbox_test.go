package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func TestOutbox(t *testing.T) {
	l := open(t, t.TempDir())
	outbox(t, l, l)
}

// outbox tests what deliverers rely on, through two nodes of a ledger.
func outbox(t *testing.T, l, other *Ledger) {
	one, err := l.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two, err := other.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a queue keeps the order over all nodes", func(t *testing.T) {
		id, stream := uuid.New(), storetest.NewStream()
		head, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events := storetest.Events(40)
		mustAppend(t, l, stream, eventstore.Version{}, events)
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var done []uuid.UUID
		refused := map[uuid.UUID]bool{}
		var running sync.WaitGroup
		for _, o := range []*Outbox{one, two} {
			q, err := o.Queue(t.Context(), id, 0, head, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				for {
					e, err := q.Next(ctx)
					if err != nil {
						return
					}
					mu.Lock()
					first := !refused[e.ID]
					if refused[e.ID] = true; first && len(done)%3 == 0 {
						err = e.Nak(0)
					} else {
						done = append(done, e.ID)
						err = e.Ack()
					}
					mu.Unlock()
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		reached := func() (eventstore.Position, uint64) {
			p, lag, err := two.Progress(t.Context(), id, 0)
			if err != nil {
				t.Fatal(err)
			}
			return p, lag
		}
		eventually(t, "the queue or log is complete", func() bool { p, lag := reached(); return lag == 0 && p == head+40 })
		cancel()
		running.Wait()
		want := make([]uuid.UUID, len(events))
		for i, e := range events {
			want[i] = e.ID
		}
		if !slices.Equal(done, want) {
			t.Errorf("%d were done, or in another order: %v", len(done), done)
		}
		if err := two.DropQueues(t.Context(), id, math.MaxInt); err != nil {
			t.Error(err)
		}
		if p, lag := reached(); p != 0 || lag != 0 {
			t.Errorf("a queue that was dropped is at %d, %d to come", p, lag)
		}
	})

	t.Run("put expects the last state", func(t *testing.T) {
		const rounds, writers = 25, 4
		key := uuid.NewString() + "." + uuid.NewString()
		var running sync.WaitGroup
		for i := range writers {
			o := []*Outbox{one, two}[i%2]
			running.Go(func() {
				for done := 0; done < rounds; {
					e, err := o.Entry(t.Context(), key)
					if err != nil {
						t.Error(err)
						return
					}
					n, _ := strconv.Atoi(string(e.Value))
					e.Value = []byte(strconv.Itoa(n + 1))
					switch _, err := o.Put(t.Context(), e); {
					case err == nil:
						done++
					case !errors.Is(err, eventstore.ErrConflict):
						t.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
		e, err := two.Entry(t.Context(), key)
		if err != nil || string(e.Value) != strconv.Itoa(rounds*writers) {
			t.Fatalf("%s, %v", e.Value, err)
		}
		stale := e
		e.Value = nil
		if _, err := one.Put(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := two.Put(t.Context(), stale); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("a record that was removed is written by somebody who did not see that: %v", err)
		}
		if e, err = two.Entry(t.Context(), key); err != nil || len(e.Value) > 0 {
			t.Fatalf("%s, %v", e.Value, err)
		}
		e.Value = []byte("again")
		if _, err := two.Put(t.Context(), e); err != nil {
			t.Error(err)
		}
	})

	t.Run("watch and drop", func(t *testing.T) {
		id := uuid.New()
		key := func(i int) string { return fmt.Sprintf("%s.%s", id, uuid.UUID{15: byte(i)}) }
		put := func(i int, value string) {
			e, err := one.Entry(t.Context(), key(i))
			if err == nil {
				e.Value = []byte(value)
				_, err = one.Put(t.Context(), e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		put(1, "a")
		ctx, cancel := context.WithCancel(t.Context())
		changes := make(chan Entry, 100)
		var watching sync.WaitGroup
		watching.Go(func() {
			two.Watch(ctx, func(e Entry) {
				if len(e.Key) > 36 && e.Key[:36] == id.String() {
					changes <- e
				}
			})
		})
		next := func(want string) {
			t.Helper()
			select {
			case e := <-changes:
				if string(e.Value) != want {
					t.Errorf("got %q, want %q", e.Value, want)
				}
			case <-time.After(3 * time.Minute):
				t.Fatal("no change arrives")
			}
		}
		next("a")
		put(2, "b")
		next("b")
		put(1, "")
		next("")
		cancel()
		watching.Wait()
		if err := two.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if e, err := one.Entry(t.Context(), key(2)); err != nil || len(e.Value) > 0 {
			t.Errorf("%s, %v", e.Value, err)
		}
	})

	t.Run("deliveries are paged from the newest", func(t *testing.T) {
		rare, busy := uuid.New(), uuid.New()
		for i := range 900 {
			id := busy
			if i%300 == 0 {
				id = rare
			}
			if err := one.Log(t.Context(), id, []byte(strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		read := func(id uuid.UUID, limit int) (all []string) {
			for before := uint64(0); ; {
				page := 0
				if err := two.Logged(t.Context(), id, before, func(n uint64, record []byte) bool {
					if page++; page > limit {
						return false
					}
					before = n
					all = append(all, string(record))
					return true
				}); err != nil {
					t.Fatal(err)
				}
				if page <= limit {
					return all
				}
			}
		}
		eventually(t, "the queue or log is complete", func() bool { return len(read(rare, 10)) == 3 && len(read(busy, 1000)) == 897 }) // on a cluster another server may lag
		for _, limit := range []int{1, 2, 3, 50} {
			if got := read(rare, limit); !slices.Equal(got, []string{"600", "300", "0"}) {
				t.Errorf("pages of %d: %v", limit, got)
			}
		}
		if got := read(busy, 7); len(got) != 897 || got[0] != "899" || got[896] != "1" {
			t.Errorf("%d records, from %s", len(got), got[0])
		}
		if got := read(uuid.New(), 7); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

// TestQueueOrder acknowledges a thousand events. A pull request that is lost
// shows as half a minute without an event.
func TestQueueOrder(t *testing.T) {
	l := open(t, t.TempDir())
	s, v := storetest.NewStream(), eventstore.Version{}
	for range 4 {
		v = mustAppend(t, l, s, v, storetest.Events(250))
	}
	outbox, err := l.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	queue, err := outbox.Queue(t.Context(), uuid.New(), 0, 0, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		e, err := queue.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("after %d events: %v", i, err)
		}
		if int(e.Position) != i+1 {
			t.Fatalf("position %d came after %d", e.Position, i)
		}
		if err := e.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}
