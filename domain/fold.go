package domain

import "github.com/google/uuid"

// Event is a fact about an aggregate.
type Event interface {
	// Sentence returns what happened in Chinese and English, for people who
	// read the trail.
	Sentence() Text
}

// RecordedEvent is an event with the metadata it was recorded with.
type RecordedEvent[E Event] struct {
	Meta  Meta
	Event E
}

// Aggregate is a state folded from events of type E. Apply folds one in and
// never fails: what was accepted once is a fact for ever.
type Aggregate[E Event] interface {
	Apply(RecordedEvent[E])
}

// Correction replaces an event that holds a clerical mistake: Corrects is the id
// of that event and With the event as it should have been. The wrong event stays
// in the history for ever; only the state folded from it changes. Each aggregate
// has an event that embeds a Correction.
type Correction struct {
	Corrects uuid.UUID `json:"corrects"`
	With     Restated  `json:"with"`
}

// Correcting returns the correction itself; embedding it gives an event this method.
func (c Correction) Correcting() Correction { return c }

// Sentence returns the corrected event in words.
func (c Correction) Sentence() Text {
	s := c.With.Event.Sentence()
	return Text{"更正此前的登记，应为：" + s.Chinese(), "Corrected an earlier entry, which should read: " + s.English()}
}

// Restated is an event inside another one.
type Restated struct{ Event Event }

// AsCorrection returns the correction an event makes, if it makes one.
func AsCorrection(e any) (Correction, bool) {
	c, ok := e.(interface{ Correcting() Correction })
	if !ok {
		return Correction{}, false
	}
	return c.Correcting(), true
}

// Effective returns the history with its corrections applied: the last
// correction of an event takes its place, with Meta.Correctors set, and the
// corrections themselves are left out.
func Effective[E Event](history []RecordedEvent[E]) []RecordedEvent[E] {
	last, by := map[uuid.UUID]E{}, map[uuid.UUID][]string{}
	for _, h := range history {
		if c, ok := AsCorrection(h.Event); ok {
			last[c.Corrects] = c.With.Event.(E)
			by[c.Corrects] = append(by[c.Corrects], h.Meta.Actor.Subject)
		}
	}
	effective := make([]RecordedEvent[E], 0, len(history))
	for _, h := range history {
		if _, ok := AsCorrection(h.Event); ok {
			continue
		}
		if e, ok := last[h.Meta.ID]; ok {
			h.Event, h.Meta.Correctors = e, by[h.Meta.ID]
		}
		effective = append(effective, h)
	}
	return effective
}

// Fold applies a history, with its corrections applied, to an empty state.
func Fold[E Event](state Aggregate[E], history []RecordedEvent[E]) {
	for _, h := range Effective(history) {
		state.Apply(h)
	}
}
