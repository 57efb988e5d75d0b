package webhooks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// endpointWorker serves one endpoint on this node, as it was when it began.
type endpointWorker struct {
	*Dispatcher
	outbox  *jetstream.Outbox
	hook    webhook.Webhook
	after   eventstore.Position
	changed chan struct{}

	mu     sync.Mutex         // guards row, rest and busy
	row    int                // failures in a row
	rest   time.Time          // nothing is sent before then
	busy   map[uuid.UUID]bool // labs being tried again here
	trying sync.WaitGroup
}

// patience returns how long an event or a lab may be in one node's hands.
func (s *endpointWorker) patience() time.Duration { return 2 * s.cfg.Timeout }

// consumeQueue goes through the ledger: an event of a lab that is held up is put behind
// what holds it up, any other is tried once.
func (s *endpointWorker) consumeQueue(ctx context.Context) error {
	queue, err := s.outbox.Queue(ctx, s.hook.ID, s.hook.Replays, s.after, s.patience())
	if err != nil {
		return err
	}
	for {
		pause(ctx, s.resting())
		event, err := queue.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.handle(ctx, event); err != nil {
			if errors.Is(err, errHeldUp) {
				_ = event.Nak(s.cfg.MinWait)
				continue
			}
			_ = event.Nak(0)
			return err
		}
		if err := event.Ack(); err != nil {
			return err
		}
	}
}

var errHeldUp = errors.New("webhooks: too much is held up")

// handle settles an event: it was delivered, or is in its lab's record.
func (s *endpointWorker) handle(ctx context.Context, event *jetstream.QueuedDelivery) error {
	wanted, err := s.wants(ctx, event.Recorded)
	if err != nil || !wanted {
		return err
	}
	lab, put := event.Stream.ID, false
	if err := s.change(ctx, lab, func(r *record) error {
		put = r.blocked()
		return r.hold(event.Position, put)
	}); err != nil || put {
		return err
	}
	result, begun, took, err := s.try(ctx, event.Recorded)
	if err != nil {
		return err
	}
	a := s.attempt(event.Recorded, 1, result, begun, took)
	switch result.Outcome {
	case Delivered:
	case Gone:
		s.logAttempt(ctx, a)
		return s.disable(ctx, event.Position)
	default:
		if err := s.change(ctx, lab, func(r *record) error {
			first := !r.blocked()
			if err := r.hold(event.Position, true); err != nil || !first {
				return err
			}
			a.Next, a.Parked = r.failed(s.cfg.Now(), failed{result.Outcome, result.Status}, s.wait(1, result), s.cfg.GiveUp)
			return nil
		}); err != nil {
			return err
		}
	}
	s.logAttempt(ctx, a)
	return nil
}

// hold puts an event into the record, if it is to be held and there is room.
func (r *record) hold(p eventstore.Position, held bool) error {
	if !held {
		return nil
	}
	if _, there := slices.BinarySearch(r.Pending, p); !there && r.full() {
		return errHeldUp
	}
	r.add(p)
	return nil
}

// wants reports whether the endpoint asks for an event that its owner may read now.
func (s *endpointWorker) wants(ctx context.Context, e eventstore.Recorded) (bool, error) {
	outline, err := eventstore.ParseHeader(e.Body)
	if err != nil {
		return false, fmt.Errorf("webhooks: position %d: %w", e.Position, err)
	}
	f := s.hook.Filter
	filter := eventstore.Filter{
		Status: len(f.Facets) == 0, Facet: f.Facets, From: f.From, To: f.To, Host: f.Host, Party: f.Party, Programme: f.Programme, Level: f.Level,
	}
	for _, lab := range f.Labs {
		filter.Streams = append(filter.Streams, eventstore.Stream{Kind: "lab", ID: lab})
	}
	wanted, err := filter.Match(outline, func() (eventstore.LabFacts, error) {
		facts, err := s.known.Facts(ctx, outline.Stream.ID, outline.Revision+1)
		return facts.VisibleTo(s.hook.Owner), err
	})
	if err != nil || !wanted {
		return false, err
	}
	return s.mayBeSeen(ctx, e)
}

