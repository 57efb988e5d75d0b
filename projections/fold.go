package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// state is a folded aggregate and the rows the model keeps of it.
type state interface {
	// apply folds in an event that is not a correction.
	apply(domain.RecordedEvent[domain.Event]) error
	// document returns the state as JSON, deterministically.
	document() ([]byte, error)
	// words returns the texts that a search finds it by.
	words() []string
	// rows returns the rows it is filtered and sorted by; n is its number.
	rows(n int64) rows
	// past returns the rows of lists of the past that an event may have changed,
	// nil for any event, and the tables of which these are all rows.
	past(n int64, changed domain.Event) (all rows, complete []string)
}

// base implements what the states of all kinds have in common; E is the kind's
// event type.
type base[E domain.Event] struct{ aggregate domain.Aggregate[E] }

func (b base[E]) apply(h domain.RecordedEvent[domain.Event]) error {
	e, ok := h.Event.(E)
	if !ok {
		return &eventError{fmt.Errorf("%s is not an event of %T", eventstore.Name(h.Event), b.aggregate)}
	}
	b.aggregate.Apply(domain.RecordedEvent[E]{Meta: h.Meta, Event: e})
	return nil
}

func (b base[E]) document() ([]byte, error) {
	return json.Marshal(b.aggregate, json.Deterministic(true))
}

// past returns nothing: only labs and entities have lists of the past.
func (base[E]) past(int64, domain.Event) (rows, []string) { return nil, nil }

// states holds, for each kind of stream, the function that returns an empty state.
var states = map[string]func(uuid.UUID) state{
	"lab":       newLabState,
	"entity":    newEntityState,
	"programme": newProgrammeState,
	"key":       newKeyState,
	"webhook":   newWebhookState,
	"person":    newPersonState,
}

// rowsOf lists the tables with several rows per aggregate, by kind; of is the
// column with the aggregate's number.
var rowsOf = map[string][]struct{ table, of string }{
	"lab":    {{"parties", "lab"}, {"agreements", "lab"}, {"rights", "lab"}, {"commitments", "lab"}, {"drafts", "lab"}},
	"entity": {{"identifiers", "entity"}},
}

var rowsOfAll = []struct{ table, of string }{{"closed", "stream"}}

// aggregate is a stream and its state at a revision. The goroutine of the
// projector owns all fields.
type aggregate struct {
	n         int64
	stream    eventstore.Stream
	events    uint64 // number of events folded
	created   time.Time
	updated   time.Time
	positions []byte // of its events: varints, each the difference from the previous
	last      eventstore.Position
	state     state
	indexed   string // the words in the search index; empty: not written yet
	dirty     bool   // changed since it was last written
	written   uint64 // number of events in the file

	// history holds all events if they are few and were all folded here;
	// otherwise they are loaded from the store.
	history []eventstore.Decoded
	bodies  [][]byte // of all events, during a build: decoded they need ten times the memory
}

// shortHistory is the maximum number of events of an aggregate kept in memory.
const shortHistory = 32

// projector folds events in the order of the ledger and collects the rows to be
// written. After an error it may hold half an event and must be discarded. One
// goroutine at a time uses it: that of Model.Run, or of build.
type projector struct {
	store    eventstore.Store
	find     func(context.Context, eventstore.Stream) (*aggregate, error) // nil if there is none
	add      func(*aggregate)
	building bool // only collect the events of each stream; writeAll folds them

	position    eventstore.Position
	last        eventstore.Recorded // the event at position
	streams     int64
	types       map[typePolicy]uint32
	actors      map[domain.Actor]uint32
	dirty       []*aggregate
	block       int64 // the trail's block that records begin in
	records     []byte
	names       [][]byte // of each block from block on
	corrections [][3]any
	digests     [][4]any
	newTypes    []typePolicy
	newActors   []domain.Actor
	latest      int64 // latest recorded time before block, in microseconds
}

