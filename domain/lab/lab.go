// Package lab is the joint laboratory: its agreements, the rights and
// responsibilities and the funding they carry, its status in the programme
// (教技〔2014〕1号), and its records.
//
// The document is read in 82 rows, one for each thing its clauses ask for, and
// C01 to C82 are their ids, in the order of the text: C62 is 五(二) 在培育组建2年以上.
// Rules, RecordRules and programme.Rules quote the rows that the register checks;
// GET /v1/clauses lists all of them, with the command and the event of each. The
// rule separation-of-duties is no row but the register's own reading (OwnReading):
// what a host handed in is judged neither by the person who recorded it nor by an
// expert affiliated with a party.
//
// Each file is one facet: its state, the commands that change it and the events
// that record the change. A command decides and an event applies; nothing else
// changes a Lab. Sub-ids such as A1 (agreements), R1 (rights items) and F1
// (funding commitments) count up within a lab, so people can speak them and no
// randomness is needed.
package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Lab is the state folded from a laboratory's events. It is also the document
// read models keep, so it survives being written as JSON and read back.
//
// The tags zh and en are what an account in words calls a member.
type Lab struct {
	ID         uuid.UUID        `json:"id"`
	Programme  string           `json:"programme,omitempty"` // programme the lab is registered in
	Level      Level            `json:"level,omitempty"`
	Names      []domain.Name    `json:"names,omitempty"`
	Host       domain.EntityRef `json:"host,omitzero" zh:"依托单位" en:"host"` // 依托单位, always exactly one
	Discipline domain.Text      `json:"discipline,omitzero"`
	Platforms  []Platform       `json:"platforms,omitempty" zh:"科研平台" en:"platform"`
	Partners   []Partner        `json:"partners,omitempty" zh:"合作单位" en:"partner"` // named by sources; parties are in agreements
	Facts      []Fact           `json:"facts,omitempty"`                           // stated by sources, each with its own date

	Status       Status               `json:"status,omitempty"`
	StatusSince  domain.PartialDate   `json:"status_since,omitzero" zh:"状态起始" en:"status since"`
	Moves        []Moved              `json:"moves,omitempty"`
	Incubation   domain.PartialDate   `json:"incubation_start,omitzero" zh:"培育开始" en:"incubation since"`
	Construction domain.PartialPeriod `json:"construction,omitzero" zh:"建设期" en:"construction period"`
	EarlyAllowed bool                 `json:"early_acceptance_allowed,omitzero" zh:"准予提前验收" en:"early acceptance allowed"`
	RectifyBy    domain.Date          `json:"rectify_by,omitzero" zh:"整改期限" en:"to rectify by"` // while RECTIFYING
	MayReapply   bool                 `json:"may_reapply,omitzero" zh:"可再次申请" en:"may apply again"`
	Certificate  string               `json:"certificate,omitempty" zh:"认定文件" en:"certificate"` // number of the recognition document
	MergedInto   uuid.UUID            `json:"merged_into,omitzero" zh:"并入" en:"merged into"`

	Unsupported []Unsupported `json:"unsupported,omitempty" zh:"存疑的步骤" en:"step in question"`

	// Voided counts the rows that are void, by the letter of their numbers, so
	// that no number is given twice; an agreement's amendments and a commitment's
	// contributions by its id.
	Voided map[string]int `json:"voided,omitempty" zh:"作废" en:"void"`

	Agreements  []Agreement  `json:"agreements,omitempty" zh:"协议" en:"agreement"`
	Rights      []Item       `json:"rights,omitempty" zh:"责权利条目" en:"item"`
	Commitments []Commitment `json:"commitments,omitempty" zh:"投入承诺" en:"commitment"`

	Independence   *Attestation    `json:"independence,omitempty" zh:"独立性证明" en:"attestation of independence"`
	Plans          []Plan          `json:"plans,omitempty" zh:"实施方案" en:"plan"`
	Tasks          []Task          `json:"tasks,omitempty" zh:"任务" en:"task"`
	ManagementBody *ManagementBody `json:"management_body,omitempty" zh:"管理机构" en:"management body"`

	Reviews Reviews `json:"reviews,omitzero" zh:"评审" en:"review"`
	Records
}

