package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/durable"
)

// Events calls each with the events of a backup that was verified, in order. The
// slice is each's only until it returns.
func (v Verified) Events(each func([]eventstore.Recorded) error) error {
	if !v.Manifest.IsBackup() {
		return errors.New("audit: it is a pack, and no backup: make one with jointlab backup")
	}
	lines, err := v.pack.lines(eventsName)
	if err != nil {
		return err
	}
	defer lines.close()
	batch, size := []eventstore.Recorded(nil), 0
	for at := eventstore.Position(1); at <= v.Manifest.UpTo; at++ {
		line, err := lines.next()
		if err != nil {
			return fmt.Errorf("audit: read position %d: %w", at, err)
		}
		d, err := eventstore.Decode(line)
		if err != nil {
			return fmt.Errorf("audit: read position %d: %w", at, err)
		}
		batch = append(batch, eventstore.Recorded{Stream: d.Stream, ID: d.Meta.ID, Position: at, Body: slices.Clone(line)})
		if size += len(line); len(batch) == 500 || size > 1<<20 || at == v.Manifest.UpTo {
			if err := each(batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
	}
	return nil
}

// Document returns the contents of a document in a backup, whether an event
// refers to it or not.
func (v Verified) Document(digest eventstore.Digest) (io.ReadCloser, error) {
	name := strings.TrimPrefix(digest.String(), "sha256:")
	if v.pack[documentsDir+name] != nil {
		return v.pack.open(documentsDir + name)
	}
	return v.pack.open(besideDir + documentsDir + name)
}

// Beside returns a file that is beside the events of a backup; nil where it
// holds none of that name.
func (v Verified) Beside(name string) (io.ReadCloser, error) {
	if v.pack[besideDir+name] == nil {
		return nil, nil
	}
	return v.pack.open(besideDir + name)
}

// KeepCosigned writes down, in a data folder, the last cosigned checkpoint of a
// backup, if there is one.
func (v Verified) KeepCosigned(dir string) error {
	if v.pack[besideDir+cosignedFile] == nil {
		return nil
	}
	note, err := v.pack.small(besideDir + cosignedFile)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, logFolder), 0o700)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(dir, logFolder, cosignedFile), note)
	}
	if err != nil {
		return fmt.Errorf("audit: keep the cosigned checkpoint: %w", err)
	}
	return nil
}

// KeyIn returns the verifier key that belongs to a log's signing key, as log.key
// holds it.
func KeyIn(text []byte) (string, error) {
	k, err := parseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return "", fmt.Errorf("audit: read a log's key: %w", err)
	}
	return k.Public(), nil
}

// Agrees fails where a checkpoint, kept elsewhere, does not have the root of this
// log's tree.
func (l *Log) Agrees(c Checkpoint) error {
	if err := l.reached(c.Size); err != nil {
		return err
	}
	root, err := l.tree.root(c.Size)
	if err == nil && root != c.Root {
		err = contradicts(0, "the first %d events have the root %s, and a checkpoint with the root %s was signed for them", c.Size, root, c.Root)
	}
	return err
}
