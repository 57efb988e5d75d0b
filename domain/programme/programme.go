// Package programme is a programme that labs are in: the policies they are judged
// under, the indicator systems and acceptance standards of reviews, the calls for
// applications, and the notices that announce decisions.
//
// Several programmes may be on record, since provinces run look-alikes. A lab
// names its programme, and the programme's id follows from that name. What is
// here is data with effective dates: the register's code knows no table of
// indicators, and the samples beside this file are marked as such.
package programme

import (
	_ "embed"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Samples of an indicator system and an acceptance standard, as bodies of
// publish-indicator-system. They are the register's own invention: the
// ministry's tables are not public.
var (
	//go:embed sample-establishment.json
	SampleEstablishment []byte
	//go:embed sample-acceptance.json
	SampleAcceptance []byte
)

// Programme is the state folded from a programme's events.
type Programme struct {
	ID       uuid.UUID                `json:"id"`
	Name     domain.Text              `json:"name,omitzero"` // empty: not registered
	Level    string                   `json:"level,omitempty"`
	Policies []domain.Policy          `json:"policies,omitempty" zh:"政策文件" en:"policy"`
	Systems  []domain.IndicatorSystem `json:"systems,omitempty" zh:"指标体系" en:"indicator system"`
	Notices  []Notice                 `json:"notices,omitempty" zh:"通知" en:"notice"`
}

// New returns the programme with the given id before its first event.
func New(id uuid.UUID) *Programme { return &Programme{ID: id} }

// Facts returns the part of the programme that decisions on labs use.
func (p *Programme) Facts() domain.Programme {
	return domain.Programme{ID: p.ID, Policies: slices.Clone(p.Policies), Systems: slices.Clone(p.Systems)}
}

// FactsAt returns the Facts of a programme with this history at an instant.
func FactsAt(history []domain.RecordedEvent[Event], at time.Time) domain.Programme {
	then := New(uuid.Nil)
	domain.Fold(then, slices.DeleteFunc(slices.Clone(history),
		func(h domain.RecordedEvent[Event]) bool { return h.Meta.Time.After(at) }))
	return then.Facts()
}

// Event is a fact about a programme.
type Event interface {
	domain.Event
	apply(*Programme, domain.Meta)
}

// Command is a request to a programme.
type Command = domain.Command[*Programme, Event]

// Apply folds an event in.
func (p *Programme) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(p, h.Meta) }

// Corrected replaces an earlier event of this programme.
type Corrected struct{ domain.Correction }

// apply has nothing to do: domain.Fold applies the restated event in the place
// of the one it corrects.
func (Corrected) apply(*Programme, domain.Meta) {}

// Voided takes back an event of this programme that should never have been recorded.
type Voided struct{ domain.Void }

// apply has nothing to do: domain.Fold leaves the event out.
func (Voided) apply(*Programme, domain.Meta) {}

// RestsOn reports whether a later event rests on an earlier one that is void or
// corrected: p is the state before the later one, folded without the earlier.
func (p *Programme) RestsOn(_ Event, later domain.RecordedEvent[Event]) bool {
	switch e := later.Event.(type) {
	case PolicySuperseded:
		return p.policy(e.Document) < 0 || p.policy(e.By) < 0
	case CallOpened:
		return p.policy(e.Policy) < 0
	}
	return false
}

