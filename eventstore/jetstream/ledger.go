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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const streamName = "JOINTLAB"

var errClosed = errors.New("the log was closed")

var (
	_ eventstore.Store  = (*Ledger)(nil)
	_ eventstore.Ledger = (*Ledger)(nil)
)

// DefaultReserve is how many bytes of the disk stay free: enough for all that is
// under way to be written, and for the read model and the Merkle tree to follow.
const DefaultReserve = 64 << 20

// Config is where and how the ledger is kept. Dir must be set, unless NATS is.
type Config struct {
	Dir      string        // the data folder; it is made if it is missing
	Reserve  int64         // how many bytes of the disk embedded events leave free; 0: DefaultReserve, less than 0: none
	MaxBytes int64         // how large the events may grow; 0: as far as the disk goes, see Reserve
	Patience time.Duration // how long Append tries before it gives up; 0: 15 seconds
	Logger   *slog.Logger  // for the server and the ledger; nil: none
	Listen   Listen        // where subscribers reach the embedded server; zero: nowhere

	NATS        string // URL of an outside server, or several of one cluster with commas between; "": embedded
	Credentials string // file of credentials to connect there with; "": those of the URL
	Replicas    int    // on how many servers of a cluster each event is kept; 0: as it was made, at first on one

	Restore bool // begin to restore into Dir, which must be empty or hold a restore that was broken off
	Relayed bool // a relay fills the ledger from another store, and Append refuses

	Random io.Reader // what keys of persons are made of; nil: crypto/rand
}

// Ledger is the store and the ledger. It may be used by many goroutines at once.
type Ledger struct {
	patience  time.Duration // how long Append tries
	answer    time.Duration // how long one answer of the engine is waited for
	wanted    int           // replicas asked for; 0: any
	replicas  int           // of the stream
	relayed   bool
	restoring bool
	logger    *slog.Logger
	dir       string       // "": none
	reserve   uint64       // bytes
	lock      *flock.Flock // nil without a folder
	server    *embedded    // nil where an outside server is used
	conns     [2]*nats.Conn
	js        natsjs.JetStream // commands and short reads
	bulk      natsjs.JetStream // followers, on a connection of their own so that a rebuild delays no command
	stream    natsjs.Stream
	problems  []string
	mark      *highWater
	documents *Documents
	persons   *Persons
	closing   context.Context // ends when Close is called
	close     context.CancelCauseFunc
	running   sync.WaitGroup
	acked     atomic.Uint64 // highest sequence this process saw acknowledged
}

// Open opens the ledger kept in cfg.Dir by the embedded server, or on the
// outside server cfg.NATS, or makes an empty one where there never was any. A
// folder given with an outside server remembers how far the ledger had come.
//
// A ledger that does not look as it was left is opened for reading only: see
// Problems. One that cannot be read either is an error, and nothing is written
// over it. A folder that another process has open gives ErrInUse.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	l := newLedger(cfg)
	if err := l.open(ctx, cfg); err != nil {
		l.shutdown()
		where := cfg.Dir
		if cfg.NATS != "" {
			where = "outside ledger" // a URL may hold a password
		}
		return nil, fmt.Errorf("jetstream: open %s: %w", where, err)
	}
	l.running.Go(l.keepHighWater)
	return l, nil
}

