package projections

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/eventstore"
)

// keyState is a service key being folded.
type keyState struct {
	*key.Key
	base[key.Event] `json:"-"`
}

func newKeyState(id uuid.UUID) state {
	k := key.New(id)
	return &keyState{k, base[key.Event]{k}}
}

func (s *keyState) words() []string { return []string{s.Name.Zh, s.Name.En, s.Subject} }

func (s *keyState) rows(n int64) (all rows) {
	all.add("keys", n, s.OnBehalfOf.ID[:], string(s.Role), s.Expires.UnixMicro(), !s.Revoked.IsZero())
	return all
}

// Key returns a service key, its number of events and the time of the last.
func (m *Model) Key(ctx context.Context, id uuid.UUID) (*key.Key, uint64, time.Time, error) {
	k := key.New(id)
	events, updated, err := m.document(ctx, eventstore.Stream{Kind: "key", ID: id}, k)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return k, events, updated, nil
}

// KeysQuery selects service keys. A zero field does not restrict.
type KeysQuery struct {
	Paging
	Entity uuid.UUID // the legal entity they act for
	Role   domain.Role
	State  []key.State // any of these
	Now    time.Time   // the time of the states; required with State
}

// KeyRow is a service key in a list.
type KeyRow struct {
	Key      *key.Key
	Revision uint64 // of the last event
	Created  time.Time
	Updated  time.Time
}

// Keys returns a page of service keys, in the order they were issued.
func (m *Model) Keys(ctx context.Context, q KeysQuery) (Page[KeyRow], error) {
	var s selection
	if q.Entity != uuid.Nil {
		s.and("entity = ?", q.Entity[:])
	}
	if q.Role != "" {
		s.and("role = ?", string(q.Role))
	}
	oneOf(&s, "CASE WHEN revoked THEN 'revoked' WHEN expires <= ? THEN 'expired' ELSE 'active' END", q.State,
		q.Now.UnixMicro())
	return list(ctx, m, q.Paging, "keys", map[string]string{"": "created"}, "", nil, false, s,
		func(document []byte, revision uint64, created, updated time.Time) (KeyRow, error) {
			row := KeyRow{&key.Key{}, revision, created, updated}
			return row, json.Unmarshal(document, row.Key)
		})
}
