package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore/durable"
)

// restoring is a file in a data folder into which a backup is being restored.
// Until it is gone, the folder is no register.
const restoring = "restoring"

// restoringMark is the same mark in the metadata of the ledger's stream.
const restoringMark = "jointlab.restoring"

var (
	// ErrRestoring reports that a restore into the folder was interrupted.
	ErrRestoring = errors.New("a restore into the data folder was broken off, so it is no register yet; run jointlab restore again, with the same backup")
	// ErrFolderNotEmpty reports that a backup cannot be restored there.
	ErrFolderNotEmpty = errors.New("the data folder holds something already; restore into one that is empty")
)

// Holds reports whether a folder holds what Open without an outside server would
// open, or name the fault of: a ledger, one that is gone, or one half restored.
func Holds(dir string) bool {
	for _, name := range []string{server.JetStreamStoreDir, highWaterFile, restoring} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true // what cannot be looked at, Open names
		}
	}
	return false
}

// checkDataDir returns nil where a locked folder may be opened. One to restore into is emptied
// of what a restore that was broken off left behind, and of nothing else.
func checkDataDir(dir string, restore bool) error {
	_, err := os.Stat(filepath.Join(dir, restoring))
	begun := err == nil
	switch {
	case ignoreMissing(err) != nil:
		return err
	case begun && !restore:
		return ErrRestoring
	case !restore:
		return nil
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		switch {
		case slices.Contains(ignoredEntries, e.Name()):
		case begun:
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		default:
			err = ErrFolderNotEmpty
		}
	}
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, restoring), []byte("run jointlab restore again\n"))
}

// ignoredEntries is what a folder may hold and still be called empty.
var ignoredEntries = []string{"lock", "lost+found", restoring}

// checkRestorable returns nil where a backup may be restored into a folder: it is missing, empty,
// or what a restore that was broken off left.
func checkRestorable(dir string) error {
	entries, err := os.ReadDir(dir)
	if err := ignoreMissing(err); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == restoring {
			return nil
		}
		if !slices.Contains(ignoredEntries, e.Name()) {
			err = ErrFolderNotEmpty
		}
	}
	return ignoreMissing(err)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// markRestoring writes on the ledger's stream that it is being restored, for nodes that
// do not share the folder, or that it no longer is.
func (l *Ledger) markRestoring(ctx context.Context, begun bool) error {
	return l.retry(ctx, func(ctx context.Context) error {
		cfg := l.stream.CachedInfo().Config
		metadata := map[string]string{}
		maps.Copy(metadata, cfg.Metadata)
		delete(metadata, restoringMark)
		if begun {
			metadata[restoringMark] = "begun"
		}
		cfg.Metadata = metadata
		stream, err := l.js.UpdateStream(ctx, cfg)
		if err == nil {
			l.stream = stream
		}
		return err
	})
}

// Restored makes what was restored a register.
func (l *Ledger) Restored(ctx context.Context) error {
	if err := l.markRestoring(ctx, false); err != nil {
		return fmt.Errorf("jetstream: end the restore: %w", err)
	}
	if err := os.Remove(filepath.Join(l.dir, restoring)); err != nil {
		return fmt.Errorf("jetstream: end the restore: %w", err)
	}
	return durable.Sync(l.dir)
}
