package projections

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// The trail keeps of each event only what it is found by, as a record of fixed
// size, a block of records a row. A look through a million records takes less
// than it would take to keep an index of them, and what people read of an
// event is read from the ledger itself, byte for byte.

const (
	recordBytes = 34
	blockEvents = 256 // a row; also what is written again for each single event
)

// record is an event in the trail.
type record struct {
	stream  uint32
	actor   uint32
	kind    uint16 // of event: its type's number
	time    int64  // microseconds
	event   uint64 // the first half of its id
	command uint64 // the first half of the id of the command it follows from
}

func short(id uuid.UUID) uint64 { return binary.BigEndian.Uint64(id[:8]) }

func (r record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.stream)
	b = binary.LittleEndian.AppendUint32(b, r.actor)
	b = binary.LittleEndian.AppendUint16(b, r.kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.time))
	b = binary.LittleEndian.AppendUint64(b, r.event)
	return binary.LittleEndian.AppendUint64(b, r.command)
}

func parseRecord(b []byte) record {
	return record{
		binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint16(b[8:]),
		int64(binary.LittleEndian.Uint64(b[10:])), binary.LittleEndian.Uint64(b[18:]), binary.LittleEndian.Uint64(b[26:]),
	}
}

// filter is a TrailQuery in the trail's own numbers.
type filter struct {
	after, upTo     eventstore.Position
	stream          uint32
	streams         map[uint32]bool
	actors          map[uint32]bool
	types           map[uint16]bool
	from, to        int64
	command, event  uint64
	byCommand, byID bool
}

func (f *filter) lets(r record) bool {
	return (f.stream == 0 || r.stream == f.stream) && r.time >= f.from && r.time < f.to &&
		(f.types == nil || f.types[r.kind]) && (f.actors == nil || f.actors[r.actor]) && (f.streams == nil || f.streams[r.stream]) &&
		(!f.byCommand || r.command == f.command) && (!f.byID || r.event == f.event)
}

// filter looks up what the query names.
func (q TrailQuery) filter(ctx context.Context, db querier) (*filter, error) {
	f := &filter{after: q.After, upTo: q.UpTo, from: math.MinInt64, to: math.MaxInt64}
	var position eventstore.Position
	if err := db.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&position); err != nil {
		return nil, err
	}
	if f.upTo == 0 || f.upTo > position {
		f.upTo = position
	}
	if !q.From.IsZero() {
		f.from = q.From.UnixMicro()
	}
	if !q.To.IsZero() {
		f.to = q.To.UnixMicro()
	}
	if q.Command != uuid.Nil {
		f.byCommand, f.command = true, short(q.Command)
	}
	if q.Event != uuid.Nil {
		f.byID, f.event = true, short(q.Event)
	}
	if q.Stream != (eventstore.Stream{}) {
		err := db.QueryRowContext(ctx, `SELECT n FROM streams WHERE id = ? AND kind = ?`, q.Stream.ID[:], q.Stream.Kind).Scan(&f.stream)
		if errors.Is(err, sql.ErrNoRows) {
			f.upTo = 0
		} else if err != nil {
			return nil, err
		}
	}
	var err error
	if q.Kind != "" && err == nil {
		f.streams, err = numbers[uint32](ctx, db, `SELECT n FROM streams WHERE kind = ?`, q.Kind)
	}
	if (q.Actor != "" || q.Role != "" || q.OnBehalfOf != uuid.Nil) && err == nil {
		var s selection
		if q.Actor != "" {
			s.and("subject = ?", q.Actor)
		}
		if q.Role != "" {
			s.and("role = ?", string(q.Role))
		}
		if q.OnBehalfOf != uuid.Nil {
			s.and("behalf = ?", q.OnBehalfOf[:])
		}
		f.actors, err = numbers[uint32](ctx, db, `SELECT n FROM actors`+s.String(), s.args...)
	}
	if (len(q.Type) > 0 || len(q.Facet) > 0) && err == nil {
		f.types = map[uint16]bool{}
		err = each(ctx, db, func(rows *sql.Rows) error {
			var n uint16
			var name string
			err := rows.Scan(&n, &name)
			if (len(q.Type) == 0 || slices.Contains(q.Type, name)) && (len(q.Facet) == 0 || slices.Contains(q.Facet, eventstore.Facet(name))) {
				f.types[n] = true
			}
			return err
		}, `SELECT n, name FROM types`)
	}
	return f, err
}

// numbers is the set of numbers a query gives.
func numbers[N ~uint32](ctx context.Context, db querier, query string, args ...any) (map[N]bool, error) {
	set := map[N]bool{}
	return set, each(ctx, db, func(rows *sql.Rows) error {
		var n N
		err := rows.Scan(&n)
		set[n] = true
		return err
	}, query, args...)
}

