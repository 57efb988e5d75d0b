package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// TrainingKind is the kind of a training programme.
type TrainingKind string

// The kinds of training programmes (C37, C38).
const (
	StudentExchange TrainingKind = "student-exchange"
	JointDegree     TrainingKind = "joint-degree"
)

var trainingKinds = kindTable[TrainingKind]{
	{StudentExchange, domain.T("学生访问、互换项目", "student exchange programme")},
	{JointDegree, domain.T("联合学位项目", "joint degree programme")},
}

// TrainingProgramme is an exchange or joint degree between parties, and the
// degrees awarded under it.
type TrainingProgramme struct {
	ID       string             `json:"id"` // X1, X2 …
	Kind     TrainingKind       `json:"kind"`
	Name     domain.Text        `json:"name"`
	Parties  []domain.EntityRef `json:"parties"`
	Runs     domain.Period      `json:"runs"`
	Document string             `json:"document"`
	Awards   []Degrees          `json:"awards,omitempty"`
	Event    uuid.UUID          `json:"event"`
}

// Degrees are the joint degrees awarded on a day, counted.
type Degrees struct {
	On       domain.Date `json:"on" doc:"When they were awarded"`
	Level    string      `json:"level" enum:"master,doctor" doc:"Master or doctor"`
	Number   int         `json:"number" minimum:"1" doc:"How many"`
	Evidence string      `json:"evidence" doc:"Digest of the decision"`
}

var degreeLevels = kindTable[string]{{"master", domain.T("硕士", "master")}, {"doctor", domain.T("博士", "doctor")}}

// bothSides reports whether Chinese and foreign legal entities are among them.
func bothSides(es ...domain.EntityRef) bool {
	on := func(s domain.Side) bool {
		return slices.ContainsFunc(es, func(e domain.EntityRef) bool { return e.Side == s })
	}
	return on(domain.Chinese) && on(domain.Foreign)
}

// OpenTrainingProgramme records a regular exchange (C37) or a joint degree (C38).
type OpenTrainingProgramme struct {
	domain.Grounds
	Kind     TrainingKind  `json:"kind" enum:"student-exchange,joint-degree" doc:"What it offers"`
	Name     domain.Text   `json:"name" doc:"What it is called"`
	Parties  []uuid.UUID   `json:"parties" minItems:"2" maxItems:"100" doc:"The parties between which students go, or which award the degree together"`
	Runs     domain.Period `json:"runs" doc:"From when, and until when if that is settled"`
	Document string        `json:"document" doc:"Digest of the arrangement"`
}

// Decide refuses a joint degree that is not awarded by both sides (C38), and
// an exchange within one (C37).
func (o OpenTrainingProgramme) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	trainingKinds.check(&c, "kind", o.Kind)
	c.Text("name", o.Name)
	c.Given("runs.from", o.Runs.From)
	o.Runs.Check(&c, "runs")
	refs := make([]domain.EntityRef, len(o.Parties))
	for i, id := range o.Parties {
		refs[i] = l.bound(&c, fmt.Sprintf("parties[%d]", i), id, o.Runs.From)
	}
	c.Digest("document", o.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if !bothSides(refs...) {
		rule := map[TrainingKind]string{StudentExchange: "C37", JointDegree: "C38"}[o.Kind]
		return nil, refuse(rule, "应有中外双方参加；请补充另一方", "both the Chinese and the foreign side must take part; add a party of the other side")
	}
	return []Event{TrainingProgrammeOpened{
		ID: l.number("X", len(l.Training)), Kind: o.Kind, Name: o.Name, Parties: refs, Runs: o.Runs,
		Document: o.Document,
	}}, nil
}

// TrainingProgrammeOpened records an exchange or a joint degree.
type TrainingProgrammeOpened struct {
	ID       string             `json:"id"`
	Kind     TrainingKind       `json:"kind"`
	Name     domain.Text        `json:"name"`
	Parties  []domain.EntityRef `json:"parties"`
	Runs     domain.Period      `json:"runs"`
	Document string             `json:"document"`
}

