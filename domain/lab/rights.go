package lab

import (
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// ItemKind is one of 责, 权, 利 (C56).
type ItemKind string

// The kinds of items in the rights-and-responsibilities matrix.
const (
	Responsibility ItemKind = "responsibility" // 责: what a party must do
	Right          ItemKind = "right"          // 权: what a party may do
	Interest       ItemKind = "interest"       // 利: what a party gains
)

// ItemKinds lists 责, 权, 利 in that order.
var ItemKinds = []ItemKind{Responsibility, Right, Interest}

// ItemState is the state of an item; "overdue" follows from a date, see OverdueOn.
type ItemState string

// The states of an item.
const (
	Open       ItemState = "open"
	Discharged ItemState = "discharged"
	Waived     ItemState = "waived"
	Breached   ItemState = "breached"
)

// Item is one responsibility, right or interest of one party, with the clause
// of the agreement it comes from.
type Item struct {
	ID           string            `json:"id"` // R1, R2 …
	Kind         ItemKind          `json:"kind"`
	Agreement    string            `json:"agreement"`
	Amendment    int               `json:"amendment,omitzero"` // that it was last changed by
	Clause       string            `json:"clause" zh:"条款" en:"clause"`
	Party        domain.EntityRef  `json:"party"`
	Counterparty *domain.EntityRef `json:"counterparty,omitempty" zh:"相对方" en:"counterparty"`
	Text         domain.Text       `json:"text"`
	Scope        domain.Text       `json:"scope,omitzero" zh:"范围" en:"scope"`
	Due          domain.Date       `json:"due,omitzero"`
	State        ItemState         `json:"state" zh:"履行情况" en:"state"`
	Since        domain.Date       `json:"since,omitzero" zh:"自" en:"since"` // when it came into that state
	Evidence     []string          `json:"evidence,omitempty"`
	Added        uuid.UUID         `json:"event"`
}

// OverdueOn reports whether the item was due before d and neither discharged
// nor waived by then.
func (i *Item) OverdueOn(d domain.Date) bool {
	settled := (i.State == Discharged || i.State == Waived) && !i.Since.After(d)
	return !i.Due.IsZero() && i.Due.Before(d) && !settled
}

func (i *Item) succeed(agreement string, party uuid.UUID, by domain.EntityRef) {
	if i.Agreement != agreement {
		return
	}
	if i.Party.ID == party {
		i.Party = by
	}
	if i.Counterparty != nil && i.Counterparty.ID == party {
		i.Counterparty = &by
	}
}

func (l *Lab) item(id string) *Item {
	for i := range l.Rights {
		if l.Rights[i].ID == id {
			return &l.Rights[i]
		}
	}
	return nil
}

// anItem returns an item of an open lab in one of the given states.
func (l *Lab) anItem(id string, states ...ItemState) (*Item, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	it := l.item(id)
	if it == nil {
		return nil, domain.Reject(domain.NotFound, "该实验室没有责权利条目 %s", "the lab has no rights item %s", id)
	}
	for _, s := range states {
		if it.State == s {
			return it, nil
		}
	}
	return nil, domain.Reject(domain.State, "条目 %s 目前为“%s”，不能这样变更", "item %s is “%s” and cannot change this way", id, it.State)
}

// amendedBy refuses a change to the content of an agreement in force unless an
// amendment that every party has signed allows it.
func (l *Lab) amendedBy(agreement string, no int) error {
	a := l.agreement(agreement)
	if a == nil || a.InForceFrom.IsZero() {
		return nil // still being negotiated, or resting on no agreement
	}
	if m := a.amendment(no); m == nil || m.InForce.IsZero() {
		return domain.Reject(domain.State,
			"协议 %s 已生效；变更须注明各方均已签署的补充协议编号（amendment）",
			"agreement %s is in force; name the amendment, signed by every party, that makes this change", agreement)
	}
	return nil
}

// AddRight enters an item of the matrix from an agreement's text.
type AddRight struct {
	domain.Grounds
	Agreement    string      `json:"agreement" doc:"e.g. A1"`
	Kind         ItemKind    `json:"kind" enum:"responsibility,right,interest" doc:"责, 权 or 利"`
	Party        uuid.UUID   `json:"party" doc:"Whose it is"`
	Counterparty uuid.UUID   `json:"counterparty,omitzero" doc:"Towards whom, if towards one party"`
	Clause       string      `json:"clause" minLength:"1" maxLength:"100" doc:"Clause of the agreement, e.g. 第5条 / §5"`
	Text         domain.Text `json:"text" doc:"What it says"`
	Scope        domain.Text `json:"scope,omitzero" doc:"Where it applies"`
	Due          domain.Date `json:"due,omitzero" doc:"By when, if by a day"`
}

// Reach returns the agreement; whose duty it adds is negotiated.
func (c AddRight) Reach() Reach { return Reach{Act: AnyParty, Agreements: []string{c.Agreement}} }

// Decide refuses an item of someone who is not a party.
func (r AddRight) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	a, err := l.anAgreement(r.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(r.Kind == Responsibility || r.Kind == Right || r.Kind == Interest, "kind",
		"类别应为 responsibility（责）、right（权）或 interest（利）", "kind must be responsibility, right or interest")
	c.Require(r.Clause != "", "clause", "请填写协议条款号", "give the clause of the agreement it comes from")
	c.Text("text", r.Text)
	p := a.party(r.Party)
	c.Require(p != nil, "party", "该法人不是协议 %s 的一方", "this legal entity is not a party to agreement %s", r.Agreement)
	var counter *domain.EntityRef
	if r.Counterparty != uuid.Nil {
		q := a.party(r.Counterparty)
		c.Require(q != nil && r.Counterparty != r.Party, "counterparty", "相对方应为协议 %s 的另一方", "the counterparty must be another party to agreement %s", r.Agreement)
		if q != nil {
			ref := q.Entity // a copy: the state's own may change after the event
			counter = &ref
		}
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{RightAdded{
		Item: l.number("R", len(l.Rights)), Kind: r.Kind, Agreement: r.Agreement, Clause: r.Clause,
		Party: p.Entity, Counterparty: counter, Text: r.Text, Scope: r.Scope, Due: r.Due,
	}}, nil
}

// RightAdded records an item of the matrix.
type RightAdded struct {
	Item         string            `json:"item"`
	Kind         ItemKind          `json:"kind"`
	Agreement    string            `json:"agreement"`
	Clause       string            `json:"clause"`
	Party        domain.EntityRef  `json:"party"`
	Counterparty *domain.EntityRef `json:"counterparty,omitempty"`
	Text         domain.Text       `json:"text"`
	Scope        domain.Text       `json:"scope,omitzero"`
	Due          domain.Date       `json:"due,omitzero"`
}

// Sentence returns the event in words.
func (e RightAdded) Sentence() domain.Text {
	return domain.Textf("登记%s的“%s” %s（协议 %s，%s）：%s", "Entered %[2]s %[3]s of %[1]s (agreement %[4]s, %[5]s): %[6]s", e.Party.Name, e.Kind, e.Item, e.Agreement, e.Clause, e.Text)
}

func (e RightAdded) subject() subject {
	return subject{class: Negotiated, item: e.Item, under: e.Agreement}
}

func (e RightAdded) apply(l *Lab, m domain.Meta) {
	l.Rights = append(l.Rights, Item{
		ID: e.Item, Kind: e.Kind, Agreement: e.Agreement, Clause: e.Clause,
		Party: e.Party, Counterparty: e.Counterparty,
		Text: e.Text, Scope: e.Scope, Due: e.Due, State: Open, Added: m.ID,
	})
}

// AmendRight changes the content of an item. Once its agreement is in force, only
// an amendment signed by every party can.
type AmendRight struct {
	domain.Grounds
	Item      string      `json:"item" doc:"e.g. R1"`
	Amendment int         `json:"amendment,omitzero" minimum:"0" doc:"The amendment that changes it; needed once the agreement is in force"`
	Clause    string      `json:"clause" minLength:"1" maxLength:"100" doc:"Clause of the agreement"`
	Text      domain.Text `json:"text" doc:"What it says now"`
	Scope     domain.Text `json:"scope,omitzero" doc:"Where it applies now"`
	Due       domain.Date `json:"due,omitzero" doc:"By when now"`
}

// Reach returns the item.
func (c AmendRight) Reach() Reach { return Reach{Act: AnyParty, Item: &c.Item} }

// Decide refuses a change not every party has signed.
func (r AmendRight) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	it, err := l.anItem(r.Item, Open, Breached)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(r.Clause != "", "clause", "请填写协议条款号", "give the clause of the agreement it comes from")
	c.Text("text", r.Text)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := l.amendedBy(it.Agreement, r.Amendment); err != nil {
		return nil, err
	}
	return []Event{RightAmended{
		Item: r.Item, Amendment: r.Amendment, Clause: r.Clause, Text: r.Text, Scope: r.Scope,
		Due: r.Due,
	}}, nil
}

// RightAmended records the content of an item from then on.
type RightAmended struct {
	Item      string      `json:"item"`
	Amendment int         `json:"amendment,omitzero"`
	Clause    string      `json:"clause"`
	Text      domain.Text `json:"text"`
	Scope     domain.Text `json:"scope,omitzero"`
	Due       domain.Date `json:"due,omitzero"`
}

// Sentence returns the event in words.
func (e RightAmended) Sentence() domain.Text {
	return domain.Textf("条目 %s 修改为（%s）：%s", "Item %s now reads (%s): %s", e.Item, e.Clause, e.Text)
}

func (e RightAmended) subject() subject { return ofItem(e.Item) }

func (e RightAmended) apply(l *Lab, _ domain.Meta) {
	if it := l.item(e.Item); it != nil {
		it.Amendment, it.Clause, it.Text, it.Scope, it.Due = e.Amendment, e.Clause, e.Text, e.Scope, e.Due
	}
}

// DischargeRight records that an item was carried out, with evidence.
type DischargeRight struct {
	domain.Grounds
	Item     string      `json:"item" doc:"e.g. R1"`
	On       domain.Date `json:"on" doc:"When it was carried out"`
	Evidence string      `json:"evidence" doc:"Digest of the evidence"`
}

// Reach returns the item.
func (c DischargeRight) Reach() Reach { return Reach{Act: Debtor, Item: &c.Item} }

// Decide refuses a discharge without evidence or in the future.
func (r DischargeRight) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.settle(x, r.Item, Discharged, r.On, r.Evidence, domain.Text{}, Open, Breached)
}

