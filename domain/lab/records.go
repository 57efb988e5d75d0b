package lab

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Records is what a lab at work has recorded of itself. Rows that other rows
// name are numbered as they come: M1, M2 … members, B bodies, N instruments,
// E reform measures, X training programmes, K funds, O objectives, D research
// directions, J projects, S support measures, G ministry support.
type Records struct {
	Bodies             []Body              `json:"bodies,omitempty" zh:"机构" en:"body"`
	Members            []Member            `json:"members,omitempty" zh:"人员" en:"member"`
	Instruments        []AdoptedInstrument `json:"instruments,omitempty" zh:"制度" en:"instrument"`
	Reforms            []ReformMeasure     `json:"reforms,omitempty" zh:"改革试点" en:"reform"`
	DisciplineStatuses []DisciplineStatus  `json:"discipline_statuses,omitempty" zh:"学科地位" en:"standing of the discipline"`
	PartnerStandings   []PartnerStanding   `json:"partner_standings,omitempty" zh:"合作单位水平" en:"standing of a partner"`
	ForeignUnits       []ForeignUnit       `json:"foreign_units,omitempty" zh:"外方研究机构" en:"foreign research unit"`

	Training     []TrainingProgramme `json:"training_programmes,omitempty" zh:"培养项目" en:"training programme"`
	Visits       []Visit             `json:"visits,omitempty" zh:"访问" en:"visit"`
	Supervisions []Supervision       `json:"supervisions,omitempty" zh:"联合指导" en:"joint supervision"`

	Funds []Fund         `json:"funds,omitempty" zh:"基金" en:"fund"`
	Rates []ExchangeRate `json:"rates,omitempty" zh:"比率" en:"rate"`

	Objectives    []Objective    `json:"objectives,omitempty" zh:"目标" en:"objective"`
	Directions    []Direction    `json:"directions,omitempty" zh:"研究方向" en:"direction of research"`
	Projects      []Project      `json:"projects,omitempty" zh:"项目" en:"project"`
	Counts        []Count        `json:"counts,omitempty" zh:"人数" en:"headcount"`
	Outputs       []Output       `json:"outputs,omitempty" zh:"成果" en:"output"`
	AnnualReports []AnnualReport `json:"annual_reports,omitempty" zh:"年度报告" en:"annual report"`
	SpinOffs      []SpinOff      `json:"spin_offs,omitempty" zh:"衍生企业" en:"spin-off company"`

	Support         []SupportMeasure  `json:"support,omitempty" zh:"支持" en:"support"`
	MinistrySupport []MinistrySupport `json:"ministry_support,omitempty" zh:"教育部支持" en:"support by the ministry"`
}

// kindTable has each kind of something in both languages, in the order people
// read them.
type kindTable[K ~string] []struct {
	kind K
	text domain.Text
}

func (t kindTable[K]) text(k K) domain.Text {
	for _, row := range t {
		if row.kind == k {
			return row.text
		}
	}
	return domain.T(string(k), string(k))
}

// check reports a kind that is not in the table.
func (t kindTable[K]) check(c *domain.Check, path string, k K) {
	var codes []string
	for _, row := range t {
		codes = append(codes, string(row.kind))
	}
	c.Require(slices.Contains(codes, string(k)), path, "应为以下之一：%s", "give one of: %s", strings.Join(codes, ", "))
}

// number returns the id of the next of so many rows. One that is void has used its
// number up.
func (l *Lab) number(letter string, rows int) string {
	return letter + strconv.Itoa(rows+l.Voided[letter]+1)
}

// numbered returns the row an id names, or nil.
func numbered[T interface{ number() string }](rows []T, id string) *T {
	i := slices.IndexFunc(rows, func(row T) bool { return row.number() == id })
	if i < 0 {
		return nil
	}
	return &rows[i]
}

func (b Body) number() string              { return b.ID }
func (m Member) number() string            { return m.ID }
func (n AdoptedInstrument) number() string { return n.ID }
func (r ReformMeasure) number() string     { return r.ID }
func (p TrainingProgramme) number() string { return p.ID }
func (f Fund) number() string              { return f.ID }
func (o Objective) number() string         { return o.ID }
func (d Direction) number() string         { return d.ID }
func (p Project) number() string           { return p.ID }
func (s SupportMeasure) number() string    { return s.ID }
func (s MinistrySupport) number() string   { return s.ID }

// found is numbered for a command, and reports a row that is not there.
func found[T interface{ number() string }](c *domain.Check, path, letter string, rows []T, id string) *T {
	row := numbered(rows, id)
	c.Require(row != nil, path, "该实验室没有登记 %q；编号应形如 %s1", "the lab has no %q on record; its number looks like %s1", id, letter)
	return row
}

// refuse returns the refusal of a command by one rule.
func refuse(rule, zh, en string, args ...any) error {
	return domain.Unmet([]domain.Finding{Rules[rule].unmet(domain.Textf(zh, en, args...))})
}

// boundOn lists the parties of every agreement in force on a day, each once.
func (l *Lab) boundOn(d domain.Date) []Party {
	var bound []Party
	for i := range l.Agreements {
		a := &l.Agreements[i]
		if a.StatusOn(d) != InForce {
			continue
		}
		for _, p := range a.PartiesOn(d) {
			if !slices.ContainsFunc(bound, func(q Party) bool { return q.Entity.ID == p.Entity.ID }) {
				bound = append(bound, p)
			}
		}
	}
	return bound
}

// is reports whether the party is the given legal entity or took its place.
func (p Party) is(id uuid.UUID) bool { return p.Entity.ID == id || p.Succeeds == id }

// bound reports a legal entity that no agreement in force binds on a day, and
// returns it as the agreement has it. A missing day is reported elsewhere.
func (l *Lab) bound(c *domain.Check, path string, id uuid.UUID, on domain.Date) domain.EntityRef {
	for _, p := range l.boundOn(on) {
		if p.Entity.ID == id {
			return p.Entity
		}
	}
	c.Require(on.IsZero(), path, "该法人在 %s 不是生效协议的一方", "this legal entity is not a party to an agreement in force on %s", on)
	return domain.EntityRef{}
}
