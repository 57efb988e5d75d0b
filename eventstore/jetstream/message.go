package jetstream

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

// subjectPrefix is followed by the kind and the id of an aggregate.
const subjectPrefix = "jointlab.ledger."

func subjectOf(s eventstore.Stream) (string, error) {
	if s.Kind == "" || strings.ContainsAny(s.Kind, ".*> \t\r\n") {
		return "", fmt.Errorf("jetstream: %q cannot name a kind of stream; use letters only", s.Kind)
	}
	return subjectPrefix + s.Kind + "." + s.ID.String(), nil
}

func streamOf(subject string) (eventstore.Stream, error) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(subject, subjectPrefix), ".")
	parsed, err := uuid.Parse(id)
	return eventstore.Stream{Kind: kind, ID: parsed}, err
}

// recorded is the event kept in a message.
func recorded(subject string, header nats.Header, seq uint64, body []byte) (eventstore.Recorded, error) {
	stream, err := streamOf(subject)
	if err != nil {
		return eventstore.Recorded{}, fmt.Errorf("position %d: subject %q is no aggregate's; something else publishes into the ledger", seq, subject)
	}
	id, err := eventID(header)
	if err != nil {
		return eventstore.Recorded{}, fmt.Errorf("position %d: no event id; something else publishes into the ledger", seq)
	}
	return eventstore.Recorded{Stream: stream, ID: id, Position: eventstore.Position(seq), Body: body}, nil
}

// eventID is in one header where the store wrote, in another where a relay did.
func eventID(header nats.Header) (uuid.UUID, error) {
	if id := header.Get(relayedID); id != "" {
		return uuid.Parse(id)
	}
	return uuid.Parse(header.Get(natsjs.MsgIDHeader))
}

func number(header nats.Header, key string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(header.Get(key), 10, 64)
	return n, err == nil
}
