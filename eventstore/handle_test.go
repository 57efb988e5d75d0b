package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// memory is a store in a map. fault, where there is one, is asked before and
// after each load and append, and what it returns is the caller's answer.
type memory struct {
	mu      sync.Mutex
	streams map[eventstore.Stream][]eventstore.Recorded
	fault   func(moment) error
}

type moment struct {
	op   string // load or append
	done bool   // after it was carried out
}

func newMemory() *memory {
	return &memory{streams: map[eventstore.Stream][]eventstore.Recorded{}}
}

func (m *memory) fails(ctx context.Context, at moment) error {
	if err := ctx.Err(); err != nil && !at.done {
		return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	if m.fault == nil {
		return nil
	}
	return m.fault(at)
}

func (m *memory) Load(ctx context.Context, s eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded, eventstore.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails(ctx, moment{"load", false}); err != nil {
		return nil, eventstore.Version{}, err
	}
	all := m.streams[s]
	return slices.Clone(all[after.Count:]), version(len(all)), m.fails(ctx, moment{"load", true})
}

func version(n int) eventstore.Version {
	return eventstore.Version{Count: uint64(n), Token: uint64(n)}
}

func (m *memory) Append(ctx context.Context, s eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (eventstore.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails(ctx, moment{"append", false}); err != nil {
		return eventstore.Version{}, err
	}
	ids := map[uuid.UUID]bool{}
	for _, e := range events {
		if ids[e.ID] {
			return eventstore.Version{}, fmt.Errorf("event %s stands twice in one append", e.ID)
		}
		ids[e.ID] = true
	}
	all, end := m.streams[s], int(at.Count)+len(events)
	there := end <= len(all) && slices.EqualFunc(all[at.Count:end], events, func(r eventstore.Recorded, p eventstore.Pending) bool { return r.ID == p.ID })
	switch {
	case there: // the same append again
	case int(at.Count) != len(all):
		return eventstore.Version{}, eventstore.ErrConflict
	default:
		for _, e := range events {
			m.streams[s] = append(m.streams[s], eventstore.Recorded{Stream: s, ID: e.ID, Body: slices.Clone(e.Body)})
		}
	}
	return version(end), m.fails(ctx, moment{"append", true})
}

func TestMemoryStoreContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) (eventstore.Store, eventstore.Ledger) { return newMemory(), nil })
}

// labs runs commands on labs in a store, as one node does.
type labs = eventstore.Aggregates[*lab.Lab, lab.Event]

func node(store eventstore.Store) *labs {
	return eventstore.NewAggregates[*lab.Lab, lab.Event](store, "lab", lab.New)
}

var (
	host    = domain.EntityRef{ID: domaintest.ID(1), Name: domain.T("南京大学", "Nanjing University"), Kind: "university", Country: "CN", Side: domain.Chinese}
	partner = domain.EntityRef{ID: domaintest.ID(2), Name: domain.T("牛津大学", "University of Oxford"), Kind: "university", Country: "GB", Side: domain.Foreign}
	id      = domaintest.Aggregate
	ground  = domain.Grounds{Reason: "笔误 / a slip of the pen"}
)

const document = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// request returns the n-th command's.
func request(n int) eventstore.Request {
	return eventstore.Request{
		Actor: domain.Actor{Subject: "officer", Role: domain.Officer}, Now: time.Date(2024, 6, 1, 4, 0, n, 0, time.UTC),
		Command: domaintest.ID(1000 + n), Digest: fmt.Sprintf("digest %d", n), Policy: lab.Policy,
		Entities: map[uuid.UUID]domain.EntityRef{host.ID: host, partner.ID: partner},
	}
}

func propose() lab.Command {
	return lab.Propose{Level: lab.MinistryLevel, Host: host.ID, Names: []domain.Name{{Text: "Laboratory", Lang: "en", Kind: domain.Official}}}
}

func discipline(n int) lab.Command {
	return lab.SetDiscipline{Discipline: domain.T("", fmt.Sprint("discipline ", n))}
}

