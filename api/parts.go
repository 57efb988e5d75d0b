package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/projections"
)

// labRef is the lab of a part in a list across labs.
type labRef struct {
	ID       uuid.UUID        `json:"id"`
	Name     domain.Text      `json:"name"`
	Host     domain.EntityRef `json:"host"`
	Revision uint64           `json:"revision"`
}

func refOf(o projections.OfLab) labRef { return labRef{o.Lab, o.Name, o.Host, o.Revision} }

// AgreementView is an agreement with its status on a day.
type AgreementView struct {
	lab.Agreement
	Status     lab.AgreementStatus `json:"status" doc:"On the day asked for; EXPIRED follows from the date alone"`
	StatusText domain.Text         `json:"status_text"`
}

// RightView is an item of the rights-and-responsibilities matrix.
type RightView struct {
	lab.Item
	Overdue bool `json:"overdue" doc:"Due before the day asked for, and neither discharged nor waived by then"`
}

// CommitmentView is a commitment with its status on a day.
type CommitmentView struct {
	lab.Commitment
	Status     lab.CommitmentStatus `json:"status" doc:"On the day asked for"`
	StatusText domain.Text          `json:"status_text"`
	Late       []lab.Instalment     `json:"late" doc:"Instalments due before that day which what was delivered by then does not cover"`
}

type (
	agreementOfLab struct {
		Lab labRef `json:"lab"`
		AgreementView
	}
	rightOfLab struct {
		Lab labRef `json:"lab"`
		RightView
	}
	commitmentOfLab struct {
		Lab labRef `json:"lab"`
		CommitmentView
	}
)

// agreementAlone is the answer with a single agreement.
type agreementAlone struct {
	AgreementView
	Asked
}

func viewAgreement(a lab.Agreement, on domain.Date) AgreementView {
	status := a.StatusOn(on)
	return AgreementView{a, status, status.Text()}
}

func viewCommitment(f lab.Commitment, on domain.Date) CommitmentView {
	status := f.StatusOn(on)
	return CommitmentView{f, status, status.Text(), f.LateOn(on)}
}

type PartsInput struct {
	Lab uuid.UUID `path:"lab" doc:"The lab's id"`
	When
}

type agreementInput struct {
	LabInput
	Agreement string `path:"agreement" pattern:"^A[1-9][0-9]{0,5}$" doc:"e.g. A1"`
}

type RightsFilter struct {
	Agreement string      `query:"agreement" maxLength:"10" doc:"e.g. A1"`
	Party     uuid.UUID   `query:"party" doc:"Whose it is"`
	Kind      string      `query:"kind" enum:"responsibility,right,interest" doc:"责, 权 or 利"`
	State     []string    `query:"state,explode" enum:"open,discharged,waived,breached"`
	OverdueOn domain.Date `query:"overdue_on" doc:"Only those overdue on this day"`
}

type rightsInput struct {
	PartsInput
	RightsFilter
}

// total sums commitments and deliveries of one kind and, for cash and equipment, of
// one currency. Sums never cross kinds or currencies.
type total struct {
	Kind      string         `json:"kind" enum:"cash,premises,equipment,staff"`
	Currency  string         `json:"currency,omitempty" doc:"Of cash, or of the value of equipment"`
	Unit      string         `json:"unit,omitempty" doc:"m2 or person-months"`
	Committed domain.Decimal `json:"committed" doc:"By commitments not cancelled"`
	Delivered domain.Decimal `json:"delivered" doc:"Received less returned, by all commitments"`
	Items     *itemTotal     `json:"items,omitempty" doc:"Of equipment, how many"`
}

type itemTotal struct {
	Committed int `json:"committed"`
	Delivered int `json:"delivered"`
}

type commitmentsPage struct {
	Page[CommitmentView]
	Totals []total `json:"totals"`
}

type commitmentsOutput struct{ Body commitmentsPage }

type agreementsQuery struct {
	Lab    uuid.UUID   `query:"lab"`
	Party  uuid.UUID   `query:"party" doc:"Is or was a party"`
	Class  string      `query:"class" enum:"substantive,framework,mou"`
	Status []string    `query:"status,explode" enum:"DRAFT,PARTIALLY_SIGNED,IN_FORCE,EXPIRED,TERMINATED,SUPERSEDED"`
	EndsBy domain.Date `query:"ends_by" doc:"Its term ends on or before this day"`
	When
	Paging
}

