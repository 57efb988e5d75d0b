package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/jointlab/jointlab/eventstore"
)

// until follows after a position until n events of the given streams have
// come, and returns them by stream. It checks that no position is left out.
func (t *test) until(ctx context.Context, after eventstore.Position, n int, streams []eventstore.Stream) (map[eventstore.Stream][]eventstore.Recorded, error) {
	got := map[eventstore.Stream][]eventstore.Recorded{}
	last, seen := after, 0
	for e, err := range eventstore.Follow(ctx, t.ledger, after) {
		if err != nil {
			return got, err
		}
		if e.Position != last+1 {
			t.Errorf("position %d came after %d", e.Position, last)
		}
		last = e.Position
		if slices.Contains(streams, e.Stream) {
			got[e.Stream] = append(got[e.Stream], e)
			if seen++; seen == n {
				break
			}
		}
	}
	return got, nil
}

func (t *test) head() eventstore.Position {
	t.Helper()
	head, err := t.ledger.Head(t.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func manyWriters(t *test) {
	const writers, appends = 16, 40
	start := t.head()
	streams := make([]eventstore.Stream, writers)
	events := make([][]eventstore.Pending, writers)
	for i := range streams {
		streams[i] = NewStream()
		events[i] = Events(appends + appends/8*2)
	}
	var all sync.WaitGroup
	var got map[eventstore.Stream][]eventstore.Recorded
	var followed error
	all.Go(func() { got, followed = t.until(t.ctx, start, writers*len(events[0]), streams) })
	for i, s := range streams {
		all.Go(func() {
			rest, v := events[i], eventstore.Version{}
			for a := range appends {
				n := 1
				if a%8 == 7 { // now and then several at once
					n = 3
				}
				var err error
				if v, err = t.store.Append(t.ctx, s, v, rest[:n]); err != nil {
					t.Errorf("append %d to %s: %v", a, s, err)
					return
				}
				rest = rest[n:]
			}
		})
	}
	all.Wait()
	if followed != nil {
		t.Fatal(followed)
	}
	for i, s := range streams {
		t.same(s, got[s], events[i])
	}
}

func followFromTheMiddle(t *test) {
	s, events := NewStream(), Events(20)
	start := t.head()
	t.append(s, eventstore.Version{}, events)
	whole, err := t.until(t.ctx, start, len(events), []eventstore.Stream{s})
	if err != nil {
		t.Fatal(err)
	}
	t.same(s, whole[s], events)
	middle := whole[s][9].Position
	half, err := t.until(t.ctx, middle, 10, []eventstore.Stream{s})
	if err != nil {
		t.Fatal(err)
	}
	t.same(s, half[s], events[10:])
}

func followerFails(t *test) {
	start, failure := t.head(), errors.New("no room")
	t.append(NewStream(), eventstore.Version{}, Events(3))
	calls := 0
	err := t.ledger.Follow(t.ctx, start, func([]eventstore.Recorded) error { calls++; return failure })
	if !errors.Is(err, failure) || calls != 1 {
		t.Fatalf("%d calls, %v", calls, err)
	}
}

func followerEnds(t *test) {
	s, events := NewStream(), Events(2)
	start := t.head()
	t.append(s, eventstore.Version{}, events[:1])
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	err := t.ledger.Follow(ctx, start, func([]eventstore.Recorded) error { cancel(); return nil })
	t.refused(err, context.Canceled, "follow with a context that ends")
}

func read(t *test) {
	s, events := NewStream(), Events(2500)
	start := t.head()
	v := eventstore.Version{}
	for part := range slices.Chunk(events, 500) {
		v = t.append(s, v, part)
	}
	whole, err := t.until(t.ctx, start, len(events), []eventstore.Stream{s})
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) eventstore.Position { return whole[s][i].Position }
	for _, span := range [][2]int{{0, 1}, {0, 2499}, {99, 100}, {500, 2000}, {7, 7}} {
		after, to := at(span[0]), at(span[1])
		var got []eventstore.Recorded
		last := after
		for e, err := range eventstore.Read(t.ctx, t.ledger, after, to) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Position != last+1 {
				t.Errorf("position %d came after %d", e.Position, last)
			}
			if last = e.Position; e.Stream == s {
				got = append(got, e)
			}
		}
		if last != to {
			t.Fatalf("read after %d to %d ended at %d", after, to, last)
		}
		t.same(s, got, events[span[0]+1:span[1]+1])
	}
	failure := errors.New("no room")
	err = t.ledger.Read(t.ctx, at(0), at(2), func([]eventstore.Recorded) error { return failure })
	t.refused(err, failure, "read with a function that fails")
}
