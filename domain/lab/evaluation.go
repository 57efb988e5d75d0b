package lab

import "github.com/jointlab/jointlab/domain"

// Evaluation is a periodic evaluation of a recognised lab. 教技〔2014〕1号 sets no
// cycle; a later policy may (domain.Terms.EvaluationYears). The lab's status stays
// as it is until a decision changes it.
type Evaluation struct {
	No       int         `json:"no"`
	On       domain.Date `json:"on"`
	Result   domain.Text `json:"result"`
	Document string      `json:"document"`
	Entry
}

// RecordEvaluation records the result of an evaluation of a recognised lab.
type RecordEvaluation struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day it was concluded"`
	Result   domain.Text `json:"result" doc:"What it found"`
	Document string      `json:"document" doc:"Digest of its report"`
}

// Decide refuses an evaluation of a lab that is not recognised, and one before
// the last.
func (s RecordEvaluation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusOperating, StatusSuspended); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	last := l.lastEvaluated()
	notBefore(&c, s.On, last, "不能早于认定或上次评估之日 %s", "it cannot come before recognition or the last evaluation, on %s", last)
	c.Text("result", s.Result)
	c.Digest("document", s.Document, false)
	return one(EvaluationRecorded{Dated{s.On}, len(l.Reviews.Evaluations) + 1, s.Result, s.Document}, c.Err())
}

// EvaluationRecorded records the result of an evaluation of a recognised lab.
type EvaluationRecorded struct {
	Dated
	No       int         `json:"no"`
	Result   domain.Text `json:"result"`
	Document string      `json:"document"`
}

// Sentence returns the event in words.
func (e EvaluationRecorded) Sentence() domain.Text {
	return domain.Textf("%s 完成第 %d 次评估：%s", "On %s evaluation %d was concluded: %s", e.On, e.No, e.Result)
}

func (EvaluationRecorded) subject() subject { return public }

func (e EvaluationRecorded) apply(l *Lab, m domain.Meta) {
	l.Reviews.Evaluations = append(l.Reviews.Evaluations, Evaluation{
		No: e.No, On: e.On, Result: e.Result, Document: e.Document, Entry: entryOf(m),
	})
}

// lastEvaluated returns the day of the last evaluation or, before the first, of recognition.
func (l *Lab) lastEvaluated() domain.Date {
	if n := len(l.Reviews.Evaluations); n > 0 {
		return l.Reviews.Evaluations[n-1].On
	}
	return l.StatusSince.Earliest()
}

// evaluation adds the next evaluation of a recognised lab where the policy has
// a cycle.
func (w *watching) evaluation(l *Lab, p domain.Policy) {
	if l.Status != StatusOperating || p.EvaluationYears == 0 {
		return
	}
	due := l.lastEvaluated().AddYears(p.EvaluationYears)
	w.add("evaluation-due", "evaluation", due, "按 %[1]s 每 %[2]d 年评估一次，下次评估应于 %[3]s 前完成", "%s asks for an evaluation every %d years; the next is due on %s", p.Document, p.EvaluationYears, due)
}
