package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/durable"
)

// Report is the result of a rebuild or a verification.
type Report struct {
	Position    eventstore.Position // verified or built up to here
	Aggregates  int
	Compared    bool // there was a model of the same ledger and schema to compare with
	ComparedAt  eventstore.Position
	Differences []Difference // empty: the model agrees with the ledger
	Took        time.Duration
}

// Difference is a row in which a model differs from the ledger.
type Difference struct {
	What     string              // the table, or trail or search
	Stream   eventstore.Stream   // the stream of the row; zero for rows of none
	Position eventstore.Position // of the event, in the trail
	Is       string              // missing, extra or different
}

// Open opens the read model in file. A missing file, or one of another schema or
// another ledger, is first rebuilt; Health.Rebuilt gives the reason.
func Open(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store) (*Model, error) {
	reason, err := rebuildReason(ctx, file, ledger)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		head, err := ledger.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("projections: build %s: %w", file, err)
		}
		if _, err := build(ctx, file+".new", ledger, store, head, nil); err != nil {
			return nil, err
		}
		if err := replace(file); err != nil {
			return nil, err
		}
	}
	m, err := open(ctx, file, ledger, store)
	if err != nil {
		return nil, fmt.Errorf("projections: open %s: %w", file, err)
	}
	m.rebuilt = reason
	return m, nil
}

func open(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store) (*Model, error) {
	m := &Model{file: file, ledger: ledger, store: store, waiting: map[eventstore.Stream]map[chan struct{}]uint64{}}
	var err error
	if m.folded, err = lru.New[eventstore.Stream, *aggregate](maxCached); err != nil {
		return nil, err
	}
	if m.writers, err = connectWriter(file); err != nil {
		return nil, err
	}
	if m.readers, err = connectReaders(file); err != nil {
		return nil, errors.Join(err, m.writers.Close())
	}
	if err := m.readers.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&m.position); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// rebuildReason returns the reason why the file must be rebuilt, empty if it need
// not. A ledger that does not answer is an error, and no reason to rebuild.
func rebuildReason(ctx context.Context, file string, ledger eventstore.Ledger) (string, error) {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return "there was no file", nil
	}
	position, event, digest, err := readCheckpoint(ctx, file)
	if err != nil {
		return err.Error(), nil
	}
	head, err := ledger.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("projections: open %s: %w", file, err)
	}
	if position > head {
		return fmt.Sprintf("the file held %d events and the ledger holds %d: it is another ledger, or it lost events; "+
			"check the ledger against its signed checkpoints", position, head), nil
	}
	reason := ""
	err = ledger.Read(ctx, max(position, 1)-1, position, func(events []eventstore.Recorded) error {
		if sum := sha256.Sum256(events[0].Body); events[0].ID != event || string(sum[:]) != string(digest) {
			reason = fmt.Sprintf("the ledger's event at position %d is not the one the file was built from: it is another ledger; "+
				"check the ledger against its signed checkpoints", position)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("projections: open %s: %w", file, err)
	}
	return reason, err
}

// readCheckpoint returns the position of the file, and the id and body digest of
// the event there. The error text is a reason to rebuild the file.
func readCheckpoint(ctx context.Context, file string) (position eventstore.Position, event uuid.UUID, digest []byte,
	err error) {
	db, err := connect(file, 1)
	if err != nil {
		return 0, event, nil, fmt.Errorf("the file could not be opened: %w", err)
	}
	defer db.Close()
	var found int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&found); err != nil {
		return 0, event, nil, fmt.Errorf("the file could not be read: %w", err)
	}
	if found != version {
		return 0, event, nil, fmt.Errorf("the file has schema version %d, this jointlab uses %d", found, version)
	}
	if err := db.QueryRowContext(ctx, `SELECT position, event, digest FROM checkpoint`).Scan(&position, &event,
		&digest); err != nil {
		return 0, event, nil, fmt.Errorf("the file could not be read: %w", err)
	}
	return position, event, digest, nil
}

