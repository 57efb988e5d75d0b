package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// InstrumentKind is the subject of an institutional instrument.
type InstrumentKind string

// The kinds of instruments: the six of C26, then those of other clauses.
const (
	AppointmentRules  InstrumentKind = "appointment"
	AssessmentRules   InstrumentKind = "assessment"
	PayRules          InstrumentKind = "pay"
	TrainingRules     InstrumentKind = "training"
	ResourceRules     InstrumentKind = "resource-allocation"
	OrganisationRules InstrumentKind = "research-organisation"
	HiringRules       InstrumentKind = "hiring"
	GovernanceCharter InstrumentKind = "governance-charter"
	VisitingScholars  InstrumentKind = "visiting-scholars"
	TenureTrack       InstrumentKind = "tenure-track"
	AnnualSalary      InstrumentKind = "annual-salary"
	CoordinationRules InstrumentKind = "coordination"
	PilotZone         InstrumentKind = "pilot-zone"
	TalentZone        InstrumentKind = "talent-zone"
	DelegatedAutonomy InstrumentKind = "autonomy"
)

var instrumentKinds = kindTable[InstrumentKind]{
	{AppointmentRules, domain.T("评聘制度", "rules for appointment and promotion")},
	{AssessmentRules, domain.T("考核制度", "rules for assessment")},
	{PayRules, domain.T("薪酬制度", "rules for pay")},
	{TrainingRules, domain.T("人才培养制度", "rules for training")},
	{ResourceRules, domain.T("资源配置制度", "rules for allocating resources")},
	{OrganisationRules, domain.T("科研组织制度", "rules for organising research")},
	{HiringRules, domain.T("选拔聘用机制", "hiring mechanism")},
	{GovernanceCharter, domain.T("章程或议事规则", "governance charter")},
	{VisitingScholars, domain.T("访问学者制度", "visiting-scholar system")},
	{TenureTrack, domain.T("准聘—长聘制", "tenure track")},
	{AnnualSalary, domain.T("年薪制", "annual-salary system")},
	{CoordinationRules, domain.T("校内协同工作机制", "coordination between the host's departments")},
	{PilotZone, domain.T("本校优先发展试验区", "priority pilot zone of the host")},
	{TalentZone, domain.T("国际化人才特区", "special zone for international talent")},
	{DelegatedAutonomy, domain.T("改革和运行自主权", "autonomy in reform and operation")},
}

// Text returns the kind in Chinese and English.
func (k InstrumentKind) Text() domain.Text { return instrumentKinds.text(k) }

// Instrument is a document by which the host or the lab regulates a subject.
type Instrument struct {
	Kind        InstrumentKind `json:"kind" enum:"appointment,assessment,pay,training,resource-allocation,research-organisation,hiring,governance-charter,visiting-scholars,tenure-track,annual-salary,coordination,pilot-zone,talent-zone,autonomy" doc:"What it regulates; autonomy is granted with grant-autonomy"`
	Title       domain.Text    `json:"title" doc:"What it is called"`
	On          domain.Date    `json:"on" doc:"From when it holds"`
	Document    string         `json:"document" doc:"Digest of the document"`
	Departments []domain.Text  `json:"departments,omitempty" maxItems:"100" doc:"Of a coordination mechanism: the departments that take part" zh:"部门" en:"department"`
	Lead        domain.Text    `json:"lead,omitzero" doc:"Of a coordination mechanism: the office that leads" zh:"牵头" en:"lead"`
	Powers      []domain.Text  `json:"powers,omitempty" maxItems:"100" doc:"Of autonomy: the powers delegated to the lab" zh:"职权" en:"powers"`
}

// AdoptedInstrument is an instrument and its repeal, if any.
type AdoptedInstrument struct {
	ID string `json:"id"` // N1, N2 …
	Instrument
	Repealed domain.Date `json:"repealed,omitzero" zh:"废止日期" en:"repealed on"` // the first day it no longer holds
	Event    uuid.UUID   `json:"event"`
}

