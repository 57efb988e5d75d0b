package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

const (
	checkpointStream  = "CHECKPOINTS"
	checkpointSubject = "jointlab.checkpoint"
	verifierKey       = "Jointlab-Verifier-Key"
)

// CheckpointStream is the stream CHECKPOINTS: every checkpoint of the ledger's log, in the
// order in which they were signed, each a signed note on the subject
// jointlab.checkpoint with the key that verifies it in the header
// Jointlab-Verifier-Key. Like the ledger it is never edited.
type CheckpointStream struct{ ledger *Ledger }

var _ audit.Board = CheckpointStream{}

// Checkpoints is where this ledger's checkpoints are published.
func (l *Ledger) Checkpoints() CheckpointStream { return CheckpointStream{l} }

// make makes the stream, unless it is there.
func (b CheckpointStream) make(ctx context.Context) error {
	config := streamConfig(b.ledger.replicas)
	config.Name, config.Subjects = checkpointStream, []string{checkpointSubject}
	config.Description = "jointlab: signed checkpoints of the ledger. Never edit, purge or delete."
	config.AllowAtomicPublish = false
	_, err := b.ledger.js.CreateStream(ctx, config)
	if errors.Is(err, natsjs.ErrStreamNameAlreadyInUse) {
		return nil
	}
	return err
}

// Last is the last checkpoint published, as the stream's leader knows it.
func (b CheckpointStream) Last(ctx context.Context) (audit.Published, error) {
	doing := "read the end of stream " + checkpointStream
	ctx, cancel := context.WithTimeout(ctx, b.ledger.answer)
	defer cancel()
	last, err := b.ledger.lastOnLeader(ctx, checkpointStream, checkpointSubject)
	if errors.Is(err, natsjs.ErrStreamNotFound) {
		return audit.Published{}, nil
	}
	if err != nil {
		return audit.Published{}, unavailable(ctx, doing, err)
	}
	if last.Seq == 0 {
		return audit.Published{}, nil
	}
	header, err := last.header()
	if err != nil {
		return audit.Published{}, fmt.Errorf("jetstream: %s: %w", doing, err)
	}
	return audit.Published{Note: last.Data, Key: header.Get(verifierKey), Sequence: last.Seq}, nil
}

// Publish adds a checkpoint if the stream still ends at after. The first one
// makes the stream.
func (b CheckpointStream) Publish(ctx context.Context, after uint64, note []byte, key string) error {
	l := b.ledger
	ctx, cancel := context.WithTimeout(ctx, l.answer)
	defer cancel()
	if after == 0 {
		if err := b.make(ctx); err != nil {
			return unavailable(ctx, "make stream "+checkpointStream, err)
		}
	}
	_, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: checkpointSubject, Data: note, Header: nats.Header{
		verifierKey:                  {key},
		natsjs.ExpectedStreamHeader:  {checkpointStream},
		natsjs.ExpectedLastSeqHeader: {strconv.FormatUint(after, 10)},
	}}, natsjs.WithRetryAttempts(0))
	var answer *natsjs.APIError
	errors.As(err, &answer)
	switch {
	case err == nil:
		return nil
	case isCode(answer, codeWrongSequence, codeWrongSequenceConstant):
		return fmt.Errorf("jetstream: publish a checkpoint: %w: %w", eventstore.ErrConflict, err)
	}
	return unavailable(ctx, "publish a checkpoint", err)
}
