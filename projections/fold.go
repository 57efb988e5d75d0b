package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// state is a folded aggregate and what the model keeps of it.
type state interface {
	// apply folds in an event that is not a correction.
	apply(domain.Happened[domain.Event]) error
	// document is the state as JSON, always the same for the same state.
	document() ([]byte, error)
	// words is all that a search can find it by.
	words() []string
	// rows is what it is filtered and sorted by; n is its number.
	rows(n int64) rows
}

// states makes the empty state of each kind of stream.
var states = map[string]func(uuid.UUID) state{
	"lab":    newLabState,
	"entity": newEntityState,

	"programme": newProgrammeState,
}

// rowsOf lists the tables that hold several rows of one aggregate of a kind.
var rowsOf = map[string][]struct{ table, of string }{
	"lab":    {{"parties", "lab"}, {"agreements", "lab"}, {"rights", "lab"}, {"commitments", "lab"}},
	"entity": {{"identifiers", "entity"}},
}

// aggregate is a stream as far as it was folded.
type aggregate struct {
	n         int64
	stream    eventstore.Stream
	events    uint64
	created   time.Time
	updated   time.Time
	positions []byte // of its events: varints, each the distance from the one before
	last      eventstore.Position
	state     state
	found     string // by these words, as last written; empty: not written yet
	touched   bool   // since it was last written
	corrected bool   // to be folded from the store before it is written
}

// folder takes events in, in the ledger's order, and gathers what is to be
// written. After an error it holds half an event and must be made anew.
type folder struct {
	store    eventstore.Store
	find     func(context.Context, eventstore.Stream) (*aggregate, error) // nil where there is none
	keep     func(*aggregate)
	deferred bool // leave streams with corrections to be folded once, by settle

	position    eventstore.Position
	last        eventstore.Recorded // the event at position
	streams     int64
	types       map[kind]uint32
	actors      map[domain.Actor]uint32
	touched     []*aggregate
	block       int64 // of the trail, that records begin in
	records     []byte
	names       [][]byte // of each block from there on
	corrections [][3]any
	digests     [][2]any
	newTypes    []kind
	newActors   []domain.Actor
	latest      int64 // recorded time of the events before the block, in microseconds
}

func newFolder(store eventstore.Store) *folder {
	return &folder{store: store, types: map[kind]uint32{}, actors: map[domain.Actor]uint32{}}
}

// resume reads from the file where folding is to go on.
func (f *folder) resume(ctx context.Context, w *writer) error {
	err := w.conn.QueryRowContext(ctx, `SELECT position, (SELECT count(*) FROM streams) FROM checkpoint`).Scan(&f.position, &f.streams)
	if err != nil {
		return err
	}
	if err := each(ctx, w.conn, func(rows *sql.Rows) error {
		var n uint32
		var k kind
		err := rows.Scan(&n, &k.name, &k.policy)
		f.types[k] = n
		return err
	}, `SELECT n, name, policy FROM types`); err != nil {
		return err
	}
	if err := each(ctx, w.conn, func(rows *sql.Rows) error {
		var n uint32
		var a domain.Actor
		err := rows.Scan(&n, &a.Subject, &a.Role, &a.OnBehalfOf)
		f.actors[a] = n
		return err
	}, `SELECT n, subject, role, behalf FROM actors`); err != nil {
		return err
	}
	f.block = int64(f.position) / blockEvents
	f.names = [][]byte{nil}
	err = w.conn.QueryRowContext(ctx, `SELECT records, names FROM trail WHERE block = ?`, f.block).Scan(&f.records, &f.names[0])
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if want := int(f.position) % blockEvents * recordBytes; err == nil && len(f.records) != want {
		err = fmt.Errorf("the trail ends at another event than position %d; delete the file, and it is built anew", f.position)
	}
	if err == nil {
		err = w.conn.QueryRowContext(ctx, `SELECT coalesce(max(latest), 0) FROM clocks WHERE block < ?`, f.block).Scan(&f.latest)
	}
	return err
}

// each calls scan for every row of a query.
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