// Rules are the clauses that hold for a programme itself, by their ids.
var Rules = map[string]domain.Finding{
	"C03": {
		Rule: "C03", Clause: "序", Quote: "为落实《国家中长期教育改革和发展规划纲要（2010-2020年）》",
		Text: domain.T("每个政策文件以其文号登记一次", "each policy document is on record once, under its document number"),
	},
	"C27": {
		Rule: "C27", Clause: "三(四)", Quote: "坚持把创新能力和学术影响力作为联合实验室评审认定的核心",
		Text: domain.T("指标体系须包含创新能力和学术影响力两项核心标准", "an indicator system has both core criteria, capacity for innovation and academic influence"),
	},
	"C30": {
		Rule: "C30", Clause: "三(四)", Quote: "不设批次，不限时间，不定名额",
		Text: domain.T("仅规定按通知申报的政策可以设申报时间", "only a policy that takes applications by call can have a window for them"),
	},
	"C31": {
		Rule: "C31", Clause: "三(四)", Quote: "成熟一个认定一个",
		Text: domain.T("通知中每项决定只涉及一个实验室，每个实验室只列一次", "each decision of a notice is on one lab, and each lab stands in it once"),
	},
	"C75": {
		Rule: "C75", Clause: "五(三)", Quote: "重点考察建设期间实验室的学科发展、科研成果、队伍汇聚、人才培养和管理运行等方面能力水平和国际化程度",
		Text: domain.T("验收标准须覆盖五个方面", "an acceptance standard covers all five dimensions"),
	},
}

// findings gathers the unmet rules of a command.
type findings []domain.Finding

// unless adds what is missing under a rule, unless ok.
func (f *findings) unless(ok bool, rule, zh, en string, args ...any) {
	if ok {
		return
	}
	missing := domain.Textf(zh, en, args...)
	for i := range *f {
		if (*f)[i].Rule == rule {
			(*f)[i].Missing = append((*f)[i].Missing, missing)
			return
		}
	}
	r := Rules[rule]
	r.Missing = []domain.Text{missing}
	*f = append(*f, r)
}

// err returns the refusal for values at fault, or else for rules not met, or nil.
func (f findings) err(c *domain.Check) error {
	if err := c.Err(); err != nil {
		return err
	}
	return domain.Unmet(f)
}

func (p *Programme) registered() error {
	if p.Name.IsZero() {
		return domain.Reject(domain.NotFound, "登记簿中没有这个计划；请先登记计划", "there is no such programme in the register; register it first")
	}
	return nil
}

// RegisterProgramme puts a programme on record.
type RegisterProgramme struct {
	domain.Grounds
	Name  domain.Text `json:"name" doc:"What it is called; labs name it in Chinese where it has a Chinese name"`
	Level string      `json:"level" enum:"ministry,province,university" doc:"Whose programme it is"`
}

// Decide refuses a second registration and an id that belongs to another name.
func (r RegisterProgramme) Decide(p *Programme, _ domain.Context) ([]Event, error) {
	if !p.Name.IsZero() {
		return nil, domain.Reject(domain.Exists, "该计划已登记", "this programme is registered already")
	}
	var c domain.Check
	r.Name = r.Name.Trimmed()
	c.Text("name", r.Name)
	id := domain.ProgrammeID(r.Name.Chinese())
	c.Require(r.Name.IsZero() || p.ID == id, "name", "该名称的计划编号应为 %s；请以该编号登记", "the programme of that name has the id %s; register it under that id", id)
	c.Require(slices.Contains([]string{"ministry", "province", "university"}, r.Level), "level", "层级应为 ministry、province 或 university", "level must be ministry, province or university")
	return domain.Accept[Event](Registered{r.Name, r.Level}, c.Err())
}

// Registered records that a programme is on record.
type Registered struct {
	Name  domain.Text `json:"name"`
	Level string      `json:"level"`
}

// Sentence returns the event in words.
func (e Registered) Sentence() domain.Text {
	return domain.Textf("登记计划“%s”", "Registered the programme “%s”", e.Name)
}

func (e Registered) apply(p *Programme, _ domain.Meta) { p.Name, p.Level = e.Name, e.Level }

// AdoptPolicy puts a policy on record (C03).
type AdoptPolicy struct {
	domain.Grounds
	domain.Terms
}

