package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// readOnly checks that a damaged ledger is opened, names the fault, and
// takes no more events.
func readOnly(t *testing.T, dir, problem string) *Ledger {
	t.Helper()
	l := open(t, dir)
	if found := strings.Join(l.Problems(), "\n"); !strings.Contains(found, problem) {
		t.Fatalf("found %q, want %q", found, problem)
	}
	_, err := l.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, storetest.Events(1))
	if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), problem) {
		t.Fatal(err)
	}
	return l
}

// written is a closed ledger with n events in one stream.
func written(t *testing.T, dir string, n int) (eventstore.Stream, []eventstore.Pending) {
	t.Helper()
	l := open(t, dir)
	s, events := storetest.NewStream(), storetest.Events(n)
	mustAppend(t, l, s, eventstore.Version{}, events)
	closeLedger(t, l)
	return s, events
}

func store(dir string) string     { return filepath.Join(dir, "jetstream") }
func streamDir(dir string) string { return filepath.Join(store(dir), "$G", "streams", streamName) }

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func replace(t *testing.T, dir, with string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(with))); err != nil {
		t.Fatal(err)
	}
}

func TestWeakenedStreamBlocksWrites(t *testing.T) {
	for setting, loosen := range map[string]func(*natsjs.StreamConfig){
		"max_msgs is 5, was made -1":  func(c *natsjs.StreamConfig) { c.MaxMsgs = 5 },
		"discard is old":              func(c *natsjs.StreamConfig) { c.Discard = natsjs.DiscardOld },
		"allow_msg_ttl is true":       func(c *natsjs.StreamConfig) { c.AllowMsgTTL = true },
		"max_age is":                  func(c *natsjs.StreamConfig) { c.MaxAge = 1 << 60 },
		"allow_direct is false":       func(c *natsjs.StreamConfig) { c.AllowDirect = false },
		"subjects is [other.>":        func(c *natsjs.StreamConfig) { c.Subjects = append([]string{"other.>"}, c.Subjects...) },
		"republish is":                func(c *natsjs.StreamConfig) { c.RePublish = &natsjs.RePublish{Source: ">", Destination: "copy.>"} },
		"allow_atomic is off, was ma": func(c *natsjs.StreamConfig) { c.AllowAtomicPublish = false },
	} {
		dir := t.TempDir()
		s, events := written(t, dir, 3)
		l := open(t, dir)
		config := streamConfig(1)
		loosen(&config)
		if _, err := l.js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(setting, err)
		}
		closeLedger(t, l)
		l = readOnly(t, dir, setting)
		if setting != "allow_direct is false" { // then it cannot be loaded quickly, and is not
			holds(t, l, s, events)
		}
		closeLedger(t, l)
	}
}

func TestDenyFlagsAreIrrevocable(t *testing.T) {
	l := open(t, t.TempDir())
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(3))
	config := streamConfig(1)
	config.DenyDelete, config.DenyPurge, config.AllowRollup = false, false, true
	_, updated := l.js.UpdateStream(t.Context(), config)
	for what, err := range map[string]error{
		"delete": l.stream.DeleteMsg(t.Context(), 2),
		"erase":  l.stream.SecureDeleteMsg(t.Context(), 2),
		"purge":  l.stream.Purge(t.Context()),
		"update": updated,
	} {
		if err == nil {
			t.Errorf("%s is allowed", what)
		}
	}
}

func TestOlderStoreIsDetected(t *testing.T) {
	dir := t.TempDir()
	s, events := written(t, dir, 3)
	older := copyOf(t, store(dir))
	l := open(t, dir)
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(2))
	closeLedger(t, l)
	remembers := filepath.Join(dir, "high-water.json")
	mark, err := os.ReadFile(remembers)
	if err != nil {
		t.Fatal(err)
	}

	replace(t, store(dir), older)
	l = readOnly(t, dir, "ends at position 3, but held 5 events")
	holds(t, l, s, events)
	closeLedger(t, l)

	// Events made up for the missing ones are detected as well.
	if err := os.Remove(remembers); err != nil {
		t.Fatal(err)
	}
	written(t, dir, 2)
	if err := os.WriteFile(remembers, mark, 0o600); err != nil {
		t.Fatal(err)
	}
	closeLedger(t, readOnly(t, dir, "this is another ledger or an altered one"))

	if err := os.WriteFile(remembers, mark[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly(t, dir, "cannot be read")
}

func TestUnreadableStreamIsKept(t *testing.T) {
	for what, damage := range map[string]func(dir string) error{
		"is gone":            func(dir string) error { return os.RemoveAll(store(dir)) },
		"held 3 events":      func(dir string) error { return os.RemoveAll(streamDir(dir)) },
		"no readable stream": func(dir string) error { return os.Remove(filepath.Join(streamDir(dir), "meta.inf")) },
		"restore it": func(dir string) error {
			return os.WriteFile(filepath.Join(streamDir(dir), "meta.sum"), []byte("0"), 0o600)
		},
	} {
		dir := t.TempDir()
		written(t, dir, 3)
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		before := listing(t, streamDir(dir))
		if l, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), what) {
			t.Fatalf("%s: %v, %v", what, err, l)
		}
		if after := listing(t, streamDir(dir)); after != before {
			t.Errorf("%s: was\n%s\nis\n%s", what, before, after)
		}
	}
}