// Level is the level of a lab's programme. Provinces and universities run
// programmes like the ministry's.
type Level string

// The levels.
const (
	MinistryLevel   Level = "ministry"
	ProvinceLevel   Level = "province"
	UniversityLevel Level = "university"
)

// Event is a fact about a lab.
type Event interface {
	domain.Event
	subject() subject // its subject, from which its readers follow
	apply(*Lab, domain.Meta)
}

// Command is a request to a lab.
type Command = domain.Command[*Lab, Event]

// New returns the state of a lab before its first event.
func New(id uuid.UUID) *Lab { return &Lab{ID: id} }

// Apply folds one event in.
func (l *Lab) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(l, h.Meta) }

// Name returns the lab's current official name.
func (l *Lab) Name() domain.Text { return domain.Current(l.Names) }

// known returns a refusal where the lab is not registered.
func (l *Lab) known() error {
	if l.Status == "" {
		return domain.Reject(domain.NotFound, "登记簿中没有这个实验室；请先登记", "there is no such lab in the register; propose it first")
	}
	return nil
}

// open returns a refusal where the lab is not registered or has ended.
func (l *Lab) open() error {
	if err := l.known(); err != nil {
		return err
	}
	if l.Status.Final() {
		return domain.Reject(domain.State, "实验室已处于最终状态“%s”，不能再变更；如有笔误请登记更正",
			"the lab has reached its final status “%s” and can no longer change; a clerical mistake can still be corrected", l.Status)
	}
	return nil
}

// Corrected corrects a clerical mistake in a lab's history.
type Corrected struct{ domain.Correction }

// subject is that of the restated event. A correction that restates no event of
// a lab is for those who conduct reviews.
func (e Corrected) subject() subject {
	if restated, ok := e.With.Event.(Event); ok {
		return restated.subject()
	}
	return subject{class: Seated}
}

// apply has nothing to do: domain.Fold applies the restated event in the place
// of the one it corrects.
func (Corrected) apply(*Lab, domain.Meta) {}

// Voided takes back an event of a lab's history that should never have been recorded.
type Voided struct{ domain.Void }

// subject is that of the event that is void.
func (e Voided) subject() subject {
	if was, ok := e.Was.Event.(Event); ok {
		return was.subject()
	}
	return subject{class: Seated}
}

// apply keeps only that a number was used: domain.Fold leaves the event out.
func (e Voided) apply(l *Lab, _ domain.Meta) {
	if was, ok := e.Was.Event.(Event); ok {
		l.spend(was)
	}
}

// Propose registers a laboratory (C01). It starts as PROPOSED.
type Propose struct {
	domain.Grounds
	Programme  string        `json:"programme,omitempty" doc:"Programme the lab is meant for; absent: 国际合作联合实验室计划"`
	Level      Level         `json:"level,omitempty" enum:"ministry,province,university" doc:"Whose programme it is; absent: the source does not say"`
	Names      []domain.Name `json:"names" minItems:"1" maxItems:"50" doc:"What it is called, in each language"`
	Host       uuid.UUID     `json:"host" doc:"The host university (依托单位)"`
	Discipline domain.Text   `json:"discipline,omitzero" doc:"Its discipline"`
}

// UsesEntities returns the host.
func (p Propose) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Host} }

// DefaultProgramme is the programme of 教技〔2014〕1号.
const DefaultProgramme = "国际合作联合实验室计划"

