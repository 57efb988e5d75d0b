package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/durable"
)

// What is in the folder log/ of a data folder, beside the tree.
const (
	logFolder      = "log"
	checkpointFile = "checkpoint" // the last one known, as published
	signerFile     = "signer"     // the verifier key it was signed with
)

// Published is a checkpoint on a board, with the verifier key of its signer.
// Sequence is the board's number of it; 0: there is none yet.
type Published struct {
	Note     []byte
	Key      string
	Sequence uint64
}

// Board is where the checkpoints of a ledger are published, by whichever nodes
// share the ledger. What is on it is never taken down.
type Board interface {
	// Last is the last checkpoint published.
	Last(ctx context.Context) (Published, error)
	// Publish adds one after the one with sequence after; eventstore.ErrConflict
	// reports that another is there by now.
	Publish(ctx context.Context, after uint64, note []byte, key string) error
}

// Config configures a log. Ledger must be set.
type Config struct {
	Dir       string // the data folder; "": the current one
	Origin    string // of a key to be made; "": one that nobody else has
	Ledger    eventstore.Ledger
	Board     Board           // nil: checkpoints are kept in Dir only
	Alone     bool            // no other node shares the ledger, so a key that is not the log's is a problem
	Witnesses []note.Verifier // whose cosignatures are taken in
	Pause     time.Duration   // shortest time between two checkpoints; 0: a second
	Logger    *slog.Logger    // nil: nothing is logged
}

// Log is the Merkle log of a ledger. It may be used by many goroutines at once.
type Log struct {
	cfg  Config
	dir  string
	key  *Key
	tree *tree

	running sync.Mutex // held by Run and Check

	mu       sync.Mutex // guards the rest
	signer   string     // verifier key that this log's checkpoints are signed with; "": none was signed yet
	kept     string     // signer, as the folder has it
	last     Checkpoint // the last one known; its Note is nil where there is none
	learned  time.Time  // when last became known here
	agrees   bool       // last was compared with the tree
	sequence uint64     // of last on the board
	cosigned Checkpoint // the last one that a witness has cosigned
	problems []string
	stalled  error
	changed  chan struct{} // closed when any of these changes
}

// Open opens the log kept in a data folder, or begins one. Run makes it follow
// the ledger.
func Open(cfg Config) (*Log, error) {
	if cfg.Pause == 0 {
		cfg.Pause = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{cfg: cfg, dir: filepath.Join(cfg.Dir, logFolder), changed: make(chan struct{})}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: open the log: %w", err)
	}
	var err error
	if l.key, err = LoadOrCreateKey(cfg.Dir, cfg.Origin); err != nil {
		return nil, err
	}
	if l.tree, err = openTree(l.dir); err != nil {
		return nil, fmt.Errorf("audit: open the log: %w", err)
	}
	if err := l.loadCheckpoint(); err != nil {
		return nil, errors.Join(err, l.tree.close())
	}
	return l, nil
}

// Close closes the log's files. Run must have returned.
func (l *Log) Close() error { return l.tree.close() }

// loadCheckpoint reads the last checkpoint from the folder.
func (l *Log) loadCheckpoint() error {
	signed, err := os.ReadFile(filepath.Join(l.dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key, err2 := os.ReadFile(filepath.Join(l.dir, signerFile))
	file, err3 := os.Stat(filepath.Join(l.dir, checkpointFile))
	if err := errors.Join(err, err2, err3); err != nil {
		return fmt.Errorf("audit: read the last checkpoint: %w", err)
	}
	if err := l.acceptCheckpoint(Published{Note: signed, Key: strings.TrimSpace(string(key))}); err != nil {
		l.stop(err)
	}
	l.learned = file.ModTime()
	l.kept = l.signer
	if l.last.Size <= l.tree.size.Load() {
		// A tree that was damaged is made anew by Run; one that agrees can be
		// read at once, whatever has become of the ledger.
		root, err := l.tree.root(l.last.Size)
		l.agrees = err == nil && root == l.last.Root
	}
	return l.loadCosigned()
}

// Key returns the verifier key of this log's checkpoints: of the node that signed the
// last one, which as a rule is this node.
func (l *Log) Key() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signer == "" {
		return l.key.Public()
	}
	return l.signer
}

// Problems returns what stopped the signing of checkpoints, and what to do.
// Nothing is signed while there is any; reading goes on.
func (l *Log) Problems() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	problems := slices.Clone(l.problems)
	if l.stalled != nil {
		problems = append(problems, l.stalled.Error())
	}
	return problems
}

