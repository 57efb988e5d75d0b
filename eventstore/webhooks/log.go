package webhooks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// Attempt is one attempt to deliver an event, as the log of deliveries has it.
type Attempt struct {
	Number   uint64              `json:"number,omitzero" doc:"Of the attempt, among those at all webhooks"`
	Event    uuid.UUID           `json:"event" doc:"The event's id, sent as webhook-id"`
	Position eventstore.Position `json:"position,omitzero" doc:"Of the event in the ledger; absent: it was a test"`
	Lab      uuid.UUID           `json:"lab,omitzero"`
	Attempt  int                 `json:"attempt" doc:"1: the first at this event"`
	At       time.Time           `json:"at" doc:"When it began"`
	Took     int64               `json:"took_ms" doc:"How long it took, in milliseconds"`
	Outcome  Outcome             `json:"outcome" enum:"delivered,refused,redirected,gone,late,unreachable,insecure,forbidden" doc:"delivered is success; anything else is tried again"`
	Status   int                 `json:"status,omitzero" doc:"The HTTP status answered; absent: there was no answer"`
	Detail   domain.Text         `json:"detail" doc:"What happened"`
	Answer   string              `json:"answer,omitempty" doc:"The first 200 bytes of the answer, where it is text"`
	Next     time.Time           `json:"next,omitzero" doc:"When it is tried again at the earliest"`
	Parked   bool                `json:"parked,omitzero" doc:"It was given up after this attempt, until it is replayed"`
}

func (s *endpointWorker) attempt(e eventstore.Recorded, n int, r Result, at time.Time, took time.Duration) Attempt {
	return Attempt{
		Event: e.ID, Position: e.Position, Lab: e.Stream.ID, Attempt: n, At: at.UTC(), Took: took.Milliseconds(),
		Outcome: r.Outcome, Status: r.Status, Detail: r.Detail, Answer: r.Answer,
	}
}

// logAttempt logs an attempt. Its outcome holds even where that fails.
func (s *endpointWorker) logAttempt(ctx context.Context, a Attempt) {
	body, err := json.Marshal(a)
	if err == nil {
		err = s.outbox.Log(context.WithoutCancel(ctx), s.hook.ID, body)
	}
	if err != nil {
		s.cfg.Logger.Warn("webhooks: an attempt is not in the log of deliveries", "webhook", s.hook.ID, "position", a.Position, "outcome", a.Outcome, "error", err)
	}
}

// AttemptFilter restricts a list of attempts. What is left empty does not.
type AttemptFilter struct {
	Lab      uuid.UUID
	Event    uuid.UUID
	Position eventstore.Position
	Outcome  []Outcome
	Failed   bool // all but Delivered
}

func (c AttemptFilter) lets(a Attempt) bool {
	return (c.Lab == uuid.Nil || c.Lab == a.Lab) && (c.Event == uuid.Nil || c.Event == a.Event) && (c.Position == 0 || c.Position == a.Position) &&
		(len(c.Outcome) == 0 || slices.Contains(c.Outcome, a.Outcome)) && !(c.Failed && a.Outcome == Delivered)
}

// maxScan bounds how many attempts one page looks through.
const maxScan = 20_000

// Test sends an endpoint an empty event: signed like any other,
// with a type of its own and no place in the ledger. It is logged, not tried
// again, and holds up nothing.
func (d *Dispatcher) Test(ctx context.Context, w *webhook.Webhook) (Attempt, error) {
	outbox, err := d.opened()
	if err != nil {
		return Attempt{}, err
	}
	id, now := uuid.New(), d.cfg.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "source": "/webhooks/" + w.ID.String(), "type": "webhook.test.v1", "time": now.Format(time.RFC3339Nano),
		"datacontenttype": "application/json", "data": map[string]any{},
	}, json.Deterministic(true))
	if err != nil {
		return Attempt{}, err
	}
	s := &endpointWorker{Dispatcher: d, outbox: outbox, hook: *w}
	event := eventstore.Recorded{ID: id, Body: body}
	result, begun, took, err := s.try(ctx, event)
	if err != nil {
		return Attempt{}, err
	}
	a := s.attempt(event, 1, result, begun, took)
	s.logAttempt(ctx, a)
	return a, nil
}

