package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Quantity is what is committed or delivered: exactly one of cash, premises,
// equipment and staff time (C79). Kinds are never mixed or converted.
type Quantity struct {
	Cash        *domain.Money   `json:"cash,omitempty" doc:"Money" zh:"现金" en:"cash"`
	Premises    *domain.Decimal `json:"premises_m2,omitempty" doc:"Floor area in square metres" zh:"用房面积" en:"premises in m²"`
	Equipment   *Equipment      `json:"equipment,omitempty" doc:"Instruments and equipment" zh:"设备" en:"equipment"`
	StaffMonths *domain.Decimal `json:"staff_months,omitempty" doc:"Staff time in person-months" zh:"人月" en:"staff months"`
}

// Equipment is a number of items and what they are worth together.
type Equipment struct {
	Items int          `json:"items" minimum:"0" doc:"How many; in a command more than none" zh:"条目" en:"item"`
	Value domain.Money `json:"value" doc:"What they are worth together"`
}

// Kind returns cash, premises, equipment or staff; empty unless exactly one is given.
func (q Quantity) Kind() string {
	kind, n := "", 0
	for k, given := range map[string]bool{"cash": q.Cash != nil, "premises": q.Premises != nil,
		"equipment": q.Equipment != nil, "staff": q.StaffMonths != nil} {
		if given {
			kind, n = k, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return kind
}

// unit returns what quantities must share to be added: the kind, and the currency
// where there is one.
func (q Quantity) unit() string {
	switch {
	case q.Cash != nil:
		return "cash " + q.Cash.Currency
	case q.Equipment != nil:
		return "equipment " + q.Equipment.Value.Currency
	}
	return q.Kind()
}

// unitText writes the unit for people: 现金 CNY / cash in CNY.
func (q Quantity) unitText() domain.Text {
	switch q.Kind() {
	case "cash":
		return domain.Textf("现金 %s", "cash in %s", q.Cash.Currency)
	case "premises":
		return domain.T("用房", "premises")
	case "equipment":
		return domain.Textf("设备 %s", "equipment valued in %s", q.Equipment.Value.Currency)
	}
	return domain.T("人员投入", "staff time")
}

// of reports a quantity of another kind or currency than total. One of no
// kind has been reported already.
func (q Quantity) of(c *domain.Check, path string, total Quantity) {
	c.Require(q.Kind() == "" || q.unit() == total.unit(), path,
		"种类和币种应与承诺一致（%s）", "its kind and currency must be the commitment's: %s", total.unitText())
}

// checked reports what is wrong with the quantity and returns it with money in
// its currency's usual decimals.
func (q Quantity) checked(c *domain.Check, path string) Quantity {
	kind := q.Kind()
	c.Require(kind != "", path, "请在 cash、premises_m2、equipment、staff_months 中填写且只填写一项", "give exactly one of cash, premises_m2, equipment and staff_months")
	positive := func(at string, d *domain.Decimal) {
		c.Require(d.Sign() > 0, path+"."+at, "数量必须大于零", "the quantity must be more than zero")
	}
	switch kind {
	case "cash":
		m := q.Cash.Check(c, path+".cash")
		return Quantity{Cash: &m}
	case "premises":
		positive("premises_m2", q.Premises)
	case "staff":
		positive("staff_months", q.StaffMonths)
	case "equipment":
		c.Require(q.Equipment.Items > 0, path+".equipment.items", "件数必须大于零", "the number of items must be more than zero")
		return Quantity{Equipment: &Equipment{q.Equipment.Items, q.Equipment.Value.Check(c, path+".equipment.value")}}
	}
	return q
}

// combine adds o, or takes it away where sign is -1. What is of another unit
// counts for nothing: units are never mixed.
func (q Quantity) combine(o Quantity, sign int) Quantity {
	if q.unit() != o.unit() {
		return q
	}
	add := func(a, b domain.Decimal) domain.Decimal {
		if sign < 0 {
			b = b.Neg()
		}
		return a.Add(b)
	}
	switch {
	case q.Cash != nil:
		return Quantity{Cash: &domain.Money{Amount: add(q.Cash.Amount, o.Cash.Amount), Currency: q.Cash.Currency}}
	case q.Premises != nil:
		d := add(*q.Premises, *o.Premises)
		return Quantity{Premises: &d}
	case q.StaffMonths != nil:
		d := add(*q.StaffMonths, *o.StaffMonths)
		return Quantity{StaffMonths: &d}
	case q.Equipment != nil:
		return Quantity{Equipment: &Equipment{q.Equipment.Items + sign*o.Equipment.Items, domain.Money{
			Amount: add(q.Equipment.Value.Amount, o.Equipment.Value.Amount), Currency: q.Equipment.Value.Currency,
		}}}
	}
	return q
}

// nothing returns zero in q's unit.
func (q Quantity) nothing() Quantity { return q.combine(q, -1) }

// covers reports whether q is at least o, item count and value alike.
func (q Quantity) covers(o Quantity) bool {
	if q.unit() != o.unit() {
		return false
	}
	d := q.combine(o, -1)
	switch {
	case d.Cash != nil:
		return d.Cash.Amount.Sign() >= 0
	case d.Premises != nil:
		return d.Premises.Sign() >= 0
	case d.StaffMonths != nil:
		return d.StaffMonths.Sign() >= 0
	}
	return d.Equipment != nil && d.Equipment.Items >= 0 && d.Equipment.Value.Amount.Sign() >= 0
}

// lesser returns the lesser of two quantities of one unit, item count and value
// each on their own.
func (q Quantity) lesser(o Quantity) Quantity {
	if q.Equipment != nil && o.Equipment != nil {
		v := q.Equipment.Value
		if o.Equipment.Value.Amount.Cmp(v.Amount) < 0 {
			v = o.Equipment.Value
		}
		return Quantity{Equipment: &Equipment{min(q.Equipment.Items, o.Equipment.Items), v}}
	}
	if q.covers(o) {
		return o
	}
	return q
}

// Measure returns the quantity as a number and its unit: an ISO 4217 code, m2 or
// person-months. Of equipment it is the value.
func (q Quantity) Measure() (domain.Decimal, string) {
	switch {
	case q.Cash != nil:
		return q.Cash.Amount, q.Cash.Currency
	case q.Premises != nil:
		return *q.Premises, "m2"
	case q.StaffMonths != nil:
		return *q.StaffMonths, "person-months"
	case q.Equipment != nil:
		return q.Equipment.Value.Amount, q.Equipment.Value.Currency
	}
	return domain.Decimal{}, ""
}

// Text writes the quantity for people.
func (q Quantity) Text() domain.Text {
	switch {
	case q.Cash != nil:
		return domain.T(q.Cash.String(), q.Cash.String())
	case q.Premises != nil:
		return domain.T(q.Premises.String()+" 平方米", q.Premises.String()+" m²")
	case q.StaffMonths != nil:
		return domain.T(q.StaffMonths.String()+" 人月", q.StaffMonths.String()+" person-months")
	case q.Equipment != nil:
		items := "items"
		if q.Equipment.Items == 1 {
			items = "item"
		}
		return domain.Textf("设备 %[1]d 件，价值 %[2]s", "%[1]d %[3]s of equipment worth %[2]s", q.Equipment.Items, q.Equipment.Value.String(), domain.T("件", items))
	}
	return domain.T("无", "nothing")
}

// FundingSource is where a commitment comes from (C80, C81).
type FundingSource string

// The source categories.
const (
	OwnFunds        FundingSource = "own"        // 学校自筹
	MinistryFunds   FundingSource = "ministry"   // 教育部
	GovernmentFunds FundingSource = "government" // 其他政府
	ForeignFunds    FundingSource = "foreign"    // 外方
	SocialFunds     FundingSource = "social"     // 社会
)

// FundingSources lists them in the order of reports.
var FundingSources = []FundingSource{OwnFunds, MinistryFunds, GovernmentFunds, ForeignFunds, SocialFunds}

// CommitmentStatus is the status of a commitment on a day.
type CommitmentStatus string

// The statuses of a commitment. All but CANCELLED follow from what was
// delivered and the date; closing one as fulfilled only tells that no more is
// to come.
const (
	Pledged            CommitmentStatus = "PLEDGED"
	Firm               CommitmentStatus = "FIRM"
	PartiallyDelivered CommitmentStatus = "PARTIALLY_DELIVERED"
	Fulfilled          CommitmentStatus = "FULFILLED"
	Shortfall          CommitmentStatus = "SHORTFALL" // every instalment was due, and not all is there
	Cancelled          CommitmentStatus = "CANCELLED"
)

// Commitment is what a party has undertaken to put into the lab.
type Commitment struct {
	ID            string           `json:"id"` // F1, F2 …
	Party         domain.EntityRef `json:"party"`
	Source        FundingSource    `json:"source"`
	Agreement     string           `json:"agreement,omitempty"`
	Amendment     int              `json:"amendment,omitzero"`
	Purpose       domain.Text      `json:"purpose,omitzero"`
	Quantity      Quantity         `json:"quantity"`
	Firm          bool             `json:"firm,omitzero" zh:"已落实" en:"firm"` // bound by a document, not only announced
	FirmOn        domain.Date      `json:"firm_on,omitzero" zh:"落实日期" en:"firm since"`
	Schedule      []Instalment     `json:"schedule,omitempty" zh:"到位计划" en:"instalment"`
	Contributions []Contribution   `json:"contributions,omitempty" zh:"到位" en:"contribution"`
	Delivered     Quantity         `json:"delivered"` // received less returned
	Closed        CommitmentStatus `json:"closed,omitempty" zh:"关闭" en:"closed"`
	ClosedOn      domain.Date      `json:"closed_on,omitzero" zh:"关闭日期" en:"closed on"`
	Evidence      []uuid.UUID      `json:"events,omitempty"`
}

// Instalment is a part of a commitment due on a day.
type Instalment struct {
	Due      domain.Date `json:"due" doc:"By when"`
	Quantity Quantity    `json:"quantity" doc:"How much"`
}

// Contribution is what was received, or returned, on a day.
type Contribution struct {
	No       int         `json:"no"`
	On       domain.Date `json:"on"`
	Quantity Quantity    `json:"quantity"`
	Returned bool        `json:"returned,omitzero" zh:"退回" en:"returned"`
	Evidence string      `json:"evidence"`
}

// deliveredBy returns what had been received, less what had been returned, by the end of d.
func (f *Commitment) deliveredBy(d domain.Date) Quantity {
	sum := f.Quantity.nothing()
	for _, t := range f.Contributions {
		switch {
		case t.On.After(d):
		case t.Returned:
			sum = sum.combine(t.Quantity, -1)
		default:
			sum = sum.combine(t.Quantity, +1)
		}
	}
	return sum
}

// StatusOn returns the status of the commitment on a day.
func (f *Commitment) StatusOn(d domain.Date) CommitmentStatus {
	delivered := f.deliveredBy(d)
	switch {
	case f.Closed != "" && !d.Before(f.ClosedOn):
		return f.Closed
	case len(f.Schedule) > 0 && f.Schedule[len(f.Schedule)-1].Due.Before(d) && !delivered.covers(f.Quantity):
		return Shortfall
	case delivered.covers(f.Quantity):
		return Fulfilled
	case !f.Quantity.nothing().covers(delivered):
		return PartiallyDelivered
	case f.firmOn(d):
		return Firm
	}
	return Pledged
}

// firmOn reports whether the commitment binds its party on a day.
func (f *Commitment) firmOn(d domain.Date) bool {
	cancelled := f.Closed == Cancelled && !d.Before(f.ClosedOn)
	return f.Firm && !d.Before(f.FirmOn) && !cancelled
}

// returnable returns how much of what was delivered could be given back on a day,
// so that no later day is left with less than nothing.
func (f *Commitment) returnable(on domain.Date) Quantity {
	least := f.deliveredBy(on)
	for _, t := range f.Contributions {
		if !t.On.Before(on) {
			least = least.lesser(f.deliveredBy(t.On))
		}
	}
	return least
}

// LateOn returns the instalments due before d that what was delivered by then
// does not cover, earliest first.
func (f *Commitment) LateOn(d domain.Date) []Instalment {
	if f.Closed != "" && !d.Before(f.ClosedOn) {
		return nil
	}
	delivered, owed := f.deliveredBy(d), f.Quantity.nothing()
	var late []Instalment
	for _, i := range f.Schedule {
		owed = owed.combine(i.Quantity, +1)
		if i.Due.Before(d) && !delivered.covers(owed) {
			late = append(late, i)
		}
	}
	return late
}

func (l *Lab) commitment(id string) *Commitment {
	for i := range l.Commitments {
		if l.Commitments[i].ID == id {
			return &l.Commitments[i]
		}
	}
	return nil
}

func (l *Lab) aCommitment(id string) (*Commitment, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	f := l.commitment(id)
	if f == nil {
		return nil, domain.Reject(domain.NotFound, "该实验室没有投入承诺 %s", "the lab has no commitment %s", id)
	}
	if f.Closed != "" {
		return nil, domain.Reject(domain.State, "承诺 %s 已结束（%s），不能再变更", "commitment %s is closed (%s) and can no longer change", id, f.Closed)
	}
	return f, nil
}

// PledgeCommitment announces what a party will put in.
type PledgeCommitment struct {
	domain.Grounds
	Party     uuid.UUID     `json:"party" doc:"Who commits"`
	Source    FundingSource `json:"source" enum:"own,ministry,government,foreign,social" doc:"Where it comes from"`
	Agreement string        `json:"agreement,omitempty" doc:"The agreement it rests on, e.g. A1"`
	Purpose   domain.Text   `json:"purpose,omitzero" doc:"What for"`
	Quantity  Quantity      `json:"quantity" doc:"How much of what"`
}

// Reach returns the agreement and the party.
func (c PledgeCommitment) Reach() Reach {
	return Reach{Act: Itself, Agreements: []string{c.Agreement}, Party: &c.Party}
}

// UsesEntities names the party.
func (p PledgeCommitment) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Party} }

