package lab

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Platform is a science and technology platform the lab builds on (C08, C19).
type Platform struct {
	ID       string      `json:"id"` // P1, P2 …
	Name     domain.Text `json:"name"`
	Level    string      `json:"level"`
	Base     bool        `json:"national_base,omitzero" zh:"国家级基地" en:"national base"` // it holds a 国家国际科技合作基地
	Evidence string      `json:"evidence"`
	Linked   uuid.UUID   `json:"event"`
	Unlinked domain.Date `json:"unlinked,omitzero" zh:"解除日期" en:"unlinked on"`
}

// Partner is a legal entity that a source names as cooperating in the lab. It is
// not bound until it signs an agreement.
type Partner struct {
	Entity domain.EntityRef `json:"entity"`
	As     string           `json:"as" zh:"来源所载名称" en:"as the source names it"` // as the source writes it
	Source string           `json:"source,omitempty"`
}

// Fact is a statement of a source about a lab, with a date of its own kind:
// sources give different years for the same lab because they mean different acts.
type Fact struct {
	Kind   string             `json:"kind"`
	On     domain.PartialDate `json:"on,omitzero"`
	Text   domain.Text        `json:"text,omitzero"`
	Source string             `json:"source,omitempty"`
	Event  uuid.UUID          `json:"event"`
}

// Attestation is the host's attestation, with evidence, that the lab is a
// relatively independent research entity (C16).
type Attestation struct {
	On       domain.Date `json:"on"`
	Unit     domain.Text `json:"unit"`
	Budget   domain.Text `json:"budget_line" zh:"预算科目" en:"budget line"`
	Premises domain.Text `json:"premises" zh:"用房" en:"premises"`
	Evidence string      `json:"evidence"`
	Event    uuid.UUID   `json:"event"`
}

// Plan is a version of the overall implementation plan (整体实施方案; C17, C55).
type Plan struct {
	Version  int         `json:"version"`
	Title    domain.Text `json:"title"`
	Adopted  domain.Date `json:"adopted" zh:"通过日期" en:"adopted on"`
	FromYear int         `json:"from_year" zh:"起始年" en:"from year"`
	ToYear   int         `json:"to_year" zh:"截止年" en:"to year"`
	Document string      `json:"document"`
	Event    uuid.UUID   `json:"event"`
}

// Task is a construction task with the party responsible for it (C55).
type Task struct {
	ID    string           `json:"id"` // T1, T2 …
	Text  domain.Text      `json:"text"`
	Owner domain.EntityRef `json:"owner" zh:"责任单位" en:"owner"`
	Due   domain.Date      `json:"due"`
	Event uuid.UUID        `json:"event"`
}

// ManagementBody runs the lab (管理机构; C55).
type ManagementBody struct {
	Name        domain.Text `json:"name"`
	Established domain.Date `json:"established"`
	Document    string      `json:"document"`
	Event       uuid.UUID   `json:"event"`
}

// SetDiscipline records the lab's discipline (C08).
type SetDiscipline struct {
	domain.Grounds
	Discipline domain.Text `json:"discipline" doc:"Its discipline"`
}

// Decide refuses an empty discipline.
func (s SetDiscipline) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("discipline", s.Discipline)
	c.Require(s.Discipline != l.Discipline, "discipline", "学科未变更", "this is its discipline already")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{DisciplineSet{l.Discipline, s.Discipline}}, nil
}

// DisciplineSet records the lab's discipline.
type DisciplineSet struct {
	From domain.Text `json:"from,omitzero"`
	To   domain.Text `json:"to"`
}

// Sentence returns the event in words.
func (e DisciplineSet) Sentence() domain.Text {
	return domain.Textf("学科设为“%s”", "Set the discipline to “%s”", e.To)
}

func (DisciplineSet) subject() subject { return public }

func (e DisciplineSet) apply(l *Lab, _ domain.Meta) { l.Discipline = e.To }

// LinkPlatform records a platform the lab builds on.
type LinkPlatform struct {
	domain.Grounds
	Name     domain.Text `json:"name" doc:"The platform's name"`
	Level    string      `json:"level" enum:"national,ministerial,provincial,other" doc:"Its level"`
	Base     bool        `json:"national_base,omitzero" doc:"It already holds a national base for international science and technology cooperation (国家国际科技合作基地)"`
	Evidence string      `json:"evidence" doc:"Digest of the document that shows its level"`
}

// Decide refuses a platform without evidence of its level.
func (p LinkPlatform) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("name", p.Name)
	c.Require(slices.Contains([]string{"national", "ministerial", "provincial", "other"}, p.Level), "level",
		"级别应为 national、ministerial、provincial 或 other", "level must be national, ministerial, provincial or other")
	c.Digest("evidence", p.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{PlatformLinked{
		Platform: l.number("P", len(l.Platforms)), Name: p.Name, Level: p.Level,
		Base: p.Base, Evidence: p.Evidence,
	}}, nil
}