// opened returns the outbox, once it is open.
func (d *Dispatcher) opened() (*jetstream.Outbox, error) {
	if outbox := d.outbox.Load(); outbox != nil {
		return outbox, nil
	}
	return nil, fmt.Errorf("webhooks: the outbox is not open yet: %w", eventstore.ErrUnavailable)
}

// Deliveries lists attempts at an endpoint, the latest first, before the one of
// a number; next is where the page after this one goes on, 0 at the end.
func (d *Dispatcher) Deliveries(ctx context.Context, endpoint uuid.UUID, chosen AttemptFilter, before uint64, limit int) (page []Attempt, next uint64, err error) {
	seen := 0
	var bad error
	outbox, err := d.opened()
	if err != nil {
		return nil, 0, err
	}
	err = outbox.Logged(ctx, endpoint, before, func(number uint64, body []byte) bool {
		var a Attempt
		if bad = json.Unmarshal(body, &a); bad != nil {
			return false
		}
		a.Number = number
		if len(page) == limit || seen == maxScan {
			next = number + 1
			return false
		}
		if seen++; chosen.lets(a) {
			page = append(page, a)
		}
		return true
	})
	return page, next, cmp.Or(err, bad)
}

// Progress is how far delivery to an endpoint has come.
type Progress struct {
	Position eventstore.Position // all up to here was delivered, is listed below, or was not asked for
	Lag      uint64              // events of labs after that
	HeldUp   []HeldUp
	Parked   int
}

// HeldUp is a lab whose events wait for the first of them to be taken.
type HeldUp struct {
	Lab      uuid.UUID           `json:"lab"`
	Position eventstore.Position `json:"position" doc:"Of the event that holds up the others"`
	Waiting  int                 `json:"waiting" doc:"How many events wait, that one included"`
	Attempts int                 `json:"attempts" doc:"Made at that event"`
	Since    time.Time           `json:"since,omitzero" doc:"When the first of them failed"`
	Next     time.Time           `json:"next,omitzero" doc:"When it is tried again at the earliest"`
	Outcome  Outcome             `json:"outcome,omitempty" doc:"Of the last attempt"`
	Status   int                 `json:"status,omitzero" doc:"The HTTP status answered to it"`
	Text     domain.Text         `json:"text,omitzero"`
}

// Parked is an event that was given up, until it is replayed.
type Parked struct {
	Position eventstore.Position `json:"position" doc:"In the ledger; /v1/events/{position} gives the event"`
	Lab      uuid.UUID           `json:"lab"`
	Attempts int                 `json:"attempts" doc:"Made at it"`
	At       time.Time           `json:"at" doc:"When it was given up"`
	Outcome  Outcome             `json:"outcome" doc:"Of the last attempt"`
	Status   int                 `json:"status,omitzero" doc:"The HTTP status answered to it"`
	Text     domain.Text         `json:"text"`
}

// Progress returns how far delivery to an endpoint has come.
func (d *Dispatcher) Progress(ctx context.Context, w *webhook.Webhook) (p Progress, err error) {
	outbox, err := d.opened()
	if err != nil {
		return p, err
	}
	if p.Position, p.Lag, err = outbox.Progress(ctx, w.ID, w.Replays); err != nil {
		return p, err
	}
	for lab, r := range d.holding(w.ID) {
		p.Parked += len(r.Parked)
		if r.blocked() {
			p.HeldUp = append(p.HeldUp, HeldUp{
				Lab: lab, Position: r.Pending[0], Waiting: len(r.Pending), Attempts: r.Attempts, Since: r.Since, Next: r.Next,
				Outcome: r.Last.Outcome, Status: r.Last.Status, Text: r.Last.Outcome.Text(),
			})
		}
	}
	slices.SortFunc(p.HeldUp, func(a, b HeldUp) int { return cmp.Compare(a.Position, b.Position) })
	return p, nil
}

// Parked lists what was given up at an endpoint, in the order of the ledger.
func (d *Dispatcher) Parked(endpoint uuid.UUID) (all []Parked) {
	for lab, r := range d.holding(endpoint) {
		for _, p := range r.Parked {
			all = append(all, Parked{
				Position: p.Position, Lab: lab, Attempts: p.Attempts, At: p.At,
				Outcome: p.Last.Outcome, Status: p.Last.Status, Text: p.Last.Outcome.Text(),
			})
		}
	}
	slices.SortFunc(all, func(a, b Parked) int { return cmp.Compare(a.Position, b.Position) })
	return all
}
