package projections

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func (s *labState) addAgreements(all *rows, n int64) {
	for i := range s.Agreements {
		a := &s.Agreements[i]
		changes := []domain.Date{a.InForceFrom, a.EndedOn, dayAfter(a.Term.To)}
		for _, p := range a.Lapses {
			changes = append(changes, p.From, dayAfter(p.To))
		}
		for _, sig := range a.Signatures {
			changes = append(changes, sig.On)
		}
		var parties strings.Builder
		for _, p := range a.Parties {
			parties.WriteString(p.Entity.ID.String() + " ")
		}
		all.add("agreements", n, i, a.ID, string(a.Class), parties.String(), nullable(a.Term.To),
			timeline(changes, a.StatusOn))
	}
}

// addRights adds the items with this id; an empty id adds all.
func (s *labState) addRights(all *rows, n int64, id string) {
	for i := range s.Rights {
		r := &s.Rights[i]
		if id != "" && r.ID != id {
			continue
		}
		var counterparty any
		if r.Counterparty != nil {
			counterparty = r.Counterparty.ID[:]
		}
		all.add("rights", n, i, r.Agreement, string(r.Kind), string(r.State), r.Party.ID[:], counterparty,
			nullable(r.Due), r.Since.String())
	}
}

// addCommitments adds the commitments with this id; an empty id adds all.
func (s *labState) addCommitments(all *rows, n int64, id string) {
	for i := range s.Commitments {
		c := &s.Commitments[i]
		if id != "" && c.ID != id {
			continue
		}
		changes := []domain.Date{c.ClosedOn, c.FirmOn}
		for _, p := range c.Schedule {
			changes = append(changes, dayAfter(p.Due))
		}
		for _, t := range c.Contributions {
			changes = append(changes, t.On)
		}
		late := func(d domain.Date) string {
			if len(c.LateOn(d)) > 0 {
				return "late"
			}
			return ""
		}
		currency := ""
		switch {
		case c.Quantity.Cash != nil:
			currency = c.Quantity.Cash.Currency
		case c.Quantity.Equipment != nil:
			currency = c.Quantity.Equipment.Value.Currency
		}
		lateDays := "[]"
		if len(c.Schedule) > 0 {
			lateDays = timeline(slices.Clone(changes), late)
		}
		all.add("commitments", n, i, c.Agreement, c.Party.ID[:], c.Quantity.Kind(), currency, string(c.Source),
			timeline(changes, c.StatusOn), lateDays)
	}
}

// dayAfter returns the day after d; the zero Date for the zero Date.
func dayAfter(d domain.Date) domain.Date {
	if d.IsZero() {
		return d
	}
	return d.AddDays(1)
}

// labDetails is the part of a lab's document that rows of facet lists need.
type labDetails struct {
	ID          uuid.UUID        `json:"id"`
	Names       []domain.Name    `json:"names"`
	Host        domain.EntityRef `json:"host"`
	Agreements  []lab.Agreement  `json:"agreements"`
	Rights      []lab.Item       `json:"rights"`
	Commitments []lab.Commitment `json:"commitments"`

	now *lab.Lab // the current lab, if the rest is of the past; else nil
}

// access returns the confidentiality of the lab as it is now, which also governs
// its past, and the readers that the actor belongs to.
func (l *labDetails) access(by domain.Actor) (lab.Secrecy, domain.Readers) {
	now := cmp.Or(l.now, &lab.Lab{Host: l.Host, Agreements: l.Agreements, Rights: l.Rights, Commitments: l.Commitments})
	return now.Secrecy(), now.Readers(by)
}

// isDraft returns the condition that a row of a table is a draft now.
func isDraft(part, row string) string {
	return "EXISTS (SELECT 1 FROM drafts WHERE drafts.lab = " + row + ".lab AND drafts.part = '" + part + "' AND drafts.no = " + row + ".no)"
}