// setStalled notes why the log does not come on for now; nil: it does.
func (l *Log) setStalled(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if reason != nil && (l.stalled == nil || l.stalled.Error() != reason.Error()) {
		l.cfg.Logger.Warn("the log does not come on; it keeps trying", "error", reason)
	}
	l.stalled = reason
}

// Checkpoint returns the last checkpoint that agrees with the tree. False: there is
// none yet.
func (l *Log) Checkpoint() (Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.agrees
}

// Learned is when the last checkpoint was signed, or heard of, here; the zero
// time where there is none.
func (l *Log) Learned() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.learned
}

// Wait returns the first checkpoint of size events or more. It fails with
// *BeyondError when ctx ends before there is one.
func (l *Log) Wait(ctx context.Context, size int64) (Checkpoint, error) {
	for {
		l.mu.Lock()
		last, agrees, changed := l.last, l.agrees, l.changed
		l.mu.Unlock()
		if agrees && last.Size >= size {
			return last, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Checkpoint{}, &BeyondError{size, last.Size}
		}
	}
}

// stop stops the signing for a reason.
func (l *Log) stop(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, strings.TrimPrefix(reason.Error(), "audit: "))
	l.announce()
	l.cfg.Logger.Error("no checkpoint is signed any more", "reason", reason)
}

// announce wakes those who wait. mu is held.
func (l *Log) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Run reads the ledger through once and compares it with the tree, then follows
// it and signs a checkpoint when it has grown, at most one a Pause. It returns
// when ctx ends, after a last checkpoint, or with a *ContradictionError. While
// the ledger or the disk does not answer it keeps trying, and reports so in
// Problems.
//
// Under load the ledger is read in bulk, once a Pause: that costs a fraction of
// being handed each event as it arrives.
func (l *Log) Run(ctx context.Context) error {
	l.running.Lock()
	defer l.running.Unlock()
	for compared := false; ; {
		rested := time.After(l.cfg.Pause)
		err := l.step(ctx, &compared)
		var contradiction *ContradictionError
		switch {
		case ctx.Err() != nil:
			if compared { // what is in the ledger now is signed before it is left
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				if err := l.advance(last); err != nil {
					l.cfg.Logger.Warn("the last events are not under a checkpoint yet; they will be after the next start", "error", err)
				}
			}
			return ctx.Err()
		case errors.As(err, &contradiction):
			l.stop(contradiction)
			return err
		}
		l.setStalled(err)
		select {
		case <-ctx.Done():
		case <-rested:
		}
	}
}

// step brings the log to the ledger's end; where it is there already, it waits
// for the ledger to grow first.
func (l *Log) step(ctx context.Context, compared *bool) error {
	if !*compared {
		if err := l.compare(ctx, nil); err != nil {
			return err
		}
		*compared = true
	} else if c, agrees := l.Checkpoint(); agrees && c.Size == l.tree.size.Load() {
		for _, err := range eventstore.Follow(ctx, l.cfg.Ledger, eventstore.Position(c.Size)) {
			if err != nil {
				return err
			}
			break // it has grown
		}
	}
	return l.advance(ctx)
}

// advance takes what the ledger holds into the tree, and signs a checkpoint.
func (l *Log) advance(ctx context.Context) error {
	head, err := l.cfg.Ledger.Head(ctx)
	if err == nil {
		err = l.extend(ctx, int64(head), nil)
	}
	if err != nil {
		return fmt.Errorf("audit: read the ledger: %w", err)
	}
	return l.sign(ctx)
}

// appendLeaves adds events to the tree.
func (l *Log) appendLeaves(events []eventstore.Recorded) error {
	if want := positionOf(l.tree.size.Load()); events[0].Position != want {
		return fmt.Errorf("audit: the ledger gave position %d where %d belongs", events[0].Position, want)
	}
	entries := make([]Entry, len(events))
	for i, e := range events {
		entries[i] = sha256.Sum256(e.Body)
	}
	return l.tree.append(entries)
}

