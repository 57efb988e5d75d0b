package lab

import (
	"slices"

	"github.com/jointlab/jointlab/domain"
)

// Watch is something that is about to lapse, or has lapsed. Watches follow from
// what is recorded and a date alone; nobody has to record that time passed.
type Watch struct {
	Kind    string      `json:"kind" doc:"agreement-expires, construction-ends, rectification-due, item-overdue, task-overdue, instalment-late or plan-ends"`
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

// add keeps what is due by the end of the time looked ahead.
func (w *watching) add(kind, subject string, due domain.Date, zh, en string, args ...any) {
	if due.IsZero() || due.After(w.until) {
		return
	}
	w.found = append(w.found, Watch{kind, subject, due, due.Before(w.on), domain.Textf(zh, en, args...)})
}

// Watches lists what lapses within so many days of a day, or has lapsed by
// then and was not mended, earliest first. A lab that has ended has none.
func (l *Lab) Watches(on domain.Date, ahead int) []Watch {
	if l.Status == "" || l.Status.Final() {
		return nil
	}
	w := watching{on: on, until: on.AddDays(ahead)}
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
	slices.SortStableFunc(w.found, func(a, b Watch) int { return a.Due.Compare(b.Due) })
	return w.found
}