// HoldsOn reports whether the instrument holds on a day.
func (n *AdoptedInstrument) HoldsOn(d domain.Date) bool {
	return !d.Before(n.On) && (n.Repealed.IsZero() || d.Before(n.Repealed))
}

// instrument returns an instrument of a kind that holds on a day, or nil.
func (l *Lab) instrument(kind InstrumentKind, d domain.Date) *AdoptedInstrument {
	for i := range l.Instruments {
		if n := &l.Instruments[i]; n.Kind == kind && n.HoldsOn(d) {
			return n
		}
	}
	return nil
}

// AdoptInstrument records an institutional instrument (C24–C26, C44, C50, C60, C61).
type AdoptInstrument struct {
	domain.Grounds
	Instrument
}

// Decide refuses a coordination mechanism without departments and a lead (C60).
func (a AdoptInstrument) Decide(l *Lab, x domain.Context) ([]Event, error) {
	var c domain.Check
	c.Require(a.Kind != DelegatedAutonomy, "kind", "自主权由依托单位以 grant-autonomy 授予", "autonomy is granted by the host, with grant-autonomy")
	c.Require(len(a.Powers) == 0, "powers", "授权事项请用 grant-autonomy 登记", "record delegated powers with grant-autonomy")
	c.Require(a.Kind == CoordinationRules || len(a.Departments) == 0 && a.Lead.IsZero(), "departments",
		"只有协同工作机制填写部门和牵头单位", "only a coordination mechanism has departments and a lead")
	return l.adopt(&c, x, a.Instrument)
}

func (l *Lab) adopt(c *domain.Check, x domain.Context, n Instrument) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	instrumentKinds.check(c, "kind", n.Kind)
	c.Text("title", n.Title)
	c.NotFuture("on", n.On, x.Today())
	c.Digest("document", n.Document, false)
	for i, d := range n.Departments {
		c.Text(fmt.Sprintf("departments[%d]", i), d)
	}
	for i, p := range n.Powers {
		c.Text(fmt.Sprintf("powers[%d]", i), p)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	switch {
	case n.Kind == CoordinationRules && (len(n.Departments) == 0 || n.Lead.Trimmed().IsZero()):
		return nil, refuse("C60", "请填写参与部门（departments）和牵头单位（lead）", "name the departments that take part and the one that leads")
	case n.Kind == DelegatedAutonomy && len(n.Powers) == 0:
		return nil, refuse("C58", "请列明授予实验室的事项（powers）", "list the powers delegated to the lab (powers)")
	}
	return []Event{InstrumentAdopted{l.number("N", len(l.Instruments)), n}}, nil
}

// InstrumentAdopted records an institutional instrument.
type InstrumentAdopted struct {
	ID string `json:"id"`
	Instrument
}

// Sentence returns the event in words.
func (e InstrumentAdopted) Sentence() domain.Text {
	return domain.Textf("自 %[4]s 起施行%[2]s %[1]s：%[3]s", "In effect from %[4]s: %[2]s %[1]s, “%[3]s”", e.ID, e.Kind, e.Title, e.On)
}

func (InstrumentAdopted) subject() subject { return public }

func (e InstrumentAdopted) apply(l *Lab, m domain.Meta) {
	l.Instruments = append(l.Instruments, AdoptedInstrument{ID: e.ID, Instrument: e.Instrument, Event: m.ID})
}

// RepealInstrument records that an instrument no longer holds.
type RepealInstrument struct {
	domain.Grounds
	Instrument string      `json:"instrument" doc:"e.g. N1"`
	On         domain.Date `json:"on" doc:"The first day it no longer holds"`
	Ground     domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses an instrument that does not hold.
func (r RepealInstrument) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.repeal(x, r.Instrument, r.On, r.Ground, false)
}

// GrantAutonomy records the powers the host delegates to the lab (C58).
type GrantAutonomy struct {
	domain.Grounds
	Title    domain.Text   `json:"title" doc:"What the grant is called"`
	On       domain.Date   `json:"on" doc:"From when it holds"`
	Document string        `json:"document" doc:"Digest of the document"`
	Powers   []domain.Text `json:"powers" maxItems:"100" doc:"The powers delegated, each on its own"`
}