// Decide refuses a document number that is on record already.
func (a AdoptPolicy) Decide(p *Programme, _ domain.Context) ([]Event, error) {
	if err := p.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	var f findings
	c.Require(strings.TrimSpace(a.Document) != "", "document", "请填写文号", "give the document number")
	c.Text("title", a.Title)
	c.Given("effective.from", a.Effective.From)
	a.Effective.Check(&c, "effective")
	c.Require(a.Rules == "2014", "rules", "本版本登记簿只有 2014 版规则", "this version of the register has the rules of 2014 only")
	c.Require(a.IncubationYears >= 0 && a.IncubationYears <= 20, "incubation_years", "应为 0 至 20", "give 0 to 20 years")
	c.Require(a.ConstructionYears >= 1 && a.ConstructionYears <= 20, "construction_years", "应为 1 至 20", "give 1 to 20 years")
	c.Require(a.OpinionsTo == "" || a.OpinionsTo.Readers() != 0, "opinions_to", "应为 host、parties 或 public", "give host, parties or public")
	c.Require(a.EvaluationYears >= 0 && a.EvaluationYears <= 20, "evaluation_years", "应为 0 至 20", "give 0 to 20 years")
	for _, m := range a.Modes {
		c.Require(!m.Text().IsZero(), "modes", "申报方式应为 platform 或 overseas-team", "a mode must be platform or overseas-team")
	}
	f.unless(p.policy(a.Document) < 0, "C03", "文号 %s 已登记", "%s is on record already", a.Document)
	return domain.Accept[Event](PolicyAdopted{a.Terms}, f.err(&c))
}

// policy returns the index of a policy, or -1.
func (p *Programme) policy(document string) int {
	return slices.IndexFunc(p.Policies, func(q domain.Policy) bool { return q.Document == document })
}

// PolicyAdopted records that labs are judged under a policy from a day on.
type PolicyAdopted struct{ domain.Terms }

// Sentence returns the event in words.
func (e PolicyAdopted) Sentence() domain.Text {
	return domain.Textf("登记政策文件 %[1]s“%[2]s”，自 %[3]s 起施行：培育组建 %[4]d 年，建设期 %[5]d 年", "Adopted the policy %[1]s, “%[2]s”, in force from %[3]s: %[4]d years of incubation, %[5]d of construction",
		e.Document, e.Title, e.Effective.From, e.IncubationYears, e.ConstructionYears)
}

func (e PolicyAdopted) apply(p *Programme, _ domain.Meta) {
	p.Policies = append(p.Policies, domain.Policy{Terms: e.Terms})
}

// SupersedePolicy ends a policy because another replaces it.
type SupersedePolicy struct {
	domain.Grounds
	Document string      `json:"document" doc:"The policy that ends" maxLength:"200"`
	By       string      `json:"by" doc:"The policy that takes its place" maxLength:"200"`
	On       domain.Date `json:"on" doc:"The first day the new one holds alone"`
}

// Decide refuses a policy that is not on record and a day its successor does not hold on.
func (s SupersedePolicy) Decide(p *Programme, _ domain.Context) ([]Event, error) {
	if err := p.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	old, by := p.policy(s.Document), p.policy(s.By)
	c.Require(old >= 0, "document", "没有登记政策文件 %s", "no policy %s is on record", s.Document)
	c.Require(by >= 0 && by != old, "by", "取代它的政策文件 %s 尚未登记", "the policy that takes its place, %s, is not on record; adopt it first", s.By)
	c.Given("on", s.On)
	if c.Err() == nil {
		c.Require(p.Policies[old].SupersededBy == "", "document", "政策文件 %s 已被 %s 取代", "%s was superseded by %s already", s.Document, p.Policies[old].SupersededBy)
		c.Require(s.On.After(p.Policies[old].Effective.From), "on", "应晚于原政策的施行日 %s", "it must come after %s, when the old policy came into force", p.Policies[old].Effective.From)
		c.Require(p.Policies[by].Effective.Contains(s.On), "on", "%[2]s 当日 %[1]s 尚未施行或已失效", "%s is not in force on %s", s.By, s.On)
	}
	return domain.Accept[Event](PolicySuperseded{s.Document, s.By, s.On}, c.Err())
}