// Sentence returns the event in words.
func (e TrainingProgrammeOpened) Sentence() domain.Text {
	return domain.Textf("%[4]s 起开办%[2]s %[1]s“%[3]s”，由 %[5]d 方参加", "From %[4]s the %[2]s %[1]s runs between %[5]d parties: “%[3]s”", e.ID, trainingKinds.text(e.Kind), e.Name, e.Runs.From, len(e.Parties))
}

func (TrainingProgrammeOpened) subject() subject { return public }

func (e TrainingProgrammeOpened) apply(l *Lab, m domain.Meta) {
	l.Training = append(l.Training, TrainingProgramme{ID: e.ID, Kind: e.Kind, Name: e.Name, Parties: e.Parties,
		Runs: e.Runs, Document: e.Document, Event: m.ID})
}

// AwardJointDegrees records the number of degrees a programme awarded (C38).
type AwardJointDegrees struct {
	domain.Grounds
	Programme string `json:"programme" doc:"e.g. X1"`
	Degrees
}

// Decide refuses degrees of a programme that is no joint degree, or before it ran.
func (a AwardJointDegrees) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", a.On, x.Today())
	if p := found(&c, "programme", "X", l.Training, a.Programme); p != nil {
		c.Require(p.Kind == JointDegree, "programme", "%s 不是联合学位项目", "%s is not a joint degree programme", p.ID)
		notBefore(&c, a.On, p.Runs.From, "不能早于项目开办之日 %s", "it cannot come before the programme began, on %s", p.Runs.From)
	}
	degreeLevels.check(&c, "level", a.Level)
	c.Require(a.Number > 0, "number", "请填写人数", "say how many")
	c.Digest("evidence", a.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{JointDegreesAwarded{a.Programme, a.Degrees}}, nil
}

// JointDegreesAwarded records the number of degrees a programme awarded.
type JointDegreesAwarded struct {
	Programme string `json:"programme"`
	Degrees
}

// Sentence returns the event in words.
func (e JointDegreesAwarded) Sentence() domain.Text {
	return domain.Textf("%[2]s 项目 %[1]s 联合授予%[3]s学位 %[4]d 个", "On %[2]s programme %[1]s awarded joint degrees (%[3]s): %[4]d", e.Programme, e.On, degreeLevels.text(e.Level), e.Number)
}

func (JointDegreesAwarded) subject() subject { return public }

func (e JointDegreesAwarded) apply(l *Lab, _ domain.Meta) {
	if p := numbered(l.Training, e.Programme); p != nil {
		p.Awards = append(p.Awards, e.Degrees)
	}
}

// VisitorKind is the kind of the people on a visit.
type VisitorKind string

// The kinds that clauses ask about (C37, C41), and other scholars.
const (
	Undergraduates VisitorKind = "undergraduate"
	Graduates      VisitorKind = "graduate"
	YoungTeachers  VisitorKind = "young-teacher"
	Scholars       VisitorKind = "scholar"
)

var visitorKinds = kindTable[VisitorKind]{
	{Undergraduates, domain.T("本科生", "undergraduates")},
	{Graduates, domain.T("研究生", "graduate students")},
	{YoungTeachers, domain.T("青年教师", "young teachers")},
	{Scholars, domain.T("学者", "scholars")},
}

// Direction of a visit, as seen from China.
const (
	outward = "out"
	inward  = "in"
)

// Visit is a stay of people of one party at another. They are counted, not named.
type Visit struct {
	Kind      VisitorKind      `json:"kind"`
	From      domain.EntityRef `json:"from"`
	To        domain.EntityRef `json:"to"`
	Direction string           `json:"direction" zh:"方向" en:"direction"` // out of China or in
	Programme string           `json:"programme,omitempty"`
	Persons   int              `json:"persons" zh:"人员" en:"person"`
	Stay      domain.Period    `json:"stay" zh:"访问期间" en:"stay"`
	Event     uuid.UUID        `json:"event"`
}

// in reports whether any day of the visit falls in a calendar year.
func (v *Visit) in(year int) bool { return v.Stay.From.Year() <= year && year <= v.Stay.To.Year() }

