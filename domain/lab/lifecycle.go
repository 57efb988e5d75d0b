package lab

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Status is the status of a lab in the programme's three steps, 培育组建,
// 立项建设 and 验收认定 (C53).
type Status string

// The statuses. StatusDue is never recorded: it follows from the date.
const (
	StatusProposed       Status = "PROPOSED"
	StatusIncubating     Status = "INCUBATING"
	StatusRecommended    Status = "RECOMMENDED"
	StatusReturned       Status = "RETURNED"
	StatusInReview       Status = "IN_REVIEW"
	StatusSiteVisit      Status = "SITE_VISIT"
	StatusNotEstablished Status = "NOT_ESTABLISHED"
	StatusConstruction   Status = "CONSTRUCTION"
	StatusDue            Status = "DUE"
	StatusAcceptance     Status = "ACCEPTANCE"
	StatusPeerEval       Status = "PEER_EVAL"
	StatusRectifying     Status = "RECTIFYING"
	StatusNotPassed      Status = "NOT_PASSED"
	StatusOperating      Status = "OPERATING"
	StatusSuspended      Status = "SUSPENDED"
	StatusWithdrawn      Status = "WITHDRAWN"
	StatusRevoked        Status = "REVOKED"
	StatusClosed         Status = "CLOSED"
)

// Statuses lists every status in the order of the programme.
var Statuses = []Status{
	StatusProposed, StatusIncubating, StatusRecommended, StatusReturned, StatusInReview, StatusSiteVisit,
	StatusNotEstablished, StatusConstruction, StatusDue, StatusAcceptance, StatusPeerEval, StatusRectifying,
	StatusNotPassed, StatusOperating, StatusSuspended, StatusWithdrawn, StatusRevoked, StatusClosed,
}

// Final reports whether no status can follow.
func (s Status) Final() bool {
	return s == StatusWithdrawn || s == StatusRevoked || s == StatusClosed
}

// Step is a transition of the status machine with the rules that must be met on
// its day.
type Step struct {
	Command string           // as sent over HTTP
	records func(Event) bool // whether an event is of the type that records it
	From    []Status
	To      Status
	Rules   []string
}

func recorded[E Event](e Event) bool { _, is := e.(E); return is }

