package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// Trail returns a page of events. Total counts all events that match.
func (m *Model) Trail(ctx context.Context, q TrailQuery) (Page[TrailEntry], error) {
	page := Page[TrailEntry]{Items: []TrailEntry{}}
	limit, err := q.limit()
	if err != nil {
		return page, err
	}
	if err := q.validate(); err != nil {
		return page, err
	}
	order := "trail"
	if q.Desc {
		order = "trail desc"
	}
	beyond := cursor{Order: order, N: -1}
	if q.Cursor != "" {
		if beyond, err = parseCursor(q.Cursor, order); err != nil {
			return page, err
		}
	}
	var positions []eventstore.Position
	err = m.readTx(ctx, func(db querier) error {
		f, err := q.compile(ctx, db)
		if err != nil {
			return err
		}
		more := false
		if err := f.scan(ctx, db, q.Desc, func(p eventstore.Position) {
			page.Total++
			past := beyond.N >= 0 && (q.Desc && int64(p) >= beyond.N || !q.Desc && int64(p) <= beyond.N)
			switch {
			case past:
			case len(positions) < limit:
				positions = append(positions, p)
			default:
				more = true
			}
		}); err != nil {
			return err
		}
		if more {
			page.Next = cursor{Order: order, N: int64(positions[len(positions)-1])}.String()
		}
		return nil
	})
	if err == nil {
		page.Items, err = m.entries(ctx, q, positions, m.Position())
	}
	page.Total -= len(positions) - len(page.Items)
	return page, listError(err, "trail")
}

// exportWindow is the number of records that EachEvent scans in one transaction,
// exportPage the number of events it reads from the ledger at once.
const (
	exportWindow = 64 * blockEvents
	exportPage   = 500
)