// RecordVisit records that people of one party stayed at a party of the other
// side (C37, C41).
type RecordVisit struct {
	domain.Grounds
	Kind      VisitorKind   `json:"kind" enum:"undergraduate,graduate,young-teacher,scholar" doc:"Who went"`
	From      uuid.UUID     `json:"from" doc:"The party that sent them"`
	To        uuid.UUID     `json:"to" doc:"The party of the other side that received them"`
	Programme string        `json:"programme,omitempty" doc:"The exchange programme, if under one, e.g. X1"`
	Persons   int           `json:"persons" minimum:"1" doc:"How many"`
	Stay      domain.Period `json:"stay" doc:"First and last day; a stay counts for each calendar year it touches"`
}

// Reach returns nothing that belongs to particular parties.
func (RecordVisit) Reach() Reach { return Reach{} }

// Decide refuses a visit within one side, and one that is not over.
func (v RecordVisit) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	visitorKinds.check(&c, "kind", v.Kind)
	c.Given("stay.from", v.Stay.From)
	c.NotFuture("stay.to", v.Stay.To, x.Today())
	v.Stay.Check(&c, "stay")
	from, to := l.bound(&c, "from", v.From, v.Stay.From), l.bound(&c, "to", v.To, v.Stay.From)
	c.Require(from.ID == uuid.Nil || to.ID == uuid.Nil || from.Side != to.Side, "to", "访问应在中外双方之间进行", "a visit goes from one side to the other")
	if v.Programme != "" {
		p := found(&c, "programme", "X", l.Training, v.Programme)
		c.Require(p == nil || p.Kind == StudentExchange, "programme", "%s 不是学生访问、互换项目", "%s is not an exchange programme", v.Programme)
	}
	c.Require(v.Persons > 0, "persons", "请填写人数", "say how many people went")
	if err := c.Err(); err != nil {
		return nil, err
	}
	direction := outward
	if from.Side == domain.Foreign {
		direction = inward
	}
	return []Event{VisitRecorded{
		Kind: v.Kind, From: from, To: to, Direction: direction, Programme: v.Programme,
		Persons: v.Persons, Stay: v.Stay,
	}}, nil
}

// VisitRecorded records that people of one party stayed at another.
type VisitRecorded struct {
	Kind      VisitorKind      `json:"kind"`
	From      domain.EntityRef `json:"from"`
	To        domain.EntityRef `json:"to"`
	Direction string           `json:"direction"`
	Programme string           `json:"programme,omitempty"`
	Persons   int              `json:"persons"`
	Stay      domain.Period    `json:"stay"`
}

// Sentence returns the event in words.
func (e VisitRecorded) Sentence() domain.Text {
	return domain.Textf("%[1]s派出%[3]s %[4]d 人赴%[2]s访问（%[5]s 至 %[6]s）", "%[1]s sent %[3]s to %[2]s from %[5]s to %[6]s, in number: %[4]d", e.From.Name, e.To.Name, visitorKinds.text(e.Kind), e.Persons, e.Stay.From, e.Stay.To)
}

func (VisitRecorded) subject() subject { return public }

func (e VisitRecorded) apply(l *Lab, m domain.Meta) {
	l.Visits = append(l.Visits, Visit{
		Kind: e.Kind, From: e.From, To: e.To, Direction: e.Direction, Programme: e.Programme,
		Persons: e.Persons, Stay: e.Stay, Event: m.ID,
	})
}

// Owed is a calendar year in which a party sent no young teacher to the other
// side (C41).
type Owed struct {
	Party domain.EntityRef `json:"party"`
	Year  int              `json:"year"`
}

// VisitsOwed returns, for each calendar year that is over by a day, the parties
// that were bound all year and sent no young teacher, and the events that show
// which did.
func (l *Lab) VisitsOwed(on domain.Date) (owed []Owed, proof []uuid.UUID) {
	first := on
	for i := range l.Agreements {
		if f := l.Agreements[i].InForceFrom; !f.IsZero() && f.Before(first) {
			first = f
		}
	}
	for year := first.Year(); year < on.Year(); year++ {
		end := l.boundOn(domain.NewDate(year, 12, 31))
		for _, p := range l.boundOn(domain.NewDate(year, 1, 1)) {
			if !slices.ContainsFunc(end, func(q Party) bool { return q.is(p.Entity.ID) }) {
				continue
			}
			i := slices.IndexFunc(l.Visits, func(v Visit) bool {
				return v.Kind == YoungTeachers && v.in(year) &&
					(p.is(v.From.ID) || slices.ContainsFunc(end,
						func(q Party) bool { return q.is(p.Entity.ID) && q.is(v.From.ID) }))
			})
			if i < 0 {
				owed = append(owed, Owed{p.Entity, year})
			} else {
				proof = append(proof, l.Visits[i].Event)
			}
		}
	}
	return owed, proof
}

