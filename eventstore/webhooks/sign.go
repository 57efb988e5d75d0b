package webhooks

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

// KeyFile is the key that secrets follow from, in the data folder.
const KeyFile = "webhook.key"

const keyBytes = 32

// Key is what the secrets of all endpoints follow from. Nodes of one register
// share it. Without it, or with another one, no secret that was handed out is
// worth anything.
type Key struct{ bytes []byte }

// LoadOrCreateKey reads the key kept at path, or makes one where there is none.
// A file that others may read is refused. Of several processes that make it at
// once, one does and all use that one.
func LoadOrCreateKey(path string) (Key, error) {
	text, err := eventstore.SecretFile(path, func() ([]byte, error) {
		random := make([]byte, keyBytes)
		rand.Read(random)
		return []byte(base64.StdEncoding.EncodeToString(random) + "\n"), nil
	})
	if err != nil {
		return Key{}, fmt.Errorf("webhooks: load key: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("webhooks: load key: %s: %w; put the right one back from the secrets", path, err)
	}
	return key, nil
}

// ParseKey returns the key that a file's text holds.
func ParseKey(text string) (Key, error) {
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(decoded) != keyBytes {
		return Key{}, fmt.Errorf("it does not hold %d bytes as base64", keyBytes)
	}
	return Key{decoded}, nil
}

// secret returns the signing key of an endpoint's generation (HKDF-SHA256, RFC 5869).
func (k Key) secret(endpoint uuid.UUID, generation int) []byte {
	secret, err := hkdf.Key(sha256.New, k.bytes, nil, fmt.Sprintf("jointlab webhook %s generation %d", endpoint, generation), 32)
	if err != nil {
		panic(err) // only for more than 8160 bytes
	}
	return secret
}

// Secret returns the secret of an endpoint's generation as its receiver gets it,
// to verify deliveries with: whsec_<base64>, as Standard Webhooks has it.
func (k Key) Secret(endpoint uuid.UUID, generation int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(k.secret(endpoint, generation))
}

// signature returns the header webhook-signature of Standard Webhooks 1.0: for each
// generation v1,<base64 of HMAC-SHA256 over id.timestamp.body>, with spaces between.
func (k Key) signature(endpoint uuid.UUID, generations []int, id string, at time.Time, body []byte) string {
	signed := make([]string, len(generations))
	for i, g := range generations {
		mac := hmac.New(sha256.New, k.secret(endpoint, g))
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signed[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signed, " ")
}
