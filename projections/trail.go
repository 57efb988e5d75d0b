package projections

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// The trail holds for each event only what queries filter by: a record of fixed
// size and the hashes of its mentions. A row is a block of events. To scan a
// million records costs less than to maintain an index on them. The events
// themselves are read from the ledger, byte for byte.

const (
	recordBytes = 40
	blockEvents = 128 // per row; a commit rewrites the last row
)

// record is an event in the trail.
type record struct {
	stream  uint32
	actor   uint32
	kind    uint32
	day     int32  // effective day, see dayNumber; 0: none
	time    int64  // microseconds
	event   uint64 // half of its id
	command uint64 // half of the id of its command
}

// typePolicy is an event's type, that of the event it rewrites where it does, and
// the policy it was decided under: a row of types.
type typePolicy struct{ name, about, policy string }

// idHalf returns the second half of an id, which is random or hashed in every
// version of UUID; the first may be a time.
func idHalf(id uuid.UUID) uint64 { return binary.BigEndian.Uint64(id[8:]) }

func (r record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.stream)
	b = binary.LittleEndian.AppendUint32(b, r.actor)
	b = binary.LittleEndian.AppendUint32(b, r.kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.day))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.time))
	b = binary.LittleEndian.AppendUint64(b, r.event)
	return binary.LittleEndian.AppendUint64(b, r.command)
}

func parseRecord(b []byte) record {
	return record{
		stream:  binary.LittleEndian.Uint32(b),
		actor:   binary.LittleEndian.Uint32(b[4:]),
		kind:    binary.LittleEndian.Uint32(b[8:]),
		day:     int32(binary.LittleEndian.Uint32(b[12:])),
		time:    int64(binary.LittleEndian.Uint64(b[16:])),
		event:   binary.LittleEndian.Uint64(b[24:]),
		command: binary.LittleEndian.Uint64(b[32:]),
	}
}

// happenedOn returns the effective day of an event; for a correction that of its
// restatement, for a void that of the event it takes back.
func happenedOn(d eventstore.Decoded) domain.Date {
	if r, ok := domain.AsRewrite(d.Event); ok {
		return eventstore.HappenedOn(r.Event, d.Meta)
	}
	return eventstore.HappenedOn(d.Event, d.Meta)
}

// aboutType returns the type of the event that a correction restates or a void takes
// back; empty for other events.
func aboutType(e domain.Event) string {
	if r, ok := domain.AsRewrite(e); ok {
		return eventstore.Name(r.Event)
	}
	return ""
}

// inFacet reports whether an event of the type is in one of the facets. A correction
// and a void are in that of the event they are about, too.
func (t typePolicy) inFacet(facets []string) bool {
	return slices.Contains(facets, eventstore.Facet(t.name)) || t.about != "" && slices.Contains(facets, eventstore.Facet(t.about))
}

// dayNumber returns the number of days from the zero Date, negative before it.
func dayNumber(d domain.Date) int32 { return int32(d.Compare(domain.Date{})) }

// appendRecord adds the event to the trail.
func (p *projector) appendRecord(r eventstore.Recorded, stream int64, d decoded) error {
	k := typePolicy{d.Type, aboutType(d.Event), d.Meta.Policy}
	t, ok := p.types[k]
	if !ok {
		t = uint32(len(p.types) + 1)
		p.types[k] = t
		p.newTypes = append(p.newTypes, k)
	}
	by, ok := p.actors[d.Meta.Actor]
	if !ok {
		by = uint32(len(p.actors) + 1)
		p.actors[d.Meta.Actor] = by
		p.newActors = append(p.newActors, d.Meta.Actor)
	}
	p.records = record{
		stream: uint32(stream),
		actor:  by,
		kind:   t,
		day:    dayNumber(happenedOn(d.Decoded)),
		time:   d.Meta.Time.UnixMicro(),
		event:  idHalf(d.Meta.ID), command: idHalf(d.Meta.Command),
	}.append(p.records)
	block, at := int(int64(r.Position-1)/blockEvents-p.block), int(r.Position-1)%blockEvents
	for len(p.names) <= block {
		p.names = append(p.names, nil)
	}
	for _, n := range d.mentions.names {
		p.names[block] = appendName(p.names[block], at, n)
	}
	for _, digest := range d.mentions.digests {
		p.digests = append(p.digests, [4]any{int64(r.Position), digest[:], stream,
			domain.Reviewers.Include(d.Meta.Actor.Readers())})
	}
	p.position, p.last = r.Position, r
	return nil
}

