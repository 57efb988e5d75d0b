package eventstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/attribute"

	"github.com/jointlab/jointlab/domain"
)

// Request is a command's envelope: who sends it, when it is recorded, and what
// makes it one command however often it is sent.
type Request struct {
	Actor       domain.Actor
	Now         time.Time
	Command     uuid.UUID // the same for every retry of one command
	Digest      string    // of the command's content, so a reused Command id is noticed
	Expect      *uint64   // the revision count the sender saw, or nil
	Policy      string    // decided under, where Programme is nil
	Correlation string
	Entities    map[uuid.UUID]domain.EntityRef
	Labs        map[uuid.UUID]domain.Text
	Programme   *domain.Programme // labs are judged under its policies

	May func(state any) error // whether the sender may, by the state the command is decided on; nil: yes

	// MayRewrite is May for a correction or a void: by the state as it is now, the
	// event as it reads, and what is done to it. It is asked twice: before the
	// rewrite is decided, when that has no event, and after.
	MayRewrite func(state any, recorded domain.Meta, was domain.Event, by domain.Rewrite) error
}

// policyOf returns the document number of the policy an event was decided under:
// the one in force on the day of the act, or today where the event is no act.
func (r Request) policyOf(e domain.Event) string {
	if r.Programme == nil {
		return r.Policy
	}
	day := domain.DateOf(r.Now)
	if act, ok := e.(interface{ ActedOn() domain.Date }); ok {
		day = act.ActedOn()
	}
	return r.Programme.PolicyOn(day).Document
}

// Outcome is what a command led to.
type Outcome struct {
	Stream  Stream
	Version Version
	Events  []domain.RecordedEvent[domain.Event] // what was recorded, in order
	Replay  bool                                 // the command had been carried out before; nothing new was written
}

// StaleError reports that the state has changed since the sender read it.
type StaleError struct{ Expected, Actual uint64 }

func (e *StaleError) Error() string {
	return fmt.Sprintf("the record has moved on from revision %d to %d; read it again, then decide again", e.Expected, e.Actual)
}

// ReusedError reports that an idempotency key came back with another command.
type ReusedError struct{ Command uuid.UUID }

func (e *ReusedError) Error() string {
	return "this idempotency key was used for a different command; use a new key for a new command"
}

// Aggregates runs commands on the aggregates of one kind: load, fold, decide,
// append. Commands on one aggregate through one Aggregates wait for each
// other; against other processes the store's version check decides.
//
// Folded states are kept in memory. They are only ever a shortcut: an append
// is checked by the store, and no command is refused on a state that was not
// read up to its stream's end first.
type Aggregates[S domain.Aggregate[E], E domain.Event] struct {
	store  Store
	kind   string
	empty  func(uuid.UUID) S
	folded *lru.Cache[uuid.UUID, *folded[S]]
	mu     sync.Mutex // guards get-or-create in folded
}

// folded is one aggregate in memory. mu guards the rest and is held while a
// command runs on it.
type folded[S any] struct {
	mu      sync.Mutex
	state   S
	version Version
	done    map[uuid.UUID]done // by command id
}

type done struct {
	digest string
	events []domain.RecordedEvent[domain.Event]
}

// keptInMemory bounds the folded states held per kind.
const keptInMemory = 20_000

// NewAggregates runs commands on the streams of kind in store; empty makes the
// state before the first event.
func NewAggregates[S domain.Aggregate[E], E domain.Event](store Store, kind string, empty func(uuid.UUID) S) *Aggregates[S, E] {
	cache, err := lru.New[uuid.UUID, *folded[S]](keptInMemory)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Aggregates[S, E]{store: store, kind: kind, empty: empty, folded: cache}
}

// Do carries out a command, or refuses it with what Decide returned, a
// *StaleError or a *ReusedError. A command that was carried out before is not
// carried out again: its first outcome is returned.
func (a *Aggregates[S, E]) Do(ctx context.Context, id uuid.UUID, cmd domain.Command[S, E], r Request) (Outcome, error) {
	return a.run(ctx, id, cmd.Why(), r, func(f *folded[S], x domain.Context) ([]E, error) {
		return cmd.Decide(f.state, x)
	})
}