// PolicySuperseded records that another policy replaced a policy.
type PolicySuperseded struct {
	Document string      `json:"document"`
	By       string      `json:"by"`
	On       domain.Date `json:"on"`
}

// Sentence returns the event in words.
func (e PolicySuperseded) Sentence() domain.Text {
	return domain.Textf("自 %[3]s 起，政策文件 %[1]s 由 %[2]s 取代", "From %[3]s the policy %[1]s is superseded by %[2]s", e.Document, e.By, e.On)
}

func (e PolicySuperseded) apply(p *Programme, _ domain.Meta) {
	if i := p.policy(e.Document); i >= 0 {
		p.Policies[i].SupersededBy, p.Policies[i].Effective.To = e.By, e.On.AddDays(-1)
	}
}

// OpenCall opens a window for applications, where the policy takes them by call (C30).
type OpenCall struct {
	domain.Grounds
	Policy string `json:"policy" doc:"The policy it is made under" maxLength:"200"`
	domain.Call
}

// Decide refuses a call under a policy that takes applications at any time.
func (o OpenCall) Decide(p *Programme, _ domain.Context) ([]Event, error) {
	if err := p.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	var f findings
	i := p.policy(o.Policy)
	c.Require(i >= 0, "policy", "没有登记政策文件 %s", "no policy %s is on record", o.Policy)
	c.Require(strings.TrimSpace(o.Document) != "", "document", "请填写文号", "give the document number")
	c.Text("title", o.Title)
	c.Given("window.from", o.Window.From)
	c.Given("window.to", o.Window.To)
	o.Window.Check(&c, "window")
	if i >= 0 {
		c.Require(!slices.ContainsFunc(p.Policies[i].Calls, func(k domain.Call) bool { return k.Document == o.Document }), "document", "该通知已登记", "this call is on record already")
		f.unless(p.Policies[i].ByCall, "C30", "%s 不限申报时间，不能设申报时间", "%s takes applications at any time; it can have no window", o.Policy)
	}
	return domain.Accept[Event](CallOpened{o.Policy, o.Call}, f.err(&c))
}

// CallOpened records a window for applications.
type CallOpened struct {
	Policy string `json:"policy"`
	domain.Call
}

// Sentence returns the event in words.
func (e CallOpened) Sentence() domain.Text {
	return domain.Textf("登记申报通知 %[1]s“%[2]s”，申报时间 %[3]s 至 %[4]s", "Opened the call %[1]s, “%[2]s”: applications from %[3]s to %[4]s", e.Document, e.Title, e.Window.From, e.Window.To)
}

func (e CallOpened) apply(p *Programme, _ domain.Meta) {
	if i := p.policy(e.Policy); i >= 0 {
		p.Policies[i].Calls = append(slices.Clone(p.Policies[i].Calls), e.Call)
	}
}

// PublishIndicatorSystem puts a version of the 立项评审指标体系 or of the
// acceptance standard on record (C27).
type PublishIndicatorSystem struct {
	domain.Grounds
	domain.IndicatorSystem
}

