package jetstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// childVar names the data folder to a child process, which is this test binary.
const childVar = "JOINTLAB_TEST_CHILD"

// child appends until it is killed, and prints a line for each append after it
// was acknowledged: the stream, then the ids.
func child(dir string) {
	l, err := Open(context.Background(), Config{Dir: dir})
	if err != nil || len(l.Problems()) > 0 {
		fmt.Println("failed", err, l)
		os.Exit(1)
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			s, v := storetest.NewStream(), eventstore.Version{}
			for {
				events := storetest.Events(1)
				if v.Count%7 == 4 {
					events = storetest.Events(3)
				}
				if v, err = l.Append(context.Background(), s, v, events); err != nil {
					fmt.Println("failed", err)
					os.Exit(1)
				}
				line := s.String()
				for _, e := range events {
					line += " " + e.ID.String()
				}
				fmt.Println(line) // one write, so lines stay whole
			}
		})
	}
	writers.Wait()
}

// run starts a child on dir and calls each with every line it prints. It returns
// what the child was acknowledged.
func run(t *testing.T, dir, setting string, each func(n int, line string, p *os.Process)) map[eventstore.Stream][]eventstore.Pending {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+dir, setting)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[eventstore.Stream][]eventstore.Pending{}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ { // reads on after a kill: every line printed was acknowledged
		each(n, lines.Text(), cmd.Process)
		words := strings.Fields(lines.Text())
		s, err := eventstore.ParseStream(words[0])
		if err != nil {
			continue
		}
		for _, id := range words[1:] {
			acknowledged[s] = append(acknowledged[s], eventstore.Pending{ID: uuid.MustParse(id)})
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended as if nothing had happened")
	}
	return acknowledged
}

// intact opens what a child left, checks it, and closes it.
func intact(t *testing.T, dir string, acknowledged map[eventstore.Stream][]eventstore.Pending) {
	t.Helper()
	l := open(t, dir)
	if len(l.Problems()) > 0 {
		t.Fatal(l.Problems())
	}
	for s, events := range acknowledged {
		holds(t, l, s, events)
		all, v, err := l.Load(t.Context(), s, eventstore.Version{})
		if err != nil {
			t.Fatal(err)
		}
		// The child writes one by one, but each fifth time three at once.
		if v.Count%7 > 4 {
			t.Errorf("%s holds %d events: half of an append", s, len(all))
		}
		mustAppend(t, l, s, v, storetest.Events(1))
	}
	closeLedger(t, l)
}

func TestKillLosesNothingAcked(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		acknowledged := run(t, dir, "", func(n int, line string, p *os.Process) {
			if strings.HasPrefix(line, "failed") {
				t.Error(line)
			}
			if n == 50+97*round {
				if err := p.Kill(); err != nil {
					t.Error(err)
				}
			}
		})
		intact(t, dir, acknowledged) // and the lock has vanished with the child
	}
}

// TestLostConnections breaks the connections again and
// again while several write and one follows.
func TestLostConnections(t *testing.T) {
	const writers, appends = 4, 60
	l := open(t, t.TempDir())
	l.answer = 200 * time.Millisecond // so that a lost answer is soon asked for again
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(1))
	var all sync.WaitGroup
	following, errAll, seen := make(chan struct{}), errors.New("all seen"), 0
	all.Go(func() {
		err := l.Follow(t.Context(), 0, func(events []eventstore.Recorded) error { // fails on a gap or a repetition
			if seen == 0 {
				close(following)
			}
			if seen += len(events); seen > 2*appends*writers {
				return errAll
			}
			return nil
		})
		if !errors.Is(err, errAll) {
			t.Error(err)
		}
	})
	<-following
	streams := make([]eventstore.Stream, writers)
	events := make([][]eventstore.Pending, writers)
	for i := range streams {
		streams[i], events[i] = storetest.NewStream(), storetest.Events(2*appends)
		all.Go(func() {
			var v eventstore.Version
			for a, left := 0, events[i]; len(left) > 0; a++ {
				n := min(1+a%2*2, len(left))
				var err error
				if v, err = l.Append(t.Context(), streams[i], v, left[:n]); err != nil {
					t.Error(err)
					return
				}
				left = left[n:]
				if a%15 == i {
					if err := l.conns[(a/15+i)%2].ForceReconnect(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	for i, s := range streams {
		holds(t, l, s, events[i])
	}
	if head := l.acked.Load(); head != 1+2*appends*writers {
		t.Errorf("the ledger ends at %d", head)
	}
}