// Correct puts right the event that wrong names: cmd is the command as it
// should have been sent. It is decided, with every rule, on the state just
// before that event, and must lead to one event of the same type.
func (a *Aggregates[S, E]) Correct(
	ctx context.Context, id, wrong uuid.UUID, cmd domain.Command[S, E], because domain.Grounds, correct func(domain.Correction) E, r Request,
) (Outcome, error) {
	return a.rewrite(ctx, id, wrong, because, r, func(before S, was domain.RecordedEvent[E], x domain.Context) (E, error) {
		var none E
		events, err := cmd.Decide(before, x)
		if err != nil {
			return none, err
		}
		if len(events) != 1 || reflect.TypeOf(events[0]) != reflect.TypeOf(was.Event) {
			return none, domain.Reject(domain.Invalid,
				"更正必须使用与被更正记录相同的命令", "a correction restates the command that led to the event it corrects; this one leads to something else")
		}
		same, err := sameEvent(events[0], was.Event)
		if err == nil && same {
			err = domain.Reject(domain.Invalid, "更正后的内容与原记录相同", "the correction says what the register already says")
		}
		return correct(domain.Correction{Corrects: wrong, With: domain.Restated{Event: events[0]}}), err
	})
}

// Void takes back the event that wrong names, which should never have been
// recorded. What founds an aggregate is not void.
func (a *Aggregates[S, E]) Void(
	ctx context.Context, id, wrong uuid.UUID, because domain.Grounds, void func(domain.Void) E, r Request,
) (Outcome, error) {
	return a.rewrite(ctx, id, wrong, because, r, func(_ S, was domain.RecordedEvent[E], _ domain.Context) (E, error) {
		var err error
		if was.Meta.Revision == 0 {
			err = domain.Reject(domain.State, "首条登记确立该记录本身，不能作废；请以退出、终止或并入等命令了结，或更正其内容",
				"the first entry founds the record and cannot be void; end the record by its own command (withdraw, merge or close it), or correct the entry")
		}
		return void(domain.Void{Voids: wrong, Was: domain.Restated{Event: was.Event}}), err
	})
}

// rewrite corrects or voids the event that wrong names by the event that decide
// returns, given the state just before the wrong one. It refuses what later events
// would no longer follow from, and what would leave the aggregate at odds with itself.
func (a *Aggregates[S, E]) rewrite(
	ctx context.Context, id, wrong uuid.UUID, because domain.Grounds, r Request,
	decide func(before S, was domain.RecordedEvent[E], x domain.Context) (E, error),
) (Outcome, error) {
	return a.run(ctx, id, because, r, func(_ *folded[S], x domain.Context) ([]E, error) {
		history, _, err := a.load(ctx, id, Version{})
		if err != nil {
			return nil, err
		}
		effective := domain.Effective(history)
		i := slices.IndexFunc(effective, func(h domain.RecordedEvent[E]) bool { return h.Meta.ID == wrong })
		if i >= 0 {
			if _, is := domain.AsRewrite(effective[i].Event); is {
				i = -1
			}
		}
		if i < 0 {
			return nil, domain.Reject(domain.NotFound,
				"此记录的历史中没有事件 %s，或它本身是一次更正或作废，或已作废；请填写最初事件的编号",
				"there is no event %s here, or it is a correction or a void itself, or is void; name the first event, as the history shows it", wrong)
		}
		was, before, now := effective[i], a.empty(id), a.empty(id)
		for j, h := range effective {
			if j < i {
				before.Apply(h)
			}
			now.Apply(h)
		}
		if r.MayRewrite != nil {
			if err := r.MayRewrite(now, was.Meta, was.Event, domain.Rewrite{Of: wrong}); err != nil {
				return nil, err
			}
		}
		e, err := decide(before, was, x)
		if err != nil {
			return nil, err
		}
		rewrite, _ := domain.AsRewrite(e)
		if r.MayRewrite != nil {
			if err := r.MayRewrite(now, was.Meta, was.Event, rewrite); err != nil {
				return nil, err
			}
		}
		after, err := a.without(id, effective, i, rewrite)
		if err != nil {
			return nil, err
		}
		if c, ok := any(after).(interface{ Inconsistent(before S) error }); ok {
			if err := c.Inconsistent(now); err != nil {
				return nil, err
			}
		}
		return []E{e}, nil
	})
}

