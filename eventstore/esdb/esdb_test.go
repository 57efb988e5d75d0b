package esdb

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a store that is quick to ask again.
func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(Config{URL: url, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.answer, s.quiet = time.Second, 200*time.Millisecond
	t.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(t testing.TB, s *Store, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending) eventstore.Version {
	t.Helper()
	v, err := s.Append(t.Context(), stream, at, events)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// holds checks that the stream's events are these.
func holds(t testing.TB, s *Store, stream eventstore.Stream, want []eventstore.Pending) {
	t.Helper()
	got, _, err := s.Load(t.Context(), stream, eventstore.Version{})
	if err != nil {
		t.Fatal(err)
	}
	same := func(r eventstore.Recorded, p eventstore.Pending) bool {
		return r.ID == p.ID && string(r.Body) == string(p.Body)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("%s holds %d events that are not the %d appended", stream, len(got), len(want))
	}
}

func TestContract(t *testing.T) {
	server := esdbtest.Start(t)
	for name, url := range map[string]string{"leader": server.URL(), "follower": server.FollowerURL(), "cluster": server.ClusterURL()} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url)
			storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) { return s, nil })
		})
	}
}

func TestContractOnARealServer(t *testing.T) {
	url := os.Getenv("JOINTLAB_TEST_ESDB")
	if url == "" {
		t.Skip("set JOINTLAB_TEST_ESDB to an esdb:// URL to run this against a real server")
	}
	s := open(t, url)
	s.answer = 5 * time.Second
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) { return s, nil })
}

func TestAppendSurvivesFaults(t *testing.T) {
	for name, fault := range map[string]esdbtest.Fault{
		"failed before": esdbtest.FailBefore, "failed after": esdbtest.FailAfter, "refused": esdbtest.Refuse,
		"hangs": esdbtest.Hang, "hangs after": esdbtest.HangAfter, "not leader": esdbtest.NotLeader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := esdbtest.Start(t)
			s, stream := open(t, server.URL()), storetest.NewStream()
			s.answer = 200 * time.Millisecond
			events := storetest.Events(4)
			v := mustAppend(t, s, stream, eventstore.Version{}, events[:1])
			server.Faults(esdbtest.First(2, esdbtest.Append, fault))
			if v = mustAppend(t, s, stream, v, events[1:]); v.Count != 4 {
				t.Fatal(v)
			}
			server.Faults(esdbtest.First(2, esdbtest.Read, fault))
			holds(t, s, stream, events)
			server.Faults(esdbtest.First(1, esdbtest.Connect, fault))
			server.Away()
			server.Back(t)
			holds(t, s, stream, events)
			mustAppend(t, s, stream, v, storetest.Events(1))
		})
	}
}

func TestUnknownOutcomeIsResolved(t *testing.T) {
	server := esdbtest.Start(t)
	s, stream, events := open(t, server.URL()), storetest.NewStream(), storetest.Events(2)
	s.patience = 300 * time.Millisecond
	for _, fault := range []esdbtest.Fault{esdbtest.FailAfter, esdbtest.HangAfter, esdbtest.FailBefore} {
		server.Faults(esdbtest.First(1000, esdbtest.Append, fault))
		if _, err := s.Append(t.Context(), stream, eventstore.Version{}, events); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	server.Faults(nil)
	s.patience = 10 * time.Second
	mustAppend(t, s, stream, eventstore.Version{}, events)
	holds(t, s, stream, events)
}

func TestServerAway(t *testing.T) {
	server := esdbtest.Start(t)
	s, stream, events := open(t, server.URL()), storetest.NewStream(), storetest.Events(2)
	v := mustAppend(t, s, stream, eventstore.Version{}, events[:1])
	server.Away()
	s.patience = 500 * time.Millisecond
	errs := make(chan error)
	for range 3 * atOnce { // more than have a client at the same time
		go func() {
			_, err := s.Append(t.Context(), stream, v, events[1:])
			errs <- err
		}()
	}
	started := time.Now()
	for range 3 * atOnce {
		if err := <-errs; !errors.Is(err, eventstore.ErrUnavailable) {
			t.Error(err)
		}
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, _, err := s.Load(t.Context(), stream, eventstore.Version{}); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Error(err)
	}
	server.Back(t)
	s.patience = 10 * time.Second
	mustAppend(t, s, stream, v, events[1:])
	holds(t, s, stream, events)
}

func TestClientPanicIsRetried(t *testing.T) {
	server := esdbtest.Start(t)
	s, stream, events := open(t, server.URL()), storetest.NewStream(), storetest.Events(3)
	mustAppend(t, s, stream, eventstore.Version{}, events)
	server.Faults(esdbtest.First(2, esdbtest.Read, esdbtest.Garbled))
	holds(t, s, stream, events)
}

// The library itself reports no more than EOF of several events that are too
// large, which is why the store measures them.
func TestDoubleRefusals(t *testing.T) {
	server := esdbtest.Start(t)
	raw, stream := rawClient(t, server.URL()), storetest.NewStream()
	var large []client.EventData
	for range 4 {
		large = append(large, client.EventData{EventID: uuid.New(), EventType: "x", Data: make([]byte, 400<<10)})
	}
	if _, err := raw.AppendToStream(t.Context(), stream.String(), client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}}, large...); err == nil {
		t.Fatal("it is taken")
	}
	holds(t, open(t, server.URL()), stream, nil)
}

