package projections

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/eventstore"
)

// personState is a person being folded. Persons are neither listed nor searched.
type personState struct{ base[person.Event] }

func newPersonState(id uuid.UUID) state { return personState{base[person.Event]{person.New(id)}} }

func (personState) words() []string { return nil }
func (personState) rows(int64) rows { return nil }

// Person returns a person, or ErrNotFound for a person without events.
func (m *Model) Person(ctx context.Context, id uuid.UUID) (*person.Person, error) {
	p := person.New(id)
	_, _, err := m.document(ctx, eventstore.Stream{Kind: "person", ID: id}, p)
	return p, err
}

// Erased returns the ids of the erased persons.
func (m *Model) Erased(ctx context.Context) (all []uuid.UUID, err error) {
	err = m.readTx(ctx, func(db querier) error {
		return each(ctx, db, func(rows *sql.Rows) error {
			var id uuid.UUID
			err := rows.Scan(&id)
			all = append(all, id)
			return err
		}, `SELECT id FROM streams WHERE kind = 'person'`)
	})
	return all, err
}