// Decide refuses a commitment under an agreement its party is not bound by.
func (p PledgeCommitment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	ref := x.EntityOn(&c, "party", p.Party, x.Today())
	c.Require(slices.Contains(FundingSources, p.Source), "source", "来源应为 own、ministry、government、foreign 或 social", "source must be own, ministry, government, foreign or social")
	if p.Agreement != "" {
		a := l.agreement(p.Agreement)
		c.Require(a != nil, "agreement", "该实验室没有协议 %s", "the lab has no agreement %s", p.Agreement)
		c.Require(a == nil || a.Ended == "", "agreement", "协议 %s 已结束", "agreement %s has ended", p.Agreement)
		c.Require(a == nil || a.party(p.Party) != nil, "party", "该法人不是协议 %s 的一方", "this legal entity is not a party to agreement %s", p.Agreement)
	}
	q := p.Quantity.checked(&c, "quantity")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{CommitmentPledged{
		Commitment: l.number("F", len(l.Commitments)), Party: ref, Source: p.Source,
		Agreement: p.Agreement, Purpose: p.Purpose, Quantity: q,
	}}, nil
}

// CommitmentPledged records an announced commitment.
type CommitmentPledged struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	Source     FundingSource    `json:"source"`
	Agreement  string           `json:"agreement,omitempty"`
	Purpose    domain.Text      `json:"purpose,omitzero"`
	Quantity   Quantity         `json:"quantity"`
}

