package projections

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// Lists of the past read row versions. Let S(p, d) be the fold of a stream's
// events up to position p on day d of the world. The version (d, p) of a row is
// the row in S(p, d), or its absence. It is written with the event at p, never
// changed, and never deleted. The row in S(K, V) is then the version of the
// latest day up to V, and on that day of the last position up to K.
//
// This holds because S(p, ·) changes only on the effective days of events. They
// are visited in order, and on each a version is written exactly where the
// existing ones would give another row. An event recorded in time changes one
// day, the last, and mostly one row. A late event, an event without a day and a
// correction change several days, which are folded again.

// versionedTable is a table whose rows have versions.
type versionedTable struct {
	table   string
	keys    []string // the first is the number of the stream
	columns []string
	single  bool // a stream has at most one row
}

// versioned lists the tables with versions. A summary is what a list shows of a
// lab, and the document of a legal entity; words are its searchable texts.
var versioned = []versionedTable{
	{"labs", []string{"n"}, []string{"name_zh", "name_en", "status", "due", "host", "level", "programme", "discipline",
		"summary"}, true},
	{"parties", []string{"lab", "entity"}, []string{"bound"}, false}, // only bound parties
	{"agreements", []string{"lab", "no"}, []string{"id", "class", "parties", "ends", "days"}, false},
	{"rights", []string{"lab", "no"}, []string{"agreement", "kind", "state", "party", "counterparty", "due", "since"},
		false},
	{"commitments", []string{"lab", "no"}, []string{"agreement", "party", "kind", "currency", "source", "days", "late"},
		false},
	{"entities", []string{"n"}, []string{"name_zh", "name_en", "kind", "country", "days", "summary"}, true},
	{"identifiers", []string{"entity", "scheme", "value"}, nil, false},
	{"words", []string{"n"}, []string{"words", "id"}, true}, // id: the row of past_search
}

func (k versionedTable) versionsTable() string { return k.table + "_versions" }

// versionsSchema returns the schema of the version tables. Numbers in keys are
// declared INTEGER, or joins by number would not use the key. Other columns have
// no type, so that values are stored unconverted.
func versionsSchema() string {
	var b strings.Builder
	for _, k := range versioned {
		columns := strings.Join(slices.Concat(k.keys, []string{"at INTEGER", "gone"}, k.columns), ", ")
		columns = strings.Replace(k.keys[0]+" INTEGER"+columns[len(k.keys[0]):], " no,", " no INTEGER,", 1)
		fmt.Fprintf(&b, "CREATE TABLE %s (%s, PRIMARY KEY (%s, at))", k.versionsTable(), columns,
			strings.Join(k.keys, ", "))
		if !k.single { // rows with a summary are long and slow down scans of the key
			b.WriteString(" WITHOUT ROWID")
		}
		b.WriteString(";\n")
	}
	b.WriteString("CREATE VIRTUAL TABLE past_search USING fts5 (words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');\n")
	return b.String()
}

// positionBits is the number of low bits of a version key that hold the position;
// the high bits hold the day. So keys sort by day, then by position, and fit an
// INTEGER. Positions must be below 1<<positionBits.
const positionBits = 40

func versionKey(day domain.Date, p eventstore.Position) int64 {
	return int64(day.Compare(domain.Date{}))<<positionBits | int64(p)
}

// rowVersion is a row from a version key on; nil values: the row is absent.
type rowVersion struct {
	at     int64
	values []any
}

// rowPast is the versions of one row, ordered by version key.
type rowPast struct {
	table    *versionedTable
	key      []any
	versions []rowVersion
	lastPut  int64 // the version key of its last put; -1: none
}

// valuesAt returns the row at a version key, nil if it is absent: the version of
// the latest day, and on that day of the last position, not above those of the key.
func (r *rowPast) valuesAt(at int64) []any {
	i, _ := slices.BinarySearchFunc(r.versions, at+1, func(v rowVersion, at int64) int { return cmp.Compare(v.at, at) })
	for i--; i >= 0; i-- {
		if v := r.versions[i]; v.at&(1<<positionBits-1) <= at&(1<<positionBits-1) {
			return v.values
		}
	}
	return nil
}

// add inserts a version.
func (r *rowPast) add(v rowVersion) {
	i, _ := slices.BinarySearchFunc(r.versions, v.at, func(v rowVersion, at int64) int { return cmp.Compare(v.at, at) })
	r.versions = slices.Insert(r.versions, i, v)
}

// streamPast is the versions of all rows of a stream, and those to be written. One
// goroutine uses it.
type streamPast struct {
	stream  eventstore.Stream
	n       int64
	rows    map[string]*rowPast
	tables  map[string][]*rowPast
	found   int // number of versions of words
	pending []pendingVersion
}

