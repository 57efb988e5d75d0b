package projections

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

func modelFile(t testing.TB) string { return filepath.Join(t.TempDir(), "model.db") }

func TestPoisonEventStopsModel(t *testing.T) {
	s := labStream()
	good, err := eventstore.Encode(s, domain.Meta{ID: uuid.New(), Revision: 7, Time: time.Now()}, lab.DisciplineSet{To: domain.T("光学", "Optics")})
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	unknown := strings.NewReplacer("lab.record.discipline-set.v1", "lab.record.teleported.v9", good.ID.String(),
		id.String()).Replace(string(good.Body))
	for what, poison := range map[string]struct {
		stream  eventstore.Stream
		pending eventstore.Pending
		kind    string
	}{
		"of an unknown type": {s, eventstore.Pending{ID: id, Body: []byte(unknown)},
			"lab.record.teleported.v9"},
		"that is not JSON":      {s, eventstore.Pending{ID: uuid.New(), Body: []byte(`{"type":`)}, ""},
		"with another revision": {s, good, "lab.record.discipline-set.v1"},
		"in a stream of unknown kind": {eventstore.Stream{Kind: "ship", ID: uuid.New()},
			eventstore.Pending{ID: good.ID, Body: good.Body}, "lab.record.discipline-set.v1"},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRegister(t)
			file := modelFile(t)
			f := follow(t, r, file)
			host := ref("CN", "清华大学", "Tsinghua University")
			r.happens(s, proposed(host, "一", "One"))
			before := r.head()
			r.write(poison.stream, poison.pending)
			after := labStream()
			r.happens(after, proposed(host, "二", "Two"))

			err := f.Wait(t.Context(), after, 1) // returns although it never comes
			var stopped *StoppedError
			if !errors.As(err, &stopped) || stopped.Position != before+1 || stopped.Type != poison.kind ||
				stopped.Stream != poison.stream {
				t.Fatalf("%v %+v", err, stopped)
			}
			h := f.Health(t.Context())
			if !errors.As(h.Stopped, &stopped) || h.Position != before || h.Head != before+2 {
				t.Fatalf("%+v", h)
			}
			if _, revision, _, err := f.Lab(t.Context(), s.ID); err != nil || revision != 1 {
				t.Fatal(revision, err)
			}
			if err := f.stop(); !errors.As(err, &stopped) {
				t.Fatal(err)
			}
			// It does not pass the event over when it is started again.
			m, err := Open(t.Context(), file, r.log, r.log)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := m.Run(t.Context()); !errors.As(err, &stopped) || m.Position() != before {
				t.Fatal(err, m.Position())
			}
			// Nor does a rebuild.
			if _, err := Rebuild(t.Context(), modelFile(t), r.log, r.log, nil); !errors.As(err, &stopped) ||
				stopped.Position != before+1 {
				t.Fatal(err)
			}
		})
	}
}

func TestCorrectionFoldsToItsRevision(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	s, e := labStream(), entityStream(host)
	first := r.happens(s, proposed(host, "误名", "Wrong"))
	registration := r.happens(e, registered(host))
	named := r.happens(e, entity.NameAdded{Name: domain.Name{Text: "清华", Lang: "zh", Kind: domain.Short}})
	r.happens(s,
		lab.Corrected{Correction: domain.Correction{Corrects: first[0].ID, With: domain.Restated{Event: proposed(host, "正名", "Right")}}},
		lab.DisciplineSet{To: domain.T("光学", "Optics")})
	r.happens(e, entity.Corrected{Correction: domain.Correction{Corrects: named[0].ID, With: domain.Restated{Event: entity.NameAdded{Name: domain.Name{Text: "清大", Lang: "zh", Kind: domain.Short}}}}})
	r.happens(s, lab.DisciplineSet{To: domain.T("声学", "Acoustics")})

	// A model of the empty ledger follows from the beginning, so the store is
	// already beyond the correction when that is folded.
	file := modelFile(t)
	empty := newRegister(t)
	m, err := Open(t.Context(), file, empty.log, empty.log)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	f := follow(t, r, file).caughtUp(r)
	r.isTheFold(t, f.Model)
	l, _, _, err := f.Lab(t.Context(), s.ID)
	if err != nil || l.Name().Zh != "正名" || l.Discipline.Zh != "声学" {
		t.Fatal(l, err)
	}
	page, err := f.Trail(t.Context(), TrailQuery{For: everything, Stream: s})
	if err != nil || page.Total != 4 {
		t.Fatal(page, err)
	}
	if got := page.Items[0].CorrectedBy; len(got) != 1 || got[0] != page.Items[1].Meta.ID ||
		page.Items[1].Corrects != first[0].ID {
		t.Fatal(got, page.Items[1])
	}
	if got, err := f.Entities(t.Context(), EntitiesQuery{Text: "清大"}); err != nil || got.Total != 1 || registration[0].Revision != 0 {
		t.Fatal(got, err)
	}
}

