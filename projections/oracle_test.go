package projections

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// oracle answers questions about the past the slow way: it keeps every event,
// and for each question folds what counts of them anew, with nothing of the
// model's but the order of names.
type oracle struct {
	t        *rapid.T
	events   map[eventstore.Stream][]recordedEvent
	streams  []eventstore.Stream // in the order of their first events
	times    []time.Time         // of every position
	days     []string            // on which something happened
	datedBy  map[string]string   // from the list that people read
	asked    int
	wasThere int
}

type recordedEvent struct {
	position eventstore.Position
	domain.RecordedEvent[domain.Event]
}

func newOracle(t *rapid.T, r *register) *oracle {
	o := &oracle{t: t, events: map[eventstore.Stream][]recordedEvent{}, datedBy: map[string]string{}}
	list, err := os.ReadFile("../eventstore/testdata/worlddates.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		o.datedBy[f[0]] = f[1]
	}
	if err := r.log.Read(context.Background(), 0, r.head(), func(events []eventstore.Recorded) error {
		for _, e := range events {
			d, err := eventstore.Decode(e.Body)
			if err != nil {
				return err
			}
			if o.events[e.Stream] == nil {
				o.streams = append(o.streams, e.Stream)
			}
			h := domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event}
			o.events[e.Stream] = append(o.events[e.Stream], recordedEvent{e.Position, h})
			o.times = append(o.times, d.Meta.Time)
			if r, is := domain.AsRewrite(d.Event); is {
				h.Event = r.Event
			}
			o.days = append(o.days, o.day(h))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	o.days = slices.DeleteFunc(o.days, func(d string) bool { return d == "" })
	return o
}

// day reads the day of an event from its JSON; empty if it has none.
func (o *oracle) day(h domain.RecordedEvent[domain.Event]) string {
	member := o.datedBy[eventstore.Name(h.Event)]
	switch member {
	case "-":
		return ""
	case "(recorded)":
		return h.Meta.Time.Add(8 * time.Hour).UTC().Format(time.DateOnly)
	}
	b, err := json.Marshal(h.Event)
	if err != nil {
		o.t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		o.t.Fatal(err)
	}
	for part := range strings.SplitSeq(member, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	d, _ := v.(string)
	if d == "" {
		return ""
	}
	return d + "-01-01"[len(d)-4:]
}

// counts is what of a stream counts at a moment, how many events were known
// and when the last of them was recorded.
func (o *oracle) counts(s eventstore.Stream, at Moment) (counts []domain.RecordedEvent[domain.Event], known uint64,
	updated time.Time) {
	var history []domain.RecordedEvent[domain.Event]
	for _, e := range o.events[s] {
		if at.Position == 0 || e.position <= at.Position {
			history, known, updated = append(history, e.RecordedEvent), known+1, e.Meta.Time
		}
	}
	history = domain.Effective(history)
	if at.Day.IsZero() || len(history) == 0 {
		return history, known, updated
	}
	first := o.day(history[0])
	for _, h := range history {
		if d := o.day(h); first != "" && d != "" {
			first = min(first, d)
		}
	}
	if first > at.Day.String() {
		return nil, known, updated
	}
	for i, h := range history {
		if i == 0 || o.day(h) <= at.Day.String() {
			counts = append(counts, h)
		}
	}
	return counts, known, updated
}

// oracleRow is an aggregate at a moment.
type oracleRow[A any] struct {
	n       int // the index of its stream
	state   A
	known   uint64 // number of events known
	created time.Time
	updated time.Time
}

func eachAt[A any](o *oracle, kind string, at Moment,
	fold func(uuid.UUID, []domain.RecordedEvent[domain.Event]) A) (all []oracleRow[A]) {
	for n, s := range o.streams {
		if s.Kind != kind {
			continue
		}
		if counts, known, updated := o.counts(s, at); len(counts) > 0 {
			all = append(all, oracleRow[A]{
				n:       n,
				state:   fold(s.ID, counts),
				known:   known,
				created: o.events[s][0].Meta.Time,
				updated: updated,
			})
		}
	}
	return all
}

func foldLab(id uuid.UUID, counts []domain.RecordedEvent[domain.Event]) *lab.Lab {
	l := lab.New(id)
	history := make([]domain.RecordedEvent[lab.Event], len(counts))
	for i, h := range counts {
		history[i] = domain.RecordedEvent[lab.Event]{Meta: h.Meta, Event: h.Event.(lab.Event)}
	}
	domain.Fold(l, history)
	return l
}

func foldEntity(id uuid.UUID, counts []domain.RecordedEvent[domain.Event]) *entity.Entity {
	e := entity.New(id)
	history := make([]domain.RecordedEvent[entity.Event], len(counts))
	for i, h := range counts {
		history[i] = domain.RecordedEvent[entity.Event]{Meta: h.Meta, Event: h.Event.(entity.Event)}
	}
	domain.Fold(e, history)
	return e
}

func (o *oracle) moment() Moment {
	var at Moment
	if rapid.IntRange(0, 4).Draw(o.t, "as of") > 0 {
		at.Position = eventstore.Position(rapid.IntRange(1, len(o.times)).Draw(o.t, "position"))
	}
	if rapid.IntRange(0, 3).Draw(o.t, "effective on") > 0 && len(o.days) > 0 {
		at.Day = o.someDay()
	}
	return at
}

func (o *oracle) someDay() domain.Date {
	d := date(rapid.SampledFrom(o.days).Draw(o.t, "day"))
	return d.AddDays(rapid.SampledFrom([]int{0, -1, 1, -400, 400}).Draw(o.t, "days away"))
}

func text(t *rapid.T, v any) string {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// singles asks about every aggregate at one moment.
func (o *oracle) singles(m *Model) {
	at, ctx := o.moment(), context.Background()
	for _, s := range o.streams {
		counts, known, updated := o.counts(s, at)
		var want, got any
		var revision uint64
		var when time.Time
		var err error
		if s.Kind == "lab" {
			want = foldLab(s.ID, counts)
			got, revision, when, err = m.LabAt(ctx, s.ID, at)
		} else {
			want = foldEntity(s.ID, counts)
			got, revision, when, err = m.EntityAt(ctx, s.ID, at)
		}
		o.asked++
		switch {
		case len(counts) == 0 && errors.Is(err, ErrNotFound):
		case len(counts) == 0 || err != nil:
			o.t.Fatalf("%+v: %s: %d events count, the model returns %v", at, s, len(counts), err)
		case text(o.t, got) != text(o.t, want) || revision != known || !when.Equal(updated):
			o.t.Fatalf("%+v: %s is, after %d events, %s:\n%s\nwant, after %d, %s:\n%s", at, s, revision, when,
				text(o.t, got), known, updated, text(o.t, want))
		}
	}
}

// instants asks for the position of an instant.
func (o *oracle) instants(m *Model) {
	i := rapid.IntRange(0, len(o.times)-1).Draw(o.t, "event")
	for _, t := range []time.Time{o.times[i], o.times[i].Add(-time.Microsecond), o.times[i].Add(time.Microsecond)} {
		want := slices.IndexFunc(o.times, func(e time.Time) bool { return e.After(t) })
		if want < 0 {
			want = len(o.times)
		}
		got, err := m.PositionAt(context.Background(), t)
		o.asked++
		if err != nil || int(got) != want {
			o.t.Fatalf("PositionAt(%s) = %d, want %d (%v)", t, got, want, err)
		}
	}
	if at, err := m.RecordedAt(context.Background(), eventstore.Position(i+1)); err != nil || !at.Equal(o.times[i]) {
		o.t.Fatalf("position %d was recorded %s, want %s (%v)", i+1, at, o.times[i], err)
	}
}

// replays requires that every step of a replay ends at what was known then.
func (o *oracle) replays(r *register) {
	for _, s := range o.streams {
		events, _, err := r.log.Load(context.Background(), s, eventstore.Version{})
		if err != nil {
			o.t.Fatal(err)
		}
		err = Replay(events, func(step ReplayStep) error {
			counts, _, _ := o.counts(s, Moment{Position: step.Position})
			want := ""
			if s.Kind == "lab" {
				want = text(o.t, foldLab(s.ID, counts))
			} else {
				want = text(o.t, foldEntity(s.ID, counts))
			}
			if o.asked++; string(step.Document) != want {
				o.t.Fatalf("%s replayed up to %d is\n%s\nwant\n%s", s, step.Position, step.Document, want)
			}
			return nil
		})
		if err != nil {
			o.t.Fatal(err)
		}
	}
}

// all reads every page of a list.
func all[R any](o *oracle, total int, ask func(Paging) (Page[R], error)) (rows []R) {
	for p := (Paging{Limit: rapid.IntRange(1, 5).Draw(o.t, "limit")}); ; {
		page, err := ask(p)
		if err != nil {
			o.t.Fatal(err)
		}
		if page.Total != total {
			o.t.Fatalf("the list counts %d, want %d", page.Total, total)
		}
		rows = append(rows, page.Items...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return rows
		}
	}
}

func agree[R any](o *oracle, at Moment, query any, got, want []R) {
	o.asked++
	o.wasThere += len(want)
	if g, w := text(o.t, got), text(o.t, want); g != w {
		o.t.Fatalf("%+v\n%+v gives\n%s\nwant\n%s", at, query, g, w)
	}
}

func maybe[T any](o *oracle, what string, from []T) (v T) {
	if len(from) > 0 && rapid.IntRange(0, 7).Draw(o.t, what) == 7 {
		return rapid.SampledFrom(from).Draw(o.t, what)
	}
	return v
}

func some[T any](o *oracle, what string, from []T) []T {
	if rapid.IntRange(0, 5).Draw(o.t, what) < 5 {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(o.t, what)
}

// finds reports whether a search finds a text with these words.
func finds(typed string, words []string) bool {
	for _, w := range words {
		for _, part := range strings.Fields(strings.ToLower(w)) {
			if strings.HasPrefix(part, strings.ToLower(typed)) || typed[0] > 'z' && strings.Contains(part, typed) {
				return true
			}
		}
	}
	return typed == ""
}

func reverseIf(desc bool, c int) int {
	if desc {
		return -c
	}
	return c
}

func (o *oracle) labs(m *Model, known []domain.EntityRef) {
	ids := make([]uuid.UUID, len(known))
	for i, k := range known {
		ids[i] = k.ID
	}
	at := o.moment()
	q := LabsQuery{
		For: o.reader(ids), At: at, Text: maybe(o, "text", []string{"环境", "新名", "Joint", "光学", "CNRS", "清华", "更名"}), Status: some(o, "status", lab.Statuses),
		Host:       maybe(o, "host", ids),
		Party:      maybe(o, "party", ids),
		Level:      maybe(o, "level", []lab.Level{lab.MinistryLevel, lab.ProvinceLevel}),
		Discipline: maybe(o, "discipline", []string{"光学", "OPTICS", "环境"}), Today: o.someDay(),
		Sort: rapid.SampledFrom([]string{"", "created", "updated", "name_zh", "name_en", "status"}).Draw(o.t, "sort"),
		Desc: rapid.Bool().Draw(o.t, "desc"),
	}
	now := o.now()
	found := slices.DeleteFunc(eachAt(o, "lab", at, foldLab), func(p oracleRow[*lab.Lab]) bool {
		l := p.state
		bound := l.Host.ID == q.Party
		for _, b := range l.Partners {
			bound = bound || b.Entity.ID == q.Party
		}
		for _, a := range l.Agreements {
			bound = bound || !a.InForceFrom.IsZero() &&
				slices.ContainsFunc(a.Parties, func(b lab.Party) bool { return b.Entity.ID == q.Party })
		}
		bound = bound || l.HasParty(q.Party) && lab.Drafts.Include(now[l.ID].Readers(q.For))
		return !finds(q.Text, (&labState{Lab: l}).words()) ||
			len(q.Status) > 0 && !slices.Contains(q.Status, l.StatusOn(q.Today)) ||
			q.Host != uuid.Nil && l.Host.ID != q.Host || q.Party != uuid.Nil && !bound ||
			q.Level != "" && l.Level != q.Level ||
			!strings.Contains(strings.ToLower(l.Discipline.Zh+"\n"+l.Discipline.En), strings.ToLower(q.Discipline))
	})
	slices.SortFunc(found, func(a, b oracleRow[*lab.Lab]) int {
		by := 0
		switch q.Sort {
		case "", "created":
			by = a.created.Compare(b.created)
		case "updated":
			by = a.updated.Compare(b.updated)
		case "name_zh":
			by = bytes.Compare(sortKey("zh", a.state.Name().Chinese()), sortKey("zh", b.state.Name().Chinese()))
		case "name_en":
			by = bytes.Compare(sortKey("en", a.state.Name().English()), sortKey("en", b.state.Name().English()))
		case "status":
			by = slices.Index(lab.Statuses, a.state.StatusOn(q.Today)) - slices.Index(lab.Statuses,
				b.state.StatusOn(q.Today))
		}
		return reverseIf(q.Desc, cmp.Or(by, a.n-b.n))
	})
	want := []LabRow{}
	for _, p := range found {
		l := p.state
		want = append(want, LabRow{
			ID:           l.ID,
			Name:         l.Name(),
			Level:        l.Level,
			Programme:    l.Programme,
			Host:         l.Host,
			Discipline:   l.Discipline,
			Status:       l.StatusOn(q.Today),
			StatusSince:  l.StatusSince,
			Construction: l.Construction,
			Revision:     p.known - 1,
			Created:      p.created,
			Updated:      p.updated,
		})
	}
	agree(o, at, q, append([]LabRow{}, all(o, len(want), func(p Paging) (Page[LabRow], error) {
		q.Paging = p
		return m.Labs(context.Background(), q)
	})...), want)
}

func (o *oracle) entities(m *Model) {
	at := o.moment()
	q := EntitiesQuery{
		At: at, Text: maybe(o, "text", []string{"清华", "CNRS", "Tsinghua", "更名", "12100000400000624D"}), Kind: maybe(o, "kind", []entity.Kind{entity.University, entity.Company}),
		Country: maybe(o, "country", []string{"CN", "FR"}),
		Status:  some(o, "status", []entity.Status{entity.Active, entity.NotEstablished, entity.Status("closed")}),
		Today:   o.someDay(),
		Scheme:  maybe(o, "scheme", []domain.Scheme{domain.USCC}),
		Sort:    rapid.SampledFrom([]string{"", "updated", "name_zh", "name_en"}).Draw(o.t, "sort"),
		Desc:    rapid.Bool().Draw(o.t, "desc"),
	}
	found := slices.DeleteFunc(eachAt(o, "entity", at, foldEntity), func(p oracleRow[*entity.Entity]) bool {
		e := p.state
		return !finds(q.Text, (&entityState{Entity: e}).words()) || q.Kind != "" && e.Kind != q.Kind ||
			q.Country != "" && e.Country != q.Country ||
			len(q.Status) > 0 && !slices.Contains(q.Status, e.StatusOn(q.Today)) ||
			q.Scheme != "" && !slices.ContainsFunc(e.Ref().Identifiers,
				func(i domain.Identifier) bool { return i.Scheme == q.Scheme })
	})
	slices.SortFunc(found, func(a, b oracleRow[*entity.Entity]) int {
		by := 0
		switch q.Sort {
		case "":
			by = a.created.Compare(b.created)
		case "updated":
			by = a.updated.Compare(b.updated)
		default:
			lang := q.Sort[len("name_"):]
			name := func(e *entity.Entity) string {
				if lang == "zh" {
					return e.DisplayName().Chinese()
				}
				return e.DisplayName().English()
			}
			by = bytes.Compare(sortKey(lang, name(a.state)), sortKey(lang, name(b.state)))
		}
		return reverseIf(q.Desc, cmp.Or(by, a.n-b.n))
	})
	want := []EntityRow{}
	for _, p := range found {
		e := p.state
		want = append(want, EntityRow{
			ID:          e.ID,
			Name:        e.DisplayName(),
			Kind:        e.Kind,
			Country:     e.Country,
			Identifiers: e.Identifiers,
			Ended:       e.Ended,
			Status:      e.StatusOn(q.Today),
			Revision:    p.known - 1,
			Created:     p.created,
			Updated:     p.updated,
		})
	}
	agree(o, at, q, append([]EntityRow{}, all(o, len(want), func(p Paging) (Page[EntityRow], error) {
		q.Paging = p
		return m.Entities(context.Background(), q)
	})...), want)
}

// reader is somebody who reads: everything, nothing but what is public, or as who
// acts for a legal entity.
func (o *oracle) reader(known []uuid.UUID) domain.Actor {
	role := rapid.SampledFrom([]domain.Role{domain.Auditor, domain.Authority, domain.Host, domain.Director,
		domain.Partner, domain.Expert, ""}).Draw(o.t, "role")
	return domain.Actor{Subject: "reader", Role: role, OnBehalfOf: maybe(o, "acting for", known)}
}

// now are the labs as all that is known leaves them.
func (o *oracle) now() map[uuid.UUID]*lab.Lab {
	labs := map[uuid.UUID]*lab.Lab{}
	for _, p := range eachAt(o, "lab", Moment{}, foldLab) {
		labs[p.state.ID] = p.state
	}
	return labs
}

// parts asks for agreements, items and commitments across labs.
func (o *oracle) parts(m *Model, known []domain.EntityRef) {
	ids := make([]uuid.UUID, len(known))
	for i, k := range known {
		ids[i] = k.ID
	}
	var labs []uuid.UUID
	for _, s := range o.streams {
		if s.Kind == "lab" {
			labs = append(labs, s.ID)
		}
	}
	at, ctx := o.moment(), context.Background()
	party, ofLab, today := maybe(o, "party", ids), maybe(o, "lab", labs), o.someDay()
	reader, now := o.reader(ids), o.now()
	a := AgreementsQuery{
		For:   reader,
		At:    at,
		Lab:   ofLab,
		Party: party,
		Class: maybe(o, "class", []lab.Class{lab.Substantive, lab.MoU}),
		Today: today,
		Status: some(o, "status", []lab.AgreementStatus{lab.Draft, lab.PartiallySigned, lab.InForce, lab.Expired,
			lab.Terminated}),
		EndsBy: maybe(o, "ends by", []domain.Date{today}),
	}
	r := RightsQuery{
		For:          reader,
		At:           at,
		Lab:          ofLab,
		Party:        party,
		Kind:         maybe(o, "kind", lab.ItemKinds),
		Agreement:    maybe(o, "agreement", []string{"A1", "A2"}),
		Counterparty: maybe(o, "counterparty", ids),
		State:        some(o, "state", []lab.ItemState{lab.Open, lab.Discharged, lab.Waived, lab.Breached}),
		OverdueOn:    maybe(o, "overdue", []domain.Date{today}),
	}
	c := CommitmentsQuery{
		For:      reader,
		At:       at,
		Lab:      ofLab,
		Party:    party,
		Kind:     maybe(o, "kind", []string{"cash", "premises"}),
		Currency: maybe(o, "currency", []string{"CNY", "EUR"}),
		Source:   maybe(o, "source", lab.FundingSources),
		Status: some(o, "status", []lab.CommitmentStatus{"PLEDGED", "FIRM", "PARTIALLY_DELIVERED", "FULFILLED",
			"SHORTFALL", "CANCELLED"}),
		Today:  today,
		LateOn: maybe(o, "late", []domain.Date{today}),
	}
	agreements, rights, commitments := []AgreementRow{}, []RightRow{}, []CommitmentRow{}
	for _, p := range eachAt(o, "lab", at, foldLab) {
		l := p.state
		if ofLab != uuid.Nil && l.ID != ofLab {
			continue
		}
		of := OfLab{l.ID, l.Name(), l.Host, p.known - 1}
		// A part keeps its place in its list, as corrections keep its type and id;
		// here they do not, so that it is the place that tells what it is now.
		open, who, is := now[l.ID].Secrecy(), now[l.ID].Readers(reader), now[l.ID]
		rests := func(agreement string) bool { return agreement == "" || open.AgreementReaders(agreement).Include(who) }
		for i, x := range l.Agreements {
			if (party == uuid.Nil || slices.ContainsFunc(x.Parties,
				func(b lab.Party) bool { return b.Entity.ID == party })) && (a.Class == "" || x.Class == a.Class) &&
				(len(a.Status) == 0 || slices.Contains(a.Status, x.StatusOn(today))) &&
				(a.EndsBy.IsZero() || !x.Term.To.IsZero() && !x.Term.To.After(a.EndsBy)) {
				if i >= len(is.Agreements) || open.AgreementReaders(is.Agreements[i].ID).Include(who) {
					agreements = append(agreements,
						AgreementRow{of, l.Secrecy().Agreement(x, l.Readers(reader)), x.StatusOn(today)})
				}
			}
		}
		for i, x := range l.Rights {
			if (party == uuid.Nil || x.Party.ID == party) && (r.Kind == "" || x.Kind == r.Kind) &&
				(r.Agreement == "" || x.Agreement == r.Agreement) &&
				(r.Counterparty == uuid.Nil || x.Counterparty != nil && x.Counterparty.ID == r.Counterparty) &&
				(len(r.State) == 0 || slices.Contains(r.State, x.State)) &&
				(r.OverdueOn.IsZero() || x.OverdueOn(r.OverdueOn)) {
				if (i >= len(is.Rights) || open.ItemReaders(is.Rights[i]).Include(who)) && rests(x.Agreement) {
					rights = append(rights, RightRow{of, x})
				}
			}
		}
		for i, x := range l.Commitments {
			currency := ""
			if x.Quantity.Cash != nil {
				currency = x.Quantity.Cash.Currency
			}
			if (party == uuid.Nil || x.Party.ID == party) && (c.Kind == "" || x.Quantity.Kind() == c.Kind) &&
				(c.Currency == "" || currency == c.Currency) &&
				(c.Source == "" || x.Source == c.Source) &&
				(len(c.Status) == 0 || slices.Contains(c.Status, x.StatusOn(today))) &&
				(c.LateOn.IsZero() || len(x.LateOn(c.LateOn)) > 0) {
				if (i >= len(is.Commitments) || open.CommitmentReaders(is.Commitments[i]).Include(who)) &&
					rests(x.Agreement) {
					commitments = append(commitments, CommitmentRow{of, x, x.StatusOn(today)})
				}
			}
		}
	}
	agree(o, at, a, append([]AgreementRow{}, all(o, len(agreements), func(p Paging) (Page[AgreementRow], error) {
		a.Paging = p
		return m.Agreements(ctx, a)
	})...), agreements)
	agree(o, at, r, append([]RightRow{}, all(o, len(rights), func(p Paging) (Page[RightRow], error) {
		r.Paging = p
		return m.Rights(ctx, r)
	})...), rights)
	agree(o, at, c, append([]CommitmentRow{}, all(o, len(commitments), func(p Paging) (Page[CommitmentRow], error) {
		c.Paging = p
		return m.Commitments(ctx, c)
	})...), commitments)
}

// TestEventChangesDeclaredRows holds what keeps versions cheap: only
// rows of the tables, and of the part, that past names for an event change. It
// asks of histories, and of every type of event there is on top of them.
func TestEventChangesDeclaredRows(t *testing.T) {
	t.Parallel()
	var samples []domain.RecordedEvent[domain.Event]
	files, err := filepath.Glob("../eventstore/testdata/events/lab.*.json")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := eventstore.Decode(bytes.TrimSpace(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, is := domain.AsRewrite(d.Event); !is {
			samples = append(samples, domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event})
		}
	}
	keyed := func(all rows) map[string]string {
		found := map[string]string{}
		for _, row := range all {
			keys := len(tablesByKind["lab"][row.into].keys)
			found[row.into+" "+fmt.Sprint(row.values[:keys]...)] = fmt.Sprint(row.values[keys:]...)
		}
		return found
	}
	changes := 0
	check := func(rt *rapid.T, s state, h domain.RecordedEvent[domain.Event]) {
		everything, _ := s.past(1, nil)
		before := keyed(everything)
		if err := s.apply(h); err != nil {
			rt.Fatal(err)
		}
		everything, _ = s.past(1, nil)
		some, tables := s.past(1, h.Event)
		after, declared := keyed(everything), keyed(some)
		for _, row := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after))) {
			was, wasThere := before[row]
			is, isThere := after[row]
			table, _, _ := strings.Cut(row, " ")
			if _, named := declared[row]; (was != is || wasThere != isThere) && !slices.Contains(tables, table) &&
				!(named && isThere) {
				rt.Fatalf("%s changed %s from %s to %s, which past does not declare", eventstore.Name(h.Event), row, was,
					is)
			} else if was != is {
				changes++
			}
		}
	}
	domaintest.Check(t, 50, 500, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS"), ref("CN", "南京大学", "Nanjing University")}
		if rapid.Bool().Draw(rt, "events as they come") {
			r.goesOn(rt, []eventstore.Stream{labStream()}, known, 10)
		} else {
			obeys(rt, r, known, 20)
		}
		for s, events := range newOracle(rt, r).events {
			if s.Kind != "lab" {
				continue
			}
			state := newLabState(s.ID)
			for _, e := range events {
				if _, is := domain.AsRewrite(e.Event); !is {
					check(rt, state, e.RecordedEvent)
				}
			}
			for _, e := range []lab.Event{ // what passes to a successor
				draft("A9", lab.Substantive, known[0], known[1]),
				lab.RightAdded{Item: "R9", Kind: lab.Right, Agreement: "A9", Party: known[1]},
				lab.CommitmentPledged{Commitment: "F9", Party: known[1], Agreement: "A9", Source: lab.OwnFunds,
					Quantity: cash("1.00", "CNY")},
				lab.PartySucceeded{Agreement: "A9", Party: known[1], Successor: known[2], On: date("2024-01-01")},
			} {
				check(rt, state, domain.RecordedEvent[domain.Event]{Event: e})
			}
			for range 20 {
				check(rt, state, rapid.SampledFrom(samples).Draw(rt, "sample"))
			}
		}
	})
	t.Logf("%d changes", changes)
}

// TestOracle asks about random pasts what was believed on K about V, of one
// record and of lists, after histories of real commands and of events as they
// come, with late entries and corrections, and of models that followed and
// that were built at once.
func TestOracle(t *testing.T) {
	t.Parallel()
	asked, rows := 0, 0
	domaintest.Check(t, 60, 1000, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS"), ref("CN", "南京大学", "Nanjing University")}
		var f *runningModel
		if rapid.Bool().Draw(rt, "follow") {
			f = follow(t, r, modelFile(t))
		}
		if rapid.IntRange(0, 2).Draw(rt, "events as they come") == 0 {
			for _, k := range known {
				r.happens(entityStream(k), registered(k))
			}
			r.goesOn(rt, []eventstore.Stream{labStream(), labStream(), labStream()}, known,
				rapid.IntRange(5, 25).Draw(rt, "events"))
		} else {
			obeys(rt, r, known, rapid.IntRange(10, 60).Draw(rt, "commands"))
		}
		o := newOracle(rt, r)
		if f == nil {
			f = follow(t, r, modelFile(t))
		}
		for s, events := range o.events {
			if err := f.Wait(context.Background(), s, uint64(len(events))); err != nil {
				rt.Fatal(err)
			}
		}
		for range 5 {
			o.singles(f.Model)
			o.instants(f.Model)
			for range 3 {
				o.labs(f.Model, known)
				o.entities(f.Model)
			}
			o.parts(f.Model, known)
			o.parts(f.Model, known)
		}
		o.replays(r)
		report, err := Verify(context.Background(), r.log, r.log, f.Model)
		if err != nil || len(report.Differences) > 0 {
			rt.Fatalf("verify: %v %+v", err, report.Differences)
		}
		f.stop()
		asked, rows = asked+o.asked, rows+o.wasThere
	})
	t.Logf("%d questions about the past, %d rows in their answers", asked, rows)
}
