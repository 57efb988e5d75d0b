package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

func digestOf(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// found are the positions of all pages of a trail, and of its export, which
// must be the same.
func found(t rapidT, m *Model, q TrailQuery) (all []eventstore.Position) {
	t.Helper()
	for page := q; ; {
		p, err := m.Trail(context.Background(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Items {
			all = append(all, e.Position)
		}
		if page.Cursor = p.Next; page.Cursor == "" {
			if p.Total != len(all) {
				t.Fatalf("%+v: %d on all pages, total %d", q, len(all), p.Total)
			}
			break
		}
	}
	var exported []eventstore.Position
	if err := m.EachEvent(context.Background(), q, m.Position(), func(entries []TrailEntry) error {
		for _, e := range entries {
			exported = append(exported, e.Position)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if inOrder := slices.Sorted(slices.Values(all)); !slices.Equal(exported, inOrder) {
		t.Fatalf("%+v: the pages give %v, the export %v", q, inOrder, exported)
	}
	return all
}

// TestTrailFiltersFindAll asks random questions of
// random histories and compares with a reading of every event's whole body.
func TestTrailFiltersFindAll(t *testing.T) {
	t.Parallel()
	questions := 0
	domaintest.Check(t, 50, 500, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS")}
		labs := []eventstore.Stream{labStream(), labStream()}
		r.happens(entityStream(known[0]), registered(known[0]))
		who := rapid.SampledFrom(known)
		for range rapid.IntRange(1, 6).Draw(rt, "turns") {
			r.actor = domain.Actor{Subject: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "actor"),
				Role: domain.Officer}
			if rapid.Bool().Draw(rt, "on behalf") {
				r.actor.Role, r.actor.OnBehalfOf = domain.Host, who.Draw(rt, "for").ID
			}
			r.basis = rapid.SampledFrom([]string{"", "教技函〔2019〕21号", "教技函〔2019〕2号"}).Draw(rt, "basis")
			r.digest = rapid.SampledFrom([]string{"", digestOf(1), digestOf(2)}).Draw(rt, "digest")
			r.correlation = rapid.SampledFrom([]string{"", "one", "two"}).Draw(rt, "correlation")
			r.goesOn(rt, labs, known, rapid.IntRange(1, 12).Draw(rt, "events"))
			if rapid.Bool().Draw(rt, "evidence") {
				r.happens(labs[0], lab.RightDischarged{Settlement: lab.Settlement{Item: "R1", Party: who.Draw(rt, "by"),
					Evidence: digestOf(rapid.IntRange(1, 2).Draw(rt, "n"))}})
			}
		}
		m, err := Open(context.Background(), modelFile(t), r.log, r.log)
		if err != nil {
			rt.Fatal(err)
		}
		defer m.Close()
		for range 10 {
			q := TrailQuery{For: everything, Paging: Paging{Limit: rapid.IntRange(4, 20).Draw(rt, "limit")},
				Desc: rapid.Bool().Draw(rt, "desc")}
			ask := func(what string) bool { return rapid.IntRange(0, 3).Draw(rt, what) == 0 }
			if ask("entity") {
				q.LegalEntity = who.Draw(rt, "entity").ID
			}
			if ask("basis") {
				q.Basis = rapid.SampledFrom([]string{"教技函〔2019〕21号", "文号1", "文号", digestOf(1), digestOf(2), digestOf(3)}).Draw(rt, "document")
			}
			if ask("correlation") {
				q.Correlation = rapid.SampledFrom([]string{"one", "two", "on"}).Draw(rt, "request")
			}
			if ask("stream") {
				q.Stream = rapid.SampledFrom(append(labs, labStream())).Draw(rt, "stream")
			}
			if ask("actor") {
				q.Actor = "a"
			}
			if ask("policy") {
				q.Policy = rapid.SampledFrom([]string{lab.Policy, "another"}).Draw(rt, "policy")
			}
			if ask("range") {
				q.After = eventstore.Position(rapid.IntRange(0, 20).Draw(rt, "after"))
				q.UpTo = eventstore.Position(rapid.IntRange(0, 60).Draw(rt, "up to"))
			}
			if ask("time") {
				q.From = r.now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(rt, "minutes")) * time.Minute)
			}
			if ask("effective") {
				q.Effective.From = days366.Draw(rt, "first")
				if rapid.Bool().Draw(rt, "bounded") {
					q.Effective.To = q.Effective.From.AddDays(rapid.IntRange(0, 200).Draw(rt, "days"))
				}
			}
			questions++
			var want []eventstore.Position
			if err := r.log.Read(context.Background(), 0, r.head(), func(events []eventstore.Recorded) error {
				for _, e := range events {
					if r.answers(rt, q, e) {
						want = append(want, e.Position)
					}
				}
				return nil
			}); err != nil {
				rt.Fatal(err)
			}
			if q.Desc {
				slices.Reverse(want)
			}
			if got := found(rt, m, q); !slices.Equal(got, want) {
				rt.Fatalf("%+v\nfinds %v\nwant  %v", q, got, want)
			}
		}
	})
	t.Logf("%d questions", questions)
}

// answers reads an event's body as text where a filter looks anywhere in it.
func (r *register) answers(t rapidT, q TrailQuery, e eventstore.Recorded) bool {
	d, err := eventstore.Decode(e.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, m, event := string(e.Body), d.Meta, d.Event
	if r, ok := domain.AsRewrite(event); ok {
		event = r.Event
	}
	if day := eventstore.HappenedOn(event, m); q.Effective != (domain.Period{}) &&
		(day.IsZero() || !q.Effective.Contains(day)) {
		return false
	}
	basis := q.Basis == "" || q.Basis == m.Because.Basis.Document ||
		strings.HasPrefix(q.Basis, "sha256:") && strings.Contains(body, `"`+q.Basis+`"`)
	return basis && (q.LegalEntity == uuid.Nil || strings.Contains(body, q.LegalEntity.String())) &&
		(q.Correlation == "" || m.Correlation == q.Correlation) &&
		(q.Stream == eventstore.Stream{} || e.Stream == q.Stream) &&
		(q.Actor == "" || m.Actor.Subject == q.Actor) && (q.Policy == "" || m.Policy == q.Policy) &&
		e.Position > q.After && (q.UpTo == 0 || e.Position <= q.UpTo) && (q.From.IsZero() || !m.Time.Before(q.From))
}

func TestExportEndsWhereItBegan(t *testing.T) {
	r := drawnRegister(t)
	defer r.log.Close()
	host := ref("CN", "清华大学", "Tsinghua University")
	s := labStream()
	first := r.happens(s, proposed(host, "一", "One"), lab.DisciplineSet{To: domain.T("光学", "Optics")})
	for range 300 { // more than are looked through at once
		var events []domain.Event
		for range 30 {
			events = append(events, lab.DisciplineSet{To: domain.T("化学", "Chemistry")})
		}
		r.happens(s, events...)
	}
	f := follow(t, r, modelFile(t))
	defer f.stop()
	began, next := f.Position(), eventstore.Position(1)
	err := f.EachEvent(t.Context(), TrailQuery{For: everything}, began, func(entries []TrailEntry) error {
		if next == 1 { // a correction that comes while the export runs is not in it, nor is its link
			r.happens(s, lab.Corrected{Correction: domain.Correction{Corrects: first[1].ID, With: domain.Restated{Event: lab.DisciplineSet{To: domain.T("数学", "Mathematics")}}}})
			f.caughtUp(r)
		}
		for _, e := range entries {
			if e.Position != next || len(e.CorrectedBy) > 0 {
				t.Fatalf("position %d, corrected by %v; want %d", e.Position, e.CorrectedBy, next)
			}
			next++
		}
		return nil
	})
	if err != nil || next != began+1 || began <= exportWindow || f.Position() != began+1 {
		t.Fatalf("the export ends at %d, began at %d, %v", next-1, began, err)
	}
	enough := errors.New("enough")
	if err := f.EachEvent(t.Context(), TrailQuery{For: everything}, began,
		func([]TrailEntry) error { return enough }); err != enough {
		t.Fatal(err)
	}
}

// TestTrailEntryChanges folds every prefix of every history
// from nothing, corrections included.
func TestTrailEntryChanges(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, 50, 500, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin")}
		labs := []eventstore.Stream{labStream(), labStream()}
		r.goesOn(rt, labs, known, rapid.IntRange(1, 15).Draw(rt, "events"))
		m, err := Open(context.Background(), modelFile(t), r.log, r.log)
		if err != nil {
			rt.Fatal(err)
		}
		defer m.Close()
		page, err := m.Trail(context.Background(),
			TrailQuery{For: everything, Changes: true, Desc: true,
				Paging: Paging{Limit: rapid.IntRange(1, 40).Draw(rt, "limit")}})
		if err != nil {
			rt.Fatal(err)
		}
		upTo := func(s eventstore.Stream, events uint64) []byte {
			if events == 0 {
				return nil
			}
			state, err := fold(s, r.history[s][:events], domain.Date{})
			if err != nil {
				rt.Fatal(err)
			}
			document, err := state.document()
			if err != nil {
				rt.Fatal(err)
			}
			return document
		}
		for _, e := range page.Items {
			want, err := Changes(upTo(e.Stream, e.Meta.Revision), upTo(e.Stream, e.Meta.Revision+1))
			if err != nil || fmt.Sprint(e.Changes) != fmt.Sprint(want) {
				rt.Fatalf("position %d: %v\nwant %v, %v", e.Position, e.Changes, want, err)
			}
		}
	})
}