// pendingVersion is a version to be written.
type pendingVersion struct {
	of *rowPast
	rowVersion
}

// step is an event of a history, with the days that it changes.
type step struct {
	domain.RecordedEvent[domain.Event]
	position   eventstore.Position
	correction bool
	from       domain.Date // the first day on which it counts; zero: every day
	exists     domain.Date // the first day on which the stream exists, as known then
}

// steps returns the steps of a history and the days on which its state changes, in
// order; born has the index of the first step that knows of each day.
func steps(history []eventstore.Decoded, positions []eventstore.Position) (all []step, days []domain.Date,
	born map[domain.Date]int) {
	born = map[domain.Date]int{}
	know := func(p int, d domain.Date) {
		if _, ok := born[d]; !ok {
			born[d] = p
			days = append(days, d)
		}
	}
	var own []domain.Date // day of each event that is no correction, as last corrected
	var metas []domain.Meta
	at := map[uuid.UUID]int{}
	for p, d := range history {
		s := step{RecordedEvent: domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event},
			position: positions[p]}
		r, is := domain.AsRewrite(d.Event)
		switch i, ok := at[r.Of]; {
		case !is || !ok:
		case r.Void:
			own[i] = domain.Date{}
		default:
			own[i] = eventstore.HappenedOn(r.Event, metas[i])
		}
		if s.correction = is; !is {
			s.from = eventstore.HappenedOn(d.Event, d.Meta)
			at[d.Meta.ID], own, metas = len(own), append(own, s.from), append(metas, d.Meta)
		}
		if len(own) == 0 {
			know(p, s.exists) // a stream must not begin with a correction
		} else if is || p == 0 {
			s.exists = own[0]
			for _, d := range own {
				if !d.IsZero() && d.Before(s.exists) {
					s.exists = d
				}
				if !d.IsZero() && p > 0 {
					know(p, d)
				}
			}
		} else if s.exists = all[p-1].exists; !s.from.IsZero() {
			if s.from.Before(s.exists) {
				s.exists = s.from
			}
			know(p, s.from)
		}
		know(p, s.exists)
		all = append(all, s)
	}
	slices.SortFunc(days, domain.Date.Compare)
	return all, days, born
}

// extend adds the versions that the events from index from on make, and returns
// the state after all events. If an event cannot be applied, failed is its index.
func (p *streamPast) extend(history []eventstore.Decoded, positions []eventstore.Position, from int) (s state,
	failed int, err error) {
	all, days, born := steps(history, positions)
	whole := make([]bool, len(all)) // the steps that may change any row
	first := days[len(days)-1]      // the first day that changes
	for _, st := range all[from:] {
		if st.from.Before(first) {
			first = st.from // also zero for a correction
		}
	}
	for _, d := range days {
		if d.Before(first) || len(p.tables) == 0 && d != days[len(days)-1] {
			continue
		}
		s = states[p.stream.Kind](p.stream.ID)
		was := false
		for i, st := range all {
			counts := i == 0 || !st.correction && !st.from.After(d)
			switch {
			case st.correction:
				s, err = p.refold(all[:i+1], d)
			case counts:
				err = apply(s, st.RecordedEvent)
			}
			if err != nil {
				return nil, i, err
			}
			there := !st.exists.After(d)
			if i >= from && i >= born[d] {
				whole[i] = whole[i] || st.correction || there != was
				switch {
				case !there && whole[i]:
					p.put(nil, nil, versionKey(d, st.position))
				case there && whole[i]:
					p.put(s, nil, versionKey(d, st.position))
				case there && counts:
					p.put(s, st.Event, versionKey(d, st.position))
				}
			}
			was = there
		}
	}
	return s, 0, nil
}

