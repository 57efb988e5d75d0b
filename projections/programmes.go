package projections

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// programmeState is a programme being folded.
type programmeState struct {
	*programme.Programme
	base[programme.Event] `json:"-"`
}

func newProgrammeState(id uuid.UUID) state {
	p := programme.New(id)
	return &programmeState{p, base[programme.Event]{p}}
}

func (s *programmeState) words() []string { return []string{s.Name.Zh, s.Name.En} }

func (s *programmeState) rows(n int64) (all rows) {
	all.add("programmes", n, sortKey("zh", s.Name.Chinese()), sortKey("en", s.Name.English()))
	return all
}

// Programme returns a programme, its number of events and the time of the last.
func (m *Model) Programme(ctx context.Context, id uuid.UUID) (*programme.Programme, uint64, time.Time, error) {
	p := programme.New(id)
	events, updated, err := m.document(ctx, eventstore.Stream{Kind: "programme", ID: id}, p)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return p, events, updated, nil
}

// ProgrammeRow is a programme in a list.
type ProgrammeRow struct {
	Programme *programme.Programme
	Revision  uint64 // of the last event
	Created   time.Time
	Updated   time.Time
}

// Programmes returns a page of programmes, in the order they were registered.
func (m *Model) Programmes(ctx context.Context, p Paging) (Page[ProgrammeRow], error) {
	return list(ctx, m, p, "programmes", map[string]string{"": "created"}, "", nil, false, selection{},
		func(document []byte, revision uint64, created, updated time.Time) (ProgrammeRow, error) {
			row := ProgrammeRow{&programme.Programme{}, revision, created, updated}
			return row, json.Unmarshal(document, row.Programme)
		})
}