// Decide refuses a grant that names no power (C58).
func (g GrantAutonomy) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.adopt(&domain.Check{}, x, Instrument{Kind: DelegatedAutonomy, Title: g.Title, On: g.On,
		Document: g.Document, Powers: g.Powers})
}

// WithdrawAutonomy records that the host withdraws delegated powers (C58).
type WithdrawAutonomy struct {
	domain.Grounds
	Instrument string      `json:"instrument" doc:"e.g. N1"`
	On         domain.Date `json:"on" doc:"The first day the powers are no longer the lab's"`
	Ground     domain.Text `json:"ground" doc:"Why"`
}

// Decide refuses an instrument that is no grant of autonomy.
func (w WithdrawAutonomy) Decide(l *Lab, x domain.Context) ([]Event, error) {
	return l.repeal(x, w.Instrument, w.On, w.Ground, true)
}

func (l *Lab) repeal(x domain.Context, id string, on domain.Date, ground domain.Text, autonomy bool) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", on, x.Today())
	c.Text("ground", ground)
	n := found(&c, "instrument", "N", l.Instruments, id)
	if n != nil {
		c.Require((n.Kind == DelegatedAutonomy) == autonomy, "instrument", "自主权以 withdraw-autonomy 收回，其他制度以 repeal-instrument 废止", "take autonomy back with withdraw-autonomy, and repeal anything else with repeal-instrument")
		c.Require(on.IsZero() || n.HoldsOn(on), "on", "该制度在 %s 未施行", "it does not hold on %s", on)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{InstrumentRepealed{ID: id, Kind: n.Kind, Title: n.Title, On: on, Ground: ground}}, nil
}

// InstrumentRepealed records that an instrument no longer holds.
type InstrumentRepealed struct {
	ID     string         `json:"id"`
	Kind   InstrumentKind `json:"kind"`
	Title  domain.Text    `json:"title"`
	On     domain.Date    `json:"on"`
	Ground domain.Text    `json:"ground"`
}

// Sentence returns the event in words.
func (e InstrumentRepealed) Sentence() domain.Text {
	return domain.Textf("自 %[4]s 起%[2]s %[1]s“%[3]s”不再施行：%[5]s", "No longer in effect from %[4]s: %[2]s %[1]s, “%[3]s”: %[5]s", e.ID, e.Kind, e.Title, e.On, e.Ground)
}

func (InstrumentRepealed) subject() subject { return public }

func (e InstrumentRepealed) apply(l *Lab, _ domain.Meta) {
	if n := numbered(l.Instruments, e.ID); n != nil {
		n.Repealed = e.On
	}
}

// ReformDomain is the domain of a reform measure (C02).
type ReformDomain string

var reformDomains = kindTable[ReformDomain]{
	{"construction", domain.T("建设模式", "mode of construction")},
	{"research", domain.T("科研组织", "organisation of research")},
	{"training", domain.T("人才培养", "training of talent")},
	{"evaluation", domain.T("考核评价", "assessment and evaluation")},
}

// Reform is a reform or pilot the lab declares.
type Reform struct {
	Domain   ReformDomain `json:"domain" enum:"construction,research,training,evaluation" doc:"Where it belongs: 建设模式, 科研组织, 人才培养 or 考核评价" zh:"领域" en:"domain"`
	Text     domain.Text  `json:"text" doc:"What is tried"`
	On       domain.Date  `json:"on" doc:"When it was declared"`
	Document string       `json:"document,omitempty" doc:"Digest of the document it rests on"`
}

// ReformReport is a report on the outcome of a reform measure.
type ReformReport struct {
	On       domain.Date `json:"on" doc:"The day reported on"`
	Result   domain.Text `json:"result" doc:"What came of it"`
	Evidence string      `json:"evidence,omitempty" doc:"Digest of the evidence"`
}

// ReformMeasure is a reform and the reports on it.
type ReformMeasure struct {
	ID string `json:"id"` // E1, E2 …
	Reform
	Reports []ReformReport `json:"reports,omitempty" zh:"报告" en:"report"`
	Event   uuid.UUID      `json:"event"`
}

