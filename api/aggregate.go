package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// aggregate runs commands of one sort, whose types are known only to the table.
// Each returns the events recorded, so that the answer can say them.
type aggregate struct {
	do      func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, []domain.Event, error)
	correct func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Because, r eventstore.Request) (eventstore.Outcome, []domain.Event, error)
}

// witness keeps what a command led to.
type witness[S, E any] struct {
	domain.Command[S, E]
	events *[]E
}

func (w witness[S, E]) Decide(state S, x domain.Context) (events []E, err error) {
	*w.events, err = w.Command.Decide(state, x)
	return *w.events, err
}

func newAggregate[S domain.Aggregate[E], E domain.Event](store eventstore.Store, a *eventstore.Aggregates[S, E], corrected func(domain.Correction) E) aggregate {
	// told is the events of an outcome: those just decided or, where the command
	// had been carried out before, those the store holds.
	told := func(ctx context.Context, o eventstore.Outcome, decided []E) ([]domain.Event, error) {
		if o.Replay {
			return recall(ctx, store, o)
		}
		events := make([]domain.Event, len(decided))
		for i, e := range decided {
			events[i] = e
		}
		return events, nil
	}
	return aggregate{
		do: func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, []domain.Event, error) {
			var decided []E
			o, err := a.Do(ctx, id, witness[S, E]{cmd.(domain.Command[S, E]), &decided}, r)
			if err != nil {
				return o, nil, err
			}
			events, err := told(ctx, o, decided)
			return o, events, err
		},
		correct: func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Because, r eventstore.Request) (eventstore.Outcome, []domain.Event, error) {
			var decided []E
			o, err := a.Correct(ctx, id, wrong, cmd.(domain.Command[S, E]), because, func(c domain.Correction) E {
				decided = []E{corrected(c)}
				return decided[0]
			}, r)
			if err != nil {
				return o, nil, err
			}
			events, err := told(ctx, o, decided)
			return o, events, err
		},
	}
}

// recall reads an outcome's events back.
func recall(ctx context.Context, store eventstore.Store, o eventstore.Outcome) ([]domain.Event, error) {
	recorded, _, err := store.Load(ctx, o.Stream, eventstore.Version{})
	if err != nil {
		return nil, err
	}
	var events []domain.Event
	for _, m := range o.Events {
		i := slices.IndexFunc(recorded, func(r eventstore.Recorded) bool { return r.ID == m.ID })
		if i < 0 {
			return nil, fmt.Errorf("api: read back event %s of %s: it is not there", m.ID, o.Stream)
		}
		d, err := eventstore.Decode(recorded[i].Body)
		if err != nil {
			return nil, err
		}
		events = append(events, d.Event)
	}
	return events, nil
}
