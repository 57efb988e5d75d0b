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

// decoded is an event and what it names.
type decoded struct {
	eventstore.Decoded
	mentions mentions
}

// mentions is what an event is found by besides who recorded it, where and when:
// whatever its data mentions, in whichever member and of whichever type.
type mentions struct {
	names   []name
	digests []eventstore.Digest // of the documents it rests on or speaks of
}

// name is something an event names, told apart by what it is.
type name string

func aggregateName(id uuid.UUID) name     { return name("id " + string(id[:])) } // a legal entity, also a lab
func basisName(document string) name      { return name("basis " + document) }
func correlationName(id string) name      { return name("correlation " + id) }
func (n name) hash() uint64               { sum := sha256.Sum256([]byte(n)); return binary.BigEndian.Uint64(sum[:]) }
func (n mentions) includes(one name) bool { return slices.Contains(n.names, one) }

// decode reads an event and what it names.
func decode(r eventstore.Recorded) (decoded, error) {
	d, err := eventstore.Decode(r.Body)
	if err != nil {
		return decoded{Decoded: d}, err
	}
	n, err := mentionedBy(d)
	return decoded{d, n}, err
}

// mentionedBy looks for ids and digests in every text of an event's data.
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

// digest adds a document, if that is what the text is.
func (n *mentions) digest(text string) {
	if d, err := eventstore.ParseDigest(text); err == nil && !slices.Contains(n.digests, d) {
		n.digests = append(n.digests, d)
	}
}

// A block of the trail keeps beside its records what their events name, in
// order: the record's place in the block, then the first half of a hash. Eight
// bytes let a name through by mistake about once in 10¹⁹; what is let through
// is looked at again in the event itself.
const nameBytes = 1 + 8

func appendName(b []byte, at int, n name) []byte {
	return binary.LittleEndian.AppendUint64(append(b, byte(at)), n.hash())
}

// matchNames says for each record of a block which of the wanted names its event has,
// a bit each.
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