// DeclareReform records a reform measure in one of the four domains (C02).
type DeclareReform struct {
	domain.Grounds
	Reform
}

// Decide refuses a measure outside the four domains.
func (r DeclareReform) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	reformDomains.check(&c, "domain", r.Domain)
	c.Text("text", r.Text)
	c.NotFuture("on", r.On, x.Today())
	c.Digest("document", r.Document, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ReformDeclared{l.number("E", len(l.Reforms)), r.Reform}}, nil
}

// ReformDeclared records a reform measure.
type ReformDeclared struct {
	ID string `json:"id"`
	Reform
}

// Sentence returns the event in words.
func (e ReformDeclared) Sentence() domain.Text {
	return domain.Textf("%[3]s 提出%[2]s方面的改革措施 %[1]s：%[4]s", "On %[3]s reform measure %[1]s was declared (%[2]s): %[4]s", e.ID, reformDomains.text(e.Domain), e.On, e.Text)
}

func (ReformDeclared) subject() subject { return public }

func (e ReformDeclared) apply(l *Lab, m domain.Meta) {
	l.Reforms = append(l.Reforms, ReformMeasure{ID: e.ID, Reform: e.Reform, Event: m.ID})
}

// ReportReform records the outcome of a reform measure (C02).
type ReportReform struct {
	domain.Grounds
	Reform string `json:"reform" doc:"e.g. E1"`
	ReformReport
}

// Decide refuses a report on a day before the measure was declared.
func (r ReportReform) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	if e := found(&c, "reform", "E", l.Reforms, r.Reform); e != nil {
		notBefore(&c, r.On, e.On, "不能早于措施提出之日 %s", "it cannot come before the measure was declared, on %s", e.On)
	}
	c.Text("result", r.Result)
	c.Digest("evidence", r.Evidence, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ReformReported{r.Reform, r.ReformReport}}, nil
}

// ReformReported records the outcome of a reform measure.
type ReformReported struct {
	Reform string `json:"reform"`
	ReformReport
}

// Sentence returns the event in words.
func (e ReformReported) Sentence() domain.Text {
	return domain.Textf("截至 %[2]s，改革措施 %[1]s 的成效：%[3]s", "By %[2]s reform measure %[1]s had this result: %[3]s", e.Reform, e.On, e.Result)
}

func (ReformReported) subject() subject { return public }

func (e ReformReported) apply(l *Lab, _ domain.Meta) {
	if r := numbered(l.Reforms, e.Reform); r != nil {
		r.Reports = append(r.Reports, e.ReformReport)
	}
}

// DisciplineStatus is the status of the host's discipline by a document (C19).
type DisciplineStatus struct {
	Discipline domain.Text `json:"discipline"`
	Status     string      `json:"status"`
	On         domain.Date `json:"on"`
	Document   string      `json:"document"`
	Event      uuid.UUID   `json:"event"`
}

var disciplineStatuses = kindTable[string]{
	{"national-key", domain.T("国家重点学科", "national key discipline")},
	{"featured", domain.T("特色优势学科", "featured discipline of strength")},
}

// EvidenceDiscipline records the status of the host's discipline, with the
// document that shows it (C19).
type EvidenceDiscipline struct {
	domain.Grounds
	Discipline domain.Text `json:"discipline" doc:"The discipline"`
	Status     string      `json:"status" enum:"national-key,featured" doc:"国家重点学科 or 特色优势学科"`
	On         domain.Date `json:"on" doc:"Since when it has the status"`
	Document   string      `json:"document" doc:"Digest of the document that shows it"`
}

// Decide refuses a status without a document.
func (d EvidenceDiscipline) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("discipline", d.Discipline)
	disciplineStatuses.check(&c, "status", d.Status)
	c.NotFuture("on", d.On, x.Today())
	c.Digest("document", d.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{DisciplineEvidenced{d.Discipline, d.Status, d.On, d.Document}}, nil
}

