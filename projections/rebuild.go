package projections

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/jointlab/jointlab/eventstore"
)

// Report is what a rebuild or a verification found.
type Report struct {
	Position    eventstore.Position // compared, or built, up to here
	Aggregates  int
	Compared    bool // there was a model to compare with, of the same ledger and schema
	ComparedAt  eventstore.Position
	Differences []Difference // none: all is as the ledger says
	Took        time.Duration
}

// Difference is one place where a model does not say what the ledger says.
type Difference struct {
	What     string              // the table, or trail or search
	Stream   eventstore.Stream   // whose row it is; zero where it is nobody's
	Position eventstore.Position // of an event of the trail
	Is       string              // missing, extra or different
}

// Open opens the read model in file. Where there is none, or it is of another
// schema or another ledger, it is first built anew; Health says so.
func Open(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store) (*Model, error) {
	why, err := rebuildReason(ctx, file, ledger)
	if err != nil {
		return nil, err
	}
	if why != "" {
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
	m.rebuilt = why
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

// rebuildReason says why the file cannot be gone on with; it is empty where it can.
// A ledger that does not answer is an error, and no reason to build anew.
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
		return fmt.Sprintf("the file held %d events and the ledger holds %d: it is another ledger, or it lost events; check it against its signed checkpoints", position, head), nil
	}
	why := ""
	err = ledger.Read(ctx, max(position, 1)-1, position, func(events []eventstore.Recorded) error {
		if sum := sha256.Sum256(events[0].Body); events[0].ID != event || string(sum[:]) != string(digest) {
			why = fmt.Sprintf("the ledger's event at position %d is not the one the file was built from: it is another ledger; check it against its signed checkpoints", position)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("projections: open %s: %w", file, err)
	}
	return why, err
}

// readCheckpoint reads up to where the file holds the ledger, and its last event's
// id and digest.
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

// Rebuild folds the whole ledger into a new file and puts it in the place of
// file, which nothing may have open. The model that was there is compared with
// the new one at the position it had reached, and what differs is reported.
// progress, if not nil, is told how far it is.
func Rebuild(ctx context.Context, file string, ledger eventstore.Ledger, store eventstore.Store,
	progress func(done, total eventstore.Position)) (Report, error) {
	start := time.Now()
	var r Report
	head, err := ledger.Head(ctx)
	if err != nil {
		return r, fmt.Errorf("projections: rebuild %s: %w", file, err)
	}
	why, err := rebuildReason(ctx, file, ledger)
	if err != nil {
		return r, err
	}
	upTo := head
	if why == "" {
		if upTo, _, _, err = readCheckpoint(ctx, file); err != nil {
			return r, fmt.Errorf("projections: rebuild %s: %w", file, err)
		}
	}
	made := file + ".new"
	if r.Aggregates, err = build(ctx, made, ledger, store, upTo, progress); err != nil {
		return r, err
	}
	if why == "" {
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

// catchUp takes into file the events after one position, up to another.
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

// replace puts the file that was built in the place of file, at once or not at
// all. The old file's log goes first: it must not be taken for the new one's.
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
	if err := fsync(file + ".new"); err != nil {
		return doing(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return doing(err)
	}
	if err := fsync(filepath.Dir(file)); err != nil {
		return doing(err)
	}
	return nil
}

// fsync has a file or folder written to disk.
func fsync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// builds counts the builds going on. A build makes much that is soon garbage,
// and runs half as fast again when it is collected less often; a memory limit
// (GOMEMLIMIT) still holds.
var builds struct {
	sync.Mutex
	running, percent int
}

// relaxGC holds while a build runs, and until the function it returns is called.
func relaxGC() (usual func()) {
	builds.Lock()
	defer builds.Unlock()
	if builds.running++; builds.running == 1 {
		if builds.percent = debug.SetGCPercent(400); builds.percent < 0 || builds.percent > 400 {
			debug.SetGCPercent(builds.percent) // the operator wants it less often still
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

// build folds the ledger up to a position into a new file. Events are decoded
// on all cores while the next are read; each aggregate is written once, at the
// end, and the indexes after that.
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

// batch is a run of events and what they decode to.
type batch struct {
	events  []eventstore.Recorded
	decoded []decoded
}

// read takes in the ledger up to a position.
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

// aggregateRows is an aggregate on its way into the file.
type aggregateRows struct {
	*aggregate
	rows rows
}

// writeAll writes every aggregate and the trail into new tables.
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