// listFacet returns a page of rows of one facet, ordered by lab and then by
// number within the lab. The function row makes the row with number no, from 0.
func listFacet[T any](ctx context.Context, m *Model, p Paging, reader domain.Actor, table string, ofLab uuid.UUID,
	s selection, row func(of OfLab, l *labDetails, no int) T) (Page[T], error) {
	page := Page[T]{Items: []T{}}
	limit, err := p.limit()
	if err != nil {
		return page, err
	}
	may, args := draftsVisible(reader, table+".lab")
	s.and("(NOT "+isDraft(table, table)+" OR "+may+")", args...)
	if !s.at.IsZero() && table != "agreements" { // then it may have depended on another agreement
		s.and("(agreement = '' OR EXISTS (SELECT 1 FROM main.agreements AS named WHERE named.lab = "+table+
			".lab AND named.id = "+table+".agreement AND NOT "+isDraft("agreements", "named")+") OR "+may+")", args...)
	}
	if ofLab != uuid.Nil {
		s.and("lab = (SELECT n FROM streams WHERE id = ? AND kind = 'lab')", ofLab[:])
	}
	type hit struct {
		cursor
		id     uuid.UUID
		events uint64
		lab    *labDetails
	}
	var hits []hit
	with := s.at.tables()
	err = m.readTx(ctx, func(db querier) error {
		if err := db.QueryRowContext(ctx, with+"SELECT count(*) FROM "+table+s.String(),
			s.args...).Scan(&page.Total); err != nil {
			return err
		}
		if p.Cursor != "" {
			c, err := parseCursor(p.Cursor, table)
			if err != nil {
				return err
			}
			s.and("(lab, no) > (?, ?)", c.N, c.No)
		}
		return each(ctx, db, func(rows *sql.Rows) error {
			h := hit{cursor: cursor{Order: table}}
			var document sql.RawBytes
			if err := rows.Scan(&h.N, &h.No, &h.events, &h.id, &document); err != nil {
				return err
			}
			if last := len(hits) - 1; last >= 0 && hits[last].N == h.N { // rows of one lab share its document
				h.lab = hits[last].lab
			} else if h.lab = new(labDetails); s.at.IsZero() {
				if err := json.Unmarshal(document, h.lab); err != nil {
					return err
				}
			}
			hits = append(hits, h)
			return nil
		},
			with+"SELECT lab, no, events, id, document FROM (SELECT lab, no FROM "+table+s.String()+" ORDER BY lab, no LIMIT ?) JOIN streams ON streams.n = lab JOIN documents ON documents.n = lab ORDER BY lab, no",
			append(s.args, limit+1)...)
	})
	for i, h := range hits {
		if err != nil {
			break
		}
		if i == limit {
			page.Next = hits[i-1].String()
			break
		}
		if h.lab.ID == uuid.Nil { // of the past, and the first of its lab on the page
			var l *lab.Lab
			if l, _, _, err = m.LabAt(ctx, h.id, s.at); err == nil {
				*h.lab = labDetails{
					ID:          l.ID,
					Names:       l.Names,
					Host:        l.Host,
					Agreements:  l.Agreements,
					Rights:      l.Rights,
					Commitments: l.Commitments,
				}
				h.lab.now, _, _, err = m.Lab(ctx, h.id)
			}
		}
		if err == nil {
			page.Items = append(page.Items, row(OfLab{Lab: h.lab.ID, Name: domain.Current(h.lab.Names),
				Host: h.lab.Host, Revision: h.events - 1}, h.lab, int(h.No)))
		}
	}
	return page, listError(err, table)
}

// involving restricts rows to labs in which an entity has a part. It only makes
// the query faster: each row is also checked itself. Versions of the past hold
// bound parties alone, so there it does nothing.
func (s *selection) involving(id uuid.UUID) {
	if !s.at.IsZero() {
		return
	}
	s.and("lab IN (SELECT lab FROM parties WHERE entity = ?)", id[:])
}

