package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jointlab/jointlab/eventstore"
)

// PersonEntry is what the keys of persons are kept as, wrapped with the key in
// person.key. It belongs where it can be destroyed when the person is erased:
// in no backup of the events.
type PersonEntry struct {
	Subject string `json:"subject"`
	Data    []byte `json:"data"`
}

// copyPatience is how long the store's files are read again because they change.
const copyPatience = 30 * time.Second

// PersonEntries reads the keys of persons, on the outside server cfg.NATS or in
// the folder cfg.Dir, also while a server has that open: they are read from a
// copy of the store's files, of which two in a row were the same.
func PersonEntries(ctx context.Context, cfg Config) (all []PersonEntry, err error) {
	doing := func(err error) error { return fmt.Errorf("jetstream: copy the keys of persons: %w", err) }
	ctx, cancel := context.WithTimeoutCause(ctx, copyPatience, errors.New("persons are named all the time; try again, or stop the server first"))
	defer cancel()
	to := dialOutside(cfg)
	l := newLedger(Config{})
	defer l.shutdown()
	if cfg.NATS == "" {
		files, err := stableFiles(ctx, streamFolder(cfg.Dir, personStream))
		if err != nil {
			return nil, doing(err)
		}
		if len(files) == 0 {
			return nil, nil // no person was ever named
		}
		dir, err := os.MkdirTemp("", "jointlab-keys-") // mode 0700
		if err != nil {
			return nil, doing(err)
		}
		defer os.RemoveAll(dir)
		for name, content := range files {
			file := filepath.Join(streamFolder(dir, personStream), name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, content, 0o600)); err != nil {
				return nil, doing(err)
			}
		}
		if l.server, err = startEmbedded(ctx, Config{Dir: dir}); err != nil {
			return nil, doing(err)
		}
		defer l.shutdown() // before the folder goes
		to = l.server.connect
	} else {
		l.replicas = 2 // the server that answers may lag behind
	}
	if err := l.connect(to); err != nil {
		return nil, doing(err)
	}
	all, err = l.persons.entries(ctx)
	if err == nil && len(all) == 0 && cfg.NATS == "" {
		err = errors.New("the copy holds none; stop the server and try again")
	}
	if err != nil {
		return nil, doing(err)
	}
	return all, nil
}

// entries are all that the stream holds.
func (p *Persons) entries(ctx context.Context) (all []PersonEntry, err error) {
	err = p.ledger.eachKept(ctx, personStream, func(m any) error {
		all = append(all, PersonEntry{m.(keptMessage).Subject, m.(keptMessage).Data})
		return nil
	})
	return all, err
}

// stableFiles reads the files of a stream's folder, until nothing is written between
// two readings. The index is left out: it is written late, and follows from the rest.
func stableFiles(ctx context.Context, folder string) (files map[string][]byte, err error) {
	for last := map[string][]byte(nil); ; last = files {
		files = map[string][]byte{}
		err := fs.WalkDir(os.DirFS(folder), ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || filepath.Base(name) == "index.db" {
				return ignoreMissing(err)
			}
			content, err := os.ReadFile(filepath.Join(folder, name))
			if err == nil {
				files[name] = content
			}
			return ignoreMissing(err)
		})
		if err != nil || last != nil && maps.EqualFunc(last, files, bytes.Equal) {
			return files, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Restore puts entries back where there are none, or the same.
func (p *Persons) Restore(ctx context.Context, entries []PersonEntry) error {
	if len(entries) == 0 {
		return nil
	}
	doing := func(err error) error { return fmt.Errorf("jetstream: restore the keys of persons: %w", err) }
	if err := p.ledger.retry(ctx, func(ctx context.Context) error {
		_, err := p.stream(ctx, true)
		return err
	}); err != nil {
		return doing(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Subject, personPrefix) {
			return doing(fmt.Errorf("%q holds no key", e.Subject))
		}
		if err := p.ledger.retry(ctx, func(ctx context.Context) error { return p.restore(ctx, e) }); err != nil {
			return doing(err)
		}
	}
	return nil
}

func (p *Persons) restore(ctx context.Context, e PersonEntry) error {
	_, err := p.put(ctx, e.Subject, 0, e.Data)
	if !errors.Is(err, eventstore.ErrConflict) {
		return err
	}
	there, err := p.ledger.lastOnLeader(ctx, personStream, e.Subject)
	if err == nil && !bytes.Equal(there.Data, e.Data) {
		err = fmt.Errorf("%s holds another key already; restore into an empty store", e.Subject)
	}
	return err
}
