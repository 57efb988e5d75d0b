package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/projections"
)

// sweepEvery is how long at most the key of an erased person outlives the event,
// where the node that recorded it could not destroy the key, or an older one was
// restored from a backup.
const sweepEvery = time.Minute

// sweepErased destroys the keys of persons whose erasure is on record, until ctx ends.
func sweepErased(ctx context.Context, model *projections.Model, persons *jetstream.Persons, logger *slog.Logger) {
	gone := map[uuid.UUID]bool{}
	for {
		erased, err := model.Erased(ctx)
		for _, ref := range erased {
			if err == nil && !gone[ref] {
				err = persons.Erase(ctx, ref)
				gone[ref] = err == nil
			}
		}
		if err != nil && ctx.Err() == nil {
			logger.Warn("keys of erased persons are not all destroyed yet; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}
