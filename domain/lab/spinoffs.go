package lab

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// SpinOff is a company that grew out of the lab (衍生企业; C14, C36).
type SpinOff struct {
	Name     domain.Text       `json:"name"`
	On       domain.Date       `json:"on"`
	Evidence string            `json:"evidence"`
	Entity   *domain.EntityRef `json:"entity,omitempty"` // where the register has it
	Event    uuid.UUID         `json:"event"`
}

// FoundSpinOff records that a spin-off company was founded.
type FoundSpinOff struct {
	domain.Grounds
	Name     domain.Text `json:"name" doc:"What the company is called"`
	On       domain.Date `json:"on" doc:"When it was founded"`
	Evidence string      `json:"evidence" doc:"Digest of the document that shows its founding"`
	Entity   uuid.UUID   `json:"entity,omitzero" doc:"The company, if it is registered as a legal entity"`
}

// UsesEntities returns the company, if it is registered.
func (f FoundSpinOff) UsesEntities() []uuid.UUID { return []uuid.UUID{f.Entity} }

// Decide refuses a company without a name or evidence, and a legal entity that
// is on record as a spin-off already.
func (f FoundSpinOff) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("name", f.Name)
	c.NotFuture("on", f.On, x.Today())
	c.Digest("evidence", f.Evidence, false)
	e := SpinOffFounded{Name: f.Name, On: f.On, Evidence: f.Evidence}
	if f.Entity != uuid.Nil {
		company := x.Entity(&c, "entity", f.Entity)
		e.Entity = &company
		c.Require(!slices.ContainsFunc(l.SpinOffs,
			func(s SpinOff) bool { return s.Entity != nil && s.Entity.ID == f.Entity }),
			"entity", "该企业已登记", "this company is on record already")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

// SpinOffFounded records that a spin-off company was founded.
type SpinOffFounded struct {
	Name     domain.Text       `json:"name"`
	On       domain.Date       `json:"on"`
	Evidence string            `json:"evidence"`
	Entity   *domain.EntityRef `json:"entity,omitempty"`
}

// Sentence returns the event in words.
func (e SpinOffFounded) Sentence() domain.Text {
	return domain.Textf("%[2]s 成立衍生企业“%[1]s”", "On %[2]s the spin-off company “%[1]s” was founded", e.Name, e.On)
}

func (SpinOffFounded) subject() subject { return public }

func (e SpinOffFounded) apply(l *Lab, m domain.Meta) {
	l.SpinOffs = append(l.SpinOffs, SpinOff{Name: e.Name, On: e.On, Evidence: e.Evidence, Entity: e.Entity,
		Event: m.ID})
}
