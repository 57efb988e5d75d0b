package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Reviews is what was handed in, found and decided on the way to
// establishment and to recognition.
type Reviews struct {
	Affiliation  *HostAffiliation  `json:"affiliation,omitempty"`
	Applications []Application     `json:"applications,omitempty" zh:"申请" en:"application"` // for establishment, the last one open until it is decided
	Goals        []StageGoal       `json:"stage_goals,omitempty" zh:"阶段目标" en:"stage goal"`
	Stages       []StageAssessment `json:"stage_assessments,omitempty" zh:"阶段性评估" en:"stage assessment"`
	Acceptances  []Acceptance      `json:"acceptances,omitempty" zh:"验收" en:"acceptance"`
	Opened       domain.Date       `json:"opened,omitzero" zh:"开放日期" en:"opened on"`
	Evaluations  []Evaluation      `json:"evaluations,omitempty" zh:"评估" en:"evaluation"` // since recognition
}

// Entry is who recorded something, who corrected it since, and in which event
// it stands. Duties are separate by person, so these stand beside what was
// handed in.
type Entry struct {
	By          string    `json:"recorded_by" zh:"登记事件" en:"recorded by"`
	CorrectedBy []string  `json:"corrected_by,omitempty"`
	Event       uuid.UUID `json:"event"`
}

func entryOf(m domain.Meta) Entry { return Entry{m.Actor.Subject, m.Correctors, m.ID} }

// HostAffiliation is whom the host answers to (隶属关系), which decides who may
// recommend it (C64).
type HostAffiliation struct {
	To       AffiliatedTo `json:"to"`
	Evidence string       `json:"evidence"`
	Event    uuid.UUID    `json:"event"`
}

// AffiliatedTo is the sort of body a university answers to.
type AffiliatedTo string

// The bodies a university answers to.
const (
	ToMinistry   AffiliatedTo = "ministry"   // 教育部直属
	ToProvince   AffiliatedTo = "province"   // 省属
	ToDepartment AffiliatedTo = "department" // 其他部门所属
)

// Application is one application for establishment from its first document to
// its decision. What was declined is followed by another application, what was
// returned by another package of the same one, so lineage is never lost.
type Application struct {
	No              int                `json:"no"`
	Follows         int                `json:"follows,omitzero"`                       // the application declined before it
	Policy          string             `json:"policy,omitempty" zh:"政策依据" en:"policy"` // it was last submitted under
	SelfAssessments []SelfAssessment   `json:"self_assessments,omitempty" zh:"自评" en:"self-assessment"`
	Packages        []Package          `json:"packages,omitempty" zh:"申报材料" en:"package"`
	Recommendations []Recommendation   `json:"recommendations,omitempty" zh:"推荐" en:"recommendation"`
	Submissions     []Submission       `json:"submissions,omitempty" zh:"提交" en:"submission"`
	Returns         []Returned         `json:"returns,omitempty" zh:"退回" en:"return"`
	FormalCheck     domain.Date        `json:"formal_check,omitzero" zh:"形式审查" en:"formal check"`
	Shortlisted     domain.Date        `json:"shortlisted,omitzero" zh:"入围日期" en:"shortlisted on"`
	Site            *SiteArgumentation `json:"site_argumentation,omitempty" zh:"现场论证" en:"site argumentation"`
	Panel
	Dimensions []Assessed  `json:"dimensions,omitempty" zh:"方面评审" en:"dimension"`
	Outcome    Outcome     `json:"outcome,omitempty"` // empty: not decided
	Decided    domain.Date `json:"decided,omitzero"`
}

// Outcome is how an application was decided.
type Outcome string

// The outcomes of applications for establishment and for acceptance.
const (
	NotOnShortlist Outcome = "not-shortlisted"
	Declined       Outcome = "declined"
	Established    Outcome = "established"
	Passed         Outcome = "passed"
	ToRectify      Outcome = "to-rectify"
	NotPassed      Outcome = "not-passed"
)

// SystemRef is an indicator system as it stood when it was used.
type SystemRef struct {
	Version    string      `json:"version"`
	Title      domain.Text `json:"title"`
	Document   string      `json:"document,omitempty"`
	Sample     bool        `json:"sample,omitzero"`
	Indicators int         `json:"indicators"`
}

func refTo(s domain.IndicatorSystem) SystemRef {
	return SystemRef{
		Version: s.Version, Title: s.Title, Document: s.Document, Sample: s.Sample,
		Indicators: len(s.Indicators()),
	}
}

// Answer answers one indicator.
type Answer struct {
	Indicator string      `json:"indicator" maxLength:"40" doc:"Its id in the system"`
	Text      domain.Text `json:"text" doc:"How the lab stands"`
}

// SelfAssessment is the host's answers to an indicator system (C63).
type SelfAssessment struct {
	On       domain.Date `json:"on"`
	System   SystemRef   `json:"system" zh:"指标体系" en:"indicator system"`
	Answers  []Answer    `json:"answers" zh:"答复" en:"answer"`
	Document string      `json:"document"`
	Entry
}

// Package is an application package, frozen by the digests of its parts (C65).
type Package struct {
	Version     int          `json:"version"`
	On          domain.Date  `json:"on"`
	Mode        domain.Mode  `json:"mode,omitempty" zh:"申请方式" en:"mode"`
	Document    string       `json:"document"` // the 建设申请书
	Attachments []Attachment `json:"attachments,omitempty" zh:"附件" en:"attachment"`
	Entry
}

// Attachment is a further document of a package.
type Attachment struct {
	Title  string `json:"title" minLength:"1" maxLength:"200"`
	Digest string `json:"digest" doc:"SHA-256 as sha256:<64 hex digits>"`
}

// Recommendation is the formal recommendation to the ministry (C64).
type Recommendation struct {
	On        domain.Date      `json:"on"`
	Issuer    domain.EntityRef `json:"issuer" zh:"出具单位" en:"issuer"`
	Number    string           `json:"number"` // 文号
	Document  string           `json:"document"`
	Withdrawn domain.Date      `json:"withdrawn,omitzero"`
	Ground    domain.Text      `json:"ground,omitzero"`
	Entry
}