// WaiveRight records that those it was owed to let an item go.
type WaiveRight struct {
	domain.Grounds
	Item   string      `json:"item" doc:"e.g. R1"`
	On     domain.Date `json:"on" doc:"When it was waived"`
	Ground domain.Text `json:"ground" doc:"Who waived it and why"`
}

// Reach returns the item.
func (c WaiveRight) Reach() Reach { return Reach{Act: Creditor, Item: &c.Item} }

// Decide refuses a waiver without a ground.
func (r WaiveRight) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.settle(x, r.Item, Waived, r.On, "", r.Ground, Open, Breached)
}

// RecordBreach records that a party did not keep to an item.
type RecordBreach struct {
	domain.Grounds
	Item     string      `json:"item" doc:"e.g. R1"`
	On       domain.Date `json:"on" doc:"Since when"`
	Evidence string      `json:"evidence" doc:"Digest of the evidence"`
	Ground   domain.Text `json:"ground" doc:"What was not kept to"`
}

// Reach returns the item.
func (c RecordBreach) Reach() Reach { return Reach{Act: Creditor, Item: &c.Item} }

// Decide refuses a breach of what is discharged or waived.
func (r RecordBreach) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.settle(x, r.Item, Breached, r.On, r.Evidence, r.Ground, Open)
}

