package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a store, and the ledger of its events.
type engine interface {
	eventstore.Store
	eventstore.Ledger
	Close() error
}

// register writes histories to a ledger.
type register struct {
	t        testing.TB
	log      engine
	versions map[eventstore.Stream]eventstore.Version
	history  map[eventstore.Stream][]eventstore.Decoded
	order    []eventstore.Stream // of all events
	now      time.Time
	actor    domain.Actor

	basis, digest, correlation string // of what happens next
}

// newRegister returns an empty register on an engine of its own.
func newRegister(t testing.TB) *register {
	t.Helper()
	log, err := jetstream.Open(context.Background(), jetstream.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return registerOn(t, log)
}

// drawnRegister returns the register of one drawn history: in memory, and in
// the long tests on an engine. The caller closes its log.
func drawnRegister(t testing.TB) *register {
	if domaintest.Long() {
		return newRegister(t)
	}
	return registerOn(t, newMemoryLedger())
}

func registerOn(t testing.TB, log engine) *register {
	return &register{
		t:        t,
		log:      log,
		versions: map[eventstore.Stream]eventstore.Version{},
		history:  map[eventstore.Stream][]eventstore.Decoded{},
		now:      time.Date(2024, 5, 1, 4, 0, 0, 0, time.UTC),
		actor:    domain.Actor{Subject: "officer", Role: domain.Officer},
	}
}

func labStream() eventstore.Stream { return eventstore.Stream{Kind: "lab", ID: uuid.New()} }

func entityStream(ref domain.EntityRef) eventstore.Stream {
	return eventstore.Stream{Kind: "entity", ID: ref.ID}
}

// happens records events in one stream, all or none, a minute after the last.
func (r *register) happens(s eventstore.Stream, events ...domain.Event) []domain.Meta {
	r.t.Helper()
	var pending []eventstore.Pending
	var metas []domain.Meta
	for i, e := range events {
		r.now = r.now.Add(time.Minute)
		m := domain.Meta{
			ID:          uuid.New(),
			Revision:    r.versions[s].Count + uint64(i),
			Time:        r.now,
			Actor:       r.actor,
			Command:     uuid.New(),
			Policy:      lab.Policy,
			Because:     domain.Grounds{Reason: "为测试", Basis: domain.Basis{Document: cmp.Or(r.basis, "文号1"), Digest: r.digest, Source: "a test"}},
			Correlation: r.correlation,
		}
		p, err := eventstore.Encode(s, m, e)
		if err != nil {
			r.t.Fatal(err)
		}
		d, err := eventstore.Decode(p.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		pending, metas = append(pending, p), append(metas, m)
		r.history[s], r.order = append(r.history[s], d), append(r.order, s)
	}
	r.write(s, pending...)
	return metas
}

// write appends what need not even be events.
func (r *register) write(s eventstore.Stream, pending ...eventstore.Pending) {
	r.t.Helper()
	v, err := r.log.Append(context.Background(), s, r.versions[s], pending)
	if err != nil {
		r.t.Fatal(err)
	}
	r.versions[s] = v
}

func (r *register) head() eventstore.Position {
	r.t.Helper()
	head, err := r.log.Head(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return head
}

// runningModel is a model that follows, until stop is called.
type runningModel struct {
	*Model
	t    testing.TB
	stop func() error
}

func follow(t testing.TB, r *register, file string) *runningModel {
	t.Helper()
	m, err := Open(context.Background(), file, r.log, r.log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	stopped := false
	f := &runningModel{m, t, nil}
	f.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-done
		return errors.Join(err, m.Close())
	}
	t.Cleanup(func() { f.stop() })
	return f
}

// caughtUp waits until the model holds all that was recorded.
func (f *runningModel) caughtUp(r *register) *runningModel {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for s, v := range r.versions {
		if err := f.Wait(ctx, s, v.Count); err != nil {
			f.t.Fatal(err)
		}
	}
	return f
}

// isTheFold requires that the model equals the fold of the histories.
func (r *register) isTheFold(t rapidT, m *Model) {
	t.Helper()
	ctx := context.Background()
	if m.Position() != r.head() {
		t.Fatalf("the model is at %d, the ledger at %d", m.Position(), r.head())
	}
	for s, history := range r.history {
		want, err := fold(s, history, domain.Date{})
		if err != nil {
			t.Fatal(err)
		}
		document, err := want.document()
		if err != nil {
			t.Fatal(err)
		}
		got := states[s.Kind](s.ID)
		revision, updated, err := m.document(ctx, s, got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.document()
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(document) {
			t.Fatalf("%s is\n%s\nwant\n%s", s, again, document)
		}
		if last := history[len(history)-1].Meta; revision != uint64(len(history)) || !updated.Equal(last.Time) {
			t.Fatalf("%s has %d events, the last of %s; want %d, %s", s, revision, updated, len(history), last.Time)
		}
	}
	report, err := Verify(ctx, r.log, r.log, m)
	if err != nil || len(report.Differences) > 0 {
		t.Fatalf("verify: %v %+v", err, report.Differences)
	}
	r.isTheTrail(t, m)
}

func (r *register) isTheTrail(t rapidT, m *Model) {
	t.Helper()
	var at eventstore.Position
	next := map[eventstore.Stream]int{}
	for q := (TrailQuery{For: everything, Paging: Paging{Limit: 7}}); ; {
		page, err := m.Trail(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != len(r.order) {
			t.Fatalf("the trail counts %d events, want %d", page.Total, len(r.order))
		}
		for _, e := range page.Items {
			s := r.order[at]
			at++
			d := r.history[s][next[s]]
			next[s]++
			if e.Position != at || e.Stream != s || !reflect.DeepEqual(e.Meta, d.Meta) ||
				e.Sentence != d.Event.Sentence() || e.Type != d.Type {
				t.Fatalf("position %d of the trail is %+v, want %+v", at, e, d)
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if int(at) != len(r.order) {
		t.Fatalf("the trail ends at %d, want %d", at, len(r.order))
	}
}

type rapidT interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func ref(country, zh, en string) domain.EntityRef {
	return domain.EntityRef{ID: uuid.New(), Name: domain.T(zh, en), Kind: "university", Country: country,
		Side: domain.SideOf(country)}
}

func names(zh, en string) []domain.Name {
	return []domain.Name{{Text: zh, Lang: "zh", Kind: domain.Official}, {Text: en, Lang: "en", Kind: domain.Official}}
}

func proposed(host domain.EntityRef, zh, en string) lab.Proposed {
	return lab.Proposed{Programme: lab.DefaultProgramme, Level: lab.MinistryLevel, Names: names(zh, en), Host: host, Discipline: domain.T("环境科学", "Environmental Science")}
}

func registered(ref domain.EntityRef) entity.Registered {
	return entity.Registered{Kind: entity.University, Country: ref.Country, Names: names(ref.Name.Zh, ref.Name.En)}
}

func date(s string) domain.Date { return domain.MustDate(s) }

func draft(id string, class lab.Class, parties ...domain.EntityRef) lab.AgreementDrafted {
	e := lab.AgreementDrafted{Agreement: id, Title: domain.T("共建协议", "Agreement"), Class: class, Term: domain.Period{From: date("2020-01-01"), To: date("2025-12-31")}}
	for _, p := range parties {
		e.Parties = append(e.Parties, lab.Party{Entity: p, Role: lab.PartnerParty})
	}
	return e
}

func signs(id string, party domain.EntityRef, on domain.Date) lab.AgreementSigned {
	return lab.AgreementSigned{Agreement: id, Party: party, Signature: lab.Signature{Party: party.ID, On: on}}
}

func cash(amount, currency string) lab.Quantity {
	return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: currency}}
}

var days366 = rapid.Custom(func(t *rapid.T) domain.Date {
	return date("2023-12-31").AddDays(rapid.IntRange(1, 366).Draw(t, "day"))
})

// someEvent is any event that may come next for a lab or an entity. No rule is
// asked: what is folded must be what the domain folds, sensible or not.
func someEvent(t *rapid.T, known []domain.EntityRef) domain.Event {
	who := rapid.SampledFrom(known)
	item := rapid.SampledFrom([]string{"1", "2", "3"})
	day := func() domain.Date { return days366.Draw(t, "day") }
	settlement := func() lab.Settlement {
		return lab.Settlement{Item: "R" + item.Draw(t, "item"), Party: who.Draw(t, "who"), On: day(),
			Evidence: "sha256:x"}
	}
	move := func(to lab.Status) lab.Transition {
		return lab.Transition{From: lab.StatusProposed, To: to, On: day()}
	}
	switch rapid.IntRange(0, 21).Draw(t, "event") {
	case 0:
		return lab.Renamed{Name: domain.Name{Text: rapid.SampledFrom([]string{"新名", "环境实验室", "New Lab"}).Draw(t, "name"), Lang: "zh", Kind: domain.Official, Valid: domain.PartialPeriod{From: day().Partial()}}}
	case 1:
		return lab.DisciplineSet{To: domain.T("光学", "Optics")}
	case 2:
		return draft("A"+item.Draw(t, "agreement"), lab.Substantive, who.Draw(t, "who"), who.Draw(t, "who"))
	case 3:
		return signs("A"+item.Draw(t, "agreement"), who.Draw(t, "who"), day())
	case 4:
		return lab.AgreementTerminated{Agreement: "A" + item.Draw(t, "agreement"), On: day()}
	case 5:
		return lab.AgreementRenewed{Agreement: "A" + item.Draw(t, "agreement"), On: day(), Until: day()}
	case 6:
		return lab.RightAdded{Item: "R" + item.Draw(t, "item"), Kind: lab.Right,
			Agreement: "A" + item.Draw(t, "agreement"), Clause: "§1", Party: who.Draw(t, "who"), Due: day()}
	case 7:
		return lab.RightDischarged{Settlement: settlement()}
	case 8:
		return lab.RightBreached{Settlement: settlement()}
	case 9:
		return lab.CommitmentPledged{Commitment: "F" + item.Draw(t, "item"),
			Agreement: rapid.SampledFrom([]string{"", "A1", "A2"}).Draw(t, "agreement"),
			Party:     who.Draw(t, "who"),
			Source:    lab.OwnFunds,
			Quantity:  cash("100.00", "CNY")}
	case 10:
		return lab.InstalmentsScheduled{Commitment: "F" + item.Draw(t, "item"),
			Schedule: []lab.Instalment{{Due: day(), Quantity: cash("40.00", "CNY")},
				{Due: day(), Quantity: cash("60.00", "CNY")}}}
	case 11:
		return lab.ContributionReceived{Commitment: "F" + item.Draw(t, "item"),
			Contribution: lab.Contribution{No: 1, On: day(), Quantity: cash("50.00", "CNY")}}
	case 12:
		return lab.EstablishmentApproved{Transition: move(lab.StatusConstruction),
			Construction: domain.Period{From: day(), To: day()}}
	case 13:
		return lab.Recognised{Transition: move(lab.StatusOperating)}
	case 14:
		return lab.PartnerNamed{Entity: who.Draw(t, "who"), As: "as the source has it"}
	case 15:
		return lab.CommitmentFirmed{Commitment: "F" + item.Draw(t, "item"), On: day()}
	case 16:
		return lab.ContributionReturned{Commitment: "F" + item.Draw(t, "item"),
			Contribution: lab.Contribution{No: 2, On: day(), Quantity: cash("20.00", "CNY")}}
	case 17:
		return lab.CommitmentCancelled{Commitment: "F" + item.Draw(t, "item"), On: day()}
	case 18:
		return lab.CommitmentFulfilled{Commitment: "F" + item.Draw(t, "item"), On: day()}
	case 19:
		return lab.PartySucceeded{Agreement: "A" + item.Draw(t, "agreement"), Party: who.Draw(t, "who"),
			Successor: who.Draw(t, "next"), On: day()}
	case 20:
		return lab.HostSucceeded{From: who.Draw(t, "who"), To: who.Draw(t, "next"), On: day()}
	default:
		return lab.Suspended{Transition: move(lab.StatusSuspended), Ground: domain.T("原因", "why")}
	}
}

// goesOn records some events of some labs, corrections among them.
func (r *register) goesOn(t *rapid.T, labs []eventstore.Stream, known []domain.EntityRef, n int) {
	for range n {
		s := rapid.SampledFrom(labs).Draw(t, "lab")
		var events []domain.Event
		for range rapid.IntRange(1, 3).Draw(t, "at once") {
			e := someEvent(t, known)
			if len(r.history[s]) == 0 && len(events) == 0 {
				e = proposed(rapid.SampledFrom(known).Draw(t, "host"), "联合实验室", "Joint Laboratory")
			}
			events = append(events, e)
		}
		history := r.history[s]
		if len(history) > 0 && rapid.IntRange(0, 4).Draw(t, "correct") == 0 {
			wrong := rapid.SampledFrom(history).Draw(t, "wrong")
			with := someEvent(t, known)
			if _, is := domain.AsRewrite(wrong.Event); !is && wrong.Meta.Revision > 0 {
				events = append(events, lab.Corrected{Correction: domain.Correction{Corrects: wrong.Meta.ID,
					With: domain.Restated{Event: with}}})
			}
		}
		r.happens(s, events...)
	}
}

func TestModelEqualsFold(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, 50, 500, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		file := filepath.Join(t.TempDir(), "model.db")
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS")}
		labs := []eventstore.Stream{labStream(), labStream(), labStream()}
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			if rapid.Bool().Draw(rt, "while it follows") {
				f := follow(t, r, file)
				r.goesOn(rt, labs, known, rapid.IntRange(0, 12).Draw(rt, "events"))
				f.stop() // wherever it is
			} else {
				r.goesOn(rt, labs, known, rapid.IntRange(0, 12).Draw(rt, "events"))
			}
		}
		f := follow(t, r, file).caughtUp(r)
		if len(r.order) > 0 {
			r.isTheFold(rt, f.Model)
		}
		f.stop()
	})
}

func TestDeletedFileIsRebuilt(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	dir := t.TempDir()
	followed := filepath.Join(dir, "followed.db")
	f := follow(t, r, followed)
	r.happens(entityStream(host), registered(host))
	for i := range 300 {
		s := labStream()
		r.happens(s, proposed(host, fmt.Sprintf("实验室%d", i), fmt.Sprintf("Lab %d", i)))
	}
	f.caughtUp(r)
	f.stop()
	built := filepath.Join(dir, "built.db")
	if f := follow(t, r, built); f.Health(t.Context()).Rebuilt == "" {
		t.Error("Health gives no reason for the rebuild")
	} else {
		r.isTheFold(t, f.Model)
		f.stop()
	}
	differences, err := compareFiles(t.Context(), built, followed)
	if err != nil || len(differences) > 0 {
		t.Fatal(err, differences)
	}
}

// everything is read by an auditor.
var everything = domain.Actor{Subject: "auditor", Role: domain.Auditor}
