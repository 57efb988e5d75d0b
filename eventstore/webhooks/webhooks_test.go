package webhooks_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon guards against a test that hangs.
const soon = 5 * time.Minute

// register is a ledger with webhooks, delivered by as many dispatchers as the
// test runs.
type register struct {
	testing.TB
	log      *jetstream.Ledger
	outbox   *jetstream.Outbox
	key      webhooks.Key
	hooks    *eventstore.Aggregates[*webhook.Webhook, webhook.Event]
	versions map[eventstore.Stream]eventstore.Version
	facts    func(uuid.UUID) eventstore.LabFacts
	hidden   func(domain.Actor, eventstore.Header) bool
}

func newRegister(t testing.TB) *register {
	t.Helper()
	log, err := jetstream.Open(t.Context(), jetstream.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return onLedger(t, log)
}

func onLedger(t testing.TB, log *jetstream.Ledger) *register {
	t.Helper()
	outbox, err := log.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := webhooks.ParseKey(base64.StdEncoding.EncodeToString([]byte("an invented key of 32 bytes ....")))
	if err != nil {
		t.Fatal(err)
	}
	return &register{
		TB: t, log: log, outbox: outbox, key: key, versions: map[eventstore.Stream]eventstore.Version{},
		hooks: eventstore.NewAggregates[*webhook.Webhook, webhook.Event](log, "webhook", webhook.New),
	}
}

// usual are settings under which a test does not wait long.
func usual() webhooks.Config {
	return webhooks.Config{
		Policy: webhooks.Policy{AllowHTTP: true, AllowPrivate: true}, Timeout: time.Minute,
		MinWait: 2 * time.Millisecond, MaxWait: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
}

func (r *register) dispatcher(cfg webhooks.Config) *webhooks.Dispatcher {
	return webhooks.New(r.log, r.log, webhooks.Registry{Sees: r.sees, Facts: func(_ context.Context, id uuid.UUID, events uint64) (eventstore.LabFacts, error) {
		var facts eventstore.LabFacts
		if r.facts != nil {
			facts = r.facts(id)
		}
		facts.Events = events
		return facts, nil
	}}, r.key, cfg)
}

// sees lets an owner read everything, unless a test sets it.
func (r *register) sees(_ context.Context, owner domain.Actor, event eventstore.Header, _ eventstore.Position) (bool, error) {
	return r.hidden == nil || !r.hidden(owner, event), nil
}

// run delivers until the test ends, or stop is called.
func (r *register) run(d *webhooks.Dispatcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	r.Cleanup(stop)
	return stop
}

var officer = domain.Actor{Subject: "officer@example.org", Role: domain.Officer}

// do sends a command to a webhook.
func (r *register) do(id uuid.UUID, cmd webhook.Command) {
	r.Helper()
	if _, err := r.hooks.Do(r.Context(), id, cmd, eventstore.Request{Actor: officer, Now: time.Now(), Command: uuid.New()}); err != nil {
		r.Fatal(err)
	}
}

func (r *register) registered(url string) uuid.UUID {
	r.Helper()
	id := uuid.New()
	r.do(id, webhook.Register{URL: url})
	return id
}

func (r *register) state(id uuid.UUID) (w webhook.Webhook) {
	r.Helper()
	if err := r.hooks.State(r.Context(), id, func(s *webhook.Webhook, _ eventstore.Version) { w = *s }); err != nil {
		r.Fatal(err)
	}
	return w
}

// happens records an event of a lab.
func (r *register) happens(id uuid.UUID, e lab.Event) eventstore.Pending {
	r.Helper()
	s := eventstore.Stream{Kind: "lab", ID: id}
	m := domain.Meta{ID: uuid.New(), Revision: r.versions[s].Count, Time: time.Now(), Actor: officer, Command: uuid.New()}
	p, err := eventstore.Encode(s, m, e)
	if err != nil {
		r.Fatal(err)
	}
	if r.versions[s], err = r.log.Append(r.Context(), s, r.versions[s], []eventstore.Pending{p}); err != nil {
		r.Fatal(err)
	}
	return p
}

// moves records a status event of a lab.
func (r *register) moves(id uuid.UUID) eventstore.Pending {
	r.Helper()
	return r.happens(id, lab.Suspended{Transition: lab.Transition{From: lab.StatusOperating, To: lab.StatusSuspended}})
}

// until waits for what there is no signal for.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", soon, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// delivery is what a receiver got.
type delivery struct {
	header http.Header
	body   string
}

// receiver takes what its answer lets it take.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []delivery // in the order in which they came, taken or not
	taken  []string   // ids, in the order in which they were first taken
	more   chan struct{}
	answer func(w http.ResponseWriter, r *http.Request, n int) bool // of the n-th delivery, from 1; whether it was taken
}

func newReceiver(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, n int) bool) *receiver {
	c := &receiver{more: make(chan struct{}, 1<<20), answer: answer}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.got = append(c.got, delivery{r.Header.Clone(), string(body)})
	n := len(c.got)
	c.mu.Unlock()
	if c.answer == nil || c.answer(w, r, n) {
		c.mu.Lock()
		if id := r.Header.Get("Webhook-Id"); !slices.Contains(c.taken, id) {
			c.taken = append(c.taken, id)
		}
		c.mu.Unlock()
	}
	c.more <- struct{}{}
}

