package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// StageGoal is what construction is to reach by a day (C71).
type StageGoal struct {
	ID    string      `json:"id"` // H1, H2 …
	Text  domain.Text `json:"text"`
	Due   domain.Date `json:"due"`
	Event uuid.UUID   `json:"event"`
}

// StageAssessment is the host's own assessment during construction (C71).
type StageAssessment struct {
	On       domain.Date  `json:"on"`
	Goals    []GoalResult `json:"goals,omitempty" zh:"目标" en:"goal"`
	Summary  domain.Text  `json:"summary"`
	Document string       `json:"document"`
	Event    uuid.UUID    `json:"event"`
}

// GoalResult is how far a goal was reached.
type GoalResult struct {
	Goal    string      `json:"goal" maxLength:"10" doc:"e.g. H1" zh:"目标" en:"goal"`
	Reached bool        `json:"reached" doc:"Whether it was reached" zh:"已达到" en:"reached"`
	Text    domain.Text `json:"text,omitzero" doc:"How far"`
}

// Acceptance is one application for acceptance, from its document to its
// decision. Rectification and a second chance lead to another one.
type Acceptance struct {
	No         int               `json:"no"`
	Follows    int               `json:"follows,omitzero"`
	On         domain.Date       `json:"on,omitzero"`
	Standard   SystemRef         `json:"standard,omitzero" zh:"标准" en:"standard"`
	Document   string            `json:"document,omitempty"`
	Delegate   *domain.EntityRef `json:"delegate,omitempty" zh:"委托" en:"delegation"`   // the agency that organises the peers
	Delegation string            `json:"delegation,omitempty" zh:"委托" en:"delegation"` // digest of its mandate
	Panel
	Cells   []AcceptanceCell `json:"cells,omitempty" zh:"评估格" en:"assessment"`
	Outcome Outcome          `json:"outcome,omitempty"` // empty: not decided
	Decided domain.Date      `json:"decided,omitzero"`
	Entry
}

// Axis is one of the two that each dimension is judged on (C75).
type Axis string

// Axes are the two: 能力水平 and 国际化程度.
var Axes = []Axis{"level", "internationalisation"}

// Text returns the axis in both languages.
func (a Axis) Text() domain.Text { return reviewWords[string(a)] }

// AcceptanceCell is what peers found in one dimension on one axis, and on which facts.
type AcceptanceCell struct {
	Dimension domain.Dimension `json:"dimension"`
	Axis      Axis             `json:"axis" zh:"评估轴" en:"axis"`
	On        domain.Date      `json:"on"`
	Text      domain.Text      `json:"text"`
	Facts     []CellFact       `json:"facts"`
	Event     uuid.UUID        `json:"event"`
}

// CellFact is a dated fact that a judgement rests on.
type CellFact struct {
	On       domain.Date `json:"on" doc:"When it happened; inside the construction period"`
	Text     domain.Text `json:"text" doc:"What happened"`
	Evidence string      `json:"evidence,omitempty" doc:"Digest of what shows it"`
}

// acceptance returns the last application for acceptance, or nil.
func (l *Lab) acceptance() *Acceptance {
	if n := len(l.Reviews.Acceptances); n > 0 {
		return &l.Reviews.Acceptances[n-1]
	}
	return nil
}

// accepting returns the last application for acceptance, begun where a source gave
// the lab's status and there is none.
func (l *Lab) accepting() *Acceptance {
	if l.acceptance() == nil {
		l.Reviews.Acceptances = append(l.Reviews.Acceptances, Acceptance{No: 1})
	}
	return l.acceptance()
}

func (l *Lab) acceptanceDecided(o Outcome, t Transition) {
	a := l.accepting()
	a.Outcome, a.Decided, a.OpinionsTo = o, t.On, t.OpinionsTo
}

// SetStageGoal sets what construction is to reach by a day (C71).
type SetStageGoal struct {
	domain.Grounds
	Text domain.Text `json:"text" doc:"The goal"`
	Due  domain.Date `json:"due" doc:"By when"`
}

// Decide refuses a goal without a day.
func (g SetStageGoal) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.during(StatusConstruction); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("text", g.Text)
	c.Given("due", g.Due)
	return one(StageGoalSet{l.number("H", len(l.Reviews.Goals)), g.Text, g.Due}, c.Err())
}