// without folds a history with its i-th event void or restated. It refuses one
// that later events rest on, and names them.
func (a *Aggregates[S, E]) without(id uuid.UUID, effective []domain.RecordedEvent[E], i int, r domain.Rewrite) (S, error) {
	after := a.empty(id)
	for _, h := range effective[:i] {
		after.Apply(h)
	}
	var void E
	if r.Void {
		void = effective[i].Event
	} else {
		after.Apply(domain.RecordedEvent[E]{Meta: effective[i].Meta, Event: r.Event.(E)})
	}
	var resting []domain.RecordedEvent[E]
	for _, h := range effective[i+1:] {
		if rests(after, void, h) {
			resting = append(resting, h)
		}
	}
	if len(resting) == 0 {
		return after, nil
	}
	var zh, en []string
	for _, h := range resting[:min(len(resting), 10)] {
		s := h.Event.Sentence()
		zh, en = append(zh, fmt.Sprintf("%s（%s）", s.Chinese(), h.Meta.ID)), append(en, fmt.Sprintf("%s (%s)", s.English(), h.Meta.ID))
	}
	named := domain.T(strings.Join(zh, "；"), strings.Join(en, "; "))
	if r.Void {
		return after, domain.Reject(domain.State, "此后有 %d 条登记以它为依据，请先将其作废：%s",
			"%d later entries rest on it; void those first: %s", len(resting), named)
	}
	return after, domain.Reject(domain.State, "更正之后，此后的 %d 条登记不再成立，请先更正或作废：%s",
		"%d later entries would no longer follow; correct or void those first: %s", len(resting), named)
}

// rests reports whether a later event rests on one that is void or restated, and
// applies it to the state before it.
func rests[S domain.Aggregate[E], E domain.Event](before S, void E, later domain.RecordedEvent[E]) (rests bool) {
	defer func() {
		if recover() != nil {
			rests = true // it does not apply to what is left
		}
	}()
	if c, ok := any(before).(interface {
		RestsOn(void E, later domain.RecordedEvent[E]) bool
	}); ok {
		rests = c.RestsOn(void, later)
	}
	before.Apply(later)
	return rests
}

// State calls use with the aggregate, read up to its stream's end, and
// its version. use must not keep or change the state.
func (a *Aggregates[S, E]) State(ctx context.Context, id uuid.UUID, use func(S, Version)) error {
	f := a.acquire(id)
	defer f.mu.Unlock()
	if err := a.catchUp(ctx, id, f); err != nil {
		return err
	}
	use(f.state, f.version)
	return nil
}

// AlreadyHandled reports whether a command was carried out before, so that sending it
// again gives its first outcome and changes nothing.
func (a *Aggregates[S, E]) AlreadyHandled(ctx context.Context, id, command uuid.UUID) (bool, error) {
	f := a.acquire(id)
	defer f.mu.Unlock()
	if err := a.catchUp(ctx, id, f); err != nil {
		return false, err
	}
	_, is := f.done[command]
	return is, nil
}

// History returns everything that happened to the aggregate, as it was
// recorded: corrections stand in their own places.
func (a *Aggregates[S, E]) History(ctx context.Context, id uuid.UUID) ([]domain.RecordedEvent[E], error) {
	history, _, err := a.load(ctx, id, Version{})
	return history, err
}

// tries bounds how often a command is decided anew because others wrote first.
const tries = 50