// Steps is the status machine.
var Steps = []Step{
	{
		Command: "start-incubation", records: recorded[IncubationStarted],
		From: []Status{StatusProposed}, To: StatusIncubating,
		Rules: []string{"C57"},
	},
	{
		Command: "submit-application", records: recorded[ApplicationSubmitted],
		From: []Status{StatusIncubating}, To: StatusRecommended,
		Rules: applicationRules,
	},
	{
		Command: "pass-formal-check", records: recorded[FormalCheckPassed],
		From: []Status{StatusRecommended}, To: StatusInReview,
		Rules: []string{"separation-of-duties"},
	},
	{
		Command: "return-application", records: recorded[ApplicationReturned],
		From: []Status{StatusRecommended, StatusInReview}, To: StatusReturned,
		Rules: []string{"separation-of-duties"},
	},
	{
		Command: "resubmit-application", records: recorded[ApplicationResubmitted],
		From: []Status{StatusReturned}, To: StatusRecommended,
		Rules: append(slices.Clone(applicationRules), "C66"),
	},
	{
		Command: "shortlist", records: recorded[Shortlisted],
		From: []Status{StatusInReview}, To: StatusSiteVisit,
		Rules: []string{"separation-of-duties"},
	},
	{
		Command: "pass-over", records: recorded[NotShortlisted],
		From: []Status{StatusInReview}, To: StatusNotEstablished,
		Rules: []string{"separation-of-duties"},
	},
	{
		Command: "decline-establishment", records: recorded[EstablishmentDeclined],
		From: []Status{StatusInReview, StatusSiteVisit}, To: StatusNotEstablished,
		Rules: []string{"C68", "separation-of-duties"},
	},
	{
		Command: "resume-incubation", records: recorded[IncubationResumed],
		From: []Status{StatusNotEstablished}, To: StatusIncubating,
		Rules: []string{"C57"},
	},
	{
		Command: "approve-establishment", records: recorded[EstablishmentApproved],
		From: []Status{StatusSiteVisit}, To: StatusConstruction,
		Rules: []string{"C15", "C28", "C32", "C56", "C64", "C68", "C69", "separation-of-duties"},
	},
	{
		Command: "extend-construction", records: recorded[ConstructionExtended],
		From: []Status{StatusConstruction}, To: StatusConstruction,
	},
	{
		Command: "apply-for-acceptance", records: recorded[AcceptanceApplied],
		From: []Status{StatusConstruction, StatusRectifying, StatusNotPassed}, To: StatusAcceptance,
		Rules: []string{"C71", "C73"},
	},
	{
		Command: "commission-peer-evaluation", records: recorded[PeerEvaluationCommissioned],
		From: []Status{StatusAcceptance}, To: StatusPeerEval,
		Rules: []string{"C74", "separation-of-duties"},
	},
	{
		Command: "pass-acceptance", records: recorded[AcceptancePassed],
		From: []Status{StatusPeerEval}, To: StatusPeerEval,
		Rules: []string{"C28", "C31", "C74", "C75", "separation-of-duties"},
	},
	{
		Command: "recognise", records: recorded[Recognised],
		From: []Status{StatusPeerEval}, To: StatusOperating,
		Rules: []string{"C76", "separation-of-duties"},
	},
	{
		Command: "open-lab", records: recorded[LabOpened],
		From: []Status{StatusOperating}, To: StatusOperating,
		Rules: []string{"C76"},
	},
	{
		Command: "require-rectification", records: recorded[RectificationRequired],
		From: []Status{StatusPeerEval}, To: StatusRectifying,
		Rules: []string{"C31", "separation-of-duties"},
	},
	{
		Command: "decide-not-passed", records: recorded[AcceptanceNotPassed],
		From: []Status{StatusPeerEval, StatusRectifying}, To: StatusNotPassed,
		Rules: []string{"C31", "separation-of-duties"},
	},
	{Command: "suspend", records: recorded[Suspended], From: []Status{StatusOperating}, To: StatusSuspended},
	{
		Command: "resume", records: recorded[Resumed],
		From: []Status{StatusSuspended}, To: StatusOperating,
		Rules: []string{"C15"},
	},
	{Command: "revoke", records: recorded[Revoked], From: []Status{StatusNotPassed, StatusSuspended},
		To: StatusRevoked},
	{
		Command: "withdraw", records: recorded[Withdrawn],
		From: slices.DeleteFunc(slices.Clone(Statuses), func(s Status) bool { return s.Final() || s == StatusDue }),
		To:   StatusWithdrawn,
	},
	{Command: "close", records: recorded[Closed], From: []Status{StatusOperating}, To: StatusClosed},
}

// applicationRules are the rules of an application, in the order of the document.
var applicationRules = []string{
	"C01", "C08", "C10", "C11", "C12", "C13", "C14", "C15", "C16", "C17", "C18",
	"C19", "C20", "C21", "C30", "C55", "C56", "C62", "C63", "C64", "C65", "C79",
}

// StatusOn returns the lab's status on a day, given its recorded one: a
// construction period that is over makes it DUE.
func (l *Lab) StatusOn(d domain.Date) Status {
	if l.Status == StatusConstruction && !l.Construction.To.IsZero() && d.After(l.Construction.To.Latest()) {
		return StatusDue
	}
	return l.Status
}

// StatusThen returns the status the lab had on a day in the past, by the days on
// which its transitions took effect. It is empty before the first of them.
func (l *Lab) StatusThen(d domain.Date) Status {
	then := *l
	then.Status = ""
	for _, m := range l.Moves {
		if m.On.IsZero() || !m.On.Earliest().After(d) {
			then.Status = m.To
		}
	}
	if len(l.Moves) == 0 && !l.StatusSince.Earliest().After(d) {
		then.Status = l.Status
	}
	return then.StatusOn(d)
}

