package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore/durable"
)

const (
	cosignedFile    = "cosigned" // the last checkpoint that a witness has cosigned
	maxCosignedNote = 64 << 10
)

// ErrNotCosigned reports that a note brings no cosignature of a witness that is
// configured here, on a checkpoint that this log has signed.
var ErrNotCosigned = errors.New("audit: no cosignature of a witness known here, on a checkpoint of this log")

// ParseWitnesses reads the verifier keys of witnesses, <name>+<hash>+<base64>
// of type cosignature/v1, a line each; # begins a comment.
func ParseWitnesses(text string) (witnesses []note.Verifier, err error) {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		w, err := parseWitness(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		witnesses = append(witnesses, w)
	}
	return witnesses, nil
}

func parseWitness(vkey string) (note.Verifier, error) {
	v, err := cosignature.NewVerifierForCosignatureV1(vkey)
	_, rest, _ := strings.Cut(vkey, "+")
	if hash, _, _ := strings.Cut(rest, "+"); err != nil || !strings.EqualFold(hash, fmt.Sprintf("%08x", v.KeyHash())) {
		return nil, fmt.Errorf("%q is no verifier key of a witness (<name>+<hash>+<base64>, of type cosignature/v1)", vkey)
	}
	return v, nil
}

// Cosign takes in a checkpoint of this log that witnesses have cosigned: the
// note as it was published, with their signature lines added. Cosignatures of
// witnesses that are not configured, or that do not verify, are not taken in;
// where no other is left, it fails with ErrNotCosigned.
func (l *Log) Cosign(signed []byte) error {
	if len(signed) > maxCosignedNote {
		return fmt.Errorf("%w: the note is too long", ErrNotCosigned)
	}
	c, err := OpenCheckpoint(signed, l.Key(), l.cfg.Witnesses...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotCosigned, err)
	}
	if len(c.By) < 2 {
		return ErrNotCosigned
	}
	if err := l.reached(c.Size); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCosigned, err)
	}
	root, err := l.tree.root(c.Size)
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("%w: its root is not that of this log", ErrNotCosigned)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Size < l.cosigned.Size {
		return nil // a later one has been cosigned already
	}
	n := &note.Note{Text: c.Text, Sigs: c.By}
	if l.cosigned.Text == c.Text {
		n.Sigs = union(l.cosigned.By, c.By)
	}
	if c.Note, err = note.Sign(n); err != nil {
		return fmt.Errorf("audit: keep a cosignature: %w", err)
	}
	c.By = n.Sigs
	if err := durable.WriteFile(filepath.Join(l.dir, cosignedFile), c.Note); err != nil {
		return fmt.Errorf("audit: keep a cosignature: %w", err)
	}
	l.cosigned = c
	return nil
}

// union returns all signatures of a, then those of b by keys that a has none of.
func union(a, b []note.Signature) []note.Signature {
	all := append([]note.Signature(nil), a...)
	for _, s := range b {
		known := false
		for _, have := range a {
			known = known || have.Name == s.Name && have.Hash == s.Hash
		}
		if !known {
			all = append(all, s)
		}
	}
	return all
}

// Cosigned returns the last checkpoint that a witness has cosigned, with all
// cosignatures it has. False: there is none.
func (l *Log) Cosigned() (Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cosigned, l.cosigned.Note != nil
}

// Published returns the last checkpoint as it is to be served: with the
// cosignatures that have come in for it.
func (l *Log) Published() (Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.agrees && l.cosigned.Text == l.last.Text {
		return l.cosigned, true
	}
	return l.last, l.agrees
}

// loadCosigned reads the last cosigned checkpoint from the folder. One whose
// witnesses are no longer configured is let go.
func (l *Log) loadCosigned() error {
	signed, err := os.ReadFile(filepath.Join(l.dir, cosignedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit: read the last cosigned checkpoint: %w", err)
	}
	c, err := OpenCheckpoint(bytes.Clone(signed), l.Key(), l.cfg.Witnesses...)
	if err == nil && len(c.By) > 1 {
		l.cosigned = c
	}
	return nil
}
