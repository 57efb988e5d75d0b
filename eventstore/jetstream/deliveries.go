package jetstream

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

const (
	deliveriesStream = "DELIVERIES"
	deliveriesPrefix = "jointlab.deliveries."
	maxRecord        = 4 << 10
)

// deliveriesConfig bounds the log of deliveries by time and by number: about
// 1 GiB at most, of which one endpoint may have a tenth, so that the failures
// of one do not push out what happened to others. A limit in bytes would be
// set aside on the disk at once.
func deliveriesConfig(replicas int) natsjs.StreamConfig {
	return natsjs.StreamConfig{
		Name: deliveriesStream, Description: "jointlab: the log of deliveries to webhooks.", Subjects: []string{deliveriesPrefix + "*"},
		Retention: natsjs.LimitsPolicy, Storage: natsjs.FileStorage, Discard: natsjs.DiscardOld, Replicas: replicas, AllowDirect: true,
		MaxAge: 30 * 24 * time.Hour, MaxMsgs: 2_000_000, MaxMsgsPerSubject: 200_000, MaxMsgSize: maxRecord,
		MaxConsumers: -1, MaxBytes: -1, Duplicates: 2 * time.Minute,
	}
}

// Log adds a record to the log of deliveries.
func (o *Outbox) Log(ctx context.Context, endpoint uuid.UUID, record []byte) error {
	ctx, cancel := context.WithTimeout(ctx, o.ledger.answer)
	defer cancel()
	_, err := o.ledger.js.PublishMsg(ctx, &nats.Msg{Subject: deliveriesPrefix + endpoint.String(), Data: record}, natsjs.WithRetryAttempts(0))
	if err != nil {
		return unavailable(ctx, "log a delivery", err)
	}
	return nil
}

// Logged calls each with the records of an endpoint, the latest first, from
// before a number on (0: from the last one), until it returns false. The
// number of a record is its place among those of all endpoints.
func (o *Outbox) Logged(ctx context.Context, endpoint uuid.UUID, before uint64, each func(number uint64, record []byte) bool) error {
	doing := "read the log of deliveries"
	stream, err := o.ledger.js.Stream(ctx, deliveriesStream)
	if err != nil {
		return unavailable(ctx, doing, err)
	}
	state := stream.CachedInfo().State
	if before == 0 || before > state.LastSeq {
		before = state.LastSeq + 1
	}
	subject := deliveriesPrefix + endpoint.String()
	// The engine reads forwards only: windows go back, wider while they are empty.
	for window := uint64(256); before > max(state.FirstSeq, 1); window = min(2*window, 8192) {
		from := max(state.FirstSeq, 1)
		if before > from+window {
			from = before - window
		}
		var found []*natsjs.RawStreamMsg
		err := o.ledger.pages(ctx, doing, o.ledger.bulk, deliveriesStream, subject, from, int(window), func(m *natsjs.RawStreamMsg) (bool, error) {
			if m.Sequence < before {
				found = append(found, m)
			}
			return m.Sequence+1 < before, nil
		})
		if err != nil {
			return err
		}
		for _, m := range slices.Backward(found) {
			if !each(m.Sequence, m.Data) {
				return nil
			}
		}
		if before = from; len(found) > 0 {
			window = 128
		}
	}
	return nil
}