func TestDeletedStreamIsKept(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	raw := rawClient(t, server.URL())
	for what, remove := range map[string]func(string) error{
		"deleted": func(name string) error {
			_, err := raw.DeleteStream(t.Context(), name, client.DeleteStreamOptions{})
			return err
		},
		"tombstone": func(name string) error {
			_, err := raw.TombstoneStream(t.Context(), name, client.TombstoneStreamOptions{})
			return err
		},
	} {
		stream, events := storetest.NewStream(), storetest.Events(2)
		v := mustAppend(t, s, stream, eventstore.Version{}, events)
		if err := remove(stream.String()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Load(t.Context(), stream, v); err == nil || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: load: %v", what, err)
		}
		_, err := s.Append(t.Context(), stream, eventstore.Version{}, storetest.Events(1))
		if err == nil || errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: append: %v", what, err)
		}
	}
}

func TestOlderStateIsNoConflict(t *testing.T) {
	s := open(t, esdbtest.Start(t).URL())
	stream := storetest.NewStream()
	mustAppend(t, s, stream, eventstore.Version{}, storetest.Events(2))
	_, err := s.Append(t.Context(), stream, eventstore.Version{Count: 5}, storetest.Events(1))
	if err == nil || errors.Is(err, eventstore.ErrConflict) || !strings.Contains(err.Error(), "older state") {
		t.Fatal(err)
	}
}

func TestOversizeIsRefused(t *testing.T) {
	s := open(t, "esdb://127.0.0.1:1?tls=false") // no server is asked
	large := storetest.Events(2)
	large[1].Body = make([]byte, maxAppend)
	for what, err := range map[string]error{
		"too large":  second(s.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, large)),
		"no id":      second(s.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, []eventstore.Pending{{Body: []byte("{}")}})),
		"other kind": second(s.Append(t.Context(), eventstore.Stream{Kind: "order", ID: uuid.New()}, eventstore.Version{}, storetest.Events(1))),
	} {
		if err == nil || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLargestAppend(t *testing.T) {
	s, stream, events := open(t, esdbtest.Start(t).URL()), storetest.NewStream(), storetest.Events(1)
	events[0].Body = make([]byte, maxAppend-2*len(events[0].Type)-64)
	mustAppend(t, s, stream, eventstore.Version{}, events)
	holds(t, s, stream, events)
}

func TestClosedStore(t *testing.T) {
	server := esdbtest.Start(t)
	s := open(t, server.URL())
	server.Faults(func(esdbtest.Op) esdbtest.Fault { return esdbtest.Hang })
	failed := make(chan error)
	go func() {
		failed <- second(s.Append(context.Background(), storetest.NewStream(), eventstore.Version{}, storetest.Events(1)))
	}()
	s.Close()
	if err := <-failed; !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// rawClient is what an operator, or another application, has.
func rawClient(t *testing.T, url string) *client.Client {
	t.Helper()
	config, err := configure(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
