package lab

import (
	"slices"

	"github.com/jointlab/jointlab/domain"
)

// Readiness is what one next step of a lab asks on a day, without taking it.
type Readiness struct {
	Command  string           `json:"command" doc:"The command that takes the step"`
	To       Status           `json:"to" doc:"The status it leads to"`
	Ready    bool             `json:"ready" doc:"Whether every rule is met and the day is possible"`
	Findings []domain.Finding `json:"findings" doc:"Every rule of the step, met or not"`
	Earliest domain.Date      `json:"earliest,omitzero" doc:"The first day it could be taken, where only time is missing"`
}

// Readiness judges every step that can follow the lab's status, on a day, by
// the rules the commands themselves run: those of the programme it is in, for
// whoever acts. A step is ready exactly when its command, sent by them on that
// day with valid input, is accepted.
func (l *Lab) Readiness(p domain.Programme, actor domain.Actor, on domain.Date) []Readiness {
	judge := func(on domain.Date, ids []string) []domain.Finding {
		return JudgeUnder(Under{p.PolicyOn(on), actor}, l, on, ids...)
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