func TestWaitNeverMissesCommit(t *testing.T) {
	r := newRegister(t)
	f := follow(t, r, modelFile(t))
	host := ref("CN", "清华大学", "Tsinghua University")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for range 20 {
		s := labStream()
		for events := range uint64(6) { // some before, some while, some after it is there
			all.Go(func() {
				if err := f.Wait(ctx, s, events); err != nil {
					t.Error(err)
				}
				if events > 0 {
					if _, revision, _, err := f.Lab(ctx, s.ID); err != nil || revision < events {
						t.Errorf("woken for %d events, there are %d: %v", events, revision, err)
					}
				}
			})
		}
		r.happens(s, proposed(host, "一", "One"))
		for range 4 {
			r.happens(s, lab.DisciplineSet{To: domain.T("光学", "Optics")})
			all.Go(func() {
				if err := f.Wait(ctx, s, 5); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if len(f.waiting) > 0 {
		t.Fatal("waiters are left", f.waiting)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Wait(short, labStream(), 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// change alters a file behind the model's back.
func change(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyFindsChangedRows(t *testing.T) {
	r := newRegister(t)
	host, partner := ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin")
	s, other := labStream(), labStream()
	r.happens(entityStream(host), registered(host))
	r.happens(s, proposed(host, "一", "One"), draft("A1", lab.Substantive, host, partner),
		lab.RightAdded{Item: "R1", Kind: lab.Right, Agreement: "A1", Clause: "§1", Party: host,
			Due: date("2024-01-01")})
	r.happens(other, proposed(host, "二", "Two"))
	for what, test := range map[string]struct {
		statement string
		want      Difference
	}{
		"a document": {`UPDATE documents SET document = '{}' WHERE n = 2`,
			Difference{What: "documents", Stream: s, Is: different}},
		"a missing lab": {`DELETE FROM labs WHERE n = 3`, Difference{What: "labs", Stream: other, Is: missing}},
		"an item's state": {`UPDATE rights SET state = 'discharged'`,
			Difference{What: "rights", Stream: s, Is: different}},
		"an item too many": {`INSERT INTO rights SELECT lab, 9, agreement, kind, state, party, counterparty, due, since FROM rights`, Difference{What: "rights", Stream: s, Is: extra}},
		"a count of events": {`UPDATE streams SET events = 7 WHERE n = 3`,
			Difference{What: "streams", Stream: other, Is: different}},
		"what search finds": {`DELETE FROM search WHERE rowid = 3`, Difference{What: "terms", Is: different}},
		"the trail": {`UPDATE trail SET records = substr(records, 1, 40 * 4)`,
			Difference{What: "trail", Position: 5, Is: missing}},
		"what events name": {`UPDATE trail SET names = substr(names, 1, 9 * 3)`,
			Difference{What: "trail", Position: 4, Is: different}},
	} {
		t.Run(what, func(t *testing.T) {
			file := modelFile(t)
			m, err := Open(t.Context(), file, r.log, r.log)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			change(t, file, test.statement)
			report, err := Verify(t.Context(), r.log, r.log, m)
			if err != nil || !has(report.Differences, test.want) || report.Position != 5 || report.Aggregates != 3 {
				t.Fatalf("%v %+v", err, report)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			report, err = Rebuild(t.Context(), file, r.log, r.log, nil)
			if err != nil || !report.Compared || report.ComparedAt != 5 || !has(report.Differences, test.want) {
				t.Fatalf("%v %+v", err, report)
			}
			report, err = Rebuild(t.Context(), file, r.log, r.log, nil)
			if err != nil || !report.Compared || len(report.Differences) > 0 {
				t.Fatalf("after a rebuild: %v %+v", err, report)
			}
		})
	}
}

func has(all []Difference, want Difference) bool {
	for _, d := range all {
		if d == want {
			return true
		}
	}
	return false
}

func TestRebuildComparesThenCatchesUp(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	s := labStream()
	r.happens(s, proposed(host, "一", "One"))
	file := modelFile(t)
	m, err := Open(t.Context(), file, r.log, r.log)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	r.happens(s, lab.DisciplineSet{To: domain.T("光学", "Optics")})
	var told []eventstore.Position
	report, err := Rebuild(t.Context(), file, r.log, r.log,
		func(done, total eventstore.Position) { told = append(told, done, total) })
	if err != nil || !report.Compared || report.ComparedAt != 1 || report.Position != 2 ||
		len(report.Differences) > 0 || len(told) == 0 {
		t.Fatalf("%v %+v %v", err, report, told)
	}
	f := follow(t, r, file)
	if f.Health(t.Context()).Rebuilt != "" {
		t.Error("built a second time")
	}
	r.isTheFold(t, f.Model)
}

func TestUnusableFileIsRebuilt(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	r.happens(labStream(), proposed(host, "一", "One"), lab.DisciplineSet{To: domain.T("光学", "Optics")})
	another := newRegister(t)
	another.happens(labStream(), proposed(host, "二", "Two"))
	longer := newRegister(t)
	longer.happens(labStream(), proposed(host, "三", "Three"), lab.DisciplineSet{To: domain.T("光学", "Optics")})
	longer.happens(labStream(), proposed(host, "四", "Four"))
	made := func(r *register, statements ...string) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			m, err := Open(t.Context(), file, r.log, r.log)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			change(t, file, statements...)
		}
	}
	for why, before := range map[string]func(t *testing.T, file string){
		"there was no file": func(*testing.T, string) {},
		"schema version 0":  made(r, `PRAGMA user_version = 0`),
		"could not be": func(t *testing.T, file string) {
			os.WriteFile(file, []byte(strings.Repeat("no database ", 500)), 0o600)
		},
		"it is another ledger;": made(another),
		"the ledger holds 2":    made(longer),
		"":                      made(r),
	} {
		t.Run(why, func(t *testing.T) {
			file := modelFile(t)
			before(t, file)
			f := follow(t, r, file).caughtUp(r)
			if got := f.Health(t.Context()).Rebuilt; !strings.Contains(got, why) || (why == "") != (got == "") {
				t.Errorf("rebuilt because %q, want %q", got, why)
			}
			r.isTheFold(t, f.Model)
		})
	}
}

func TestUnavailableLedgerKeepsFile(t *testing.T) {
	r := newRegister(t)
	r.happens(labStream(), proposed(ref("CN", "清华大学", ""), "一", "One"))
	file := modelFile(t)
	m, err := Open(t.Context(), file, r.log, r.log)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r.log.Close()
	if _, err := Open(t.Context(), file, r.log, r.log); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(before) {
		t.Fatal("the file was changed", err)
	}
}

func TestModelResumesWithLedger(t *testing.T) {
	dir := t.TempDir()
	log, err := jetstream.Open(t.Context(), jetstream.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := newRegister(t)
	r.log.Close()
	r.log = log
	file := modelFile(t)
	f := follow(t, r, file)
	s := labStream()
	r.happens(s, proposed(ref("CN", "清华大学", ""), "一", "One"))
	f.caughtUp(r)
	log.Close()
	if err := f.Wait(t.Context(), s, 2); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
	if h := f.Health(t.Context()); h.HeadError == nil || h.Stopped == nil {
		t.Fatalf("%+v", h)
	}
	f.stop()
	if r.log, err = jetstream.Open(t.Context(), jetstream.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.log.Close() })
	r.happens(s, lab.DisciplineSet{To: domain.T("光学", "Optics")})
	r.isTheFold(t, follow(t, r, file).caughtUp(r).Model)
}

// lagging is a store of which so many loads come from a server that is behind.
type lagging struct {
	eventstore.Store
	left atomic.Int32
}

func (l *lagging) Load(ctx context.Context, stream eventstore.Stream, after eventstore.Version) ([]eventstore.Recorded,
	eventstore.Version, error) {
	recorded, v, err := l.Store.Load(ctx, stream, after)
	if l.left.Add(-1) >= 0 && len(recorded) > 0 {
		recorded = recorded[:len(recorded)-1]
	}
	return recorded, v, err
}

func TestLaggingStore(t *testing.T) {
	r := newRegister(t)
	s := labStream()
	first := r.happens(s, proposed(ref("CN", "清华大学", "Tsinghua University"), "一", "One"), lab.DisciplineSet{To: domain.T("物理", "Physics")})
	corrected := r.happens(s, lab.Corrected{Correction: domain.Correction{Corrects: first[1].ID, With: domain.Restated{Event: lab.DisciplineSet{To: domain.T("数学", "Mathematics")}}}})
	behind := &lagging{Store: r.log}
	behind.left.Store(2)
	m, err := Open(t.Context(), filepath.Join(t.TempDir(), "model.db"), r.log, behind)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	if err := m.Wait(t.Context(), s, corrected[0].Revision+1); err != nil {
		t.Error(err)
	}
	behind.left.Store(2)
	if l, known, _, err := m.LabAt(t.Context(), s.ID, Moment{Position: 3}); err != nil || known != 3 ||
		l.Discipline.En != "Mathematics" {
		t.Errorf("%+v, of %d events, %v", l, known, err)
	}
	r.isTheFold(t, m)
	stop()
	<-ended
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