type rightsQuery struct {
	Lab          uuid.UUID `query:"lab"`
	Counterparty uuid.UUID `query:"counterparty" doc:"Towards whom"`
	RightsFilter
	When
	Paging
}

type commitmentsQuery struct {
	Lab      uuid.UUID   `query:"lab"`
	Party    uuid.UUID   `query:"party" doc:"Who commits"`
	Kind     string      `query:"kind" enum:"cash,premises,equipment,staff"`
	Currency string      `query:"currency" pattern:"^[A-Z]{3}$"`
	Source   string      `query:"source" enum:"own,ministry,government,foreign,social"`
	Status   []string    `query:"status,explode" enum:"PLEDGED,FIRM,PARTIALLY_DELIVERED,FULFILLED,SHORTFALL,CANCELLED"`
	LateOn   domain.Date `query:"late_on" doc:"Only those with an instalment late on this day"`
	When
	Paging
}

func (s *Server) registerParts() {
	register(s, query("lab-agreements", "/v1/labs/{lab}/agreements", "labs", "列出一个实验室的协议及其在所问日期的状态。", "List a lab's agreements"), s.labAgreements)
	register(s, query("lab-agreement", "/v1/labs/{lab}/agreements/{agreement}", "labs", "读取一份协议及其在所问日期的状态。", "Read an agreement"), s.labAgreement)
	register(s, query("lab-rights", "/v1/labs/{lab}/rights", "labs", "列出一个实验室的责、权、利条目，并注明是否逾期。", "List a lab's responsibilities, rights and interests"), s.labRights)
	register(s, query("lab-commitments", "/v1/labs/{lab}/commitments", "labs", "列出一个实验室的投入承诺、到位情况、逾期分期，以及按种类和币种的合计。", "List a lab's funding commitments, with totals"), s.labCommitments)
	register(s, query("list-agreements", "/v1/agreements", "agreements", "跨实验室列出协议。", "List agreements across labs"), s.listAgreements)
	register(s, query("list-rights", "/v1/rights", "agreements", "跨实验室列出责、权、利条目。", "List responsibilities, rights and interests across labs"), s.listRights)
	register(s, query("list-commitments", "/v1/commitments", "agreements", "跨实验室列出投入承诺。", "List funding commitments across labs"), s.listCommitments)
}

func (s *Server) labAgreements(ctx context.Context, in *PartsInput) (*list[AgreementView], error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	var items []AgreementView
	for _, a := range l.Agreements {
		items = append(items, viewAgreement(a, w.on))
	}
	return unpaged(items), nil
}

func (s *Server) labAgreement(ctx context.Context, in *agreementInput) (*record[agreementAlone], error) {
	l, events, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(l.Agreements, func(a lab.Agreement) bool { return a.ID == in.Agreement })
	if i < 0 {
		return nil, newProblem("not-found", "该实验室没有协议 %s；请核对编号", "the lab has no agreement %s; check its number", in.Agreement)
	}
	view := agreementAlone{viewAgreement(l.Agreements[i], w.on), w.asked()}
	return singleAt(in.Conditional, w, events, false, &view), nil
}

func (s *Server) labRights(ctx context.Context, in *rightsInput) (*list[RightView], error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	var items []RightView
	for _, it := range l.Rights {
		switch {
		case in.Agreement != "" && it.Agreement != in.Agreement,
			in.Party != uuid.Nil && it.Party.ID != in.Party,
			in.Kind != "" && string(it.Kind) != in.Kind,
			len(in.State) > 0 && !slices.Contains(in.State, string(it.State)),
			!in.OverdueOn.IsZero() && !it.OverdueOn(in.OverdueOn):
			continue
		}
		items = append(items, RightView{it, it.OverdueOn(in.day(w))})
	}
	return unpaged(items), nil
}

// day returns the day that overdue is judged on: that of the filter if it has one.
func (f RightsFilter) day(w moment) domain.Date {
	if !f.OverdueOn.IsZero() {
		return f.OverdueOn
	}
	return w.on
}

