// Package audittest is a verifier of the log, and a witness of it, for tests.
// It is written from RFC 6962 and RFC 9162 (section 2.1) and from C2SP
// (signed-note, tlog-checkpoint, tlog-tiles, tlog-cosignature), and imports
// nothing but the standard library: it shares no code with what it verifies.
package audittest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Hash is a SHA-256.
type Hash = [32]byte

// LeafHash returns the hash of an entry (RFC 6962, 2.1).
func LeafHash(entry Hash) Hash { return sha256.Sum256(append([]byte{0}, entry[:]...)) }

// NodeHash returns the hash of two nodes.
func NodeHash(left, right Hash) Hash {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// Root is MTH over leaf hashes (RFC 6962, 2.1).
func Root(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1 // the largest power of two smaller than n
	for k*2 < len(leaves) {
		k *= 2
	}
	return NodeHash(Root(leaves[:k]), Root(leaves[k:]))
}

// Included verifies an inclusion proof (RFC 9162, 2.1.3.2).
func Included(leaf Hash, index, size int64, path []Hash, root Hash) bool {
	if index < 0 || index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = NodeHash(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = NodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// Consistent verifies a consistency proof (RFC 9162, 2.1.4.2).
func Consistent(first, second int64, firstRoot, secondRoot Hash, path []Hash) bool {
	if first < 1 || first > second {
		return false
	}
	if first == second {
		return len(path) == 0 && firstRoot == secondRoot
	}
	if first&(first-1) == 0 {
		path = append([]Hash{firstRoot}, path...)
	}
	if len(path) == 0 {
		return false
	}
	fn, sn := first-1, second-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := path[0], path[0]
	for _, c := range path[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = NodeHash(c, fr), NodeHash(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = NodeHash(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return fr == firstRoot && sr == secondRoot && sn == 0
}

// Checkpoint is the content of a checkpoint (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// Key is a verifier key (C2SP signed-note).
type Key struct {
	Name  string
	ID    []byte
	Type  byte
	Bytes []byte
}

// ParseKey reads <name>+<hash>+<base64> and checks the hash.
func ParseKey(vkey string) (k Key, err error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return k, errors.New("a verifier key has three parts")
	}
	id, err := hex.DecodeString(parts[1])
	key, err2 := base64.StdEncoding.DecodeString(parts[2])
	if err := errors.Join(err, err2); err != nil || len(key) != 33 {
		return k, fmt.Errorf("bad verifier key: %v", err)
	}
	if sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...)); !bytes.Equal(sum[:4], id) {
		return k, errors.New("the verifier key's hash is not its own")
	}
	return Key{parts[0], id, key[0], key[1:]}, nil
}

// OpenCheckpoint verifies a signed note with the log's key, and each signature
// of the witnesses' keys, and reads the checkpoint. It returns who signed.
func OpenCheckpoint(note []byte, keys ...Key) (c Checkpoint, by []string, err error) {
	at := bytes.LastIndex(note, []byte("\n\n"))
	if at < 0 {
		return c, nil, errors.New("a note has a blank line before its signatures")
	}
	text, signatures := note[:at+1], string(note[at+2:])
	if !strings.HasSuffix(signatures, "\n") {
		return c, nil, errors.New("a note ends with a line feed")
	}
	for line := range strings.Lines(signatures) {
		name, sig, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
		blob, err := base64.StdEncoding.DecodeString(sig)
		if !ok || !strings.HasPrefix(line, "— ") || err != nil || len(blob) < 5 {
			return c, nil, fmt.Errorf("%q is no signature line", line)
		}
		for _, k := range keys {
			if k.Name != name || !bytes.Equal(k.ID, blob[:4]) {
				continue
			}
			signed, sig := text, blob[4:]
			if k.Type == 4 {
				if len(sig) != 72 {
					return c, nil, errors.New("a cosignature has 72 bytes")
				}
				signed, sig = fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text), sig[8:]
			}
			if !ed25519.Verify(k.Bytes, signed, sig) {
				return c, nil, fmt.Errorf("the signature of %s does not verify", name)
			}
			by = append(by, name)
		}
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 || len(keys) == 0 || lines[0] != keys[0].Name || len(by) == 0 || by[0] != lines[0] {
		return c, by, errors.New("the checkpoint is not signed by the log it is of")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	if err := errors.Join(err, err2); err != nil || len(root) != 32 {
		return c, by, fmt.Errorf("bad checkpoint: %v", err)
	}
	return Checkpoint{lines[0], size, Hash(root)}, by, nil
}

// TilePath returns the path of a tile, or of a bundle of entries with level −1
// (C2SP tlog-tiles).
func TilePath(level int, n int64, width int) string {
	l := "entries"
	if level >= 0 {
		l = strconv.Itoa(level)
	}
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/", n%1000) + path
	}
	if width < 256 {
		path += ".p/" + strconv.Itoa(width)
	}
	return "tile/" + l + "/" + path
}

// Entries reads a bundle of entries, each of which is a hash here.
func Entries(bundle []byte) (entries []Hash, err error) {
	for len(bundle) > 0 {
		if len(bundle) < 34 || binary.BigEndian.Uint16(bundle) != 32 {
			return nil, errors.New("an entry is 32 bytes after its length in two")
		}
		entries, bundle = append(entries, Hash(bundle[2:34])), bundle[34:]
	}
	return entries, nil
}

// CheckTiles reads every tile and bundle of a tree of that size through get,
// and checks that they are the tree with that root.
func CheckTiles(size int64, root Hash, get func(path string) ([]byte, error)) error {
	var level []Hash
	for n := range (size + 255) / 256 {
		bundle, err := get(TilePath(-1, n, int(min(256, size-n*256))))
		if err != nil {
			return err
		}
		entries, err := Entries(bundle)
		if err != nil {
			return fmt.Errorf("bundle %d: %w", n, err)
		}
		for _, e := range entries {
			level = append(level, LeafHash(e))
		}
	}
	if int64(len(level)) != size || Root(level) != root {
		return fmt.Errorf("%d entries do not make the root", len(level))
	}
	for l := 0; len(level) > 0; l++ {
		var above []Hash
		for n := int64(0); n*256 < int64(len(level)); n++ {
			want := level[n*256 : min(int64(len(level)), n*256+256)]
			tile, err := get(TilePath(l, n, len(want)))
			if err != nil {
				return err
			}
			var flat []byte
			for _, h := range want {
				flat = append(flat, h[:]...)
			}
			if !bytes.Equal(tile, flat) {
				return fmt.Errorf("tile %s is not what its entries make", TilePath(l, n, len(want)))
			}
			if len(want) == 256 {
				above = append(above, Root(want))
			}
		}
		level = above
	}
	return nil
}

// Witness cosigns checkpoints.
type Witness struct {
	name string
	key  ed25519.PrivateKey
	id   []byte
}

// NewWitness makes a witness and its verifier key.
func NewWitness(name string) (w Witness, vkey string) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // only where the system has no randomness
	}
	key := append([]byte{4}, public...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return Witness{name, private, sum[:4]}, fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(key))
}

// Cosign adds the witness's line to a signed note.
func (w Witness) Cosign(note []byte, time uint64) []byte {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	sig := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", time, text))
	line := append(binary.BigEndian.AppendUint64(bytes.Clone(w.id), time), sig...)
	return fmt.Appendf(bytes.Clone(note), "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(line))
}
