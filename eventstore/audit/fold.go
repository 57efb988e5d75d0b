package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// fold folds whole streams, in the order of the ledger, and judges each step of
// a lab again. A stream with a correction is folded a second time, at the end,
// since a correction changes what came before it.
type fold struct {
	streams    map[eventstore.Stream]*folded
	order      []*folded
	programmes map[uuid.UUID][]domain.RecordedEvent[programme.Event]
	decisions  int  // steps judged
	unjudged   bool // steps are taken as they are
}

// folded is one stream.
type folded struct {
	stream    eventstore.Stream
	events    uint64
	last      eventstore.Position
	state     eventstore.State
	corrected bool
}

// apply folds in the event at a position. Errors name it.
func (f *fold) apply(at eventstore.Position, d eventstore.Decoded) error {
	s := f.streams[d.Stream]
	if s == nil {
		state, ok := eventstore.NewState(d.Stream)
		if !ok {
			return contradicts(at, "streams of kind %q are unknown; it was written by a newer version of jointlab: upgrade this one", d.Stream.Kind)
		}
		if f.streams == nil {
			f.streams, f.programmes = map[eventstore.Stream]*folded{}, map[uuid.UUID][]domain.RecordedEvent[programme.Event]{}
		}
		s = &folded{stream: d.Stream, state: state}
		f.streams[d.Stream], f.order = s, append(f.order, s)
	}
	if d.Meta.Revision != s.events {
		return contradicts(at, "it is revision %d of %s, where revision %d belongs: an event before it is missing, or one is here twice", d.Meta.Revision, d.Stream, s.events)
	}
	s.events, s.last = s.events+1, at
	if e, ok := d.Event.(programme.Event); ok {
		f.programmes[d.Stream.ID] = append(f.programmes[d.Stream.ID], domain.RecordedEvent[programme.Event]{Meta: d.Meta, Event: e})
	}
	if _, rewrites := domain.AsRewrite(d.Event); rewrites {
		s.corrected = true
	}
	if s.corrected {
		return nil // until all of the stream is known
	}
	if before, ok := s.state.Value().(*lab.Lab); ok {
		h, err := eventstore.HappenedIn[lab.Event](d)
		if err == nil {
			err = f.judge(before, h)
		}
		if err != nil {
			return contradicts(at, "%v", err)
		}
	}
	if err := s.state.Apply(d); err != nil {
		return contradicts(at, "%v", err)
	}
	return nil
}

// questioned counts the steps that the folded labs record as unsupported: that was
// acknowledged when it came about, and is no contradiction.
func (f *fold) questioned() (n int) {
	for _, s := range f.order {
		if l, ok := s.state.Value().(*lab.Lab); ok {
			n += len(l.Unsupported)
		}
	}
	return n
}

// judge judges again the step that h took from a lab's state, if it is one.
func (f *fold) judge(before *lab.Lab, h domain.RecordedEvent[lab.Event]) error {
	if f.unjudged {
		return nil
	}
	of := domain.ProgrammeID(cmp.Or(before.Programme, lab.DefaultProgramme))
	_, is, err := before.Rejudge(h, programme.FactsAt(f.programmes[of], h.Meta.Time))
	if is {
		f.decisions++
	}
	if err != nil {
		return fmt.Errorf("the decision does not follow from its rules: %w", err)
	}
	return nil
}

// corrected returns the streams that refoldCorrected asks for.
func (f *fold) corrected() []eventstore.Stream {
	var streams []eventstore.Stream
	for _, s := range f.order {
		if s.corrected {
			streams = append(streams, s.stream)
		}
	}
	return streams
}

// refoldCorrected folds a stream that has corrections, from its whole history, and
// judges the steps from the first correction on: each on the state before it as
// the corrections by then had left it, and a corrected step on the state before
// the one it corrects.
func (f *fold) refoldCorrected(stream eventstore.Stream, at []eventstore.Position, history []eventstore.Decoded) error {
	s := f.streams[stream]
	if uint64(len(history)) != s.events {
		return contradicts(s.last, "%s has %d events at a second reading, and had %d", stream, len(history), s.events)
	}
	if err := s.state.Refold(history...); err != nil {
		return contradicts(s.last, "%v", err)
	}
	if stream.Kind != "lab" {
		return nil
	}
	all := make([]domain.RecordedEvent[lab.Event], len(history))
	began := false
	for i, d := range history {
		h, err := eventstore.HappenedIn[lab.Event](d)
		if err != nil {
			return contradicts(at[i], "%v", err)
		}
		all[i] = h
		before := all[:i]
		if r, ok := domain.AsRewrite(h.Event); ok {
			began = true
			before = domain.Effective(before)
			wrong := slices.IndexFunc(before, func(b domain.RecordedEvent[lab.Event]) bool { return b.Meta.ID == r.Of })
			said, isLab := r.Event.(lab.Event)
			if wrong < 0 || !isLab {
				return contradicts(at[i], "it corrects or voids event %s, which did not happen before it", r.Of)
			}
			if r.Void {
				continue
			}
			before, h.Event = before[:wrong], said
			h.Meta.Policy = "" // that of the correction's day, not of the step's
		} else if !began {
			continue // judged when it was first read
		}
		if _, act := h.Event.(interface{ ActedOn() domain.Date }); !act {
			continue // no step, so there is nothing to fold for
		}
		l := lab.New(stream.ID)
		domain.Fold(l, before)
		if err := f.judge(l, h); err != nil {
			return contradicts(at[i], "%v", err)
		}
	}
	return nil
}