func (a *Aggregates[S, E]) run(
	ctx context.Context, id uuid.UUID, because domain.Grounds, r Request, decide func(*folded[S], domain.Context) ([]E, error),
) (_ Outcome, err error) {
	ctx, end := Span(ctx, "handle "+a.kind, attribute.String("jointlab.stream", Stream{a.kind, id}.String()))
	defer func() { end(err) }()
	f := a.acquire(id)
	defer f.mu.Unlock()
	stream := Stream{a.kind, id}
	x := domain.Context{Actor: r.Actor, Now: r.Now, Entities: r.Entities, Labs: r.Labs}
	if r.Programme != nil {
		x.Programme = *r.Programme
	}
	fresh := false
	for try := 0; ; try++ {
		if !fresh && (try > 0 || f.version.Count == 0) {
			if err := a.catchUp(ctx, id, f); err != nil {
				return Outcome{}, err
			}
			fresh = true
		}
		if d, ok := f.done[r.Command]; ok {
			if d.digest != r.Digest {
				return Outcome{}, &ReusedError{r.Command}
			}
			return Outcome{Stream: stream, Version: f.version, Events: d.events, Replay: true}, nil
		}
		events, err := decideOn(ctx, f, x, r, decide)
		if err == nil {
			events, err = a.hindsight(ctx, id, f, events, because, x)
		}
		if err != nil {
			if fresh {
				return Outcome{}, err
			}
			continue // refused on what may be an old state: read on and decide again
		}
		appending, appended := Span(ctx, "append")
		recorded, pending, err := encodeAll(appending, stream, f.version.Count, events, because, r)
		if err != nil {
			appended(err)
			return Outcome{}, err
		}
		version, err := a.store.Append(appending, stream, f.version, pending)
		appended(err)
		switch {
		case errors.Is(err, ErrConflict) && try < tries:
			fresh = false
			continue
		case err != nil:
			a.forget(id, f) // what the stream holds now is not known
			return Outcome{}, err
		}
		if err := a.fold(ctx, id, f, recorded, version); err != nil {
			a.forget(id, f) // it is written; the next command reads it back
		}
		return Outcome{Stream: stream, Version: version, Events: untyped(recorded)}, nil
	}
}

// decideOn returns the events that a request leads to on f's state.
func decideOn[S any, E domain.Event](
	ctx context.Context, f *folded[S], x domain.Context, r Request, decide func(*folded[S], domain.Context) ([]E, error),
) (events []E, err error) {
	_, end := Span(ctx, "decide")
	if r.May != nil {
		err = r.May(f.state)
	}
	if err == nil {
		events, err = decide(f, x)
	}
	end(err)
	if r.Expect != nil && *r.Expect != f.version.Count {
		return nil, &StaleError{*r.Expect, f.version.Count}
	}
	return events, err
}

// encodeAll returns the events that a request led to as they are recorded from
// a revision on, with their bodies.
func encodeAll[E domain.Event](
	ctx context.Context, stream Stream, revision uint64, events []E, because domain.Grounds, r Request,
) ([]domain.RecordedEvent[E], []Pending, error) {
	recorded, pending := make([]domain.RecordedEvent[E], len(events)), make([]Pending, len(events))
	at := r.Now.UTC().Truncate(time.Microsecond)
	because.Acknowledge = nil // what follows from the command keeps it
	for i, e := range events {
		meta := domain.Meta{
			ID: eventID(r, at, i), Revision: revision + uint64(i),
			Time: at, Actor: r.Actor, Because: because, Policy: r.policyOf(e),
			Command: r.Command, Digest: r.Digest, Correlation: r.Correlation, Trace: TraceParent(ctx),
		}
		recorded[i] = domain.RecordedEvent[E]{Meta: meta, Event: e}
		var err error
		if pending[i], err = Encode(stream, meta, e); err != nil {
			return nil, nil, err
		}
	}
	return recorded, pending, nil
}

func untyped[E domain.Event](events []domain.RecordedEvent[E]) []domain.RecordedEvent[domain.Event] {
	all := make([]domain.RecordedEvent[domain.Event], len(events))
	for i, e := range events {
		all[i] = domain.RecordedEvent[domain.Event]{Meta: e.Meta, Event: e.Event}
	}
	return all
}