// Decide refuses a system without the core criteria, and an acceptance
// standard that leaves a dimension out.
func (s PublishIndicatorSystem) Decide(p *Programme, _ domain.Context) ([]Event, error) {
	if err := p.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	var f findings
	c.Require(!s.Kind.Text().IsZero(), "kind", "应为 establishment 或 acceptance", "kind must be establishment or acceptance")
	c.Require(strings.TrimSpace(s.Version) != "", "version", "请填写版本", "give its version")
	c.Text("title", s.Title)
	c.Given("effective.from", s.Effective.From)
	s.Effective.Check(&c, "effective")
	c.Require(s.Sample || s.Document != "", "document", "请填写文号；如为自拟样表，请标注 sample", "give the document number, or mark it as a sample")
	_, exists := domain.Programme{Systems: p.Systems}.System(s.Kind, s.Version)
	c.Require(!exists, "version", "%s 已有版本 %s", "the %s has a version %s already", s.Kind, s.Version)
	seen := map[string]bool{}
	has := func(of func(domain.Criterion) bool) bool { return slices.ContainsFunc(s.Criteria, of) }
	for _, k := range s.Criteria {
		c.Text("criteria.text", k.Text)
		c.Require(k.ID != "" && len(k.Indicators) > 0, "criteria", "每项标准应有编号和至少一个指标", "each criterion needs an id and an indicator at least")
		c.Require(k.Core == "" || slices.Contains(domain.Cores, k.Core), "criteria.core", "应为 innovation 或 influence", "core must be innovation or influence")
		c.Require(k.Dimension == "" || slices.Contains(domain.Dimensions, k.Dimension), "criteria.dimension", "没有这个方面", "there is no such dimension")
		for _, i := range k.Indicators {
			c.Text("criteria.indicators.text", i.Text)
			c.Require(i.ID != "" && !seen[i.ID], "criteria.indicators.id", "指标编号“%s”为空或重复", "the indicator id %q is empty or stands twice", i.ID)
			seen[i.ID] = true
		}
	}
	for _, core := range domain.Cores {
		f.unless(has(func(k domain.Criterion) bool { return k.Core == core }), "C27", "缺少核心标准“%s”", "the core criterion “%s” is missing", core)
	}
	for _, d := range domain.Dimensions {
		f.unless(s.Kind != domain.ForAcceptance || has(func(k domain.Criterion) bool { return k.Dimension == d }), "C75", "缺少“%s”方面", "the dimension “%s” is missing", d)
	}
	return domain.Accept[Event](IndicatorSystemPublished{s.IndicatorSystem}, f.err(&c))
}

// IndicatorSystemPublished records that a version of an indicator system holds
// from a day on.
type IndicatorSystemPublished struct{ domain.IndicatorSystem }

// Sentence returns the event in words.
func (e IndicatorSystemPublished) Sentence() domain.Text {
	s := domain.Textf("登记%[1]s第 %[2]s 版“%[3]s”，共 %[5]d 项指标，自 %[4]s 起施行", "Published version %[2]s of the %[1]s, “%[3]s”, with %[5]d indicators, in force from %[4]s",
		e.Kind, e.Version, e.Title, e.Effective.From, len(e.Indicators()))
	if e.Sample {
		s = domain.Textf("%s（本登记簿自拟样表，并非教育部文件）", "%s (the register's own sample, no document of the ministry)", s)
	}
	return s
}

// apply ends the version of the kind that held before.
func (e IndicatorSystemPublished) apply(p *Programme, _ domain.Meta) {
	for i, s := range p.Systems {
		if s.Kind == e.Kind && s.Effective.To.IsZero() && s.Effective.From.Before(e.Effective.From) {
			p.Systems[i].Effective.To = e.Effective.From.AddDays(-1)
		}
	}
	p.Systems = append(p.Systems, e.IndicatorSystem)
}

// Notice is a document that announces many individual decisions (C31).
type Notice struct {
	Document  string      `json:"document"`
	Title     domain.Text `json:"title"`
	On        domain.Date `json:"on"`
	Digest    string      `json:"digest,omitempty"`
	Decisions []Decided   `json:"decisions" zh:"决定" en:"decision"`
	Event     uuid.UUID   `json:"event"`
}

// Decision is the decision of a notice on one lab.
type Decision struct {
	Lab      uuid.UUID `json:"lab" zh:"实验室" en:"lab"`
	Decision string    `json:"decision" enum:"established,declined,recognised,not-passed,revoked" doc:"What was decided on it"`
}

// Decided is a decision with the lab's name that day.
type Decided struct {
	Decision
	Name domain.Text `json:"name"`
}

