// Package projections maintains the read model: the folded aggregates and the
// trail of all events, in one SQLite file. The file may be deleted at any time;
// the ledger rebuilds it with the same content.
//
// The fold is that of the write side. A document, the rows derived from it and the
// checkpoint are committed together, so each event counts exactly once wherever
// the process ends.
package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jointlab/jointlab/eventstore"
)

// Model is a read model that follows a ledger. It may be used by many
// goroutines at once.
type Model struct {
	file    string
	ledger  eventstore.Ledger
	store   eventstore.Store
	rebuilt string
	readers *sql.DB
	writers *sql.DB

	running   sync.Mutex // held by Run and Close; guards w, projector and folded
	w         *writer
	projector *projector
	folded    *lru.Cache[eventstore.Stream, *aggregate]

	mu       sync.Mutex // guards the rest
	position eventstore.Position
	stopped  error
	waiting  map[eventstore.Stream]map[chan struct{}]uint64 // with the number of events that each waits for
}

const (
	maxCached = 5_000 // folded aggregates; others are read from their documents
	maxCommit = 1_000 // events; below maxCached, so that no dirty aggregate is evicted
)

// Health is the state of a model relative to the ledger.
type Health struct {
	Position  eventstore.Position // the model holds all events up to here
	Head      eventstore.Position // the ledger's last event, asked of the ledger
	Stopped   error               // why the model does not follow, mostly a *StoppedError; nil while it does
	Rebuilt   string              // why Open rebuilt the file; empty if it did not
	HeadError error               // why Head is unknown
}

// StoppedError reports the event that the model cannot project. The model still
// serves the events before. After the cause is removed, as by an upgrade that
// knows the event's type, Run resumes with that event; it never skips one.
type StoppedError struct {
	Position eventstore.Position
	Stream   eventstore.Stream
	Type     string // empty if it cannot be read
	Err      error
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("projections: the read model stopped before position %d, an event of type %q in %s; "+
		"it serves what came before: %v", e.Position, e.Type, e.Stream, e.Err)
}

// Unwrap returns the cause.
func (e *StoppedError) Unwrap() error { return e.Err }

