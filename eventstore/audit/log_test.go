package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/audit/audittest"
)

func TestTreeFollowsRFC6962(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 700).Draw(t, "events")
		l := newLedger(n)
		dir, err := os.MkdirTemp("", "audit")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		r := start(t, config(dir, l))
		defer r.end()
		r.signed(n)
		l.add(rapid.IntRange(0, 300).Draw(t, "more"))
		c := r.signed(len(l.events))
		if want := rootOf(l, len(l.events)); c.Root != want {
			t.Fatalf("%d events: %s, want %x", len(l.events), c.Root, want)
		}
		if c.Size == 0 {
			return
		}
		size := rapid.Int64Range(1, c.Size).Draw(t, "size")
		at := rapid.Int64Range(1, size).Draw(t, "position")
		p, err := r.Inclusion(eventstore.Position(at), size)
		if err != nil {
			t.Fatal(err)
		}
		leaf := audittest.LeafHash(sha256.Sum256(l.events[at-1].Body))
		if p.Leaf != leaf || !audittest.Included(leaf, at-1, size, hashes(p.Path), rootOf(l, int(size))) {
			t.Fatalf("position %d in %d is not proved", at, size)
		}
		// Its sides are enough to come to the root, without knowing the index.
		sum := tlog.Hash(leaf)
		for _, s := range p.Path {
			if s.Left {
				sum = audittest.NodeHash(s.Hash, sum)
			} else {
				sum = audittest.NodeHash(sum, s.Hash)
			}
		}
		if sum != p.Root {
			t.Fatalf("position %d in %d: the sides lead to another root", at, size)
		}
		roots, path, err := r.Consistency(size, c.Size)
		if err != nil || !audittest.Consistent(size, c.Size, roots[0], roots[1], raw(path)) {
			t.Fatalf("%d to %d: %v", size, c.Size, err)
		}
	})
}

func TestLogRestart(t *testing.T) {
	dir, l := t.TempDir(), newLedger(300)
	r := start(t, config(dir, l))
	first := r.signed(300)
	r.end()
	l.add(20)
	r = start(t, config(dir, l))
	second := r.signed(320)
	r.end()
	for _, lost := range []string{"log/entries", "log/hashes"} {
		if err := os.Remove(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
		r = start(t, config(dir, l))
		again := r.signed(320)
		if !bytes.Equal(again.Note, second.Note) {
			t.Errorf("without %s: %s, before %s", lost, again.Note, second.Note)
		}
		if _, err := r.Inclusion(17, 300); err != nil {
			t.Error(err)
		}
		r.end()
	}
	if first.Size != 300 || len(r.Problems()) > 0 {
		t.Error(first, r.Problems())
	}
}

func TestDamagedTreeIsRebuilt(t *testing.T) {
	flip := func(at int64) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteAt([]byte{1, 2, 3}, at); return err }
	}
	for name, harm := range map[string]struct {
		file string
		do   func(*os.File) error
	}{
		"an entry torn":       {"entries", func(f *os.File) error { return f.Truncate(100*32 + 5) }},
		"hashes torn":         {"hashes", func(f *os.File) error { return f.Truncate(100*32 + 5) }},
		"an entry damaged":    {"entries", flip(32 * 50)},
		"a leaf damaged":      {"hashes", flip(0)},
		"a node damaged":      {"hashes", flip(32 * 2)},
		"an old root damaged": {"hashes", flip(32 * 510)}, // node over the first 256
		"garbage at the end":  {"entries", func(f *os.File) error { return f.Truncate(400 * 32) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir, l := t.TempDir(), newLedger(300)
			r := start(t, config(dir, l))
			before := r.signed(300)
			r.end()
			f, err := os.OpenFile(filepath.Join(dir, "log", harm.file), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(harm.do(f), f.Close()); err != nil {
				t.Fatal(err)
			}
			r = start(t, config(dir, l))
			l.add(1)
			if c := r.signed(301); c.Root != rootOf(l, len(l.events)) {
				t.Errorf("%s", c.Root)
			}
			for at := range eventstore.Position(300) {
				if p, err := r.Inclusion(at+1, 300); err != nil || p.Root != before.Root {
					t.Fatal(at, err)
				}
			}
		})
	}
}

