package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// Watch is a term that is about to lapse or has lapsed. Watches follow from the
// record and a date alone; nobody has to record that time passed.
type Watch struct {
	Kind    string      `json:"kind" doc:"agreement-expires, construction-ends, rectification-due, item-overdue, instalment-late, plan-ends, support-overdue, visit-owed, director-vacant, term-ends, evaluation-due or decision-unsupported"`
	Subject string      `json:"subject" doc:"What it is about: A1, R3, F2, T1, or the lab's own date"`
	Due     domain.Date `json:"due" doc:"The day it lapses, or lapsed"`
	Lapsed  bool        `json:"lapsed" doc:"Whether that day has passed"`
	Text    domain.Text `json:"text" doc:"What to see to"`
}

// watching gathers the watches of one lab.
type watching struct {
	on, until domain.Date
	found     []Watch
}

// add adds a watch that is due by w.until.
func (w *watching) add(kind, subject string, due domain.Date, zh, en string, args ...any) {
	if due.IsZero() || due.After(w.until) {
		return
	}
	w.found = append(w.found, Watch{
		Kind: kind, Subject: subject, Due: due, Lapsed: due.Before(w.on),
		Text: domain.Textf(zh, en, args...),
	})
}

// Watches returns what lapses under a policy within ahead days of a day, or has
// lapsed by then and is not settled, earliest first. A lab that has ended has none.
func (l *Lab) Watches(p domain.Policy, on domain.Date, ahead int) []Watch {
	if l.Status == "" {
		return nil
	}
	w := watching{on: on, until: on.AddDays(ahead)}
	for _, u := range l.Unsupported {
		w.add("decision-unsupported", u.Decision.String(), u.On, "%[2]s 的步骤 %[1]s 按现已知的情况不再符合条件：%[3]s",
			"On what is known now, the step %s of %s does not meet its rules: %s", u.Step, u.On, strings.Join(u.Rules, ", "))
	}
	if l.Status.Final() {
		return w.found
	}
	for i := range l.Agreements {
		a := &l.Agreements[i]
		if st := a.StatusOn(on); st == InForce || st == Expired {
			w.add("agreement-expires", a.ID, a.Term.To, "协议 %s“%s”的有效期至 %s", "Agreement %s “%s” holds until %s", a.ID, a.Title, a.Term.To)
		}
	}
	switch l.Status {
	case StatusConstruction:
		end := l.Construction.To.Latest()
		w.add("construction-ends", "construction", end, "建设期至 %s 届满，届满后可申请验收", "Construction ends on %s; acceptance can be applied for then", end)
	case StatusRectifying:
		w.add("rectification-due", "rectification", l.RectifyBy, "整改期限为 %s", "Rectification is due on %s", l.RectifyBy)
	}
	w.evaluation(l, p)
	for i := range l.Rights {
		if it := &l.Rights[i]; it.State == Open || it.State == Breached {
			w.add("item-overdue", it.ID, it.Due, "%[2]s 的“%[3]s”%[1]s 应于 %[4]s 前履行：%[5]s", "%[3]s %[1]s of %[2]s is due on %[4]s: %[5]s", it.ID, it.Party.Name, it.Kind, it.Due, it.Text)
		}
	}
	for i := range l.Commitments {
		f := &l.Commitments[i]
		if f.Closed != "" {
			continue
		}
		for _, s := range f.LateOn(w.until.AddDays(1)) {
			w.add("instalment-late", f.ID, s.Due, "%[2]s 的承诺 %[1]s 应于 %[3]s 到位 %[4]s", "%[2]s owes %[4]s under commitment %[1]s by %[3]s", f.ID, f.Party.Name, s.Due, s.Quantity)
		}
	}
	if p := l.planOn(on); p != nil {
		end := domain.NewDate(p.ToYear, 12, 31)
		w.add("plan-ends", "plan", end, "整体实施方案第 %d 版至 %s 结束", "Version %d of the implementation plan ends on %s", p.Version, end)
	}
	for i := range l.Support {
		if m := &l.Support[i]; m.Delivered.IsZero() {
			w.add("support-overdue", m.ID, m.Due, "%[2]s 承诺的支持 %[1]s 应于 %[3]s 前落实：%[4]s", "Support %[1]s promised by %[2]s is due on %[3]s: %[4]s", m.ID, m.Provider.Name, m.Due, m.Text)
		}
	}
	if l.Status != StatusProposed { // before incubation a lab owes neither visits nor directors
		w.visits(l)
		w.posts(l)
	}
	slices.SortStableFunc(w.found, func(a, b Watch) int { return a.Due.Compare(b.Due) })
	return w.found
}

// since returns the day from which a lab owes visits and directors: the beginning
// of incubation or, where that is not recorded, of the status.
func (l *Lab) since() domain.Date {
	if l.Incubation.IsZero() {
		return l.StatusSince.Latest()
	}
	return l.Incubation.Latest()
}

// visits adds each whole year since incubation began in which a party sent no
// young teacher (C41). The present year is included where it ends by w.until.
func (w *watching) visits(l *Lab) {
	by := w.until.AddDays(1)
	if next := domain.NewDate(w.on.Year()+1, 1, 1); by.After(next) {
		by = next // the visits of years to come are not owed yet
	}
	owed, _ := l.VisitsOwed(by)
	for _, o := range owed {
		if !domain.NewDate(o.Year, 1, 1).Before(l.since()) {
			w.add("visit-owed", fmt.Sprint(o.Year), domain.NewDate(o.Year, 12, 31), "%[2]d 年没有%[1]s青年教师赴对方机构交流访问的记录", "No young teacher of %[1]s is on record as visiting the other side in %[2]d", o.Party.Name, o.Year)
		}
	}
}

// posts adds the vacant director posts and the terms of members that end (C49).
func (w *watching) posts(l *Lab) {
	for _, side := range []domain.Side{domain.Chinese, domain.Foreign} {
		since, held := l.since(), false
		for i := range l.Members {
			m := &l.Members[i]
			if m.Kind != DirectorPost || m.Side != side {
				continue
			}
			held = held || m.InOffice(w.on)
			if last := m.held().To; !last.IsZero() && last.Before(w.on) {
				since = domain.Later(since, last.AddDays(1))
			}
		}
		if !held {
			w.add("director-vacant", string(side), since, "%[2]s 起没有%[1]s负责人在任", "No %[1]s director has been in office since %[2]s", sideText(side), since)
		}
	}
	for i := range l.Members {
		if m := &l.Members[i]; m.InOffice(w.on) {
			last := m.held().To
			w.add("term-ends", m.ID, last, "%[2]s（%[1]s）的任期至 %[3]s 结束", "The term of %[1]s (%[2]s) ends on %[3]s", m.ID, m.Kind, last)
		}
	}
}
