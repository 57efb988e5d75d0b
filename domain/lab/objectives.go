package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// ObjectiveKind is one of the five objectives of the programme (C10–C14).
type ObjectiveKind string

// The five objectives; the last in its four mechanisms (C14).
const (
	DisciplineObjective  ObjectiveKind = "discipline"
	ResearchObjective    ObjectiveKind = "research"
	TeamObjective        ObjectiveKind = "team"
	TrainingObjective    ObjectiveKind = "training"
	OperationObjective   ObjectiveKind = "management-operation"
	AppointmentObjective ObjectiveKind = "management-appointment"
	EvaluationObjective  ObjectiveKind = "management-evaluation"
	ServiceObjective     ObjectiveKind = "management-services"
)

var objectiveKinds = kindTable[ObjectiveKind]{
	{DisciplineObjective, domain.T("学科", "discipline")},
	{ResearchObjective, domain.T("科研", "research")},
	{TeamObjective, domain.T("队伍", "team")},
	{TrainingObjective, domain.T("人才培养", "training")},
	{OperationObjective, domain.T("管理：国际化运行机制", "management: international operation")},
	{AppointmentObjective, domain.T("管理：人才评聘", "management: appointment of talent")},
	{EvaluationObjective, domain.T("管理：学术评价", "management: academic evaluation")},
	{ServiceObjective, domain.T("管理：支撑服务", "management: support services")},
}

// Text returns the kind in Chinese and English.
func (k ObjectiveKind) Text() domain.Text { return objectiveKinds.text(k) }

// Target is an indicator of an objective with its baseline and target.
type Target struct {
	Kind       ObjectiveKind  `json:"kind" enum:"discipline,research,team,training,management-operation,management-appointment,management-evaluation,management-services" doc:"The objective it measures"`
	Indicator  domain.Text    `json:"indicator" doc:"What is measured"`
	Unit       domain.Text    `json:"unit" doc:"In what"`
	Baseline   domain.Decimal `json:"baseline" doc:"Its value to begin with" zh:"基线值" en:"baseline"`
	BaselineOn domain.Date    `json:"baseline_on" doc:"When it had that value" zh:"基线日期" en:"day of the baseline"`
	Target     domain.Decimal `json:"target" doc:"The value aimed at" zh:"目标值" en:"target"`
	Due        domain.Date    `json:"due" doc:"By when"`
}

// Reading is an indicator's value on a day.
type Reading struct {
	On       domain.Date    `json:"on" doc:"The day it was measured"`
	Value    domain.Decimal `json:"value" doc:"The value that day"`
	Evidence string         `json:"evidence" doc:"Digest of the evidence"`
}

// Objective is a target and the values measured since.
type Objective struct {
	ID string `json:"id"` // O1, O2 …
	Target
	Readings []Reading `json:"readings,omitempty" zh:"进展" en:"reading"`
	Event    uuid.UUID `json:"event"`
}

// SetObjective records an indicator with its baseline and target (C10–C14).
type SetObjective struct {
	domain.Grounds
	Target
}

// Decide refuses a target that equals the baseline or is due before it.
func (o SetObjective) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	objectiveKinds.check(&c, "kind", o.Kind)
	c.Text("indicator", o.Indicator)
	c.Text("unit", o.Unit)
	c.NotFuture("baseline_on", o.BaselineOn, x.Today())
	c.Given("due", o.Due)
	c.Require(o.Due.IsZero() || o.Due.After(o.BaselineOn), "due", "应晚于基线日期", "it must come after the day of the baseline")
	c.Require(o.Target.Target.Cmp(o.Baseline) != 0, "target", "目标值应不同于基线值", "the target must differ from the baseline")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ObjectiveSet{l.number("O", len(l.Objectives)), o.Target}}, nil
}

// ObjectiveSet records an indicator with its baseline and target.
type ObjectiveSet struct {
	Objective string `json:"objective"`
	Target
}

// Sentence returns the event in words.
func (e ObjectiveSet) Sentence() domain.Text {
	return domain.Textf("设定%[2]s目标 %[1]s：%[3]s由 %[4]s（%[5]s）到 %[6]s（%[7]s，%[8]s 前）", "Set objective %[1]s (%[2]s): %[3]s, from %[4]s (%[5]s) to %[6]s (%[7]s, by %[8]s)",
		e.Objective, e.Kind, e.Indicator, e.Baseline, e.BaselineOn, e.Target.Target, e.Unit, e.Due)
}

