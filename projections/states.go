package projections

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// State is an aggregate folded up to a position.
type State struct {
	Stream   eventstore.Stream
	Revision uint64 // of the last event folded
	Document []byte // deterministic: the same bytes on every node
}

// States calls each with every legal entity, lab and programme that has an event
// after position after and up to upTo, folded up to upTo, ordered by kind and id.
// With after 0 that is the complete register; otherwise the delta that turns the
// register at after into that at upTo. A Document is valid until each returns.
// The model must hold upTo.
func (m *Model) States(ctx context.Context, after, upTo eventstore.Position, each func(State) error) error {
	err := m.readTx(ctx, func(db querier) error {
		rows, err := db.QueryContext(ctx, `SELECT kind, id, positions, document FROM streams JOIN documents USING (n)
			WHERE kind IN ('entity', 'lab', 'programme') ORDER BY kind, id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s State
			var varints, document sql.RawBytes
			if err := rows.Scan(&s.Stream.Kind, &s.Stream.ID, &varints, &document); err != nil {
				return err
			}
			known, last, whole := uint64(0), eventstore.Position(0), true
			for _, p := range parsePositions(varints) {
				if whole = p <= upTo; !whole {
					break
				}
				known, last = known+1, p
			}
			if last <= after {
				continue
			}
			if s.Revision, s.Document = known-1, document; !whole {
				if s.Document, err = m.documentAt(ctx, s.Stream, known); err != nil {
					return err
				}
			}
			if err := each(s); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("projections: read the states at position %d: %w", upTo, err)
	}
	return nil
}

// documentAt returns the document of a stream after its first events.
func (m *Model) documentAt(ctx context.Context, stream eventstore.Stream, events uint64) ([]byte, error) {
	history, err := loadHistory(ctx, m.store, stream, events)
	if err != nil {
		return nil, err
	}
	s, err := fold(stream, history, domain.Date{})
	if err != nil {
		return nil, err
	}
	return s.document()
}
