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

// Sentence returns the corrected event in words.
func (c Correction) Sentence() Text {
	s := c.With.Event.Sentence()
	return Text{"更正此前的登记，应为：" + s.Chinese(), "Corrected an earlier entry, which should read: " + s.English()}
}

// Restated is an event inside another one.
type Restated struct{ Event Event }

// Void takes back an event that should never have been recorded: Voids is the id
// of that event and Was the event as it read last. It stays in the history for
// ever and counts nowhere. Each aggregate that can be corrected has an event that
// embeds a Void.
type Void struct {
	Voids uuid.UUID `json:"voids"`
	Was   Restated  `json:"was"`
}

// Sentence returns the event that is void in words.
func (v Void) Sentence() Text {
	s := v.Was.Event.Sentence()
	return Text{"作废此前的登记，该登记原为：" + s.Chinese(), "Voided an earlier entry, which read: " + s.English()}
}

// Rewrite is what a correction or a void does to an earlier event of its history.
type Rewrite struct {
	Of    uuid.UUID // the earlier event
	Event Event     // what a correction puts in its place, or what is void
	Void  bool
}

// Rewriting returns what the correction does; embedding it gives an event this method.
func (c Correction) Rewriting() Rewrite { return Rewrite{Of: c.Corrects, Event: c.With.Event} }

// Rewriting returns what the void does; embedding it gives an event this method.
func (v Void) Rewriting() Rewrite { return Rewrite{Of: v.Voids, Event: v.Was.Event, Void: true} }

// AsRewrite returns what an event does to an earlier one, and reports whether it
// is a correction or a void. After such an event a history is folded anew.
func AsRewrite(e any) (Rewrite, bool) {
	r, ok := e.(interface{ Rewriting() Rewrite })
	if !ok {
		return Rewrite{}, false
	}
	return r.Rewriting(), true
}

// Effective returns the history with its corrections and voids applied. The last
// correction of an event takes its place, with Meta.Correctors set, and the
// corrections themselves are left out. An event that is void is left out; its void
// keeps its own place, since what the event was numbered is not given again.
func Effective[E Event](history []RecordedEvent[E]) []RecordedEvent[E] {
	last, by, void := map[uuid.UUID]E{}, map[uuid.UUID][]string{}, map[uuid.UUID]bool{}
	for _, h := range history {
		switch r, ok := AsRewrite(h.Event); {
		case ok && r.Void:
			void[r.Of] = true
		case ok:
			last[r.Of] = r.Event.(E)
			by[r.Of] = append(by[r.Of], h.Meta.Actor.Subject)
		}
	}
	effective := make([]RecordedEvent[E], 0, len(history))
	for _, h := range history {
		if r, ok := AsRewrite(h.Event); ok && !r.Void || void[h.Meta.ID] {
			continue
		}
		if e, ok := last[h.Meta.ID]; ok {
			h.Event, h.Meta.Correctors = e, by[h.Meta.ID]
		}
		effective = append(effective, h)
	}
	return effective
}

// Fold applies a history, with its corrections and voids applied, to an empty state.
func Fold[E Event](state Aggregate[E], history []RecordedEvent[E]) {
	for _, h := range Effective(history) {
		state.Apply(h)
	}
}