func (ObjectiveSet) subject() subject { return public }

func (e ObjectiveSet) apply(l *Lab, m domain.Meta) {
	l.Objectives = append(l.Objectives, Objective{ID: e.Objective, Target: e.Target, Event: m.ID})
}

// ReportIndicator records an indicator's value on a day (C10–C14).
type ReportIndicator struct {
	domain.Grounds
	Objective string `json:"objective" doc:"e.g. O1"`
	Reading
}

// Decide refuses a value before the baseline, and one without evidence.
func (r ReportIndicator) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	if o := found(&c, "objective", "O", l.Objectives, r.Objective); o != nil {
		notBefore(&c, r.On, o.BaselineOn, "不能早于基线日期 %s", "it cannot come before the baseline, of %s", o.BaselineOn)
	}
	c.Digest("evidence", r.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{IndicatorReported{r.Objective, r.Reading}}, nil
}

// IndicatorReported records an indicator's value on a day.
type IndicatorReported struct {
	Objective string `json:"objective"`
	Reading
}

// Sentence returns the event in words.
func (e IndicatorReported) Sentence() domain.Text {
	return domain.Textf("目标 %s 的指标在 %s 为 %s", "The indicator of objective %s stood on %s at %s", e.Objective, e.On, e.Value)
}

func (IndicatorReported) subject() subject { return public }

func (e IndicatorReported) apply(l *Lab, _ domain.Meta) {
	if o := numbered(l.Objectives, e.Objective); o != nil {
		o.Readings = append(o.Readings, e.Reading)
	}
}

var directionTags = kindTable[string]{
	{"basic", domain.T("基础性", "basic")}, {"frontier", domain.T("前沿性", "frontier")}, {"strategic", domain.T("战略性", "strategic")},
}

// Aim is the subject of a research direction (C22, C33).
type Aim struct {
	Name  domain.Text   `json:"name" doc:"The field or direction"`
	Tag   string        `json:"tag" enum:"basic,frontier,strategic" doc:"基础性, 前沿性 or 战略性" zh:"标签" en:"tag"`
	Valid domain.Period `json:"valid" doc:"When it holds"`
}

func (a Aim) check(c *domain.Check) {
	c.Text("name", a.Name)
	directionTags.check(c, "tag", a.Tag)
	c.Given("valid.from", a.Valid.From)
	a.Valid.Check(c, "valid")
}

// Direction is a research direction and its earlier aims.
type Direction struct {
	ID string `json:"id"` // D1, D2 …
	Aim
	Before []Aim     `json:"before,omitempty" zh:"此前" en:"before"`
	Event  uuid.UUID `json:"event"`
}

// pursued reports whether an id names a research direction or a project that
// holds on a day.
func (l *Lab) pursued(id string, d domain.Date) bool {
	if r := numbered(l.Directions, id); r != nil {
		return r.Valid.Contains(d)
	}
	p := numbered(l.Projects, id)
	return p != nil && p.Runs.Contains(d)
}

// SetDirection records a research direction (C22, C33).
type SetDirection struct {
	domain.Grounds
	Aim
}

// Decide refuses a direction without a tag or a first day.
func (s SetDirection) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	s.check(&c)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{DirectionSet{l.number("D", len(l.Directions)), s.Aim, domain.Text{}}}, nil
}

// ChangeDirection changes or ends a research direction. Directions are to be
// stable, so it gives a reason (C33).
type ChangeDirection struct {
	domain.Grounds
	Direction string `json:"direction" doc:"e.g. D1"`
	Aim
	Ground domain.Text `json:"ground,omitzero" doc:"Why it is changed; always needed"`
}

// Decide refuses a change without a reason (C33).
func (s ChangeDirection) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	s.check(&c)
	if d := found(&c, "direction", "D", l.Directions, s.Direction); d != nil {
		c.Require(d.Aim != s.Aim, "name", "研究方向未变更", "nothing about the direction changes")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if s.Ground.Trimmed().IsZero() {
		return nil, refuse("C33", "请说明变更研究方向的理由（ground）", "say why the research direction is changed (ground)")
	}
	return []Event{DirectionSet{s.Direction, s.Aim, s.Ground}}, nil
}

