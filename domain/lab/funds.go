package lab

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// FundKind is what a joint fund supports.
type FundKind string

// The kinds of joint funds (C34, C39, C40).
const (
	SeedFund    FundKind = "seed"
	Scholarship FundKind = "scholarship"
	YouthFund   FundKind = "youth"
)

var fundKinds = kindTable[FundKind]{
	{SeedFund, domain.T("种子基金", "seed fund")},
	{Scholarship, domain.T("奖学金", "scholarship fund")},
	{YouthFund, domain.T("青年创新基金", "youth innovation fund")},
}

// Fund is a joint fund, what was paid in and what it awarded. It is kept beside
// the commitments to the lab: what is paid into it counts towards none of them.
type Fund struct {
	ID           string             `json:"id"` // K1, K2 …
	Kind         FundKind           `json:"kind"`
	Name         domain.Text        `json:"name"`
	Contributors []domain.EntityRef `json:"contributors" zh:"出资方" en:"contributor"`
	On           domain.Date        `json:"on"`
	Document     string             `json:"document"`
	Paid         []Payment          `json:"paid,omitempty" zh:"缴款" en:"payment"`
	Awards       []Award            `json:"awards,omitempty"`
	Event        uuid.UUID          `json:"event"`
}

// Payment is what a contributor paid into a fund.
type Payment struct {
	Contributor domain.EntityRef `json:"contributor" zh:"出资方" en:"contributor"`
	Amount      domain.Money     `json:"amount"`
	On          domain.Date      `json:"on"`
	Evidence    string           `json:"evidence"`
	Event       uuid.UUID        `json:"event"`
}

// Award is what a fund granted on a day. Those who got it are counted, not named.
type Award struct {
	On         domain.Date  `json:"on" doc:"When it was granted"`
	Recipients int          `json:"recipients" minimum:"1" doc:"How many people got it" zh:"受益人数" en:"recipients"`
	Amount     domain.Money `json:"amount" doc:"How much, together"`
	Purpose    domain.Text  `json:"purpose" doc:"What for"`
	Evidence   string       `json:"evidence" doc:"Digest of the decision"`
}

// paidBy returns the contributors that had paid something by a day, and the
// events that show it.
func (f *Fund) paidBy(d domain.Date) (who []domain.EntityRef, proof []uuid.UUID) {
	for _, p := range f.Paid {
		if p.On.After(d) {
			continue
		}
		if !slices.ContainsFunc(who, func(e domain.EntityRef) bool { return e.ID == p.Contributor.ID }) {
			who = append(who, p.Contributor)
		}
		proof = append(proof, p.Event)
	}
	return who, proof
}

// spendable returns how much of one currency the fund could pay on a day, so that
// no later day is left with less than nothing, and the day that bounds it.
func (f *Fund) spendable(currency string, on domain.Date) (domain.Decimal, domain.Date) {
	least, day := f.balanceOn(currency, on), on
	for _, a := range f.Awards {
		if left := f.balanceOn(currency, a.On); !a.On.Before(on) && left.Cmp(least) < 0 {
			least, day = left, a.On
		}
	}
	return least, day
}

// EstablishFund records a seed, scholarship or youth fund (C34, C39, C40).
type EstablishFund struct {
	domain.Grounds
	Kind         FundKind    `json:"kind" enum:"seed,scholarship,youth" doc:"What it supports"`
	Name         domain.Text `json:"name" doc:"What it is called"`
	Contributors []uuid.UUID `json:"contributors" minItems:"1" maxItems:"100" doc:"Who pays in: of a seed fund at least two parties, otherwise any legal entity"`
	On           domain.Date `json:"on" doc:"When it was established"`
	Document     string      `json:"document" doc:"Digest of its rules"`
}

// Reach returns nothing that belongs to particular parties.
func (EstablishFund) Reach() Reach { return Reach{} }

// UsesEntities names the contributors.
func (f EstablishFund) UsesEntities() []uuid.UUID { return f.Contributors }