// Submission is a package handed in.
type Submission struct {
	On       domain.Date `json:"on"`
	Package  int         `json:"package,omitzero" zh:"材料" en:"package"` // its version
	Document string      `json:"document"`
	Entry
}

// Returned is an application sent back for supplement.
type Returned struct {
	On     domain.Date `json:"on"`
	Ground domain.Text `json:"ground"`
	Event  uuid.UUID   `json:"event"`
}

// Panel is the experts of a review and their opinions.
type Panel struct {
	Experts    []Expert        `json:"experts,omitempty" zh:"专家" en:"expert"`
	Opinions   []Opinion       `json:"opinions,omitempty" zh:"专家意见" en:"opinion"`
	OpinionsTo domain.Opinions `json:"opinions_to,omitempty"` // who else may read them, once it is decided
}

// Expert is invited to a review. Whom an expert works for, first of the
// affiliations, is that of a domestic or a foreign expert.
type Expert struct {
	ID           string             `json:"id"` // Z1, Z2 … within the lab
	Person       domain.Person      `json:"person"`
	Affiliations []domain.EntityRef `json:"affiliations" zh:"所属单位" en:"affiliation"`
	Declaration  string             `json:"declaration,omitempty" zh:"回避声明" en:"declaration of interests"` // of no conflict of interest
	Event        uuid.UUID          `json:"event"`
}

// Side returns the side of the expert's employer.
func (x Expert) Side() domain.Side { return employer(x.Affiliations).Side }

// employer returns the first affiliation.
func employer(affiliations []domain.EntityRef) (e domain.EntityRef) {
	if len(affiliations) > 0 {
		e = affiliations[0]
	}
	return e
}

// Findings are what every opinion finds (C28).
type Findings struct {
	HighStart   domain.Text `json:"high_start" doc:"高起点" zh:"起点高" en:"high start"`
	HighLevel   domain.Text `json:"high_level" doc:"高水平" zh:"水平高" en:"high level"`
	Distinctive domain.Text `json:"distinctive" doc:"有特色" zh:"特色" en:"distinctive"`
	Effective   domain.Text `json:"effective" doc:"有实效"`
}

// Opinion is an expert's judgement.
type Opinion struct {
	Expert   string      `json:"expert" zh:"专家" en:"expert"`
	On       domain.Date `json:"on"`
	Findings Findings    `json:"findings" zh:"意见" en:"finding"`
	Supports bool        `json:"supports" zh:"支撑" en:"supports"`
	Document string      `json:"document"`
	Event    uuid.UUID   `json:"event"`
}

// SiteArgumentation is the visit at which experts argue the case (C32, C69).
type SiteArgumentation struct {
	On      domain.Date `json:"on"`
	Present []string    `json:"present"` // experts
	Minutes string      `json:"minutes"`
	Event   uuid.UUID   `json:"event"`
}

// ReviewDimension is one of the four a review of an application looks at (C68).
type ReviewDimension string

// ReviewDimensions are the four, in the order of the document.
var ReviewDimensions = []ReviewDimension{"agreement", "foundation", "incubation", "plan"}

// Assessed is what the review found in one dimension.
type Assessed struct {
	Dimension ReviewDimension `json:"dimension"`
	On        domain.Date     `json:"on"`
	Text      domain.Text     `json:"text"`
	Event     uuid.UUID       `json:"event"`
}

// reviewWords has the words for every code of reviews in Chinese and English.
var reviewWords = map[string]domain.Text{
	"agreement": domain.T("合作协议", "the agreement"), "foundation": domain.T("组建基础", "the foundation"),
	"incubation": domain.T("培育进展情况", "progress in incubation"), "plan": domain.T("未来3年发展规划", "the plan for the next three years"),
	string(ToMinistry): domain.T("教育部直属", "the Ministry of Education"), string(ToProvince): domain.T("省级主管部门所属", "a province"),
	string(ToDepartment): domain.T("其他部门所属", "another department"),
	"level":              domain.T("能力水平", "level"), "internationalisation": domain.T("国际化程度", "internationalisation"),
}

// Text returns the dimension in both languages.
func (d ReviewDimension) Text() domain.Text { return reviewWords[string(d)] }

// Text returns it in both languages.
func (a AffiliatedTo) Text() domain.Text { return reviewWords[string(a)] }

// application returns the open application, or nil.
func (l *Lab) application() *Application {
	n := len(l.Reviews.Applications)
	if n == 0 || l.Reviews.Applications[n-1].Outcome != "" {
		return nil
	}
	return &l.Reviews.Applications[n-1]
}

// applicationNo returns the number of the application that a record now belongs to.
func (l *Lab) applicationNo() int {
	if l.application() == nil {
		return len(l.Reviews.Applications) + 1
	}
	return len(l.Reviews.Applications)
}

// opened returns the open application, begun where there is none.
func (l *Lab) opened() *Application {
	if l.application() == nil {
		n := len(l.Reviews.Applications)
		l.Reviews.Applications = append(l.Reviews.Applications, Application{No: n + 1, Follows: n})
	}
	return l.application()
}

// decide closes the open application.
func (l *Lab) decide(o Outcome, t Transition) {
	a := l.opened()
	a.Outcome, a.Decided, a.OpinionsTo = o, t.On, t.OpinionsTo
}

// recommendation returns the recommendation in effect, or nil.
func (a *Application) recommendation() *Recommendation {
	for i := len(a.Recommendations) - 1; i >= 0; i-- {
		if a.Recommendations[i].Withdrawn.IsZero() {
			return &a.Recommendations[i]
		}
	}
	return nil
}

// frozen returns the last package, or nil.
func (a *Application) frozen() *Package {
	if len(a.Packages) == 0 {
		return nil
	}
	return &a.Packages[len(a.Packages)-1]
}

// during refuses what the lab's status does not call for.
func (l *Lab) during(allowed ...Status) error {
	if err := l.open(); err != nil {
		return err
	}
	if slices.Contains(allowed, l.Status) {
		return nil
	}
	var zh, en []string
	for _, s := range allowed {
		zh, en = append(zh, s.Text().Zh), append(en, s.Text().En)
	}
	return domain.Reject(domain.State, "实验室目前为“%s”；此项只能在以下状态办理：%s", "the lab is “%s”; this is done while it is: %s",
		l.Status, domain.T(strings.Join(zh, "、"), strings.Join(en, "; ")))
}

