package lab

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// SupportKind is the form of support (C72).
type SupportKind string

// The forms of support.
const (
	PolicySupport      SupportKind = "policy"
	FundingSupport     SupportKind = "funding"
	InstitutionSupport SupportKind = "institution"
	OtherSupport       SupportKind = "other"
)

var supportKinds = kindTable[SupportKind]{
	{PolicySupport, domain.T("政策指导", "policy guidance")},
	{FundingSupport, domain.T("经费支持", "funding")},
	{InstitutionSupport, domain.T("制度创新", "institutional innovation")},
	{OtherSupport, domain.T("其他保障", "other support")},
}

// Text returns the form in Chinese and English.
func (k SupportKind) Text() domain.Text { return supportKinds.text(k) }

// SupportMeasure is a measure that a legal entity promised the lab by a day (C59,
// C72, C77).
type SupportMeasure struct {
	ID        string           `json:"id"` // S1, S2 …
	Provider  domain.EntityRef `json:"provider" zh:"提供方" en:"provider"`
	Kind      SupportKind      `json:"kind"`
	Text      domain.Text      `json:"text"`
	On        domain.Date      `json:"on"`
	Due       domain.Date      `json:"due"`
	Document  string           `json:"document,omitempty"`
	Delivered domain.Date      `json:"delivered,omitzero"`
	Evidence  string           `json:"evidence,omitempty"`
	Event     uuid.UUID        `json:"event"`
}

// OverdueOn reports whether the measure was due before d and not delivered by then.
func (s *SupportMeasure) OverdueOn(d domain.Date) bool {
	return s.Due.Before(d) && (s.Delivered.IsZero() || s.Delivered.After(d))
}

// PromiseSupport records a measure and the day it is due (C59, C72, C77).
type PromiseSupport struct {
	domain.Grounds
	Provider uuid.UUID   `json:"provider" doc:"The legal entity that promises it: the host, a ministry, a province …"`
	Kind     SupportKind `json:"kind" enum:"policy,funding,institution,other" doc:"政策指导, 经费支持, 制度创新 or other"`
	Text     domain.Text `json:"text" doc:"The measure"`
	On       domain.Date `json:"on" doc:"When it was promised"`
	Due      domain.Date `json:"due,omitzero" doc:"By when it is to be there; always needed"`
	Document string      `json:"document,omitempty" doc:"Digest of the promise"`
}

// UsesEntities returns the provider.
func (p PromiseSupport) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Provider} }