// Moved is a transition the lab has made.
type Moved struct {
	From   Status             `json:"from"`
	To     Status             `json:"to"`
	On     domain.PartialDate `json:"on,omitzero"`
	Ground domain.Text        `json:"ground,omitzero"`
	Event  uuid.UUID          `json:"event"`
}

// Transition is the part that all status events have. Subscribers need no more
// to follow the programme.
type Transition struct {
	From Status      `json:"from"`
	To   Status      `json:"to"`
	On   domain.Date `json:"on"`

	// OpinionsTo is the audience of the experts' opinions from a decision on a
	// review on, by the policy under which it was taken.
	OpinionsTo domain.Opinions `json:"opinions_to,omitempty"`
}

// ActedOn returns the day of the transition.
func (t Transition) ActedOn() domain.Date { return t.On }

// move returns the transition of a command on a day, or the refusal where the
// status does not allow it or a rule of the step is unmet. The checks of extra are
// reported with its own.
func (l *Lab) move(x domain.Context, command string, on domain.Date, extra func(*domain.Check)) (Transition, error) {
	if err := l.open(); err != nil {
		return Transition{}, err
	}
	i := slices.IndexFunc(Steps, func(s Step) bool { return s.Command == command })
	s := Steps[i]
	if !slices.Contains(s.From, l.Status) {
		return Transition{}, domain.Reject(domain.State, "实验室目前为“%s”，不能转为“%s”；目前可转为：%s", "the lab is “%s” and cannot become “%s” from there; it can become: %s", l.StatusOn(x.Today()), s.To, next(l.Status))
	}
	var c domain.Check
	c.NotFuture("on", on, x.Today())
	if l.Status != StatusProposed { // it may have begun long before it was registered
		notBefore(&c, on, l.StatusSince.Earliest(), "不能早于目前状态的开始日 %s", "it cannot come before the present status began, on %s", l.StatusSince)
	}
	if extra != nil {
		extra(&c)
	}
	if err := c.Err(); err != nil {
		return Transition{}, err
	}
	policy := x.Programme.PolicyOn(on)
	if err := domain.Unmet(JudgeUnder(RuleContext{policy, x.Actor}, l, on, s.Rules...)); err != nil {
		return Transition{}, err
	}
	t := Transition{From: l.Status, To: s.To, On: on}
	if slices.Contains(decisions, command) {
		t.OpinionsTo = policy.OpinionsTo
	}
	return t, nil
}

// decisions are the steps that decide a review.
var decisions = []string{
	"pass-over", "decline-establishment", "approve-establishment",
	"pass-acceptance", "require-rectification", "decide-not-passed",
}

// next returns the statuses that can follow, in words.
func next(from Status) domain.Text {
	var zh, en []string
	for _, s := range Steps {
		if t := s.To.Text(); slices.Contains(s.From, from) && s.To != from && !slices.Contains(zh, t.Zh) {
			zh, en = append(zh, t.Zh), append(en, t.En)
		}
	}
	return domain.T(strings.Join(zh, "、"), strings.Join(en, "; "))
}

func (t Transition) transition() Transition { return t }

func (t Transition) moveOn(l *Lab, m domain.Meta, ground domain.Text) {
	l.moved(t.From, t.To, t.On.Partial(), ground, m)
}

func (l *Lab) moved(from, to Status, on domain.PartialDate, ground domain.Text, m domain.Meta) {
	l.Status, l.StatusSince = to, on
	l.RectifyBy, l.MayReapply = domain.Date{}, false
	l.Moves = append(l.Moves, Moved{From: from, To: to, On: on, Ground: ground, Event: m.ID})
	if to == StatusIncubating && l.Incubation.IsZero() {
		l.Incubation = on
	}
}