// Dated is the day of an act in a review, by which its policy is found.
type Dated struct {
	On domain.Date `json:"on"`
}

// ActedOn returns the day of the act.
func (d Dated) ActedOn() domain.Date { return d.On }

// Of is the review that something belongs to: an application for
// establishment or one for acceptance, by its number.
type Of struct {
	Application int `json:"application,omitzero" zh:"申请" en:"application"`
	Acceptance  int `json:"acceptance,omitzero" zh:"验收" en:"acceptance"`
}

// Reviewed returns the review that the lab is in, going by its status.
func (l *Lab) Reviewed() Of {
	if l.Status == StatusAcceptance || l.Status == StatusPeerEval {
		return Of{Acceptance: max(1, len(l.Reviews.Acceptances))}
	}
	return Of{Application: l.applicationNo()}
}

// UnderReview returns the review that is open, if one is.
func (l *Lab) UnderReview() (of Of) {
	if a := l.acceptance(); a != nil && a.Outcome == "" {
		of.Acceptance = a.No
	} else if a := l.application(); a != nil {
		of.Application = a.No
	}
	return of
}

// panel returns the panel of a review that may not be there yet, as when a source
// gave the lab's status.
func (l *Lab) panel(of Of) *Panel {
	if of.Acceptance > 0 {
		return &l.accepting().Panel
	}
	return &l.opened().Panel
}

// seated returns the panel of the review the lab is in, without beginning one.
func (l *Lab) seated() Panel {
	if of := l.Reviewed(); of.Acceptance > 0 {
		if a := l.acceptance(); a != nil {
			return a.Panel
		}
	} else if a := l.application(); a != nil {
		return a.Panel
	}
	return Panel{}
}

func (p Panel) expert(id string) (Expert, bool) {
	i := slices.IndexFunc(p.Experts, func(x Expert) bool { return x.ID == id })
	if i < 0 {
		return Expert{}, false
	}
	return p.Experts[i], true
}

// interested is whom among the lab's host, parties and partners an expert is
// affiliated with. A party that left, or that has yet to sign, counts.
func (l *Lab) interested(x Expert) *domain.EntityRef {
	parties := []domain.EntityRef{l.Host}
	for _, p := range l.Partners {
		parties = append(parties, p.Entity)
	}
	for i := range l.Agreements {
		for _, p := range l.Agreements[i].Parties {
			parties = append(parties, p.Entity)
		}
		for _, m := range l.Agreements[i].Amendments {
			for _, p := range m.Accede {
				parties = append(parties, p.Entity)
			}
		}
	}
	for _, a := range x.Affiliations {
		for _, p := range parties {
			if a.ID == p.ID {
				return &a
			}
		}
	}
	return nil
}

// conflict returns why an expert may not give an opinion; zero where it may.
func (l *Lab) conflict(x Expert) domain.Text {
	if of := l.interested(x); of != nil {
		return domain.Textf("专家 %s（%s）隶属于协议一方%s，不得发表意见；请换一位专家", "the expert %s (%s) is affiliated with %s, a party to this lab, and may give no opinion; ask another one",
			x.ID, x.Person.Name, of.Name)
	}
	return domain.Text{}
}

// argued returns whose absence makes an argumentation invalid (C32). An
// expert with an interest, or without a declaration, does not count.
func (l *Lab) argued(p Panel, present []string) (r result) {
	var why []domain.Text
	sides := map[domain.Side]bool{}
	for _, id := range present {
		x, ok := p.expert(id)
		switch {
		case !ok:
		case l.interested(x) != nil:
			why = append(why, l.conflict(x))
		case x.Declaration == "":
			why = append(why, domain.Textf("专家 %s 没有利益冲突声明，不计入", "the expert %s has not declared freedom from conflicts of interest and does not count", x.ID))
		default:
			sides[x.Side()] = true
			r.proof = append(r.proof, x.Event)
		}
	}
	if !sides[domain.Chinese] {
		r.lack("没有无利益冲突的国内专家", "no domestic expert free of conflicts was there")
	}
	if !sides[domain.Foreign] {
		r.lack("没有无利益冲突的国外专家", "no foreign expert free of conflicts was there")
	}
	if len(r.missing) > 0 {
		r.missing = append(r.missing, why...)
	}
	return r
}

// RecordAffiliation records whom the host answers to (C64).
type RecordAffiliation struct {
	domain.Grounds
	To       AffiliatedTo `json:"to" enum:"ministry,province,department" doc:"Whom the host answers to (隶属关系)"`
	Evidence string       `json:"evidence" doc:"Digest of the document that shows it"`
}

// Decide refuses an affiliation without evidence.
func (r RecordAffiliation) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(slices.Contains([]AffiliatedTo{ToMinistry, ToProvince, ToDepartment}, r.To), "to", "应为 ministry、province 或 department", "give ministry, province or department")
	c.Digest("evidence", r.Evidence, false)
	return one(AffiliationRecorded{r.To, r.Evidence}, c.Err())
}

// AffiliationRecorded records whom the host answers to.
type AffiliationRecorded struct {
	To       AffiliatedTo `json:"to"`
	Evidence string       `json:"evidence"`
}

// Sentence returns the event in words.
func (e AffiliationRecorded) Sentence() domain.Text {
	return domain.Textf("登记依托单位的隶属关系：%s", "Recorded whom the host answers to: %s", e.To)
}

func (AffiliationRecorded) subject() subject { return public }

func (e AffiliationRecorded) apply(l *Lab, m domain.Meta) {
	l.Reviews.Affiliation = &HostAffiliation{e.To, e.Evidence, m.ID}
}

// CompleteSelfAssessment answers an indicator system for the next application (C63).
type CompleteSelfAssessment struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day it was completed"`
	System   string      `json:"system" maxLength:"100" doc:"Version of the indicator system for establishment"`
	Answers  []Answer    `json:"answers" minItems:"1" maxItems:"1000" doc:"One for every indicator"`
	Document string      `json:"document" doc:"Digest of the self-assessment"`
}

