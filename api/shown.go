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

// Every lab that a caller reads passes through this file, and every event through the
// read model, which knows the reader. Both apply lab.Secrecy.

// readerOf returns the actor of a request, zero if it came without a token.
func readerOf(ctx context.Context) domain.Actor {
	claims, _ := claimsOf(ctx)
	return claims.actor()
}

// visibility filters one lab for a reader, by the current state of the lab.
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

// view returns the visible part of a state of the lab.
func (v visibility) view(then *lab.Lab) *lab.Lab { return v.View(then, v.who) }

// includes reports whether the reader may see event i of the lab's history.
func (v visibility) includes(history []domain.RecordedEvent[lab.Event], i int) bool {
	return !slices.ContainsFunc(v.Closed(history),
		func(c lab.Sight) bool { return c.Revision == uint64(i) && !c.Readers.Include(v.who) })
}

// withhold removes the findings that depend on a review from a future step, since the
// decision on that review is still open.
func (v visibility) withhold(step *lab.Readiness) {
	var judged bool
	if step.Findings, judged = v.Findings(step.Findings, lab.Of{}, v.who); !judged {
		step.Ready, step.Earliest = false, domain.Date{}
	}
}

// visibleLab returns the part of a lab at a moment that the caller may see.
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

// eachLab calls each with the visible part of every lab at a moment.
func (s *Server) eachLab(ctx context.Context, at projections.Moment, each func(*lab.Lab) error) error {
	return s.model.EachLabAt(ctx, at, func(l *lab.Lab) error {
		l, err := s.visibleLab(ctx, l, at)
		if err != nil {
			return err
		}
		return each(l)
	})
}

// visibleState returns the part of a state that the caller may see. It depends on the
// state alone, so that a delta applies to its snapshot.
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

// readers returns the current readers of the event at a position.
func (s *Server) readers(o eventstore.Header, p eventstore.Position) (domain.Readers, error) {
	closed, err := s.restrictedAfter(o, p-1, p)
	if err != nil {
		return 0, err
	}
	return readersAt(closed, p), nil
}

// restrictedAfter returns the readers of each restricted event in (after, upTo]. last is
// the header of one event in that range, for which it waits.
func (s *Server) restrictedAfter(last eventstore.Header, after,
	upTo eventstore.Position) (map[eventstore.Position]domain.Readers, error) {
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
