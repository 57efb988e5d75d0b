package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ErrInUse reports that another process has the data folder open.
var ErrInUse = errors.New("the data folder is in use by another process; stop that one first, or choose another folder")

// embedded is a NATS server inside this process, with a port for subscribers
// only where one is asked for. It syncs each event to disk before it
// acknowledges it.
type embedded struct {
	dir    string
	server *server.Server
	log    *serverLog
	probe  probe
	auth   *subscriberAuth // nil without a port
}

// lockFolder makes the folder if it is missing and keeps other processes out.
// The lock is held by the process, so it vanishes with it, however it ends.
func lockFolder(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if !locked {
		return nil, ErrInUse
	}
	return lock, nil
}

func startEmbedded(ctx context.Context, cfg Config) (_ *embedded, err error) {
	if cfg.Dir == "" {
		return nil, errors.New("no data folder given")
	}
	e := &embedded{dir: cfg.Dir, log: newServerLog(cfg.Logger)}
	options := &server.Options{
		ServerName:        "jointlab",
		DontListen:        true,
		JetStream:         true,
		StoreDir:          cfg.Dir,
		JetStreamMaxStore: cmp.Or(cfg.MaxBytes, 1<<60), // 0 would be three quarters of the disk as it is now
		SyncAlways:        true,
		NoSigs:            true,
		NoLog:             true,
	}
	if cfg.Listen.Addr != "" {
		e.auth = &subscriberAuth{}
		if err := cfg.Listen.configure(options, e.auth); err != nil {
			return nil, err
		}
	}
	if e.probe.file, err = os.OpenFile(filepath.Join(cfg.Dir, "probe"), os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if e.server, err = server.NewServer(options); err != nil {
		e.probe.file.Close()
		return nil, fmt.Errorf("start server: %w", err)
	}
	e.server.SetLoggerV2(e.log, false, false, false)
	go e.server.Start()
	for !e.server.ReadyForConnections(100 * time.Millisecond) {
		if err := e.log.fatal.Load(); err != nil {
			e.stop()
			return nil, fmt.Errorf("start server: %w", *err)
		}
		if ctx.Err() != nil {
			e.stop()
			return nil, fmt.Errorf("start server: %w", ctx.Err())
		}
	}
	return e, nil
}

func (e *embedded) connect(name string) (*nats.Conn, error) {
	return nats.Connect("", append(connection(name, 100*time.Millisecond), nats.InProcessServer(e.server))...)
}

func (e *embedded) streamDir(stream string) string { return streamFolder(e.dir, stream) }

// streamFolder is where the embedded server keeps a stream.
func streamFolder(dir, stream string) string {
	return filepath.Join(dir, server.JetStreamStoreDir, "$G", "streams", stream)
}

// checkEmpty refuses when the stream's folder holds messages that the server did
// not recognise as a stream.
func (e *embedded) checkEmpty(stream string) error {
	blocks, err := filepath.Glob(filepath.Join(e.streamDir(stream), "msgs", "*.blk"))
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if info, err := os.Stat(block); err != nil || info.Size() > 0 {
			return fmt.Errorf("%s holds data but no readable stream; nothing was changed: restore it from a backup", e.streamDir(stream))
		}
	}
	return nil
}

func (e *embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	e.probe.file.Close()
}

// probe is a file whose size goes from 0 to 1 and back: a change that a file
// system cannot keep to itself.
type probe struct {
	mu   sync.Mutex
	file *os.File
	size int64
}

func (p *probe) change() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = 1 - p.size
	return p.file.Truncate(p.size)
}

// durable reports whether what the server just acknowledged can be trusted to be
// on the disk. Where a file system fails while something is synced, the kernel
// may acknowledge it and drop it; from then on nothing can be changed there,
// which shows here.
func (l *Ledger) durable() error {
	if l.server == nil {
		return nil
	}
	err := l.server.probe.change()
	if err != nil {
		l.server.log.Errorf("the disk cannot be written any more: %w", err)
	}
	return err
}

// serverLog hands the server's messages on and remembers the first error. But
// for what a single connection did, the embedded server logs errors for nothing
// less than a store it cannot write or read, and it may leave the publisher
// without an answer then.
type serverLog struct {
	to           *slog.Logger
	first, fatal atomic.Pointer[error]
}

func newServerLog(to *slog.Logger) *serverLog {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &serverLog{to: to}
}

func (s *serverLog) failure() error {
	if err := s.first.Load(); err != nil {
		return *err
	}
	return nil
}

// ofConnection begins what the server logs about one connection, such as a key
// it does not know, and about all of them, when it cannot take more. It must
// not be in anybody's power outside to stop the register from writing.
var ofConnection = regexp.MustCompile(`^(\S+ - cid:\d+ - |Temporary \S+ Accept Error)`)

func (s *serverLog) Errorf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	if ofConnection.MatchString(err.Error()) {
		s.to.Info(err.Error())
		return
	}
	s.first.CompareAndSwap(nil, &err)
	s.to.Error(err.Error())
}

func (s *serverLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	s.fatal.CompareAndSwap(nil, &err)
	s.Errorf(format, v...)
}

func (s *serverLog) Warnf(format string, v ...any)   { s.to.Warn(fmt.Sprintf(format, v...)) }
func (s *serverLog) Noticef(format string, v ...any) { s.to.Debug(fmt.Sprintf(format, v...)) }
func (s *serverLog) Debugf(string, ...any)           {}
func (s *serverLog) Tracef(string, ...any)           {}