func newProjector(store eventstore.Store) *projector {
	return &projector{store: store, types: map[typePolicy]uint32{}, actors: map[domain.Actor]uint32{}}
}

// resume loads the checkpoint of the file, and what folding on from there needs.
func (p *projector) resume(ctx context.Context, w *writer) error {
	err := w.conn.QueryRowContext(ctx,
		`SELECT position, (SELECT count(*) FROM streams) FROM checkpoint`).Scan(&p.position, &p.streams)
	if err != nil {
		return err
	}
	if err := each(ctx, w.conn, func(rows *sql.Rows) error {
		var n uint32
		var k typePolicy
		err := rows.Scan(&n, &k.name, &k.about, &k.policy)
		p.types[k] = n
		return err
	}, `SELECT n, name, about, policy FROM types`); err != nil {
		return err
	}
	if err := each(ctx, w.conn, func(rows *sql.Rows) error {
		var n uint32
		var a domain.Actor
		err := rows.Scan(&n, &a.Subject, &a.Role, &a.OnBehalfOf)
		p.actors[a] = n
		return err
	}, `SELECT n, subject, role, behalf FROM actors`); err != nil {
		return err
	}
	p.block = int64(p.position) / blockEvents
	p.names = [][]byte{nil}
	err = w.conn.QueryRowContext(ctx, `SELECT records, names FROM trail WHERE block = ?`, p.block).Scan(&p.records,
		&p.names[0])
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if want := int(p.position) % blockEvents * recordBytes; err == nil && len(p.records) != want {
		err = fmt.Errorf("the trail does not end at position %d; delete the file to rebuild it",
			p.position)
	}
	if err == nil {
		err = w.conn.QueryRowContext(ctx, `SELECT coalesce(max(latest), 0) FROM clocks WHERE block < ?`,
			p.block).Scan(&p.latest)
	}
	return err
}

// each calls scan for each row of a query.
func each(ctx context.Context, db querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// project folds the event at position + 1.
func (p *projector) project(ctx context.Context, r eventstore.Recorded, d decoded) error {
	if r.Position != p.position+1 {
		return fmt.Errorf("position %d came after %d: the ledger has a gap or a duplicate; check the ledger, then restart", r.Position, p.position)
	}
	a, err := p.find(ctx, r.Stream)
	if err != nil {
		return err
	}
	if a == nil {
		empty, ok := states[r.Stream.Kind]
		if !ok {
			return &eventError{fmt.Errorf("streams of kind %q are unknown; upgrade jointlab before reading on",
				r.Stream.Kind)}
		}
		p.streams++
		a = &aggregate{n: p.streams, stream: r.Stream, created: d.Meta.Time, state: empty(r.Stream.ID)}
		p.add(a)
	}
	if d.Meta.ID != r.ID || d.Meta.Revision != a.events {
		return &eventError{fmt.Errorf("its header names event %s, revision %d; "+
			"the ledger has it as event %s, revision %d; check the ledger", d.Meta.ID, d.Meta.Revision, r.ID, a.events)}
	}
	if p.building {
		a.bodies = append(a.bodies, r.Body)
	} else if a.events < shortHistory && uint64(len(a.history)) == a.events {
		plain := d.Decoded
		plain.Data = nil // the trail has its mentions; the body need not be kept
		a.history = append(a.history, plain)
	} else {
		a.history = nil
	}
	rewrite, rewrites := domain.AsRewrite(d.Event)
	switch {
	case p.building:
	case rewrites:
		err = p.refold(ctx, a, a.events+1)
	default:
		err = apply(a.state, domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event})
	}
	if err != nil {
		return err
	}
	a.events++
	a.updated = d.Meta.Time
	a.positions = binary.AppendUvarint(a.positions, uint64(r.Position-a.last))
	a.last = r.Position
	if !a.dirty {
		a.dirty = true
		p.dirty = append(p.dirty, a)
	}
	if rewrites {
		p.corrections = append(p.corrections, [3]any{int64(r.Position), r.ID[:], rewrite.Of[:]})
	}
	return p.appendRecord(r, a.n, d)
}