// Decide refuses a second registration, a lab without a name, and a host that
// is known to be something other than a university in China.
func (p Propose) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if l.Status != "" {
		return nil, domain.Reject(domain.Exists, "该实验室已登记；请使用变更命令，或提交更正", "this lab is registered already; change it or send a correction instead")
	}
	var c domain.Check
	host := x.EntityOn(&c, "host", p.Host, x.Today())
	c.Require(host.Side != domain.Foreign, "host", "依托单位应为中方高校", "the host must be a Chinese university")
	c.Require(host.ID == uuid.Nil || host.Kind == "university" || host.Kind == "unstated", "host", "依托单位应为高校，登记簿中为“%s”", "the host must be a university; the register has it as %q", host.Kind)
	c.Require(p.Level == "" || p.Level == MinistryLevel || p.Level == ProvinceLevel ||
		p.Level == UniversityLevel, "level",
		"层级应为 ministry、province 或 university", "level must be ministry, province or university")
	c.Require(!domain.Current(p.Names).IsZero(), "names", "请至少填写一个中文或英文名称", "give at least one name in Chinese or English")
	for i, n := range p.Names {
		n.Check(&c, fmt.Sprintf("names[%d]", i))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if p.Programme == "" {
		p.Programme = DefaultProgramme
	}
	return []Event{Proposed{
		Programme: p.Programme, Level: p.Level, Names: p.Names, Host: host,
		Discipline: p.Discipline,
	}}, nil
}

// Proposed records that a laboratory was registered.
type Proposed struct {
	Programme  string           `json:"programme"`
	Level      Level            `json:"level,omitempty"`
	Names      []domain.Name    `json:"names"`
	Host       domain.EntityRef `json:"host"`
	Discipline domain.Text      `json:"discipline,omitzero"`
}

// Sentence returns the event in words.
func (e Proposed) Sentence() domain.Text {
	return domain.Textf("登记联合实验室“%s”，依托单位为%s", "Registered the joint laboratory “%s”, hosted by %s", domain.Current(e.Names), e.Host.Name)
}

func (Proposed) subject() subject { return public }

func (e Proposed) apply(l *Lab, m domain.Meta) {
	l.Programme, l.Level, l.Host, l.Discipline = e.Programme, e.Level, e.Host, e.Discipline
	l.Names = slices.Clone(e.Names)
	l.Status, l.StatusSince = StatusProposed, domain.DateOf(m.Time).Partial()
}

// Rename gives the lab a further name. An official name ends the one before it
// in the same language.
type Rename struct {
	domain.Grounds
	Name domain.Name `json:"name" doc:"The new name"`
	From domain.Date `json:"from" doc:"The first day it holds"`
}

// Decide refuses an unusable name, one the lab has already, and one that begins
// before the name it ends.
func (r Rename) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	r.Name.Valid.From = r.From.Partial()
	r.Name.Check(&c, "name")
	c.Given("from", r.From)
	for _, n := range l.Names {
		if ends(r.Name, n) {
			c.Require(r.From.IsZero() || r.From.After(n.Valid.From.Earliest()), "from",
				"应晚于现用名称“%s”的启用日 %s", "it must come after %[2]s, when the present name “%[1]s” began", n.Text, n.Valid.From)
		}
	}
	c.Require(!slices.ContainsFunc(l.Names, func(n domain.Name) bool {
		return n.Text == r.Name.Text && n.Lang == r.Name.Lang && n.Kind == r.Name.Kind && n.Valid.To.IsZero()
	}), "name.text", "实验室已在使用该名称", "the lab has this name already")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{Renamed{r.Name}}, nil
}

// Renamed records a further name.
type Renamed struct {
	Name domain.Name `json:"name"`
}

// Sentence returns the event in words.
func (e Renamed) Sentence() domain.Text {
	return domain.Textf("登记实验室名称“%s”（%s），自 %s 起使用", "Recorded the laboratory's name “%s” (%s), in use from %s", e.Name.Text, e.Name.Lang, e.Name.Valid.From)
}

func (Renamed) subject() subject { return public }

func (e Renamed) apply(l *Lab, _ domain.Meta) {
	for i, n := range l.Names {
		if ends(e.Name, n) {
			l.Names[i].Valid.To = e.Name.Valid.From.Earliest().AddDays(-1).Partial()
		}
	}
	l.Names = append(l.Names, e.Name)
}

// ends reports whether a new name ends an older one: an official name replaces
// the official name in the same language.
func ends(n, older domain.Name) bool {
	return n.Kind == domain.Official && older.Kind == domain.Official && older.Lang == n.Lang && older.Valid.To.IsZero()
}
