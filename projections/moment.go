package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// Moment is a point on both time axes: the position up to which events were
// known, and the effective day in the world. The zero Moment is now.
//
// The state at a moment is the fold of the events up to Position, as corrected
// by the corrections among them, that had happened by the end of Day (see
// eventstore.EffectiveOn), in the order they were recorded.
type Moment struct {
	Position eventstore.Position // the last event known; 0: the model's last
	Day      domain.Date         // zero: every event counts
}

// IsZero reports whether the moment is now.
func (at Moment) IsZero() bool { return at == Moment{} }

// NotYetError is the error for an aggregate that exists now but not yet at the
// moment of the query: it was not known, or not in the world.
type NotYetError struct {
	Stream   eventstore.Stream
	Position eventstore.Position // of its first event
	Recorded time.Time           // when that was recorded
	From     domain.Date         // its first day in the world, as known at that moment; zero: it was unknown
}

func (e *NotYetError) Error() string {
	if e.From.IsZero() {
		return fmt.Sprintf("projections: %s is on record from position %d, %s", e.Stream, e.Position,
			e.Recorded.Format(time.RFC3339))
	}
	return fmt.Sprintf("projections: nothing is known of %s before %s", e.Stream, e.From)
}

// Unwrap returns ErrNotFound.
func (e *NotYetError) Unwrap() error { return ErrNotFound }

// Now returns the moment of the model's position, which later events do not change.
func (m *Model) Now(ctx context.Context) (at Moment, err error) {
	// From the file: Wait returns by the file as well, so its caller sees the event.
	if err = m.readers.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&at.Position); err != nil {
		err = fmt.Errorf("projections: read the position: %w", err)
	}
	return at, err
}

// Resolve returns the moment with its position set: a moment with only a day gets
// the model's position. A position above that is a *QueryError.
func (m *Model) Resolve(ctx context.Context, at Moment) (Moment, error) {
	if at.IsZero() {
		return at, nil
	}
	now, err := m.Now(ctx)
	if err != nil {
		return at, err
	}
	held := now.Position
	switch {
	case at.Position > held:
		return at, &QueryError{"as_of", domain.Textf("登记簿目前只到位置 %d；请填写不超过它的位置，或不填此参数", "the register holds events up to position %d as yet; give a position up to that one, or leave this out", held)}
	case at.Position == 0:
		at.Position = held
	}
	return at, nil
}

// PositionAt returns the position before the first event that was recorded after
// t. It is 0 if there was none at t.
func (m *Model) PositionAt(ctx context.Context, t time.Time) (at eventstore.Position, err error) {
	err = m.readTx(ctx, func(db querier) error {
		var block int64 // the first block with an event recorded later
		err := db.QueryRowContext(ctx,
			`SELECT block + 1 FROM clocks WHERE latest <= ? ORDER BY latest DESC, block DESC LIMIT 1`,
			t.UnixMicro()).Scan(&block)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		at = eventstore.Position(block * blockEvents)
		var records []byte
		if err = db.QueryRowContext(ctx, `SELECT records FROM trail WHERE block = ?`,
			block).Scan(&records); errors.Is(err, sql.ErrNoRows) {
			return db.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&at)
		}
		for ; len(records) > 0 && parseRecord(records).time <= t.UnixMicro(); records = records[recordBytes:] {
			at++
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("projections: find the position at %s: %w", t.Format(time.RFC3339), err)
	}
	return at, err
}

// Recorded returns the latest recorded time of the model's events, zero if it has
// none.
func (m *Model) Recorded(ctx context.Context) (t time.Time, err error) {
	err = m.readTx(ctx, func(db querier) error {
		var latest int64
		err := db.QueryRowContext(ctx, `SELECT latest FROM clocks ORDER BY block DESC LIMIT 1`).Scan(&latest)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		t = time.UnixMicro(latest).UTC()
		return err
	})
	if err != nil {
		err = fmt.Errorf("projections: find when an event was last recorded: %w", err)
	}
	return t, err
}

// RecordedAt returns the recorded time of the event at a position, from 1 to the
// model's position.
func (m *Model) RecordedAt(ctx context.Context, at eventstore.Position) (time.Time, error) {
	var b []byte
	err := m.readers.QueryRowContext(ctx, `SELECT substr(records, ?, ?) FROM trail WHERE block = ?`,
		int64(at-1)%blockEvents*recordBytes+1, recordBytes, int64(at-1)/blockEvents).Scan(&b)
	if err == nil && len(b) != recordBytes {
		err = errors.New("the trail ends before it")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("projections: read when position %d was recorded: %w", at, err)
	}
	return time.UnixMicro(parseRecord(b).time).UTC(), nil
}

// LabAt returns a lab at a moment, the number of its events known then and the
// time of the last. For a lab that did not exist yet it returns a *NotYetError.
func (m *Model) LabAt(ctx context.Context, id uuid.UUID, at Moment) (*lab.Lab, uint64, time.Time, error) {
	if at.IsZero() {
		return m.Lab(ctx, id)
	}
	s, known, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "lab", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*labState).Lab, known, updated, nil
}

// EntityAt is LabAt for a legal entity.
func (m *Model) EntityAt(ctx context.Context, id uuid.UUID, at Moment) (*entity.Entity, uint64, time.Time, error) {
	if at.IsZero() {
		return m.Entity(ctx, id)
	}
	s, known, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "entity", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*entityState).Entity, known, updated, nil
}