// Sentence returns the event in words.
func (e CommitmentPledged) Sentence() domain.Text {
	return domain.Textf("%[1]s作出承诺 %[3]s：投入 %[2]s", "%[1]s pledged %[2]s as commitment %[3]s", e.Party.Name, e.Quantity, e.Commitment)
}

func (e CommitmentPledged) subject() subject {
	return subject{class: Negotiated, commitment: e.Commitment, under: e.Agreement}
}

func (e CommitmentPledged) apply(l *Lab, m domain.Meta) {
	l.Commitments = append(l.Commitments, Commitment{
		ID: e.Commitment, Party: e.Party, Source: e.Source, Agreement: e.Agreement, Purpose: e.Purpose,
		Quantity: e.Quantity, Delivered: e.Quantity.nothing(), Evidence: []uuid.UUID{m.ID},
	})
}

// FirmUpCommitment records the document that binds the party.
type FirmUpCommitment struct {
	domain.Grounds
	Commitment string      `json:"commitment" doc:"e.g. F1"`
	On         domain.Date `json:"on" doc:"Since when it binds"`
	Evidence   string      `json:"evidence" doc:"Digest of the binding document"`
}

// Reach returns the commitment.
func (c FirmUpCommitment) Reach() Reach { return Reach{Act: Debtor, Commitment: &c.Commitment} }

