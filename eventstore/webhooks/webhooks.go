// Package webhooks delivers events to endpoints over HTTP, signed as Standard
// Webhooks 1.0 has it.
//
// Every event that an endpoint asks for is delivered at least once, and those
// of one lab in the order of the ledger: an event is not sent before the lab's
// earlier ones were taken, or given up. Receivers tell repeats by the header
// webhook-id, which is the event's id. An event that is not taken is tried
// again, ever more rarely, for days; then it is parked, where it can be seen
// and replayed, and the lab's next one goes on. A lab that is held up holds up
// no other.
//
// Any number of nodes deliver together, without a leader. The queue of an
// endpoint is a durable consumer of the ledger that hands out one event at a
// time over all nodes; labs that are held up have records which are claimed
// and changed by compare-and-swap. A node that vanishes loses what it was
// handed to the others. What is delivered comes from the ledger itself, and, whichever facet they
// ask for, positions are the ledger's.
package webhooks

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// Config is what may be left as it is.
type Config struct {
	Policy  Policy           // where may be called
	Timeout time.Duration    // of one attempt; 0: 15 seconds
	MinWait time.Duration    // about how long after a first failure it is tried again; 0: 5 seconds
	MaxWait time.Duration    // the longest wait between attempts; 0: 6 hours
	GiveUp  time.Duration    // how long after the first failure an event is parked; 0: 3 days
	AtOnce  int              // held-up labs tried at once, an endpoint and node; 0: 4
	Now     func() time.Time // nil: the machine's clock
	Logger  *slog.Logger     // nil: the default logger

	// Observe is called with the outcome of every attempt, if not nil.
	Observe func(Outcome)

	// Checkpoint is the newest signed checkpoint of the ledger's log, sent along
	// as Jointlab-Checkpoint in base64; nil: none.
	Checkpoint func() []byte
}

// Registry is what deliveries ask of the register, whose answers are no older than
// the event they are about.
type Registry struct {
	Facts func(ctx context.Context, lab uuid.UUID, events uint64) (eventstore.LabFacts, error)                        // of an event's lab
	Sees  func(ctx context.Context, owner domain.Actor, event eventstore.Header, p eventstore.Position) (bool, error) // whether an endpoint's owner may read an event
}

// Dispatcher delivers while Run runs. The rest of it may be used at any time.
type Dispatcher struct {
	ledger   *jetstream.Ledger
	webhooks *eventstore.Aggregates[*webhook.Webhook, webhook.Event]
	known    Registry
	key      Key
	cfg      Config
	client   *http.Client
	outbox   atomic.Pointer[jetstream.Outbox] // nil until Run has opened it

	mu      sync.Mutex                         // guards the rest
	held    map[uuid.UUID]map[uuid.UUID]record // by endpoint and lab, as last received
	changed map[uuid.UUID]chan struct{}        // receives when held changes; capacity 1
}

// New delivers the events of ledger. Endpoints that are gone are disabled by
// an event in store.
func New(ledger *jetstream.Ledger, store eventstore.Store, known Registry, key Key, cfg Config) *Dispatcher {
	cfg.Timeout = cmp.Or(cfg.Timeout, 15*time.Second)
	cfg.MinWait = cmp.Or(cfg.MinWait, 5*time.Second)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 6*time.Hour)
	cfg.GiveUp = cmp.Or(cfg.GiveUp, 3*24*time.Hour)
	cfg.AtOnce = cmp.Or(cfg.AtOnce, 4)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Outcome) {}
	}
	if cfg.Checkpoint == nil {
		cfg.Checkpoint = func() []byte { return nil }
	}
	return &Dispatcher{
		ledger: ledger, webhooks: eventstore.NewAggregates[*webhook.Webhook, webhook.Event](store, "webhook", webhook.New),
		known: known, key: key, cfg: cfg, client: client(cfg.Policy),
		held: map[uuid.UUID]map[uuid.UUID]record{}, changed: map[uuid.UUID]chan struct{}{},
	}
}

// Secret returns what deliveries to an endpoint are verified with.
func (d *Dispatcher) Secret(endpoint uuid.UUID, generation int) string {
	return d.key.Secret(endpoint, generation)
}

// Check reports whether an address may be called, and why not.
func (d *Dispatcher) Check(address string) (why domain.Text, ok bool) {
	return d.cfg.Policy.Check(address)
}

// endpoint is an endpoint as its events leave it.
type endpoint struct {
	webhook.Webhook
	registered eventstore.Position // it is sent what came after
	stop       func()              // ends what serves it and waits for that; nil: nothing does
	dirty      bool                // it has changed since it was served
}

