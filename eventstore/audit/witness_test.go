package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore/audit"
)

// cosigner is a witness, written from C2SP tlog-cosignature.
type cosigner struct {
	name string
	key  ed25519.PrivateKey
	id   []byte
}

func newCosigner(name string) (c cosigner, vkey string) {
	public, private, _ := ed25519.GenerateKey(nil)
	key := append([]byte{4}, public...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return cosigner{name, private, sum[:4]}, fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(key))
}

// cosign adds the witness's line to a signed note.
func (c cosigner) cosign(signed []byte, time uint64) []byte {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	sig := ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", time, text))
	line := append(binary.BigEndian.AppendUint64(append([]byte(nil), c.id...), time), sig...)
	return fmt.Appendf(append([]byte(nil), signed...), "\u2014 %s %s\n", c.name, base64.StdEncoding.EncodeToString(line))
}

func TestOnlyKnownWitnessesCosignWhatTheLogHasSigned(t *testing.T) {
	known, vkey := newCosigner("witness.example.org")
	second, other := newCosigner("second.example.org/w1")
	stranger, _ := newCosigner("stranger.example.org")
	witnesses, err := audit.ParseWitnesses("# ours\n" + vkey + "\n\n" + other + "\n")
	if err != nil || len(witnesses) != 2 {
		t.Fatal(witnesses, err)
	}
	dir, l := t.TempDir(), newLedger(5)
	cfg := config(dir, l)
	cfg.Witnesses = witnesses
	r := start(t, cfg)
	c := r.signed(5)

	forged := known.cosign(c.Note, 1700000000)
	forged[len(forged)-20] ^= 1
	thief := start(t, config(t.TempDir(), newLedger(5)))
	for name, signed := range map[string][]byte{
		"without any":        c.Note,
		"by a stranger":      stranger.cosign(c.Note, 1700000000),
		"forged":             forged,
		"of another log":     known.cosign(thief.signed(5).Note, 1700000000),
		"of another tree":    known.cosign([]byte(strings.Replace(string(c.Note), "\n5\n", "\n4\n", 1)), 1700000000),
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
	for _, w := range []cosigner{known, second} {
		if err := r.Cosign(stranger.cosign(w.cosign(c.Note, 1700000000), 1)); err != nil {
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
	if err := r.Cosign(known.cosign(r.signed(6).Note, 1700000001)); err != nil {
		t.Fatal(err)
	}
	if err := r.Cosign(second.cosign(c.Note, 1700000002)); err != nil { // late, but no fault of its
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

func TestAKeyThatIsNoWitnessesIsRefusedWithItsLine(t *testing.T) {
	_, good := newCosigner("w")
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