func (c *receiver) deliveries() []delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

// takes waits until the events were taken, and requires their order.
func (c *receiver) takes(t testing.TB, events ...eventstore.Pending) {
	t.Helper()
	want := make([]string, len(events))
	for i, e := range events {
		want[i] = e.ID.String()
	}
	until(t, fmt.Sprintf("%d events taken", len(want)), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.taken) >= len(want)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.taken, want) {
		t.Errorf("taken were %v, not %v", c.taken, want)
	}
}

// verified checks a delivery as Standard Webhooks 1.0 defines, from the secret as
// it was handed out.
func verified(secret string, d delivery) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, d.header.Get("webhook-id")+"."+d.header.Get("webhook-timestamp")+"."+d.body)
	at, err := strconv.ParseInt(d.header.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	for _, s := range strings.Split(d.header.Get("webhook-signature"), " ") {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
		if err == nil && strings.HasPrefix(s, "v1,") && hmac.Equal(given, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func TestDeliveryIsSigned(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	c := newReceiver(t, nil)
	cfg := usual()
	cfg.Checkpoint = func() []byte { return []byte("a note") }
	r.run(r.dispatcher(cfg))
	one := uuid.New()
	r.moves(one) // before anybody asked
	id := r.registered(c.URL + "/in?from=jointlab")
	r.happens(one, lab.DisciplineSet{To: domain.T("物理学", "physics")}) // not asked for
	first, second := r.moves(one), r.moves(uuid.New())
	c.takes(t, first, second)
	got := c.deliveries()[0]
	if got.body != string(first.Body) || !verified(r.key.Secret(id, 1), got) || verified(r.key.Secret(id, 2), got) || verified(r.key.Secret(uuid.New(), 1), got) {
		t.Errorf("%v\n%s", got.header, got.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/cloudevents+json", "Jointlab-Position": "4", "Webhook-Id": first.ID.String(),
		"Jointlab-Checkpoint": base64.StdEncoding.EncodeToString([]byte("a note")), "Jointlab-Webhook": id.String(),
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, not %q", name, got.header.Get(name), want)
		}
	}

	r.do(id, webhook.RotateSecret{})
	sent := []eventstore.Pending{first, second}
	until(t, "a delivery is signed with both secrets, as for a day after the rotation", func() bool {
		sent = append(sent, r.moves(one)) // the dispatcher receives the rotation in its own time
		c.takes(t, sent...)
		all := c.deliveries()
		got = all[len(all)-1]
		return verified(r.key.Secret(id, 1), got) && verified(r.key.Secret(id, 2), got)
	})
}

func TestEndpointFilter(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	ours, other, host := uuid.New(), uuid.New(), uuid.New()
	r.facts = func(id uuid.UUID) eventstore.LabFacts {
		return map[uuid.UUID]eventstore.LabFacts{ours: {Host: host}}[id]
	}
	r.run(r.dispatcher(usual()))
	filters := map[string]webhook.Filter{
		"lab": {Labs: []uuid.UUID{ours}}, "to": {To: []lab.Status{lab.StatusOperating}}, "host": {Host: host}, "facet": {Facets: []string{"record"}},
	}
	receivers := map[string]*receiver{}
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		receivers[name] = newReceiver(t, nil)
		r.do(uuid.New(), webhook.Register{URL: receivers[name].URL, Filter: filters[name]})
	}
	a := r.moves(ours)
	b := r.happens(other, lab.Resumed{Transition: lab.Transition{From: lab.StatusSuspended, To: lab.StatusOperating}})
	c := r.happens(other, lab.DisciplineSet{To: domain.T("物理学", "physics")})
	d := r.happens(ours, lab.Resumed{Transition: lab.Transition{From: lab.StatusSuspended, To: lab.StatusOperating}})
	e := r.happens(ours, lab.DisciplineSet{To: domain.T("物理学", "physics")})
	receivers["lab"].takes(t, a, d)
	receivers["to"].takes(t, b, d)
	receivers["host"].takes(t, a, d)
	receivers["facet"].takes(t, c, e)
}