// Run delivers until ctx ends, whatever may be away meanwhile.
func (d *Dispatcher) Run(ctx context.Context) error {
	defer d.client.CloseIdleConnections()
	var outbox *jetstream.Outbox
	d.retry(ctx, "open the outbox", func() (err error) {
		outbox, err = d.ledger.Outbox(ctx)
		return err
	})
	if outbox == nil {
		return ctx.Err()
	}
	d.outbox.Store(outbox)
	var running sync.WaitGroup
	running.Go(func() {
		d.retry(ctx, "watch the outbox", func() error { return outbox.Watch(ctx, d.applyRecord) })
	})
	endpoints := map[uuid.UUID]*endpoint{}
	d.retry(ctx, "follow the webhooks", func() error { return d.follow(ctx, outbox, endpoints) })
	for _, e := range endpoints {
		if e.stop != nil {
			e.stop()
		}
	}
	running.Wait()
	return ctx.Err()
}

// retry does something again and again until it succeeds, or ctx ends.
func (d *Dispatcher) retry(ctx context.Context, what string, do func() error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		begun := time.Now()
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(begun) > time.Minute {
			wait = 100 * time.Millisecond
		}
		d.cfg.Logger.Warn("webhooks: "+what, "error", err)
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// follow folds the events of endpoints, and serves each as it then is.
func (d *Dispatcher) follow(ctx context.Context, outbox *jetstream.Outbox, endpoints map[uuid.UUID]*endpoint) error {
	return d.ledger.FollowKind(ctx, "webhook", func(r eventstore.Recorded, more bool) error {
		decoded, err := eventstore.Decode(r.Body)
		if err != nil {
			return err
		}
		event, ok := decoded.Event.(webhook.Event)
		if !ok {
			return errors.New("webhooks: " + decoded.Type + " is no event of a webhook")
		}
		if decoded.Meta.Revision == 0 {
			if e := endpoints[r.Stream.ID]; e != nil && e.stop != nil {
				e.stop() // received again after a break
			}
			endpoints[r.Stream.ID] = &endpoint{Webhook: *webhook.New(r.Stream.ID), registered: r.Position}
		}
		e := endpoints[r.Stream.ID]
		e.Apply(domain.RecordedEvent[webhook.Event]{Meta: decoded.Meta, Event: event})
		e.dirty = true
		if more {
			return nil
		}
		for _, e := range endpoints {
			if e.dirty {
				if err := d.serve(ctx, outbox, e); err != nil {
					return err
				}
				e.dirty = false
			}
		}
		return nil
	})
}

// serve ends what serves an endpoint as it was, and begins to serve it as it is.
func (d *Dispatcher) serve(ctx context.Context, outbox *jetstream.Outbox, e *endpoint) error {
	if e.stop != nil {
		e.stop()
		e.stop = nil
	}
	switch e.State {
	case webhook.Removed:
		if err := outbox.DropQueues(ctx, e.ID, math.MaxInt); err != nil {
			return err
		}
		d.mu.Lock()
		delete(d.held, e.ID)
		d.mu.Unlock()
		return outbox.Drop(ctx, e.ID)
	case webhook.Active:
		if err := outbox.DropQueues(ctx, e.ID, e.Replays); err != nil {
			return err
		}
		after := e.registered
		if e.Replays > 0 {
			after = eventstore.Position(e.ReplayFrom - 1)
		}
		s := &endpointWorker{Dispatcher: d, outbox: outbox, hook: e.Webhook, after: after, busy: map[uuid.UUID]bool{}, changed: d.changesOf(e.ID)}
		serving, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { d.retry(serving, "deliver to "+e.ID.String(), func() error { return s.consumeQueue(serving) }) })
		running.Go(func() { d.retry(serving, "try again at "+e.ID.String(), func() error { return s.retry(serving) }) })
		e.stop = func() {
			cancel()
			running.Wait()
		}
	}
	return nil
}

// changesOf is told when a record of an endpoint changes.
func (d *Dispatcher) changesOf(id uuid.UUID) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed[id] == nil {
		d.changed[id] = make(chan struct{}, 1)
	}
	return d.changed[id]
}

// applyRecord takes in a record that changed.
func (d *Dispatcher) applyRecord(e jetstream.Entry) {
	id, lab, ok := parseKey(e.Key)
	r, err := readRecord(e)
	if !ok || err != nil {
		d.cfg.Logger.Error("webhooks: a record of the outbox cannot be read; its lab's events wait", "key", e.Key, "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(e.Value) == 0 {
		delete(d.held[id], lab)
	} else {
		if d.held[id] == nil {
			d.held[id] = map[uuid.UUID]record{}
		}
		d.held[id][lab] = r
	}
	if c := d.changed[id]; c != nil {
		notify(c)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// holding returns what is held of an endpoint's labs, as last received.
func (d *Dispatcher) holding(id uuid.UUID) map[uuid.UUID]record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.held[id])
}

func keyOf(endpoint, lab uuid.UUID) string { return endpoint.String() + "." + lab.String() }

func parseKey(key string) (endpoint, lab uuid.UUID, ok bool) {
	if len(key) != 73 {
		return endpoint, lab, false
	}
	endpoint, err := uuid.Parse(key[:36])
	lab, err2 := uuid.Parse(key[37:])
	return endpoint, lab, err == nil && err2 == nil
}