// Decide refuses a version that is not in force that day and an indicator left out.
func (s CompleteSelfAssessment) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusIncubating, StatusReturned); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	notBefore(&c, s.On, l.Incubation.Earliest(), "不能早于培育组建的开始日 %s", "it cannot come before incubation began, on %s", l.Incubation)
	c.Digest("document", s.Document, false)
	system, ok := x.Programme.System(domain.ForEstablishment, s.System)
	var missing []domain.Text
	switch {
	case !ok:
		missing = append(missing, domain.Textf("没有登记立项评审指标体系第 %s 版", "no version %s of the indicator system for establishment is on record", s.System))
	case !system.Effective.Contains(s.On):
		missing = append(missing, domain.Textf("指标体系第 %s 版在 %s 不在施行期内", "version %s of the indicator system is not in force on %s", s.System, s.On))
	default:
		answered := map[string]bool{}
		for i, a := range s.Answers {
			at := fmt.Sprintf("answers[%d]", i)
			c.Text(at+".text", a.Text)
			c.Require(!answered[a.Indicator], at+".indicator", "指标 %s 重复作答", "the indicator %s is answered twice", a.Indicator)
			c.Require(slices.ContainsFunc(system.Indicators(), func(k domain.Indicator) bool { return k.ID == a.Indicator }), at+".indicator", "指标体系中没有指标 %s", "the system has no indicator %s", a.Indicator)
			answered[a.Indicator] = true
		}
		for _, k := range system.Indicators() {
			if !answered[k.ID] {
				missing = append(missing, domain.Textf("指标 %s“%s”没有作答", "the indicator %s, “%s”, is not answered", k.ID, k.Text))
			}
		}
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, domain.Unmet([]domain.Finding{Rules["C63"].unmet(missing...)})
	}
	return []Event{SelfAssessmentCompleted{
		Dated: Dated{s.On}, Application: l.applicationNo(), System: refTo(system),
		Answers: s.Answers, Document: s.Document,
	}}, nil
}

// SelfAssessmentCompleted records the host's answers to an indicator system.
type SelfAssessmentCompleted struct {
	Dated
	Application int       `json:"application"`
	System      SystemRef `json:"system"`
	Answers     []Answer  `json:"answers"`
	Document    string    `json:"document"`
}

// Sentence returns the event in words.
func (e SelfAssessmentCompleted) Sentence() domain.Text {
	return domain.Textf("%[1]s 依托单位对照指标体系第 %[2]s 版“%[3]s”完成自评，%[4]d 项指标均已作答", "On %[1]s the host completed its self-assessment by version %[2]s of the indicator system, “%[3]s”: all %[4]d indicators are answered",
		e.On, e.System.Version, e.System.Title, e.System.Indicators)
}

func (e SelfAssessmentCompleted) subject() subject {
	return subject{class: Submitted, review: Of{Application: e.Application}}
}

func (e SelfAssessmentCompleted) apply(l *Lab, m domain.Meta) {
	a := l.opened()
	a.SelfAssessments = append(a.SelfAssessments, SelfAssessment{
		On: e.On, System: e.System, Answers: e.Answers, Document: e.Document, Entry: entryOf(m),
	})
}

// FreezePackage fixes what will be handed in, by digest (C65).
type FreezePackage struct {
	domain.Grounds
	On          domain.Date  `json:"on" doc:"The day it was frozen"`
	Mode        domain.Mode  `json:"mode,omitempty" enum:"platform,overseas-team" doc:"How the lab applies, where the policy knows several ways"`
	Document    string       `json:"document" doc:"Digest of the 《国际合作联合实验室建设申请书》"`
	Attachments []Attachment `json:"attachments,omitempty" maxItems:"200" doc:"Its further documents"`
}

// Decide refuses a way to apply that the policy of that day does not know.
func (f FreezePackage) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusIncubating, StatusReturned); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", f.On, x.Today())
	notBefore(&c, f.On, l.Incubation.Earliest(), "不能早于培育组建的开始日 %s", "it cannot come before incubation began, on %s", l.Incubation)
	c.Digest("document", f.Document, false)
	for i, a := range f.Attachments {
		c.Require(strings.TrimSpace(a.Title) != "", fmt.Sprintf("attachments[%d].title", i), "请填写文件名称", "say what the document is")
		c.Digest(fmt.Sprintf("attachments[%d].digest", i), a.Digest, false)
	}
	if p := x.Programme.PolicyOn(f.On); len(p.Modes) == 0 {
		c.Require(f.Mode == "", "mode", "%s 没有区分申报方式", "%s knows one way to apply only; leave this out", p.Document)
	} else {
		c.Require(slices.Contains(p.Modes, f.Mode), "mode", "请选择 %s 规定的申报方式", "choose one of the ways to apply that %s knows", p.Document)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	version := 1
	if a := l.application(); a != nil {
		version += len(a.Packages)
		if p := a.frozen(); p != nil {
			version = p.Version + 1 // one in between may be void
		}
	}
	return []Event{PackageFrozen{
		Dated: Dated{f.On}, Application: l.applicationNo(), Version: version, Mode: f.Mode,
		Document: f.Document, Attachments: f.Attachments,
	}}, nil
}

// PackageFrozen records an application package by the digests of its parts.
type PackageFrozen struct {
	Dated
	Application int          `json:"application"`
	Version     int          `json:"version"`
	Mode        domain.Mode  `json:"mode,omitempty"`
	Document    string       `json:"document"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

// Sentence returns the event in words.
func (e PackageFrozen) Sentence() domain.Text {
	return domain.Textf("%[1]s 固化第 %[2]d 次申请的申报材料第 %[3]d 版，附件 %[4]d 份", "On %[1]s version %[3]d of the package of application %[2]d was frozen, with %[4]d attachments", e.On, e.Application, e.Version, len(e.Attachments))
}

func (e PackageFrozen) subject() subject {
	return subject{class: Submitted, review: Of{Application: e.Application}}
}

func (e PackageFrozen) apply(l *Lab, m domain.Meta) {
	a := l.opened()
	a.Packages = append(a.Packages, Package{
		Version: e.Version, On: e.On, Mode: e.Mode, Document: e.Document,
		Attachments: e.Attachments, Entry: entryOf(m),
	})
}

// IssueRecommendation recommends the lab to the ministry (C64).
type IssueRecommendation struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day of the recommendation"`
	Issuer   uuid.UUID   `json:"issuer" doc:"Who recommends: the host, or the authority it answers to"`
	Number   string      `json:"number" minLength:"1" maxLength:"200" doc:"Document number (文号)"`
	Document string      `json:"document" doc:"Digest of the recommendation"`
}

