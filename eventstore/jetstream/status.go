package jetstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

// The stream that subscribers read. A status event stands on
// jointlab.status.<lab>.<to>, where to is the status reached; an agreement
// event, where the stream is to have them, on jointlab.agreement.<lab>.<what
// happened>, as in jointlab.agreement.<lab>.signed.
const (
	StatusStream     = "STATUS"
	statusSubjects   = "jointlab.status."
	agreementSubject = "jointlab.agreement."
)

// checkpointHeader holds the newest signed checkpoint when an event was
// relayed, in base64 (RFC 4648, section 4), since a header has one line.
const checkpointHeader = "Jointlab-Checkpoint"

// StatusConfig is what the stream STATUS holds.
type StatusConfig struct {
	Agreements bool          // agreement events as well; the same on all nodes
	Checkpoint func() []byte // the newest signed checkpoint, to go with the events; nil: none
}

// StatusTarget is the stream STATUS, for a relay from the ledger to fill. It
// is made if it is missing. Messages are the events byte for byte, with the
// position in the ledger in the header Jointlab-Source-Position.
func (l *Ledger) StatusTarget(ctx context.Context, cfg StatusConfig) (*Target, error) {
	subjects := []string{statusSubjects + ">"}
	if cfg.Agreements {
		subjects = append(subjects, agreementSubject+">")
	}
	t, err := l.Derive(ctx, StatusStream, "jointlab: status events for subscribers, derived from the ledger", subjects, func(e eventstore.Recorded) (string, bool, error) {
		o, err := eventstore.ParseHeader(e.Body)
		if err != nil {
			return "", false, fmt.Errorf("jetstream: position %d: %w", e.Position, err)
		}
		subject, belongs := subscribedTo(o, cfg.Agreements)
		return subject, belongs, nil
	})
	if err == nil && cfg.Checkpoint != nil {
		t.beside = func() nats.Header {
			if note := cfg.Checkpoint(); len(note) > 0 {
				return nats.Header{checkpointHeader: {base64.StdEncoding.EncodeToString(note)}}
			}
			return nil
		}
	}
	return t, err
}

// StatusLag is how many status events of the ledger are not in the stream STATUS
// yet; all of them, where it was not made yet. It fails where the stream was
// filled from another ledger.
func (l *Ledger) StatusLag(ctx context.Context) (lag int, err error) {
	last, err := (&Target{ledger: l, stream: StatusStream}).Last(ctx)
	if err != nil && !errors.Is(err, natsjs.ErrStreamNotFound) {
		return 0, err
	}
	head, err := l.Head(ctx)
	if err != nil {
		return 0, err
	}
	if last.Source > head {
		return 0, fmt.Errorf("jetstream: stream %s goes on to position %d, and the ledger ends at %d", StatusStream, last.Source, head)
	}
	if last.Source > 0 {
		if e, err := l.At(ctx, last.Source); err != nil {
			return 0, err
		} else if e.ID != last.Event {
			return 0, fmt.Errorf("jetstream: stream %s ends with event %s from position %d, where the ledger has event %s", StatusStream, last.Event, last.Source, e.ID)
		}
	}
	for e, err := range eventstore.Read(ctx, l, last.Source, head) {
		if err != nil {
			return lag, err
		}
		o, err := eventstore.ParseHeader(e.Body)
		if err != nil {
			return lag, err
		}
		if o.IsStatus() {
			lag++
		}
	}
	return lag, nil
}

// subscribedTo is the subject an event has on STATUS, if it has one.
func subscribedTo(o eventstore.Header, agreements bool) (string, bool) {
	switch {
	case o.IsStatus():
		return statusSubjects + o.Stream.ID.String() + "." + string(o.To), true
	case agreements && eventstore.Facet(o.Type) == "agreement":
		what := strings.Split(o.Type, ".")[2]
		return agreementSubject + o.Stream.ID.String() + "." + what, true
	}
	return "", false
}