// StageGoalSet records what construction is to reach by a day.
type StageGoalSet struct {
	Goal string      `json:"goal"`
	Text domain.Text `json:"text"`
	Due  domain.Date `json:"due"`
}

// Sentence returns the event in words.
func (e StageGoalSet) Sentence() domain.Text {
	return domain.Textf("设定阶段目标 %s，期限 %s：%s", "Set the stage goal %s, due on %s: %s", e.Goal, e.Due, e.Text)
}

func (StageGoalSet) subject() subject { return public }

func (e StageGoalSet) apply(l *Lab, m domain.Meta) {
	l.Reviews.Goals = append(l.Reviews.Goals, StageGoal{e.Goal, e.Text, e.Due, m.ID})
}

// HoldStageAssessment records the host's assessment during construction (C71).
type HoldStageAssessment struct {
	domain.Grounds
	On       domain.Date  `json:"on" doc:"The day it was held"`
	Goals    []GoalResult `json:"goals,omitempty" maxItems:"100" doc:"How far each goal was reached"`
	Summary  domain.Text  `json:"summary" doc:"What it found"`
	Document string       `json:"document" doc:"Digest of the assessment"`
}

// Decide refuses a goal that was not set.
func (s HoldStageAssessment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusConstruction, StatusRectifying, StatusNotPassed); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	notBefore(&c, s.On, l.Construction.From.Earliest(), "不能早于建设期的开始日 %s", "it cannot come before construction began, on %s", l.Construction.From)
	for i, g := range s.Goals {
		c.Require(slices.ContainsFunc(l.Reviews.Goals, func(k StageGoal) bool { return k.ID == g.Goal }), fmt.Sprintf("goals[%d].goal", i), "没有阶段目标 %s", "there is no stage goal %s", g.Goal)
	}
	c.Text("summary", s.Summary)
	c.Digest("document", s.Document, false)
	return one(StageAssessmentHeld{Dated{s.On}, s.Goals, s.Summary, s.Document}, c.Err())
}

// StageAssessmentHeld records the host's assessment during construction.
type StageAssessmentHeld struct {
	Dated
	Goals    []GoalResult `json:"goals,omitempty"`
	Summary  domain.Text  `json:"summary"`
	Document string       `json:"document"`
}

// Sentence returns the event in words.
func (e StageAssessmentHeld) Sentence() domain.Text {
	s := domain.Textf("%s 依托单位开展阶段性评估：%s", "On %s the host held a stage assessment: %s", e.On, e.Summary)
	for _, g := range e.Goals {
		reached := domain.T("未达成", "not reached")
		if g.Reached {
			reached = domain.T("已达成", "reached")
		}
		s = domain.Textf("%s；目标 %s %s", "%s; goal %s %s", s, g.Goal, reached)
	}
	return s
}

func (StageAssessmentHeld) subject() subject { return public }

func (e StageAssessmentHeld) apply(l *Lab, m domain.Meta) {
	l.Reviews.Stages = append(l.Reviews.Stages, StageAssessment{
		On: e.On, Goals: e.Goals, Summary: e.Summary, Document: e.Document, Event: m.ID,
	})
}

// ApplyForAcceptance asks for acceptance and recognition (C73).
type ApplyForAcceptance struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day of the application"`
	Standard string      `json:"standard" maxLength:"100" doc:"Version of the acceptance standard it is made by"`
	Document string      `json:"document" doc:"Digest of the application"`
}

// Decide refuses before the construction period is over, unless the decision
// allows it, and after a failed acceptance unless that decision allows another.
func (s ApplyForAcceptance) Decide(l *Lab, x domain.Context) ([]Event, error) {
	standard, ok := x.Programme.System(domain.ForAcceptance, s.Standard)
	t, err := l.move(x, "apply-for-acceptance", s.On, func(c *domain.Check) {
		c.Require(ok && standard.Effective.Contains(s.On), "standard", "当日没有施行中的验收标准第 %s 版", "no version %q of the acceptance standard is in force that day", s.Standard)
		c.Digest("document", s.Document, false)
	})
	if err != nil {
		return nil, err
	}
	return []Event{AcceptanceApplied{t, s.Document, len(l.Reviews.Acceptances) + 1, refTo(standard)}}, nil
}