// sign learns what others have published and signs what is not under a
// checkpoint yet.
func (l *Log) sign(ctx context.Context) error {
	if err := l.fetchPublished(ctx); err != nil {
		return err
	}
	if err := l.confirmCheckpoint(); err != nil {
		return err
	}
	l.mu.Lock()
	last, agrees, signer, sequence := l.last, l.agrees, l.signer, l.sequence
	l.mu.Unlock()
	size := l.tree.size.Load()
	if last.Note != nil && (!agrees || last.Size >= size) {
		return nil
	}
	if signer != "" && signer != l.key.Public() {
		if l.cfg.Alone {
			return contradicts(0, "this log was signed with the key %s, and %s holds %s; put the right key back from a backup", signer, KeyFile, l.key.Public())
		}
		return nil // the node that holds that key signs
	}
	root, err := l.tree.root(size)
	if err != nil {
		return err
	}
	made, err := l.key.sign(size, root)
	if err != nil {
		return err
	}
	if l.cfg.Board != nil {
		err := l.cfg.Board.Publish(ctx, sequence, made.Note, l.key.Public())
		if errors.Is(err, eventstore.ErrConflict) {
			return nil // another node was quicker; the next one learns what it published
		}
		if err != nil {
			return fmt.Errorf("audit: publish the checkpoint of %d events: %w", size, err)
		}
		sequence++ // if it is not, the next one learns it
	}
	if err := l.acceptCheckpoint(Published{made.Note, l.key.Public(), sequence}); err != nil {
		return err
	}
	return l.confirmCheckpoint()
}

// acceptCheckpoint takes in a published checkpoint. It must be signed with
// the one key this log is signed with, and sizes only grow.
func (l *Log) acceptCheckpoint(p Published) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Note != nil && bytes.Equal(l.last.Note, p.Note) {
		l.sequence = max(l.sequence, p.Sequence)
		return nil
	}
	if l.signer != "" && l.signer != p.Key {
		return contradicts(0, "this log was signed with the key %s, and checkpoints signed with %s are published now; find out who signs them", l.signer, p.Key)
	}
	verifier, err := note.NewVerifier(p.Key)
	if err != nil {
		return contradicts(0, "a checkpoint was published with %q for its key, which is none", p.Key)
	}
	c, err := openCheckpoint(p.Note, verifier)
	switch {
	case err != nil:
		return contradicts(0, "what was published is no checkpoint: %v", err)
	case c.Size < l.last.Size:
		return contradicts(positionOf(c.Size), "the checkpoint of %d events was published after that of %d", c.Size, l.last.Size)
	case c.Size == l.last.Size && l.last.Note != nil && c.Root != l.last.Root:
		return contradicts(positionOf(c.Size-1), "two checkpoints of %d events were signed: %s and %s", c.Size, c.Root, l.last.Root)
	}
	l.last, l.agrees, l.signer, l.sequence = c, false, p.Key, max(l.sequence, p.Sequence)
	l.learned = time.Now()
	l.announce()
	return nil
}

// confirmCheckpoint compares the last checkpoint with the tree, once that has come so far,
// and writes it down.
func (l *Log) confirmCheckpoint() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Note == nil || l.agrees || l.last.Size > l.tree.size.Load() {
		return nil
	}
	root, err := l.tree.root(l.last.Size)
	if err != nil {
		return err
	}
	if root != l.last.Root {
		return contradicts(0, "the ledger's first %d events have the root %s, and a checkpoint with the root %s was signed for them: an event was changed; restore the ledger from a backup (jointlab audit check)", l.last.Size, root, l.last.Root)
	}
	if l.kept != l.signer {
		if err := durable.WriteFile(filepath.Join(l.dir, signerFile), []byte(l.signer+"\n")); err != nil {
			return fmt.Errorf("audit: keep the checkpoint: %w", err)
		}
		l.kept = l.signer
	}
	if err := durable.WriteFile(filepath.Join(l.dir, checkpointFile), l.last.Note); err != nil {
		return fmt.Errorf("audit: keep the checkpoint: %w", err)
	}
	l.agrees = true
	l.announce()
	return nil
}