// PlatformLinked records a platform the lab builds on.
type PlatformLinked struct {
	Platform string      `json:"platform"`
	Name     domain.Text `json:"name"`
	Level    string      `json:"level"`
	Base     bool        `json:"national_base,omitzero"`
	Evidence string      `json:"evidence"`
}

// Sentence returns the event in words.
func (e PlatformLinked) Sentence() domain.Text {
	return domain.Textf("关联依托平台 %s：%s", "Linked platform %s: %s", e.Platform, e.Name)
}

func (PlatformLinked) subject() subject { return public }

func (e PlatformLinked) apply(l *Lab, m domain.Meta) {
	l.Platforms = append(l.Platforms, Platform{ID: e.Platform, Name: e.Name, Level: e.Level, Base: e.Base,
		Evidence: e.Evidence, Linked: m.ID})
}

// UnlinkPlatform records that the lab no longer builds on a platform.
type UnlinkPlatform struct {
	domain.Grounds
	Platform string      `json:"platform" doc:"e.g. P1"`
	On       domain.Date `json:"on" doc:"Since when"`
}

// Decide refuses a platform that is not linked.
func (p UnlinkPlatform) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	i := slices.IndexFunc(l.Platforms, func(q Platform) bool { return q.ID == p.Platform && q.Unlinked.IsZero() })
	c.Require(i >= 0, "platform", "没有关联平台 %s", "no platform %s is linked", p.Platform)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{PlatformUnlinked{p.Platform, l.Platforms[i].Name, p.On}}, nil
}

// PlatformUnlinked records that the lab no longer builds on a platform.
type PlatformUnlinked struct {
	Platform string      `json:"platform"`
	Name     domain.Text `json:"name"`
	On       domain.Date `json:"on"`
}

// Sentence returns the event in words.
func (e PlatformUnlinked) Sentence() domain.Text {
	return domain.Textf("自 %[3]s 起不再依托平台 %[1]s：%[2]s", "From %[3]s the lab no longer builds on platform %[1]s: %[2]s", e.Platform, e.Name, e.On)
}

func (PlatformUnlinked) subject() subject { return public }

func (e PlatformUnlinked) apply(l *Lab, _ domain.Meta) {
	for i := range l.Platforms {
		if l.Platforms[i].ID == e.Platform {
			l.Platforms[i].Unlinked = e.On
		}
	}
}

// NamePartner records that a source names a legal entity as cooperating.
type NamePartner struct {
	domain.Grounds
	Entity uuid.UUID `json:"entity" doc:"The legal entity"`
	As     string    `json:"as" minLength:"1" maxLength:"400" doc:"Its name as the source writes it"`
}

// UsesEntities returns the partner.
func (p NamePartner) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Entity} }

// Decide refuses a partner that is named already, and one without a source.
func (p NamePartner) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	ref := x.Entity(&c, "entity", p.Entity)
	c.Require(!slices.ContainsFunc(l.Partners, func(q Partner) bool { return q.Entity.ID == p.Entity }), "entity", "该合作单位已登记", "this partner is named already")
	c.Require(strings.TrimSpace(p.As) != "", "as", "请填写来源中的写法", "give its name as the source writes it")
	c.Require(p.Basis != domain.Basis{}, "basis", "请注明出处", "say which source names it")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{PartnerNamed{ref, p.As}}, nil
}

// PartnerNamed records that a source names a legal entity as cooperating.
type PartnerNamed struct {
	Entity domain.EntityRef `json:"entity"`
	As     string           `json:"as"`
}

// Sentence returns the event in words.
func (e PartnerNamed) Sentence() domain.Text {
	return domain.Textf("据来源登记合作单位%s（原文“%s”）", "A source names %s as a partner, writing “%s”", e.Entity.Name, e.As)
}

func (PartnerNamed) subject() subject { return public }

func (e PartnerNamed) apply(l *Lab, m domain.Meta) {
	l.Partners = append(l.Partners, Partner{e.Entity, e.As, source(m)})
}

// source returns the source of the event's basis, or its document where it has none.
func source(m domain.Meta) string {
	if b := m.Because.Basis; b.Source == "" {
		return b.Document
	}
	return m.Because.Basis.Source
}

// AssertFact records a statement of a source, with the date it gives.
type AssertFact struct {
	domain.Grounds
	Kind string             `json:"kind" minLength:"1" maxLength:"60" doc:"What the source states, e.g. decided, contract-signed, opened, note"`
	On   domain.PartialDate `json:"on,omitzero" doc:"The date the source gives for it: YYYY, YYYY-MM or YYYY-MM-DD"`
	Text domain.Text        `json:"text,omitzero" doc:"In the source's words"`
}