// Rebuild folds the ledger into a new file and replaces file by it. No process may
// have file open. The previous model is compared with the new one at its position,
// and the Report lists the differences. Rebuild calls progress, if not nil, as it
// reads.
func Rebuild(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store,
	progress func(done, total eventstore.Position)) (Report, error) {
	start := time.Now()
	var r Report
	head, err := ledger.Head(ctx)
	if err != nil {
		return r, fmt.Errorf("projections: rebuild %s: %w", file, err)
	}
	reason, err := rebuildReason(ctx, file, ledger)
	if err != nil {
		return r, err
	}
	upTo := head
	if reason == "" {
		if upTo, _, _, err = readCheckpoint(ctx, file); err != nil {
			return r, fmt.Errorf("projections: rebuild %s: %w", file, err)
		}
	}
	made := file + ".new"
	if r.Aggregates, err = build(ctx, made, ledger, store, upTo, progress); err != nil {
		return r, err
	}
	if reason == "" {
		r.Compared, r.ComparedAt = true, upTo
		if r.Differences, err = compareFiles(ctx, made, file); err != nil {
			return r, fmt.Errorf("projections: compare with %s: %w", file, err)
		}
		if err := catchUp(ctx, made, ledger, store, upTo, head); err != nil {
			return r, err
		}
	}
	r.Position = head
	if err := replace(file); err != nil {
		return r, err
	}
	r.Took = time.Since(start)
	return r, nil
}

