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
	Changes  []Change // in the document; a correction may change what earlier events said
	Document []byte   // as this event leaves it
}

// Replay folds a stream from its first event on, step by step. The events are
// all there are of it up to some point, in order.
func Replay(events []eventstore.Recorded, each func(ReplayStep) error) error {
	return replay(events, func(s state) state { return s }, func(uint64) bool { return true }, each)
}

// replay calls each with the steps whose revisions are wanted: it is the
// documents that cost, not the fold. Documents are of what is shown of the state.
func replay(events []eventstore.Recorded, shown func(state) state, wanted func(revision uint64) bool,
	each func(ReplayStep) error) error {
	var s state
	var history []eventstore.Decoded
	var before []byte // the document so far; nil: there is none, or nobody has wanted it
	for i, r := range events {
		d, err := eventstore.Decode(r.Body)
		if err == nil && (r.Stream != events[0].Stream || d.Meta.Revision != uint64(i)) {
			err = fmt.Errorf("it is not revision %d of %s", i, events[0].Stream)
		}
		if err != nil {
			return fmt.Errorf("projections: replay event %s: %w", r.ID, err)
		}
		history = append(history, d)
		wants := wanted(uint64(i))
		if wants && s != nil && before == nil {
			before, err = shown(s).document()
		}
		_, corrects := domain.AsCorrection(d.Event)
		switch {
		case err != nil:
		case corrects:
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
