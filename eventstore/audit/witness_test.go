package audit_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/audit/audittest"
)

func TestCosign(t *testing.T) {
	known, vkey := audittest.NewWitness("witness.example.org")
	second, other := audittest.NewWitness("second.example.org/w1")
	stranger, _ := audittest.NewWitness("stranger.example.org")
	witnesses, err := audit.ParseWitnesses("# ours\n" + vkey + "\n\n" + other + "\n")
	if err != nil || len(witnesses) != 2 {
		t.Fatal(witnesses, err)
	}
	dir, l := t.TempDir(), newLedger(5)
	cfg := config(dir, l)
	cfg.Witnesses = witnesses
	r := start(t, cfg)
	c := r.signed(5)

	forged := known.Cosign(c.Note, 1700000000)
	forged[len(forged)-20] ^= 1
	thief := start(t, config(t.TempDir(), newLedger(5)))
	for name, signed := range map[string][]byte{
		"without any":        c.Note,
		"by a stranger":      stranger.Cosign(c.Note, 1700000000),
		"forged":             forged,
		"of another log":     known.Cosign(thief.signed(5).Note, 1700000000),
		"of another tree":    known.Cosign([]byte(strings.Replace(string(c.Note), "\n5\n", "\n4\n", 1)), 1700000000),
		"with no note":       []byte("hello"),
		"much too long":      []byte(strings.Repeat("x", 1<<20)),
		"of other cosigning": append(append([]byte(nil), c.Note...), []byte("\u2014 witness.example.org AAAA\n")...),
	} {
		if err := r.Cosign(signed); !errors.Is(err, audit.ErrNotCosigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := r.Cosigned(); ok {
		t.Fatal("something was taken in")
	}
	for _, w := range []audittest.Witness{known, second} {
		if err := r.Cosign(stranger.Cosign(w.Cosign(c.Note, 1700000000), 1)); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(r *running) {
		t.Helper()
		p, ok := r.Published()
		n, err := note.Open(p.Note, note.VerifierList(append(witnesses, verifier(t, r.Key()))...))
		if !ok || err != nil || len(n.Sigs) != 3 || len(n.UnverifiedSigs) != 0 {
			t.Errorf("%v %s", err, p.Note)
		}
	}
	shown(r)
	l.add(1)
	r.signed(6)
	if p, _ := r.Published(); p.Size != 6 || len(p.By) != 1 {
		t.Errorf("%s", p.Note)
	}
	if w, ok := r.Cosigned(); !ok || w.Size != 5 {
		t.Error(w.Size, ok)
	}
	if err := r.Cosign(known.Cosign(r.signed(6).Note, 1700000001)); err != nil {
		t.Fatal(err)
	}
	if err := r.Cosign(second.Cosign(c.Note, 1700000002)); err != nil { // late, but no fault of its
		t.Fatal(err)
	}
	if w, _ := r.Cosigned(); w.Size != 6 {
		t.Error("an old checkpoint took the place of a newer one", w.Size)
	}
	r.end()
	if w, ok := start(t, cfg).Cosigned(); !ok || w.Size != 6 || len(w.By) != 2 {
		t.Errorf("after a restart: %d %s", w.Size, w.Note)
	}
}

func TestParseWitnessesErrors(t *testing.T) {
	_, good := audittest.NewWitness("w")
	plain, err := audit.LoadOrCreateKey(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"w", "w+1234+AAAA", plain.Public(), strings.Replace(good, "w+", "v+", 1), good + "AA"} {
		if _, err := audit.ParseWitnesses(good + "\n" + bad); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func verifier(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
