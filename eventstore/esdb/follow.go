package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/jointlab/jointlab/eventstore"
)

const maxSlice = 1000 // events handed over at once

var errSilent = errors.New("the subscription says nothing though there are events")

// Follow calls each with the events after position, then with new ones as they
// arrive, many at once where there are many. A subscription that is dropped, or
// falls silent though there is more, is begun again from where it was. Follow
// returns when ctx ends or each fails, with that error; while the server is
// away it waits.
func (a *All) Follow(ctx context.Context, after eventstore.Position, each func([]eventstore.Recorded) error) error {
	f := &follower{all: a, each: each, last: after, resume: after}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		before := f.last
		err := f.subscribe(ctx)
		switch {
		case f.failed != nil:
			return f.failed
		case ctx.Err() != nil:
			return ctx.Err()
		case a.store.clients.closing.Err() != nil:
			return unavailable(a.store.clients.closing, "follow $all", errClosed)
		case isCode(err, client.ErrorCodeAccessDenied, client.ErrorCodeUnauthenticated):
			return unavailable(ctx, "follow $all", fmt.Errorf("the user of the EventStoreDB URL may not read $all: %w", err))
		}
		if f.last > before {
			wait = 10 * time.Millisecond
		}
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

type follower struct {
	all    *All
	each   func([]eventstore.Recorded) error
	last   eventstore.Position // of the last event handed over
	resume eventstore.Position // all up to here is known: last, or further where only others' events follow
	failed error               // what each returned
}

// subscribe follows by one subscription until it ends.
func (f *follower) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.all.store.clients.closing, func() { cancel(errClosed) })()
	one, err := f.all.store.clients.acquire(ctx)
	if err != nil {
		return err
	}
	arrived := make(chan *client.SubscriptionEvent, maxSlice)
	ended := make(chan error, 1)
	from := at(f.resume)
	go func() {
		err := guard(func() error { return f.all.receive(ctx, cancel, one, from, arrived) })
		f.all.store.clients.release(one, err)
		ended <- err
	}()
	quiet := time.NewTimer(f.all.store.quiet)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-ended:
			return err
		case e := <-arrived:
			if f.failed = f.handle(e, arrived); f.failed != nil {
				return f.failed
			}
		case <-quiet.C:
			if head, err := f.all.Head(ctx); err == nil && head > f.last && len(arrived) == 0 {
				return errSilent
			}
		}
		quiet.Reset(f.all.store.quiet)
	}
}

// receive subscribes and passes on what arrives, until ctx ends.
func (a *All) receive(ctx context.Context, cancel context.CancelCauseFunc, one *client.Client, from client.AllPosition, arrived chan<- *client.SubscriptionEvent) error {
	late := time.AfterFunc(a.store.answer, func() {
		cancel(fmt.Errorf("the server did not confirm the subscription in %s", a.store.answer))
	})
	defer late.Stop()
	prefixes := make([]string, len(kinds))
	for i, kind := range kinds {
		prefixes[i] = kind + "-"
	}
	sub, err := one.SubscribeToAll(leaderOnly(ctx), client.SubscribeToAllOptions{
		From: from, MaxSearchWindow: 1000,
		Filter: &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: prefixes},
	})
	if err != nil {
		return err
	}
	late.Stop()
	defer sub.Close()
	for {
		e := sub.Recv()
		if e.SubscriptionDropped != nil {
			return e.SubscriptionDropped.Error
		}
		if e.EventAppeared != nil && e.EventAppeared.OriginalEvent() == nil {
			return errEmpty
		}
		select {
		case arrived <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handle hands over e and what else has arrived.
func (f *follower) handle(e *client.SubscriptionEvent, arrived <-chan *client.SubscriptionEvent) error {
	var events []eventstore.Recorded
	for {
		var reached eventstore.Position
		switch {
		case e.CheckPointReached != nil:
			reached = eventstore.Position(e.CheckPointReached.Commit)
		case e.EventAppeared != nil:
			event := e.EventAppeared.OriginalEvent()
			reached = eventstore.Position(event.Position.Commit)
			if r, ok := ours(event); ok && reached > f.last { // the filter lets others' events through
				events, f.last = append(events, r), reached
			}
		}
		f.resume = max(f.resume, reached)
		if len(events) < maxSlice {
			select {
			case e = <-arrived:
				continue
			default:
			}
		}
		if len(events) == 0 {
			return nil
		}
		return f.each(events)
	}
}