// UsesEntities names the issuer.
func (r IssueRecommendation) UsesEntities() []uuid.UUID { return []uuid.UUID{r.Issuer} }

// Decide refuses a body that is not the one to recommend this host.
func (r IssueRecommendation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusIncubating, StatusReturned); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	notBefore(&c, r.On, l.Incubation.Earliest(), "不能早于培育组建的开始日 %s", "it cannot come before incubation began, on %s", l.Incubation)
	issuer := x.EntityOn(&c, "issuer", r.Issuer, r.On)
	c.Require(x.Actor.Role != domain.Host || r.Issuer == l.Host.ID, "issuer", "依托单位不能登记主管部门的推荐；请由该部门办理", "a host cannot record an authority's recommendation; have that authority do it")
	c.Require(strings.TrimSpace(r.Number) != "", "number", "请填写文号", "give the document number")
	c.Digest("document", r.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if missing := l.mayRecommend(issuer); !missing.IsZero() {
		return nil, domain.Unmet([]domain.Finding{Rules["C64"].unmet(missing)})
	}
	return []Event{RecommendationIssued{
		Dated: Dated{r.On}, Application: l.applicationNo(), Issuer: issuer, Number: r.Number,
		Document: r.Document,
	}}, nil
}

// mayRecommend returns why a body is not the one to recommend the host; zero where it is.
func (l *Lab) mayRecommend(issuer domain.EntityRef) domain.Text {
	a, host := l.Reviews.Affiliation, issuer.ID == l.Host.ID
	switch {
	case a == nil:
		return domain.T("尚未登记依托单位的隶属关系；请先由教育部或项目官员登记", "the register does not know whom the host answers to; have the ministry or an officer record it")
	case a.To == ToMinistry && !host:
		return domain.Textf("教育部直属高校由学校推荐，不由%s推荐", "a university of the ministry's own is recommended by itself, not by %s", issuer.Name)
	case a.To != ToMinistry && (host || issuer.Kind != "government"):
		return domain.Textf("依托单位为%s，应由其主管部门推荐，不由%s推荐", "the host answers to %s, so that authority recommends it, not %s", a.To, issuer.Name)
	}
	return domain.Text{}
}

// RecommendationIssued records a recommendation to the ministry.
type RecommendationIssued struct {
	Dated
	Application int              `json:"application"`
	Issuer      domain.EntityRef `json:"issuer"`
	Number      string           `json:"number"`
	Document    string           `json:"document"`
}

// Sentence returns the event in words.
func (e RecommendationIssued) Sentence() domain.Text {
	return domain.Textf("%[1]s %[2]s以 %[3]s 向教育部推荐", "On %[1]s %[2]s recommended the lab to the ministry, %[3]s", e.On, e.Issuer.Name, e.Number)
}

func (e RecommendationIssued) subject() subject {
	return subject{class: Submitted, review: Of{Application: e.Application}}
}

func (e RecommendationIssued) apply(l *Lab, m domain.Meta) {
	a := l.opened()
	a.Recommendations = append(a.Recommendations,
		Recommendation{On: e.On, Issuer: e.Issuer, Number: e.Number, Document: e.Document, Entry: entryOf(m)})
}

// WithdrawRecommendation takes the recommendation back while nothing is decided (C64).
type WithdrawRecommendation struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"Since when"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses where no recommendation is in effect.
func (w WithdrawRecommendation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusIncubating, StatusRecommended, StatusReturned, StatusInReview,
		StatusSiteVisit); err != nil {
		return nil, err
	}
	var r *Recommendation
	if a := l.application(); a != nil {
		r = a.recommendation()
	}
	if r == nil {
		return nil, domain.Reject(domain.State, "没有有效的推荐可以撤回", "there is no standing recommendation to withdraw")
	}
	var c domain.Check
	c.NotFuture("on", w.On, x.Today())
	notBefore(&c, w.On, r.On, "不能早于推荐日 %s", "it cannot come before the recommendation of %s", r.On)
	c.Text("ground", w.Ground)
	c.Require(x.Actor.Role != domain.Host || r.Issuer.ID == l.Host.ID, "ground", "依托单位不能撤回主管部门的推荐；请由该部门办理", "a host cannot withdraw an authority's recommendation; have that authority do it")
	return one(RecommendationWithdrawn{Dated{w.On}, l.applicationNo(), r.Number, w.Ground}, c.Err())
}

// RecommendationWithdrawn records that a recommendation was taken back.
type RecommendationWithdrawn struct {
	Dated
	Application int         `json:"application"`
	Number      string      `json:"number"`
	Ground      domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e RecommendationWithdrawn) Sentence() domain.Text {
	return domain.Textf("%[1]s 撤回推荐 %[2]s：%[3]s", "On %[1]s the recommendation %[2]s was withdrawn: %[3]s", e.On, e.Number, e.Ground)
}

func (e RecommendationWithdrawn) subject() subject {
	return subject{class: Submitted, review: Of{Application: e.Application}}
}

func (e RecommendationWithdrawn) apply(l *Lab, _ domain.Meta) {
	if r := l.opened().recommendation(); r != nil {
		r.Withdrawn, r.Ground = e.On, e.Ground
	}
}