// Decide refuses a fact without a source.
func (f AssertFact) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(f.Kind != "", "kind", "请填写事实的类别", "say what kind of fact it is")
	c.Require(!f.On.IsZero() || !f.Text.IsZero(), "on", "请填写日期或内容", "give its date or what it says")
	c.Require(f.Basis != domain.Basis{}, "basis", "请注明出处", "say which source states it")
	c.Require(!f.On.Earliest().After(x.Today()), "on", "日期 %s 尚未到来", "%s is in the future", f.On)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{FactAsserted{f.Kind, f.On, f.Text}}, nil
}

// FactAsserted records a statement of a source.
type FactAsserted struct {
	Kind string             `json:"kind"`
	On   domain.PartialDate `json:"on,omitzero"`
	Text domain.Text        `json:"text,omitzero"`
}

// Sentence returns the event in words.
func (e FactAsserted) Sentence() domain.Text {
	s := domain.Textf("据来源登记事实“%s”", "A source states the fact “%s”", e.Kind)
	if !e.On.IsZero() {
		s = domain.Textf("%s，日期 %s", "%s, dated %s", s, e.On)
	}
	if !e.Text.IsZero() {
		s = domain.Textf("%s：%s", "%s: %s", s, e.Text)
	}
	return s
}

func (FactAsserted) subject() subject { return public }

func (e FactAsserted) apply(l *Lab, m domain.Meta) {
	l.Facts = append(l.Facts, Fact{Kind: e.Kind, On: e.On, Text: e.Text, Source: source(m), Event: m.ID})
}

// AttestIndependence records the host's attestation (C16).
type AttestIndependence struct {
	domain.Grounds
	On       domain.Date `json:"on" doc:"When the host attested it"`
	Unit     domain.Text `json:"unit" doc:"The lab's own unit"`
	Budget   domain.Text `json:"budget_line" doc:"Its own budget line"`
	Premises domain.Text `json:"premises" doc:"Its own premises"`
	Evidence string      `json:"evidence" doc:"Digest of the attestation"`
}

// Decide refuses an incomplete attestation.
func (a AttestIndependence) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", a.On, x.Today())
	c.Text("unit", a.Unit)
	c.Text("budget_line", a.Budget)
	c.Text("premises", a.Premises)
	c.Digest("evidence", a.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{IndependenceAttested{
		On: a.On, Unit: a.Unit, Budget: a.Budget, Premises: a.Premises, Evidence: a.Evidence,
	}}, nil
}

// IndependenceAttested records the host's attestation.
type IndependenceAttested struct {
	On       domain.Date `json:"on"`
	Unit     domain.Text `json:"unit"`
	Budget   domain.Text `json:"budget_line"`
	Premises domain.Text `json:"premises"`
	Evidence string      `json:"evidence"`
}

// Sentence returns the event in words.
func (e IndependenceAttested) Sentence() domain.Text {
	return domain.Textf("%s，依托单位证明实验室为相对独立的科研实体：%s", "On %s the host attested that the lab is a relatively independent research entity: %s", e.On, e.Unit)
}

func (IndependenceAttested) subject() subject { return public }

func (e IndependenceAttested) apply(l *Lab, m domain.Meta) {
	l.Independence = &Attestation{On: e.On, Unit: e.Unit, Budget: e.Budget, Premises: e.Premises,
		Evidence: e.Evidence, Event: m.ID}
}

// AdoptPlan records a version of the implementation plan. The first is
// adopted; further ones amend it.
type AdoptPlan struct {
	domain.Grounds
	Title    domain.Text `json:"title" doc:"What the plan is called"`
	On       domain.Date `json:"on" doc:"When it was adopted"`
	FromYear int         `json:"from_year" minimum:"1990" maximum:"2100" doc:"First year of its horizon"`
	ToYear   int         `json:"to_year" minimum:"1990" maximum:"2100" doc:"Last year of its horizon"`
	Document string      `json:"document" doc:"Digest of the plan"`
}

// Decide refuses a horizon that ends before it begins.
func (p AdoptPlan) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("title", p.Title)
	c.NotFuture("on", p.On, x.Today())
	if n := len(l.Plans); n > 0 {
		notBefore(&c, p.On, l.Plans[n-1].Adopted, "不能早于上一版的通过日 %s", "it cannot be adopted before the version it replaces, of %s", l.Plans[n-1].Adopted)
	}
	c.Require(p.FromYear >= 1990 && p.FromYear <= 2100, "from_year", "请填写 1990 至 2100 之间的年份", "give a year between 1990 and 2100")
	c.Require(p.ToYear >= p.FromYear && p.ToYear <= 2100, "to_year", "结束年份应不早于开始年份，且不晚于 2100 年", "the horizon must not end before it begins, nor after 2100")
	c.Digest("document", p.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{PlanAdopted{
		Version: len(l.Plans) + l.Voided["plan"] + 1, Title: p.Title, On: p.On, FromYear: p.FromYear, ToYear: p.ToYear,
		Document: p.Document,
	}}, nil
}

