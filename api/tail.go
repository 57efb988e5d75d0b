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
	handOver   = 256      // events handed to a stream at once
)

// tailEvent is an event for subscribers. It is immutable; facts and readers are loaded
// once, at the first use.
type tailEvent struct {
	eventstore.Header
	position eventstore.Position
	body     []byte
	facts    func() (eventstore.LabFacts, error) // of its lab; loaded once
	readers  func() (domain.Readers, error)      // loaded once
}

// tail holds the most recent events of the ledger for all streams. One follower fills
// it while any stream is open. A stream that falls behind reads from the ledger until
// it has caught up.
type tail struct {
	stop context.CancelFunc

	mu     sync.Mutex
	events []*tailEvent        // dense in position
	end    eventstore.Position // position of the last event, or of the start
	bytes  int
	grown  chan struct{} // closed at the next event, or at the end
	err    error         // why the tail ended
}

// follow returns a tail that begins after a position. notice must not keep the event.
func follow(ledger eventstore.Ledger, after eventstore.Position,
	notice func(eventstore.Recorded) (*tailEvent, error)) *tail {
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
			t.events[0] = nil // frees the body before append reallocates
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

// after returns events after a position, oldest first. If it returns none and begins is
// later than p, the tail begins after begins; otherwise grown is closed at the next
// event.
func (t *tail) after(p eventstore.Position) (notices []*tailEvent, begins eventstore.Position, grown <-chan struct{},
	err error) {
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

// tails shares one tail among the open streams. Its mutex guards its fields.
type tails struct {
	mu      sync.Mutex
	tail    *tail
	callers map[string]int // number of open streams of each
	open    int

	reading chan struct{} // semaphore of streams that read from the ledger
}

// readingAtOnce is the number of streams that may read from the ledger at a time. The
// others wait, so that catching up does not slow down streams that have caught up.
var readingAtOnce = max(1, runtime.GOMAXPROCS(0)/2)

// join counts a stream of caller. It reports whether caller had fewer than limit.
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

// streams returns the number of open streams.
func (s *tails) streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// shared returns the tail of the streams that have joined. If there is none, or it has
// ended, it returns the result of begin.
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

// leave undoes a join. The last stream to leave stops the tail.
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