func listing(t *testing.T, dir string) (list string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".blk") {
			list += path + "\n"
		}
		return nil
	})
	return list
}

func TestFlippedByteIsDetected(t *testing.T) {
	dir := t.TempDir()
	_, events := written(t, dir, 30)
	block := filepath.Join(streamDir(dir), "msgs", "1.blk")
	content, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	content[bytes.Index(content, events[15].Body)] ^= 1
	if err := errors.Join(os.WriteFile(block, content, 0o600), os.Remove(filepath.Join(streamDir(dir), "msgs", "index.db"))); err != nil {
		t.Fatal(err)
	}
	readOnly(t, dir, "missing")
}

func TestFullStoreKeepsAcked(t *testing.T) {
	dir := t.TempDir()
	small, err := Open(t.Context(), Config{Dir: dir, MaxBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	s, v := storetest.NewStream(), eventstore.Version{}
	var kept, last []eventstore.Pending
	for err == nil {
		last = storetest.Events(1 + len(kept)%3)
		var next eventstore.Version
		if next, err = small.Append(context.Background(), s, v, last); err == nil {
			v, kept = next, append(kept, last...)
		}
	}
	if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "the disk") {
		t.Fatal(err)
	}
	closeLedger(t, small)
	l := open(t, dir)
	if len(l.Problems()) > 0 {
		t.Fatal(l.Problems())
	}
	if limit := l.server.server.JetStreamConfig().MaxStore; limit < 1<<50 { // else it is three quarters of the disk
		t.Errorf("unasked, the store takes no more than %d bytes, whatever room there is", limit)
	}
	holds(t, l, s, kept)
	// What was not acknowledged is there whole or not at all, and may be sent again.
	if now := mustAppend(t, l, s, v, last); int(now.Count) != len(kept)+len(last) {
		t.Fatal(now, len(kept), len(last))
	}
	holds(t, l, s, append(kept, last...))
}

// TestTornWrite tears the store's last block as a power cut
// may: in the middle of a write that nobody was told of, which is dropped, or,
// on a disk that lied, of one that was acknowledged, which is reported.
func TestTornWrite(t *testing.T) {
	whole := t.TempDir()
	s, events, v := storetest.NewStream(), storetest.Events(30), eventstore.Version{}
	l := open(t, whole)
	for i := range events {
		v = mustAppend(t, l, s, v, events[i:i+1])
	}
	closeLedger(t, l)
	for _, tear := range []struct {
		what  string
		bytes func(block []byte) []byte
		left  int
	}{
		{"half a record follows", func(b []byte) []byte { return append(b, b[len(b)-300:len(b)-100]...) }, 30},
		{"zeros follow", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }, 30},
		{"the last byte is gone", func(b []byte) []byte { return b[:len(b)-1] }, 29},
		{"half of the last record is gone", func(b []byte) []byte { return b[:len(b)-100] }, 29},
		{"the end of the last record is zeros", func(b []byte) []byte { return append(b[:len(b)-100:len(b)-100], make([]byte, 100)...) }, 29},
	} {
		for _, acknowledged := range []bool{false, true} {
			dir := copyOf(t, whole)
			block := filepath.Join(streamDir(dir), "msgs", "1.blk")
			content, err := os.ReadFile(block)
			if err != nil {
				t.Fatal(err)
			}
			errs := []error{os.WriteFile(block, tear.bytes(content), 0o600), os.Remove(filepath.Join(streamDir(dir), "msgs", "index.db"))}
			if !acknowledged {
				errs = append(errs, os.Remove(filepath.Join(dir, "high-water.json")))
			}
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			l, err := Open(t.Context(), Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			if err != nil {
				t.Fatal(err)
			}
			closeLedger(t, l)
			if got := said.String(); !strings.Contains(got, "ended in the middle of a write") || !strings.Contains(got, fmt.Sprintf("events=%d ", tear.left)) {
				t.Errorf("%s: at start-up it says %s", tear.what, got)
			}
			if acknowledged && tear.left < 30 {
				l = readOnly(t, dir, "ends at position 29, but held 30 events")
			} else {
				l = open(t, dir)
				if p := l.Problems(); len(p) > 0 {
					t.Errorf("%s, acknowledged %v: %v", tear.what, acknowledged, p)
				}
			}
			holds(t, l, s, events[:tear.left])
			if len(l.Problems()) == 0 { // and it goes on
				_, v, err := l.Load(t.Context(), s, eventstore.Version{})
				if err != nil {
					t.Fatal(err)
				}
				mustAppend(t, l, s, v, storetest.Events(1))
			}
			closeLedger(t, l)
		}
	}
}
