package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// aggregate runs commands of one sort, whose types are known only to the table.
type aggregate struct {
	do      func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, error)
	correct func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Because, r eventstore.Request) (eventstore.Outcome, error)
}

func newAggregate[S domain.Aggregate[E], E domain.Event](a *eventstore.Aggregates[S, E], corrected func(domain.Correction) E) aggregate {
	return aggregate{
		do: func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, error) {
			return a.Do(ctx, id, cmd.(domain.Command[S, E]), r)
		},
		correct: func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Because, r eventstore.Request) (eventstore.Outcome, error) {
			return a.Correct(ctx, id, wrong, cmd.(domain.Command[S, E]), because, corrected, r)
		},
	}
}