// mayBeSeen reports whether the endpoint's owner may read an event now.
func (s *endpointWorker) mayBeSeen(ctx context.Context, e eventstore.Recorded) (bool, error) {
	outline, err := eventstore.ParseHeader(e.Body)
	if err != nil {
		return false, fmt.Errorf("webhooks: position %d: %w", e.Position, err)
	}
	return s.known.Sees(ctx, s.hook.Owner, outline, e.Position)
}

// change changes a lab's record, on its last state, whichever node else writes.
func (s *endpointWorker) change(ctx context.Context, lab uuid.UUID, change func(*record) error) error {
	for {
		entry, err := s.outbox.Entry(ctx, keyOf(s.hook.ID, lab))
		if err != nil {
			return err
		}
		r, err := readRecord(entry)
		if err != nil {
			return err
		}
		if err := change(&r); err != nil {
			return err
		}
		before := string(entry.Value)
		if entry.Value, err = r.value(); err != nil {
			return err
		}
		if string(entry.Value) == before {
			return nil
		}
		if _, err := s.outbox.Put(ctx, entry); !errors.Is(err, eventstore.ErrConflict) {
			return err
		}
	}
}

// retry looks after labs that are held up, each when it is due.
func (s *endpointWorker) retry(ctx context.Context) error {
	defer s.trying.Wait()
	places := make(chan struct{}, s.cfg.AtOnce)
	for {
		now, next := s.cfg.Now(), time.Time{}
		if resting := s.resting(); resting > 0 {
			next = now.Add(resting)
		} else {
			for lab, r := range s.holding(s.hook.ID) {
				due := r.due(s.hook.ParkedBefore)
				switch {
				case due.IsZero() || s.isBusy(lab):
				case due.After(now):
					if next.IsZero() || due.Before(next) {
						next = due
					}
				default:
					select {
					case places <- struct{}{}:
						s.begin(ctx, lab, places)
					default: // a worker that releases its place signals the change
					}
				}
			}
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = next.Sub(now)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (s *endpointWorker) isBusy(lab uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy[lab]
}

func (s *endpointWorker) begin(ctx context.Context, lab uuid.UUID, places chan struct{}) {
	s.mu.Lock()
	s.busy[lab] = true
	s.mu.Unlock()
	s.trying.Go(func() {
		err := s.deliverPending(ctx, lab)
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("webhooks: try again", "webhook", s.hook.ID, "lab", lab, "error", err)
			pause(ctx, time.Second)
		}
		s.mu.Lock()
		delete(s.busy, lab)
		s.mu.Unlock()
		<-places
		notify(s.changed)
	})
}

var errClaimed = errors.New("webhooks: claimed by another node")

// deliverPending claims a lab and delivers its events, one after the other, until one is
// not taken.
func (s *endpointWorker) deliverPending(ctx context.Context, lab uuid.UUID) error {
	claim := uuid.New()
	var at eventstore.Position
	var attempts int
	look := func(r *record) { // what to do next, or nothing
		if r.Claim, at = uuid.Nil, 0; r.blocked() && !r.Next.After(s.cfg.Now()) {
			r.Claim, r.Until, at, attempts = claim, s.cfg.Now().Add(s.patience()), r.Pending[0], r.Attempts+1
		}
	}
	err := s.change(ctx, lab, func(r *record) error {
		if due := r.due(s.hook.ParkedBefore); due.IsZero() || due.After(s.cfg.Now()) {
			return errClaimed
		}
		r.unpark(s.hook.ParkedBefore)
		look(r)
		return nil
	})
	for err == nil && at > 0 {
		var event eventstore.Recorded
		if event, err = s.ledger.At(ctx, at); err != nil {
			break
		}
		var seen bool
		if seen, err = s.mayBeSeen(ctx, event); err != nil {
			break
		}
		if !seen { // no longer, and is let go
			err = s.change(ctx, lab, func(r *record) error {
				r.delivered(event.Position)
				if at = 0; r.Claim == claim {
					look(r)
				}
				return nil
			})
			continue
		}
		var result Result
		var begun time.Time
		var took time.Duration
		if result, begun, took, err = s.try(ctx, event); err != nil {
			break
		}
		a := s.attempt(event, attempts, result, begun, took)
		if err = s.change(ctx, lab, func(r *record) error {
			if r.Claim != claim && result.Outcome != Delivered {
				return errClaimed
			}
			switch {
			case result.Outcome == Delivered:
				r.delivered(event.Position)
			case result.Outcome == Gone:
				r.Next = s.cfg.Now().Add(s.cfg.MinWait) // a disabled endpoint has no worker
			case r.blocked() && r.Pending[0] == event.Position:
				a.Next, a.Parked = r.failed(s.cfg.Now(), failed{result.Outcome, result.Status}, s.wait(r.Attempts+1, result), s.cfg.GiveUp)
			}
			if r.Claim == claim {
				look(r)
			} else {
				at = 0
			}
			return nil
		}); err != nil {
			break
		}
		s.logAttempt(ctx, a)
		if result.Outcome == Gone {
			return s.disable(ctx, event.Position)
		}
	}
	if errors.Is(err, errClaimed) {
		return nil
	}
	if err != nil { // let others have it at once
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, s.change(soon, lab, func(r *record) error {
			if r.Claim == claim {
				r.Claim, r.Until = uuid.Nil, time.Time{}
			}
			return nil
		}))
	}
	return err
}

// try makes an attempt, and sets from its result when to rest.
func (s *endpointWorker) try(ctx context.Context, e eventstore.Recorded) (r Result, begun time.Time, took time.Duration, err error) {
	begun = s.cfg.Now()
	if r, err = s.send(ctx, &s.hook, e); err != nil {
		return r, begun, 0, err
	}
	took = s.cfg.Now().Sub(begun)
	s.cfg.Observe(r.Outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.row++; r.Outcome == Delivered {
		s.row = 0
	}
	rest := r.RetryAfter
	if s.row >= restAfter { // it is not the event, it is the endpoint
		rest = max(rest, min(s.backoff(s.row-restAfter+1), maxRest))
	}
	if until := s.cfg.Now().Add(rest); until.After(s.rest) {
		s.rest = until
	}
	return r, begun, took, nil
}

const (
	restAfter = 5           // failures in a row, from which on the endpoint is given rest
	maxRest   = time.Minute // at most, so that it is found again soon after it is back
)

func (s *endpointWorker) resting() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.rest.Sub(s.cfg.Now()))
}