// sentence returns the transition in words, with its ground if there is one.
func (t Transition) sentence(zh, en string, ground domain.Text) domain.Text {
	s := domain.Textf("%[1]s，%[4]s（%[2]s→%[3]s）", "On %[1]s %[4]s (%[2]s → %[3]s)", t.On, t.From, t.To,
		domain.T(zh, en))
	if t.From == t.To {
		s = domain.Textf("%s，%s", "On %s %s", t.On, domain.T(zh, en))
	}
	if !ground.IsZero() {
		s = domain.T(s.Zh+"："+ground.Chinese(), s.En+": "+ground.English())
	}
	return s
}

// StartIncubation begins 培育组建 (C57).
type StartIncubation struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day incubation begins"`
}

// Decide refuses while no agreement is in force on that day.
func (s StartIncubation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "start-incubation", s.On, nil)
	return one(IncubationStarted{t}, err)
}

// one returns the answer of a decision that leads to one event or a refusal.
func one(e Event, err error) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

// IncubationStarted records the beginning of 培育组建.
type IncubationStarted struct{ Transition }

// Sentence returns the event in words.
func (e IncubationStarted) Sentence() domain.Text {
	return e.sentence("开始培育组建", "incubation began", domain.Text{})
}

func (IncubationStarted) subject() subject { return public }

func (e IncubationStarted) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, domain.Text{}) }

// SubmitApplication applies for establishment (C62, C65).
type SubmitApplication struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day of the application"`
	Effect   domain.Text `json:"effect" doc:"What incubation has achieved (取得明显成效)"`
	Document string      `json:"document" doc:"Digest of the 《国际合作联合实验室建设申请书》"`
}

// Decide refuses an application that does not meet the programme's conditions.
func (s SubmitApplication) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "submit-application", s.On, func(c *domain.Check) {
		c.Text("effect", s.Effect)
		l.checkSubmitted(c, s.Document)
	})
	return one(ApplicationSubmitted{
		Transition: t, Effect: s.Effect, Document: s.Document, Application: l.applicationNo(),
		Package: l.frozenVersion(),
	}, err)
}

// ApplicationSubmitted records an application for establishment.
type ApplicationSubmitted struct {
	Transition
	Effect      domain.Text `json:"effect"`
	Document    string      `json:"document"`
	Application int         `json:"application,omitzero"`
	Package     int         `json:"package,omitzero"` // version of the frozen package
}

// Sentence returns the event in words.
func (e ApplicationSubmitted) Sentence() domain.Text {
	return e.sentence("经推荐提交建设申请书", "the lab was recommended and applied for establishment", e.Effect)
}

func (e ApplicationSubmitted) subject() subject {
	return subject{class: Public, documents: Submitted, review: Of{Application: e.Application}}
}

func (e ApplicationSubmitted) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	l.submitted(e.On, e.Package, e.Document, m)
}

// checkSubmitted reports to c a document other than the frozen application.
func (l *Lab) checkSubmitted(c *domain.Check, document string) {
	c.Digest("document", document, false)
	if a := l.application(); document != "" && a != nil && a.frozen() != nil {
		c.Require(document == a.frozen().Document, "document", "与固化的第 %d 版申报材料不一致；请提交固化的申请书，或重新固化", "this is not the application frozen in version %d of the package; hand that one in, or freeze this one", a.frozen().Version)
	}
}

func (l *Lab) frozenVersion() int {
	if a := l.application(); a != nil && a.frozen() != nil {
		return a.frozen().Version
	}
	return 0
}

func (l *Lab) submitted(on domain.Date, version int, document string, m domain.Meta) {
	a := l.opened()
	a.Policy = m.Policy
	a.Submissions = append(a.Submissions, Submission{on, version, document, entryOf(m)})
}

// ResubmitApplication submits a returned application again.
type ResubmitApplication struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day it is handed in again"`
	Answer   domain.Text `json:"answer" doc:"What was supplemented"`
	Document string      `json:"document" doc:"Digest of the supplemented application"`
}