// writeTrail writes the collected records and clears what was written.
func (p *projector) writeTrail(ctx context.Context, w *writer) error {
	var all rows
	for i, k := range p.newTypes {
		all.add("types", int64(len(p.types)-len(p.newTypes)+i+1), k.name, k.about, k.policy)
	}
	for i, a := range p.newActors {
		all.add("actors", int64(len(p.actors)-len(p.newActors)+i+1), a.Subject, string(a.Role),
			p.newActors[i].OnBehalfOf[:])
	}
	for _, c := range p.corrections {
		all.add("corrections", c[:]...)
	}
	for _, d := range p.digests {
		all.add("digests", d[:]...)
	}
	for len(p.records) > 0 {
		end := min(len(p.records), blockEvents*recordBytes)
		all.add("trail", p.block, p.records[:end:end], append([]byte{}, p.names[0]...))
		latest := p.latest
		for at := 0; at < end; at += recordBytes {
			latest = max(latest, parseRecord(p.records[at:]).time)
		}
		all.add("clocks", p.block, latest)
		if end < blockEvents*recordBytes {
			break
		}
		p.records, p.names, p.latest = p.records[end:], p.names[1:], latest
		p.block++
	}
	if err := errors.Join(w.put(ctx, all), w.flush(ctx)); err != nil {
		return err
	}
	p.records = append(make([]byte, 0, blockEvents*recordBytes), p.records...)
	p.names = append([][]byte(nil), p.names...)
	p.dirty, p.corrections, p.digests, p.newTypes, p.newActors = p.dirty[:0], nil, nil, nil, nil
	return nil
}

// trailFilter is a compiled TrailQuery, in the trail's own numbers.
type trailFilter struct {
	after, upTo     eventstore.Position
	positions       []eventstore.Position // only these, in order; nil: all
	streams         map[uint32]bool
	actors          map[uint32]bool
	types           map[uint32]bool
	from, to        int64
	byDay           bool
	first, last     int32
	command, event  uint64
	byCommand, byID bool
	entity          *entityFilter
	hidden          map[eventstore.Position]bool // from the reader
	names           []uint64                     // hashes, all required; at most 8; the entity's is the first
}

// entityFilter matches events of a legal entity's stream and events recorded on
// its behalf. Events that mention it match by the first name of the filter.
type entityFilter struct {
	stream uint32
	actors map[uint32]bool
}

// matches reports whether an event passes. Bit i of names is set if it has the
// filter's name i.
func (f *trailFilter) matches(r record, names uint8) bool {
	if f.entity != nil && (r.stream == f.entity.stream || f.entity.actors[r.actor]) {
		names |= 1
	}
	return r.time >= f.from && r.time < f.to && names == 1<<len(f.names)-1 &&
		(!f.byDay || r.day != 0 && r.day >= f.first && r.day <= f.last) && (f.types == nil || f.types[r.kind]) &&
		(f.actors == nil || f.actors[r.actor]) && (f.streams == nil || f.streams[r.stream]) &&
		(!f.byCommand || r.command == f.command) && (!f.byID || r.event == f.event)
}