// PassOver records that an application was not shortlisted (C67).
type PassOver struct {
	domain.Grounds
	On     domain.Date `json:"on" doc:"The day of the decision"`
	Ground domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses a decision without a ground.
func (s PassOver) Decide(l *Lab, x domain.Context) ([]Event, error) {
	t, err := l.move(x, "pass-over", s.On, func(c *domain.Check) { c.Text("ground", s.Ground) })
	return one(NotShortlisted{t, s.Ground}, err)
}

// NotShortlisted records that an application was not shortlisted.
type NotShortlisted struct {
	Transition
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e NotShortlisted) Sentence() domain.Text {
	return e.sentence("未列为考察对象", "the lab was not shortlisted", e.Ground)
}

func (NotShortlisted) subject() subject { return public }

func (e NotShortlisted) apply(l *Lab, m domain.Meta) {
	e.moveOn(l, m, e.Ground)
	l.decide(NotOnShortlist, e.Transition)
}

// InviteExpert names an expert for the review the lab is in (C32, C74).
type InviteExpert struct {
	domain.Grounds
	On           domain.Date   `json:"on" doc:"The day of the invitation"`
	Person       domain.Person `json:"person" doc:"The expert"`
	Affiliations []uuid.UUID   `json:"affiliations" minItems:"1" maxItems:"20" doc:"The legal entity that employs the expert, then any other affiliation"`
	Declaration  string        `json:"declaration,omitempty" doc:"Digest of the expert's declaration of no conflict of interest"`
}

// UsesEntities names the affiliations.
func (i InviteExpert) UsesEntities() []uuid.UUID { return i.Affiliations }

// Decide refuses an expert who is affiliated with a party (separation-of-duties).
func (i InviteExpert) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusInReview, StatusSiteVisit, StatusAcceptance, StatusPeerEval); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", i.On, x.Today())
	c.Require(strings.TrimSpace(string(i.Person.Name)) != "", "person.name", "请填写专家姓名", "give the expert's name")
	c.Require(len(i.Affiliations) > 0, "affiliations", "请填写专家的任职单位", "say who employs the expert")
	var affiliations []domain.EntityRef
	for n, id := range i.Affiliations {
		affiliations = append(affiliations, x.Entity(&c, fmt.Sprintf("affiliations[%d]", n), id))
	}
	c.Digest("declaration", i.Declaration, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	n := l.Voided["Z"] + 1
	for _, a := range l.Reviews.Applications {
		n += len(a.Experts)
	}
	for _, a := range l.Reviews.Acceptances {
		n += len(a.Experts)
	}
	e := ExpertInvited{
		Dated: Dated{i.On}, Of: l.Reviewed(), Expert: fmt.Sprintf("Z%d", n), Person: i.Person,
		Affiliations: affiliations, Declaration: i.Declaration,
	}
	if missing := l.conflict(Expert{ID: e.Expert, Person: e.Person, Affiliations: affiliations}); !missing.IsZero() {
		return nil, domain.Unmet([]domain.Finding{Rules["separation-of-duties"].unmet(missing)})
	}
	return []Event{e}, nil
}

// ExpertInvited records an expert of a review.
type ExpertInvited struct {
	Dated
	Of
	Expert       string             `json:"expert"`
	Person       domain.Person      `json:"person"`
	Affiliations []domain.EntityRef `json:"affiliations"`
	Declaration  string             `json:"declaration,omitempty"`
}

// Sentence returns the event in words.
func (e ExpertInvited) Sentence() domain.Text {
	return domain.Textf("%[1]s 邀请专家 %[2]s，任职于%[3]s", "On %[1]s the expert %[2]s, of %[3]s, was invited", e.On, e.Expert, employer(e.Affiliations).Name)
}

func (e ExpertInvited) subject() subject { return subject{class: Seated, review: e.Of} }

func (e ExpertInvited) apply(l *Lab, m domain.Meta) {
	p := l.panel(e.Of)
	p.Experts = append(p.Experts, Expert{
		ID: e.Expert, Person: e.Person, Affiliations: e.Affiliations, Declaration: e.Declaration,
		Event: m.ID,
	})
}

// HoldSiteArgumentation records the visit of domestic and foreign experts (C32, C69).
type HoldSiteArgumentation struct {
	domain.Grounds
	On      domain.Date `json:"on" doc:"The day it was held"`
	Present []string    `json:"present" minItems:"1" maxItems:"100" doc:"The experts who were there, e.g. Z1"`
	Minutes string      `json:"minutes" doc:"Digest of the minutes"`
}