// DisciplineEvidenced records the status of the host's discipline.
type DisciplineEvidenced struct {
	Discipline domain.Text `json:"discipline"`
	Status     string      `json:"status"`
	On         domain.Date `json:"on"`
	Document   string      `json:"document"`
}

// Sentence returns the event in words.
func (e DisciplineEvidenced) Sentence() domain.Text {
	return domain.Textf("已证明“%[1]s”自 %[3]s 起为%[2]s", "“%[1]s” is shown to be a %[2]s since %[3]s", e.Discipline, disciplineStatuses.text(e.Status), e.On)
}

func (DisciplineEvidenced) subject() subject { return public }

func (e DisciplineEvidenced) apply(l *Lab, m domain.Meta) {
	l.DisciplineStatuses = append(l.DisciplineStatuses, DisciplineStatus{
		Discipline: e.Discipline, Status: e.Status, On: e.On, Document: e.Document, Event: m.ID,
	})
}

// PartnerStanding is a judgement of a foreign party's standing in its field (C20).
type PartnerStanding struct {
	Party    domain.EntityRef `json:"party"`
	Level    string           `json:"level"`
	Opinion  domain.Text      `json:"opinion" zh:"意见" en:"opinion"`
	On       domain.Date      `json:"on"`
	Document string           `json:"document,omitempty"`
	Event    uuid.UUID        `json:"event"`
}

var partnerLevels = kindTable[string]{
	{"world-class", domain.T("世界一流水平", "world class")},
	{"advanced", domain.T("世界先进水平", "of advanced standing in the world")},
	{"below", domain.T("未达到世界先进水平", "not of advanced standing in the world")},
}

// AssessPartner records a judgement of a foreign party's standing (C20). The
// judgement is a person's; the register computes none.
type AssessPartner struct {
	domain.Grounds
	Party    uuid.UUID   `json:"party" doc:"The foreign party"`
	Level    string      `json:"level" enum:"world-class,advanced,below" doc:"The judgement"`
	Opinion  domain.Text `json:"opinion" doc:"What it rests on"`
	On       domain.Date `json:"on" doc:"When it was given"`
	Document string      `json:"document,omitempty" doc:"Digest of the opinion"`
}

// Decide refuses a judgement of a legal entity that is no foreign university or
// research institute, or no party (C20).
func (a AssessPartner) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", a.On, x.Today())
	ref := l.bound(&c, "party", a.Party, a.On)
	partnerLevels.check(&c, "level", a.Level)
	c.Text("opinion", a.Opinion)
	c.Digest("document", a.Document, true)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if !academic(ref) {
		return nil, refuse("C20", "%s不是外方高校或科研院所，不在评估之列", "%s is no foreign university or research institute; this judgement is about those", ref.Name)
	}
	return []Event{PartnerAssessed{
		Party: ref, Level: a.Level, Opinion: a.Opinion, On: a.On, Document: a.Document,
	}}, nil
}

// academic reports whether a legal entity is a foreign university or research institute.
func academic(e domain.EntityRef) bool {
	return e.Side == domain.Foreign && (e.Kind == "university" || e.Kind == "research-institute")
}

// PartnerAssessed records a judgement of a foreign party's standing.
type PartnerAssessed struct {
	Party    domain.EntityRef `json:"party"`
	Level    string           `json:"level"`
	Opinion  domain.Text      `json:"opinion"`
	On       domain.Date      `json:"on"`
	Document string           `json:"document,omitempty"`
}

// Sentence returns the event in words.
func (e PartnerAssessed) Sentence() domain.Text {
	return domain.Textf("%[3]s 评估%[1]s在相关领域为“%[2]s”：%[4]s", "On %[3]s %[1]s was judged %[2]s in its field: %[4]s", e.Party.Name, partnerLevels.text(e.Level), e.On, e.Opinion)
}

func (PartnerAssessed) subject() subject { return public }

func (e PartnerAssessed) apply(l *Lab, m domain.Meta) {
	l.PartnerStandings = append(l.PartnerStandings, PartnerStanding{
		Party: e.Party, Level: e.Level, Opinion: e.Opinion, On: e.On, Document: e.Document,
		Event: m.ID,
	})
}