// PlanAdopted records a version of the implementation plan.
type PlanAdopted struct {
	Version  int         `json:"version"`
	Title    domain.Text `json:"title"`
	On       domain.Date `json:"on"`
	FromYear int         `json:"from_year"`
	ToYear   int         `json:"to_year"`
	Document string      `json:"document"`
}

// Sentence returns the event in words.
func (e PlanAdopted) Sentence() domain.Text {
	return domain.Textf("%[5]s 通过整体实施方案第 %[1]d 版“%[2]s”（%[3]d—%[4]d 年）", "On %[5]s version %[1]d of the implementation plan was adopted: “%[2]s” (%[3]d–%[4]d)", e.Version, e.Title, e.FromYear, e.ToYear, e.On)
}

func (PlanAdopted) subject() subject { return public }

func (e PlanAdopted) apply(l *Lab, m domain.Meta) {
	l.Plans = append(l.Plans, Plan{
		Version: e.Version, Title: e.Title, Adopted: e.On, FromYear: e.FromYear, ToYear: e.ToYear,
		Document: e.Document, Event: m.ID,
	})
}

// planOn returns the plan in force on a day.
func (l *Lab) planOn(d domain.Date) *Plan {
	for i := len(l.Plans) - 1; i >= 0; i-- {
		if !l.Plans[i].Adopted.After(d) {
			return &l.Plans[i]
		}
	}
	return nil
}

// AssignTask gives a construction task an owner and a day.
type AssignTask struct {
	domain.Grounds
	Text  domain.Text `json:"text" doc:"The task"`
	Owner uuid.UUID   `json:"owner" doc:"The legal entity that answers for it"`
	Due   domain.Date `json:"due" doc:"By when"`
}

// UsesEntities returns the owner.
func (t AssignTask) UsesEntities() []uuid.UUID { return []uuid.UUID{t.Owner} }

// Decide refuses a task without an owner or a day.
func (t AssignTask) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("text", t.Text)
	ref := x.Entity(&c, "owner", t.Owner)
	c.Given("due", t.Due)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{TaskAssigned{l.number("T", len(l.Tasks)), t.Text, ref, t.Due}}, nil
}

// TaskAssigned records the owner of a construction task.
type TaskAssigned struct {
	Task  string           `json:"task"`
	Text  domain.Text      `json:"text"`
	Owner domain.EntityRef `json:"owner"`
	Due   domain.Date      `json:"due"`
}

// Sentence returns the event in words.
func (e TaskAssigned) Sentence() domain.Text {
	return domain.Textf("建设任务 %s 由%s负责，完成期限 %s：%s", "Task %s was assigned to %s, due on %s: %s", e.Task, e.Owner.Name, e.Due, e.Text)
}

func (TaskAssigned) subject() subject { return public }

func (e TaskAssigned) apply(l *Lab, m domain.Meta) {
	l.Tasks = append(l.Tasks, Task{ID: e.Task, Text: e.Text, Owner: e.Owner, Due: e.Due, Event: m.ID})
}

// EstablishManagementBody records the body that runs the lab.
type EstablishManagementBody struct {
	domain.Grounds
	Name     domain.Text `json:"name" doc:"What it is called"`
	On       domain.Date `json:"on" doc:"When it was established"`
	Document string      `json:"document" doc:"Digest of the act that established it"`
}

// Decide refuses a body without a name or a document.
func (b EstablishManagementBody) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("name", b.Name)
	c.NotFuture("on", b.On, x.Today())
	c.Digest("document", b.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{ManagementBodyEstablished{b.Name, b.On, b.Document}}, nil
}

// ManagementBodyEstablished records the body that runs the lab.
type ManagementBodyEstablished struct {
	Name     domain.Text `json:"name"`
	On       domain.Date `json:"on"`
	Document string      `json:"document"`
}

// Sentence returns the event in words.
func (e ManagementBodyEstablished) Sentence() domain.Text {
	return domain.Textf("%[2]s 建立管理机构“%[1]s”", "On %[2]s the management body “%[1]s” was established", e.Name, e.On)
}

func (ManagementBodyEstablished) subject() subject { return public }

func (e ManagementBodyEstablished) apply(l *Lab, m domain.Meta) {
	l.ManagementBody = &ManagementBody{e.Name, e.On, e.Document, m.ID}
}