// Decide refuses an application that does not meet the programme's conditions.
func (s ResubmitApplication) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "resubmit-application", s.On, func(c *domain.Check) {
		c.Text("answer", s.Answer)
		l.checkSubmitted(c, s.Document)
	})
	return one(ApplicationResubmitted{
		Transition: t, Answer: s.Answer, Document: s.Document, Application: l.applicationNo(),
		Package: l.frozenVersion(),
	}, err)
}

// ApplicationResubmitted records a supplemented application.
type ApplicationResubmitted struct {
	Transition
	Answer      domain.Text `json:"answer"`
	Document    string      `json:"document"`
	Application int         `json:"application,omitzero"`
	Package     int         `json:"package,omitzero"` // version of the frozen package
}

// Sentence returns the event in words.
func (e ApplicationResubmitted) Sentence() domain.Text {
	return e.sentence("补正后重新提交申请", "the application was supplemented and submitted again", e.Answer)
}

func (e ApplicationResubmitted) subject() subject {
	return subject{class: Public, documents: Submitted, review: Of{Application: e.Application}}
}

func (e ApplicationResubmitted) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Answer)
	l.submitted(e.On, e.Package, e.Document, m)
}

// PassFormalCheck takes an application into review (C66).
type PassFormalCheck struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day of the decision"`
}

// Decide refuses unless an application was submitted.
func (s PassFormalCheck) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "pass-formal-check", s.On, nil)
	return one(FormalCheckPassed{t}, err)
}

// FormalCheckPassed records that an application went into review.
type FormalCheckPassed struct{ Transition }

// Sentence returns the event in words.
func (e FormalCheckPassed) Sentence() domain.Text {
	return e.sentence("通过形式审查，进入材料评审", "the application passed the formal check and went into review", domain.Text{})
}

func (FormalCheckPassed) subject() subject { return public }

func (e FormalCheckPassed) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	l.opened().FormalCheck = e.On
}

// ReturnApplication sends an application back for supplement (C66).
type ReturnApplication struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	Ground domain.Text `json:"ground" doc:"What is to be supplemented"`
}

// Decide refuses a return without a ground.
func (s ReturnApplication) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "return-application", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(ApplicationReturned{t, s.Ground}, err)
}

// ApplicationReturned records an application sent back for supplement.
type ApplicationReturned struct {
	Transition
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e ApplicationReturned) Sentence() domain.Text {
	return e.sentence("申请退回补正", "the application was returned for supplement", e.Ground)
}

func (ApplicationReturned) subject() subject { return public }

func (e ApplicationReturned) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	a := l.opened()
	a.FormalCheck, a.Returns = domain.Date{}, append(a.Returns, Returned{e.On, e.Ground, m.ID})
}

// Shortlist picks a lab for a site visit (C67).
type Shortlist struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day of the decision"`
}

// Decide refuses unless the application is under review.
func (s Shortlist) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "shortlist", s.On, nil)
	return one(Shortlisted{t}, err)
}

// Shortlisted records that a lab was picked for a site visit.
type Shortlisted struct{ Transition }

// Sentence returns the event in words.
func (e Shortlisted) Sentence() domain.Text {
	return e.sentence("确定为考察对象", "the lab was shortlisted for a site visit", domain.Text{})
}

func (Shortlisted) subject() subject { return public }

func (e Shortlisted) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	l.opened().Shortlisted = e.On
}

// DeclineEstablishment records that a lab was not established (C29).
type DeclineEstablishment struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses a decision without a ground.
func (s DeclineEstablishment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "decline-establishment", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(EstablishmentDeclined{t, s.Ground}, err)
}

// EstablishmentDeclined records that a lab was not established.
type EstablishmentDeclined struct {
	Transition
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e EstablishmentDeclined) Sentence() domain.Text {
	return e.sentence("未获立项", "establishment was declined", e.Ground)
}

func (EstablishmentDeclined) subject() subject { return public }

func (e EstablishmentDeclined) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	l.decide(Declined, e.Transition)
}

