package jetstream

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func openOutside(t testing.TB, cfg Config) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if len(l.Problems()) > 0 {
		t.Fatal(l.Problems())
	}
	return l
}

// single runs one server by itself and returns its URL.
func single(t *testing.T, store string) string {
	t.Helper()
	s := serve(t, &server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: store, SyncAlways: true,
		Username: "jointlab", Password: "s3cret",
	})
	if !s.ReadyForConnections(3 * time.Minute) {
		t.Fatal("the server does not start")
	}
	return strings.Replace(s.ClientURL(), "nats://", "nats://jointlab:s3cret@", 1)
}

func TestContractOnAnOutsideServer(t *testing.T) {
	l := openOutside(t, Config{NATS: single(t, t.TempDir()), Dir: t.TempDir()})
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) { return l, l })
}

func TestChangedOutsideIsReadOnly(t *testing.T) {
	dir, url := t.TempDir(), single(t, t.TempDir())
	l := openOutside(t, Config{NATS: url, Dir: dir})
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(3))
	closeLedger(t, l)

	opened := func(cfg Config) *Ledger {
		l, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	other := single(t, t.TempDir())
	if _, err := Open(t.Context(), Config{NATS: other, Dir: dir}); err == nil || !strings.Contains(err.Error(), "held 3 events and is gone") {
		t.Fatal(err)
	}
	closeLedger(t, openOutside(t, Config{NATS: other})) // makes an empty one
	for says, cfg := range map[string]Config{
		"the end is missing":       {NATS: other, Dir: dir},
		"kept on 1 servers, not o": {NATS: url, Replicas: 3},
		"written to directly":      {NATS: url, Relayed: true},
	} {
		l := opened(cfg)
		if found := strings.Join(l.Problems(), "\n"); !strings.Contains(found, says) {
			t.Errorf("found %q, want %q", found, says)
		}
		if _, err := l.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, storetest.Events(1)); err == nil {
			t.Error("it is written")
		}
		closeLedger(t, l)
	}
}

func TestErrorsHidePassword(t *testing.T) {
	url := strings.Replace(single(t, t.TempDir()), "s3cret", "wr0ng", 1)
	for _, cfg := range []Config{{NATS: url}, {NATS: "nats://u:wr0ng@127.0.0.1:1"}, {NATS: url, Credentials: filepath.Join(t.TempDir(), "none")}} {
		_, err := Open(t.Context(), cfg)
		if err == nil || strings.Contains(err.Error(), "wr0ng") {
			t.Error(err)
		}
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for version, fine := range map[string]bool{"2.15.2": true, "2.16.0-RC.1": true, "3.0.0": true, "2.15.1": false, "2.9.25": false, "": false} {
		if atLeast(version, oldestServer) != fine {
			t.Error(version)
		}
	}
}

func TestRelayedRefusesAppend(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(t.Context(), Config{Dir: dir, Relayed: true})
	if err != nil {
		t.Fatal(err)
	}
	s, events := storetest.NewStream(), storetest.Events(3)
	if _, err := l.Append(t.Context(), s, eventstore.Version{}, events); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
	target := l.RelayTarget()
	var from []eventstore.Recorded
	for i, e := range events {
		from = append(from, eventstore.Recorded{Stream: s, ID: e.ID, Position: eventstore.Position(100 + 7*i), Body: e.Body})
	}
	mark, err := target.Publish(t.Context(), Cursor{}, from)
	if want := (Cursor{3, 114, events[2].ID}); err != nil || mark != want {
		t.Fatal(mark, err)
	}
	if last, err := target.Last(t.Context()); err != nil || last != mark {
		t.Fatal(last, err)
	}
	for _, again := range [][]eventstore.Recorded{from, from[:1]} {
		if _, err := target.Publish(t.Context(), Cursor{}, again); !errors.Is(err, eventstore.ErrConflict) {
			t.Fatal(err)
		}
	}
	holds(t, l, s, events)
	closeLedger(t, l)

	if _, err := os.Stat(filepath.Join(dir, "high-water.json")); err != nil {
		t.Error(err)
	}
	readOnly(t, dir, "filled by a relay")
}
