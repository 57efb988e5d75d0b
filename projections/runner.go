// Package projections keeps read models: the folded aggregates and the trail of
// all events, in one SQLite file that can be deleted at any time and comes back
// the same from the ledger.
//
// The fold is the write side's own. A document, the rows made from it and the
// position it was folded up to are committed together, so that each event
// counts exactly once wherever the process ends.
package projections

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// Model is a read model that follows a ledger. It may be used by many
// goroutines at once.
type Model struct{}

// Health says how a model stands against the ledger.
type Health struct {
	Position  eventstore.Position // the model holds all events up to here
	Head      eventstore.Position // the ledger's last event, as the ledger itself says
	Stopped   *StoppedError       // why the model no longer follows; nil while it does
	Rebuilt   string              // why it was built anew when it was opened; empty if it was not
	HeadError error               // the ledger did not answer, so Head is not known
}

// StoppedError says which event the model cannot take in. The model serves
// what it holds up to the event before.
type StoppedError struct {
	Position eventstore.Position
	Stream   eventstore.Stream
	Type     string // empty where not even the type can be read
	Err      error
}

func (e *StoppedError) Error() string { return "" }
func (e *StoppedError) Unwrap() error { return e.Err }

// Open opens the read model in file, and builds it first where there is none
// or it cannot be gone on with.
func Open(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store) (*Model, error) {
	return nil, errors.ErrUnsupported
}

// Run follows the ledger until ctx ends, with its error, or until an event
// cannot be taken in, with a *StoppedError.
func (m *Model) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Close closes the file. Run must have returned.
func (m *Model) Close() error { return nil }

// Position is up to where the model holds all events.
func (m *Model) Position() eventstore.Position { return 0 }

// Health measures the model against the ledger's head.
func (m *Model) Health(ctx context.Context) Health { return Health{} }

// Wait returns when the model holds the stream up to that many events, or with
// an error when ctx ends or the model has stopped.
func (m *Model) Wait(ctx context.Context, stream eventstore.Stream, events uint64) error { return nil }

// Lab returns a lab, how many events it has and when the last was recorded.
func (m *Model) Lab(ctx context.Context, id uuid.UUID) (*lab.Lab, uint64, time.Time, error) {
	return nil, 0, time.Time{}, ErrNotFound
}

// Labs lists labs.
func (m *Model) Labs(ctx context.Context, q LabsQuery) (Page[LabRow], error) {
	return Page[LabRow]{}, nil
}

// Entity returns a legal entity, how many events it has and when the last was recorded.
func (m *Model) Entity(ctx context.Context, id uuid.UUID) (*entity.Entity, uint64, time.Time, error) {
	return nil, 0, time.Time{}, ErrNotFound
}

// Entities lists legal entities.
func (m *Model) Entities(ctx context.Context, q EntitiesQuery) (Page[EntityRow], error) {
	return Page[EntityRow]{}, nil
}

// Agreements lists agreements across labs.
func (m *Model) Agreements(ctx context.Context, q AgreementsQuery) (Page[AgreementRow], error) {
	return Page[AgreementRow]{}, nil
}

// Rights lists items of the rights-and-responsibilities matrices across labs.
func (m *Model) Rights(ctx context.Context, q RightsQuery) (Page[RightRow], error) {
	return Page[RightRow]{}, nil
}

// Commitments lists funding commitments across labs.
func (m *Model) Commitments(ctx context.Context, q CommitmentsQuery) (Page[CommitmentRow], error) {
	return Page[CommitmentRow]{}, nil
}

// Trail lists events.
func (m *Model) Trail(ctx context.Context, q TrailQuery) (Page[TrailEntry], error) {
	return Page[TrailEntry]{}, nil
}

// Report is what a rebuild or a verification found.
type Report struct {
	Position    eventstore.Position // compared, or built, up to here
	Aggregates  int
	Compared    bool         // there was a model at this position to compare with
	Differences []Difference // none: all is as the ledger says
	Took        time.Duration
}

// Difference is one place where a model does not say what the ledger says.
type Difference struct {
	What     string              // document, rows or trail
	Stream   eventstore.Stream   // of a document, or of the event
	Position eventstore.Position // of an event of the trail
	Is       string              // missing, extra or different, and how
}

// Rebuild folds the whole ledger into a new file and puts it in the place of
// file. A model that was there is compared with the new one first.
func Rebuild(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store, progress func(done, total eventstore.Position)) (Report, error) {
	return Report{}, errors.ErrUnsupported
}

// Verify folds the whole ledger up to the model's position and compares.
func Verify(ctx context.Context, ledger eventstore.Ledger, store eventstore.Store, m *Model) (Report, error) {
	return Report{}, errors.ErrUnsupported
}