// ResumeIncubation takes a declined lab back into incubation.
type ResumeIncubation struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"The day incubation goes on"`
}

// Decide refuses while no agreement is in force on that day.
func (s ResumeIncubation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "resume-incubation", s.On, nil)
	return one(IncubationResumed{t}, err)
}

// IncubationResumed records that a declined lab went back into incubation.
type IncubationResumed struct{ Transition }

// Sentence returns the event in words.
func (e IncubationResumed) Sentence() domain.Text {
	return e.sentence("恢复培育组建", "incubation resumed", domain.Text{})
}

func (IncubationResumed) subject() subject { return public }

func (e IncubationResumed) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, domain.Text{}) }

// ApproveEstablishment establishes a lab and sets its construction period,
// whose start is a date of its own (C69, C70).
type ApproveEstablishment struct {
	domain.Grounds
	On           domain.Date   `json:"on" doc:"The day of the decision"`
	Construction domain.Period `json:"construction" doc:"The construction period; its end may be left out and is then as the policy says, three years from its start as a rule"`
	EarlyAllowed bool          `json:"early_acceptance_allowed,omitzero" doc:"Whether acceptance may be applied for early (可提前提出验收申请)"`
}

// Decide refuses an establishment without a site argumentation by experts, an
// agreement in force or a construction period.
func (s ApproveEstablishment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if s.Construction.To.IsZero() && !s.Construction.From.IsZero() {
		s.Construction.To = s.Construction.From.AddYears(x.Programme.PolicyOn(s.On).ConstructionYears).AddDays(-1)
	}
	t, err := l.move(x, "approve-establishment", s.On, func(c *domain.Check) {
		c.Given("construction.from", s.Construction.From)
		s.Construction.Check(c, "construction")
	})
	return one(EstablishmentApproved{t, s.Construction, s.EarlyAllowed}, err)
}

// EstablishmentApproved records that a lab was established.
type EstablishmentApproved struct {
	Transition
	Construction domain.Period `json:"construction"`
	EarlyAllowed bool          `json:"early_acceptance_allowed,omitzero"`
}

// Sentence returns the event in words.
func (e EstablishmentApproved) Sentence() domain.Text {
	return e.sentence("批准立项建设", "establishment was approved", domain.Textf("建设期 %s 至 %s", "construction from %s to %s", e.Construction.From, e.Construction.To))
}

func (EstablishmentApproved) subject() subject { return public }

func (e EstablishmentApproved) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, domain.Text{})
	l.Construction = domain.PartialPeriod{From: e.Construction.From.Partial(), To: e.Construction.To.Partial()}
	l.EarlyAllowed = e.EarlyAllowed
	l.decide(Established, e.Transition)
}

// ExtendConstruction moves the end of the construction period.
type ExtendConstruction struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	Until  domain.Date `json:"until" doc:"The new last day"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses an extension that does not extend.
func (s ExtendConstruction) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "extend-construction", s.On, func(c *domain.Check) {
		c.Given("until", s.Until)
		c.Require(s.Until.IsZero() || s.Until.After(l.Construction.To.Latest()), "until", "新的截止日应晚于原截止日 %s", "the new last day must come after the present one, %s", l.Construction.To)
		c.Text("ground", s.Ground)
	})
	return one(ConstructionExtended{t, l.Construction.To, s.Until, s.Ground}, err)
}

// ConstructionExtended records a later end of the construction period.
type ConstructionExtended struct {
	Transition
	Before domain.PartialDate `json:"before"`
	Until  domain.Date        `json:"until"`
	Ground domain.Text        `json:"ground"`
}

// Sentence returns the event in words.
func (e ConstructionExtended) Sentence() domain.Text {
	return e.sentence("建设期延长", "the construction period was extended", domain.Textf("由 %s 延至 %s，%s", "from %s to %s, %s", e.Before, e.Until, e.Ground))
}

func (ConstructionExtended) subject() subject { return public }

