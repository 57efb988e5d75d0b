// Package domaintest tests an aggregate in scenarios: given a history, when a
// command is sent, then these events follow, or it is refused for these reasons.
//
// Every scenario also checks what all aggregates promise: Decide leaves the state
// alone, an event and a folded state survive JSON, and every text for people is
// in Chinese and English.
package domaintest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Same compares values down to their unexported fields; an absent slice or map
// is the same as an empty one, since JSON does not tell them apart.
var Same = cmp.Options{cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty()}

// Diff returns how got differs from want by Same, or nothing. It tries
// reflect.DeepEqual first, which is much faster and mostly enough.
func Diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, Same)
}

// Scenario is the history of one aggregate and the outcome of its last command.
// It belongs to the goroutine of its test.
type Scenario[S domain.Aggregate[E], E domain.Event] struct {
	t       testing.TB
	empty   func(uuid.UUID) S
	history []domain.RecordedEvent[E]

	pending bool // the outcome of the last command is not checked yet
	because domain.Grounds
	context domain.Context
	events  []E
	err     error
}

// New returns a scenario of an aggregate without history; empty returns its state
// before the first event. A test that ends with an unchecked command fails.
func New[S domain.Aggregate[E], E domain.Event](t testing.TB, empty func(uuid.UUID) S) *Scenario[S, E] {
	s := &Scenario[S, E]{t: t, empty: empty}
	t.Cleanup(s.checked)
	return s
}

// Given records events, a minute apart from 2000-01-01 on, by the Officer of
// On. The n-th event of a scenario has the id Event(n), from 0.
func (s *Scenario[S, E]) Given(events ...E) *Scenario[S, E] {
	s.t.Helper()
	return s.GivenOn(On("2000-01-01"), events...)
}

// GivenOn records events by the actor and on the day of x.
func (s *Scenario[S, E]) GivenOn(x domain.Context, events ...E) *Scenario[S, E] {
	s.t.Helper()
	s.checked()
	s.record(x, domain.Grounds{}, events)
	return s
}

// GivenHistory records events with the metadata they have.
func (s *Scenario[S, E]) GivenHistory(history ...domain.RecordedEvent[E]) *Scenario[S, E] {
	s.t.Helper()
	s.checked()
	s.keep(history)
	return s
}

// When sends a command to the aggregate. The scenario then needs Then or ThenRefused.
func (s *Scenario[S, E]) When(cmd domain.Command[S, E], x domain.Context) *Scenario[S, E] {
	s.t.Helper()
	s.checked()
	state := s.State()
	s.pending, s.because, s.context = true, cmd.Why(), x
	s.events, s.err = cmd.Decide(state, x)
	if diff := Diff(s.State(), state); diff != "" {
		s.t.Errorf("%T changed the state it was to decide on (-before +after):\n%s", cmd, diff)
	}
	return s
}

// Then requires exactly these events, and records them.
func (s *Scenario[S, E]) Then(want ...E) *Scenario[S, E] {
	s.t.Helper()
	s.pending = false
	if s.err != nil {
		s.t.Fatalf("refused: %v", s.err)
	}
	if diff := Diff(want, s.events); diff != "" {
		s.t.Fatalf("other events followed (-want +got):\n%s", diff)
	}
	s.record(s.context, s.because, s.events)
	return s
}

// ThenAccepted records the events that followed, for a step on the way.
func (s *Scenario[S, E]) ThenAccepted() *Scenario[S, E] {
	s.t.Helper()
	return s.Then(s.events...)
}

// ThenRefused requires a refusal of the given kind at exactly the given places:
// the paths of the fields at fault, or the ids of the rules not met. The
// aggregate stays as it was, so the scenario can go on.
func (s *Scenario[S, E]) ThenRefused(kind domain.Kind, at ...string) *Scenario[S, E] {
	s.t.Helper()
	s.pending = false
	if s.err == nil {
		s.t.Fatalf("not refused; these events followed: %+v", s.events)
	}
	Refused(s.t, s.err, kind, at...)
	return s
}

// Rejection returns the refusal of the last command, or nil.
func (s *Scenario[S, E]) Rejection() *domain.Rejection {
	r, _ := s.err.(*domain.Rejection)
	return r
}

// Events returns the events of the last command.
func (s *Scenario[S, E]) Events() []E { return s.events }

// State returns the aggregate as its history leaves it, folded anew on each call.
func (s *Scenario[S, E]) State() S {
	state := s.empty(Aggregate)
	domain.Fold(state, s.history)
	return state
}

// History returns the events recorded so far.
func (s *Scenario[S, E]) History() []domain.RecordedEvent[E] { return slices.Clone(s.history) }

func (s *Scenario[S, E]) checked() {
	if s.pending && !s.t.Failed() {
		s.pending = false
		s.t.Errorf("a command was sent and its outcome not looked at; end it with Then or ThenRefused")
	}
}

func (s *Scenario[S, E]) record(x domain.Context, because domain.Grounds, events []E) {
	s.t.Helper()
	happened := make([]domain.RecordedEvent[E], len(events))
	for i, e := range events {
		n := len(s.history) + i
		happened[i] = domain.RecordedEvent[E]{Event: e, Meta: domain.Meta{
			ID: Event(n), Revision: uint64(n), Time: x.Now.Add(time.Duration(n) * time.Minute).UTC(),
			Actor: x.Actor, Because: because, Command: ID(n),
		}}
	}
	s.keep(happened)
}

func (s *Scenario[S, E]) keep(happened []domain.RecordedEvent[E]) {
	s.t.Helper()
	for _, h := range happened {
		e := h.Event
		Both(s.t, e.Sentence())
		if _, ok := domain.AsRewrite(e); !ok { // those need the names in eventstore
			copied := reflect.New(reflect.TypeOf(e))
			throughJSON(s.t, e, copied.Interface())
			if diff := Diff(e, copied.Elem().Interface()); diff != "" {
				s.t.Errorf("%T does not survive JSON (-before +after):\n%s", e, diff)
			}
		}
	}
	s.history = append(s.history, happened...)
	state, copied := s.State(), s.empty(Aggregate)
	throughJSON(s.t, state, copied)
	if diff := Diff(state, copied); diff != "" {
		s.t.Errorf("the state does not survive JSON (-before +after):\n%s", diff)
	}
}

func throughJSON(t testing.TB, from, to any) {
	t.Helper()
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to, json.RejectUnknownMembers(true))
	}
	if err != nil {
		t.Errorf("%T does not survive JSON: %v", from, err)
	}
}
