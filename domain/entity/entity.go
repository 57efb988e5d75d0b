// Package entity is the legal entity: the universities, institutes, companies
// and authorities that found, host, fund and supervise joint laboratories.
//
// An entity has many names and many identifiers, each with the time it holds
// or the source that asserts it, because sources disagree and names change. It
// ends once, by succession, merger or closure, and is never deleted. Nothing
// of it is about a person, so nothing of it is ever sealed.
package entity

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Entity is the state folded from a legal entity's events. It is also the
// document that read models keep: folding may go on from its JSON.
type Entity struct {
	ID          uuid.UUID          `json:"id"`
	Kind        Kind               `json:"kind,omitempty"`    // empty: not registered
	Country     string             `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Names       []domain.Name      `json:"names,omitempty"`
	Identifiers []Identifier       `json:"identifiers,omitempty"`
	Established domain.PartialDate `json:"established,omitzero"`
	Ended       *Ending            `json:"ended,omitempty"`
}

// New returns the entity with the given id before its first event.
func New(id uuid.UUID) *Entity { return &Entity{ID: id} }

// Event is a fact about a legal entity.
type Event interface {
	domain.Event
	apply(*Entity, domain.Meta)
}

// Command is a request to a legal entity.
type Command = domain.Command[*Entity, Event]

// Apply folds an event in.
func (e *Entity) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(e, h.Meta) }

// Corrected replaces an earlier event of this entity.
type Corrected struct{ domain.Correction }

// apply panics: domain.Fold puts a correction in the place of the event it
// corrects and never applies it. A fold that applies it as it comes would keep
// the mistake, and must not do so unnoticed.
func (c Corrected) apply(*Entity, domain.Meta) {
	panic("entity: a correction was applied on its own; fold the whole history with domain.Fold")
}

// Voided takes back an event of this entity that should never have been recorded.
type Voided struct{ domain.Void }

// apply has nothing to do: domain.Fold leaves the event out.
func (Voided) apply(*Entity, domain.Meta) {}

// MayRewrite reports why an actor may not correct or void an entry: it is restated
// in the role and for the legal entity it was recorded for, or by an officer.
func MayRewrite(a domain.Actor, recorded domain.Meta) error {
	made := recorded.Actor
	if a.Role == domain.Officer || a.Role == made.Role && a.OnBehalfOf == made.OnBehalfOf {
		return nil
	}
	return domain.Reject(domain.Forbidden, "该登记由 %s 作出，您不能更正或作废；请由登记者或项目官员办理",
		"the %s recorded this entry, and you may not correct or void it; have them or an officer do it", made.Role)
}

// RestsOn reports whether a later event rests on an earlier one that is void or
// corrected: e is the state before the later one, folded without the earlier.
func (e *Entity) RestsOn(_ Event, later domain.RecordedEvent[Event]) bool {
	switch l := later.Event.(type) {
	case IdentifierCorroborated:
		return e.identifier(l.Identifier) < 0
	case IdentifierWithdrawn:
		return e.identifier(l.Identifier) < 0
	}
	return false
}

// Kind is the kind of a legal entity.
type Kind string

// The kinds of legal entities.
const (
	University        Kind = "university"
	ResearchInstitute Kind = "research-institute"
	Company           Kind = "company"
	Government        Kind = "government"
	Other             Kind = "other"
	Unstated          Kind = "unstated" // its source names it without its kind
)

var kinds = map[Kind]domain.Text{
	University:        domain.T("高等学校", "university"),
	ResearchInstitute: domain.T("科研机构", "research institute"),
	Company:           domain.T("企业", "company"),
	Government:        domain.T("政府部门", "government body"),
	Other:             domain.T("其他机构", "other organisation"),
	Unstated:          domain.T("性质未说明", "of a kind not stated"),
}

// Text returns the kind in words.
func (k Kind) Text() domain.Text { return kinds[k] }

// Ref returns the entity as it is now, for events elsewhere that name it.
func (e *Entity) Ref() domain.EntityRef {
	ref := domain.EntityRef{
		ID: e.ID, Name: e.DisplayName(), Kind: string(e.Kind),
		Country: e.Country, Side: domain.SideOf(e.Country), Founded: e.Established.Earliest(),
	}
	if e.Ended != nil {
		ref.Gone = until(e.Ended.On).Latest().AddDays(1)
	}
	for _, id := range e.Identifiers {
		if id.Withdrawn == nil {
			ref.Identifiers = append(ref.Identifiers, id.Identifier)
		}
	}
	return ref
}

// registered returns a refusal where the entity is not in the register.
func (e *Entity) registered() error {
	if e.Kind == "" {
		return domain.Reject(domain.NotFound, "登记簿中没有这个法人；请先登记该法人，或核对编号",
			"no such legal entity in the register; register it first, or check the id")
	}
	return nil
}

// changeable returns a refusal where the entity is not in the register or has ended.
func (e *Entity) changeable() error {
	if err := e.registered(); err != nil {
		return err
	}
	if e.Ended != nil {
		return domain.Reject(domain.State, "该法人%s，不能再变更；如登记有误，请提交更正",
			"this legal entity %s and can no longer be changed; if an entry is wrong, send a correction",
			e.Ended.words())
	}
	return nil
}

// Register enters a legal entity in the register.
type Register struct {
	domain.Grounds
	Kind        Kind               `json:"kind" enum:"university,research-institute,company,government,other,unstated" doc:"What sort of legal entity it is"`
	Country     string             `json:"country" doc:"Where it is established: ISO 3166-1 alpha-2, upper case, e.g. CN" minLength:"2" maxLength:"2"`
	Names       []domain.Name      `json:"names" doc:"Its names; at least one in Chinese or English" minItems:"1" maxItems:"100"`
	Identifiers []Assertion        `json:"identifiers,omitempty" doc:"Its identifiers, each with the source that gives it" maxItems:"50"`
	Established domain.PartialDate `json:"established,omitzero" doc:"When it was founded, as far as known: YYYY, YYYY-MM or YYYY-MM-DD"`
}

// Registered records that a legal entity entered the register.
type Registered struct {
	Kind        Kind               `json:"kind"`
	Country     string             `json:"country"`
	Names       []domain.Name      `json:"names"`
	Identifiers []Assertion        `json:"identifiers,omitempty"`
	Established domain.PartialDate `json:"established,omitzero"`
}

// Decide refuses a second registration and lists every value at fault.
func (r Register) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if e.Kind != "" {
		return nil, domain.Reject(domain.Exists, "该法人已登记为%s；请使用变更命令，或提交更正",
			"this legal entity is registered already, as %s; change or correct it instead", e.DisplayName())
	}
	var c domain.Check
	_, known := kinds[r.Kind]
	c.Require(known, "kind", "法人类别应为 university、research-institute、company、government、other 或 unstated（未说明）",
		"kind must be university, research-institute, company, government, other or unstated")
	c.Require(IsCountry(r.Country), "country", "“%s” 不是国家或地区代码；请填写 ISO 3166-1 的两位大写字母代码，如 CN",
		"%q is not a country; give its ISO 3166-1 code in two capital letters, e.g. CN", r.Country)
	event := Registered{
		Kind: r.Kind, Country: r.Country, Established: r.Established,
		Names: checkNames(&c, r.Names, x.Today()), Identifiers: checkAssertions(&c, r.Identifiers),
	}
	notFuture(&c, "established", r.Established, x.Today())
	return domain.Accept[Event](event, c.Err())
}

func (r Registered) apply(e *Entity, m domain.Meta) {
	e.Kind, e.Country, e.Established = r.Kind, r.Country, r.Established
	e.Names = slices.Clone(r.Names)
	for _, a := range r.Identifiers {
		IdentifierAsserted{a}.apply(e, m)
	}
}

// Sentence names the entity with its kind, country, founding and identifiers,
// so that a correction of any of them reads differently.
func (r Registered) Sentence() domain.Text {
	said := domain.Textf("登记法人“%s”（%s，%s）", "Registered the legal entity “%s” (%s, %s)", domain.Current(r.Names), r.Kind, r.Country)
	if !r.Established.IsZero() {
		said = domain.Textf("%s，成立时间 %s", "%s, established %s", said, r.Established)
	}
	for _, a := range r.Identifiers {
		said = domain.Textf("%s，%s", "%s, %s", said, a.Identifier)
	}
	return said
}

// notFuture reports to c a partial date whose first day is still to come.
func notFuture(c *domain.Check, path string, d domain.PartialDate, today domain.Date) {
	c.Require(!d.Earliest().After(today), path, "日期 %s 尚未到来；今天是 %s", "%s is in the future; today is %s", d, today)
}
