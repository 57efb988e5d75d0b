package api

import (
	"context"
	"runtime"
	"sync"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

const (
	tailEvents = 4096     // events kept for streams that keep up
	tailBytes  = 16 << 20 // of bodies among them
	handOver   = 256      // events given to a stream at once
)

// tailEvent is an event on its way to subscribers.
type tailEvent struct {
	eventstore.Header
	position eventstore.Position
	body     []byte
	facts    func() (eventstore.LabFacts, error) // of its lab, once somebody asks
	readers  func() (domain.Readers, error)      // who may read it, likewise
}

// tail holds the most recent events of the ledger, for all streams at once. One
// follower fills it, however many streams read; it follows while any does. A
// stream that falls behind it reads from the ledger itself until it is back.
type tail struct {
	stop context.CancelFunc

	mu     sync.Mutex
	events []*tailEvent        // dense in position
	end    eventstore.Position // of the last one; before it, where following began
	bytes  int
	grown  chan struct{} // closed when more came, or none will
	err    error         // why none will
}

// follow begins a tail after a position. notice must not keep the event.
func follow(ledger eventstore.Ledger, after eventstore.Position, notice func(eventstore.Recorded) (*tailEvent, error)) *tail {
	ctx, stop := context.WithCancel(context.Background())
	t := &tail{stop: stop, end: after, grown: make(chan struct{})}
	go func() {
		err := ledger.Follow(ctx, after, func(events []eventstore.Recorded) error { return t.add(events, notice) })
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = err
		close(t.grown)
	}()
	return t
}

func (t *tail) add(events []eventstore.Recorded, notice func(eventstore.Recorded) (*tailEvent, error)) error {
	for _, e := range events {
		n, err := notice(e)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.events, t.end, t.bytes = append(t.events, n), n.position, t.bytes+len(n.body)
		for len(t.events) > tailEvents || t.bytes > tailBytes && len(t.events) > 1 {
			t.bytes -= len(t.events[0].body)
			t.events[0] = nil // what append moves on holds no old bodies
			t.events = t.events[1:]
		}
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.grown)
	t.grown = make(chan struct{})
	return nil
}

// after gives events after a position, oldest first. Where it gives none, the
// tail begins only after begins, if that is later; otherwise grown is closed
// when there is more to ask for.
func (t *tail) after(p eventstore.Position) (notices []*tailEvent, begins eventstore.Position, grown <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	begins = t.end - eventstore.Position(len(t.events))
	if p >= t.end {
		return nil, begins, t.grown, t.err
	}
	if p >= begins {
		from := int(p - begins)
		notices = append(notices, t.events[from:min(from+handOver, len(t.events))]...)
	}
	return notices, begins, nil, nil
}

// tails shares one tail among the streams that are open.
type tails struct {
	mu      sync.Mutex
	tail    *tail
	callers map[string]int // streams each has open
	open    int

	reading chan struct{} // a token for each stream that reads from the ledger
}

// readingAtOnce is how many streams may read from the ledger at a time. Others
// wait their turn, so that those that catch up do not hold back those that have.
var readingAtOnce = max(1, runtime.GOMAXPROCS(0)/2)

// join counts a stream of caller, unless it has limit of them already.
func (s *tails) join(caller string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callers[caller] >= limit {
		return false
	}
	if s.callers == nil {
		s.callers = map[string]int{}
	}
	s.callers[caller]++
	s.open++
	return true
}

// streams is how many are open.
func (s *tails) streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// shared is the tail for streams that have joined; where there is none, or it
// has ended, it is what begin makes.
func (s *tails) shared(begin func() *tail) *tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tail == nil || s.tail.ended() {
		s.end()
		s.tail = begin()
	}
	return s.tail
}

func (s *tails) end() {
	if s.tail != nil {
		s.tail.stop()
		s.tail = nil
	}
}

func (t *tail) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err != nil
}

// leave takes back a join; the last stream to leave stops the following.
func (s *tails) leave(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callers[caller]--; s.callers[caller] == 0 {
		delete(s.callers, caller)
	}
	if s.open--; s.open == 0 {
		s.end()
	}
}
