package eventstore

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
)

// kinds are the kinds of aggregates there are. A kind has its name from the
// package in domain, and so have its events.
var kinds = map[string]kind{
	"lab":       kindOf[*lab.Lab, lab.Event]("labs", lab.New),
	"entity":    kindOf[*entity.Entity, entity.Event]("entities", entity.New),
	"programme": kindOf[*programme.Programme, programme.Event]("programmes", programme.New),
	"key":       kindOf[*key.Key, key.Event]("keys", key.New),
	"person":    kindOf[*person.Person, person.Event]("persons", person.New),
	"webhook":   kindOf[*webhook.Webhook, webhook.Event]("webhooks", webhook.New),
}

type kind struct {
	plural string
	empty  func(uuid.UUID) State
}

func kindOf[S domain.Aggregate[E], E domain.Event](plural string, empty func(uuid.UUID) S) kind {
	return kind{plural, func(id uuid.UUID) State { return &stateOf[S, E]{id, empty, empty(id)} }}
}

// Kinds returns the kinds of streams there are.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Plural returns what aggregates of a kind are called in paths: entities, for entity.
func Plural(kind string) string { return kinds[kind].plural }

// State is an aggregate of whichever kind, being folded from its events.
type State interface {
	Apply(Decoded) error     // fold in an event that is no correction
	Refold(...Decoded) error // begin anew, from a whole history with its corrections
	Value() any              // the aggregate itself
}

// NewState returns the state of a stream before its first event; false where its
// kind is unknown.
func NewState(s Stream) (State, bool) {
	k, ok := kinds[s.Kind]
	if !ok {
		return nil, false
	}
	return k.empty(s.ID), true
}

type stateOf[S domain.Aggregate[E], E domain.Event] struct {
	id    uuid.UUID
	empty func(uuid.UUID) S
	state S
}

func (a *stateOf[S, E]) Value() any { return a.state }

func (a *stateOf[S, E]) Apply(d Decoded) (err error) {
	defer unfoldable(&err)
	h, err := HappenedIn[E](d)
	if err == nil {
		a.state.Apply(h)
	}
	return err
}

func (a *stateOf[S, E]) Refold(history ...Decoded) (err error) {
	defer unfoldable(&err)
	all := make([]domain.RecordedEvent[E], len(history))
	for i, d := range history {
		if all[i], err = HappenedIn[E](d); err != nil {
			return err
		}
	}
	a.state = a.empty(a.id)
	domain.Fold(a.state, all)
	return nil
}

// unfoldable makes an error of a panic: an event may be forged.
func unfoldable(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it cannot be folded: %v", p)
	}
}

// HappenedIn returns a decoded event as one of an aggregate whose events are E.
func HappenedIn[E domain.Event](d Decoded) (domain.RecordedEvent[E], error) {
	e, ok := d.Event.(E)
	if !ok {
		return domain.RecordedEvent[E]{}, fmt.Errorf("an event of type %s does not belong into %s", d.Type, d.Stream)
	}
	return domain.RecordedEvent[E]{Meta: d.Meta, Event: e}, nil
}
