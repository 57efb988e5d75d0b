package projections

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// labState is a lab being folded.
type labState struct {
	*lab.Lab
	base[lab.Event] `json:"-"`
}

func newLabState(id uuid.UUID) state {
	l := lab.New(id)
	return &labState{l, base[lab.Event]{l}}
}

// words returns the lab's current and former names, its discipline, and the
// names of its host, partners and parties.
func (s *labState) words() []string {
	words := []string{s.Host.Name.Zh, s.Host.Name.En, s.Discipline.Zh, s.Discipline.En}
	for _, n := range s.Names {
		words = append(words, n.Text)
	}
	for _, p := range s.Partners {
		words = append(words, p.Entity.Name.Zh, p.Entity.Name.En, p.As)
	}
	for _, a := range s.Agreements {
		if a.InForceFrom.IsZero() {
			continue // a search must not reveal a draft
		}
		for _, p := range a.Parties {
			words = append(words, p.Entity.Name.Zh, p.Entity.Name.En)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (s *labState) rows(n int64) rows {
	all := make(rows, 0, 10+len(s.Agreements)+len(s.Rights)+len(s.Commitments))
	s.addLab(&all, n)
	s.addParties(&all, n, false)
	s.addAgreements(&all, n)
	s.addRights(&all, n, "")
	s.addCommitments(&all, n, "")
	return all
}

// past returns what an event may have changed; see state.
func (s *labState) past(n int64, changed domain.Event) (all rows, tables []string) {
	name, part := "", ""
	if changed != nil {
		name = eventstore.Name(changed)
		_, part, _ = strings.Cut(eventstore.Subject(changed), "/")
	}
	switch eventstore.Facet(name) {
	case "rights":
		s.addRights(&all, n, part)
		return all, nil
	case "funding":
		s.addCommitments(&all, n, part)
		return all, nil
	case "status":
		tables = []string{"labs"}
	case "review":
	case "record":
		switch changed.(type) {
		case lab.Renamed, lab.DisciplineSet, lab.PartnerNamed:
			tables = []string{"labs", "parties", "words"}
		case lab.Proposed, lab.HostSucceeded:
			tables = everyTable
		}
	case "agreement":
		tables = []string{"labs", "parties", "agreements", "words"}
		if _, all := changed.(lab.PartySucceeded); all {
			tables = everyTable
		}
	default:
		tables = everyTable
	}
	for _, t := range tables {
		switch t {
		case "labs":
			s.addLab(&all, n)
			part := labSummary{
				ID:         s.ID,
				Programme:  s.Programme,
				Level:      s.Level,
				Names:      s.Names,
				Host:       s.Host,
				Discipline: s.Discipline,
				Status:     s.Status, StatusSince: s.StatusSince, Construction: s.Construction,
			}
			last := &all[len(all)-1]
			last.values = append(last.values, marshalSummary(part))
		case "parties":
			s.addParties(&all, n, true)
		case "agreements":
			s.addAgreements(&all, n)
		case "rights":
			s.addRights(&all, n, "")
		case "commitments":
			s.addCommitments(&all, n, "")
		case "words":
			all.add("words", n, segment(s.words()))
		}
	}
	return all, tables
}

var everyTable = []string{"labs", "parties", "agreements", "rights", "commitments", "words"}

func (s *labState) addLab(all *rows, n int64) {
	name := s.Name()
	var due any
	if s.Status == lab.StatusConstruction && !s.Construction.To.IsZero() {
		due = s.Construction.To.Latest().AddDays(1).String()
	}
	all.add("labs", n, sortKey("zh", name.Chinese()), sortKey("en", name.English()),
		slices.Index(lab.Statuses, s.Status), due,
		s.Host.ID[:], string(s.Level), s.Programme, strings.ToLower(s.Discipline.Zh+"\n"+s.Discipline.En))
}

// How a legal entity is bound to a lab: publicly, or by an agreement that it has
// not left, which may be a draft.
const (
	boundPublicly = 1 << iota
	boundByAgreement
)

// addParties adds the legal entities by which the lab is found: its host, its
// named partners and the parties of its agreements. Unless onlyBound is set it
// also adds, as not bound, the parties of items and commitments.
func (s *labState) addParties(all *rows, n int64, onlyBound bool) {
	bound := map[uuid.UUID]int{}
	bind := func(p lab.Party, how int) { bound[p.Entity.ID] |= how }
	if !onlyBound {
		for _, c := range s.Commitments {
			bound[c.Party.ID] = 0
		}
		for _, i := range s.Rights {
			bound[i.Party.ID] = 0
			if i.Counterparty != nil {
				bound[i.Counterparty.ID] = 0
			}
		}
	}
	bound[s.Host.ID] |= boundPublicly
	for _, p := range s.Partners {
		bound[p.Entity.ID] |= boundPublicly
	}
	for _, a := range s.Agreements {
		how := boundByAgreement
		if !a.InForceFrom.IsZero() {
			how |= boundPublicly
		}
		for _, p := range a.Parties {
			bind(p, how)
		}
		for _, m := range a.Amendments {
			for _, p := range m.Accede {
				bind(p, boundByAgreement)
			}
		}
	}
	for id := range bound { // remove those that have left all agreements
		if !s.HasParty(id) {
			bound[id] &^= boundByAgreement
		}
	}
	ids := make([]uuid.UUID, 0, len(bound))
	for id := range bound {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for i := range ids {
		all.add("parties", n, ids[i][:], bound[ids[i]])
	}
}

// Lab returns a lab, its number of events and the time of the last.
func (m *Model) Lab(ctx context.Context, id uuid.UUID) (*lab.Lab, uint64, time.Time, error) {
	l := lab.New(id)
	events, updated, err := m.document(ctx, eventstore.Stream{Kind: "lab", ID: id}, l)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return l, events, updated, nil
}

// EachLab calls each with every lab, in the order they were registered, all at
// one position.
func (m *Model) EachLab(ctx context.Context, each func(*lab.Lab) error) error {
	return m.readTx(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT document FROM labs JOIN documents USING (n) ORDER BY n`)
		if err != nil {
			return fmt.Errorf("projections: read labs: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var document []byte
			var l lab.Lab
			if err := rows.Scan(&document); err != nil {
				return fmt.Errorf("projections: read labs: %w", err)
			}
			if err := json.Unmarshal(document, &l); err != nil {
				return fmt.Errorf("projections: read labs: %w", err)
			}
			if err := each(&l); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// document decodes the document of a stream into a value. It returns the number
// of events and the time of the last, or an ErrNotFound.
func (m *Model) document(ctx context.Context, stream eventstore.Stream, into any) (events uint64, updated time.Time,
	err error) {
	var document []byte
	var at int64
	err = m.readers.QueryRowContext(ctx,
		`SELECT events, updated, document FROM streams JOIN documents USING (n) WHERE id = ? AND kind = ?`,
		stream.ID[:], stream.Kind).Scan(&events, &at, &document)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, fmt.Errorf("%w: %s", ErrNotFound, stream)
	}
	if err == nil {
		err = json.Unmarshal(document, into)
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("projections: read %s: %w", stream, err)
	}
	return events, time.UnixMicro(at).UTC(), nil
}

// labOrders are the columns that labs can be sorted by.
var labOrders = map[string]string{
	"": "created", "created": "created", "updated": "updated",
	"name_zh": "name_zh",
	"name_en": "name_en", "status": "CASE WHEN due <= ? THEN " + fmt.Sprint(slices.Index(lab.Statuses,
		lab.StatusDue)) + " ELSE status END",
}

// Labs returns a page of labs.
func (m *Model) Labs(ctx context.Context, q LabsQuery) (Page[LabRow], error) {
	s, err := m.selectionAt(ctx, q.At)
	if err != nil {
		return Page[LabRow]{}, err
	}
	s.text("n", q.Text)
	status, day := labOrders["status"], q.Today.String() // without a day no lab is due
	if len(q.Status) > 0 {
		among := make([]string, len(q.Status))
		args := []any{day}
		for i, st := range q.Status {
			among[i], args = "?", append(args, slices.Index(lab.Statuses, st))
		}
		s.and(status+" IN ("+strings.Join(among, ",")+")", args...)
	}
	if q.Host != uuid.Nil {
		s.and("host = ? AND n IN (SELECT lab FROM parties WHERE entity = ?)", q.Host[:], q.Host[:])
	}
	if q.Party != uuid.Nil {
		may, args := draftsVisible(q.For, "lab")
		s.and("n IN (SELECT lab FROM parties WHERE entity = ? AND bound <> 0 AND (bound & 1 OR "+may+"))",
			slices.Concat([]any{q.Party[:]}, args)...)
	}
	if q.Level != "" {
		s.and("level = ?", string(q.Level))
	}
	if q.Programme != "" {
		s.and("programme = ?", q.Programme)
	}
	if q.Discipline != "" {
		s.and("instr(discipline, ?) > 0", strings.ToLower(q.Discipline))
	}
	var args []any
	if q.Sort == "status" {
		args = []any{day}
	}
	return list(ctx, m, q.Paging, "labs", labOrders, q.Sort, args, q.Desc, s,
		func(document []byte, revision uint64, created, updated time.Time) (LabRow, error) {
			var l lab.Lab
			part := labSummary{}
			if err := json.Unmarshal(document, &part); err != nil {
				return LabRow{}, err
			}
			l.Status, l.Construction = part.Status, part.Construction
			return LabRow{
				ID:           part.ID,
				Name:         domain.Current(part.Names),
				Level:        part.Level,
				Programme:    part.Programme,
				Host:         part.Host,
				Discipline:   part.Discipline,
				Status:       l.StatusOn(q.Today),
				StatusSince:  part.StatusSince,
				Construction: part.Construction,
				Revision:     revision, Created: created, Updated: updated,
			}, nil
		})
}

// labSummary is the part of a lab's document that a list row needs. Versions of
// the past hold only this part.
type labSummary struct {
	ID           uuid.UUID            `json:"id"`
	Programme    string               `json:"programme,omitempty"`
	Level        lab.Level            `json:"level,omitempty"`
	Names        []domain.Name        `json:"names"`
	Host         domain.EntityRef     `json:"host"`
	Discipline   domain.Text          `json:"discipline,omitzero"`
	Status       lab.Status           `json:"status"`
	StatusSince  domain.PartialDate   `json:"status_since,omitzero"`
	Construction domain.PartialPeriod `json:"construction,omitzero"`
}

// list returns a page of aggregates, in one of the given orders. The function row
// makes a row from a document, the revision of the last event, and when the first
// and the last event were recorded.
func list[T any](ctx context.Context, m *Model, p Paging, table string, orders map[string]string, sort string,
	sortArgs []any, desc bool, s selection,
	row func(document []byte, revision uint64, created, updated time.Time) (T, error),
) (Page[T], error) {
	page := Page[T]{Items: []T{}}
	limit, err := p.limit()
	if err != nil {
		return page, err
	}
	by, ok := orders[sort]
	if !ok {
		return page, &QueryError{"sort", domain.Textf("不能按“%s”排序", "it cannot be sorted by %q", sort)}
	}
	order, compare := table+" "+sort, ">"
	direction := " ASC"
	if desc {
		order, compare, direction = order+" desc", "<", " DESC"
	}
	from, with := " FROM "+table+" JOIN streams USING (n)", s.at.tables()
	err = m.readTx(ctx, func(db querier) error {
		if err := db.QueryRowContext(ctx, with+"SELECT count(*)"+from+s.String(),
			s.args...).Scan(&page.Total); err != nil {
			return err
		}
		if p.Cursor != "" {
			c, err := parseCursor(p.Cursor, order)
			if err != nil {
				return err
			}
			var key any = c.Num
			if c.Text != nil {
				key = c.Text
			}
			s.and("("+by+", n) "+compare+" (?, ?)", slices.Concat(sortArgs, []any{key, c.N})...)
		}
		var last cursor
		return each(ctx, db, func(rows *sql.Rows) error {
			if len(page.Items) == limit {
				page.Next = last.String()
				return nil
			}
			var document []byte
			var events uint64
			var created, updated int64
			var key any
			if err := rows.Scan(&last.N, &events, &created, &updated, &document, &key); err != nil {
				return err
			}
			last.Order = order
			switch k := key.(type) {
			case []byte:
				last.Text = k
				if k == nil {
					last.Text = []byte{}
				}
			case int64:
				last.Num = k
			}
			item, err := row(document, events-1, time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC())
			page.Items = append(page.Items, item)
			return err
		}, with+"SELECT n, events, created, updated, document, key FROM (SELECT n, "+by+" AS key"+from+s.String()+
			" ORDER BY key"+direction+", n"+direction+" LIMIT ?) JOIN streams USING (n) JOIN documents USING (n) ORDER BY key"+direction+", n"+direction,
			slices.Concat(sortArgs, s.args, []any{limit + 1})...)
	})
	return page, listError(err, table)
}

func listError(err error, what string) error {
	var bad *QueryError
	if err == nil || errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("projections: list %s: %w", what, err)
}

// LabFacts returns the facts by which subscribers select events of a lab. It
// waits until the model holds that many events of the lab.
func (m *Model) LabFacts(ctx context.Context, id uuid.UUID, events uint64) (facts eventstore.LabFacts, err error) {
	stream := eventstore.Stream{Kind: "lab", ID: id}
	if err := m.Wait(ctx, stream, events); err != nil {
		return facts, err
	}
	err = m.readTx(ctx, func(q querier) error {
		var n int64
		err := q.QueryRowContext(ctx,
			`SELECT n, events, host, level, programme FROM labs JOIN streams USING (n) WHERE id = ? AND kind = 'lab'`,
			id[:]).
			Scan(&n, &facts.Events, &facts.Host, &facts.Level, &facts.Programme)
		if err != nil {
			return fmt.Errorf("projections: read facts of %s: %w", stream, err)
		}
		return each(ctx, q, func(rows *sql.Rows) error {
			var party uuid.UUID
			var bound int
			err := rows.Scan(&party, &bound)
			if bound&boundPublicly != 0 {
				facts.Parties = append(facts.Parties, party)
			}
			if bound&boundByAgreement != 0 {
				facts.Bound = append(facts.Bound, party)
			}
			return err
		}, `SELECT entity, bound FROM parties WHERE lab = ? AND bound <> 0`, n)
	})
	return facts, err
}