// take folds in the event after position.
func (f *folder) take(ctx context.Context, r eventstore.Recorded, d decoded) error {
	if r.Position != f.position+1 {
		return fmt.Errorf("position %d came after %d: the ledger has a gap or gave an event twice; check the ledger, then start again", r.Position, f.position)
	}
	a, err := f.find(ctx, r.Stream)
	if err != nil {
		return err
	}
	if a == nil {
		empty, ok := states[r.Stream.Kind]
		if !ok {
			return &eventError{fmt.Errorf("streams of kind %q are unknown; upgrade jointlab before reading on", r.Stream.Kind)}
		}
		f.streams++
		a = &aggregate{n: f.streams, stream: r.Stream, created: d.Meta.Time, state: empty(r.Stream.ID)}
		f.keep(a)
	}
	if d.Meta.ID != r.ID || d.Meta.Revision != a.events {
		return &eventError{fmt.Errorf("it says it is event %s, revision %d; it stands as event %s where revision %d belongs", d.Meta.ID, d.Meta.Revision, r.ID, a.events)}
	}
	correction, corrects := domain.AsCorrection(d.Event)
	switch {
	case corrects && !f.deferred:
		err = f.refold(ctx, a, a.events+1)
	case corrects || a.corrected:
		a.corrected = true
	default:
		err = apply(a.state, domain.Happened[domain.Event]{Meta: d.Meta, Event: d.Event})
	}
	if err != nil {
		return err
	}
	a.events++
	a.updated = d.Meta.Time
	a.positions = binary.AppendUvarint(a.positions, uint64(r.Position-a.last))
	a.last = r.Position
	if !a.touched {
		a.touched = true
		f.touched = append(f.touched, a)
	}
	if corrects {
		f.corrections = append(f.corrections, [3]any{int64(r.Position), r.ID[:], correction.Corrects[:]})
	}
	return f.record(r, a.n, d)
}

// eventError says that the fault lies in the event, so that trying again will
// not help.
type eventError struct{ error }

func (e *eventError) Unwrap() error { return e.error }

// apply keeps an event that cannot be applied from taking the process with it.
func apply(s state, h domain.Happened[domain.Event]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &eventError{fmt.Errorf("apply %s: %v", eventstore.Name(h.Event), p)}
		}
	}()
	return s.apply(h)
}

// refold folds the stream's first events anew from the store, as a correction
// asks for.
func (f *folder) refold(ctx context.Context, a *aggregate, events uint64) error {
	history, err := load(ctx, f.store, a.stream, events)
	if err != nil {
		return err
	}
	s, err := fold(a.stream, history, domain.Date{})
	if err == nil {
		a.state = s
	}
	return err
}

// settle folds the streams whose corrections were put off.
func (f *folder) settle(ctx context.Context) error {
	for _, a := range f.touched {
		if a.corrected {
			if err := f.refold(ctx, a, a.events); err != nil {
				return fmt.Errorf("fold %s: %w", a.stream, err)
			}
			a.corrected = false
		}
	}
	return nil
}

// write writes all that was gathered, in the place of what was there.
func (f *folder) write(ctx context.Context, w *writer) error {
	for _, a := range f.touched {
		all, err := a.rows()
		if err != nil {
			return err
		}
		for _, t := range rowsOf[a.stream.Kind] {
			if _, err := w.exec(ctx, "DELETE FROM "+t.table+" WHERE "+t.of+" = ?", a.n); err != nil {
				return err
			}
		}
		if err := w.put(ctx, all); err != nil {
			return err
		}
	}
	return f.writeTrail(ctx, w)
}

// rows is all that is to be written of the aggregate, which then counts as written.
func (a *aggregate) rows() (rows, error) {
	document, err := a.state.document()
	all := a.state.rows(a.n)
	if words := segmented(a.state.words()); words != a.found {
		all.add("search (rowid, words)", a.n, words)
		a.found = words
	}
	all.add("documents", a.n, document)
	all.add("streams", a.n, a.stream.Kind, a.stream.ID[:], int64(a.events), a.created.UnixMicro(), a.updated.UnixMicro(), a.positions)
	a.touched = false
	return all, err
}

// mark writes how far the file goes. It refuses a file that somebody else has
// taken further.
func (f *folder) mark(ctx context.Context, w *writer, from eventstore.Position) error {
	digest := sha256.Sum256(f.last.Body)
	res, err := w.exec(ctx, `UPDATE checkpoint SET position = ?, event = ?, digest = ? WHERE position = ?`,
		int64(f.position), f.last.ID[:], digest[:], int64(from))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("the file no longer stands at position %d: another process writes to it; stop that one", from))
	}
	return nil
}
