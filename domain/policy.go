package domain

import (
	"slices"

	"github.com/google/uuid"
)

// Programme is the part of a lab's programme that decisions on the lab use. The
// zero Programme has nothing on record: the built-in policy holds.
type Programme struct {
	ID       uuid.UUID         `json:"id"`
	Policies []Policy          `json:"policies,omitempty"`
	Systems  []IndicatorSystem `json:"systems,omitempty"`
}

// programmes is the name space of programmes' ids.
var programmes = uuid.MustParse("b3b7d0d6-7a0b-5f0e-8c57-2f9e1d2f6a10")

// ProgrammeID returns the id of the programme of that name. Labs name their
// programme, so the id follows from the name.
func ProgrammeID(name string) uuid.UUID { return uuid.NewSHA1(programmes, []byte(name)) }

// Policy is a document under which labs are judged (C03), with what became of it.
type Policy struct {
	Terms
	Calls        []Call `json:"calls,omitempty" zh:"申报通知" en:"call"`
	SupersededBy string `json:"superseded_by,omitempty"` // its document number
}

// Terms are the contents of a policy.
type Terms struct {
	Document          string   `json:"document" doc:"Document number (文号), e.g. 教技〔2014〕1号" minLength:"1" maxLength:"200"`
	Title             Text     `json:"title" doc:"What it is called"`
	Effective         Period   `json:"effective" doc:"When it holds; open-ended until it is superseded"`
	Rules             string   `json:"rules" enum:"2014" doc:"Which edition of the register's rules it is judged by" zh:"规则版本" en:"edition of the rules"`
	IncubationYears   int      `json:"incubation_years" minimum:"0" maximum:"20" doc:"Years of incubation before an application (C62)" zh:"培育年限" en:"years of incubation"`
	ConstructionYears int      `json:"construction_years" minimum:"1" maximum:"20" doc:"Years of construction unless a decision says otherwise (C70)" zh:"建设年限" en:"years of construction"`
	EvaluationYears   int      `json:"evaluation_years,omitzero" minimum:"0" maximum:"20" doc:"Years between evaluations of an open lab; absent: none is set" zh:"评估周期" en:"years between evaluations"`
	Modes             []Mode   `json:"modes,omitempty" maxItems:"10" enum:"platform,overseas-team" doc:"Ways to apply, where there are several" zh:"申请方式" en:"mode"`
	ExcludesBases     bool     `json:"excludes_bases,omitzero" doc:"A platform that already holds a 国家国际科技合作基地 does not count (C19), as since 2022" zh:"不含国家级基地" en:"national bases left out"`
	ByCall            bool     `json:"by_call,omitzero" doc:"Applications are taken inside the window of a call only; absent: at any time (C30)" zh:"按通知受理" en:"applications by call only"`
	OpinionsTo        Opinions `json:"opinions_to,omitempty" enum:"host,parties,public" doc:"Who may read experts' opinions once a decision is made, beside the ministry, its agency, officers and auditors: the lab's host, its host and parties, or everybody; absent: nobody. Who the experts are is not shown to any of them"`
	LegalBasis        []string `json:"legal_basis,omitempty" maxItems:"20" doc:"Documents it rests on" zh:"依据文件" en:"legal basis"`
}

// Opinions is the audience of experts' opinions after a decision.
type Opinions string

// The audiences. Empty: nobody beside those who conduct reviews.
const (
	OpinionsToHost    Opinions = "host"
	OpinionsToParties Opinions = "parties" // and the host
	OpinionsToAll     Opinions = "public"
)

// Readers returns the readers beside those who conduct reviews.
func (o Opinions) Readers() Readers {
	switch o {
	case OpinionsToHost:
		return Owner
	case OpinionsToParties:
		return Owner | Parties
	case OpinionsToAll:
		return Everybody
	}
	return 0
}

// Mode is a way to apply that a policy knows.
type Mode string

// The modes of the 2022 call.
const (
	PlatformMode     Mode = "platform"      // on a platform the university has
	OverseasTeamMode Mode = "overseas-team" // by a team returned from overseas
)

// Call asks for applications within a window.
type Call struct {
	Document string `json:"document" doc:"Document number of the call" minLength:"1" maxLength:"200"`
	Title    Text   `json:"title" doc:"What it is called"`
	Window   Period `json:"window" doc:"First and last day applications are taken" zh:"受理期" en:"window"`
}

// BuiltIn is 教技〔2014〕1号. It holds wherever a programme has no policy on record.
var BuiltIn = Policy{Terms: Terms{
	Document: "教技〔2014〕1号", Title: T("国际合作联合实验室计划", "Plan for Joint International Research Laboratories"),
	Rules: "2014", IncubationYears: 2, ConstructionYears: 3,
}}