// Decide refuses a commitment that binds already, and one from the ministry
// for more than it has granted (C82).
func (p FirmUpCommitment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, err := l.aCommitment(p.Commitment)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	c.Digest("evidence", p.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if f.Firm {
		return nil, domain.Reject(domain.State, "承诺 %s 已于 %s 落实", "commitment %s has been firm since %s", f.ID, f.FirmOn)
	}
	if err := l.grantedFor(f, f.Quantity, p.On); err != nil {
		return nil, err
	}
	return []Event{CommitmentFirmed{f.ID, f.Party, p.On, p.Evidence}}, nil
}

// CommitmentFirmed records that a commitment binds its party.
type CommitmentFirmed struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	On         domain.Date      `json:"on"`
	Evidence   string           `json:"evidence"`
}

// Sentence returns the event in words.
func (e CommitmentFirmed) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 落实承诺 %[3]s", "On %[2]s commitment %[3]s of %[1]s became firm", e.Party.Name, e.On, e.Commitment)
}

func (e CommitmentFirmed) subject() subject { return ofCommitment(e.Commitment) }

func (e CommitmentFirmed) apply(l *Lab, m domain.Meta) {
	if f := l.commitment(e.Commitment); f != nil {
		f.Firm, f.FirmOn = true, e.On
		f.Evidence = append(f.Evidence, m.ID)
	}
}

