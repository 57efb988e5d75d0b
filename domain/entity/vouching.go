package entity

import (
	"slices"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// AssertIdentifier records an identifier that a source gives for the entity.
type AssertIdentifier struct {
	domain.Grounds
	domain.Identifier
	Source string `json:"source" doc:"Where the identifier was seen: a certificate, a register, a page" minLength:"1" maxLength:"1000"`
}

// IdentifierAsserted records an identifier of the entity with its source.
type IdentifierAsserted struct{ Assertion }

// Decide refuses an identifier without a source, or one the entity has already.
func (a AssertIdentifier) Decide(e *Entity, _ domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	event := IdentifierAsserted{Assertion{canonical(&c, "", a.Identifier), checkSource(&c, a.Source)}}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if e.identifier(event.Identifier) >= 0 {
		return nil, domain.Reject(domain.Exists, "该法人已有标识符 %s；如另有来源可证实，请使用证实命令",
			"the entity has the identifier %s already; if another source confirms it, corroborate it", event.Identifier)
	}
	return []Event{event}, nil
}

func (a IdentifierAsserted) apply(e *Entity, m domain.Meta) {
	if a.Source == "" { // registered with the entity: what the registration rests on
		a.Source = m.Because.Basis.Source
	}
	e.Identifiers = append(e.Identifiers, Identifier{Assertion: a.Assertion, AssertedBy: m.Actor.Subject,
		CorrectedBy: m.Correctors})
}

// Sentence quotes the identifier and its source.
func (a IdentifierAsserted) Sentence() domain.Text {
	return domain.Textf("登记标识符 %s，来源：%s", "Asserted the identifier %s, seen in: %s", a.Identifier, a.Source)
}

// CorroborateIdentifier records that another source gives the same identifier.
type CorroborateIdentifier struct {
	domain.Grounds
	domain.Identifier
	Source string `json:"source" doc:"Where else the identifier was seen" minLength:"1" maxLength:"1000"`
}

// IdentifierCorroborated records that a further source gives an identifier.
type IdentifierCorroborated struct {
	domain.Identifier
	Source string `json:"source"`
}

// Decide refuses a person who asserted, corrected or corroborated the identifier
// before, and a source cited before.
func (r CorroborateIdentifier) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	source := checkSource(&c, r.Source)
	id, i, err := e.named(&c, r.Identifier)
	if err != nil {
		return nil, err
	}
	known := e.Identifiers[i]
	if known.AssertedBy == x.Actor.Subject || slices.Contains(known.CorrectedBy, x.Actor.Subject) {
		return nil, domain.Reject(domain.Refused, "标识符 %s 由您本人登记或更正；请由其他人员证实",
			"you asserted %s yourself, or corrected it; somebody else must corroborate it", id)
	}
	sources := []string{known.Source}
	for _, k := range known.Corroborated {
		if k.By == x.Actor.Subject || slices.Contains(k.CorrectedBy, x.Actor.Subject) {
			return nil, domain.Reject(domain.Exists, "您已证实过标识符 %s；再次证实须由其他人员进行",
				"you corroborated %s before; a further corroboration must come from somebody else", id)
		}
		sources = append(sources, k.Source)
	}
	same := slices.ContainsFunc(sources, func(s string) bool { return strings.EqualFold(s, source) })
	c.Require(!same, "source", "该来源已经引用；请填写另一独立来源", "this source is quoted already; give an independent one")
	return domain.Accept[Event](IdentifierCorroborated{id, source}, c.Err())
}

func (r IdentifierCorroborated) apply(e *Entity, m domain.Meta) {
	if i := e.identifier(r.Identifier); i >= 0 {
		k := Corroboration{r.Source, m.Actor.Subject, m.Correctors, domain.DateOf(m.Time)}
		e.Identifiers[i].Corroborated = append(e.Identifiers[i].Corroborated, k)
	}
}

// Sentence quotes the identifier and the further source.
func (r IdentifierCorroborated) Sentence() domain.Text {
	return domain.Textf("证实标识符 %s，来源：%s", "Corroborated the identifier %s, seen in: %s", r.Identifier, r.Source)
}

// WithdrawIdentifier withdraws an identifier that proved wrong or was revoked, as
// Reason tells. An entity that has ended may still lose one.
type WithdrawIdentifier struct {
	domain.Grounds
	domain.Identifier
}

// IdentifierWithdrawn records that an identifier no longer counts; the reason is
// the event's own.
type IdentifierWithdrawn struct{ domain.Identifier }

// Decide refuses a withdrawal without a reason.
func (w WithdrawIdentifier) Decide(e *Entity, _ domain.Context) ([]Event, error) {
	if err := e.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(strings.TrimSpace(w.Reason) != "", "reason", "请说明撤回该标识符的理由", "say why the identifier is withdrawn")
	id, _, err := e.named(&c, w.Identifier)
	return domain.Accept[Event](IdentifierWithdrawn{id}, err)
}

func (w IdentifierWithdrawn) apply(e *Entity, m domain.Meta) {
	if i := e.identifier(w.Identifier); i >= 0 {
		e.Identifiers[i].Withdrawn = &Withdrawal{m.Because.Reason, m.Actor.Subject, domain.DateOf(m.Time)}
	}
}

// Sentence quotes the identifier.
func (w IdentifierWithdrawn) Sentence() domain.Text {
	return domain.Textf("撤回标识符 %s", "Withdrew the identifier %s", w.Identifier)
}
