package api

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// What callers are shown of a lab goes through here; what they find of events,
// through the read model, which is told who reads. Both keep to lab.Secrecy.

// readerOf is who reads: nobody, where a request came without a token.
func readerOf(ctx context.Context) domain.Actor {
	claims, _ := claimsOf(ctx)
	return claims.actor()
}

// visibility is what of one lab somebody may see, as its record stands now.
type visibility struct {
	lab.Secrecy
	who domain.Readers
}

func visibilityFrom(ctx context.Context, now *lab.Lab) visibility {
	return visibility{now.Secrecy(), now.Readers(readerOf(ctx))}
}

func (s *Server) visibilityOf(ctx context.Context, id uuid.UUID) (visibility, error) {
	now, _, _, err := s.model.Lab(ctx, id)
	if err != nil {
		return visibility{}, err
	}
	return visibilityFrom(ctx, now), nil
}

// view is what may be seen of the lab as it was at some time.
func (v visibility) view(then *lab.Lab) *lab.Lab { return v.View(then, v.who) }

// includes says whether an event of the lab's history may be seen.
func (v visibility) includes(history []domain.RecordedEvent[lab.Event], i int) bool {
	return !slices.ContainsFunc(v.Closed(history), func(c lab.Sight) bool { return c.Revision == uint64(i) && !c.Readers.Include(v.who) })
}

// withhold keeps from a step to come what hangs on a review, none of which is
// decided yet that such a step follows from.
func (v visibility) withhold(step *lab.Readiness) {
	var judged bool
	if step.Findings, judged = v.Findings(step.Findings, lab.Of{}, v.who); !judged {
		step.Ready, step.Earliest = false, domain.Date{}
	}
}

// visibleLab is what the caller may see of a lab as it was at a moment.
func (s *Server) visibleLab(ctx context.Context, then *lab.Lab, at projections.Moment) (*lab.Lab, error) {
	switch {
	case domain.Reviewers.Include(readerOf(ctx).Readers()):
		return then, nil
	case at.IsZero():
		return visibilityFrom(ctx, then).view(then), nil
	}
	seen, err := s.visibilityOf(ctx, then.ID)
	if err != nil {
		return nil, err
	}
	return seen.view(then), nil
}

// eachLab calls each with what the caller may see of every lab at a moment.
func (s *Server) eachLab(ctx context.Context, at projections.Moment, each func(*lab.Lab) error) error {
	return s.model.EachLabAt(ctx, at, func(l *lab.Lab) error {
		l, err := s.visibleLab(ctx, l, at)
		if err != nil {
			return err
		}
		return each(l)
	})
}

// visibleState is what the caller may see of a state. It follows from the state
// alone, so that a delta fits the snapshot it is laid over.
func visibleState(ctx context.Context, state projections.State) ([]byte, error) {
	if state.Stream.Kind != "lab" || domain.Reviewers.Include(readerOf(ctx).Readers()) {
		return state.Document, nil
	}
	l := lab.New(state.Stream.ID)
	if err := json.Unmarshal(state.Document, l); err != nil {
		return nil, err
	}
	return json.Marshal(visibilityFrom(ctx, l).view(l), json.Deterministic(true))
}

// readers are those who may read the event at a position, as things stand.
func (s *Server) readers(o eventstore.Header, p eventstore.Position) (domain.Readers, error) {
	closed, err := s.restrictedAfter(o, p-1, p)
	if err != nil {
		return 0, err
	}
	return readersAt(closed, p), nil
}

// restrictedAfter says of the events after one position and up to another, of which
// last is the outline of one, who may read those that not everybody may.
func (s *Server) restrictedAfter(last eventstore.Header, after, upTo eventstore.Position) (map[eventstore.Position]domain.Readers, error) {
	ctx, cancel := context.WithTimeout(s.streaming, s.cfg.Patience)
	defer cancel()
	if err := s.model.Wait(ctx, last.Stream, last.Revision+1); err != nil {
		return nil, err
	}
	return s.model.Closed(ctx, after, upTo)
}

func readersAt(closed map[eventstore.Position]domain.Readers, p eventstore.Position) domain.Readers {
	if readers, is := closed[p]; is {
		return readers
	}
	return domain.Everybody
}