// schedule checks that instalments are in order, of the commitment's unit, and
// add up to it exactly.
func schedule(c *domain.Check, total Quantity, in []Instalment) []Instalment {
	out := make([]Instalment, len(in))
	sum := total.nothing()
	for i, s := range in {
		at := fmt.Sprintf("schedule[%d]", i)
		c.Given(at+".due", s.Due)
		c.Require(i == 0 || !s.Due.Before(in[i-1].Due), at+".due", "请按到期日先后排列", "list instalments in the order they are due")
		out[i] = Instalment{s.Due, s.Quantity.checked(c, at+".quantity")}
		s.Quantity.of(c, at+".quantity", total)
		sum = sum.combine(out[i].Quantity, +1)
	}
	c.Require(len(in) == 0 || (sum.covers(total) && total.covers(sum)), "schedule", "各期合计 %s，与承诺的 %s 不符", "the instalments add up to %s, not to the %s committed", sum, total)
	return out
}

// AmendCommitment changes how much is committed. Under an agreement in force,
// only an amendment signed by every party can.
type AmendCommitment struct {
	domain.Grounds
	Commitment string       `json:"commitment" doc:"e.g. F1"`
	Amendment  int          `json:"amendment,omitzero" minimum:"0" doc:"The amendment that changes it; needed once the agreement is in force"`
	Quantity   Quantity     `json:"quantity" doc:"How much from now on"`
	Schedule   []Instalment `json:"schedule,omitempty" maxItems:"400" doc:"The new instalments; needed where there were some"`
}

// Reach returns the commitment.
func (c AmendCommitment) Reach() Reach { return Reach{Act: Debtor, Commitment: &c.Commitment} }