// EachEvent calls each with all events that match, oldest first, up to
// exportPage at a time. Events and corrections after position at are left out;
// at must not be above the model's position. Paging and Desc are ignored.
func (m *Model) EachEvent(ctx context.Context, q TrailQuery, at eventstore.Position,
	each func([]TrailEntry) error) error {
	if err := q.validate(); err != nil {
		return err
	}
	var f *trailFilter
	if err := m.readTx(ctx, func(db querier) (err error) {
		f, err = q.compile(ctx, db)
		return err
	}); err != nil {
		return listError(err, "trail")
	}
	for end := min(f.upTo, at); f.after < end; f.after = f.upTo {
		f.upTo = min(f.after+exportWindow, end)
		if f.positions != nil {
			f.upTo = end // all positions are in memory
		}
		var positions []eventstore.Position
		if err := m.readTx(ctx, func(db querier) error {
			return f.scan(ctx, db, false, func(p eventstore.Position) { positions = append(positions, p) })
		}); err != nil {
			return listError(err, "trail")
		}
		for page := range slices.Chunk(positions, exportPage) {
			entries, err := m.entries(ctx, q, page, at)
			if err != nil {
				return listError(err, "trail")
			}
			if err := each(entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// validate returns a *QueryError for a query that could never match.
func (q TrailQuery) validate() error {
	if !q.Effective.To.IsZero() && q.Effective.To.Before(q.Effective.From) {
		return &QueryError{"effective_to", domain.T("结束日期早于开始日期", "the last day lies before the first")}
	}
	return nil
}

// matches reports whether an event meets those conditions of which the trail
// holds only half an id or the hash of a name.
func (q TrailQuery) matches(r eventstore.Recorded, d decoded) bool {
	document, byDocument := q.basisDocument()
	return (q.Command == uuid.Nil || q.Command == d.Meta.Command) && (q.Event == uuid.Nil || q.Event == d.Meta.ID) &&
		(q.LegalEntity == uuid.Nil || q.LegalEntity == d.Meta.Actor.OnBehalfOf ||
			r.Stream == eventstore.Stream{Kind: "entity", ID: q.LegalEntity} ||
			d.mentions.includes(aggregateName(q.LegalEntity))) &&
		(!byDocument || document == d.Meta.Because.Basis.Document) &&
		(q.Correlation == "" || q.Correlation == d.Meta.Correlation)
}

// span is a range of positions that is read at once. Reading up to maxGap
// unwanted events is faster than a second request.
type span struct{ after, to eventstore.Position }

const (
	maxGap        = 16
	parallelReads = 4
)

// entries returns the events at positions that match the query, in that order,
// read from the ledger. Corrections up to position corrected are linked.
func (m *Model) entries(ctx context.Context, q TrailQuery, positions []eventstore.Position,
	corrected eventstore.Position) ([]TrailEntry, error) {
	index := make(map[eventstore.Position]int, len(positions))
	for i, p := range positions {
		index[p] = i
	}
	var spans []span
	for _, p := range slices.Sorted(slices.Values(positions)) {
		if last := len(spans) - 1; last >= 0 && p <= spans[last].to+maxGap {
			spans[last].to = p
		} else {
			spans = append(spans, span{p - 1, p})
		}
	}
	entries := make([]TrailEntry, len(positions))
	errs := make([]error, len(spans))
	slots := make(chan struct{}, parallelReads)
	var all sync.WaitGroup
	for i, s := range spans {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = m.ledger.Read(ctx, s.after, s.to, func(events []eventstore.Recorded) error {
				for _, r := range events {
					at, wanted := index[r.Position]
					if !wanted {
						continue
					}
					d, err := decode(r)
					if err != nil {
						return fmt.Errorf("position %d: %w", r.Position, err)
					}
					if q.matches(r, d) {
						entries[at] = entry(r, d, q.Bodies)
					}
				}
				return nil
			})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e TrailEntry) bool { return e.Position == 0 })
	if q.Changes {
		if err := m.addChanges(ctx, q.For, entries); err != nil {
			return nil, err
		}
	}
	return entries, m.linkCorrections(ctx, entries, corrected)
}

// addChanges sets the Changes of each entry: what its event changed in the
// document as it was known then. They include only what the reader may see.
func (m *Model) addChanges(ctx context.Context, reader domain.Actor, entries []TrailEntry) error {
	wanted := map[eventstore.Stream]map[uint64]*TrailEntry{}
	for i := range entries {
		e := &entries[i]
		if wanted[e.Stream] == nil {
			wanted[e.Stream] = map[uint64]*TrailEntry{}
		}
		wanted[e.Stream][e.Meta.Revision] = e
	}
	for stream, revisions := range wanted {
		last := slices.Max(slices.Collect(maps.Keys(revisions)))
		recorded, err := loadRecorded(ctx, m.store, stream, last+1)
		if err != nil {
			return err
		}
		shown, err := m.viewFor(ctx, stream, reader)
		if err != nil {
			return err
		}
		err = replay(recorded[:last+1], shown, func(r uint64) bool { return revisions[r] != nil },
			func(step ReplayStep) error {
				revisions[step.Meta.Revision].Changes = step.Changes
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// linkCorrections sets CorrectedBy of each entry, from events up to a position.
func (m *Model) linkCorrections(ctx context.Context, entries []TrailEntry, upTo eventstore.Position) error {
	if len(entries) == 0 {
		return nil
	}
	index, ids := map[uuid.UUID]int{}, []any{int64(upTo)}
	for i, e := range entries {
		index[e.Meta.ID] = i
		ids = append(ids, e.Meta.ID[:])
	}
	return each(ctx, m.readers, func(rows *sql.Rows) error {
		var by, corrects uuid.UUID
		err := rows.Scan(&by, &corrects)
		e := &entries[index[corrects]]
		e.CorrectedBy = append(e.CorrectedBy, by)
		return err
	}, `SELECT event, corrects FROM corrections WHERE position <= ? AND corrects IN (?`+strings.Repeat(",?",
		len(entries)-1)+`) ORDER BY position`, ids...)
}

func entry(r eventstore.Recorded, d decoded, bodies bool) TrailEntry {
	e := TrailEntry{
		Position: r.Position, Stream: r.Stream, Type: d.Type, Facet: eventstore.Facet(d.Type),
		Meta: d.Meta, Effective: happenedOn(d.Decoded), Sentence: d.Event.Sentence(),
	}
	if r, ok := domain.AsRewrite(d.Event); ok {
		e.Corrects = r.Of
	}
	if bodies {
		e.Body = slices.Clone(r.Body)
	}
	return e
}