// AcceptanceApplied records an application for acceptance.
type AcceptanceApplied struct {
	Transition
	Document   string    `json:"document"`
	Acceptance int       `json:"acceptance,omitzero"`
	Standard   SystemRef `json:"standard,omitzero"`
}

// Sentence returns the event in words.
func (e AcceptanceApplied) Sentence() domain.Text {
	var by domain.Text
	if e.Standard.Version != "" {
		by = domain.Textf("验收标准第 %s 版“%s”", "by version %s of the standard, “%s”", e.Standard.Version, e.Standard.Title)
	}
	return e.sentence("提出验收认定申请", "the lab applied for acceptance", by)
}

func (e AcceptanceApplied) subject() subject {
	return subject{class: Public, documents: Submitted, review: Of{Acceptance: e.Acceptance}}
}

func (e AcceptanceApplied) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	n := len(l.Reviews.Acceptances)
	l.Reviews.Acceptances = append(l.Reviews.Acceptances,
		Acceptance{No: n + 1, Follows: n, On: e.On, Standard: e.Standard, Document: e.Document, Entry: entryOf(m)})
}

// CommissionPeerEvaluation hands an acceptance to international peers (C74).
type CommissionPeerEvaluation struct {
	domain.Grounds
	On         domain.Date `json:"on" doc:"The day it was commissioned"`
	Delegate   uuid.UUID   `json:"delegate,omitzero" doc:"The agency that organises it for the ministry, if any"`
	Delegation string      `json:"delegation,omitempty" doc:"Digest of that agency's mandate"`
}

// UsesEntities names the agency.
func (s CommissionPeerEvaluation) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Delegate} }

// Decide refuses while no foreign peer is invited, and an agency without a mandate.
func (s CommissionPeerEvaluation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	var delegate *domain.EntityRef
	t, err := l.move(x, "commission-peer-evaluation", s.On, func(c *domain.Check) {
		if s.Delegate != uuid.Nil {
			ref := x.Entity(c, "delegate", s.Delegate)
			delegate = &ref
			c.Digest("delegation", s.Delegation, false)
		} else {
			c.Require(s.Delegation == "", "delegate", "请填写受委托的机构", "say which agency the mandate is for")
		}
	})
	return one(PeerEvaluationCommissioned{t, delegate, s.Delegation}, err)
}

// PeerEvaluationCommissioned records that international peers evaluate the lab.
type PeerEvaluationCommissioned struct {
	Transition
	Delegate   *domain.EntityRef `json:"delegate,omitempty"`
	Delegation string            `json:"delegation,omitempty"`
}

// Sentence returns the event in words.
func (e PeerEvaluationCommissioned) Sentence() domain.Text {
	var by domain.Text
	if e.Delegate != nil {
		by = domain.Textf("委托%s", "delegated to %s", e.Delegate.Name)
	}
	return e.sentence("组织国际同行评估", "international peer evaluation was commissioned", by)
}

func (PeerEvaluationCommissioned) subject() subject { return public }

func (e PeerEvaluationCommissioned) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	a := l.accepting()
	a.Delegate, a.Delegation = e.Delegate, e.Delegation
}

// Recognise recognises a lab that passed acceptance (C76).
type Recognise struct {
	domain.Grounds
	On          domain.Date `json:"on" doc:"The day of the decision"`
	Certificate string      `json:"certificate,omitempty" maxLength:"200" doc:"Number of the recognition document"`
}

// Decide refuses unless acceptance was passed.
func (s Recognise) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "recognise", s.On, nil)
	return one(Recognised{t, s.Certificate}, err)
}

// Recognised records that a lab that passed acceptance was recognised.
type Recognised struct {
	Transition
	Certificate string `json:"certificate,omitempty"`
}

// Sentence returns the event in words.
func (e Recognised) Sentence() domain.Text {
	var number domain.Text
	if e.Certificate != "" {
		number = domain.Textf("认定文号 %s", "document %s", e.Certificate)
	}
	return e.sentence("通过验收，获得认定", "the lab passed acceptance and was recognised", number)
}

func (Recognised) subject() subject { return public }

func (e Recognised) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	l.Certificate = e.Certificate
}

// RequireRectification gives a lab until a day to mend what peers found.
type RequireRectification struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	By     domain.Date `json:"by" doc:"Until when"`
	Ground domain.Text `json:"ground" doc:"What is to be mended"`
}