// Decide refuses a seed fund that fewer than two parties set up together (C34).
func (f EstablishFund) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	fundKinds.check(&c, "kind", f.Kind)
	c.Text("name", f.Name)
	c.NotFuture("on", f.On, x.Today())
	c.Digest("document", f.Document, false)
	c.Require(len(f.Contributors) > 0, "contributors", "请填写出资方", "name who pays in")
	refs, together := make([]domain.EntityRef, len(f.Contributors)), 0
	for i, id := range f.Contributors {
		at := fmt.Sprintf("contributors[%d]", i)
		refs[i] = x.Entity(&c, at, id)
		c.Require(!slices.Contains(f.Contributors[:i], id), at, "同一法人重复出现", "this legal entity is named twice")
		if slices.ContainsFunc(l.boundOn(f.On), func(p Party) bool { return p.Entity.ID == id }) {
			together++
		}
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if f.Kind == SeedFund && together < 2 {
		return nil, refuse("C34", "出资方中只有 %d 个协议方；种子基金须由至少两方共同设立", "only %d of the contributors are parties; a seed fund is set up by at least two together", together)
	}
	return []Event{FundEstablished{
		Fund: l.number("K", len(l.Funds)), Kind: f.Kind, Name: f.Name, Contributors: refs, On: f.On,
		Document: f.Document,
	}}, nil
}

// FundEstablished records a joint fund.
type FundEstablished struct {
	Fund         string             `json:"fund"`
	Kind         FundKind           `json:"kind"`
	Name         domain.Text        `json:"name"`
	Contributors []domain.EntityRef `json:"contributors"`
	On           domain.Date        `json:"on"`
	Document     string             `json:"document"`
}

// Sentence returns the event in words.
func (e FundEstablished) Sentence() domain.Text {
	return domain.Textf("%[4]s 设立%[2]s %[1]s“%[3]s”，出资方 %[5]d 个", "On %[4]s the %[2]s %[1]s, “%[3]s”, was established; those who pay in: %[5]d", e.Fund, fundKinds.text(e.Kind), e.Name, e.On, len(e.Contributors))
}

func (FundEstablished) subject() subject { return public }

func (e FundEstablished) apply(l *Lab, m domain.Meta) {
	l.Funds = append(l.Funds, Fund{ID: e.Fund, Kind: e.Kind, Name: e.Name, Contributors: e.Contributors, On: e.On,
		Document: e.Document, Event: m.ID})
}

// ContributeToFund records a payment into a fund.
type ContributeToFund struct {
	domain.Grounds
	Fund        string       `json:"fund" doc:"e.g. K1"`
	Contributor uuid.UUID    `json:"contributor" doc:"Who paid"`
	Amount      domain.Money `json:"amount" doc:"How much"`
	On          domain.Date  `json:"on" doc:"When it arrived"`
	Evidence    string       `json:"evidence" doc:"Digest of the evidence"`
}

// Decide refuses a payment by anyone who is not a contributor of the fund.
func (p ContributeToFund) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	amount := p.Amount.Check(&c, "amount")
	c.Digest("evidence", p.Evidence, false)
	var who domain.EntityRef
	if f := found(&c, "fund", "K", l.Funds, p.Fund); f != nil {
		notBefore(&c, p.On, f.On, "不能早于基金设立之日 %s", "it cannot come before the fund was established, on %s", f.On)
		i := slices.IndexFunc(f.Contributors, func(e domain.EntityRef) bool { return e.ID == p.Contributor })
		c.Require(i >= 0, "contributor", "该法人不是 %s 的出资方", "this legal entity is not a contributor of %s", f.ID)
		if i >= 0 {
			who = f.Contributors[i]
		}
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{FundContributed{
		Fund: p.Fund, Contributor: who, Amount: amount, On: p.On, Evidence: p.Evidence,
	}}, nil
}

// FundContributed records a payment into a fund.
type FundContributed struct {
	Fund        string           `json:"fund"`
	Contributor domain.EntityRef `json:"contributor"`
	Amount      domain.Money     `json:"amount"`
	On          domain.Date      `json:"on"`
	Evidence    string           `json:"evidence"`
}

