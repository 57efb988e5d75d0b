package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/eventstore"
)

// ContradictionError reports what does not agree with a checkpoint that was signed.
// Position is the first one at fault; 0 where that cannot be told.
type ContradictionError struct {
	Position eventstore.Position
	What     string
}

func (e *ContradictionError) Error() string {
	if e.Position == 0 {
		return "audit: " + e.What
	}
	return fmt.Sprintf("audit: position %d: %s", e.Position, e.What)
}

func contradicts(at eventstore.Position, format string, args ...any) *ContradictionError {
	return &ContradictionError{at, fmt.Sprintf(format, args...)}
}

// Check reads the whole ledger and compares each event with the tree, and the
// root that follows from the events with the last checkpoint, published or kept.
// It fails with a *ContradictionError, or returns how many events it compared.
// progress, if not nil, is called with how far it is.
func (l *Log) Check(ctx context.Context, progress func(done, total int64)) (events int64, err error) {
	l.running.Lock()
	defer l.running.Unlock()
	if err := l.compare(ctx, progress); err != nil {
		return 0, err
	}
	if problems := l.Problems(); len(problems) > 0 {
		return 0, contradicts(0, "%s", problems[0])
	}
	return l.tree.size.Load(), nil
}

// Rebuild makes the tree anew from the ledger, and returns how many events it
// is of. It fails, with the tree as it was, where the ledger contradicts a
// checkpoint.
func (l *Log) Rebuild(ctx context.Context, progress func(done, total int64)) (events int64, err error) {
	if _, err := l.Check(ctx, nil); err != nil {
		return 0, err
	}
	l.running.Lock()
	defer l.running.Unlock()
	head, err := l.cfg.Ledger.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit: make the tree anew: %w", err)
	}
	l.tree.reset()
	if err := l.extend(ctx, int64(head), progress); err != nil {
		return 0, fmt.Errorf("audit: make the tree anew: %w", err)
	}
	return l.tree.size.Load(), l.confirmCheckpoint()
}

// extend takes the ledger into the tree up to a size.
func (l *Log) extend(ctx context.Context, to int64, progress func(done, total int64)) error {
	return l.cfg.Ledger.Read(ctx, eventstore.Position(l.tree.size.Load()), eventstore.Position(to), func(events []eventstore.Recorded) error {
		if progress != nil {
			defer func() { progress(l.tree.size.Load(), to) }()
		}
		return l.appendLeaves(events)
	})
}

// compare reads the ledger as far as the tree and the last checkpoint go. Where
// the ledger contradicts the checkpoint, nothing is changed. Where it agrees and
// the tree does not, as after the power failed, the tree is made anew.
func (l *Log) compare(ctx context.Context, progress func(done, total int64)) error {
	doing := func(err error) error { return fmt.Errorf("audit: compare the ledger with the log: %w", err) }
	if err := l.fetchPublished(ctx); err != nil {
		return err
	}
	at, err := l.cfg.Ledger.Head(ctx)
	if err != nil {
		return doing(err)
	}
	l.mu.Lock()
	signed := l.last
	l.mu.Unlock()
	head, size := int64(at), l.tree.size.Load()
	if head < signed.Size {
		return contradicts(at+1, "the ledger ends before it; a checkpoint of %d events was signed: restore the ledger from a backup", signed.Size)
	}
	var made edge
	var root tlog.Hash // that the ledger gives at the checkpoint's size
	first := eventstore.Position(0)
	damaged := size < signed.Size || size > head
	to := max(min(size, head), signed.Size)
	err = l.cfg.Ledger.Read(ctx, 0, eventstore.Position(to), func(events []eventstore.Recorded) error {
		n := max(0, min(int64(len(events)), size-made.size)) // of these events are in the tree
		kept := make([]Entry, n)
		if err := l.tree.read(made.size, kept); err != nil {
			return err
		}
		begin := tlog.StoredHashCount(made.size)
		stored, err := l.tree.stored(begin, tlog.StoredHashCount(made.size+n))
		if err != nil {
			return err
		}
		for i, e := range events {
			at, entry := tlog.StoredHashCount(made.size)-begin, Entry(sha256.Sum256(e.Body))
			hashes, err := made.add(tlog.RecordHash(entry[:]))
			if err != nil {
				return err
			}
			if int64(i) < n && (kept[i] != entry || !slices.Equal(hashes, stored[at:at+int64(len(hashes))])) {
				damaged = true
				if first == 0 && hashes[0] != stored[at] {
					first = e.Position
				}
			}
			if made.size == signed.Size {
				if root, err = made.root(); err != nil {
					return err
				}
			}
		}
		if progress != nil {
			progress(made.size, to)
		}
		return nil
	})
	if err != nil {
		return doing(err)
	}
	if signed.Size > 0 && root != signed.Root {
		// The tree tells which event it is, if the tree is what was signed.
		if kept, err := l.tree.root(min(size, signed.Size)); err != nil || kept != signed.Root {
			first = 0
		}
		return contradicts(first, "the ledger does not hold what was signed: its first %d events have the root %s, their checkpoint has %s; restore the ledger from a backup", signed.Size, root, signed.Root)
	}
	if damaged {
		l.cfg.Logger.Warn("the tree's files were damaged; they are made anew from the ledger, which agrees with the last checkpoint", "size", signed.Size)
		l.tree.reset()
		if err := l.extend(ctx, head, progress); err != nil {
			return fmt.Errorf("audit: make the tree anew: %w", err)
		}
	}
	return l.confirmCheckpoint()
}

// fetchPublished learns what was published last.
func (l *Log) fetchPublished(ctx context.Context) error {
	if l.cfg.Board == nil {
		return nil
	}
	published, err := l.cfg.Board.Last(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the last published checkpoint: %w", err)
	}
	if published.Sequence == 0 {
		return nil
	}
	return l.acceptCheckpoint(published)
}