// catchUp commits to file the events after one position, up to another.
func catchUp(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store, after,
	upTo eventstore.Position) (err error) {
	m, err := open(ctx, file, ledger, store)
	if err != nil {
		return fmt.Errorf("projections: open %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if m.w, err = newWriter(ctx, m.writers, 20); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.w.close()) }()
	if err := m.restart(ctx); err != nil {
		return err
	}
	return ledger.Read(ctx, after, upTo, func(events []eventstore.Recorded) error { return m.commitAll(ctx, events) })
}

// replace replaces file atomically by the one that was built. The WAL of the old
// file is removed first, or SQLite would apply it to the new one.
func replace(file string) error {
	doing := func(err error) error { return fmt.Errorf("projections: replace %s: %w", file, err) }
	if _, err := os.Stat(file); err == nil {
		if db, err := connect(file, 1); err == nil {
			// It keeps the old file complete should the process end here.
			_, _ = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
			_ = db.Close()
		}
	}
	for _, log := range []string{file + "-wal", file + "-shm"} {
		if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
			return doing(err)
		}
	}
	if err := durable.Rename(file+".new", file); err != nil {
		return doing(err)
	}
	return nil
}

// builds counts the running builds. A build allocates much that is soon garbage,
// and is half as fast again with fewer collections. GOMEMLIMIT still holds.
var builds struct {
	sync.Mutex           // guards the rest
	running, percent int // percent: the GC percentage before
}

// relaxGC makes garbage collections rarer until the returned function is called.
func relaxGC() (usual func()) {
	builds.Lock()
	defer builds.Unlock()
	if builds.running++; builds.running == 1 {
		if builds.percent = debug.SetGCPercent(400); builds.percent < 0 || builds.percent > 400 {
			debug.SetGCPercent(builds.percent) // the operator asked for even fewer
		}
	}
	return func() {
		builds.Lock()
		defer builds.Unlock()
		if builds.running--; builds.running == 0 {
			debug.SetGCPercent(builds.percent)
		}
	}
}

var errReached = errors.New("reached")

// build folds the ledger up to a position into a new file and returns the number
// of aggregates. It decodes events in parallel while it reads on. Each aggregate
// is written once, at the end, and the indexes after that.
func build(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store, upTo eventstore.Position,
	progress func(done, total eventstore.Position)) (aggregates int, err error) {
	doing := func(err error) error { return fmt.Errorf("projections: build %s: %w", file, err) }
	defer relaxGC()()
	for _, old := range []string{file, file + "-wal", file + "-shm", file + "-journal"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, doing(err)
		}
	}
	db, err := connect(file, 1, "journal_mode(OFF)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)")
	if err != nil {
		return 0, doing(err)
	}
	defer func() {
		if err = errors.Join(err, db.Close()); err != nil {
			os.Remove(file)
		}
	}()
	w, err := newWriter(ctx, db, 50)
	if err != nil {
		return 0, doing(err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.conn.ExecContext(ctx, schema+"BEGIN"); err != nil {
		return 0, doing(err)
	}
	p := newProjector(store)
	p.building = true
	all := map[eventstore.Stream]*aggregate{}
	p.find = func(_ context.Context, s eventstore.Stream) (*aggregate, error) { return all[s], nil }
	p.add = func(a *aggregate) { all[a.stream] = a }
	if upTo > 0 {
		if err := p.read(ctx, ledger, upTo, progress); err != nil {
			return 0, doing(err)
		}
		clear(all)
		if err := p.writeAll(ctx, w); err != nil {
			return 0, doing(err)
		}
		if err := p.saveCheckpoint(ctx, w, 0); err != nil {
			return 0, doing(err)
		}
	}
	if _, err := w.conn.ExecContext(ctx, indexes+"COMMIT"); err != nil {
		return 0, doing(err)
	}
	return int(p.streams), nil
}

// batch is consecutive events and their decoded forms.
type batch struct {
	events  []eventstore.Recorded
	decoded []decoded
}

// read projects the ledger up to a position.
func (p *projector) read(ctx context.Context, ledger eventstore.Ledger, upTo eventstore.Position,
	progress func(done, total eventstore.Position)) error {
	return eventstore.OrderedParallel(ctx, func(ctx context.Context, give func(*batch) error) error {
		err := ledger.Follow(ctx, 0, func(events []eventstore.Recorded) error {
			if over := events[len(events)-1].Position; over > upTo {
				events = events[:len(events)-int(over-upTo)]
			}
			if err := give(&batch{events: append([]eventstore.Recorded(nil), events...)}); err != nil {
				return err
			}
			if events[len(events)-1].Position == upTo {
				return errReached
			}
			return nil
		})
		if errors.Is(err, errReached) {
			return nil
		}
		return err
	}, func(c *batch) error {
		c.decoded = make([]decoded, len(c.events))
		for i, r := range c.events {
			var err error
			if c.decoded[i], err = decode(r); err != nil {
				return stoppedAt(r, c.decoded[i].Type, err)
			}
		}
		return nil
	}, func(c *batch) error {
		for i, r := range c.events {
			if err := p.project(ctx, r, c.decoded[i]); err != nil {
				var fault *eventError
				if errors.As(err, &fault) {
					return stoppedAt(r, c.decoded[i].Type, fault)
				}
				return err
			}
		}
		if progress != nil {
			progress(p.position, upTo)
		}
		return nil
	})
}

// aggregateRows is an aggregate and the rows to be written for it.
type aggregateRows struct {
	*aggregate
	rows rows
}

// writeAll folds every aggregate and writes it and the trail into new tables.
func (p *projector) writeAll(ctx context.Context, w *writer) error {
	err := eventstore.OrderedParallel(ctx, func(_ context.Context, give func(*aggregateRows) error) error {
		for _, a := range p.dirty {
			if err := give(&aggregateRows{aggregate: a}); err != nil {
				return err
			}
		}
		return nil
	}, func(a *aggregateRows) error {
		past := newPast(a.stream, a.n)
		positions := parsePositions(a.positions)
		history := make([]eventstore.Decoded, len(a.bodies))
		for i, body := range a.bodies {
			var err error
			if history[i], err = eventstore.Decode(body); err != nil {
				return stoppedAt(eventstore.Recorded{Position: positions[i], Stream: a.stream, Body: body}, "", err)
			}
		}
		s, failed, err := past.extend(history, positions, 0)
		if err != nil {
			return stoppedAt(eventstore.Recorded{Position: positions[failed], Stream: a.stream}, history[failed].Type,
				err)
		}
		a.state, a.bodies = s, nil
		now, err := a.aggregate.rows(history)
		a.rows, a.state = slices.Concat(past.newRows(), now), nil
		return err
	}, func(a *aggregateRows) error { return w.put(ctx, a.rows) })
	if err != nil {
		return err
	}
	return p.writeTrail(ctx, w)
}