func draft() lab.Command {
	return lab.DraftAgreement{
		Title: domain.T("协议", "Agreement"), Class: lab.Substantive, Documents: []lab.Document{{Lang: "en", Digest: document}},
		Parties: []lab.NewParty{{Entity: host.ID, Role: lab.HostParty}, {Entity: partner.ID, Role: lab.PartnerParty}},
	}
}

func sign(by uuid.UUID, day string) lab.Command {
	return lab.SignAgreement{Agreement: "A1", Party: by, Representative: domain.Person{Name: "李明"}, On: domain.MustDate(day), Document: document}
}

// send carries commands out one after the other, numbered from first.
func send(t *testing.T, n *labs, first int, cmds ...lab.Command) {
	t.Helper()
	for i, cmd := range cmds {
		if _, err := n.Do(t.Context(), id, cmd, request(first+i)); err != nil {
			t.Fatalf("command %d: %v", first+i, err)
		}
	}
}

// history reads the lab's stream as the store has it, and checks that its
// revisions are dense and its ids unique.
func history(t *testing.T, m *memory) []domain.RecordedEvent[lab.Event] {
	t.Helper()
	recorded, _, err := m.Load(context.Background(), eventstore.Stream{Kind: "lab", ID: id}, eventstore.Version{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[uuid.UUID]bool{}
	var all []domain.RecordedEvent[lab.Event]
	for i, r := range recorded {
		d, err := eventstore.Decode(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if d.Meta.Revision != uint64(i) || d.Meta.ID != r.ID || ids[r.ID] {
			t.Errorf("event %d has revision %d and id %s", i, d.Meta.Revision, d.Meta.ID)
		}
		ids[r.ID] = true
		all = append(all, domain.RecordedEvent[lab.Event]{Meta: d.Meta, Event: d.Event.(lab.Event)})
	}
	return all
}

// follows checks that what nodes have in memory is what the history folds to.
func follows(t *testing.T, m *memory, nodes ...*labs) {
	t.Helper()
	want := lab.New(id)
	domain.Fold(want, history(t, m))
	for _, n := range nodes {
		err := n.State(t.Context(), id, func(got *lab.Lab, v eventstore.Version) {
			if diff := cmp.Diff(want, got, domaintest.Same); diff != "" || v.Count != uint64(len(history(t, m))) {
				t.Errorf("at version %d the state is not what the history folds to:\n%s", v.Count, diff)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// commands names the commands a history was written by, in order.
func commands(all []domain.RecordedEvent[lab.Event]) (of []uuid.UUID) {
	for _, h := range all {
		of = append(of, h.Meta.Command)
	}
	return of
}

func TestRetryResolvesFaults(t *testing.T) {
	story := []lab.Command{propose(), draft(), sign(host.ID, "2024-05-01"), discipline(1), sign(partner.ID, "2024-05-02"), discipline(2)}
	fix := func(c domain.Correction) lab.Event { return lab.Corrected{Correction: c} }
	for _, at := range []moment{{"load", false}, {"load", true}, {"append", false}, {"append", true}} {
		for _, restarted := range []bool{false, true} {
			for nth := range 20 {
				m := newMemory()
				seen, failed := 0, false
				m.fault = func(now moment) error {
					if now != at {
						return nil
					}
					seen++
					if seen != nth+1 {
						return nil
					}
					failed = true
					return eventstore.ErrUnavailable
				}
				n := node(m)
				again := func(do func() error) {
					t.Helper()
					if restarted {
						n = node(m)
					}
					err := do()
					if errors.Is(err, eventstore.ErrUnavailable) {
						err = do()
					}
					if err != nil {
						t.Fatalf("%v %d: %v", at, nth, err)
					}
				}
				for i, cmd := range story {
					again(func() error { _, err := n.Do(t.Context(), id, cmd, request(i)); return err })
				}
				fault := m.fault
				m.fault = nil
				wrong := history(t, m)[3].Meta.ID
				m.fault = fault
				again(func() error {
					_, err := n.Correct(t.Context(), id, wrong, discipline(9), ground, fix, request(6))
					return err
				})
				m.fault = nil
				var want []uuid.UUID
				for i := range len(story) + 1 {
					want = append(want, request(i).Command)
				}
				if got := commands(history(t, m)); !slices.Equal(got, want) {
					t.Errorf("%v %d: the history holds the commands %v, want %v", at, nth, got, want)
				}
				follows(t, m, n, node(m))
				if !failed {
					break // so many there are not
				}
			}
		}
	}
}

func TestCommandIsIdempotent(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	first, err := a.Do(t.Context(), id, propose(), request(0))
	if err != nil || first.Replay || len(first.Events) != 1 || first.Version.Count != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, n := range []*labs{a, b, node(m), a} {
		later := request(0)
		later.Now = later.Now.Add(time.Hour)
		got, err := n.Do(t.Context(), id, propose(), later)
		if err != nil || !got.Replay || !cmp.Equal(got.Events, first.Events, domaintest.Same) {
			t.Errorf("sent again: %+v, %v", got, err)
		}
		send(t, a, 1, discipline(1)) // and this one again and again
	}
	if got := len(history(t, m)); got != 2 {
		t.Errorf("%d events", got)
	}
	follows(t, m, a, b)
}

func TestRacingCommands(t *testing.T) {
	const many = 1000
	m := newMemory()
	nodes := []*labs{node(m), node(m)}
	send(t, nodes[0], 0, propose())
	refused := func(n int) bool { return n%5 == 0 }
	type answer struct {
		events []domain.RecordedEvent[domain.Event]
		err    error
	}
	answers := make([][2]answer, many+1)
	work := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range work {
				var both sync.WaitGroup
				for i, on := range nodes {
					both.Go(func() {
						cmd := discipline(n)
						if refused(n) {
							cmd = lab.LinkPlatform{Level: "none"}
						}
						out, err := on.Do(t.Context(), id, cmd, request(n))
						answers[n][i] = answer{out.Events, err}
					})
				}
				both.Wait()
			}
		})
	}
	for n := 1; n <= many; n++ {
		work <- n
	}
	close(work)
	all.Wait()

	times := map[uuid.UUID]int{}
	for _, h := range history(t, m) {
		times[h.Meta.Command]++
	}
	for n := 1; n <= many; n++ {
		one, other, want := answers[n][0], answers[n][1], 1
		if refused(n) {
			want = 0
			domaintest.Refused(t, one.err, domain.Invalid, "name", "level", "evidence")
			domaintest.Refused(t, other.err, domain.Invalid, "name", "level", "evidence")
		} else if one.err != nil || other.err != nil || !cmp.Equal(one.events, other.events, domaintest.Same) {
			t.Errorf("command %d: %+v and %+v", n, one, other)
		}
		if times[request(n).Command] != want {
			t.Errorf("command %d was carried out %d times, want %d", n, times[request(n).Command], want)
		}
	}
	follows(t, m, nodes...)
}

func TestReusedCommandID(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	send(t, a, 0, propose(), discipline(1), discipline(2))
	other := request(1)
	other.Digest = "of something else"
	for _, n := range []*labs{a, b} {
		_, err := n.Do(t.Context(), id, discipline(7), other)
		var reused *eventstore.ReusedError
		if !errors.As(err, &reused) || reused.Command != other.Command {
			t.Errorf("%v", err)
		}
	}
	if got := len(history(t, m)); got != 3 {
		t.Errorf("%d events", got)
	}
}

func TestStaleExpectation(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	send(t, a, 0, propose())
	send(t, b, 1, discipline(1))
	expecting := func(n int, revision uint64) eventstore.Request {
		r := request(n)
		r.Expect = &revision
		return r
	}
	for _, n := range []*labs{a, b} { // a has not read b's event yet
		for _, revision := range []uint64{1, 3} {
			_, err := n.Do(t.Context(), id, discipline(2), expecting(2, revision))
			var stale *eventstore.StaleError
			if !errors.As(err, &stale) || *stale != (eventstore.StaleError{Expected: revision, Actual: 2}) {
				t.Errorf("expecting %d: %v", revision, err)
			}
		}
	}
	send(t, b, 3, discipline(3))
	if _, err := a.Do(t.Context(), id, discipline(4), expecting(4, 3)); err != nil { // right, though a is behind
		t.Error(err)
	}
	if out, err := a.Do(t.Context(), id, discipline(4), expecting(4, 3)); err != nil || !out.Replay {
		t.Errorf("the same again: %+v, %v", out, err) // its own event made the expectation stale
	}
}

func TestNoRejectionOnOldState(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	send(t, a, 0, propose())
	send(t, b, 1, draft())
	send(t, a, 2, sign(host.ID, "2024-05-01")) // a did not know of the draft
	send(t, b, 3, sign(partner.ID, "2024-05-02"))
	send(t, a, 4, lab.StartIncubation{On: domain.MustDate("2024-05-02")}) // nor of the signature
	_, err := b.Do(t.Context(), id, lab.StartIncubation{On: domain.MustDate("2024-05-02")}, request(5))
	domaintest.Refused(t, err, domain.State)
	follows(t, m, a, b)
}

func TestUnreadableHistory(t *testing.T) {
	m := newMemory()
	send(t, node(m), 0, propose())
	recorded, _, _ := m.Load(t.Context(), eventstore.Stream{Kind: "lab", ID: id}, eventstore.Version{})
	body := slices.Clone(recorded[0].Body)
	m.streams[eventstore.Stream{Kind: "lab", ID: id}][0].Body = []byte(string(body[:len(body)-1]) + `,"colour":"red"}`)
	if _, err := node(m).Do(t.Context(), id, discipline(1), request(1)); err == nil {
		t.Error("a command is decided on a history that cannot be read")
	}
	if got := len(m.streams[eventstore.Stream{Kind: "lab", ID: id}]); got != 1 {
		t.Errorf("%d events", got)
	}
}

func corrected(c domain.Correction) lab.Event { return lab.Corrected{Correction: c} }

func TestCorrectionReplacesEvent(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	start := func(day string) lab.Command { return lab.StartIncubation{On: domain.MustDate(day)} }
	send(t, a, 0, propose(), draft(), sign(host.ID, "2024-05-01"), sign(partner.ID, "2024-05-02"), start("2024-05-03"), discipline(1))
	began := func(n *labs) (day string) {
		if err := n.State(t.Context(), id, func(l *lab.Lab, _ eventstore.Version) { day = l.Incubation.String() }); err != nil {
			t.Fatal(err)
		}
		return day
	}
	if began(b) != "2024-05-03" {
		t.Fatalf("incubation began on %s", began(b))
	}
	wrong := history(t, m)[4].Meta.ID
	correct := func(n *labs, of uuid.UUID, cmd lab.Command, number int) error {
		_, err := n.Correct(t.Context(), id, of, cmd, ground, corrected, request(number))
		return err
	}

	domaintest.Refused(t, correct(a, wrong, start("2024-05-01"), 10), domain.Refused, "C57") // the rules of that day
	domaintest.Refused(t, correct(a, wrong, discipline(3), 11), domain.Invalid)              // another command
	domaintest.Refused(t, correct(a, wrong, start("2024-05-03"), 12), domain.Invalid)        // nothing new
	domaintest.Refused(t, correct(a, domaintest.ID(9), start("2024-05-04"), 13), domain.NotFound)
	if err := correct(a, wrong, start("2024-05-04"), 14); err != nil {
		t.Fatal(err)
	}
	if began(a) != "2024-05-04" || began(b) != "2024-05-04" {
		t.Errorf("after the correction incubation began on %s and %s", began(a), began(b))
	}
	last := history(t, m)[6]
	if c, ok := domain.AsRewrite(last.Event); !ok || c.Of != wrong || !reflect.DeepEqual(last.Meta.Because, ground) {
		t.Errorf("%+v", last)
	}

	domaintest.Refused(t, correct(b, last.Meta.ID, start("2024-05-05"), 15), domain.NotFound) // a correction has no correction; its original has
	domaintest.Refused(t, correct(b, wrong, start("2024-05-04"), 16), domain.Invalid)         // it says so already
	if err := correct(b, wrong, start("2024-05-05"), 17); err != nil {
		t.Fatal(err)
	}
	out, err := a.Correct(t.Context(), id, wrong, start("2024-05-05"), ground, corrected, request(17))
	if err != nil || !out.Replay {
		t.Errorf("sent again: %+v, %v", out, err)
	}
	if err := correct(a, wrong, start("2024-05-03"), 18); err != nil { // back to what it first said
		t.Fatal(err)
	}
	if began(a) != "2024-05-03" || began(b) != "2024-05-03" || len(history(t, m)) != 9 {
		t.Errorf("in the end incubation began on %s and %s, %d events", began(a), began(b), len(history(t, m)))
	}
	send(t, b, 19, discipline(2))
	follows(t, m, a, b, node(m))
}

func TestCorrectionReachesLaterState(t *testing.T) {
	m := newMemory()
	a := node(m)
	send(t, a, 0, propose(), draft(), sign(host.ID, "2024-05-01"), sign(partner.ID, "2024-05-02"))
	if _, err := a.Correct(t.Context(), id, history(t, m)[3].Meta.ID, sign(partner.ID, "2024-05-20"), ground, corrected, request(4)); err != nil {
		t.Fatal(err)
	}
	_, err := a.Do(t.Context(), id, lab.StartIncubation{On: domain.MustDate("2024-05-19")}, request(5))
	domaintest.Refused(t, err, domain.Refused, "C57")
	send(t, a, 6, lab.StartIncubation{On: domain.MustDate("2024-05-20")})
	follows(t, m, a)
}

func TestRecordedMeta(t *testing.T) {
	m := newMemory()
	r := request(0)
	r.Correlation, r.Actor.OnBehalfOf = "import 7", host.ID
	cmd := propose().(lab.Propose)
	cmd.Grounds = domain.Grounds{Reason: "依据来函", Basis: domain.Basis{Document: "教技函〔2024〕1号"}}
	out, err := node(m).Do(t.Context(), id, cmd, r)
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Meta{
		ID: out.Events[0].Meta.ID, Time: r.Now, Actor: r.Actor, Because: cmd.Grounds,
		Policy: r.Policy, Command: r.Command, Digest: r.Digest, Correlation: r.Correlation,
	}
	if got := history(t, m)[0].Meta; !reflect.DeepEqual(got, want) || !reflect.DeepEqual(out.Events[0].Meta, want) {
		t.Errorf("recorded %+v\nwant %+v", got, want)
	}
}

func TestReusedCommandIDOnStaleNode(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	send(t, a, 0, propose())
	follows(t, m, b) // b has read up to here
	send(t, a, 1, discipline(1))
	other := request(1)
	other.Digest = "of something else"
	_, err := b.Do(t.Context(), id, discipline(7), other)
	var reused *eventstore.ReusedError
	if !errors.As(err, &reused) {
		t.Errorf("%v", err)
	}
	follows(t, m, a, b)
}

func TestReplayOnStaleNode(t *testing.T) {
	m := newMemory()
	a, b := node(m), node(m)
	send(t, a, 0, propose())
	follows(t, m, b)
	send(t, a, 1, discipline(1))
	later := request(1)
	later.Now = later.Now.Add(time.Hour)
	out, err := b.Do(t.Context(), id, discipline(1), later)
	if err != nil || !out.Replay || !out.Events[0].Meta.Time.Equal(request(1).Now) {
		t.Errorf("%+v, %v", out, err)
	}
	follows(t, m, a, b)
}