// refold returns the fold of the steps on a day, even before the stream exists.
func (p *streamPast) refold(all []step, day domain.Date) (state, error) {
	history := make([]domain.RecordedEvent[domain.Event], len(all))
	for i := range all {
		history[i] = all[i].RecordedEvent
	}
	s := states[p.stream.Kind](p.stream.ID)
	for i, h := range domain.Effective(history) {
		if i > 0 && eventstore.HappenedOn(h.Event, h.Meta).After(day) {
			continue
		}
		if err := apply(s, h); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// put adds versions at a key for the rows that an event may have changed, nil for
// any event, where they differ from the existing ones. A nil state has no rows.
func (p *streamPast) put(s state, changed domain.Event, at int64) {
	var all rows
	tables := make([]string, 0, len(versioned))
	if s != nil {
		all, tables = s.past(p.n, changed)
	} else {
		for t := range p.tables {
			tables = append(tables, t)
		}
	}
	for _, row := range all {
		r := p.row(row.into, row.values)
		r.lastPut = at
		if values := row.values[len(r.table.keys):]; !equal(r.valuesAt(at), values) {
			p.write(r, rowVersion{at, values})
		}
	}
	for _, t := range tables {
		for _, r := range p.tables[t] {
			if r.lastPut != at && r.valuesAt(at) != nil {
				p.write(r, rowVersion{at: at})
			}
		}
	}
}

func (p *streamPast) write(r *rowPast, v rowVersion) {
	r.add(v)
	p.pending = append(p.pending, pendingVersion{r, v})
}

// row returns the row with the key at the beginning of values.
func (p *streamPast) row(table string, values []any) *rowPast {
	k := tablesByKind[p.stream.Kind][table]
	for i, v := range values {
		values[i] = storable(v)
	}
	key := []byte(table)
	for _, v := range values[1:len(k.keys)] {
		switch v := v.(type) {
		case int64:
			key = binary.BigEndian.AppendUint64(append(key, 0), uint64(v))
		case string:
			key = append(append(key, 0), v...)
		case []byte:
			key = append(append(key, 0), v...)
		}
	}
	r := p.rows[string(key)]
	if r == nil {
		r = &rowPast{table: k, key: values[:len(k.keys):len(k.keys)], lastPut: -1}
		p.rows[string(key)], p.tables[table] = r, append(p.tables[table], r)
	}
	return r
}

// storable returns a value as SQLite returns it, copied.
func storable(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case []byte:
		return bytes.Clone(v)
	}
	return v
}

func equal(a, b []any) bool {
	return a != nil && len(a) == len(b) && compareRows(a, b) == 0
}

// newRows returns the added versions as rows, in the order of the ledger.
func (p *streamPast) newRows() (all rows) {
	slices.SortFunc(p.pending, func(a, b pendingVersion) int {
		const position = 1<<positionBits - 1
		return cmp.Or(cmp.Compare(a.at&position, b.at&position), cmp.Compare(a.at, b.at))
	})
	for _, v := range p.pending {
		values := append(slices.Clone(v.of.key), v.at, v.values == nil)
		rest := make([]any, len(v.of.table.columns))
		copy(rest, v.values)
		if v.of.table.table == "words" {
			p.found++
			id := p.n<<20 | int64(p.found)
			rest[1] = id
			if v.values != nil {
				all.add("past_search (rowid, words)", id, v.values[0])
			}
		}
		all.add(v.of.table.versionsTable(), append(values, rest...)...)
	}
	p.pending = nil
	return all
}

// tablesByKind holds the versioned tables of each kind of stream.
var tablesByKind = map[string]map[string]*versionedTable{}

func init() {
	of := map[string]string{"entities": "entity", "identifiers": "entity"}
	for i := range versioned {
		k := &versioned[i]
		for _, kind := range []string{"lab", "entity"} {
			if k.table != "words" && cmp.Or(of[k.table], "lab") != kind {
				continue
			}
			if tablesByKind[kind] == nil {
				tablesByKind[kind] = map[string]*versionedTable{}
			}
			tablesByKind[kind][k.table] = k
		}
	}
}

// newPast returns the past of a stream without versions.
func newPast(stream eventstore.Stream, n int64) *streamPast {
	p := &streamPast{stream: stream, n: n, rows: map[string]*rowPast{}, tables: map[string][]*rowPast{}}
	for t := range tablesByKind[stream.Kind] {
		p.tables[t] = nil
	}
	return p
}

// readPast returns the versions of a stream's rows in the file.
func readPast(ctx context.Context, db querier, stream eventstore.Stream, n int64) (*streamPast, error) {
	p := newPast(stream, n)
	for t, k := range tablesByKind[stream.Kind] {
		width := len(k.keys)
		into := make([]any, width+2+len(k.columns))
		err := each(ctx, db, func(rows *sql.Rows) error {
			values := make([]any, len(into))
			for i := range into {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			v := rowVersion{at: values[width].(int64)}
			if values[width+1].(int64) == 0 {
				v.values = values[width+2:]
			}
			if t == "words" {
				p.found++
				if v.values != nil {
					v.values = v.values[:1]
				}
			}
			r := p.row(t, values[:width])
			r.versions = append(r.versions, v)
			return nil
		}, fmt.Sprintf("SELECT %s FROM %s WHERE %s = ? ORDER BY %s, at",
			strings.Join(slices.Concat(k.keys, []string{"at", "gone"}, k.columns), ", "), k.versionsTable(), k.keys[0],
			strings.Join(k.keys, ", ")), n)
		if err != nil {
			return nil, fmt.Errorf("read versions of %s: %w", stream, err)
		}
	}
	return p, nil
}

// marshalSummary returns v as deterministic JSON.
func marshalSummary(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("projections: marshal a summary: %v", err))
	}
	return b
}