// apply keeps the day on which construction began: the status is the same.
func (e ConstructionExtended) apply(l *Lab, m domain.Meta) {
	since := l.StatusSince
	e.moveOn(l, m, e.Ground)
	l.StatusSince = since
	l.Construction.To = e.Until.Partial()
}

// Suspend halts an open lab, as when its agreement lapsed.
type Suspend struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"Since when"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses a suspension without a ground.
func (s Suspend) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "suspend", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(Suspended{t, s.Ground}, err)
}

// Suspended records that an open lab was halted.
type Suspended struct {
	Transition
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e Suspended) Sentence() domain.Text {
	return e.sentence("暂停运行", "the lab was suspended", e.Ground)
}

func (Suspended) subject() subject { return public }

func (e Suspended) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, e.Ground) }

// Resume opens a suspended lab again.
type Resume struct {
	domain.Grounds
	On domain.Date `json:"on" doc:"Since when"`
}

// Decide refuses while no substantive agreement is in force.
func (s Resume) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "resume", s.On, nil)
	return one(Resumed{t}, err)
}

// Resumed records that a suspended lab opened again.
type Resumed struct{ Transition }

// Sentence returns the event in words.
func (e Resumed) Sentence() domain.Text {
	return e.sentence("恢复运行", "the lab resumed operation", domain.Text{})
}

func (Resumed) subject() subject { return public }

func (e Resumed) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, domain.Text{}) }

// Revoke takes back establishment or recognition.
type Revoke struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses a decision without a ground.
func (s Revoke) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "revoke", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(Revoked{t, s.Ground}, err)
}

// Revoked records that establishment or recognition was taken back.
type Revoked struct {
	Transition
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e Revoked) Sentence() domain.Text {
	if e.From == StatusNotPassed {
		return e.sentence("取消立项建设资格", "its establishment was revoked", e.Ground)
	}
	return e.sentence("撤销认定", "its recognition was revoked", e.Ground)
}

func (Revoked) subject() subject { return public }

func (e Revoked) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, e.Ground) }

// Withdraw ends a lab at its host's wish: freely before construction, with the
// ministry's consent from then on (our own reading).
type Withdraw struct {
	domain.Grounds
	On      domain.Date `json:"on" doc:"Since when"`
	Ground  domain.Text `json:"ground" doc:"Why"`
	Consent string      `json:"consent,omitempty" maxLength:"200" doc:"Number of the ministry's document of consent; needed from construction on"`
}

// Decide refuses a withdrawal from construction on without the ministry's consent.
func (s Withdraw) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "withdraw", s.On, func(c *domain.Check) {
		c.Text("ground", s.Ground)
		established := slices.Index(Statuses, l.Status) >= slices.Index(Statuses, StatusConstruction)
		c.Require(!established || s.Consent != "", "consent", "立项后退出须有教育部同意的文号", "from construction on, give the number of the ministry's consent")
	})
	return one(Withdrawn{t, s.Ground, s.Consent}, err)
}

// Withdrawn records that a lab ended at its host's wish.
type Withdrawn struct {
	Transition
	Ground  domain.Text `json:"ground"`
	Consent string      `json:"consent,omitempty"`
}

// Sentence returns the event in words.
func (e Withdrawn) Sentence() domain.Text {
	if e.Consent != "" {
		return e.sentence("主动退出，教育部同意文号 "+e.Consent, "the lab withdrew with the ministry's consent, "+e.Consent, e.Ground)
	}
	return e.sentence("主动退出", "the lab withdrew", e.Ground)
}

func (Withdrawn) subject() subject { return public }

func (e Withdrawn) apply(l *Lab, m domain.Meta) { e.moveOn(l, m, e.Ground) }

// Close ends an open lab, alone or merged into another.
type Close struct {
	domain.Grounds
	On         domain.Date `json:"on" doc:"Since when"`
	Ground     domain.Text `json:"ground" doc:"Why"`
	MergedInto uuid.UUID   `json:"merged_into,omitzero" doc:"The lab it became part of"`
}