// Sentence returns the event in words.
func (e FundContributed) Sentence() domain.Text {
	return domain.Textf("%[2]s于 %[4]s 向基金 %[1]s 出资 %[3]s", "On %[4]s %[2]s paid %[3]s into fund %[1]s", e.Fund, e.Contributor.Name, e.Amount, e.On)
}

func (FundContributed) subject() subject { return public }

func (e FundContributed) apply(l *Lab, m domain.Meta) {
	if f := numbered(l.Funds, e.Fund); f != nil {
		f.Paid = append(f.Paid, Payment{
			Contributor: e.Contributor, Amount: e.Amount, On: e.On, Evidence: e.Evidence,
			Event: m.ID,
		})
	}
}

// AwardFromFund records what a fund granted.
type AwardFromFund struct {
	domain.Grounds
	Fund string `json:"fund" doc:"e.g. K1"`
	Award
}

// Decide refuses an award the fund cannot pay.
func (a AwardFromFund) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", a.On, x.Today())
	c.Require(a.Recipients > 0, "recipients", "请填写受资助人数", "say how many people got it")
	a.Award.Amount = a.Amount.Check(&c, "amount")
	c.Text("purpose", a.Purpose)
	c.Digest("evidence", a.Evidence, false)
	if f := found(&c, "fund", "K", l.Funds, a.Fund); f != nil {
		notBefore(&c, a.On, f.On, "不能早于基金设立之日 %s", "it cannot come before the fund was established, on %s", f.On)
		left, day := f.spendable(a.Amount.Currency, a.On)
		c.Require(left.Cmp(a.Amount.Amount) >= 0, "amount", "%[4]s 基金 %[1]s 结余 %[2]s %[3]s，不足以支付",
			"on %[4]s fund %[1]s holds %[2]s %[3]s, which is not enough", f.ID, left, a.Amount.Currency, day)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{FundAwarded{a.Fund, a.Award}}, nil
}

// FundAwarded records what a fund granted.
type FundAwarded struct {
	Fund string `json:"fund"`
	Award
}

// Sentence returns the event in words.
func (e FundAwarded) Sentence() domain.Text {
	return domain.Textf("%[2]s 基金 %[1]s 资助 %[3]d 人，共 %[4]s：%[5]s", "On %[2]s fund %[1]s granted %[4]s (recipients: %[3]d): %[5]s", e.Fund, e.On, e.Recipients, e.Amount, e.Purpose)
}

func (FundAwarded) subject() subject { return public }

func (e FundAwarded) apply(l *Lab, _ domain.Meta) {
	if f := numbered(l.Funds, e.Fund); f != nil {
		f.Awards = append(f.Awards, e.Award)
	}
}

// ExchangeRate is what one unit of a currency is in another, as a source gives
// it for a day.
type ExchangeRate struct {
	From   string         `json:"from" doc:"ISO 4217 code" minLength:"3" maxLength:"3"`
	To     string         `json:"to" doc:"ISO 4217 code" minLength:"3" maxLength:"3"`
	Rate   domain.Decimal `json:"rate" doc:"Units of to for one unit of from" zh:"比率" en:"rate"`
	On     domain.Date    `json:"on" doc:"The day it holds for"`
	Source string         `json:"source" minLength:"1" maxLength:"400" doc:"Who published it"`
}

// RecordRate records a rate with its source, so that a report that converts
// can name it (C81).
type RecordRate struct {
	domain.Grounds
	ExchangeRate
}

// Decide refuses a rate that is not more than zero, and one without a source.
func (r RecordRate) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	for at, code := range map[string]string{"from": r.From, "to": r.To} {
		c.Require(slices.Contains(domain.Currencies(), code), at, "请填写 ISO 4217 币种代码，如 CNY", "give an ISO 4217 code, e.g. CNY")
	}
	c.Require(r.From != r.To, "to", "两个币种相同", "the two currencies are the same")
	c.Require(r.Rate.Sign() > 0, "rate", "汇率必须大于零", "the rate must be more than zero")
	c.NotFuture("on", r.On, x.Today())
	c.Require(r.Source != "", "source", "请注明汇率的公布者", "say who published the rate")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{RateRecorded{r.ExchangeRate}}, nil
}

