package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

func emptyStream(t *test) {
	events, v := t.load(NewStream(), eventstore.Version{})
	if len(events) != 0 || v != (eventstore.Version{}) {
		t.Fatalf("%d events, version %v", len(events), v)
	}
}

func appendThenLoad(t *test) {
	s, events := NewStream(), Events(6)
	v := t.append(s, eventstore.Version{}, events[:1])
	v = t.append(s, v, events[1:4])
	v = t.append(s, v, events[4:5])
	v = t.append(s, v, events[5:])
	if loaded := t.holds(s, events); loaded != v {
		t.Fatalf("append returned version %v, load %v", v, loaded)
	}
}

func loadAfter(t *test) {
	s, events := NewStream(), Events(7)
	var versions []eventstore.Version
	var v eventstore.Version
	for i := range events {
		versions = append(versions, v)
		v = t.append(s, v, events[i:i+1])
	}
	for i, after := range append(versions, v) {
		rest, reached := t.load(s, after)
		t.same(s, rest, events[i:])
		if reached != v {
			t.Fatalf("loading after %v reached %v, want %v", after, reached, v)
		}
	}
}

func bodies(t *test) {
	s, v := NewStream(), eventstore.Version{}
	var all []eventstore.Pending
	for _, body := range [][]byte{
		[]byte(`{"name":"清华大学–𠮷野家 \u0000 é é ﷽ 👩‍🔬"}`),
		[]byte("{ \"spaces\" :\t1 ,\r\n\"n\": 1.0 }\n\n"),
		[]byte("\xff\xfe\x00 not even text \x80"),
		bytes.Repeat([]byte("长"), 60_000),
		{'x'},
	} {
		event := eventstore.Pending{ID: uuid.New(), Type: "lab.test.happened.v1", Body: body}
		v = t.append(s, v, []eventstore.Pending{event})
		all = append(all, event)
	}
	for i := range all {
		all[i].ID = uuid.New()
	}
	s = NewStream()
	t.append(s, eventstore.Version{}, all)
	t.holds(s, all)
}

func bigStream(t *test) {
	s, events, v := NewStream(), Events(3000), eventstore.Version{}
	for part := range slices.Chunk(events, 500) {
		v = t.append(s, v, part)
	}
	if loaded := t.holds(s, events); loaded != v {
		t.Fatalf("append returned version %v, load %v", v, loaded)
	}
}

func conflict(t *test) {
	s, events := NewStream(), Events(3)
	v1 := t.append(s, eventstore.Version{}, events[:1])
	t.append(s, v1, events[1:])
	for _, late := range [][]eventstore.Pending{Events(1), Events(3)} {
		for _, at := range []eventstore.Version{{}, v1} {
			_, err := t.store.Append(t.ctx, s, at, late)
			t.refused(err, eventstore.ErrConflict, "append at an old version")
		}
	}
	t.holds(s, events)
}

func allOrNone(t *test) {
	s, events := NewStream(), Events(40)
	v := t.append(s, eventstore.Version{}, events[:20])
	t.append(s, v, events[20:])
	_, err := t.store.Append(t.ctx, s, v, Events(20))
	t.refused(err, eventstore.ErrConflict, "append of 20 events at an old version")
	twice := Events(3)
	twice[2].ID = twice[0].ID
	if _, err := t.store.Append(t.ctx, NewStream(), eventstore.Version{}, twice); err == nil {
		t.Fatal("an append that has an id twice succeeds")
	}
	t.holds(s, events)
}

func again(t *test) {
	for _, n := range []int{1, 3} {
		s, first, events := NewStream(), Events(1), Events(n)
		v1 := t.append(s, eventstore.Version{}, first)
		v2 := t.append(s, v1, events)
		for range 3 {
			if v := t.append(s, v1, events); v != v2 {
				t.Fatalf("the same append of %d events returned %v, then %v", n, v2, v)
			}
			t.append(NewStream(), eventstore.Version{}, Events(2))
		}
		t.holds(s, append(first, events...))
	}
}

func againLater(t *test) {
	for _, n := range []int{1, 3} {
		s, events, later := NewStream(), Events(n), Events(2)
		v := t.append(s, eventstore.Version{}, events)
		t.append(s, v, later)
		if late := t.append(s, eventstore.Version{}, events); late != v {
			t.Fatalf("the same append of %d events returned %v, then %v", n, v, late)
		}
		t.holds(s, append(events, later...))
	}
}

func atOnce(t *test) {
	for _, n := range []int{1, 3} {
		s, events := NewStream(), Events(n)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = t.store.Append(t.ctx, s, eventstore.Version{}, events) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		t.holds(s, events)
	}
}

func part(t *test) {
	s, events := NewStream(), Events(3)
	t.append(s, eventstore.Version{}, events[:2])
	_, err := t.store.Append(t.ctx, s, eventstore.Version{}, events)
	t.refused(err, eventstore.ErrConflict, "append of events of which two are there")
	_, err = t.store.Append(t.ctx, s, eventstore.Version{}, events[1:2])
	t.refused(err, eventstore.ErrConflict, "append of an event that is in another place")
	t.holds(s, events[:2])
}

// foreignID: whether a store refuses an id that another stream uses, or takes
// it for what it is, a different event, is its own affair; but what it
// acknowledges must be there.
func foreignID(t *test) {
	for _, n := range []int{1, 2} {
		events := Events(n)
		t.append(NewStream(), eventstore.Version{}, events)
		s := NewStream()
		if _, err := t.store.Append(t.ctx, s, eventstore.Version{}, events); err == nil {
			t.holds(s, events)
		} else {
			t.holds(s, nil)
		}
	}
}

func racingWriters(t *test) {
	s, v := NewStream(), eventstore.Version{}
	var want []eventstore.Pending
	for round := range 200 {
		writers := [2][]eventstore.Pending{Events(1), Events(1 + round%2)}
		var errs [2]error
		var both sync.WaitGroup
		for i, events := range writers {
			both.Go(func() { _, errs[i] = t.store.Append(t.ctx, s, v, events) })
		}
		both.Wait()
		won := slices.Index(errs[:], nil)
		if won < 0 || !errors.Is(errs[1-won], eventstore.ErrConflict) {
			t.Fatalf("round %d: %v; %v", round, errs[0], errs[1])
		}
		want = append(want, writers[won]...)
		rest, now := t.load(s, v)
		t.same(s, rest, writers[won])
		v = now
	}
	t.holds(s, want)
}

func cancelledAppend(t *test) {
	ended, cancel := context.WithCancel(t.ctx)
	cancel()
	for _, n := range []int{1, 3} {
		s, events := NewStream(), Events(n)
		if _, err := t.store.Append(ended, s, eventstore.Version{}, events); err == nil {
			t.Fatal("an append succeeds though its context had ended")
		}
		t.append(s, eventstore.Version{}, events)
		t.holds(s, events)
	}
}

func cancelledLoad(t *test) {
	ended, cancel := context.WithCancel(t.ctx)
	cancel()
	s := NewStream()
	t.append(s, eventstore.Version{}, Events(1))
	if _, _, err := t.store.Load(ended, s, eventstore.Version{}); err == nil {
		t.Fatal("a load succeeds though its context had ended")
	}
}
