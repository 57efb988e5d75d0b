package jetstream

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// TestSubscriberResumesAfterRestore takes what a
// backup holds of the subscriber into an empty folder with the same events.
func TestSubscriberResumesAfterRestore(t *testing.T) {
	dir := t.TempDir()
	l, _ := openListening(t, dir, Listen{Addr: "127.0.0.1:0"}, "reader", "newcomer")
	c, err := l.js.Consumer(t.Context(), StatusStream, "reader")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		m, err := c.Next()
		if err == nil {
			err = m.DoubleAck(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]*bytes.Buffer{}
	if err := l.Backup().State(t.Context(), func(name string) (io.Writer, error) {
		kept[name] = &bytes.Buffer{}
		return kept[name], nil
	}); err != nil {
		t.Fatal(err)
	}
	var all []Subscriber
	if err := json.Unmarshal(kept[besideSubscribers].Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].After != 4 || all[1].After != 0 {
		t.Errorf("the backup has %+v", all)
	}

	other := t.TempDir()
	if err := os.WriteFile(subscribersFile(other), kept[besideSubscribers].Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Config{Dir: other, Listen: Listen{Addr: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	target, err := again.StatusTarget(t.Context(), StatusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var events []eventstore.Recorded
	err = l.Read(t.Context(), 0, head, func(some []eventstore.Recorded) error {
		events = append(events, some...)
		return again.restoreEvents(t.Context(), some)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.admitAll(t.Context()); err == nil {
		t.Error("a subscriber is let in before the stream holds what it has acknowledged")
	}
	if _, err := target.Publish(t.Context(), Cursor{}, events); err != nil {
		t.Fatal(err)
	}
	if err := again.admitAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, first := range map[string]string{"reader": "5", "newcomer": "1"} {
		var c natsjs.Consumer
		if c, err = again.js.Consumer(t.Context(), StatusStream, name); err != nil {
			t.Fatal(err)
		}
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Headers().Get(sourcePosition); got != first {
			t.Errorf("%s goes on with position %s, not %s", name, got, first)
		}
	}
}

func TestHalfRestoredLedgerIsRefused(t *testing.T) {
	url := single(t, t.TempDir())
	l := openOutside(t, Config{NATS: url, Dir: t.TempDir(), Restore: true})
	problems := func(restore bool) string {
		other, err := Open(t.Context(), Config{NATS: url, Dir: t.TempDir(), Restore: restore})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		return strings.Join(other.Problems(), "; ")
	}
	if err := l.markRestoring(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if again := problems(true); again != "" {
		t.Errorf("a restore that has written nothing yet is not begun again: %s", again)
	}
	mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(2))
	for _, restore := range []bool{true, false} {
		if says := problems(restore); !strings.Contains(says, "was broken off; delete all streams") {
			t.Errorf("half a register is taken for one: %q", says)
		}
	}
	if err := l.Restored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if says := problems(false); says != "" {
		t.Errorf("a register restored is taken for half of one: %s", says)
	}
}