// ProgrammeAt is LabAt for a programme.
func (m *Model) ProgrammeAt(ctx context.Context, id uuid.UUID, at Moment) (*programme.Programme, uint64, time.Time,
	error) {
	if at.IsZero() {
		return m.Programme(ctx, id)
	}
	s, known, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "programme", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*programmeState).Programme, known, updated, nil
}

// foldAt returns a stream folded at a moment, the number of its events known then
// and the recorded time of the last.
func (m *Model) foldAt(ctx context.Context, stream eventstore.Stream, at Moment) (s state, known uint64,
	updated time.Time, err error) {
	if at, err = m.Resolve(ctx, at); err != nil {
		return nil, 0, updated, err
	}
	var varints []byte
	var created int64
	err = m.readers.QueryRowContext(ctx, `SELECT created, positions FROM streams WHERE id = ? AND kind = ?`,
		stream.ID[:], stream.Kind).Scan(&created, &varints)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, updated, fmt.Errorf("%w: %s", ErrNotFound, stream)
	}
	var first eventstore.Position
	for _, p := range parsePositions(varints) {
		if p <= at.Position {
			known++
		}
		if first == 0 {
			first = p
		}
	}
	notYet := &NotYetError{Stream: stream, Position: first, Recorded: time.UnixMicro(created).UTC()}
	if err == nil && known == 0 {
		return nil, 0, updated, notYet
	}
	var history []eventstore.Decoded
	if err == nil {
		history, err = loadHistory(ctx, m.store, stream, known)
	}
	if err != nil {
		return nil, 0, updated, fmt.Errorf("projections: read the past of %s: %w", stream, err)
	}
	if s, err = fold(stream, history, at.Day); err == nil && s == nil {
		if days := eventstore.Days(effective(history)); len(days) > 0 {
			notYet.From = days[0]
		}
		err = notYet
	}
	return s, known, history[known-1].Meta.Time, err
}

// storeLag is how long a store may lag behind the ledger.
const storeLag = 5 * time.Second

// loadRecorded returns a stream of which the ledger holds at least that many
// events. A new leader of a cluster may lag behind, so it waits up to storeLag.
func loadRecorded(ctx context.Context, store eventstore.Store, stream eventstore.Stream,
	events uint64) ([]eventstore.Recorded, error) {
	for deadline := time.Now().Add(storeLag); ; {
		recorded, _, err := store.Load(ctx, stream, eventstore.Version{})
		if err != nil || uint64(len(recorded)) >= events {
			return recorded, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the store holds %d events of %s, the ledger %d; if that lasts, restore the store",
				len(recorded), stream, events)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// loadHistory returns the first events of a stream, decoded. The store may hold
// more than the projector has reached.
func loadHistory(ctx context.Context, store eventstore.Store, stream eventstore.Stream,
	events uint64) ([]eventstore.Decoded, error) {
	recorded, err := loadRecorded(ctx, store, stream, events)
	if err != nil {
		return nil, err
	}
	history := make([]eventstore.Decoded, events)
	for i := range history {
		if history[i], err = eventstore.Decode(recorded[i].Body); err != nil {
			return nil, &eventError{err}
		}
	}
	return history, nil
}

// effective returns a history with its corrections applied.
func effective(history []eventstore.Decoded) []domain.RecordedEvent[domain.Event] {
	all := make([]domain.RecordedEvent[domain.Event], len(history))
	for i, d := range history {
		all[i] = domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event}
	}
	return domain.Effective(all)
}

// fold returns the state of a stream on a day, by all events for the zero day. It
// is nil if the aggregate did not exist yet.
func fold(stream eventstore.Stream, history []eventstore.Decoded, day domain.Date) (state, error) {
	counts := eventstore.EffectiveOn(effective(history), day)
	if len(counts) == 0 {
		return nil, nil
	}
	s := states[stream.Kind](stream.ID)
	for _, h := range counts {
		if err := apply(s, h); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// EachLabAt calls each with every lab that existed at a moment, in the order they
// were registered. Labs of the past are folded in parallel.
func (m *Model) EachLabAt(ctx context.Context, at Moment, each func(*lab.Lab) error) error {
	if at.IsZero() {
		return m.EachLab(ctx, each)
	}
	at, err := m.Resolve(ctx, at)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	if err := m.readTx(ctx, func(db querier) error {
		ids, err = labIDs(ctx, db)
		return err
	}); err != nil {
		return fmt.Errorf("projections: read labs: %w", err)
	}
	return eventstore.OrderedParallel(ctx, func(_ context.Context, give func(*pastLab) error) error {
		for _, id := range ids {
			if err := give(&pastLab{id: id}); err != nil {
				return err
			}
		}
		return nil
	}, func(p *pastLab) (err error) {
		p.lab, _, _, err = m.LabAt(ctx, p.id, at)
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err
	}, func(p *pastLab) error {
		if p.lab == nil {
			return nil
		}
		return each(p.lab)
	})
}

type pastLab struct {
	id  uuid.UUID
	lab *lab.Lab
}

func labIDs(ctx context.Context, db querier) (ids []uuid.UUID, err error) {
	err = each(ctx, db, func(rows *sql.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM streams WHERE kind = 'lab' ORDER BY n`)
	return ids, err
}