// hindsight adds to what a command is about to record what follows from it for
// decisions that were taken before. Only what rewrites history, or happened before
// the last of them, can bear on those.
func (a *Aggregates[S, E]) hindsight(
	ctx context.Context, id uuid.UUID, f *folded[S], events []E, because domain.Grounds, x domain.Context,
) ([]E, error) {
	state, ok := any(f.state).(interface {
		IsLate(day domain.Date) bool
		Hindsight(
			before, after []domain.RecordedEvent[E], day func(domain.Event, domain.Meta) domain.Date, x domain.Context, because domain.Grounds,
		) ([]E, error)
	})
	if !ok {
		return events, nil
	}
	bears := false
	news := make([]domain.RecordedEvent[E], len(events))
	for i, e := range events {
		news[i] = domain.RecordedEvent[E]{Event: e, Meta: domain.Meta{Time: x.Now, Actor: x.Actor}}
		_, rewrites := domain.AsRewrite(e)
		bears = bears || rewrites || state.IsLate(HappenedOn(e, news[i].Meta))
	}
	if !bears {
		return events, nil
	}
	history, _, err := a.load(ctx, id, Version{})
	if err != nil {
		return nil, err
	}
	follow, err := state.Hindsight(domain.Effective(history), domain.Effective(slices.Concat(history, news)), HappenedOn, x, because)
	return append(events, follow...), err
}

// eventID returns the id of a request's i-th event. It is the same however often
// the store is asked to append it, and another one when the command is sent
// again: a store takes an id it holds for the answer that was lost, so an id
// must never stand for two bodies. That a command was carried out before is
// found by its command id.
func eventID(r Request, at time.Time, i int) uuid.UUID {
	return uuid.NewSHA1(r.Command, fmt.Appendf(nil, "%d %d %s", i, at.UnixMicro(), r.Digest))
}

// acquire returns the aggregate's place in memory, with its mutex locked.
func (a *Aggregates[S, E]) acquire(id uuid.UUID) *folded[S] {
	a.mu.Lock()
	f, ok := a.folded.Get(id)
	if !ok {
		f = &folded[S]{state: a.empty(id), done: map[uuid.UUID]done{}}
		a.folded.Add(id, f)
	}
	a.mu.Unlock()
	f.mu.Lock()
	return f
}

// forget empties f, so that the next command reads the whole stream.
func (a *Aggregates[S, E]) forget(id uuid.UUID, f *folded[S]) {
	f.state, f.version, f.done = a.empty(id), Version{}, map[uuid.UUID]done{}
}

// catchUp folds in what the stream holds beyond f's version.
func (a *Aggregates[S, E]) catchUp(ctx context.Context, id uuid.UUID, f *folded[S]) error {
	news, version, err := a.load(ctx, id, f.version)
	if err != nil {
		return err
	}
	return a.fold(ctx, id, f, news, version)
}

// fold takes news into f. A correction or a void changes what came before it, so
// it calls for a fold of the whole history.
func (a *Aggregates[S, E]) fold(
	ctx context.Context, id uuid.UUID, f *folded[S], news []domain.RecordedEvent[E], version Version,
) error {
	rewritten := false
	for _, h := range news {
		_, is := domain.AsRewrite(h.Event)
		rewritten = rewritten || is
	}
	if rewritten && f.version.Count > 0 {
		all, reached, err := a.load(ctx, id, Version{})
		if err != nil {
			return err
		}
		news, version = all, reached
		a.forget(id, f)
	}
	domain.Fold(f.state, news)
	for _, h := range news {
		if h.Meta.Digest == "" {
			continue // sent without a key, so nobody can send it again
		}
		d := f.done[h.Meta.Command]
		f.done[h.Meta.Command] = done{h.Meta.Digest, append(d.events, domain.RecordedEvent[domain.Event]{Meta: h.Meta, Event: h.Event})}
	}
	f.version = version
	return nil
}

func (a *Aggregates[S, E]) load(ctx context.Context, id uuid.UUID, after Version) (_ []domain.RecordedEvent[E], _ Version, err error) {
	ctx, end := Span(ctx, "load "+a.kind)
	defer func() { end(err) }()
	recorded, version, err := a.store.Load(ctx, Stream{a.kind, id}, after)
	if err != nil {
		return nil, Version{}, err
	}
	history := make([]domain.RecordedEvent[E], len(recorded))
	for i, r := range recorded {
		d, err := Decode(r.Body)
		if err != nil {
			return nil, Version{}, err
		}
		if history[i], err = HappenedIn[E](d); err != nil {
			return nil, Version{}, fmt.Errorf("eventstore: load %s %s: %w", a.kind, id, err)
		}
	}
	return history, version, nil
}