// scan calls found with the position of every event the filter lets through.
func (f *filter) scan(ctx context.Context, db querier, desc bool, found func(eventstore.Position)) error {
	if f.upTo <= f.after {
		return nil
	}
	if f.stream != 0 {
		return f.scanStream(ctx, db, desc, found)
	}
	order := ""
	if desc {
		order = " DESC"
	}
	return each(ctx, db, func(rows *sql.Rows) error {
		var block int64
		var records sql.RawBytes
		if err := rows.Scan(&block, &records); err != nil {
			return err
		}
		count := len(records) / recordBytes
		for i := range count {
			if desc {
				i = count - 1 - i
			}
			p := eventstore.Position(block*blockEvents + int64(i) + 1)
			if p > f.after && p <= f.upTo && f.lets(parseRecord(records[i*recordBytes:])) {
				found(p)
			}
		}
		return nil
	}, `SELECT block, records FROM trail WHERE block BETWEEN ? AND ? ORDER BY block`+order, int64(f.after)/blockEvents, int64(f.upTo-1)/blockEvents)
}

// scanStream looks only where one stream's events are.
func (f *filter) scanStream(ctx context.Context, db querier, desc bool, found func(eventstore.Position)) error {
	var varints []byte
	if err := db.QueryRowContext(ctx, `SELECT positions FROM streams WHERE n = ?`, f.stream).Scan(&varints); err != nil {
		return err
	}
	positions := parsePositions(varints)
	if desc {
		slices.Reverse(positions)
	}
	loaded, records := int64(-1), []byte(nil)
	for _, p := range positions {
		if p <= f.after || p > f.upTo {
			continue
		}
		block, at := int64(p-1)/blockEvents, int(p-1)%blockEvents*recordBytes
		if block != loaded {
			if err := db.QueryRowContext(ctx, `SELECT records FROM trail WHERE block = ?`, block).Scan(&records); err != nil {
				return err
			}
			loaded = block
		}
		if at+recordBytes > len(records) {
			return fmt.Errorf("the trail has no record of position %d; delete the file, and it is built anew", p)
		}
		if f.lets(parseRecord(records[at:])) {
			found(p)
		}
	}
	return nil
}

func parsePositions(varints []byte) []eventstore.Position {
	var positions []eventstore.Position
	last := eventstore.Position(0)
	for len(varints) > 0 {
		d, n := binary.Uvarint(varints)
		if n <= 0 {
			break
		}
		last += eventstore.Position(d)
		positions, varints = append(positions, last), varints[n:]
	}
	return positions
}

// Trail lists events. Total counts what the query finds, of which the page
// gives a part.
func (m *Model) Trail(ctx context.Context, q TrailQuery) (Page[TrailEntry], error) {
	page := Page[TrailEntry]{Items: []TrailEntry{}}
	limit, err := q.limit()
	if err != nil {
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
	correctedBy := map[uuid.UUID][]uuid.UUID{}
	err = m.reading(ctx, func(db querier) error {
		f, err := q.filter(ctx, db)
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
		return each(ctx, db, func(rows *sql.Rows) error {
			var by, corrects uuid.UUID
			err := rows.Scan(&by, &corrects)
			correctedBy[corrects] = append(correctedBy[corrects], by)
			return err
		}, `SELECT event, corrects FROM corrections ORDER BY position`)
	})
	if err == nil {
		page.Items, err = m.entries(ctx, positions, q.Bodies)
	}
	for i := range page.Items {
		page.Items[i].CorrectedBy = correctedBy[page.Items[i].Meta.ID]
	}
	// Records hold half of an id each; the whole ids stand in the events.
	page.Items = slices.DeleteFunc(page.Items, func(e TrailEntry) bool {
		other := q.Command != uuid.Nil && e.Meta.Command != q.Command || q.Event != uuid.Nil && e.Meta.ID != q.Event
		if other {
			page.Total--
		}
		return other
	})
	return page, listError(err, "trail")
}

// span is a run of positions read at once: reading over a few that are not
// asked for is faster than asking twice.
type span struct{ after, to eventstore.Position }

const (
	readOver    = 16
	readAtATime = 4
)

// entries reads events from the ledger, in the order of positions.
func (m *Model) entries(ctx context.Context, positions []eventstore.Position, bodies bool) ([]TrailEntry, error) {
	index := make(map[eventstore.Position]int, len(positions))
	for i, p := range positions {
		index[p] = i
	}
	var spans []span
	for _, p := range slices.Sorted(slices.Values(positions)) {
		if last := len(spans) - 1; last >= 0 && p <= spans[last].to+readOver {
			spans[last].to = p
		} else {
			spans = append(spans, span{p - 1, p})
		}
	}
	entries := make([]TrailEntry, len(positions))
	errs := make([]error, len(spans))
	slots := make(chan struct{}, readAtATime)
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
					d, err := eventstore.Decode(r.Body)
					if err != nil {
						return fmt.Errorf("position %d: %w", r.Position, err)
					}
					entries[at] = entry(r, d, bodies)
				}
				return nil
			})
		})
	}
	all.Wait()
	return entries, errors.Join(errs...)
}

func entry(r eventstore.Recorded, d eventstore.Decoded, bodies bool) TrailEntry {
	e := TrailEntry{
		Position: r.Position, Stream: r.Stream, Type: d.Type, Facet: eventstore.Facet(d.Type),
		Meta: d.Meta, Sentence: d.Event.Sentence(),
	}
	if c, ok := domain.AsCorrection(d.Event); ok {
		e.Corrects = c.Corrects
	}
	if bodies {
		e.Body = slices.Clone(r.Body)
	}
	return e
}