// Supervision is graduate students with one supervisor on each side (C38).
// Students are counted, not named.
type Supervision struct {
	Supervisors []Supervisor `json:"supervisors" zh:"导师" en:"supervisor"`
	Level       string       `json:"level"`
	Students    int          `json:"students" zh:"学生" en:"student"`
	From        domain.Date  `json:"from"`
	Event       uuid.UUID    `json:"event"`
}

// Supervisor is a person and the party that employs them.
type Supervisor struct {
	Person domain.Person    `json:"person"`
	Party  domain.EntityRef `json:"party"`
}

// NewSupervisor names a supervisor.
type NewSupervisor struct {
	Person domain.Person `json:"person" doc:"Who"`
	Party  uuid.UUID     `json:"party" doc:"The party that employs them"`
}

// PairSupervisors records that graduate students have two supervisors (C38).
type PairSupervisors struct {
	domain.Grounds
	Supervisors []NewSupervisor `json:"supervisors" minItems:"2" maxItems:"2" doc:"The two supervisors"`
	Level       string          `json:"level" enum:"master,doctor" doc:"Master or doctor"`
	Students    int             `json:"students" minimum:"1" doc:"How many students they supervise together"`
	From        domain.Date     `json:"from" doc:"From when"`
}

// Decide refuses two supervisors unless they are of parties on opposite sides
// (C38).
func (p PairSupervisors) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("from", p.From, x.Today())
	c.Require(len(p.Supervisors) == 2, "supervisors", "请填写两位导师", "name two supervisors")
	pair := make([]Supervisor, len(p.Supervisors))
	for i, s := range p.Supervisors {
		at := fmt.Sprintf("supervisors[%d].", i)
		pair[i] = Supervisor{s.Person, l.bound(&c, at+"party", s.Party, p.From)}
		c.Require(s.Person.Name != "", at+"person.name", "请填写姓名", "give the person's name")
	}
	degreeLevels.check(&c, "level", p.Level)
	c.Require(p.Students > 0, "students", "请填写学生人数", "say how many students")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if !bothSides(pair[0].Party, pair[1].Party) {
		return nil, refuse("C38", "两位导师应分属中外双方的不同单位", "the two supervisors must come from different parties, one on each side")
	}
	return []Event{SupervisorsPaired{pair, p.Level, p.Students, p.From}}, nil
}

// SupervisorsPaired records that graduate students have two supervisors.
type SupervisorsPaired struct {
	Supervisors []Supervisor `json:"supervisors"`
	Level       string       `json:"level"`
	Students    int          `json:"students"`
	From        domain.Date  `json:"from"`
}

// Sentence returns the event in words.
func (e SupervisorsPaired) Sentence() domain.Text {
	var zh, en string
	for i, s := range e.Supervisors {
		if i > 0 {
			zh, en = zh+"、", en+" and "
		}
		zh, en = zh+string(s.Person.Name)+"（"+s.Party.Name.Chinese()+"）", en+string(s.Person.Name)+" ("+
			s.Party.Name.English()+")"
	}
	return domain.Textf("自 %[1]s 起%[2]s共同指导%[3]s生 %[4]d 人", "From %[1]s %[2]s together supervise students (%[3]s), in number: %[4]d", e.From, domain.T(zh, en), degreeLevels.text(e.Level), e.Students)
}

func (SupervisorsPaired) subject() subject { return public }

func (e SupervisorsPaired) apply(l *Lab, m domain.Meta) {
	l.Supervisions = append(l.Supervisions, Supervision{
		Supervisors: e.Supervisors, Level: e.Level, Students: e.Students, From: e.From, Event: m.ID,
	})
}