// eventError is an error caused by the event itself: a retry cannot succeed.
type eventError struct{ error }

func (e *eventError) Unwrap() error { return e.error }

// apply applies an event and returns a panic as an error.
func apply(s state, h domain.RecordedEvent[domain.Event]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &eventError{fmt.Errorf("apply %s: %v", eventstore.Name(h.Event), p)}
		}
	}()
	return s.apply(h)
}

// refold folds the first events of a stream again, as a correction requires.
func (p *projector) refold(ctx context.Context, a *aggregate, events uint64) error {
	history, err := p.historyOf(ctx, a, events)
	if err != nil {
		return err
	}
	s, err := fold(a.stream, history, domain.Date{})
	if err == nil {
		a.state = s
	}
	return err
}

func (p *projector) historyOf(ctx context.Context, a *aggregate, events uint64) ([]eventstore.Decoded, error) {
	if uint64(len(a.history)) == events {
		return a.history, nil
	}
	return loadHistory(ctx, p.store, a.stream, events)
}

// versions returns the row versions that the aggregate's events since the last
// write make. The history is that of the aggregate.
func (p *projector) versions(ctx context.Context, w *writer, a *aggregate, history []eventstore.Decoded) (_ rows,
	err error) {
	past := newPast(a.stream, a.n)
	if a.written > 0 {
		if past, err = readPast(ctx, w.conn, a.stream, a.n); err != nil {
			return nil, err
		}
	}
	if _, _, err := past.extend(history, parsePositions(a.positions), int(a.written)); err != nil {
		return nil, err
	}
	return past.newRows(), nil
}

// write replaces the rows of all dirty aggregates and extends the trail.
func (p *projector) write(ctx context.Context, w *writer) error {
	for _, a := range p.dirty {
		var all rows
		var history []eventstore.Decoded
		if len(tablesByKind[a.stream.Kind]) > 0 {
			var err error
			if history, err = p.historyOf(ctx, a, a.events); err == nil {
				all, err = p.versions(ctx, w, a, history)
			}
			if err != nil {
				return fmt.Errorf("fold %s: %w", a.stream, err)
			}
		}
		now, err := a.rows(history)
		if err != nil {
			return err
		}
		for _, t := range slices.Concat(rowsOf[a.stream.Kind], rowsOfAll) {
			if _, err := w.exec(ctx, "DELETE FROM "+t.table+" WHERE "+t.of+" = ?", a.n); err != nil {
				return err
			}
		}
		if err := w.put(ctx, slices.Concat(all, now)); err != nil {
			return err
		}
	}
	return p.writeTrail(ctx, w)
}

// rows returns all current rows of the aggregate and marks it as written. Only
// labs need the history.
func (a *aggregate) rows(history []eventstore.Decoded) (rows, error) {
	document, err := a.state.document()
	all := a.state.rows(a.n)
	if words := segment(a.state.words()); words != a.indexed {
		all.add("search (rowid, words)", a.n, words)
		a.indexed = words
	}
	all = append(all, a.restrictedRows(history)...)
	all.add("documents", a.n, document)
	all.add("streams", a.n, a.stream.Kind, a.stream.ID[:], int64(a.events), a.created.UnixMicro(),
		a.updated.UnixMicro(), a.positions)
	a.dirty, a.written = false, a.events
	return all, err
}

// saveCheckpoint writes the position of the file. It fails if the file is no
// longer at position from, because another process wrote to it.
func (p *projector) saveCheckpoint(ctx context.Context, w *writer, from eventstore.Position) error {
	digest := sha256.Sum256(p.last.Body)
	res, err := w.exec(ctx, `UPDATE checkpoint SET position = ?, event = ?, digest = ? WHERE position = ?`,
		int64(p.position), p.last.ID[:], digest[:], int64(from))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err,
			fmt.Errorf("the file is no longer at position %d: another process writes to it; stop that process", from))
	}
	return nil
}
