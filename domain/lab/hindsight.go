package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Unsupported is a step that was taken, and that its rules do not allow on what is
// known now.
type Unsupported struct {
	Decision uuid.UUID   `json:"decision" doc:"The status event that took the step"`
	Step     string      `json:"step" doc:"The command that took it, e.g. submit-application" zh:"步骤" en:"step"`
	On       domain.Date `json:"on" doc:"The day of the step"`
	Rules    []string    `json:"unmet" doc:"The rules that are not met on what is known now, e.g. C62" zh:"未满足的条件" en:"rules not met"`
	Of
}

// Hindsight is a step that was taken, judged on what is known now.
type Hindsight struct {
	Decision
	Event domain.RecordedEvent[Event]
	Of    Of   // the review it belongs to
	Fits  bool // the step follows from the status before it
}

// Unmet returns the ids of the rules that are not met.
func (h Hindsight) Unmet() (rules []string) {
	for _, f := range h.Findings {
		if !f.Met {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// DayOf returns the day an event happened in the world; zero where it has none.
type DayOf = func(domain.Event, domain.Meta) domain.Date

// Review judges each step of a lab's history again on what is known now. The
// history is effective: corrections and voids are applied. What was recorded later
// counts for a step too, where it is of an earlier day. Each step is judged
// under the policy it was taken under, as p has that policy now.
func Review(id uuid.UUID, effective []domain.RecordedEvent[Event], day DayOf, p domain.Programme) (steps []Hindsight) {
	days := make([]domain.Date, len(effective))
	for i, h := range effective {
		days[i] = day(h.Event, h.Meta)
	}
	l := New(id)
	for i, h := range effective {
		if t, ok := h.Event.(interface{ transition() Transition }); ok {
			before := l
			if late := lateFor(effective, days, i, t.transition().On); len(late) > 0 {
				before = New(id)
				for _, e := range append(slices.Clone(effective[:i]), late...) {
					before.Apply(e)
				}
			}
			steps = append(steps, before.review(h, t.transition(), p))
		}
		l.Apply(h)
	}
	return steps
}

// lateFor returns what was recorded after the i-th event and happened before a day,
// as far as it names nothing that was recorded after that event otherwise.
func lateFor(effective []domain.RecordedEvent[Event], days []domain.Date, i int, on domain.Date) (late []domain.RecordedEvent[Event]) {
	var unknown []string // what later events make that do not count
	for j, h := range effective[i+1:] {
		d := days[i+1+j]
		counts := !d.IsZero() && d.Before(on) && h.Event.subject().review == (Of{})
		if _, step := h.Event.(interface{ transition() Transition }); step {
			counts = false
		}
		if counts && !slices.ContainsFunc(unknown, func(id string) bool { return names(h.Event, id) }) {
			late = append(late, h)
		} else if id, _ := made(h.Event); id != "" {
			unknown = append(unknown, id)
		}
	}
	return late
}

// review judges a step from this state.
func (l *Lab) review(h domain.RecordedEvent[Event], took Transition, p domain.Programme) Hindsight {
	r := Hindsight{Event: h, Of: l.Reviewed(), Decision: Decision{On: took.On}}
	i := slices.IndexFunc(Steps, func(s Step) bool { return s.records(h.Event) && s.To == took.To && slices.Contains(s.From, took.From) })
	if r.Fits = i >= 0 && took.From == l.Status; !r.Fits {
		return r
	}
	policy := p.PolicyOn(took.On)
	for _, q := range append(slices.Clone(p.Policies), domain.BuiltIn) {
		if q.Document == h.Meta.Policy {
			policy = q
			break
		}
	}
	r.Step = Steps[i]
	r.Findings = JudgeUnder(RuleContext{policy, h.Meta.Actor}, l, took.On, r.Step.Rules...)
	return r
}

// IsLate reports whether something of a day may bear on a step that was taken.
func (l *Lab) IsLate(day domain.Date) bool {
	if day.IsZero() || len(l.Moves) == 0 {
		return false
	}
	return day.Before(l.Moves[len(l.Moves)-1].On.Latest())
}

// Hindsight returns the events by which the lab records which of its steps its
// rules no longer allow, and which they allow again. before and after are its
// effective histories without and with what a command is about to record. It refuses
// where a step loses its support that the command does not acknowledge.
func (l *Lab) Hindsight(before, after []domain.RecordedEvent[Event], day DayOf, x domain.Context, because domain.Grounds) ([]Event, error) {
	known := map[uuid.UUID][]string{}
	for _, s := range Review(l.ID, before, day, x.Programme) {
		known[s.Event.Meta.ID] = s.Unmet()
	}
	var events []Event
	var missing []Hindsight
	unsupported := map[uuid.UUID]bool{}
	for _, s := range Review(l.ID, after, day, x.Programme) {
		id, rules := s.Event.Meta.ID, s.Unmet()
		recorded := l.unsupported(id)
		if recorded != nil && len(rules) > 0 {
			unsupported[id] = true
		}
		if len(rules) == 0 || recorded != nil && includes(recorded.Rules, rules) || recorded == nil && includes(known[id], rules) {
			continue
		}
		unsupported[id] = true
		if !slices.Contains(because.Acknowledge, id) {
			missing = append(missing, s)
		}
		events = append(events, DecisionQuestioned{Unsupported{id, s.Step.Command, s.On, rules, s.Of}})
	}
	if missing != nil {
		return nil, l.unacknowledged(missing, x.Actor)
	}
	for _, u := range l.Unsupported {
		if !unsupported[u.Decision] {
			events = append(events, DecisionSettled{u.Decision, u.Step, u.On, u.Of})
		}
	}
	return events, nil
}

func includes(have, want []string) bool {
	return !slices.ContainsFunc(want, func(id string) bool { return !slices.Contains(have, id) })
}

// unsupported returns what is on record of a step that lost its support, or nil.
func (l *Lab) unsupported(decision uuid.UUID) *Unsupported {
	i := slices.IndexFunc(l.Unsupported, func(u Unsupported) bool { return u.Decision == decision })
	if i < 0 {
		return nil
	}
	return &l.Unsupported[i]
}

// unacknowledged refuses what takes the support from steps, and lists them with
// what their rules find now, as far as the actor may read it.
func (l *Lab) unacknowledged(steps []Hindsight, a domain.Actor) error {
	secrecy, who := l.Secrecy(), l.Readers(a)
	r := &domain.Rejection{Kind: domain.Refused}
	var zh, en []string
	for _, s := range steps {
		sentence := s.Event.Event.Sentence()
		zh = append(zh, fmt.Sprintf("%s（%s：%s）", sentence.Chinese(), s.Event.Meta.ID, strings.Join(s.Unmet(), "、")))
		en = append(en, fmt.Sprintf("%s (%s: %s)", sentence.English(), s.Event.Meta.ID, strings.Join(s.Unmet(), ", ")))
		r.Decisions = append(r.Decisions, s.Event.Meta.ID)
		shown, _ := secrecy.Findings(s.Findings, s.Of, who)
		for i, f := range shown {
			if !s.Findings[i].Met {
				f.Met = false
				r.Findings = append(r.Findings, f)
			}
		}
	}
	r.Detail = domain.Textf("登记之后，以下 %d 项已作出的决定不再符合条件：%s。如内容属实，请以 acknowledge 列出这些事件后重新提交；该情况将予登记并提示，直至处理完毕",
		"after this entry, %d steps that were taken no longer meet their rules: %s. If the entry is true, send it again with these events in acknowledge; it is then recorded and shown until it is settled",
		len(steps), domain.T(strings.Join(zh, "；"), strings.Join(en, "; ")))
	return r
}

// DecisionQuestioned records that a step does not meet its rules on what is known
// since a correction, a void or a late entry, which acknowledged it.
type DecisionQuestioned struct{ Unsupported }

// Sentence returns the event in words.
func (e DecisionQuestioned) Sentence() domain.Text {
	return domain.Textf("%[2]s 的步骤 %[1]s 按现已知的情况不再符合条件：%[3]s", "On what is known now, the step %s of %s does not meet its rules: %s",
		e.Step, e.On, strings.Join(e.Rules, ", "))
}

// subject is that of what a review finds, where a rule of it judges a review.
func (e DecisionQuestioned) subject() subject {
	if slices.ContainsFunc(e.Rules, func(id string) bool { _, ok := judgedFrom[id]; return ok }) {
		return subject{class: Found, review: e.Of}
	}
	return public
}

func (e DecisionQuestioned) apply(l *Lab, _ domain.Meta) {
	kept := slices.DeleteFunc(slices.Clone(l.Unsupported), func(u Unsupported) bool { return u.Decision == e.Decision })
	l.Unsupported = append(kept, e.Unsupported)
}

// DecisionSettled records that a step that was questioned meets its rules again, or
// counts no more.
type DecisionSettled struct {
	Decision uuid.UUID   `json:"decision"`
	Step     string      `json:"step"`
	On       domain.Date `json:"on"`
	Of
}

// Sentence returns the event in words.
func (e DecisionSettled) Sentence() domain.Text {
	return domain.Textf("%[2]s 的步骤 %[1]s 不再存疑", "The step %s of %s is no longer in question", e.Step, e.On)
}

func (DecisionSettled) subject() subject { return public }

func (e DecisionSettled) apply(l *Lab, _ domain.Meta) {
	l.Unsupported = slices.DeleteFunc(slices.Clone(l.Unsupported), func(u Unsupported) bool { return u.Decision == e.Decision })
}
