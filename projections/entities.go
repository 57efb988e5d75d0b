package projections

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/eventstore"
)

// entityState is a legal entity being folded.
type entityState struct {
	*entity.Entity
	base[entity.Event] `json:"-"`
}

func newEntityState(id uuid.UUID) state {
	e := entity.New(id)
	return &entityState{e, base[entity.Event]{e}}
}

// words returns the entity's current and former names and its identifiers.
func (s *entityState) words() []string {
	words := s.AllNames()
	for _, id := range s.Identifiers {
		words = append(words, id.Value)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (s *entityState) rows(n int64) (all rows) {
	name := s.DisplayName()
	changes := []domain.Date{s.Established.Earliest()}
	if s.Ended != nil {
		first, last := s.Ended.On.Earliest(), s.Ended.On.Latest()
		changes = append(changes, first, first.AddDays(1), last, last.AddDays(1))
	}
	all.add("entities", n, sortKey("zh", name.Chinese()), sortKey("en", name.English()), string(s.Kind), s.Country,
		timeline(changes, s.StatusOn))
	for _, id := range s.Ref().Identifiers {
		all.add("identifiers", n, string(id.Scheme), id.Value)
	}
	return all
}

// past returns all rows: an entity has few rows and few events.
func (s *entityState) past(n int64, _ domain.Event) (rows, []string) {
	all := s.rows(n)
	all[0].values = append(all[0].values, marshalSummary(s.Entity))
	all.add("words", n, segment(s.words()))
	return all, []string{"entities", "identifiers", "words"}
}

// Entity returns a legal entity, its number of events and the time of the last.
func (m *Model) Entity(ctx context.Context, id uuid.UUID) (*entity.Entity, uint64, time.Time, error) {
	e := entity.New(id)
	events, updated, err := m.document(ctx, eventstore.Stream{Kind: "entity", ID: id}, e)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return e, events, updated, nil
}

// entityOrders are the columns that legal entities can be sorted by.
var entityOrders = map[string]string{
	"": "created", "created": "created", "updated": "updated", "name_zh": "name_zh", "name_en": "name_en",
}

// Entities returns a page of legal entities.
func (m *Model) Entities(ctx context.Context, q EntitiesQuery) (Page[EntityRow], error) {
	if err := needsToday(len(q.Status) > 0, q.Today); err != nil {
		return Page[EntityRow]{}, err
	}
	s, err := m.selectionAt(ctx, q.At)
	if err != nil {
		return Page[EntityRow]{}, err
	}
	s.text("n", q.Text)
	if q.Kind != "" {
		s.and("entities.kind = ?", string(q.Kind))
	}
	if q.Country != "" {
		s.and("country = ?", q.Country)
	}
	switch {
	case q.Identifier != "" && q.Scheme != "":
		s.and("n IN (SELECT entity FROM identifiers WHERE value = ? AND scheme = ?)", q.Identifier, string(q.Scheme))
	case q.Identifier != "":
		s.and("n IN (SELECT entity FROM identifiers WHERE value = ?)", q.Identifier)
	case q.Scheme != "":
		s.and("n IN (SELECT entity FROM identifiers WHERE scheme = ?)", string(q.Scheme))
	}
	oneOf(&s, timelineAt("days"), q.Status, q.Today.String())
	return list(ctx, m, q.Paging, "entities", entityOrders, q.Sort, nil, q.Desc, s,
		func(document []byte, revision uint64, created, updated time.Time) (EntityRow, error) {
			var e entity.Entity
			if err := json.Unmarshal(document, &e); err != nil {
				return EntityRow{}, err
			}
			row := EntityRow{
				ID:          e.ID,
				Name:        e.DisplayName(),
				Kind:        e.Kind,
				Country:     e.Country,
				Identifiers: e.Identifiers,
				Ended:       e.Ended,
				Revision:    revision, Created: created, Updated: updated,
			}
			if !q.Today.IsZero() {
				row.Status = e.StatusOn(q.Today)
			}
			return row, nil
		})
}