// Decide refuses another kind or currency, and a change not every party has signed.
func (p AmendCommitment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, err := l.aCommitment(p.Commitment)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	q := p.Quantity.checked(&c, "quantity")
	c.Require(q.Kind() == "" || q.unit() == f.Quantity.unit(), "quantity", "种类和币种不能变更（%s）；请取消后重新承诺", "kind and currency (%s) cannot change; cancel the commitment and pledge anew", f.Quantity.unitText())
	if err := c.Err(); err != nil {
		return nil, err
	}
	c.Require(len(p.Schedule) > 0 || len(f.Schedule) == 0, "schedule", "原承诺有分期，请填写新的分期", "the commitment has instalments; give the new ones")
	s := schedule(&c, q, p.Schedule)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := l.amendedBy(f.Agreement, p.Amendment); err != nil {
		return nil, err
	}
	if f.Firm {
		if err := l.grantedFor(f, q, x.Today()); err != nil {
			return nil, err
		}
	}
	return []Event{CommitmentAmended{
		Commitment: f.ID, Party: f.Party, Amendment: p.Amendment, From: f.Quantity, To: q,
		Schedule: s,
	}}, nil
}

// CommitmentAmended records how much is committed from then on.
type CommitmentAmended struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	Amendment  int              `json:"amendment,omitzero"`
	From       Quantity         `json:"from"`
	To         Quantity         `json:"to"`
	Schedule   []Instalment     `json:"schedule,omitempty"`
}

// Sentence returns the event in words.
func (e CommitmentAmended) Sentence() domain.Text {
	return domain.Textf("%[1]s的承诺 %[2]s 由 %[3]s 调整为 %[4]s", "Commitment %[2]s of %[1]s changed from %[3]s to %[4]s", e.Party.Name, e.Commitment, e.From, e.To)
}

func (e CommitmentAmended) subject() subject { return ofCommitment(e.Commitment) }

func (e CommitmentAmended) apply(l *Lab, m domain.Meta) {
	if f := l.commitment(e.Commitment); f != nil {
		f.Amendment, f.Quantity, f.Schedule = e.Amendment, e.To, e.Schedule
		f.Evidence = append(f.Evidence, m.ID)
	}
}

// ScheduleInstalments sets by when each part of a commitment is due.
type ScheduleInstalments struct {
	domain.Grounds
	Commitment string       `json:"commitment" doc:"e.g. F1"`
	Schedule   []Instalment `json:"schedule" minItems:"1" maxItems:"400" doc:"The instalments, adding up to the commitment"`
}

// Reach returns the commitment.
func (c ScheduleInstalments) Reach() Reach { return Reach{Act: Debtor, Commitment: &c.Commitment} }

// Decide refuses instalments that do not add up to the commitment, and new
// ones in the place of those an agreement in force holds: nobody may put off
// alone what is due.
func (p ScheduleInstalments) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	f, err := l.aCommitment(p.Commitment)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(len(p.Schedule) > 0, "schedule", "请至少填写一期", "give at least one instalment")
	s := schedule(&c, f.Quantity, p.Schedule)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if a := l.agreement(f.Agreement); len(f.Schedule) > 0 && a != nil && !a.InForceFrom.IsZero() {
		return nil, domain.Reject(domain.State, "承诺 %s 已有分期，且协议 %s 已生效；请凭各方签署的补充协议变更承诺（amend-commitment）",
			"commitment %s has instalments and agreement %s is in force; change them with amend-commitment and the amendment every party has signed", f.ID, a.ID)
	}
	return []Event{InstalmentsScheduled{f.ID, f.Party, s}}, nil
}

// InstalmentsScheduled records by when each part of a commitment is due.
type InstalmentsScheduled struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	Schedule   []Instalment     `json:"schedule"`
}

// Sentence returns the event in words.
func (e InstalmentsScheduled) Sentence() domain.Text {
	n := len(e.Schedule)
	switch n {
	case 0:
		return domain.Textf("%[1]s的承诺 %[2]s 不再分期", "Commitment %[2]s of %[1]s has no instalments", e.Party.Name, e.Commitment)
	case 1:
		return domain.Textf("%[1]s的承诺 %[2]s 应于 %[3]s 前一次到位", "Commitment %[2]s of %[1]s is due in full on %[3]s", e.Party.Name, e.Commitment, e.Schedule[0].Due)
	}
	return domain.Textf("%[1]s的承诺 %[2]s 分 %[3]d 期到位，末期截止 %[4]s", "Commitment %[2]s of %[1]s is due in %[3]d instalments, the last on %[4]s",
		e.Party.Name, e.Commitment, n, e.Schedule[n-1].Due)
}