// DirectionSet records a research direction, or its change with the reason.
type DirectionSet struct {
	Direction string `json:"direction"`
	Aim
	Ground domain.Text `json:"ground,omitzero"` // given where it was changed
}

// Sentence returns the event in words.
func (e DirectionSet) Sentence() domain.Text {
	args := []any{e.Direction, e.Name, directionTags.text(e.Tag), e.Valid.From, e.Ground}
	if e.Ground.IsZero() {
		return domain.Textf("确定研究方向 %[1]s：%[2]s（%[3]s），自 %[4]s 起", "Set research direction %[1]s: %[2]s (%[3]s), from %[4]s", args[:4]...)
	}
	return domain.Textf("研究方向 %[1]s 变更为%[2]s（%[3]s），自 %[4]s 起：%[5]s", "Research direction %[1]s became %[2]s (%[3]s), from %[4]s: %[5]s", args...)
}

func (DirectionSet) subject() subject { return public }

func (e DirectionSet) apply(l *Lab, m domain.Meta) {
	if d := numbered(l.Directions, e.Direction); d != nil {
		d.Before = append(d.Before, d.Aim)
		d.Aim, d.Event = e.Aim, m.ID
		return
	}
	l.Directions = append(l.Directions, Direction{ID: e.Direction, Aim: e.Aim, Event: m.ID})
}

var (
	projectKinds = kindTable[string]{
		{"project", domain.T("国际或区域性科研项目", "international or regional research project")},
		{"big-science-plan", domain.T("大科学计划", "big-science programme")},
		{"big-science-facility", domain.T("大科学工程", "big-science facility")},
	}
	projectRoles = kindTable[string]{
		{"initiated", domain.T("发起", "initiated")}, {"applied", domain.T("申请", "applied for")}, {"participated", domain.T("参与", "takes part in")},
	}
)

// Undertaking is a project and the lab's role in it (C35).
type Undertaking struct {
	Name     domain.Text   `json:"name" doc:"The project"`
	Kind     string        `json:"kind" enum:"project,big-science-plan,big-science-facility" doc:"科研项目, 大科学计划 or 大科学工程"`
	Role     string        `json:"role" enum:"initiated,applied,participated" doc:"发起, 申请 or 参与"`
	Runs     domain.Period `json:"runs" doc:"From when, and until when if that is settled"`
	Document string        `json:"document,omitempty" doc:"Digest of the document that shows it"`
}

// Project is a project the lab has a role in.
type Project struct {
	ID string `json:"id"` // J1, J2 …
	Undertaking
	Event uuid.UUID `json:"event"`
}

// LinkProject records a project and the lab's role in it (C35).
type LinkProject struct {
	domain.Grounds
	Undertaking
}

// Decide refuses a project without a role.
func (p LinkProject) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("name", p.Name)
	projectKinds.check(&c, "kind", p.Kind)
	projectRoles.check(&c, "role", p.Role)
	c.Given("runs.from", p.Runs.From)
	p.Runs.Check(&c, "runs")
	c.Digest("document", p.Document, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ProjectLinked{l.number("J", len(l.Projects)), p.Undertaking}}, nil
}

// ProjectLinked records a project and the lab's role in it.
type ProjectLinked struct {
	Project string `json:"project"`
	Undertaking
}

// Sentence returns the event in words.
func (e ProjectLinked) Sentence() domain.Text {
	return domain.Textf("登记项目 %[1]s：实验室%[3]s%[2]s“%[4]s”，自 %[5]s 起", "Entered project %[1]s: the lab %[3]s the %[2]s “%[4]s”, from %[5]s", e.Project, projectKinds.text(e.Kind), projectRoles.text(e.Role), e.Name, e.Runs.From)
}

func (ProjectLinked) subject() subject { return public }

func (e ProjectLinked) apply(l *Lab, m domain.Meta) {
	l.Projects = append(l.Projects, Project{e.Project, e.Undertaking, m.ID})
}

// CountKind is the kind of people counted.
type CountKind string