var decisions = map[string]domain.Text{
	"established": domain.T("立项建设", "established"), "declined": domain.T("未获立项", "declined"), "recognised": domain.T("认定", "recognised"),
	"not-passed": domain.T("验收未通过", "acceptance not passed"), "revoked": domain.T("撤销", "revoked"),
}

// IssueNotice records a notice. Each lab has its decision recorded as well, with
// the notice as its basis.
type IssueNotice struct {
	domain.Grounds
	Document  string      `json:"document" minLength:"1" maxLength:"200" doc:"Document number (文号)"`
	Title     domain.Text `json:"title" doc:"What it is called"`
	On        domain.Date `json:"on" doc:"When it was issued"`
	Digest    string      `json:"digest,omitempty" doc:"Digest of its text"`
	Decisions []Decision  `json:"decisions" minItems:"1" maxItems:"500" doc:"One for each lab"`
}

// UsesLabs returns the labs decided on.
func (n IssueNotice) UsesLabs() (ids []uuid.UUID) {
	for _, d := range n.Decisions {
		ids = append(ids, d.Lab)
	}
	return ids
}

// Decide refuses a notice on record, an unknown lab, and a lab listed twice.
func (n IssueNotice) Decide(p *Programme, x domain.Context) ([]Event, error) {
	if err := p.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	var f findings
	c.Require(strings.TrimSpace(n.Document) != "", "document", "请填写文号", "give the document number")
	c.Require(!slices.ContainsFunc(p.Notices, func(o Notice) bool { return o.Document == n.Document }), "document", "通知 %s 已登记", "the notice %s is on record already", n.Document)
	c.Text("title", n.Title)
	c.NotFuture("on", n.On, x.Today())
	c.Digest("digest", n.Digest, true)
	f.unless(len(n.Decisions) > 0, "C31", "通知没有列出决定", "the notice lists no decision")
	e := NoticeIssued{Document: n.Document, Title: n.Title, On: n.On, Digest: n.Digest}
	seen := map[uuid.UUID]bool{}
	for _, d := range n.Decisions {
		name, ok := x.Labs[d.Lab]
		c.Require(ok, "decisions.lab", "登记簿中没有实验室 %s；请先登记", "there is no lab %s in the register; propose it first", d.Lab)
		c.Require(!decisions[d.Decision].IsZero(), "decisions.decision", "应为 established、declined、recognised、not-passed 或 revoked", "decision must be established, declined, recognised, not-passed or revoked")
		f.unless(!seen[d.Lab], "C31", "“%s”在通知中列出了两次", "“%s” stands in the notice twice", name)
		seen[d.Lab] = true
		e.Decisions = append(e.Decisions, Decided{d, name})
	}
	return domain.Accept[Event](e, f.err(&c))
}

// NoticeIssued records the decisions that a notice announced.
type NoticeIssued struct {
	Document  string      `json:"document"`
	Title     domain.Text `json:"title"`
	On        domain.Date `json:"on"`
	Digest    string      `json:"digest,omitempty"`
	Decisions []Decided   `json:"decisions"`
}

// Sentence names each lab with what was decided on it.
func (e NoticeIssued) Sentence() domain.Text {
	s := domain.Textf("%[3]s 发布通知 %[1]s“%[2]s”", "On %[3]s the notice %[1]s, “%[2]s”, was issued", e.Document, e.Title, e.On)
	for i, d := range e.Decisions {
		zh, en := "；%s：%s", "; %s: %s"
		if i == 0 {
			zh, en = "，%s：%s", ". %s: %s"
		}
		more := domain.Textf(zh, en, d.Name, decisions[d.Decision.Decision])
		s = domain.T(s.Zh+more.Zh, s.En+more.En)
	}
	return s
}

func (e NoticeIssued) apply(p *Programme, m domain.Meta) {
	p.Notices = append(p.Notices, Notice{
		Document: e.Document, Title: e.Title, On: e.On, Digest: e.Digest, Decisions: e.Decisions, Event: m.ID,
	})
}