func (e InstalmentsScheduled) subject() subject { return ofCommitment(e.Commitment) }

func (e InstalmentsScheduled) apply(l *Lab, m domain.Meta) {
	if f := l.commitment(e.Commitment); f != nil {
		f.Schedule = e.Schedule
		f.Evidence = append(f.Evidence, m.ID)
	}
}

// ReceiveContribution records a delivery. It is a fact, so it lies in the past
// and has evidence (C79).
type ReceiveContribution struct {
	domain.Grounds
	Commitment string      `json:"commitment" doc:"e.g. F1"`
	On         domain.Date `json:"on" doc:"When it was received"`
	Quantity   Quantity    `json:"quantity" doc:"How much"`
	Evidence   string      `json:"evidence" doc:"Digest of the receipt or handover record"`
}

// Decide refuses another kind or currency, and the future.
func (p ReceiveContribution) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, t, err := l.contribution(x, p.Commitment, p.On, p.Quantity, p.Evidence)
	if err != nil {
		return nil, err
	}
	return []Event{ContributionReceived{f.ID, f.Party, t}}, nil
}

func (l *Lab) contribution(x domain.Context, id string, on domain.Date, quantity Quantity, evidence string) (*Commitment, Contribution, error) {
	f, err := l.aCommitment(id)
	if err != nil {
		return nil, Contribution{}, err
	}
	var c domain.Check
	c.NotFuture("on", on, x.Today())
	c.Digest("evidence", evidence, false)
	q := quantity.checked(&c, "quantity")
	q.of(&c, "quantity", f.Quantity)
	return f, Contribution{No: len(f.Contributions) + l.Voided[f.ID] + 1, On: on, Quantity: q,
		Evidence: evidence}, c.Err()
}

// ContributionReceived records a delivery.
type ContributionReceived struct {
	Commitment   string           `json:"commitment"`
	Party        domain.EntityRef `json:"party"`
	Contribution Contribution     `json:"contribution"`
}

// Sentence returns the event in words.
func (e ContributionReceived) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 按承诺 %[4]s 到位：%[3]s", "On %[2]s %[1]s delivered %[3]s under commitment %[4]s", e.Party.Name, e.Contribution.On, e.Contribution.Quantity, e.Commitment)
}

func (e ContributionReceived) subject() subject { return ofCommitment(e.Commitment) }

func (e ContributionReceived) apply(l *Lab, m domain.Meta) {
	l.contribute(e.Commitment, e.Contribution, m)
}

func (l *Lab) contribute(id string, t Contribution, m domain.Meta) {
	f := l.commitment(id)
	if f == nil {
		return
	}
	f.Contributions = append(f.Contributions, t)
	sign := +1
	if t.Returned {
		sign = -1
	}
	f.Delivered = f.Delivered.combine(t.Quantity, sign)
	f.Evidence = append(f.Evidence, m.ID)
}

// ReturnContribution records that something received was given back.
type ReturnContribution struct {
	domain.Grounds
	Commitment string      `json:"commitment" doc:"e.g. F1"`
	On         domain.Date `json:"on" doc:"When it was given back"`
	Quantity   Quantity    `json:"quantity" doc:"How much, as a positive quantity"`
	Evidence   string      `json:"evidence" doc:"Digest of the record"`
}

// Decide refuses to give back more than was there on that day, or than later
// days have left.
func (p ReturnContribution) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, t, err := l.contribution(x, p.Commitment, p.On, p.Quantity, p.Evidence)
	if err != nil {
		return nil, err
	}
	if most := f.returnable(p.On); !most.covers(t.Quantity) {
		return nil, domain.Reject(domain.State, "退回 %s 超过可退回的 %s（到位减已退回）", "%s cannot be returned; %s is left of what was received", t.Quantity, most)
	}
	t.Returned = true
	return []Event{ContributionReturned{f.ID, f.Party, t}}, nil
}

