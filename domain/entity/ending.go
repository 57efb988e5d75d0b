package entity

import (
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Status is the state of an entity on a day.
type Status string

// The statuses. An entity that is no longer active stays so.
const (
	Unregistered   Status = ""
	NotEstablished Status = "not-established"
	Active         Status = "active"
	Succession     Status = "succeeded"
	Merger         Status = "merged"
	Closure        Status = "closed"
)

// Ending is the end of an entity: how, when and into which other.
type Ending struct {
	How  Status             `json:"how" enum:"succeeded,merged,closed" zh:"方式" en:"how"`
	On   domain.PartialDate `json:"on"`
	Into *domain.EntityRef  `json:"into,omitempty" zh:"并入" en:"into"` // the successor, or what it merged into
}

// words returns the ending in words.
func (d *Ending) words() domain.Text {
	switch d.How {
	case Succession:
		return Succeeded{*d.Into, d.On}.words()
	case Merger:
		return Merged{*d.Into, d.On}.words()
	}
	return Closed{d.On}.words()
}

// StatusOn returns the status on a day. Where only a month or year is known, the
// entity is taken to be there for all of it.
func (e *Entity) StatusOn(day domain.Date) Status {
	switch {
	case e.Kind == "":
		return Unregistered
	case day.Before(e.Established.Earliest()):
		return NotEstablished
	case e.Ended == nil || !e.Ended.certainOn(day):
		return Active
	}
	return e.Ended.How
}

// certainOn reports whether the ending has come by a day under any reading of
// its date: from a known day on, or once a month or year is over.
func (d *Ending) certainOn(day domain.Date) bool {
	return until(d.On).Latest().Before(day)
}

// checkEnd reports to c a date on which the entity cannot have ended.
func (e *Entity) checkEnd(c *domain.Check, on domain.PartialDate, x domain.Context) {
	given(c, "on", on, x.Today())
	c.Require(on.IsZero() || !on.Latest().Before(e.Established.Earliest()), "on",
		"日期早于该法人的成立日期 %s", "the date is before the entity was established, %s", e.Established)
}

// checkOther returns the entity that this one ends into, and reports it to c where
// it is unknown or this entity itself.
func (e *Entity) checkOther(c *domain.Check, path string, id uuid.UUID, x domain.Context) domain.EntityRef {
	if id == e.ID {
		c.Require(false, path, "不能填写该法人自身；请填写另一个法人", "this is the entity itself; name another one")
		return domain.EntityRef{}
	}
	return x.Entity(c, path, id)
}

// SucceedEntity ends the entity because another one took its place.
type SucceedEntity struct {
	domain.Grounds
	Successor uuid.UUID          `json:"successor" doc:"The legal entity that took its place"`
	On        domain.PartialDate `json:"on" doc:"From when, as far as known"`
}

// Succeeded records that another entity took this one's place.
type Succeeded struct {
	Successor domain.EntityRef   `json:"successor"`
	On        domain.PartialDate `json:"on"`
}

// UsesEntities returns the successor.
func (s SucceedEntity) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Successor} }

// Decide refuses the entity itself and one that the register does not know.
func (s SucceedEntity) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	e.checkEnd(&c, s.On, x)
	event := Succeeded{e.checkOther(&c, "successor", s.Successor, x), s.On}
	return domain.Accept[Event](event, c.Err())
}

func (s Succeeded) apply(e *Entity, _ domain.Meta) {
	e.Ended = &Ending{Succession, s.On, &s.Successor}
}

func (s Succeeded) words() domain.Text {
	return domain.Textf("已于 %[2]s 由“%[1]s”承继", "was succeeded by “%s” as of %s", s.Successor.Name, s.On)
}

// Sentence names the successor.
func (s Succeeded) Sentence() domain.Text { return sentence(s.words()) }

// MergeEntity ends the entity because it became part of another one.
type MergeEntity struct {
	domain.Grounds
	Into uuid.UUID          `json:"into" doc:"The legal entity it became part of"`
	On   domain.PartialDate `json:"on" doc:"From when, as far as known"`
}

// Merged records that the entity became part of another one.
type Merged struct {
	Into domain.EntityRef   `json:"into"`
	On   domain.PartialDate `json:"on"`
}

// UsesEntities returns the entity merged into.
func (g MergeEntity) UsesEntities() []uuid.UUID { return []uuid.UUID{g.Into} }

// Decide refuses the entity itself and one that the register does not know.
func (g MergeEntity) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	e.checkEnd(&c, g.On, x)
	event := Merged{e.checkOther(&c, "into", g.Into, x), g.On}
	return domain.Accept[Event](event, c.Err())
}

func (g Merged) apply(e *Entity, _ domain.Meta) { e.Ended = &Ending{Merger, g.On, &g.Into} }

func (g Merged) words() domain.Text {
	return domain.Textf("已于 %[2]s 并入“%[1]s”", "merged into “%s” as of %s", g.Into.Name, g.On)
}

// Sentence names the entity merged into.
func (g Merged) Sentence() domain.Text { return sentence(g.words()) }

// CloseEntity ends the entity without a successor.
type CloseEntity struct {
	domain.Grounds
	On domain.PartialDate `json:"on" doc:"From when, as far as known"`
}

// Closed records that the entity ended without a successor.
type Closed struct {
	On domain.PartialDate `json:"on"`
}

// Decide refuses a date that has not come.
func (k CloseEntity) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	e.checkEnd(&c, k.On, x)
	return domain.Accept[Event](Closed{k.On}, c.Err())
}

func (k Closed) apply(e *Entity, _ domain.Meta) { e.Ended = &Ending{How: Closure, On: k.On} }

func (k Closed) words() domain.Text {
	return domain.Textf("已于 %s 终止", "was closed as of %s", k.On)
}

// Sentence gives the date.
func (k Closed) Sentence() domain.Text { return sentence(k.words()) }

func sentence(words domain.Text) domain.Text {
	return domain.Textf("该法人%s", "The legal entity %s", words)
}