// Agreements returns a page of agreements across labs.
func (m *Model) Agreements(ctx context.Context, q AgreementsQuery) (Page[AgreementRow], error) {
	if err := needsToday(len(q.Status) > 0, q.Today); err != nil {
		return Page[AgreementRow]{}, err
	}
	s, err := m.selectionAt(ctx, q.At)
	if err != nil {
		return Page[AgreementRow]{}, err
	}
	if q.Party != uuid.Nil {
		s.involving(q.Party)
		s.and("instr(parties, ?) > 0", q.Party.String())
	}
	if q.Class != "" {
		s.and("class = ?", string(q.Class))
	}
	if !q.EndsBy.IsZero() {
		s.and("ends <= ?", q.EndsBy.String())
	}
	oneOf(&s, timelineAt("days"), q.Status, q.Today.String())
	return listFacet(ctx, m, q.Paging, q.For, "agreements", q.Lab, s,
		func(of OfLab, l *labDetails, no int) AgreementRow {
			secrecy, who := l.access(q.For)
			row := AgreementRow{OfLab: of, Agreement: secrecy.Agreement(l.Agreements[no], who)}
			if !q.Today.IsZero() {
				row.Status = row.Agreement.StatusOn(q.Today)
			}
			return row
		})
}

// Rights returns a page of items of the rights-and-responsibilities matrices
// across labs.
func (m *Model) Rights(ctx context.Context, q RightsQuery) (Page[RightRow], error) {
	s, err := m.selectionAt(ctx, q.At)
	if err != nil {
		return Page[RightRow]{}, err
	}
	if q.Party != uuid.Nil {
		s.involving(q.Party)
		s.and("party = ?", q.Party[:])
	}
	if q.Counterparty != uuid.Nil {
		s.involving(q.Counterparty)
		s.and("counterparty = ?", q.Counterparty[:])
	}
	if q.Agreement != "" {
		s.and("agreement = ?", q.Agreement)
	}
	if q.Kind != "" {
		s.and("kind = ?", string(q.Kind))
	}
	oneOf(&s, "state", q.State)
	if d := q.OverdueOn.String(); d != "" { // the same rule as lab.Item.OverdueOn
		s.and("due < ? AND NOT (state IN (?, ?) AND since <= ?)", d, string(lab.Discharged), string(lab.Waived), d)
	}
	return listFacet(ctx, m, q.Paging, q.For, "rights", q.Lab, s,
		func(of OfLab, l *labDetails, no int) RightRow { return RightRow{of, l.Rights[no]} })
}

// Commitments returns a page of funding commitments across labs.
func (m *Model) Commitments(ctx context.Context, q CommitmentsQuery) (Page[CommitmentRow], error) {
	if err := needsToday(len(q.Status) > 0, q.Today); err != nil {
		return Page[CommitmentRow]{}, err
	}
	s, err := m.selectionAt(ctx, q.At)
	if err != nil {
		return Page[CommitmentRow]{}, err
	}
	if q.Party != uuid.Nil {
		s.involving(q.Party)
		s.and("party = ?", q.Party[:])
	}
	for column, value := range map[string]string{"kind": q.Kind, "currency": q.Currency, "source": string(q.Source)} {
		if value != "" {
			s.and(column+" = ?", value)
		}
	}
	oneOf(&s, timelineAt("days"), q.Status, q.Today.String())
	if !q.LateOn.IsZero() {
		s.and(timelineAt("late")+" = 'late'", q.LateOn.String())
	}
	return listFacet(ctx, m, q.Paging, q.For, "commitments", q.Lab, s,
		func(of OfLab, l *labDetails, no int) CommitmentRow {
			row := CommitmentRow{OfLab: of, Commitment: l.Commitments[no]}
			if !q.Today.IsZero() {
				row.Status = row.Commitment.StatusOn(q.Today)
			}
			return row
		})
}