// compile returns the query as a filter, in the numbers that the file gives to
// streams, actors and types.
func (q TrailQuery) compile(ctx context.Context, db querier) (*trailFilter, error) {
	f := &trailFilter{after: q.After, upTo: q.UpTo, from: math.MinInt64, to: math.MaxInt64}
	var position eventstore.Position
	if err := db.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&position); err != nil {
		return nil, err
	}
	if f.upTo == 0 || f.upTo > position {
		f.upTo = position
	}
	q.compileValues(f)
	for _, compile := range []func(context.Context, querier, *trailFilter) error{
		q.compileEntity, // before the other names: the entity's comes first
		q.compileBasis,
		q.compileStream, // after the basis: it keeps of its positions those of the stream
		q.compileActor,
		q.compileType,
	} {
		if err := compile(ctx, db, f); err != nil {
			return nil, err
		}
	}
	if q.Correlation != "" {
		f.names = append(f.names, correlationName(q.Correlation).hash())
	}
	var err error
	f.hidden, err = hiddenFrom(ctx, db, q.For, q.Stream, f.after, f.upTo)
	return f, err
}

// compileValues sets what a record holds itself: times, days and ids.
func (q TrailQuery) compileValues(f *trailFilter) {
	if !q.From.IsZero() {
		f.from = q.From.UnixMicro()
	}
	if !q.To.IsZero() {
		f.to = q.To.UnixMicro()
	}
	f.byDay, f.first, f.last = q.Effective != domain.Period{}, dayNumber(q.Effective.From), math.MaxInt32
	if !q.Effective.To.IsZero() {
		f.last = dayNumber(q.Effective.To)
	}
	f.byCommand, f.command = q.Command != uuid.Nil, idHalf(q.Command)
	f.byID, f.event = q.Event != uuid.Nil, idHalf(q.Event)
}