// Decide refuses a day that has passed.
func (s RequireRectification) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "require-rectification", s.On, func(c *domain.Check) {
		c.Require(s.By.After(s.On), "by", "整改期限应晚于决定日", "the day to mend it by must come after the decision")
		c.Text("ground", s.Ground)
	})
	return one(RectificationRequired{t, s.By, s.Ground}, err)
}

// RectificationRequired records what a lab is to mend and by when.
type RectificationRequired struct {
	Transition
	By     domain.Date `json:"by"`
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e RectificationRequired) Sentence() domain.Text {
	return e.sentence("要求限期整改", "rectification was required", domain.Textf("期限 %s，%s", "by %s, %s", e.By, e.Ground))
}

func (RectificationRequired) subject() subject { return public }

func (e RectificationRequired) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	l.RectifyBy = e.By
	l.acceptanceDecided(ToRectify, e.Transition)
}

// DecideNotPassed records that a lab did not pass acceptance (C29).
type DecideNotPassed struct {
	domain.Grounds
	On         domain.Date `json:"on" doc:"The day of the decision"`
	Ground     domain.Text `json:"ground" doc:"Why"`
	MayReapply bool        `json:"may_reapply,omitzero" doc:"Whether the lab may apply for acceptance again"`
}

// Decide refuses a decision without a ground.
func (s DecideNotPassed) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "decide-not-passed", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(AcceptanceNotPassed{t, s.Ground, s.MayReapply}, err)
}

// AcceptanceNotPassed records that a lab did not pass acceptance.
type AcceptanceNotPassed struct {
	Transition
	Ground     domain.Text `json:"ground"`
	MayReapply bool        `json:"may_reapply,omitzero"`
}

// Sentence returns the event in words.
func (e AcceptanceNotPassed) Sentence() domain.Text {
	return e.sentence("验收未通过", "the lab did not pass acceptance", e.Ground)
}

func (AcceptanceNotPassed) subject() subject { return public }

func (e AcceptanceNotPassed) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	l.MayReapply = e.MayReapply
	l.acceptanceDecided(NotPassed, e.Transition)
}

// AssessCell records what peers found in one dimension on one axis (C75).
type AssessCell struct {
	domain.Grounds
	On        domain.Date      `json:"on" doc:"The day of the finding"`
	Dimension domain.Dimension `json:"dimension" enum:"discipline,research,team,training,management" doc:"学科发展、科研成果、队伍汇聚、人才培养 or 管理运行"`
	Axis      Axis             `json:"axis" enum:"level,internationalisation" doc:"能力水平 or 国际化程度"`
	Text      domain.Text      `json:"text" doc:"What was found"`
	Facts     []CellFact       `json:"facts" minItems:"1" maxItems:"200" doc:"The facts it rests on"`
}

// Decide refuses a judgement that rests on nothing, or on what happened
// outside the construction period.
func (s AssessCell) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusPeerEval); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	notBefore(&c, s.On, l.StatusSince.Earliest(), "不能早于目前状态的开始日 %s", "it cannot come before the present status began, on %s", l.StatusSince)
	c.Require(slices.Contains(domain.Dimensions, s.Dimension), "dimension", "没有这个方面", "dimension must be one of the five")
	c.Require(slices.Contains(Axes, s.Axis), "axis", "应为 level 或 internationalisation", "axis must be level or internationalisation")
	if a := l.acceptance(); a != nil {
		c.Require(a.cell(s.Dimension, s.Axis) == nil, "dimension", "已登记对“%s”%s的评估；如有笔误请登记更正", "“%s”, %s, is assessed already; correct it if it is wrong", s.Dimension, s.Axis)
	}
	c.Text("text", s.Text)
	c.Require(len(s.Facts) > 0, "facts", "请列出所依据的事实", "give the facts it rests on")
	for i, f := range s.Facts {
		at := fmt.Sprintf("facts[%d].", i)
		c.Given(at+"on", f.On)
		c.Text(at+"text", f.Text)
		c.Digest(at+"evidence", f.Evidence, true)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if missing := l.outsideConstruction(s.Facts); len(missing) > 0 {
		return nil, domain.Unmet([]domain.Finding{Rules["C75"].unmet(missing...)})
	}
	return []Event{CellAssessed{
		Dated: Dated{s.On}, Acceptance: l.Reviewed().Acceptance, Dimension: s.Dimension,
		Axis: s.Axis, Text: s.Text, Facts: s.Facts,
	}}, nil
}