// The kinds that clauses ask about in numbers (C39, C44, C46, C51).
const (
	InternationalStudents CountKind = "international-degree-students"
	VisitingResearchers   CountKind = "visiting-researchers"
	YoungScholars         CountKind = "young-scholars"
	GraduateStudents      CountKind = "graduate-students"
	UndergraduateStudents CountKind = "undergraduates"
	TechnicalStaff        CountKind = "technical-staff"
	ManagementStaff       CountKind = "management-staff"
)

var countKinds = kindTable[CountKind]{
	{InternationalStudents, domain.T("攻读学位的国际学生", "international degree students")},
	{VisitingResearchers, domain.T("国际流动研究人员（访问学者）", "visiting researchers")},
	{YoungScholars, domain.T("青年学者", "young scholars")},
	{GraduateStudents, domain.T("研究生", "graduate students")},
	{UndergraduateStudents, domain.T("本科生", "undergraduates")},
	{TechnicalStaff, domain.T("技术支撑人员", "technical staff")},
	{ManagementStaff, domain.T("管理服务人员", "management and service staff")},
}

// Text returns the kind in Chinese and English.
func (k CountKind) Text() domain.Text { return countKinds.text(k) }

// Headcount is the number of people of a kind on a day.
type Headcount struct {
	Kind     CountKind   `json:"kind" enum:"international-degree-students,visiting-researchers,young-scholars,graduate-students,undergraduates,technical-staff,management-staff" doc:"Who is counted"`
	On       domain.Date `json:"on" doc:"The day they were counted"`
	Number   int         `json:"number" minimum:"0" doc:"How many"`
	Document string      `json:"document,omitempty" doc:"Digest of the list or report counted from"`
}

// Count is a head-count and the event that reported it.
type Count struct {
	Headcount
	Event uuid.UUID `json:"event"`
}

// ReportHeadcount records the number of people of a kind; it names none.
type ReportHeadcount struct {
	domain.Grounds
	Headcount
}

// Decide refuses a negative number.
func (r ReportHeadcount) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	countKinds.check(&c, "kind", r.Kind)
	c.NotFuture("on", r.On, x.Today())
	c.Require(r.Number >= 0, "number", "人数不能为负", "there cannot be fewer than none")
	c.Digest("document", r.Document, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{HeadcountReported{r.Headcount}}, nil
}

// HeadcountReported records the number of people of a kind.
type HeadcountReported struct{ Headcount }

// Sentence returns the event in words.
func (e HeadcountReported) Sentence() domain.Text {
	return domain.Textf("截至 %[2]s，%[1]s %[3]d 人", "On %[2]s the lab had this many %[1]s: %[3]d", e.Kind, e.On, e.Number)
}

func (HeadcountReported) subject() subject { return public }

func (e HeadcountReported) apply(l *Lab, m domain.Meta) {
	l.Counts = append(l.Counts, Count{e.Headcount, m.ID})
}

// counted returns the last count of a kind by a day, or nil.
func (l *Lab) counted(kind CountKind, d domain.Date) *Count {
	var last *Count
	for i := range l.Counts {
		if n := &l.Counts[i]; n.Kind == kind && !n.On.After(d) && (last == nil || !n.On.Before(last.On)) {
			last = n
		}
	}
	return last
}

var outputKinds = kindTable[string]{
	{"paper", domain.T("论文", "paper")}, {"monograph", domain.T("专著", "monograph")}, {"patent", domain.T("专利", "patent")},
	{"prize", domain.T("奖励", "prize")}, {"standard", domain.T("标准", "standard")}, {"dataset", domain.T("数据集", "dataset")}, {"other", domain.T("其他成果", "other output")},
}

// Output is a result of the lab's work (C11, C75).
type Output struct {
	Kind       string             `json:"kind"`
	Title      domain.Text        `json:"title"`
	On         domain.Date        `json:"on"`
	Identifier string             `json:"identifier,omitempty" zh:"标识" en:"identifier"` // DOI, patent number …
	Parties    []domain.EntityRef `json:"parties"`
	Event      uuid.UUID          `json:"event"`
}

// RecordOutput records an output and the parties it belongs to.
type RecordOutput struct {
	domain.Grounds
	Kind       string      `json:"kind" enum:"paper,monograph,patent,prize,standard,dataset,other" doc:"What it is"`
	Title      domain.Text `json:"title" doc:"Its title"`
	On         domain.Date `json:"on" doc:"When it was published or granted"`
	Identifier string      `json:"identifier,omitempty" maxLength:"200" doc:"DOI, patent number or the like"`
	Parties    []uuid.UUID `json:"parties" minItems:"1" maxItems:"100" doc:"The parties it belongs to"`
}

