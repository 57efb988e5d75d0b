package projections

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

// decoded is a decoded event with its mentions.
type decoded struct {
	eventstore.Decoded
	mentions mentions
}

// mentions are the ids and documents that an event's data mentions, in any
// member. The trail finds the event by them.
type mentions struct {
	names   []name
	digests []eventstore.Digest // of its basis and of other documents
}

// name is what an event mentions, with a prefix for its kind.
type name string

func aggregateName(id uuid.UUID) name     { return name("id " + string(id[:])) } // a legal entity, also a lab
func basisName(document string) name      { return name("basis " + document) }
func correlationName(id string) name      { return name("correlation " + id) }
func (n name) hash() uint64               { sum := sha256.Sum256([]byte(n)); return binary.BigEndian.Uint64(sum[:]) }
func (n mentions) includes(one name) bool { return slices.Contains(n.names, one) }

// decode returns a recorded event decoded, with its mentions.
func decode(r eventstore.Recorded) (decoded, error) {
	d, err := eventstore.Decode(r.Body)
	if err != nil {
		return decoded{Decoded: d}, err
	}
	n, err := mentionedBy(d)
	return decoded{d, n}, err
}

// mentionedBy returns the ids and digests in all strings of an event's data.
func mentionedBy(d eventstore.Decoded) (n mentions, err error) {
	n.digest(d.Meta.Because.Basis.Digest)
	if b := d.Meta.Because.Basis.Document; b != "" {
		n.names = append(n.names, basisName(b))
	}
	if d.Meta.Correlation != "" {
		n.names = append(n.names, correlationName(d.Meta.Correlation))
	}
	for dec := jsontext.NewDecoder(bytes.NewBuffer(d.Data)); ; {
		t, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if t.Kind() != '"' {
			continue
		}
		text := t.String()
		if len(text) == 36 {
			if id, err := uuid.Parse(text); err == nil && !n.includes(aggregateName(id)) {
				n.names = append(n.names, aggregateName(id))
			}
		}
		n.digest(text)
	}
}

// digest adds the text if it is a digest.
func (n *mentions) digest(text string) {
	if d, err := eventstore.ParseDigest(text); err == nil && !slices.Contains(n.digests, d) {
		n.digests = append(n.digests, d)
	}
}

// Beside its records a block of the trail keeps the names of their events, in
// order: the index of the record in the block, then 8 bytes of the name's hash.
// A false match has a probability of about 10⁻¹⁹; the event itself is checked
// again when it is read.
const nameBytes = 1 + 8

func appendName(b []byte, at int, n name) []byte {
	return binary.LittleEndian.AppendUint64(append(b, byte(at)), n.hash())
}

// matchNames returns, for each record of a block, a bit for each wanted name that
// its event has.
func matchNames(names []byte, wanted []uint64) (found [blockEvents]uint8) {
	for ; len(names) >= nameBytes; names = names[nameBytes:] {
		short := binary.LittleEndian.Uint64(names[1:])
		for bit, w := range wanted {
			if w == short {
				found[names[0]] |= 1 << bit
			}
		}
	}
	return found
}