// outsideConstruction names the facts that cannot count.
func (l *Lab) outsideConstruction(facts []CellFact) (missing []domain.Text) {
	from, to := l.Construction.From, l.Construction.To
	for _, f := range facts {
		if f.On.Before(from.Earliest()) || !to.IsZero() && f.On.After(to.Latest()) {
			missing = append(missing, domain.Textf("%[1]s 的事实“%[2]s”不在建设期 %[3]s 至 %[4]s 之内，不能作为依据", "what happened on %s, “%s”, lies outside the construction period, %s to %s, and cannot count", f.On, f.Text, from, to))
		}
	}
	return missing
}

func (a *Acceptance) cell(d domain.Dimension, x Axis) *AcceptanceCell {
	for i := range a.Cells {
		if a.Cells[i].Dimension == d && a.Cells[i].Axis == x {
			return &a.Cells[i]
		}
	}
	return nil
}

// CellAssessed records what peers found in one dimension on one axis.
type CellAssessed struct {
	Dated
	Acceptance int              `json:"acceptance"`
	Dimension  domain.Dimension `json:"dimension"`
	Axis       Axis             `json:"axis"`
	Text       domain.Text      `json:"text"`
	Facts      []CellFact       `json:"facts"`
}

// Sentence returns the event in words.
func (e CellAssessed) Sentence() domain.Text {
	return domain.Textf("%[1]s 评估“%[2]s”的%[3]s，依据建设期内事实 %[5]d 项：%[4]s", "On %[1]s peers assessed “%[2]s”, %[3]s, on %[5]d facts of the construction period: %[4]s", e.On, e.Dimension, e.Axis, e.Text, len(e.Facts))
}

func (e CellAssessed) subject() subject {
	return subject{class: Found, review: Of{Acceptance: e.Acceptance}}
}

func (e CellAssessed) apply(l *Lab, m domain.Meta) {
	a := l.accepting()
	a.Cells = append(a.Cells, AcceptanceCell{
		Dimension: e.Dimension, Axis: e.Axis, On: e.On, Text: e.Text, Facts: e.Facts, Event: m.ID,
	})
}

// PassAcceptance decides that a lab passed acceptance (C75, C76). Recognition
// and opening follow it.
type PassAcceptance struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day of the decision"`
}

// Decide refuses while a cell is empty or no foreign peer gave an opinion.
func (s PassAcceptance) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "pass-acceptance", s.On, nil)
	return one(AcceptancePassed{t}, err)
}

// AcceptancePassed records that a lab passed acceptance.
type AcceptancePassed struct{ Transition }

// Sentence returns the event in words.
func (e AcceptancePassed) Sentence() domain.Text {
	return e.sentence("通过验收", "the lab passed acceptance", domain.Text{})
}

// apply keeps the day on which the peers began: the status is the same.
func (AcceptancePassed) subject() subject { return public }

func (e AcceptancePassed) apply(l *Lab, m domain.Meta) {
	since := l.StatusSince
	e.moveOn(l, m, domain.Text{})
	l.StatusSince = since
	l.acceptanceDecided(Passed, e.Transition)
}

// OpenLab records the formal opening (C76).
type OpenLab struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day it opened"`
}

// Decide refuses before acceptance was passed, and a second opening.
func (s OpenLab) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "open-lab", s.On, nil)
	return one(LabOpened{t}, err)
}

// LabOpened records the formal opening of a recognised lab.
type LabOpened struct{ Transition }

// Sentence returns the event in words.
func (e LabOpened) Sentence() domain.Text {
	return e.sentence("正式开放运行", "the lab formally opened", domain.Text{})
}

// apply keeps the day of recognition: the status is the same.
func (LabOpened) subject() subject { return public }

func (e LabOpened) apply(l *Lab, m domain.Meta) {
	since := l.StatusSince
	e.moveOn(l, m, domain.Text{})
	l.StatusSince, l.Reviews.Opened = since, e.On
}

// IssueCertificate records the recognition document where it follows the decision.
type IssueCertificate struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day it was issued"`
	Number   string      `json:"number" minLength:"1" maxLength:"200" doc:"Its number"`
	Document string      `json:"document" doc:"Digest of it"`
}