// wait returns how long after the n-th attempt at an event the next one is made.
func (s *endpointWorker) wait(n int, r Result) time.Duration { return max(s.backoff(n), r.RetryAfter) }

// backoff is exponential with full jitter: anything up to the n-th bound, so
// that labs that failed together do not come back together.
func (s *endpointWorker) backoff(n int) time.Duration {
	bound := s.cfg.MaxWait
	if n < 40 && s.cfg.MinWait<<n > 0 {
		bound = min(bound, s.cfg.MinWait<<n)
	}
	return s.cfg.MinWait/5 + rand.N(bound)
}

var errGone = errors.New("webhooks: the endpoint is gone")

// disable records that the endpoint is gone, and waits for what follows from
// that: once it is received, the endpoint is served no more.
func (s *endpointWorker) disable(ctx context.Context, p eventstore.Position) error {
	now := s.cfg.Now()
	_, err := s.webhooks.Do(ctx, s.hook.ID, webhook.Disable(uint64(p)), eventstore.Request{
		Actor: domain.Actor{Subject: "jointlab", Role: domain.Officer}, Now: now, Command: uuid.New(),
	})
	var stopped *domain.Rejection
	if err != nil && !errors.As(err, &stopped) {
		return err
	}
	pause(ctx, time.Minute)
	return errGone
}