// A drawing is a ledger as letters, an event a letter. The tree on the disk
// and the last checkpoint were made from the first drawing.
func TestChangedLedgerStopsSigning(t *testing.T) {
	const drawn = "a-b-c-d-e-f-g-h-i-j-k-l-m"
	for name, c := range map[string]struct {
		now string
		at  eventstore.Position // 0: nothing is wrong
	}{
		"untouched":     {"a-b-c-d-e-f-g-h-i-j-k-l-m", 0},
		"grown":         {"a-b-c-d-e-f-g-h-i-j-k-l-m-n", 0},
		"change":        {"a-b-c-d-X-f-g-h-i-j-k-l-m", 5},
		"change first":  {"X-b-c-d-e-f-g-h-i-j-k-l-m", 1},
		"change last":   {"a-b-c-d-e-f-g-h-i-j-k-l-X", 13},
		"drop":          {"a-b-c-d-f-g-h-i-j-k-l-m-n", 5},
		"drop, shorter": {"a-b-c-d-f-g-h-i-j-k-l-m", 13},
		"swap":          {"a-b-c-e-d-f-g-h-i-j-k-l-m", 4},
		"insert":        {"a-b-c-d-X-e-f-g-h-i-j-k-l-m", 5},
		"truncate":      {"a-b-c-d-e-f-g-h-i", 10},
		"empty":         {"", 1},
		"fork":          {"a-b-c-d-e-f-g-h-i-V-W-X-Y-Z", 10},
	} {
		t.Run(name, func(t *testing.T) {
			dir, l := t.TempDir(), newLedger(0)
			l.draw(drawn)
			published := &board{}
			cfg := config(dir, l)
			cfg.Board = published
			r := start(t, cfg)
			before := r.signed(13)
			r.end()
			l.change(func([]eventstore.Recorded) []eventstore.Recorded { return nil })
			l.draw(c.now)
			r = start(t, cfg)
			if c.at == 0 {
				if got := r.signed(len(l.events)); got.Root != rootOf(l, len(l.events)) || len(r.Problems()) > 0 {
					t.Error(got.Root, r.Problems())
				}
				return
			}
			found := r.contradiction()
			if found.Position != c.at {
				t.Errorf("%v, want position %d", found, c.at)
			}
			l.add(5)
			if now, _ := published.Last(t.Context()); !bytes.Equal(now.Note, before.Note) {
				t.Errorf("signed all the same: %s", now.Note)
			}
			// What was signed can still be read.
			if p, err := r.Inclusion(3, 13); err != nil || p.Root != before.Root {
				t.Error(err)
			}
			r.end()
			// It is not forgotten, nor mended by making the tree anew.
			log, err := audit.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			var contradiction *audit.ContradictionError
			if _, err := log.Rebuild(t.Context(), nil); !errors.As(err, &contradiction) {
				t.Errorf("rebuild: %v", err)
			}
			if _, err := log.Check(t.Context(), nil); !errors.As(err, &contradiction) {
				t.Errorf("check: %v", err)
			}
			// Without the tree the root alone gives it away.
			os.Remove(filepath.Join(dir, "log", "entries"))
			os.Remove(filepath.Join(dir, "log", "hashes"))
			log, err = audit.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			if _, err := log.Check(t.Context(), nil); !errors.As(err, &contradiction) {
				t.Errorf("check without a tree: %v", err)
			}
		})
	}
}

// draw appends an event for each letter.
func (l *ledger) draw(drawing string) {
	for _, letter := range strings.FieldsFunc(drawing, func(r rune) bool { return r == '-' }) {
		l.append(eventstore.Stream{}, []byte(letter))
	}
}

func TestCheckpointWithForeignKeyIsRejected(t *testing.T) {
	dir, l, b := t.TempDir(), newLedger(9), &board{}
	cfg := config(dir, l)
	cfg.Board = b
	r := start(t, cfg)
	r.signed(9)
	r.end()

	t.Run("put on the board", func(t *testing.T) {
		other := config(t.TempDir(), newLedger(12))
		other.Board = &board{}
		thief := start(t, other)
		forged := thief.signed(12)
		cfg := cfg
		cfg.Board = &board{last: audit.Published{Note: forged.Note, Key: thief.Key(), Sequence: 7}}
		if found := start(t, cfg).contradiction(); !strings.Contains(found.What, "find out who") {
			t.Error(found)
		}
	})
	t.Run("put under the name of the right one", func(t *testing.T) {
		other := config(t.TempDir(), newLedger(12))
		forged := start(t, other).signed(12)
		cfg := cfg
		cfg.Board = &board{last: audit.Published{Note: forged.Note, Key: r.Key(), Sequence: 7}}
		if found := start(t, cfg).contradiction(); !strings.Contains(found.What, "no checkpoint") {
			t.Error(found)
		}
	})
	t.Run("because the key was exchanged", func(t *testing.T) {
		if err := os.Remove(filepath.Join(dir, audit.KeyFile)); err != nil {
			t.Fatal(err)
		}
		l.add(1)
		if found := start(t, cfg).contradiction(); !strings.Contains(found.What, "put the right key back") {
			t.Error(found)
		}
	})
}

