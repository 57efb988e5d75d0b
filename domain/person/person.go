// Package person is a natural person whom events name, known to the register by
// a number of its own.
//
// No event names a person in the clear: each person's name, title and identifiers
// are sealed with a key of that person's, which is kept outside the ledger. The
// only event of a person is its erasure: the key is destroyed, every event stays
// as it was recorded, and nobody can read any more whom it names (个人信息保护法
// 第四十七条, the right to deletion).
package person

import (
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Person is the state folded from a person's events.
type Person struct {
	ID     uuid.UUID    `json:"id"`
	Erased *domain.Meta `json:"erased,omitempty"` // when, by whom and why; nil: not erased
}

// New returns the person with the given number before the first event.
func New(id uuid.UUID) *Person { return &Person{ID: id} }

// Event is a fact about a person.
type Event interface {
	domain.Event
	apply(*Person, domain.Meta)
}

// Command is a request about a person.
type Command = domain.Command[*Person, Event]

// Apply folds an event in.
func (p *Person) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(p, h.Meta) }

// Erase makes a person's data unreadable, for good.
type Erase struct{ domain.Grounds }

// Decide refuses a second erasure, and an erasure without a reason.
func (e Erase) Decide(p *Person, _ domain.Context) ([]Event, error) {
	if p.Erased != nil {
		return nil, domain.Reject(domain.State, "此人的个人信息已删除", "this person's data was erased already")
	}
	var c domain.Check
	c.Require(strings.TrimSpace(e.Reason) != "", "reason", "请说明删除的理由，如本人的请求及其日期；请勿写入姓名", "say why, e.g. the person's own request and its day; do not write the name")
	return domain.Accept[Event](Erased{}, c.Err())
}

// Erased records that a person's key is destroyed: what events hold of the person
// is kept and cannot be read.
type Erased struct{}

// Sentence returns the event in words.
func (Erased) Sentence() domain.Text {
	return domain.T("删除一人的个人信息", "Erased a person's data")
}

func (Erased) apply(p *Person, m domain.Meta) { p.Erased = &m }