func (s *Server) labCommitments(ctx context.Context, in *PartsInput) (*commitmentsOutput, error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	var items []CommitmentView
	for _, f := range l.Commitments {
		items = append(items, viewCommitment(f, w.on))
	}
	return &commitmentsOutput{commitmentsPage{unpaged(items).Body, totals(l.Commitments)}}, nil
}

// totals returns the exact sums of commitments by kind and currency.
func totals(commitments []lab.Commitment) []total {
	type unit struct{ kind, currency string }
	sums := map[unit]*total{}
	add := func(q lab.Quantity, delivered bool) {
		u := unit{kind: q.Kind()}
		var amount domain.Decimal
		items, measure := 0, ""
		switch {
		case q.Cash != nil:
			u.currency, amount = q.Cash.Currency, q.Cash.Amount
		case q.Equipment != nil:
			u.currency, amount, items = q.Equipment.Value.Currency, q.Equipment.Value.Amount, q.Equipment.Items
		case q.Premises != nil:
			measure, amount = "m2", *q.Premises
		case q.StaffMonths != nil:
			measure, amount = "person-months", *q.StaffMonths
		}
		t := sums[u]
		if t == nil {
			t = &total{Kind: u.kind, Currency: u.currency, Unit: measure}
			if q.Equipment != nil {
				t.Items = &itemTotal{}
			}
			sums[u] = t
		}
		if delivered {
			t.Delivered = t.Delivered.Add(amount)
		} else {
			t.Committed = t.Committed.Add(amount)
		}
		if t.Items != nil && delivered {
			t.Items.Delivered += items
		} else if t.Items != nil {
			t.Items.Committed += items
		}
	}
	for _, f := range commitments {
		if f.Closed != lab.Cancelled {
			add(f.Quantity, false)
		}
		add(f.Delivered, true)
	}
	var res []total
	for _, t := range sums {
		res = append(res, *t)
	}
	slices.SortFunc(res, func(a, b total) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Currency, b.Currency))
	})
	return res
}

func (s *Server) listAgreements(ctx context.Context, in *agreementsQuery) (*list[agreementOfLab], error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	p, err := s.model.Agreements(ctx, projections.AgreementsQuery{
		Paging: in.model(), For: readerOf(ctx), At: w.at, Lab: in.Lab, Party: in.Party, Class: lab.Class(in.Class),
		Status: convert[lab.AgreementStatus](in.Status), Today: w.on, EndsBy: in.EndsBy,
	})
	return listed(ctx, p, err, func(r projections.AgreementRow) agreementOfLab {
		return agreementOfLab{refOf(r.OfLab), viewAgreement(r.Agreement, w.on)}
	})
}

func (s *Server) listRights(ctx context.Context, in *rightsQuery) (*list[rightOfLab], error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	p, err := s.model.Rights(ctx, projections.RightsQuery{
		Paging:       in.model(),
		For:          readerOf(ctx),
		At:           w.at,
		Lab:          in.Lab,
		Agreement:    in.Agreement,
		Party:        in.Party,
		Counterparty: in.Counterparty,
		Kind:         lab.ItemKind(in.Kind), State: convert[lab.ItemState](in.State), OverdueOn: in.OverdueOn,
	})
	day := in.day(w)
	return listed(ctx, p, err, func(r projections.RightRow) rightOfLab {
		return rightOfLab{refOf(r.OfLab), RightView{r.Item, r.Item.OverdueOn(day)}}
	})
}

func (s *Server) listCommitments(ctx context.Context, in *commitmentsQuery) (*list[commitmentOfLab], error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	p, err := s.model.Commitments(ctx, projections.CommitmentsQuery{
		Paging:   in.model(),
		For:      readerOf(ctx),
		At:       w.at,
		Lab:      in.Lab,
		Party:    in.Party,
		Kind:     in.Kind,
		Currency: in.Currency,
		Source:   lab.FundingSource(in.Source),
		Status:   convert[lab.CommitmentStatus](in.Status), Today: w.on, LateOn: in.LateOn,
	})
	return listed(ctx, p, err, func(r projections.CommitmentRow) commitmentOfLab {
		return commitmentOfLab{refOf(r.OfLab), viewCommitment(r.Commitment, w.on)}
	})
}