// Decide refuses a promise without a day (C59).
func (p PromiseSupport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	ref := x.Entity(&c, "provider", p.Provider)
	supportKinds.check(&c, "kind", p.Kind)
	c.Text("text", p.Text)
	c.NotFuture("on", p.On, x.Today())
	c.Require(p.Due.IsZero() || !p.Due.Before(p.On), "due", "期限不能早于承诺之日", "it cannot be due before it was promised")
	c.Digest("document", p.Document, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if p.Due.IsZero() {
		return nil, refuse("C59", "请填写落实期限（due）", "say by when the measure is to be there (due)")
	}
	return []Event{SupportPromised{
		Support: l.number("S", len(l.Support)), Provider: ref, Kind: p.Kind, Text: p.Text, On: p.On,
		Due: p.Due, Document: p.Document,
	}}, nil
}

// SupportPromised records a measure and the day it is due.
type SupportPromised struct {
	Support  string           `json:"support"`
	Provider domain.EntityRef `json:"provider"`
	Kind     SupportKind      `json:"kind"`
	Text     domain.Text      `json:"text"`
	On       domain.Date      `json:"on"`
	Due      domain.Date      `json:"due"`
	Document string           `json:"document,omitempty"`
}

// Sentence returns the event in words.
func (e SupportPromised) Sentence() domain.Text {
	return domain.Textf("%[2]s于 %[4]s 承诺支持措施 %[1]s（%[3]s，期限 %[5]s）：%[6]s", "On %[4]s %[2]s promised support measure %[1]s (%[3]s, due on %[5]s): %[6]s", e.Support, e.Provider.Name, e.Kind, e.On, e.Due, e.Text)
}

func (SupportPromised) subject() subject { return public }

func (e SupportPromised) apply(l *Lab, m domain.Meta) {
	l.Support = append(l.Support, SupportMeasure{ID: e.Support, Provider: e.Provider, Kind: e.Kind, Text: e.Text,
		On: e.On, Due: e.Due, Document: e.Document, Event: m.ID})
}

// DeliverSupport records that a measure was delivered (C59).
type DeliverSupport struct {
	domain.Grounds
	Support  string      `json:"support" doc:"e.g. S1"`
	On       domain.Date `json:"on" doc:"Since when it is there"`
	Evidence string      `json:"evidence" doc:"Digest of the evidence"`
}

// Decide refuses a measure that was delivered already.
func (d DeliverSupport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", d.On, x.Today())
	c.Digest("evidence", d.Evidence, false)
	s := found(&c, "support", "S", l.Support, d.Support)
	if s != nil {
		c.Require(s.Delivered.IsZero(), "support", "该措施已于 %s 落实", "this measure has been there since %s", s.Delivered)
		notBefore(&c, d.On, s.On, "不能早于承诺之日 %s", "it cannot come before the promise, of %s", s.On)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{SupportDelivered{s.ID, s.Provider, d.On, d.Evidence}}, nil
}

// SupportDelivered records that a measure was delivered.
type SupportDelivered struct {
	Support  string           `json:"support"`
	Provider domain.EntityRef `json:"provider"`
	On       domain.Date      `json:"on"`
	Evidence string           `json:"evidence"`
}

// Sentence returns the event in words.
func (e SupportDelivered) Sentence() domain.Text {
	return domain.Textf("%[2]s于 %[3]s 落实支持措施 %[1]s", "On %[3]s %[2]s delivered support measure %[1]s", e.Support, e.Provider.Name, e.On)
}

func (SupportDelivered) subject() subject { return public }

func (e SupportDelivered) apply(l *Lab, _ domain.Meta) {
	if s := numbered(l.Support, e.Support); s != nil {
		s.Delivered, s.Evidence = e.On, e.Evidence
	}
}

// MinistrySupport is support that the ministry considers. It does not count until
// it is granted (C82).
type MinistrySupport struct {
	ID       string      `json:"id"` // G1, G2 …
	Text     domain.Text `json:"text"`
	On       domain.Date `json:"on"`
	Decision string      `json:"decision,omitempty"` // granted or declined
	Decided  domain.Date `json:"decided,omitzero"`
	Quantity *Quantity   `json:"quantity,omitempty"` // what was granted
	Document string      `json:"document,omitempty"` // number of the decision
	Ground   domain.Text `json:"ground,omitzero"`
	Event    uuid.UUID   `json:"event"`
}

// The decisions of the ministry on support.
const (
	granted  = "granted"
	declined = "declined"
)

// ConsiderMinistrySupport records that the ministry considers support (C82).
type ConsiderMinistrySupport struct {
	domain.Grounds
	Text domain.Text `json:"text" doc:"What is considered"`
	On   domain.Date `json:"on" doc:"Since when"`
}

// Decide refuses a consideration without a subject.
func (s ConsiderMinistrySupport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("text", s.Text)
	c.NotFuture("on", s.On, x.Today())
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{MinistrySupportConsidered{l.number("G", len(l.MinistrySupport)), s.Text, s.On}}, nil
}

// MinistrySupportConsidered records that the ministry considers support.
type MinistrySupportConsidered struct {
	Support string      `json:"support"`
	Text    domain.Text `json:"text"`
	On      domain.Date `json:"on"`
}

// Sentence returns the event in words.
func (e MinistrySupportConsidered) Sentence() domain.Text {
	return domain.Textf("%[3]s 教育部研究给予支持 %[1]s：%[2]s", "From %[3]s the ministry considers support %[1]s: %[2]s", e.Support, e.Text, e.On)
}

func (MinistrySupportConsidered) subject() subject { return public }

func (e MinistrySupportConsidered) apply(l *Lab, m domain.Meta) {
	l.MinistrySupport = append(l.MinistrySupport, MinistrySupport{ID: e.Support, Text: e.Text, On: e.On, Event: m.ID})
}

// GrantMinistrySupport records that the ministry grants what it considered. A
// commitment from the ministry can become firm only as far as grants go (C82).
type GrantMinistrySupport struct {
	domain.Grounds
	Support  string      `json:"support" doc:"e.g. G1"`
	On       domain.Date `json:"on" doc:"When it was granted"`
	Quantity Quantity    `json:"quantity" doc:"How much of what"`
	Document string      `json:"document" minLength:"1" maxLength:"200" doc:"Number of the decision (文号)"`
}

// Decide refuses a second decision on the same support.
func (s GrantMinistrySupport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	var c domain.Check
	q := s.Quantity.checked(&c, "quantity")
	c.Require(s.Document != "", "document", "请填写文号", "give the number of the decision")
	return l.decideSupport(&c, x, MinistrySupportDecided{Support: s.Support, Decision: granted, On: s.On,
		Quantity: &q, Document: s.Document})
}

// DeclineMinistrySupport records that the ministry does not grant what it considered (C82).
type DeclineMinistrySupport struct {
	domain.Grounds
	Support string      `json:"support" doc:"e.g. G1"`
	On      domain.Date `json:"on" doc:"When it was decided"`
	Ground  domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses a second decision on the same support.
func (s DeclineMinistrySupport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	var c domain.Check
	c.Text("ground", s.Ground)
	return l.decideSupport(&c, x, MinistrySupportDecided{Support: s.Support, Decision: declined, On: s.On,
		Ground: s.Ground})
}

func (l *Lab) decideSupport(c *domain.Check, x domain.Context, e MinistrySupportDecided) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	c.NotFuture("on", e.On, x.Today())
	if s := found(c, "support", "G", l.MinistrySupport, e.Support); s != nil {
		c.Require(s.Decision == "", "support", "已于 %s 作出决定；如有新的支持，请另行登记研究", "it was decided on %s; record another consideration for further support", s.Decided)
		notBefore(c, e.On, s.On, "不能早于开始研究之日 %s", "it cannot come before it was considered, from %s", s.On)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

// MinistrySupportDecided records the ministry's decision on support.
type MinistrySupportDecided struct {
	Support  string      `json:"support"`
	Decision string      `json:"decision"`
	On       domain.Date `json:"on"`
	Quantity *Quantity   `json:"quantity,omitempty"`
	Document string      `json:"document,omitempty"`
	Ground   domain.Text `json:"ground,omitzero"`
}

// Sentence returns the event in words.
func (e MinistrySupportDecided) Sentence() domain.Text {
	if e.Quantity == nil {
		return domain.Textf("%[2]s 教育部决定不给予支持 %[1]s：%[3]s", "On %[2]s the ministry declined support %[1]s: %[3]s", e.Support, e.On, e.Ground)
	}
	return domain.Textf("%[2]s 教育部决定给予支持 %[1]s：%[3]s（%[4]s）", "On %[2]s the ministry granted support %[1]s: %[3]s (%[4]s)", e.Support, e.On, *e.Quantity, e.Document)
}

func (MinistrySupportDecided) subject() subject { return public }

func (e MinistrySupportDecided) apply(l *Lab, _ domain.Meta) {
	if s := numbered(l.MinistrySupport, e.Support); s != nil {
		s.Decision, s.Decided, s.Quantity, s.Document, s.Ground = e.Decision, e.On, e.Quantity, e.Document, e.Ground
	}
}

// ministryFunds returns what the ministry has granted by a day in the unit of q, and
// what its firm commitments come to if f is one of them, for q.
func (l *Lab) ministryFunds(f *Commitment, q Quantity, on domain.Date) (have, want Quantity) {
	have, want = q.nothing(), q
	for _, s := range l.MinistrySupport {
		if s.Decision == granted && !s.Decided.After(on) {
			have = have.combine(*s.Quantity, +1)
		}
	}
	for i := range l.Commitments {
		if o := &l.Commitments[i]; o.ID != f.ID && o.Source == MinistryFunds && o.firmOn(on) {
			want = want.combine(o.Quantity, +1)
		}
	}
	return have, want
}

// grantedFor returns a refusal where a commitment from the ministry would bind for
// more than the ministry has granted by a day (C82). It accepts all others.
func (l *Lab) grantedFor(f *Commitment, q Quantity, on domain.Date) error {
	if f.Source != MinistryFunds {
		return nil
	}
	have, want := l.ministryFunds(f, q, on)
	if have.covers(want) {
		return nil
	}
	return refuse("C82", "至 %s 教育部已决定给予的支持为 %s，少于 %s；请先登记教育部的决定", "by %s the ministry has granted %s, less than %s; record its decision first", on, have, want)
}

// SucceedHost records that another university succeeded the host by law, in
// everything that bound the host (C78).
type SucceedHost struct {
	domain.Grounds
	Successor uuid.UUID   `json:"successor" doc:"The university in its place"`
	On        domain.Date `json:"on" doc:"The first day it is the host"`
	Evidence  string      `json:"evidence" doc:"Digest of the act or decision"`
}

// UsesEntities returns the successor.
func (s SucceedHost) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Successor} }

// Decide refuses a successor that is no Chinese university (C78), or a party to
// one of the host's agreements already.
func (s SucceedHost) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	next := x.EntityOn(&c, "successor", s.Successor, s.On)
	c.Require(s.Successor != l.Host.ID, "successor", "它已是依托单位", "it is the host already")
	c.NotFuture("on", s.On, x.Today())
	for _, a := range l.hostAgreements() {
		c.Require(s.Successor == l.Host.ID || a.party(s.Successor) == nil, "successor", "承继单位已是协议 %s 的一方", "the successor is a party to agreement %s already", a.ID)
		joined := a.party(l.Host.ID).Joined
		notBefore(&c, s.On, joined, "不能早于依托单位加入协议 %[2]s 之日 %[1]s", "it cannot come before the host joined agreement %[2]s, on %[1]s", joined, a.ID)
	}
	c.Digest("evidence", s.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if next.Side != domain.Chinese || next.Kind != "university" {
		return nil, refuse("C78", "依托单位只能由中方高校承继；%s不是", "only a Chinese university can succeed the host; %s is none", next.Name)
	}
	return []Event{HostSucceeded{l.Host, next, s.On, s.Evidence}}, nil
}

// hostAgreements returns the agreements that have not ended and bind the host.
func (l *Lab) hostAgreements() []*Agreement {
	var as []*Agreement
	for i := range l.Agreements {
		if a := &l.Agreements[i]; a.Ended == "" && a.party(l.Host.ID) != nil {
			as = append(as, a)
		}
	}
	return as
}

// HostSucceeded records that another university succeeded the host.
type HostSucceeded struct {
	From     domain.EntityRef `json:"from"`
	To       domain.EntityRef `json:"to"`
	On       domain.Date      `json:"on"`
	Evidence string           `json:"evidence"`
}

// Sentence returns the event in words.
func (e HostSucceeded) Sentence() domain.Text {
	return domain.Textf("自 %[3]s 起，依托单位由%[1]s变更为其承继单位%[2]s", "From %[3]s %[2]s is the host, in the place of %[1]s", e.From.Name, e.To.Name, e.On)
}

func (HostSucceeded) subject() subject { return public }

func (e HostSucceeded) apply(l *Lab, m domain.Meta) {
	for _, a := range l.hostAgreements() {
		PartySucceeded{Agreement: a.ID, Party: e.From, Successor: e.To, On: e.On, Evidence: e.Evidence}.apply(l, m)
		l.Host = e.From // the next agreement still names it
	}
	l.Host = e.To
	for i := range l.Commitments { // those under no agreement
		if f := &l.Commitments[i]; f.Party.ID == e.From.ID && f.Closed == "" {
			f.Party = e.To
		}
	}
	for i := range l.Support {
		if s := &l.Support[i]; s.Provider.ID == e.From.ID && s.Delivered.IsZero() {
			s.Provider = e.To
		}
	}
}

// PromisedBy returns the support measures of a provider, in the order promised (C77).
func (l *Lab) PromisedBy(provider uuid.UUID) []SupportMeasure {
	return slices.DeleteFunc(slices.Clone(l.Support), func(s SupportMeasure) bool { return s.Provider.ID != provider })
}