// Decide refuses a closure without a ground, and a merger into itself.
func (s Close) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "close", s.On, func(c *domain.Check) {
		c.Text("ground", s.Ground)
		c.Require(s.MergedInto != l.ID, "merged_into", "不能并入自身", "a lab cannot become part of itself")
	})
	return one(Closed{t, s.Ground, s.MergedInto}, err)
}

// Closed records the end of an open lab.
type Closed struct {
	Transition
	Ground     domain.Text `json:"ground"`
	MergedInto uuid.UUID   `json:"merged_into,omitzero"`
}

// Sentence returns the event in words.
func (e Closed) Sentence() domain.Text {
	if e.MergedInto != uuid.Nil {
		return e.sentence("终止运行，并入实验室 "+e.MergedInto.String(), "the lab closed and became part of lab "+e.MergedInto.String(), e.Ground)
	}
	return e.sentence("终止运行", "the lab closed", e.Ground)
}

func (Closed) subject() subject { return public }

func (e Closed) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	l.MergedInto = e.MergedInto
}

// RecordHistory records the status that a source gives for a lab that existed
// before the register. It is a statement with a source, not a decision: no rule
// is run.
type RecordHistory struct {
	domain.Grounds
	Status       Status               `json:"status" enum:"INCUBATING,CONSTRUCTION,PEER_EVAL,OPERATING,CLOSED" doc:"Where the source says it stands"`
	On           domain.PartialDate   `json:"on,omitzero" doc:"Since when, as far as the source says"`
	Construction domain.PartialPeriod `json:"construction,omitzero" doc:"The construction period, as far as the source says"`
}

// Decide refuses a lab that has a history of its own, and a status without a source.
func (r RecordHistory) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	if l.Status != StatusProposed {
		return nil, domain.Reject(domain.State, "实验室已有自己的历史（目前为“%s”）", "the lab has a history of its own already (it is “%s”)", l.Status)
	}
	var c domain.Check
	c.Require(slices.Contains([]Status{StatusIncubating, StatusConstruction, StatusPeerEval, StatusOperating,
		StatusClosed}, r.Status), "status",
		"状态应为 INCUBATING、CONSTRUCTION、PEER_EVAL、OPERATING 或 CLOSED", "status must be INCUBATING, CONSTRUCTION, PEER_EVAL, OPERATING or CLOSED")
	c.Require(!r.On.Earliest().After(x.Today()), "on", "日期 %s 尚未到来", "%s is in the future", r.On)
	c.Require(r.Construction.From.IsZero() || r.Construction.To.IsZero() ||
		!r.Construction.To.Latest().Before(r.Construction.From.Earliest()), "construction.to",
		"结束日期早于开始日期", "the period ends before it begins")
	c.Require(r.Basis != domain.Basis{}, "basis", "请注明出处", "say which source states it")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{HistoryRecorded{l.Status, r.Status, r.On, r.Construction}}, nil
}

// HistoryRecorded records the status a source gives for a lab that existed
// before the register.
type HistoryRecorded struct {
	From         Status               `json:"from"`
	To           Status               `json:"to"`
	On           domain.PartialDate   `json:"on,omitzero"`
	Construction domain.PartialPeriod `json:"construction,omitzero"`
}

// Sentence returns the event in words.
func (e HistoryRecorded) Sentence() domain.Text {
	if e.On.IsZero() {
		return domain.Textf("据来源登记实验室状态为“%s”", "A source gives the lab's status as “%s”", e.To)
	}
	return domain.Textf("据来源登记实验室自 %[2]s 起状态为“%[1]s”", "A source gives the lab's status as “%s” since %s", e.To, e.On)
}

func (HistoryRecorded) subject() subject { return public }

func (e HistoryRecorded) apply(l *Lab, m domain.Meta) {
	l.moved(e.From, e.To, e.On, domain.Text{}, m)
	l.Construction = e.Construction
}