// Run follows the ledger. It returns ctx's error when ctx ends, or a
// *StoppedError for an event that cannot be projected. While the ledger or the
// store is unavailable or the file cannot be written, it retries, and Health has
// the reason. One Run at a time is active.
func (m *Model) Run(ctx context.Context) error {
	m.running.Lock()
	defer m.running.Unlock()
	for {
		err := m.follow(ctx)
		if ctx.Err() != nil {
			m.setStopped(ctx.Err())
			return ctx.Err()
		}
		m.setStopped(err)
		var stopped *StoppedError
		if errors.As(err, &stopped) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follow commits the events of the ledger until an error.
func (m *Model) follow(ctx context.Context) (err error) {
	if m.w, err = newWriter(ctx, m.writers, 20); err != nil {
		return fmt.Errorf("projections: open for writing: %w", err)
	}
	defer func() { err = errors.Join(err, m.w.close()) }()
	if err := m.restart(ctx); err != nil {
		return fmt.Errorf("projections: go on: %w", err)
	}
	m.setStopped(nil)
	return m.ledger.Follow(ctx, m.projector.position,
		func(events []eventstore.Recorded) error { return m.commitAll(ctx, events) })
}

func (m *Model) commitAll(ctx context.Context, events []eventstore.Recorded) error {
	for part := range slices.Chunk(events, maxCommit) {
		if err := m.commitUpToFault(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// restart drops all state in memory and resumes from the file.
func (m *Model) restart(ctx context.Context) error {
	m.folded.Purge()
	m.w.drop()
	m.projector = newProjector(m.store)
	m.projector.find = m.find
	m.projector.add = func(a *aggregate) { m.folded.Add(a.stream, a) }
	return m.projector.resume(ctx, m.w)
}

// find returns an aggregate from memory or the file, nil if there is none.
func (m *Model) find(ctx context.Context, stream eventstore.Stream) (*aggregate, error) {
	if a, ok := m.folded.Get(stream); ok {
		return a, nil
	}
	empty, ok := states[stream.Kind]
	if !ok {
		return nil, nil
	}
	a := &aggregate{stream: stream, state: empty(stream.ID)}
	var document []byte
	var created, updated int64
	err := m.w.conn.QueryRowContext(ctx,
		`SELECT n, events, created, updated, positions, document FROM streams JOIN documents USING (n) WHERE id = ? AND kind = ?`,
		stream.ID[:], stream.Kind).Scan(&a.n, &a.events, &created, &updated, &a.positions, &document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(document, a.state)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, err)
	}
	a.created, a.updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	for _, p := range parsePositions(a.positions) {
		a.last = p
	}
	a.indexed, a.written = segment(a.state.words()), a.events
	m.folded.Add(stream, a)
	return a, nil
}

// commitUpToFault commits the events in one transaction. If one of them cannot be
// projected, it commits those before and returns a *StoppedError.
func (m *Model) commitUpToFault(ctx context.Context, events []eventstore.Recorded) error {
	err := m.commit(ctx, events)
	if err == nil {
		return nil
	}
	if again := m.restart(ctx); again != nil {
		return errors.Join(err, again)
	}
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		if before := events[:stopped.Position-events[0].Position]; len(before) > 0 {
			if again := m.commit(ctx, before); again != nil {
				return errors.Join(err, again, m.restart(ctx))
			}
		}
	}
	return err
}

// commit projects all of the events in one transaction, or none.
func (m *Model) commit(ctx context.Context, events []eventstore.Recorded) (err error) {
	if _, err := m.w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("projections: begin: %w", err)
	}
	done := false
	defer func() {
		if !done {
			_, rolled := m.w.exec(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rolled)
		}
	}()
	from := m.projector.position
	for _, r := range events {
		_, end := eventstore.SpanOf(ctx, "fold", r)
		defer func() { end(err) }()
		d, err := decode(r)
		if err != nil {
			return stoppedAt(r, d.Type, err)
		}
		if err := m.projector.project(ctx, r, d); err != nil {
			var fault *eventError
			if errors.As(err, &fault) {
				return stoppedAt(r, d.Type, fault)
			}
			return fmt.Errorf("projections: project position %d: %w", r.Position, err)
		}
	}
	touched := append([]*aggregate(nil), m.projector.dirty...)
	if err := m.projector.write(ctx, m.w); err != nil {
		return fmt.Errorf("projections: write up to position %d: %w", m.projector.position, err)
	}
	if err := m.projector.saveCheckpoint(ctx, m.w, from); err != nil {
		return fmt.Errorf("projections: write up to position %d: %w", m.projector.position, err)
	}
	if _, err := m.w.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("projections: commit up to position %d: %w", m.projector.position, err)
	}
	done = true
	m.notifyWaiters(touched)
	return nil
}

func stoppedAt(r eventstore.Recorded, typ string, err error) error {
	s := &StoppedError{r.Position, r.Stream, typ, err}
	var unknown *eventstore.UnknownTypeError
	if errors.As(err, &unknown) {
		s.Type = unknown.Type
	} else if s.Type == "" {
		s.Type = eventstore.TypeOf(r.Body)
	}
	return s
}

// notifyWaiters wakes the waiters for events that were just committed.
func (m *Model) notifyWaiters(touched []*aggregate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.position = m.projector.position
	for _, a := range touched {
		for wake, events := range m.waiting[a.stream] {
			if events <= a.events {
				m.removeWaiter(a.stream, wake)
				close(wake)
			}
		}
	}
}

func (m *Model) removeWaiter(stream eventstore.Stream, wake chan struct{}) {
	delete(m.waiting[stream], wake)
	if len(m.waiting[stream]) == 0 {
		delete(m.waiting, stream)
	}
}

// setStopped sets why the model does not follow, nil if it does. An error wakes all
// waiters.
func (m *Model) setStopped(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = err
	if err == nil {
		return
	}
	for _, waiting := range m.waiting {
		for wake := range waiting {
			close(wake)
		}
	}
	clear(m.waiting)
}

// Wait returns nil once the model holds that many events of the stream. It returns
// an error when ctx ends or the model has stopped before them.
func (m *Model) Wait(ctx context.Context, stream eventstore.Stream, events uint64) error {
	for {
		// A later commit wakes the waiter; an earlier one is in the file.
		wake, stopped := m.addWaiter(stream, events)
		have, err := m.storedEvents(ctx, stream)
		switch {
		case err == nil && have >= events:
			m.cancelWait(stream, wake)
			return nil
		case err == nil && stopped != nil:
			err = stopped
		case err == nil:
			select {
			case <-wake:
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		m.cancelWait(stream, wake)
		return fmt.Errorf("projections: wait for %s: %w", stream, err)
	}
}

func (m *Model) addWaiter(stream eventstore.Stream, events uint64) (wake chan struct{}, stopped error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wake = make(chan struct{})
	if m.waiting[stream] == nil {
		m.waiting[stream] = map[chan struct{}]uint64{}
	}
	m.waiting[stream][wake] = events
	return wake, m.stopped
}

func (m *Model) cancelWait(stream eventstore.Stream, wake chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removeWaiter(stream, wake)
}

// storedEvents returns the number of events of the stream in the file.
func (m *Model) storedEvents(ctx context.Context, stream eventstore.Stream) (events uint64, err error) {
	err = m.readers.QueryRowContext(ctx, `SELECT events FROM streams WHERE id = ? AND kind = ?`, stream.ID[:],
		stream.Kind).Scan(&events)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return events, err
}

// Position returns the position up to which the model holds all events.
func (m *Model) Position() eventstore.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position
}

// Health returns the model's state. It asks the ledger itself for its head, so a
// model that has stalled never looks healthy.
func (m *Model) Health(ctx context.Context) Health {
	head, err := m.ledger.Head(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return Health{Position: m.position, Head: head, HeadError: err, Stopped: m.stopped, Rebuilt: m.rebuilt}
}

// Close closes the file after Run has returned. The context of Run must have ended.
func (m *Model) Close() error {
	m.running.Lock()
	defer m.running.Unlock()
	return errors.Join(m.readers.Close(), m.writers.Close())
}
