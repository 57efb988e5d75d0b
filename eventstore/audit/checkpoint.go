package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement of a tree's size and root (C2SP
// tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Note   []byte           // the signed note, as it is published
	Signed bool             // by the log's own key, as far as the keys given tell
	By     []note.Signature // signatures that were verified
	Text   string           // the note's text, which is what is signed
}

// sign makes the checkpoint of a tree.
func (k *Key) sign(size int64, root tlog.Hash) (Checkpoint, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", k.Origin(), size, root)
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: sign the checkpoint of %d events: %w", size, err)
	}
	return openCheckpoint(signed, k.verifier)
}

// openCheckpoint reads a checkpoint that the log's key has signed. Signatures
// of others among the verifiers are checked as well; unknown ones are let be.
func openCheckpoint(signed []byte, log note.Verifier, others ...note.Verifier) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(append(others[:len(others):len(others)], log)...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: the checkpoint does not bear out the key %s: %w", log.Name(), err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	c.Note, c.By = signed, n.Sigs
	for _, s := range n.Sigs {
		c.Signed = c.Signed || s.Name == log.Name() && s.Hash == log.KeyHash()
	}
	switch {
	case !c.Signed:
		return Checkpoint{}, fmt.Errorf("audit: the checkpoint is not signed with the key %s+%08x", log.Name(), log.KeyHash())
	case c.Origin != log.Name():
		return Checkpoint{}, fmt.Errorf("audit: the checkpoint is of the log %q, the key of %q", c.Origin, log.Name())
	}
	return c, nil
}

// parseCheckpoint reads a checkpoint's text: origin, size and root, a line
// each, then lines that may mean something one day.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errors.New("audit: a checkpoint has three lines: origin, size and root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("audit: a checkpoint's second line is a size, not %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: a checkpoint's third line is a root, not %q", lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root, Text: text}, nil
}

// OpenCheckpoint reads a checkpoint that the log with a verifier key has
// signed. Cosignatures by those of the witnesses that are given are checked too.
func OpenCheckpoint(signed []byte, key string, witnesses ...note.Verifier) (Checkpoint, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: %q is no verifier key (<name>+<hash>+<base64>): %w", key, err)
	}
	return openCheckpoint(signed, verifier, witnesses...)
}