func (q TrailQuery) compileEntity(ctx context.Context, db querier, f *trailFilter) (err error) {
	if q.LegalEntity == uuid.Nil {
		return nil
	}
	f.entity, f.names = &entityFilter{}, append(f.names, aggregateName(q.LegalEntity).hash())
	if f.entity.actors, err = selectNumbers(ctx, db, `SELECT n FROM actors WHERE behalf = ?`,
		q.LegalEntity[:]); err != nil {
		return err
	}
	err = db.QueryRowContext(ctx, `SELECT n FROM streams WHERE id = ? AND kind = 'entity'`,
		q.LegalEntity[:]).Scan(&f.entity.stream)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (q TrailQuery) compileBasis(ctx context.Context, db querier, f *trailFilter) error {
	if document, ok := q.basisDocument(); ok {
		f.names = append(f.names, basisName(document).hash())
		return nil
	}
	if q.Basis == "" {
		return nil
	}
	digest, err := eventstore.ParseDigest(q.Basis)
	if err != nil {
		return &QueryError{"basis", domain.T("请填写文号，或 sha256: 加 64 位小写十六进制数字", "give a document number, or sha256: and 64 hex digits in lower case")}
	}
	f.positions = []eventstore.Position{}
	return each(ctx, db, func(rows *sql.Rows) error {
		var p eventstore.Position
		err := rows.Scan(&p)
		f.positions = append(f.positions, p)
		return err
	}, `SELECT position FROM digests WHERE digest = ? ORDER BY position`, digest[:])
}

func (q TrailQuery) compileStream(ctx context.Context, db querier, f *trailFilter) (err error) {
	if q.Stream != (eventstore.Stream{}) {
		var varints []byte
		err := db.QueryRowContext(ctx, `SELECT positions FROM streams WHERE id = ? AND kind = ?`, q.Stream.ID[:],
			q.Stream.Kind).Scan(&varints)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		own := parsePositions(varints)
		if f.positions != nil {
			own = slices.DeleteFunc(own, func(p eventstore.Position) bool {
				_,
					both := slices.BinarySearch(f.positions, p)
				return !both
			})
		}
		f.positions = append([]eventstore.Position{}, own...)
	}
	if q.Kind != "" {
		f.streams, err = selectNumbers(ctx, db, `SELECT n FROM streams WHERE kind = ?`, q.Kind)
	}
	return err
}

func (q TrailQuery) compileActor(ctx context.Context, db querier, f *trailFilter) (err error) {
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
	if len(s.where) > 0 {
		f.actors, err = selectNumbers(ctx, db, `SELECT n FROM actors`+s.String(), s.args...)
	}
	return err
}

func (q TrailQuery) compileType(ctx context.Context, db querier, f *trailFilter) error {
	if len(q.Type) == 0 && len(q.Facet) == 0 && q.Policy == "" {
		return nil
	}
	f.types = map[uint32]bool{}
	return each(ctx, db, func(rows *sql.Rows) error {
		var n uint32
		var t typePolicy
		err := rows.Scan(&n, &t.name, &t.about, &t.policy)
		f.types[n] = (len(q.Type) == 0 || slices.Contains(q.Type, t.name)) &&
			(len(q.Facet) == 0 || t.inFacet(q.Facet)) &&
			(q.Policy == "" || q.Policy == t.policy)
		return err
	}, `SELECT n, name, about, policy FROM types`)
}

// basisDocument returns the document number of the basis. It reports false if
// there is none or the basis is given by its digest.
func (q TrailQuery) basisDocument() (string, bool) {
	return q.Basis, q.Basis != "" && !strings.HasPrefix(q.Basis, "sha256:")
}

// selectNumbers returns the set of numbers that a query selects.
func selectNumbers(ctx context.Context, db querier, query string, args ...any) (map[uint32]bool, error) {
	set := map[uint32]bool{}
	return set, each(ctx, db, func(rows *sql.Rows) error {
		var n uint32
		err := rows.Scan(&n)
		set[n] = true
		return err
	}, query, args...)
}

// block is a row of the trail.
type block struct {
	n       int64
	records []byte
	names   [blockEvents]uint8
}

func (f *trailFilter) parseBlock(n int64, records, names []byte) block {
	b := block{n: n, records: records}
	if len(f.names) > 0 {
		b.names = matchNames(names, f.names)
	}
	return b
}

// matches reports whether the event at p, which must be in the block, passes.
func (b *block) matches(f *trailFilter, p eventstore.Position) bool {
	at := int(p-1) % blockEvents
	return p > f.after && p <= f.upTo && f.matches(parseRecord(b.records[at*recordBytes:]), b.names[at]) && !f.hidden[p]
}

// scan calls found with the position of each event that passes.
func (f *trailFilter) scan(ctx context.Context, db querier, desc bool, found func(eventstore.Position)) error {
	if f.upTo <= f.after {
		return nil
	}
	if f.positions != nil {
		return f.scanPositions(ctx, db, desc, found)
	}
	order := ""
	if desc {
		order = " DESC"
	}
	return each(ctx, db, func(rows *sql.Rows) error {
		var n int64
		var records, names sql.RawBytes
		if err := rows.Scan(&n, &records, &names); err != nil {
			return err
		}
		b := f.parseBlock(n, records, names)
		count := len(records) / recordBytes
		for i := range count {
			if desc {
				i = count - 1 - i
			}
			if p := eventstore.Position(n*blockEvents + int64(i) + 1); b.matches(f, p) {
				found(p)
			}
		}
		return nil
	}, `SELECT block, records, names FROM trail WHERE block BETWEEN ? AND ? ORDER BY block`+order,
		int64(f.after)/blockEvents, int64(f.upTo-1)/blockEvents)
}

// scanPositions is scan for a filter with positions.
func (f *trailFilter) scanPositions(ctx context.Context, db querier, desc bool, found func(eventstore.Position)) error {
	positions := slices.Clone(f.positions)
	if desc {
		slices.Reverse(positions)
	}
	b := block{n: -1}
	for _, p := range positions {
		if p <= f.after || p > f.upTo {
			continue
		}
		if n := int64(p-1) / blockEvents; n != b.n {
			var records, names []byte
			if err := db.QueryRowContext(ctx, `SELECT records, names FROM trail WHERE block = ?`, n).Scan(&records,
				&names); err != nil {
				return err
			}
			b = f.parseBlock(n, records, names)
		}
		if (int(p-1)%blockEvents+1)*recordBytes > len(b.records) {
			return fmt.Errorf("the trail has no record of position %d; delete the file to rebuild it", p)
		}
		if b.matches(f, p) {
			found(p)
		}
	}
	return nil
}

// parsePositions returns the positions of a stream's events, from varints.
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
