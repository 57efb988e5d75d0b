package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// aggregate runs commands of one sort, whose types are known only to the table.
// correct is nil where a record is changed and never corrected.
type aggregate struct {
	do      func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, error)
	correct func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Grounds, r eventstore.Request) (eventstore.Outcome, error)
}

func newAggregate[S domain.Aggregate[E], E domain.Event](a *eventstore.Aggregates[S, E], corrected func(domain.Correction) E) aggregate {
	all := aggregate{do: func(ctx context.Context, id uuid.UUID, cmd any, r eventstore.Request) (eventstore.Outcome, error) {
		return a.Do(ctx, id, cmd.(domain.Command[S, E]), r)
	}}
	if corrected != nil {
		all.correct = func(ctx context.Context, id, wrong uuid.UUID, cmd any, because domain.Grounds, r eventstore.Request) (eventstore.Outcome, error) {
			return a.Correct(ctx, id, wrong, cmd.(domain.Command[S, E]), because, corrected, r)
		}
	}
	return all
}
