package lab

import (
	"slices"

	"github.com/jointlab/jointlab/domain"
)

// Readiness is the judgement of a possible next step of a lab on a day.
type Readiness struct {
	Command  string           `json:"command" doc:"The command that takes the step"`
	To       Status           `json:"to" doc:"The status it leads to"`
	Ready    bool             `json:"ready" doc:"Whether every rule is met and the day is possible"`
	Findings []domain.Finding `json:"findings" doc:"Every rule of the step, met or not"`
	Earliest domain.Date      `json:"earliest,omitzero" doc:"The first day it could be taken, where only time is missing"`
}

// Readiness returns the judgement of every step that can follow the lab's status
// on a day, under a programme and for an actor. It runs the rules that the
// commands run: a step is ready exactly when its command, sent by the actor on
// that day with valid input, is accepted.
func (l *Lab) Readiness(p domain.Programme, actor domain.Actor, on domain.Date) []Readiness {
	judge := func(on domain.Date, ids []string) []domain.Finding {
		return JudgeUnder(RuleContext{p.PolicyOn(on), actor}, l, on, ids...)
	}
	var steps []Readiness
	for _, s := range Steps {
		if !slices.Contains(s.From, l.Status) {
			continue
		}
		r := Readiness{Command: s.Command, To: s.To, Ready: true, Findings: judge(on, s.Rules)}
		if since := l.StatusSince.Earliest(); l.Status != StatusProposed && on.Before(since) {
			r.Ready, r.Earliest = false, since
		}
		for _, f := range r.Findings {
			if !f.Met {
				r.Ready, r.Earliest = false, domain.Later(r.Earliest, f.Earliest)
			}
		}
		// Waiting helps only if every rule is met on that day.
		if r.Ready || r.Earliest.Before(on) || domain.Unmet(judge(r.Earliest, s.Rules)) != nil {
			r.Earliest = domain.Date{}
		}
		steps = append(steps, r)
	}
	return steps
}

// Decision is a step that was taken, judged again.
type Decision struct {
	Step     Step
	On       domain.Date
	Findings []domain.Finding // every rule of the step on that day
}

// Rejudge returns the decision of the step that an event records, judged again.
// The lab has the state before the event and p is the programme as it was on
// record then. is reports whether the event is a step; HistoryRecorded is none.
// err tells why the step does not follow from the state and the rules.
func (l *Lab) Rejudge(h domain.RecordedEvent[Event], p domain.Programme) (d Decision, is bool, err error) {
	t, is := h.Event.(interface{ transition() Transition })
	if !is {
		return d, false, nil
	}
	took := t.transition()
	d.On = took.On
	i := slices.IndexFunc(Steps, func(s Step) bool {
		return s.records(h.Event) && s.To == took.To && slices.Contains(s.From, took.From)
	})
	if i < 0 || took.From != l.Status {
		return d, true, domain.Reject(domain.State, "实验室当时为“%s”，不能由“%s”转为“%s”", "the lab was “%s”, and cannot have gone from “%s” to “%s”", l.Status, took.From, took.To)
	}
	policy := p.PolicyOn(d.On)
	d.Step, d.Findings = Steps[i], JudgeUnder(RuleContext{policy, h.Meta.Actor}, l, d.On, Steps[i].Rules...)
	switch {
	case d.On.After(domain.DateOf(h.Meta.Time)):
		err = domain.Reject(domain.State, "记录之日 %s 尚未到来", "on the day it was recorded, %s was in the future", d.On)
	case h.Meta.Policy != "" && h.Meta.Policy != policy.Document:
		err = domain.Reject(domain.State, "当日施行的是 %s，而非 %s", "%s was in force that day, not %s", policy.Document, h.Meta.Policy)
	default:
		err = domain.Unmet(d.Findings)
	}
	return d, true, err
}
