package domain

import "github.com/google/uuid"

// Event is a fact about an aggregate whose state is S.
type Event interface {
	// Sentence says in Chinese and English what happened, for people who read
	// the trail.
	Sentence() Text
}

// Happened is an event with what the register recorded about it.
type Happened[E any] struct {
	Meta  Meta
	Event E
}

// Correction is an event that puts a clerical mistake right: Event names the
// event that was wrong and With is what it should have said. The wrong event
// stays in the history for ever; only what is folded from it changes.
type Correction struct {
	Corrects uuid.UUID `json:"corrects"`
	With     Event     `json:"with"`
}

// Effective returns the history as corrections leave it: each corrected event
// says what its last correction says, in its old place, and the corrections
// themselves are gone. correction reports whether an event is one.
func Effective[E any](history []Happened[E], correction func(E) (Correction, bool)) []Happened[E] {
	with := map[uuid.UUID]E{}
	for _, h := range history {
		if c, ok := correction(h.Event); ok {
			with[c.Corrects] = c.With.(E)
		}
	}
	effective := make([]Happened[E], 0, len(history))
	for _, h := range history {
		if _, ok := correction(h.Event); ok {
			continue
		}
		if e, ok := with[h.Meta.ID]; ok {
			h.Event = e
		}
		effective = append(effective, h)
	}
	return effective
}