// RateRecorded records an exchange rate.
type RateRecorded struct{ ExchangeRate }

// Sentence returns the event in words.
func (e RateRecorded) Sentence() domain.Text {
	return domain.Textf("%[4]s 的汇率：1 %[1]s = %[3]s %[2]s（%[5]s）", "Rate of %[4]s: 1 %[1]s = %[3]s %[2]s (%[5]s)", e.From, e.To, e.Rate, e.On, e.Source)
}

func (RateRecorded) subject() subject { return public }

func (e RateRecorded) apply(l *Lab, _ domain.Meta) { l.Rates = append(l.Rates, e.ExchangeRate) }

// rate returns the last rate recorded for a day not after d, or nil.
func (l *Lab) rate(from, to string, d domain.Date) *ExchangeRate {
	var best *ExchangeRate
	for i := range l.Rates {
		if r := &l.Rates[i]; r.From == from && r.To == to && !r.On.After(d) && (best == nil || !r.On.Before(best.On)) {
			best = r
		}
	}
	return best
}

// Structure is where the cash in one currency comes from (C81).
type Structure struct {
	Currency string         `json:"currency"`
	Shares   []Share        `json:"shares"`
	Rates    []ExchangeRate `json:"rates,omitempty"` // with which other currencies were converted
}

// Share is one source's part. Percentages are rounded to two places, each on
// its own.
type Share struct {
	Source           FundingSource  `json:"source"`
	Committed        domain.Decimal `json:"committed"`
	CommittedPercent domain.Decimal `json:"committed_percent"`
	Delivered        domain.Decimal `json:"delivered"`
	DeliveredPercent domain.Decimal `json:"delivered_percent"`
}

// FundingStructure returns where the firm cash comes from on a day: a Structure for
// each currency. Where one is asked for, others are converted into it with the
// rate recorded for the last day before; a currency without a rate stays on
// its own (C81).
func (l *Lab) FundingStructure(on domain.Date, in string) []Structure {
	by := map[string]*Structure{}
	for i := range l.Commitments {
		f := &l.Commitments[i]
		if f.Quantity.Cash == nil {
			continue
		}
		var committed domain.Decimal
		if f.firmOn(on) {
			committed = f.Quantity.Cash.Amount
		}
		delivered := f.deliveredBy(on).Cash.Amount
		if committed.IsZero() && delivered.IsZero() {
			continue
		}
		currency := f.Quantity.Cash.Currency
		r := l.rate(currency, in, on)
		if r != nil {
			committed, delivered = committed.Convert(r.Rate, in), delivered.Convert(r.Rate, in)
			currency = in
		}
		s := by[currency]
		if s == nil {
			s = &Structure{Currency: currency}
			by[currency] = s
		}
		if r != nil && !slices.Contains(s.Rates, *r) {
			s.Rates = append(s.Rates, *r)
		}
		s.add(f.Source, committed, delivered)
	}
	var all []Structure
	for _, s := range by {
		s.percent()
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Structure) int { return cmp.Compare(a.Currency, b.Currency) })
	return all
}

func (s *Structure) add(source FundingSource, committed, delivered domain.Decimal) {
	i := slices.IndexFunc(s.Shares, func(h Share) bool { return h.Source == source })
	if i < 0 {
		i = len(s.Shares)
		s.Shares = append(s.Shares, Share{Source: source})
	}
	h := &s.Shares[i]
	h.Committed, h.Delivered = h.Committed.Add(committed), h.Delivered.Add(delivered)
}

func (s *Structure) percent() {
	var committed, delivered domain.Decimal
	for _, h := range s.Shares {
		committed, delivered = committed.Add(h.Committed), delivered.Add(h.Delivered)
	}
	for i := range s.Shares {
		h := &s.Shares[i]
		h.CommittedPercent, h.DeliveredPercent = h.Committed.PercentOf(committed), h.Delivered.PercentOf(delivered)
	}
	slices.SortFunc(s.Shares, func(a, b Share) int {
		return slices.Index(FundingSources, a.Source) - slices.Index(FundingSources, b.Source)
	})
}
