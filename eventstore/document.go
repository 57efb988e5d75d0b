package eventstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jointlab/jointlab/domain"
)

// Digest is the SHA-256 of a document, under which it is kept and by which
// events refer to it.
type Digest [sha256.Size]byte

// String is sha256: and 64 hex digits.
func (d Digest) String() string { return "sha256:" + hex.EncodeToString(d[:]) }

// Next returns the digest that follows in order; the first follows the last.
func (d Digest) Next() Digest {
	for i := len(d) - 1; i >= 0; i-- {
		if d[i]++; d[i] != 0 {
			break
		}
	}
	return d
}

// ParseDigest reads what String writes.
func ParseDigest(s string) (Digest, error) {
	if d, ok := domain.ParseDigest(s); ok {
		return d, nil
	}
	return Digest{}, fmt.Errorf("eventstore: %q is not a digest; write sha256: and 64 hex digits, in lower case", s)
}

// Document is what is known of a document besides its bytes.
type Document struct {
	Digest Digest
	Size   int64     // bytes
	Type   string    // media type, as its first bytes show
	Stored time.Time // when it was put in
}

// What can be wrong with a document that events refer to.
var (
	ErrDocumentMissing = errors.New("eventstore: the document is not held")
	ErrDocumentChanged = errors.New("eventstore: the document is not what it was when it was put in")
)