func TestNodesPublishOneSequence(t *testing.T) {
	l, b := newLedger(5), &board{}
	var nodes []*running
	first := t.TempDir()
	for _, dir := range []string{first, t.TempDir(), t.TempDir()} {
		if dir != first {
			key, err := os.ReadFile(filepath.Join(first, audit.KeyFile))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, audit.KeyFile), key, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		cfg := config(dir, l)
		cfg.Board, cfg.Alone = b, false
		nodes = append(nodes, start(t, cfg))
	}
	for range 30 {
		l.add(1)
		for _, n := range nodes {
			n.signed(len(l.events))
		}
	}
	want := nodes[0].signed(35)
	for _, n := range nodes {
		if c := n.signed(35); !bytes.Equal(c.Note, want.Note) || len(n.Problems()) > 0 {
			t.Errorf("%s %v", c.Note, n.Problems())
		}
	}
}

func TestNodeWithoutKeyServes(t *testing.T) {
	l, b := newLedger(5), &board{}
	cfg := config(t.TempDir(), l)
	cfg.Board, cfg.Alone = b, false
	signer := start(t, cfg)
	signer.signed(5)
	cfg.Dir = t.TempDir()
	other := start(t, cfg)
	other.signed(5)
	l.add(3)
	c := other.signed(8)
	if other.Key() != signer.Key() || len(other.Problems()) > 0 || c.Origin != signer.signed(8).Origin {
		t.Error(other.Key(), other.Problems(), c.Origin)
	}
}

func TestBeyondLastCheckpoint(t *testing.T) {
	r := start(t, config(t.TempDir(), newLedger(5)))
	r.signed(5)
	var beyond *audit.BeyondError
	if _, err := r.Inclusion(6, 6); !errors.As(err, &beyond) || beyond.Asked != 6 || beyond.Size != 5 {
		t.Error(err)
	}
	if _, err := r.Inclusion(4, 3); !errors.As(err, &beyond) || beyond.Asked != 4 || beyond.Size != 3 {
		t.Error(err)
	}
	if _, _, err := r.Consistency(2, 6); !errors.As(err, &beyond) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Wait(ctx, 6); !errors.As(err, &beyond) {
		t.Error(err)
	}
}

func TestLoadOrCreateKey(t *testing.T) {
	dir := t.TempDir()
	a, err := audit.LoadOrCreateKey(dir, "register.example.org/log")
	if err != nil {
		t.Fatal(err)
	}
	b, err := audit.LoadOrCreateKey(dir, "")
	if err != nil || a.Public() != b.Public() || b.Origin() != "register.example.org/log" {
		t.Error(a.Public(), b, err)
	}
	if _, err := audit.LoadOrCreateKey(dir, "elsewhere.example.org"); err == nil || !strings.Contains(err.Error(), "one log for ever") {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(dir, audit.KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.LoadOrCreateKey(dir, ""); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := audit.LoadOrCreateKey(t.TempDir(), "two words"); err == nil || !strings.Contains(err.Error(), "no spaces") {
		t.Error(err)
	}
	one, _ := audit.LoadOrCreateKey(t.TempDir(), "")
	two, _ := audit.LoadOrCreateKey(t.TempDir(), "")
	if one.Origin() == two.Origin() {
		t.Error("two registers were given one origin")
	}
}

// rootOf returns the root over the first events of a ledger, from the RFC alone.
func rootOf(l *ledger, size int) tlog.Hash {
	events, _ := l.after(0)
	var leaves []audittest.Hash
	for _, e := range events[:size] {
		leaves = append(leaves, audittest.LeafHash(sha256.Sum256(e.Body)))
	}
	return audittest.Root(leaves)
}

func hashes(path []audit.Sibling) (h []audittest.Hash) {
	for _, s := range path {
		h = append(h, s.Hash)
	}
	return h
}

func raw(path []tlog.Hash) (h []audittest.Hash) {
	for _, p := range path {
		h = append(h, p)
	}
	return h
}
