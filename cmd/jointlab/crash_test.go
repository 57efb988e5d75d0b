package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// acknowledged collects the events whose commands were answered.
type acknowledged struct {
	mu     sync.Mutex
	more   *sync.Cond // on mu: events grew
	events map[uuid.UUID]bool
}

func newAcknowledged() *acknowledged {
	a := &acknowledged{events: map[uuid.UUID]bool{}}
	a.more = sync.NewCond(&a.mu)
	return a
}

func (a *acknowledged) add(events []struct {
	ID uuid.UUID `json:"id"`
},
) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range events {
		a.events[e.ID] = true
	}
	a.more.Broadcast()
}

// reach waits until n events were acknowledged. It reports whether they were
// before ctx ended.
func (a *acknowledged) reach(ctx context.Context, n int) bool {
	defer context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.more.Broadcast()
	})()
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.events) < n && ctx.Err() == nil {
		a.more.Wait()
	}
	return len(a.events) >= n
}

// await is reach for a test that cannot continue otherwise.
func (a *acknowledged) await(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	if !a.reach(ctx, n) {
		t.Fatalf("%d events are acknowledged, not %d: %v", a.count(), n, context.Cause(ctx))
	}
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.events)
}

// ledger reads every event of the register kept in data, which no server may
// have open, and checks that positions and each stream's revisions are dense.
func ledger(t *testing.T, data string) map[uuid.UUID]bool {
	t.Helper()
	ctx := within(t)
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if p := log.Problems(); len(p) > 0 {
		t.Errorf("the ledger was opened with problems: %v", p)
	}
	head, err := log.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	events, next := map[uuid.UUID]bool{}, map[eventstore.Stream]uint64{}
	err = log.Read(ctx, 0, head, func(batch []eventstore.Recorded) error {
		for _, e := range batch {
			d, err := eventstore.Decode(e.Body)
			if err != nil {
				return err
			}
			if int(e.Position) != len(events)+1 {
				t.Errorf("position %d comes after %d events", e.Position, len(events))
			}
			if d.Meta.Revision != next[e.Stream] {
				t.Errorf("position %d: %s has revision %d after %d events", e.Position, e.Stream, d.Meta.Revision, next[e.Stream])
			}
			next[e.Stream]++
			if events[e.ID] {
				t.Errorf("position %d: event %s is there twice", e.Position, e.ID)
			}
			events[e.ID] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

const writers = 8

// write sends commands until the server is gone.
func write(ctx context.Context, c client, n, round int, to *acknowledged) {
	path := "/v1/labs/" + uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "crash %d", n)).String()
	for i := 0; ctx.Err() == nil; i++ {
		a, err := c.send(ctx, path+"/assert-fact", "", lab.AssertFact{
			Grounds: domain.Grounds{Basis: domain.Basis{Source: "crash test"}},
			Kind:    "note", Text: domain.T("", fmt.Sprintf("round %d, command %d", round, i)),
		})
		if err != nil {
			return
		}
		to.add(a.Events)
	}
}

func TestKilledServerKeepsAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := domaintest.Runs(6, 1000)
	ctx, cancel := context.WithTimeout(context.Background(), hang+time.Duration(rounds)*time.Minute)
	defer cancel()
	data := t.TempDir()
	acked := newAcknowledged()
	server := startServer(t, data)
	officer := server.client(t, data, "officer", "")
	host := demoEntity("crash host")
	a, err := officer.send(ctx, "/v1/entities/"+host.String()+"/register", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")})
	if err != nil {
		t.Fatal(err)
	}
	acked.add(a.Events)
	for n := range writers {
		path := "/v1/labs/" + uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "crash %d", n)).String()
		if a, err = officer.send(ctx, path+"/propose", "", lab.Propose{Names: name("演示", "Demo"), Host: host}); err != nil {
			t.Fatal(err)
		}
		acked.add(a.Events)
	}
	for round := range rounds {
		loading, stop := context.WithCancel(ctx)
		var load sync.WaitGroup
		before := acked.count()
		for n := range writers {
			load.Go(func() { write(loading, officer, n, round, acked) })
		}
		// Kill it after so many more commands were answered.
		acked.await(ctx, t, before+1+rand.IntN(150))
		server.kill()
		stop()
		load.Wait()
		there := ledger(t, data)
		for id := range acked.events {
			if !there[id] {
				t.Errorf("round %d: event %s was acknowledged and is gone", round, id)
			}
		}
		server = startServer(t, data)
		officer.base = server.url
	}
	server.stop(t)
	report := output(t, "verify", "--data", data)
	if !strings.Contains(report, " 0 differences") {
		t.Errorf("after %d kills the read model is not the fold of the ledger:\n%s", rounds, report)
	}
	t.Logf("%d events acknowledged over %d kills; %s", acked.count(), rounds, strings.TrimSpace(report))
}

func TestRaceOnOneLab(t *testing.T) {
	t.Parallel()
	commands := domaintest.Runs(100, 500) // of each client
	ctx, data := within(t), t.TempDir()
	server := startServer(t, data)
	officer := server.client(t, data, "officer", "")
	host, id := demoEntity("race host"), demoLab(1)
	if _, err := officer.send(ctx, "/v1/entities/"+host.String()+"/register", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")}); err != nil {
		t.Fatal(err)
	}
	path := "/v1/labs/" + id.String()
	first, err := officer.send(ctx, path+"/propose", "", lab.Propose{Names: name("演示", "Demo"), Host: host})
	if err != nil {
		t.Fatal(err)
	}
	acked := newAcknowledged()
	acked.add(first.Events)
	refused := 0
	var mu sync.Mutex
	var race sync.WaitGroup
	for range 2 {
		race.Go(func() {
			for i := range commands {
				// Both clients set the same discipline: one is carried out, the
				// other refused because nothing would change.
				a, err := officer.send(ctx, path+"/set-discipline", "", lab.SetDiscipline{
					Discipline: domain.T("", fmt.Sprintf("discipline %d", i)),
				})
				if err == nil {
					acked.add(a.Events)
					continue
				}
				if _, ok := err.(*problem); !ok {
					t.Errorf("command %d: %v", i, err)
				}
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
	}
	race.Wait()
	server.stop(t)
	there := ledger(t, data)
	for id := range acked.events {
		if !there[id] {
			t.Errorf("event %s was acknowledged and is not in the ledger", id)
		}
	}
	if want := acked.count() + 1; len(there) != want { // and the host
		t.Errorf("%d commands were acknowledged, but the ledger holds %d events", want, len(there))
	}
	if acked.count()-1+refused != 2*commands {
		t.Errorf("%d carried out and %d refused of %d", acked.count()-1, refused, 2*commands)
	}
	t.Logf("%d carried out, %d refused", acked.count()-1, refused)
}
