package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// ledger is a ledger in memory, whose events a test may change as nobody can
// change those of a real one.
type ledger struct {
	mu     sync.Mutex
	events []eventstore.Recorded
	grew   chan struct{}
}

func newLedger(n int) *ledger {
	l := &ledger{grew: make(chan struct{})}
	l.add(n)
	return l
}

func body(i int) []byte { return fmt.Appendf(nil, `{"event":%d}`, i) }

// add appends n events whose bodies follow from their positions.
func (l *ledger) add(n int) {
	for range n {
		l.append(eventstore.Stream{}, body(len(l.events)+1))
	}
}

func (l *ledger) append(s eventstore.Stream, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, eventstore.Recorded{Stream: s, ID: uuid.New(), Position: eventstore.Position(len(l.events) + 1), Body: body})
	close(l.grew)
	l.grew = make(chan struct{})
}

// change replaces what the ledger holds and numbers it anew.
func (l *ledger) change(how func([]eventstore.Recorded) []eventstore.Recorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = how(append([]eventstore.Recorded(nil), l.events...))
	for i := range l.events {
		l.events[i].Position = eventstore.Position(i + 1)
	}
}

func (l *ledger) Head(context.Context) (eventstore.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return eventstore.Position(len(l.events)), nil
}

func (l *ledger) after(p eventstore.Position) ([]eventstore.Recorded, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]eventstore.Recorded(nil), l.events[p:]...), l.grew
}

func (l *ledger) Follow(ctx context.Context, after eventstore.Position, each func([]eventstore.Recorded) error) error {
	for {
		events, grew := l.after(after)
		for len(events) > 0 {
			n := min(len(events), 7)
			if err := each(events[:n]); err != nil {
				return err
			}
			after, events = after+eventstore.Position(n), events[n:]
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grew:
		}
	}
}

func (l *ledger) Read(ctx context.Context, after, to eventstore.Position, each func([]eventstore.Recorded) error) error {
	if to <= after {
		return nil
	}
	events, _ := l.after(after)
	if int(to-after) > len(events) {
		return errors.New("beyond the head")
	}
	events = events[:to-after]
	for len(events) > 0 {
		n := min(len(events), 100)
		if err := each(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// board keeps checkpoints in memory.
type board struct {
	mu   sync.Mutex
	last audit.Published
}

func (b *board) Last(context.Context) (audit.Published, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, nil
}

func (b *board) Publish(_ context.Context, after uint64, note []byte, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.Sequence != after {
		return eventstore.ErrConflict
	}
	b.last = audit.Published{Note: note, Key: key, Sequence: after + 1}
	return nil
}

// tb is what of testing.TB is used here, and a rapid.T has too.
type tb interface {
	Helper()
	Cleanup(func())
	Error(...any)
	Fatal(...any)
}

// running is a log that follows a ledger until it is stopped.
type running struct {
	*audit.Log
	t      tb
	stop   context.CancelFunc
	ended  chan error
	closed bool
}

func config(dir string, l eventstore.Ledger) audit.Config {
	return audit.Config{Dir: dir, Ledger: l, Pause: time.Millisecond, Alone: true}
}

func start(t tb, cfg audit.Config) *running {
	t.Helper()
	log, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Log: log, t: t, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- log.Run(ctx) }()
	t.Cleanup(r.end)
	return r
}

// end stops the log as a server does, once.
func (r *running) end() {
	if r.closed {
		return
	}
	r.closed = true
	r.stop()
	<-r.ended
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
}

// signed waits for a checkpoint of size events.
func (r *running) signed(size int) audit.Checkpoint {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := r.Wait(ctx, int64(size))
	if err != nil {
		r.t.Fatal(err, r.Problems())
	}
	return c
}

// contradiction waits for the log to end, which it does only over one.
func (r *running) contradiction() *audit.ContradictionError {
	r.t.Helper()
	var err error
	select {
	case err = <-r.ended:
		r.ended <- err
	case <-time.After(time.Minute):
		r.t.Fatal("the log goes on")
	}
	var c *audit.ContradictionError
	if !errors.As(err, &c) {
		r.t.Fatal(err)
	}
	if len(r.Problems()) == 0 {
		r.t.Error("the log has stopped and names no problem")
	}
	return c
}

// Load and Append make the ledger a store as well.
func (l *ledger) Load(_ context.Context, s eventstore.Stream, after eventstore.Version) (events []eventstore.Recorded, v eventstore.Version, err error) {
	all, _ := l.after(0)
	for _, e := range all {
		if e.Stream != s {
			continue
		}
		if v.Count++; v.Count > after.Count {
			events = append(events, e)
		}
		v.Token = uint64(e.Position)
	}
	return events, v, nil
}

func (l *ledger) Append(ctx context.Context, s eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (eventstore.Version, error) {
	if _, now, _ := l.Load(ctx, s, at); now != at {
		return now, eventstore.ErrConflict
	}
	for _, e := range events {
		l.append(s, e.Body)
		at = eventstore.Version{Count: at.Count + 1, Token: uint64(len(l.events))}
	}
	return at, nil
}
