package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
)

// cluster runs three NATS servers with JetStream until the test ends. It returns
// their URLs.
func cluster(t *testing.T) string {
	t.Helper()
	routes := ownPorts(t, 3)
	var urls []string
	for i, route := range routes {
		s, err := server.NewServer(clusterOptions(fmt.Sprintf("n%d", i), route, t.TempDir(), routes))
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		for !s.ReadyForConnections(time.Second) {
			t.Log("starting")
		}
		urls = append(urls, s.ClientURL())
	}
	return strings.Join(urls, ",")
}

// ticking returns a clock that moves on by the same step at each call, so that one
// story has the same times on each store.
func ticking() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 6, 1, 4, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Millisecond)
		return at
	}
}

// opened returns a register of the settings, with the ticking clock.
func opened(t *testing.T, s settings) *register {
	t.Helper()
	s.makes = true
	r, err := openRegister(within(t), s, registerConfig{anonymousRead: true, now: ticking()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// bodies returns the events of the register's ledger, byte for byte.
func (r *register) bodies(t *testing.T) (all [][]byte) {
	t.Helper()
	ctx := within(t)
	if err := r.caughtUp(ctx); err != nil {
		t.Fatal(err)
	}
	head, err := r.log.Head(ctx)
	if err == nil {
		err = r.log.Read(ctx, 0, head, func(events []eventstore.Recorded) error {
			for _, e := range events {
				all = append(all, bytes.Clone(e.Body))
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// named returns a lab as an officer reads it, with the names of people.
func (r *register) named(t *testing.T) string {
	t.Helper()
	officer, err := r.actingAs(domain.Officer, "officer", uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	var got jsontext.Value
	if err := officer.get(within(t), "/v1/labs/"+demoLab(9).String()+"?on=2026-06-01", &got); err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// answers returns what the register answers to a reader without a token.
func (r *register) answers(t *testing.T) map[string]string {
	t.Helper()
	said := map[string]string{}
	lab := "/v1/labs/" + demoLab(5).String()
	for _, path := range []string{
		"/v1/labs", "/v1/entities", lab, lab + "/history?limit=500", lab + "/agreements", lab + "/rights", lab + "/commitments", lab + "/reviews",
		lab + "/readiness?on=2026-06-01", "/v1/watches?on=2026-06-01", "/v1/reports/funding", "/v1/reports/decisions", "/v1/events?limit=500", "/v1/programmes",
	} {
		req, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://jointlab"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		r.handler.ServeHTTP(w, req)
		said[path] = fmt.Sprintf("%d %s", w.status, w.body.String())
		if w.status != http.StatusOK {
			t.Errorf("GET %s: %s", path, said[path])
		}
	}
	return said
}

// TestStoresAgree tells each store the demo's story, as far as its fifth lab or, in
// the long version, to its end: the ledgers have the same bytes and give the same
// answers.
func TestStoresAgree(t *testing.T) {
	skipShort(t)
	t.Parallel()
	labs := domaintest.Runs(5, len(demoStories))
	db := esdbtest.Start(t)
	var first [][]byte
	var said map[string]string
	for _, s := range []settings{
		{store: embedded}, {store: outsideNATS, natsURL: cluster(t), replicas: 3}, {store: eventStoreDB, esdbURL: db.URL()},
	} {
		s.data, s.random = t.TempDir(), rand.NewChaCha8([32]byte{1}) // the same keys for the same persons
		r := opened(t, s)
		d := newDemo(within(t), r)
		if d.tell(labs); d.err != nil {
			t.Fatalf("%s: %v", s.store, d.err)
		}
		ledger, answers := r.bodies(t), r.answers(t)
		if first == nil {
			first, said = ledger, answers
			continue
		}
		if len(ledger) != len(first) {
			t.Errorf("%s: the ledger holds %d events, embedded %d", s.store, len(ledger), len(first))
		}
		for i := range min(len(ledger), len(first)) {
			if !bytes.Equal(ledger[i], first[i]) {
				t.Fatalf("%s: position %d is\n%s\nembedded it is\n%s", s.store, i+1, ledger[i], first[i])
			}
		}
		for path, want := range said {
			if answers[path] != want {
				t.Errorf("%s: GET %s says\n%s\nembedded it says\n%s", s.store, path, answers[path], want)
			}
		}
	}
	if len(first) < 200 {
		t.Errorf("the story is only %d events long", len(first))
	}
}

// TestMigrate moves a register into EventStoreDB. The two compare equal until one
// side changes.
func TestMigrate(t *testing.T) {
	skipShort(t)
	t.Parallel()
	db := esdbtest.Start(t)
	old, fresh := t.TempDir(), t.TempDir()
	demonstrated(t, old)
	r, err := openRegister(within(t), settings{store: embedded, data: old}, registerConfig{anonymousRead: true})
	if err != nil {
		t.Fatal(err)
	}
	officer, err := r.actingAs(domain.Officer, "officer", uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := officer.handIn(t, strings.NewReader("%PDF-1.7 a signed text")); err != nil {
		t.Fatal(err)
	}
	ledger, said, named := r.bodies(t), r.answers(t), r.named(t)
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // after an interruption it is run again
		if out := output(t, "migrate", "--data", old, "--to", db.URL(), "--new-data", fresh); !strings.HasPrefix(
			out, fmt.Sprintf("EventStoreDB holds all %d events, ", len(ledger)),
		) {
			t.Error(out)
		}
	}
	moved := settings{store: eventStoreDB, data: fresh, esdbURL: db.URL()}
	r, err = openRegister(within(t), moved, registerConfig{anonymousRead: true})
	if err != nil {
		t.Fatal(err)
	}
	again, answers := r.bodies(t), r.answers(t)
	if got := r.named(t); got != named || !strings.Contains(named, "示例学术带头人甲") {
		t.Errorf("after the move an officer reads\n%s\nbefore\n%s", got, named)
	}
	sum := sha256.Sum256([]byte("%PDF-1.7 a signed text"))
	if err := r.log.Documents().Check(within(t), sum); err != nil {
		t.Error("a document that was handed in: ", err)
	}
	if len(again) != len(ledger) || !bytes.Equal(bytes.Join(again, nil), bytes.Join(ledger, nil)) {
		t.Errorf("%d events were moved, the relayed ledger holds %d, or other bytes", len(ledger), len(again))
	}
	for path, want := range said {
		if answers[path] != want {
			t.Errorf("after the move GET %s says\n%s\nbefore it said\n%s", path, answers[path], want)
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	same := []string{"--data", fresh, "--esdb-url", db.URL()}
	output(t, append([]string{"compare"}, same...)...)

	// An event only one side has.
	stream := eventstore.Stream{Kind: "entity", ID: uuid.New()}
	store, err := esdb.Open(esdb.Config{URL: db.URL()})
	if err != nil {
		t.Fatal(err)
	}
	pending, err := eventstore.Encode(stream, domain.Meta{ID: uuid.New(), Time: time.Now(), Command: uuid.New()}, entity.Registered{Kind: entity.Other, Country: "FR", Names: name("甲", "A")})
	if err == nil {
		_, err = store.Append(within(t), stream, eventstore.Version{}, []eventstore.Pending{pending})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	differ := run(t, append([]string{"compare"}, same...)...)
	differ.Stderr = nil
	if out, err := differ.Output(); err == nil || !strings.Contains(string(out), stream.String()) {
		t.Errorf("compare says %v\n%s", err, out)
	}
}

// listening keeps the headers of the last answer.
type listening struct {
	direct
	header http.Header
}

func (l *listening) RoundTrip(r *http.Request) (*http.Response, error) {
	w, err := l.direct.RoundTrip(r)
	if err == nil {
		l.header = w.Header
	}
	return w, err
}

func TestEventStoreDBAway(t *testing.T) {
	t.Parallel()
	db := esdbtest.Start(t)
	r := opened(t, settings{store: eventStoreDB, data: t.TempDir(), esdbURL: db.URL()})
	officer, err := r.actingAs(domain.Officer, "officer", uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	register := func(ctx context.Context, key string) error {
		_, err := officer.send(ctx, "/v1/entities/"+demoEntity(key).String()+"/register", key, entity.Register{Kind: entity.Other, Country: "FR", Names: name("甲", key)})
		return err
	}
	if err := register(within(t), "before"); err != nil {
		t.Fatal(err)
	}
	if len(r.bodies(t)) != 1 {
		t.Error("the event before did not arrive")
	}
	db.Away()
	heard := &listening{direct: direct{r.handler}}
	officer.http = &http.Client{Transport: heard}
	err = register(within(t), "while away")
	p, ok := err.(*problem)
	if !ok || p.Status != http.StatusServiceUnavailable || heard.header.Get("Retry-After") == "" {
		t.Errorf("a command while EventStoreDB is away: %v, headers %v", err, heard.header)
	}
	var page struct {
		Total int `json:"total"`
	}
	if err := officer.get(within(t), "/v1/entities", &page); err != nil || page.Total != 1 {
		t.Errorf("reading while EventStoreDB is away: %d, %v", page.Total, err)
	}
	db.Back(t)
	if err := register(within(t), "while away"); err != nil { // the same key resolves the outcome of the first
		t.Errorf("the command sent again: %v", err)
	}
	if n := len(r.bodies(t)); n != 2 {
		t.Errorf("the ledger holds %d events", n)
	}
}