// ForeignUnit is the relatively independent institute that carries out a
// foreign party's part (C21).
type ForeignUnit struct {
	Party    domain.EntityRef `json:"party"`
	Unit     domain.Text      `json:"unit"`
	On       domain.Date      `json:"on"`
	Replaced domain.Date      `json:"replaced,omitzero" zh:"已替换" en:"replaced"` // the first day another has its place
	Document string           `json:"document"`
	Event    uuid.UUID        `json:"event"`
}

func (l *Lab) foreignUnit(party uuid.UUID) *ForeignUnit {
	i := slices.IndexFunc(l.ForeignUnits, func(u ForeignUnit) bool { return u.Party.ID == party && u.Replaced.IsZero() })
	if i < 0 {
		return nil
	}
	return &l.ForeignUnits[i]
}

// DesignateForeignUnit records the institute that carries out a foreign party's
// part; it replaces an earlier one (C21).
type DesignateForeignUnit struct {
	domain.Grounds
	Party    uuid.UUID   `json:"party" doc:"The foreign party"`
	Unit     domain.Text `json:"unit" doc:"Its institute"`
	On       domain.Date `json:"on" doc:"From when"`
	Document string      `json:"document" doc:"Digest of the foreign party's letter"`
	Ground   domain.Text `json:"ground,omitzero" doc:"Why it takes the place of another; needed where there was one"`
}

// Reach returns the party.
func (c DesignateForeignUnit) Reach() Reach { return Reach{Party: &c.Party} }

// Decide refuses a unit of a legal entity that is no foreign party, and a
// replacement without a ground.
func (d DesignateForeignUnit) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", d.On, x.Today())
	ref := l.bound(&c, "party", d.Party, d.On)
	c.Require(ref.ID == uuid.Nil || ref.Side == domain.Foreign, "party", "%s不是外方", "%s is not on the foreign side", ref.Name)
	c.Text("unit", d.Unit)
	c.Digest("document", d.Document, false)
	var before domain.Text
	if u := l.foreignUnit(d.Party); u != nil {
		before = u.Unit
		notBefore(&c, d.On, u.On.AddDays(1), "应晚于现任机构“%[1]s”的指定日 %[2]s", "it must come after %[2]s, when “%[1]s” was designated", u.Unit, u.On)
		c.Text("ground", d.Ground)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ForeignUnitDesignated{
		Party: ref, Unit: d.Unit, Replaces: before, On: d.On, Document: d.Document,
		Ground: d.Ground,
	}}, nil
}

// ForeignUnitDesignated records the institute that carries out a foreign party's part.
type ForeignUnitDesignated struct {
	Party    domain.EntityRef `json:"party"`
	Unit     domain.Text      `json:"unit"`
	Replaces domain.Text      `json:"replaces,omitzero"`
	On       domain.Date      `json:"on"`
	Document string           `json:"document"`
	Ground   domain.Text      `json:"ground,omitzero"`
}

// Sentence returns the event in words.
func (e ForeignUnitDesignated) Sentence() domain.Text {
	if e.Replaces.IsZero() {
		return domain.Textf("%[1]s自 %[3]s 起由“%[2]s”承担共建任务", "From %[3]s “%[2]s” carries out the part of %[1]s", e.Party.Name, e.Unit, e.On)
	}
	return domain.Textf("%[1]s自 %[3]s 起改由“%[2]s”承担共建任务，接替“%[4]s”：%[5]s", "From %[3]s “%[2]s” carries out the part of %[1]s, in the place of “%[4]s”: %[5]s", e.Party.Name, e.Unit, e.On, e.Replaces, e.Ground)
}

func (ForeignUnitDesignated) subject() subject { return public }

func (e ForeignUnitDesignated) apply(l *Lab, m domain.Meta) {
	if u := l.foreignUnit(e.Party.ID); u != nil {
		u.Replaced = e.On
	}
	l.ForeignUnits = append(l.ForeignUnits, ForeignUnit{Party: e.Party, Unit: e.Unit, On: e.On, Document: e.Document,
		Event: m.ID})
}