// Decide refuses a certificate before recognition, and a second one.
func (s IssueCertificate) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusOperating); err != nil {
		return nil, err
	}
	if l.Certificate != "" {
		return nil, domain.Reject(domain.Exists, "认定证书 %s 已登记", "the certificate %s is on record already", l.Certificate)
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	notBefore(&c, s.On, l.StatusSince.Earliest(), "不能早于认定之日 %s", "it cannot come before recognition, on %s", l.StatusSince)
	c.Require(strings.TrimSpace(s.Number) != "", "number", "请填写证书编号", "give its number")
	c.Digest("document", s.Document, false)
	return one(CertificateIssued{Dated{s.On}, s.Number, s.Document}, c.Err())
}

// CertificateIssued records the recognition document.
type CertificateIssued struct {
	Dated
	Number   string `json:"number"`
	Document string `json:"document"`
}

// Sentence returns the event in words.
func (e CertificateIssued) Sentence() domain.Text {
	return domain.Textf("%s 颁发认定证书 %s", "On %s the certificate of recognition %s was issued", e.On, e.Number)
}

func (CertificateIssued) subject() subject { return public }

func (e CertificateIssued) apply(l *Lab, _ domain.Meta) { l.Certificate = e.Number }

// The rules of construction and acceptance.

func stageAssessed(l *Lab, on domain.Date) (r result) {
	for _, s := range l.Reviews.Stages {
		if !s.On.After(on) {
			r.proof = append(r.proof, s.Event)
		}
	}
	if len(r.proof) == 0 {
		r.lack("建设期间尚未开展阶段性评估", "no stage assessment was held during construction")
	}
	return r
}

// foreignPeers asks for a foreign peer who is invited and, once the evaluation
// is on, for the opinion of one.
func foreignPeers(l *Lab, _ domain.Date) (r result) {
	p := l.seated()
	for _, x := range p.Experts {
		if x.Side() != domain.Foreign || l.interested(x) != nil {
			continue
		}
		if l.Status != StatusPeerEval {
			r.proof = append(r.proof, x.Event)
		} else if i := slices.IndexFunc(p.Opinions, func(o Opinion) bool { return o.Expert == x.ID }); i >= 0 {
			r.proof = append(r.proof, p.Opinions[i].Event)
		}
	}
	switch {
	case len(r.proof) > 0:
	case l.Status == StatusPeerEval:
		r.lack("没有国外同行专家的评估意见", "no foreign peer has given an opinion")
	default:
		r.lack("尚未邀请国外同行专家", "no foreign peer is invited")
	}
	return r
}

// tenCells asks for every cell, resting on facts of the construction period as
// it now stands.
func tenCells(l *Lab, on domain.Date) (r result) {
	a := l.acceptance()
	for _, d := range domain.Dimensions {
		for _, x := range Axes {
			var c *AcceptanceCell
			if a != nil {
				c = a.cell(d, x)
			}
			if c == nil || c.On.After(on) {
				r.lack("尚未评估“%s”的%s", "“%s”, %s, is not assessed", d, x)
				continue
			}
			r.proof = append(r.proof, c.Event)
			r.missing = append(r.missing, l.outsideConstruction(c.Facts)...)
		}
	}
	return r
}

// undecided asks that the acceptance was not passed: what was decided once is
// not decided again.
func undecided(l *Lab, _ domain.Date) (r result) {
	if a := l.acceptance(); a != nil && a.Outcome == Passed {
		r.lack("%s 已决定通过验收；请予以认定", "acceptance was passed on %s; recognise the lab", a.Decided)
	}
	return r
}

// acceptancePassed keeps a lab from being recognised before it passed, and
// from opening twice.
func acceptancePassed(l *Lab, _ domain.Date) (r result) {
	a := l.acceptance()
	switch {
	case l.Status == StatusOperating && !l.Reviews.Opened.IsZero():
		r.lack("已于 %s 正式开放运行", "it opened on %s", l.Reviews.Opened)
	case l.Status == StatusOperating: // recognised, or stated so by a source
		r.proof = []uuid.UUID{l.Moves[len(l.Moves)-1].Event}
	case a == nil || a.Outcome != Passed:
		r.lack("尚未决定通过验收", "nobody has decided that acceptance was passed")
	default:
		r.proof = []uuid.UUID{l.Moves[len(l.Moves)-1].Event}
	}
	return r
}