// Decide refuses an output that belongs to no party, and one entered before.
func (o RecordOutput) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	outputKinds.check(&c, "kind", o.Kind)
	c.Text("title", o.Title)
	c.NotFuture("on", o.On, x.Today())
	c.Require(len(o.Parties) > 0, "parties", "请填写成果所属的各方", "name the parties it belongs to")
	refs := make([]domain.EntityRef, len(o.Parties))
	for i, id := range o.Parties {
		refs[i] = l.bound(&c, fmt.Sprintf("parties[%d]", i), id, o.On)
	}
	c.Require(o.Identifier == "" || !slices.ContainsFunc(l.Outputs,
		func(p Output) bool { return p.Kind == o.Kind && strings.EqualFold(p.Identifier, o.Identifier) }),
		"identifier", "该成果已登记", "this output is on record already")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{OutputRecorded{
		Kind: o.Kind, Title: o.Title, On: o.On, Identifier: o.Identifier, Parties: refs,
	}}, nil
}

// OutputRecorded records an output and the parties it belongs to.
type OutputRecorded struct {
	Kind       string             `json:"kind"`
	Title      domain.Text        `json:"title"`
	On         domain.Date        `json:"on"`
	Identifier string             `json:"identifier,omitempty"`
	Parties    []domain.EntityRef `json:"parties"`
}

// Sentence returns the event in words.
func (e OutputRecorded) Sentence() domain.Text {
	return domain.Textf("登记成果（%[1]s，%[3]s）：%[2]s，所属 %[4]d 方", "Entered an output (%[1]s, %[3]s): %[2]s; parties it belongs to: %[4]d", outputKinds.text(e.Kind), e.Title, e.On, len(e.Parties))
}

func (OutputRecorded) subject() subject { return public }

func (e OutputRecorded) apply(l *Lab, m domain.Meta) {
	l.Outputs = append(l.Outputs, Output{
		Kind: e.Kind, Title: e.Title, On: e.On, Identifier: e.Identifier, Parties: e.Parties,
		Event: m.ID,
	})
}

// AnnualReport is the lab's report on a calendar year (C41).
type AnnualReport struct {
	Year     int         `json:"year" minimum:"1990" maximum:"2100" doc:"The calendar year reported on" zh:"年度" en:"year"`
	On       domain.Date `json:"on" doc:"When it was filed"`
	Summary  domain.Text `json:"summary" doc:"What it says, in short"`
	Document string      `json:"document" doc:"Digest of the report"`
}

// FileAnnualReport records the report on a calendar year.
type FileAnnualReport struct {
	domain.Grounds
	AnnualReport
}

// Decide refuses a report on a year that has not ended, and a second one.
func (r FileAnnualReport) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	c.Require(r.Year >= 1990 && r.Year <= 2100, "year", "请填写 1990 至 2100 之间的年份", "give a year between 1990 and 2100")
	c.Require(r.On.IsZero() || r.Year < r.On.Year(), "year", "该年度尚未结束", "that year is not over")
	c.Require(!slices.ContainsFunc(l.AnnualReports, func(a AnnualReport) bool { return a.Year == r.Year }), "year",
		"%d 年度报告已登记；如有笔误请登记更正", "the report on %d is on record; a clerical mistake can be corrected", r.Year)
	c.Text("summary", r.Summary)
	c.Digest("document", r.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AnnualReportFiled{r.AnnualReport}}, nil
}

// AnnualReportFiled records the report on a calendar year.
type AnnualReportFiled struct{ AnnualReport }

// Sentence returns the event in words.
func (e AnnualReportFiled) Sentence() domain.Text {
	return domain.Textf("%[2]s 提交 %[1]d 年度报告：%[3]s", "On %[2]s the annual report on %[1]d was filed: %[3]s", e.Year, e.On, e.Summary)
}

func (AnnualReportFiled) subject() subject { return public }

func (e AnnualReportFiled) apply(l *Lab, _ domain.Meta) {
	l.AnnualReports = append(l.AnnualReports, e.AnnualReport)
}