// ContributionReturned records that something received was given back.
type ContributionReturned struct {
	Commitment   string           `json:"commitment"`
	Party        domain.EntityRef `json:"party"`
	Contribution Contribution     `json:"contribution"`
}

// Sentence returns the event in words.
func (e ContributionReturned) Sentence() domain.Text {
	return domain.Textf("%[2]s 向%[1]s退回承诺 %[4]s 的到位投入：%[3]s", "On %[2]s %[1]s was given back %[3]s under commitment %[4]s", e.Party.Name, e.Contribution.On, e.Contribution.Quantity, e.Commitment)
}

func (e ContributionReturned) subject() subject { return ofCommitment(e.Commitment) }

func (e ContributionReturned) apply(l *Lab, m domain.Meta) {
	l.contribute(e.Commitment, e.Contribution, m)
}

// FulfilCommitment closes a commitment all of which was delivered.
type FulfilCommitment struct {
	domain.Grounds
	Commitment string      `json:"commitment" doc:"e.g. F1"`
	On         domain.Date `json:"on" doc:"When it was complete"`
}

// Decide refuses while something is missing.
func (p FulfilCommitment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, err := l.aCommitment(p.Commitment)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	if err := c.Err(); err != nil {
		return nil, err
	}
	if got := f.returnable(p.On); !got.covers(f.Quantity) { // returnable: nor may it have been returned since
		return nil, domain.Reject(domain.State, "承诺 %s 尚未全部到位：承诺 %[3]s，到位 %[2]s", "commitment %s is not complete: %s of %s is there", f.ID, got, f.Quantity)
	}
	return []Event{CommitmentFulfilled{f.ID, f.Party, p.On}}, nil
}

// CommitmentFulfilled records that all of a commitment was delivered.
type CommitmentFulfilled struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	On         domain.Date      `json:"on"`
}

// Sentence returns the event in words.
func (e CommitmentFulfilled) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 全部兑现承诺 %[3]s", "On %[2]s %[1]s completed its commitment %[3]s", e.Party.Name, e.On, e.Commitment)
}

func (e CommitmentFulfilled) subject() subject { return ofCommitment(e.Commitment) }

func (e CommitmentFulfilled) apply(l *Lab, _ domain.Meta) {
	if f := l.commitment(e.Commitment); f != nil {
		f.Closed, f.ClosedOn = Fulfilled, e.On
	}
}

// CancelCommitment takes back what was not delivered.
type CancelCommitment struct {
	domain.Grounds
	Commitment string      `json:"commitment" doc:"e.g. F1"`
	On         domain.Date `json:"on" doc:"Since when"`
	Ground     domain.Text `json:"ground" doc:"Why"`
}

// Reach returns the commitment.
func (c CancelCommitment) Reach() Reach { return Reach{Act: Debtor, Commitment: &c.Commitment} }

// Decide refuses a cancellation without a ground.
func (p CancelCommitment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	f, err := l.aCommitment(p.Commitment)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	c.Text("ground", p.Ground)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{CommitmentCancelled{f.ID, f.Party, p.On, p.Ground}}, nil
}

// CommitmentCancelled records that the rest of a commitment was taken back.
type CommitmentCancelled struct {
	Commitment string           `json:"commitment"`
	Party      domain.EntityRef `json:"party"`
	On         domain.Date      `json:"on"`
	Ground     domain.Text      `json:"ground"`
}

// Sentence returns the event in words.
func (e CommitmentCancelled) Sentence() domain.Text {
	return domain.Textf("%[1]s的承诺 %[2]s 自 %[3]s 起取消：%[4]s", "Commitment %[2]s of %[1]s was cancelled with effect from %[3]s: %[4]s", e.Party.Name, e.Commitment, e.On, e.Ground)
}

func (e CommitmentCancelled) subject() subject { return ofCommitment(e.Commitment) }

func (e CommitmentCancelled) apply(l *Lab, _ domain.Meta) {
	if f := l.commitment(e.Commitment); f != nil {
		f.Closed, f.ClosedOn = Cancelled, e.On
	}
}
