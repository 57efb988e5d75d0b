package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore"
)

// KeyFile is the log's signing key, in the data folder.
const KeyFile = "log.key"

// Key is a log's signing key. Its name is the log's origin.
type Key struct {
	signer   note.Signer
	verifier note.Verifier
	public   string
}

// Origin returns the log's name, the first line of its checkpoints.
func (k *Key) Origin() string { return k.signer.Name() }

// Public returns the verifier key (vkey) that checkpoints are checked with:
// <origin>+<hash>+<base64>, as C2SP signed-note has it.
func (k *Key) Public() string { return k.public }

// LoadOrCreateKey reads the log's signing key from a data folder, in the form
// of sumdb/note: PRIVATE+KEY+<origin>+<hash>+<base64>. Where there is none it
// makes one for origin; an empty origin makes one that nobody else has. A key
// of another origin than the one given is refused, as is a file that others
// may read.
//
// An origin stands for one log for ever: it must never be given to another
// register. Nodes that share a ledger share the key.
func LoadOrCreateKey(dir, origin string) (*Key, error) {
	path := filepath.Join(dir, KeyFile)
	text, err := eventstore.SecretFile(path, func() ([]byte, error) { return newKey(origin) })
	if err != nil {
		return nil, fmt.Errorf("audit: load the log's key: %w", err)
	}
	k, err := parseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("audit: load the log's key: %w", err)
	}
	if origin != "" && k.Origin() != origin {
		return nil, fmt.Errorf("audit: %s signs for the log %q, not %q: an origin stands for one log for ever; leave --log-origin away", path, k.Origin(), origin)
	}
	return k, nil
}

func parseKey(text string) (*Key, error) {
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, fmt.Errorf("it is no private key of a note (%w); put the right one back from a backup", err)
	}
	// A signer does not give its public key away. The text's fifth part is the
	// algorithm in one byte, then the seed.
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, errors.New("it is no Ed25519 key")
	}
	k := &Key{signer: signer}
	if k.public, err = note.NewEd25519VerifierKey(signer.Name(), ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)); err != nil {
		return nil, err
	}
	k.verifier, err = note.NewVerifier(k.public)
	return k, err
}

// newKey makes a key for origin, or for one that nobody else has.
func newKey(origin string) ([]byte, error) {
	if origin == "" {
		var own [8]byte
		rand.Read(own[:])
		origin = "jointlab/" + hex.EncodeToString(own[:])
	}
	private, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, fmt.Errorf("origin %q: %w", origin, err)
	}
	if _, err := note.NewSigner(private); err != nil {
		return nil, fmt.Errorf("origin %q may have no spaces and no plus sign, e.g. register.example.org/log", origin)
	}
	return []byte(private + "\n"), nil
}