// CureBreach records that a breach was made good; the item is open again.
type CureBreach struct {
	domain.Grounds
	Item     string      `json:"item" doc:"e.g. R1"`
	On       domain.Date `json:"on" doc:"When"`
	Evidence string      `json:"evidence" doc:"Digest of the evidence"`
}

// Reach returns the item.
func (c CureBreach) Reach() Reach { return Reach{Act: Debtor, Item: &c.Item} }

// Decide refuses to cure what is not breached.
func (r CureBreach) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.settle(x, r.Item, Open, r.On, r.Evidence, domain.Text{}, Breached)
}

// settle decides every change of an item's state: each needs a day that has
// come, and evidence or a ground.
func (l *Lab) settle(x domain.Context, id string, to ItemState, on domain.Date, evidence string, ground domain.Text, from ...ItemState) ([]Event, error) {
	it, err := l.anItem(id, from...)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", on, x.Today())
	notBefore(&c, on, it.Since, "不能早于上一次变更之日 %s", "it cannot come before the last change, on %s", it.Since)
	if to == Waived || to == Breached {
		c.Text("ground", ground)
	}
	if to != Waived {
		c.Digest("evidence", evidence, false)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	s := Settlement{Item: it.ID, Party: it.Party, On: on, Evidence: evidence, Ground: ground}
	switch to {
	case Discharged:
		return []Event{RightDischarged{s}}, nil
	case Waived:
		return []Event{RightWaived{s}}, nil
	case Breached:
		return []Event{RightBreached{s}}, nil
	default:
		return []Event{BreachCured{s}}, nil
	}
}

// Settlement is the common content of the events that change an item's state.
type Settlement struct {
	Item     string           `json:"item"`
	Party    domain.EntityRef `json:"party"`
	On       domain.Date      `json:"on"`
	Evidence string           `json:"evidence,omitempty"`
	Ground   domain.Text      `json:"ground,omitzero"`
}

func (s Settlement) become(l *Lab, state ItemState) {
	if it := l.item(s.Item); it != nil {
		it.State, it.Since = state, s.On
		if s.Evidence != "" {
			it.Evidence = append(it.Evidence, s.Evidence)
		}
	}
}

// RightDischarged records that an item was carried out.
type RightDischarged struct{ Settlement }

// Sentence returns the event in words.
func (e RightDischarged) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 履行条目 %[3]s", "On %[2]s %[1]s carried out item %[3]s", e.Party.Name, e.On, e.Item)
}

