package projections

import (
	"context"
	"database/sql"
	"slices"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// Reference is a document that events refer to.
type Reference struct {
	Digest eventstore.Digest
	Events int                   // number of events that refer to it
	First  []eventstore.Position // oldest first, at most FirstReferences
}

// FirstReferences is the maximum length of Reference.First.
const FirstReferences = 20

// References returns up to limit documents that events refer to and the reader may
// read, ordered by digest and starting at from. It counts the references that let
// the reader read the document.
func (m *Model) References(ctx context.Context, reader domain.Actor, from eventstore.Digest,
	limit int) (all []Reference, err error) {
	may, args := documentReadable(reader)
	err = m.readTx(ctx, func(db querier) error {
		if err := each(ctx, db, func(rows *sql.Rows) error {
			var r Reference
			var digest []byte
			err := rows.Scan(&digest, &r.Events)
			copy(r.Digest[:], digest)
			all = append(all, r)
			return err
		}, `SELECT digest, count(*) FROM digests WHERE digest >= ? AND `+may+` GROUP BY digest ORDER BY digest LIMIT ?`,
			slices.Concat([]any{from[:]}, args, []any{limit})...); err != nil {
			return err
		}
		for i := range all {
			if err := each(ctx, db, func(rows *sql.Rows) error {
				var p eventstore.Position
				err := rows.Scan(&p)
				all[i].First = append(all[i].First, p)
				return err
			}, `SELECT position FROM digests WHERE digest = ? AND `+may+` ORDER BY position LIMIT ?`,
				slices.Concat([]any{all[i].Digest[:]}, args, []any{FirstReferences})...); err != nil {
				return err
			}
		}
		return nil
	})
	return all, listError(err, "references")
}
