package projections

import (
	"fmt"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// ReplayStep is one event of a stream and what it changed.
type ReplayStep struct {
	eventstore.Recorded
	eventstore.Decoded
	Changes  []Change // in the document; a correction may change what earlier events set
	Document []byte   // after this event
}

// Replay calls each with the steps of a stream. The events are its first ones, in
// order and without a gap.
func Replay(events []eventstore.Recorded, each func(ReplayStep) error) error {
	return replay(events, func(s state) state { return s }, func(uint64) bool { return true }, each)
}

// replay calls each with the steps of the wanted revisions, whose documents cost
// more than the fold. The documents are those of the shown states.
func replay(events []eventstore.Recorded, shown func(state) state, wanted func(revision uint64) bool,
	each func(ReplayStep) error) error {
	var s state
	var history []eventstore.Decoded
	var before []byte // the document before the event; nil: none, or not wanted
	for i, r := range events {
		d, err := eventstore.Decode(r.Body)
		if err == nil && (r.Stream != events[0].Stream || d.Meta.Revision != uint64(i)) {
			err = fmt.Errorf("not revision %d of %s", i, events[0].Stream)
		}
		if err != nil {
			return fmt.Errorf("projections: replay event %s: %w", r.ID, err)
		}
		history = append(history, d)
		wants := wanted(uint64(i))
		if wants && s != nil && before == nil {
			before, err = shown(s).document()
		}
		_, rewrites := domain.AsRewrite(d.Event)
		switch {
		case err != nil:
		case rewrites:
			s, err = fold(r.Stream, history, domain.Date{})
		default:
			if s == nil {
				s = states[r.Stream.Kind](r.Stream.ID)
			}
			err = apply(s, domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event})
		}
		if err == nil && !wants {
			before = nil
			continue
		}
		step := ReplayStep{Recorded: r, Decoded: d}
		if err == nil {
			step.Document, err = shown(s).document()
		}
		if err == nil {
			step.Changes, err = Changes(before, step.Document)
		}
		if err != nil {
			return fmt.Errorf("projections: replay event %s: %w", r.ID, err)
		}
		before = step.Document
		if err := each(step); err != nil {
			return err
		}
	}
	return nil
}
