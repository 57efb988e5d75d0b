// Package jetstream keeps events on NATS JetStream. One type, Log, is both the
// store of streams and the ledger of all events: every aggregate's events share
// one JetStream stream, so the stream's sequence is the position in the ledger.
//
// Each aggregate has one exact subject. That keeps loading it fast, and it is
// the only form in which the engine's check of the expected sequence is safe:
// two writers that expect over different wildcards can both be accepted.
// Nothing but this package may publish under the ledger's subjects.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const streamName = "JOINTLAB"

var errClosed = errors.New("the log was closed")

var (
	_ eventstore.Store  = (*Log)(nil)
	_ eventstore.Ledger = (*Log)(nil)
)

// Config says where the log is kept. Only Dir must be set.
type Config struct {
	Dir      string        // the data folder; it is made if it is missing
	MaxBytes int64         // how large the events may grow; 0: three quarters of the disk's free space
	Patience time.Duration // how long Append tries before it gives up; 0: 15 seconds
	Logger   *slog.Logger  // what the embedded server has to say; nil: nothing
}

// Log is the store and the ledger. It may be used by many goroutines at once.
type Log struct {
	patience time.Duration // how long Append tries
	answer   time.Duration // how long one answer of the engine is waited for
	replicas int
	server   *embedded
	conns    [2]*nats.Conn
	js       natsjs.JetStream // commands and short reads
	bulk     natsjs.JetStream // followers, on a connection of their own so that a rebuild delays no command
	stream   natsjs.Stream
	problems []string
	mark     *highWater
	closing  context.Context // ends when Close is called
	close    context.CancelCauseFunc
	running  sync.WaitGroup
	acked    atomic.Uint64 // highest sequence this process saw acknowledged
}

// Open starts the embedded server on cfg.Dir and opens the ledger kept there,
// or makes an empty one where there never was any.
//
// A ledger that does not look as it was left is opened for reading only: see
// Problems. One that cannot be read either is an error, and nothing is written
// over it. A folder that another process has open gives ErrInUse.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	server, err := startEmbedded(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("jetstream: open %s: %w", cfg.Dir, err)
	}
	l := newLog(cfg, server, 1)
	if err = l.connect(server.connect); err == nil {
		err = l.begin(ctx)
	}
	if err != nil {
		l.shutdown()
		return nil, fmt.Errorf("jetstream: open %s: %w", cfg.Dir, err)
	}
	l.running.Go(l.keepHighWater)
	return l, nil
}

func newLog(cfg Config, server *embedded, replicas int) *Log {
	l := &Log{patience: cfg.Patience, answer: 2 * time.Second, replicas: replicas, server: server, mark: newHighWater(cfg.Dir)}
	if l.patience == 0 {
		l.patience = 15 * time.Second
	}
	l.closing, l.close = context.WithCancelCause(context.Background())
	return l
}

// connect does not care whose server answers.
func (l *Log) connect(to func(name string) (*nats.Conn, error)) error {
	for i, client := range []*natsjs.JetStream{&l.js, &l.bulk} {
		conn, err := to([]string{"commands", "followers"}[i])
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		l.conns[i] = conn
		if *client, err = natsjs.New(conn); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	return nil
}

// begin finds or makes the stream, and checks it.
func (l *Log) begin(ctx context.Context) (err error) {
	if l.stream, err = l.findStream(ctx); err != nil {
		return err
	}
	l.problems, err = l.check(ctx)
	return err
}

// findStream returns the ledger's stream. It makes one only where no event was
// ever kept: creating a stream over its own folder would delete the folder.
func (l *Log) findStream(ctx context.Context) (natsjs.Stream, error) {
	stream, err := l.js.Stream(ctx, streamName)
	if !errors.Is(err, natsjs.ErrStreamNotFound) {
		return stream, err
	}
	if err := l.server.checkEmpty(); err != nil {
		return nil, err
	}
	if mark, err := l.mark.read(); err != nil {
		return nil, err
	} else if mark.Position > 0 {
		return nil, fmt.Errorf("the ledger held %d events and is gone; restore %s from a backup (%s remembers it)", mark.Position, l.server.streamDir(), l.mark.file)
	}
	return l.js.CreateStream(ctx, streamConfig(l.replicas))
}

// streamConfig is how the ledger's stream is made, in full, so that check can
// compare it: nothing is ever deleted, expired, rolled up or pushed out.
func streamConfig(replicas int) natsjs.StreamConfig {
	return natsjs.StreamConfig{
		Name:               streamName,
		Description:        "jointlab: the ledger of all events. Never edit, purge or delete.",
		Subjects:           []string{subjectPrefix + ">"},
		Retention:          natsjs.LimitsPolicy,
		Storage:            natsjs.FileStorage,
		Discard:            natsjs.DiscardNew,
		MaxConsumers:       -1,
		MaxMsgs:            -1,
		MaxBytes:           -1,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         -1,
		Replicas:           replicas,
		Duplicates:         2 * time.Minute,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
	}
}

// Problems says what was found wrong when the ledger was opened, and what to
// do. While there is any, Append refuses and reading goes on.
func (l *Log) Problems() []string { return l.problems }

// Head is the position of the last event. It is asked of the stream's leader,
// so it never lags behind an acknowledgement.
func (l *Log) Head(ctx context.Context) (eventstore.Position, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, unavailable(ctx, "read head", err)
	}
	return eventstore.Position(info.State.LastSeq), nil
}

// Close stops followers, writes the high-water mark and stops the server.
// Closing again does nothing.
func (l *Log) Close() error {
	if l.closing.Err() != nil {
		return nil
	}
	l.close(errClosed)
	l.running.Wait()
	return l.shutdown()
}

func (l *Log) shutdown() error {
	l.close(errClosed)
	for _, conn := range l.conns {
		if conn != nil {
			conn.Close()
		}
	}
	return l.server.stop()
}

// unavailable wraps an error of the engine in ErrUnavailable, and keeps the
// caller's own reason where it is the caller who stopped waiting.
func unavailable(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("jetstream: %s: %w: %w", doing, eventstore.ErrUnavailable, err)
}