// Decide refuses an argumentation without a domestic and a foreign expert who
// are free of conflicts.
func (s HoldSiteArgumentation) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusSiteVisit); err != nil {
		return nil, err
	}
	if a := l.application(); a != nil && a.Site != nil {
		return nil, domain.Reject(domain.Exists, "现场论证已于 %s 登记", "the site argumentation of %s is on record already", a.Site.On)
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	notBefore(&c, s.On, l.StatusSince.Earliest(), "不能早于确定考察对象之日 %s", "it cannot come before the lab was shortlisted, on %s", l.StatusSince)
	for i, id := range s.Present {
		_, ok := l.seated().expert(id)
		c.Require(ok && !slices.Contains(s.Present[:i], id), fmt.Sprintf("present[%d]", i), "专家 %s 未受邀请或重复", "no expert %s was invited, or it stands here twice", id)
	}
	c.Digest("minutes", s.Minutes, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if r := l.argued(l.seated(), s.Present); len(r.missing) > 0 {
		return nil, domain.Unmet([]domain.Finding{Rules["C32"].unmet(r.missing...)})
	}
	return []Event{SiteArgumentationHeld{Dated{s.On}, l.applicationNo(), s.Present, s.Minutes}}, nil
}

// SiteArgumentationHeld records the visit at which experts argued the case.
type SiteArgumentationHeld struct {
	Dated
	Application int      `json:"application"`
	Present     []string `json:"present"`
	Minutes     string   `json:"minutes"`
}

// Sentence returns the event in words.
func (e SiteArgumentationHeld) Sentence() domain.Text {
	return domain.Textf("%[1]s 召开国内外专家现场论证会，到会专家 %[2]s", "On %[1]s domestic and foreign experts argued the case on site: %[2]s", e.On, strings.Join(e.Present, ", "))
}

func (e SiteArgumentationHeld) subject() subject {
	return subject{class: Found, documents: Seated, review: Of{Application: e.Application}}
}

func (e SiteArgumentationHeld) apply(l *Lab, m domain.Meta) {
	l.opened().Site = &SiteArgumentation{e.On, e.Present, e.Minutes, m.ID}
}

// RecordOpinion records what an expert finds (C28).
type RecordOpinion struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"The day of the opinion"`
	Expert   string      `json:"expert" maxLength:"10" doc:"e.g. Z1"`
	Findings Findings    `json:"findings" doc:"All four"`
	Supports bool        `json:"supports,omitzero" doc:"Whether the expert is in favour"`
	Document string      `json:"document" doc:"Digest of the signed opinion"`
}

// Decide refuses an opinion that leaves a finding out, and one of an expert
// who has become affiliated with a party.
func (o RecordOpinion) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusSiteVisit, StatusPeerEval); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", o.On, x.Today())
	notBefore(&c, o.On, l.StatusSince.Earliest(), "不能早于目前状态的开始日 %s", "it cannot come before the present status began, on %s", l.StatusSince)
	p := l.seated()
	expert, ok := p.expert(o.Expert)
	c.Require(ok, "expert", "专家 %s 未受邀请", "no expert %s was invited", o.Expert)
	c.Require(!slices.ContainsFunc(p.Opinions, func(q Opinion) bool { return q.Expert == o.Expert }), "expert", "专家 %s 的意见已登记", "the opinion of %s is on record already", o.Expert)
	if ok && l.Status == StatusSiteVisit {
		a := l.application()
		c.Require(a.Site != nil && slices.Contains(a.Site.Present, o.Expert), "expert", "专家 %s 没有参加现场论证", "%s was not at the site argumentation", o.Expert)
	}
	c.Digest("document", o.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	var findings []domain.Finding
	var missing []domain.Text
	for _, f := range []struct{ name, text domain.Text }{
		{domain.T("高起点", "a high starting point"), o.Findings.HighStart}, {domain.T("高水平", "a high level"), o.Findings.HighLevel},
		{domain.T("有特色", "a character of its own"), o.Findings.Distinctive}, {domain.T("有实效", "real effect"), o.Findings.Effective},
	} {
		if f.text.Trimmed().IsZero() {
			missing = append(missing, domain.Textf("没有就“%s”作出判断", "it does not judge “%s”", f.name))
		}
	}
	if len(missing) > 0 {
		findings = append(findings, Rules["C28"].unmet(missing...))
	}
	if missing := l.conflict(expert); !missing.IsZero() {
		findings = append(findings, Rules["separation-of-duties"].unmet(missing))
	}
	return one(OpinionRecorded{
		Dated: Dated{o.On}, Of: l.Reviewed(), Expert: o.Expert, Findings: o.Findings,
		Supports: o.Supports, Document: o.Document,
	}, domain.Unmet(findings))
}

// OpinionRecorded records what an expert finds.
type OpinionRecorded struct {
	Dated
	Of
	Expert   string   `json:"expert"`
	Findings Findings `json:"findings"`
	Supports bool     `json:"supports"`
	Document string   `json:"document"`
}

// Sentence returns the event in words.
func (e OpinionRecorded) Sentence() domain.Text {
	verdict := domain.T("不同意", "against it")
	if e.Supports {
		verdict = domain.T("同意", "in favour")
	}
	return domain.Textf("%[1]s 登记专家 %[2]s 的意见：%[3]s", "On %[1]s the expert %[2]s gave an opinion, %[3]s", e.On, e.Expert, verdict)
}

func (e OpinionRecorded) subject() subject {
	return subject{class: Advised, documents: Seated, review: e.Of}
}

func (e OpinionRecorded) apply(l *Lab, m domain.Meta) {
	p := l.panel(e.Of)
	p.Opinions = append(p.Opinions, Opinion{
		Expert: e.Expert, On: e.On, Findings: e.Findings, Supports: e.Supports,
		Document: e.Document, Event: m.ID,
	})
}

// AssessDimension records what the review found in one of the four dimensions (C68).
type AssessDimension struct {
	domain.Grounds
	On        domain.Date     `json:"on" doc:"The day of the finding"`
	Dimension ReviewDimension `json:"dimension" enum:"agreement,foundation,incubation,plan" doc:"合作协议、组建基础、培育进展情况 or 未来3年发展规划"`
	Text      domain.Text     `json:"text" doc:"What was found"`
}

// Decide refuses a dimension that was assessed already.
func (s AssessDimension) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.during(StatusInReview, StatusSiteVisit); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	c.Require(slices.Contains(ReviewDimensions, s.Dimension), "dimension", "应为 agreement、foundation、incubation 或 plan", "dimension must be agreement, foundation, incubation or plan")
	if a := l.application(); a != nil {
		c.Require(!slices.ContainsFunc(a.Dimensions, func(d Assessed) bool { return d.Dimension == s.Dimension }), "dimension", "已登记对“%s”的评审；如有笔误请登记更正", "“%s” is assessed already; correct it if it is wrong", s.Dimension)
	}
	c.Text("text", s.Text)
	return one(DimensionAssessed{Dated{s.On}, l.applicationNo(), s.Dimension, s.Text}, c.Err())
}

// DimensionAssessed records what the review found in one dimension.
type DimensionAssessed struct {
	Dated
	Application int             `json:"application"`
	Dimension   ReviewDimension `json:"dimension"`
	Text        domain.Text     `json:"text"`
}

// Sentence returns the event in words.
func (e DimensionAssessed) Sentence() domain.Text {
	return domain.Textf("%[1]s 评审“%[2]s”：%[3]s", "On %[1]s the review assessed “%[2]s”: %[3]s", e.On, e.Dimension, e.Text)
}

func (e DimensionAssessed) subject() subject {
	return subject{class: Found, review: Of{Application: e.Application}}
}

func (e DimensionAssessed) apply(l *Lab, m domain.Meta) {
	a := l.opened()
	a.Dimensions = append(a.Dimensions, Assessed{e.Dimension, e.On, e.Text, m.ID})
}

// The rules an application is submitted and decided by.

// insideCall asks for an open window, where the policy takes applications by call.
func insideCall(u RuleContext) func(*Lab, domain.Date) result {
	return func(_ *Lab, on domain.Date) (r result) {
		if !u.Policy.ByCall || slices.ContainsFunc(u.Policy.Calls,
			func(k domain.Call) bool { return k.Window.Contains(on) }) {
			return r
		}
		r.lack("%s 规定按通知申报，%s 不在任何申报时间内", "%s takes applications by call, and %s is outside every window", u.Policy.Document, on)
		for _, k := range u.Policy.Calls {
			if k.Window.From.After(on) && (r.earliest.IsZero() || k.Window.From.Before(r.earliest)) {
				r.earliest = k.Window.From
			}
		}
		return r
	}
}

func selfAssessed(l *Lab, on domain.Date) (r result) {
	if a := l.application(); a != nil {
		for _, s := range a.SelfAssessments {
			if !s.On.After(on) {
				r.proof = append(r.proof, s.Event)
			}
		}
	}
	if len(r.proof) == 0 {
		r.lack("本次申请尚未对照指标体系完成自评", "no self-assessment by an indicator system is complete for this application")
	}
	return r
}

func recommended(l *Lab, on domain.Date) (r result) {
	a := l.application()
	if a == nil || a.recommendation() == nil || a.recommendation().On.After(on) {
		r.lack("没有有效的正式推荐", "no formal recommendation stands")
		return r
	}
	if missing := l.mayRecommend(a.recommendation().Issuer); !missing.IsZero() {
		r.missing = append(r.missing, missing)
		return r
	}
	r.proof = []uuid.UUID{a.recommendation().Event, l.Reviews.Affiliation.Event}
	return r
}

func packageFrozen(l *Lab, on domain.Date) (r result) {
	a := l.application()
	if a == nil || a.frozen() == nil || a.frozen().On.After(on) {
		r.lack("申报材料尚未固化", "no application package is frozen")
		return r
	}
	r.proof = []uuid.UUID{a.frozen().Event}
	return r
}

// supplemented asks for a package frozen since the application was returned.
func supplemented(l *Lab, _ domain.Date) (r result) {
	a := l.application()
	if a == nil || a.frozen() == nil || len(a.Submissions) > 0 &&
		a.frozen().Version <= a.Submissions[len(a.Submissions)-1].Package {
		r.lack("退回后尚未固化补正的申报材料", "no supplemented package was frozen since the application was returned")
		return r
	}
	r.proof = []uuid.UUID{a.frozen().Event}
	return r
}

// fourFindings asks for an opinion that counts: each one on record judges all
// four, and that of an expert who has an interest by now is passed over.
func fourFindings(l *Lab, _ domain.Date) (r result) {
	p := l.seated()
	for _, o := range p.Opinions {
		if x, ok := p.expert(o.Expert); ok && l.interested(x) == nil {
			r.proof = append(r.proof, o.Event)
		}
	}
	if len(r.proof) == 0 {
		r.lack("没有无利益冲突的专家意见", "no expert free of conflicts has given an opinion")
	}
	return r
}

func sitePanel(l *Lab, _ domain.Date) (r result) {
	a := l.application()
	if a == nil || a.Site == nil {
		r.lack("尚未经国内外专家现场论证", "domestic and foreign experts have not argued the case on site")
		return r
	}
	r = l.argued(a.Panel, a.Site.Present)
	if len(r.missing) == 0 {
		r.proof = append(r.proof, a.Site.Event)
	}
	return r
}

func siteVisited(l *Lab, on domain.Date) (r result) {
	a := l.application()
	if a == nil || a.Site == nil || a.Site.On.After(on) {
		r.lack("没有现场考察的记录", "no site visit is on record")
		return r
	}
	r.proof = []uuid.UUID{a.Site.Event}
	return r
}

// fourDimensions holds for a lab that was to be visited. One that was not
// shortlisted is decided on its papers.
func fourDimensions(l *Lab, on domain.Date) (r result) {
	if l.Status == StatusInReview {
		return r
	}
	for _, d := range ReviewDimensions {
		i := -1
		if a := l.application(); a != nil {
			i = slices.IndexFunc(a.Dimensions, func(x Assessed) bool { return x.Dimension == d && !x.On.After(on) })
		}
		if i < 0 {
			r.lack("尚未考察“%s”", "“%s” is not assessed", d)
		} else {
			r.proof = append(r.proof, l.application().Dimensions[i].Event)
		}
	}
	return r
}

// separateDuties keeps those who recorded or corrected what a host handed in from
// recording the decision on it, in whatever role.
func separateDuties(u RuleContext) func(*Lab, domain.Date) result {
	return func(l *Lab, _ domain.Date) (r result) {
		submitted := func(what domain.Text, e Entry) {
			missing := domain.Textf("%s 登记了依托单位的%s，不得登记对它的决定；请由他人办理", "%s recorded the host's %s and may not record the decision on it; have somebody else do it", u.Actor.Subject, what)
			answers := e.By == u.Actor.Subject || slices.Contains(e.CorrectedBy, u.Actor.Subject)
			if u.Actor.Subject != "" && answers && !slices.Contains(r.missing, missing) {
				r.missing = append(r.missing, missing)
			}
		}
		if slices.Contains([]Status{StatusAcceptance, StatusPeerEval, StatusRectifying}, l.Status) {
			if n := len(l.Reviews.Acceptances); n > 0 {
				submitted(domain.T("验收申请", "application for acceptance"), l.Reviews.Acceptances[n-1].Entry)
			}
			return r
		}
		a := l.application()
		if a == nil {
			return r
		}
		for _, s := range a.SelfAssessments {
			submitted(domain.T("自评", "self-assessment"), s.Entry)
		}
		for _, s := range a.Packages {
			submitted(domain.T("申报材料", "application package"), s.Entry)
		}
		for _, s := range a.Recommendations {
			submitted(domain.T("推荐", "recommendation"), s.Entry)
		}
		for _, s := range a.Submissions {
			submitted(domain.T("建设申请", "application"), s.Entry)
		}
		return r
	}
}