func newLedger(cfg Config) *Ledger {
	l := &Ledger{
		patience: cfg.Patience, answer: 2 * time.Second, wanted: cfg.Replicas, relayed: cfg.Relayed, restoring: cfg.Restore,
		logger: cfg.Logger, dir: cfg.Dir, mark: newHighWater(cfg.Dir),
	}
	if l.patience == 0 {
		l.patience = 15 * time.Second
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	l.reserve = uint64(max(0, cmp.Or(cfg.Reserve, DefaultReserve)))
	l.documents = newDocuments(l, cfg.Dir)
	l.persons = newPersons(l, cfg.Dir, cfg.Random)
	l.closing, l.close = context.WithCancelCause(context.Background())
	return l
}

func (l *Ledger) open(ctx context.Context, cfg Config) (err error) {
	if cfg.Dir != "" {
		if cfg.Restore {
			if err := checkRestorable(cfg.Dir); err != nil {
				return err // with no lock left in a foreign folder
			}
		}
		if l.lock, err = lockFolder(cfg.Dir); err != nil {
			return err
		}
		if err := checkDataDir(cfg.Dir, cfg.Restore); err != nil {
			return err
		}
	}
	if cfg.NATS != "" {
		if cfg.Listen.Addr != "" {
			return errors.New("subscribers reach an outside server by its own port; give it permissions for them, and do not listen here")
		}
		if err := l.connect(dialOutside(cfg)); err != nil {
			return err
		}
		return l.beginRetrying(ctx)
	}
	before := blockBytes(cfg.Dir)
	if l.server, err = startEmbedded(ctx, cfg); err != nil {
		return err
	}
	if err := l.connect(l.server.connect); err != nil {
		return err
	}
	if err := l.retry(ctx, l.begin); err != nil {
		return err
	}
	// The engine does not report what it leaves behind when it opens its files.
	if torn := before - blockBytes(cfg.Dir); torn > 0 {
		l.logger.Warn("the store ended in the middle of a write, as after a crash; that was dropped, and nobody had been told of it unless problems are named", "bytes", torn)
	}
	info := l.stream.CachedInfo()
	l.logger.Info("ledger opened", "events", info.State.Msgs, "position", info.State.LastSeq, "problems", len(l.problems))
	return nil
}

// blockBytes is how many bytes the ledger's messages take up in a data folder.
func blockBytes(dir string) (bytes int64) {
	blocks, _ := filepath.Glob(filepath.Join(streamFolder(dir, streamName), "msgs", "*.blk")) // the pattern is well formed
	for _, block := range blocks {
		if info, err := os.Stat(block); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// connect does not care whose server answers.
func (l *Ledger) connect(to func(name string) (*nats.Conn, error)) error {
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

// connection is how a log connects to whose server it is.
func connection(name string, retry time.Duration) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(retry),
		nats.ReconnectBufSize(-1),         // an event is not to be sent behind the back of an Append that gave up
		nats.SyncQueueLen(2 * pageEvents), // each page of a Load has a queue of its own, of half a megabyte otherwise
	}
}

// begin finds or makes the stream, and checks it.
func (l *Ledger) begin(ctx context.Context) (err error) {
	if l.stream, err = l.findStream(ctx); err != nil {
		return err
	}
	l.replicas = l.stream.CachedInfo().Config.Replicas
	l.problems, err = l.check(ctx)
	return err
}

// findStream returns the ledger's stream. It makes one only where no event was
// ever kept: creating a stream over its own folder would delete the folder.
func (l *Ledger) findStream(ctx context.Context) (natsjs.Stream, error) {
	stream, err := l.js.Stream(ctx, streamName)
	if !errors.Is(err, natsjs.ErrStreamNotFound) {
		return stream, err
	}
	gone := "the stream " + streamName + " on its server"
	if l.server != nil {
		gone = l.server.streamDir(streamName)
		if err := l.server.checkEmpty(streamName); err != nil {
			return nil, err
		}
	}
	if mark, err := l.mark.read(); err != nil {
		return nil, err
	} else if mark.Position > 0 {
		return nil, fmt.Errorf("the ledger held %d events and is gone; restore %s from a backup (%s remembers it)", mark.Position, gone, l.mark.file)
	}
	return l.js.CreateStream(ctx, streamConfig(max(1, l.wanted)))
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

// Problems returns what was found wrong when the ledger was opened, and what to
// do. While there is any, Append refuses and reading goes on.
func (l *Ledger) Problems() []string { return l.problems }

// Head is the position of the last event. It is asked of the stream's leader,
// so it never lags behind an acknowledgement.
func (l *Ledger) Head(ctx context.Context) (eventstore.Position, error) {
	var info *natsjs.StreamInfo
	err := l.retry(ctx, func(ctx context.Context) (err error) {
		info, err = l.stream.Info(ctx)
		return err
	})
	if err != nil {
		return 0, unavailable(ctx, "read head", err)
	}
	return eventstore.Position(info.State.LastSeq), nil
}

// Close stops followers, writes the high-water mark and stops the server.
// Closing again does nothing.
func (l *Ledger) Close() error {
	if l.closing.Err() != nil {
		return nil
	}
	l.close(errClosed)
	l.running.Wait()
	return l.shutdown()
}

func (l *Ledger) shutdown() error {
	l.close(errClosed)
	for _, conn := range l.conns {
		if conn != nil {
			conn.Close()
		}
	}
	if l.server != nil {
		l.server.stop()
	}
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

// unavailable wraps an error of the engine in ErrUnavailable, and keeps the
// caller's own reason where it is the caller who stopped waiting.
func unavailable(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("jetstream: %s: %w: %w", doing, eventstore.ErrUnavailable, err)
}