func (e RightDischarged) subject() subject { return ofItem(e.Item) }

func (e RightDischarged) apply(l *Lab, _ domain.Meta) { e.become(l, Discharged) }

// RightWaived records that an item was let go.
type RightWaived struct{ Settlement }

// Sentence returns the event in words.
func (e RightWaived) Sentence() domain.Text {
	return domain.Textf("%[2]s 豁免%[1]s的条目 %[3]s：%[4]s", "On %[2]s item %[3]s of %[1]s was waived: %[4]s", e.Party.Name, e.On, e.Item, e.Ground)
}

func (e RightWaived) subject() subject { return ofItem(e.Item) }

func (e RightWaived) apply(l *Lab, _ domain.Meta) { e.become(l, Waived) }

// RightBreached records that an item was not kept to.
type RightBreached struct{ Settlement }

// Sentence returns the event in words.
func (e RightBreached) Sentence() domain.Text {
	return domain.Textf("%[1]s自 %[2]s 起违反条目 %[3]s：%[4]s", "From %[2]s %[1]s was in breach of item %[3]s: %[4]s", e.Party.Name, e.On, e.Item, e.Ground)
}

func (e RightBreached) subject() subject { return ofItem(e.Item) }

func (e RightBreached) apply(l *Lab, _ domain.Meta) { e.become(l, Breached) }

// BreachCured records that a breach was made good.
type BreachCured struct{ Settlement }

// Sentence returns the event in words.
func (e BreachCured) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 补正对条目 %[3]s 的违反", "On %[2]s %[1]s made good its breach of item %[3]s", e.Party.Name, e.On, e.Item)
}

func (e BreachCured) subject() subject { return ofItem(e.Item) }

func (e BreachCured) apply(l *Lab, _ domain.Meta) { e.become(l, Open) }
