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

// Moment is the time that a question is about, on both of its axes: what the
// register knew, and of the world on which day. The zero Moment is now: all
// that is known, whenever it happened.
//
// Of the events up to Position, as the corrections among them leave them,
// those count that had happened by the end of Day (see eventstore.On). The
// state is their fold, in the order they were recorded.
type Moment struct {
	Position eventstore.Position // the last event that was known; 0: the last there is
	Day      domain.Date         // absent: every event counts
}

// IsZero reports whether the moment is now.
func (at Moment) IsZero() bool { return at == Moment{} }

// NotYetError says that an aggregate that is on record was not there yet at
// the moment asked for: not known, or not in the world.
type NotYetError struct {
	Stream   eventstore.Stream
	Position eventstore.Position // of its first event
	Recorded time.Time           // when that was recorded
	From     domain.Date         // the first day in the world anything is known of, at the moment asked for; absent: it was not known then
}

func (e *NotYetError) Error() string {
	if e.From.IsZero() {
		return fmt.Sprintf("projections: %s is on record from position %d, %s", e.Stream, e.Position,
			e.Recorded.Format(time.RFC3339))
	}
	return fmt.Sprintf("projections: nothing is known of %s before %s", e.Stream, e.From)
}

// Unwrap makes it an ErrNotFound.
func (e *NotYetError) Unwrap() error { return ErrNotFound }

// Now is the moment of all that the model holds, by its position, so that it
// stays the same whatever is recorded later.
func (m *Model) Now(ctx context.Context) (at Moment, err error) {
	// By the file: whoever was told that an event is held finds it there.
	if err = m.readers.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&at.Position); err != nil {
		err = fmt.Errorf("projections: read the position: %w", err)
	}
	return at, err
}

// Resolve gives a moment its position: a moment of which only the day is given
// is of what the model holds now. A position beyond that is a *QueryError.
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

// PositionAt is the position of the last event recorded at or before t: the
// one before the first that was recorded later. 0 says that there is none.
func (m *Model) PositionAt(ctx context.Context, t time.Time) (at eventstore.Position, err error) {
	err = m.readTx(ctx, func(db querier) error {
		var block int64 // the first with an event recorded later
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

// Recorded is the latest time at which any of the events that the model holds
// was recorded; zero where it holds none.
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

// RecordedAt is when the event at a position the model holds was recorded.
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

// LabAt returns a lab as it was at a moment, how many of its events were known
// and when the last of them was recorded. Of a lab that was not there yet the
// error is a *NotYetError.
func (m *Model) LabAt(ctx context.Context, id uuid.UUID, at Moment) (*lab.Lab, uint64, time.Time, error) {
	if at.IsZero() {
		return m.Lab(ctx, id)
	}
	s, revision, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "lab", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*labState).Lab, revision, updated, nil
}

// EntityAt is LabAt for a legal entity.
func (m *Model) EntityAt(ctx context.Context, id uuid.UUID, at Moment) (*entity.Entity, uint64, time.Time, error) {
	if at.IsZero() {
		return m.Entity(ctx, id)
	}
	s, revision, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "entity", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*entityState).Entity, revision, updated, nil
}

// ProgrammeAt is LabAt for a programme.
func (m *Model) ProgrammeAt(ctx context.Context, id uuid.UUID, at Moment) (*programme.Programme, uint64, time.Time,
	error) {
	if at.IsZero() {
		return m.Programme(ctx, id)
	}
	s, revision, updated, err := m.foldAt(ctx, eventstore.Stream{Kind: "programme", ID: id}, at)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return s.(*programmeState).Programme, revision, updated, nil
}

// foldAt folds one stream as it was at a moment.
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

// storeLag is how long a store may take to show what the ledger has shown.
const storeLag = 5 * time.Second

// loadRecorded reads a stream that the ledger has shown so many events of. A server
// of a cluster that has just taken over the lead may not have come so far yet, so
// that is waited for.
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

// loadHistory is the first events of a stream. What the store holds beyond them has not
// been read yet.
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

// effective is a history as its corrections leave it.
func effective(history []eventstore.Decoded) []domain.RecordedEvent[domain.Event] {
	all := make([]domain.RecordedEvent[domain.Event], len(history))
	for i, d := range history {
		all[i] = domain.RecordedEvent[domain.Event]{Meta: d.Meta, Event: d.Event}
	}
	return domain.Effective(all)
}

// fold is the state of a stream on a day, every day where it is zero; nil where
// there was nothing yet.
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

// EachLabAt calls each with every lab that was there at a moment, in the order
// they were registered. Labs of the past are folded, several at a time.
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
