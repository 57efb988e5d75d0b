package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	cosignedFile     = "cosigned" // the last checkpoint that a witness has cosigned
	cosignatureV1    = 4          // the algorithm byte of C2SP signed-note
	maxCosignedNote  = 64 << 10
	cosignaturesText = "cosignature/v1\ntime %d\n%s"
)

// ErrNotCosigned says that a note brings no cosignature of a witness that is
// configured here, on a checkpoint that this log has signed.
var ErrNotCosigned = errors.New("audit: no cosignature of a witness known here, on a checkpoint of this log")

// witness verifies one witness's cosignatures (C2SP tlog-cosignature): an
// Ed25519 signature, after the time of signing in eight bytes.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(w.key, fmt.Appendf(nil, cosignaturesText, binary.BigEndian.Uint64(sig), text), sig[8:])
}

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
	wrong := fmt.Errorf("%q is no verifier key of a witness (<name>+<hash>+<base64>, of type cosignature/v1)", vkey)
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 || parts[0] == "" || strings.ContainsAny(parts[0], " \t") {
		return nil, wrong
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	key, err2 := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || err2 != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != cosignatureV1 {
		return nil, wrong
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if uint32(hash) != binary.BigEndian.Uint32(sum[:4]) || len(parts[1]) != 8 {
		return nil, wrong
	}
	return &witness{parts[0], uint32(hash), key[1:]}, nil
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
	if err := replaceFile(filepath.Join(l.dir, cosignedFile), c.Note); err != nil {
		return fmt.Errorf("audit: keep a cosignature: %w", err)
	}
	l.cosigned = c
	return nil
}

// union is all signatures of a, then those of b by keys that a has none of.
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

// Cosigned is the last checkpoint that a witness has cosigned, with all
// cosignatures it has. False: there is none.
func (l *Log) Cosigned() (Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cosigned, l.cosigned.Note != nil
}

// Published is the last checkpoint as it is to be served: with the
// cosignatures that have come in for it.
func (l *Log) Published() (Checkpoint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.agrees && l.cosigned.Text == l.last.Text {
		return l.cosigned, true
	}
	return l.last, l.agrees
}

// recallCosigned reads the last cosigned checkpoint from the folder. One whose
// witnesses are no longer configured is let go.
func (l *Log) recallCosigned() error {
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