// PolicyOn returns the policy in force on a day: the last to begin of those
// whose period contains the day, or BuiltIn where there is none.
func (p Programme) PolicyOn(d Date) Policy {
	in := BuiltIn
	for _, q := range p.Policies {
		if q.Effective.Contains(d) && !q.Effective.From.Before(in.Effective.From) {
			in = q
		}
	}
	return in
}

// SystemKind is the purpose of an indicator system.
type SystemKind string

// The kinds of indicator systems.
const (
	ForEstablishment SystemKind = "establishment" // 立项评审指标体系
	ForAcceptance    SystemKind = "acceptance"    // 验收标准
)

// IndicatorSystem is a version of the 立项评审指标体系 or of the acceptance
// standard. The real tables are not public, so it is data, and Sample marks
// one that is the register's own invention.
type IndicatorSystem struct {
	Kind      SystemKind  `json:"kind" enum:"establishment,acceptance" doc:"What it is for"`
	Version   string      `json:"version" minLength:"1" maxLength:"100" doc:"Its version; never used twice for one kind"`
	Title     Text        `json:"title" doc:"What it is called"`
	Document  string      `json:"document,omitempty" maxLength:"200" doc:"Document number (文号), where one issued it"`
	Sample    bool        `json:"sample,omitzero" doc:"It is the register's own sample and no document of the ministry"`
	Effective Period      `json:"effective" doc:"When it holds; open-ended until the next version of its kind"`
	Criteria  []Criterion `json:"criteria" minItems:"1" maxItems:"100" zh:"标准" en:"criterion"`
}

// Criterion groups indicators.
type Criterion struct {
	ID         string      `json:"id" minLength:"1" maxLength:"40"`
	Text       Text        `json:"text"`
	Core       Core        `json:"core,omitempty" enum:"innovation,influence" doc:"Which mandatory core criterion it is (C27)" zh:"核心标准" en:"core criterion"`
	Dimension  Dimension   `json:"dimension,omitempty" enum:"discipline,research,team,training,management" doc:"Which dimension of acceptance it belongs to (C75)"`
	Indicators []Indicator `json:"indicators" minItems:"1" maxItems:"100"`
}

// Indicator is one question a self-assessment answers.
type Indicator struct {
	ID   string `json:"id" minLength:"1" maxLength:"40" doc:"Unique in its system"`
	Text Text   `json:"text"`
}

// Core is a mandatory core criterion (C27).
type Core string

// Cores are the criteria every indicator system has.
var Cores = []Core{"innovation", "influence"}

// Dimension is one of the five that acceptance looks at (C75).
type Dimension string

// Dimensions are the five, in the order of the document.
var Dimensions = []Dimension{"discipline", "research", "team", "training", "management"}

var policyWords = map[string]Text{
	"innovation": T("创新能力", "capacity for innovation"), "influence": T("学术影响力", "academic influence"),
	"discipline": T("学科发展", "development of the discipline"), "research": T("科研成果", "research results"), "team": T("队伍汇聚", "gathering of a team"),
	"training": T("人才培养", "training of talent"), "management": T("管理运行", "management and operation"),
	"platform": T("平台模式", "platform mode"), "overseas-team": T("海外团队模式", "overseas-team mode"),
	"establishment": T("立项评审指标体系", "indicator system for establishment"), "acceptance": T("验收标准", "acceptance standard"),
}

// Text returns the criterion in Chinese and English.
func (c Core) Text() Text { return policyWords[string(c)] }

// Text returns the dimension in Chinese and English.
func (d Dimension) Text() Text { return policyWords[string(d)] }

// Text returns the mode in Chinese and English.
func (m Mode) Text() Text { return policyWords[string(m)] }

// Text returns the kind in Chinese and English.
func (k SystemKind) Text() Text { return policyWords[string(k)] }

// Indicators returns what a self-assessment must answer, in order.
func (s IndicatorSystem) Indicators() (all []Indicator) {
	for _, c := range s.Criteria {
		all = append(all, c.Indicators...)
	}
	return all
}

// System returns the version of a kind, and reports whether there is one.
func (p Programme) System(kind SystemKind, version string) (IndicatorSystem, bool) {
	i := slices.IndexFunc(p.Systems, func(s IndicatorSystem) bool { return s.Kind == kind && s.Version == version })
	if i < 0 {
		return IndicatorSystem{}, false
	}
	return p.Systems[i], true
}
