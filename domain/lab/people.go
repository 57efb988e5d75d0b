package lab

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// BodyKind is the kind of a body of the lab's governance.
type BodyKind string

// The kinds of bodies (C48; 理事会 as practice has it).
const (
	AcademicCommittee BodyKind = "academic-committee"
	AdvisoryCommittee BodyKind = "advisory-committee"
	Board             BodyKind = "board"
)

var bodyKinds = kindTable[BodyKind]{
	{AcademicCommittee, domain.T("国际学术委员会", "international academic committee")},
	{AdvisoryCommittee, domain.T("国际咨询委员会", "international advisory committee")},
	{Board, domain.T("理事会", "board")},
}

// Body is a body of the lab's governance and its meetings.
type Body struct {
	ID       string      `json:"id"` // B1, B2 …
	Kind     BodyKind    `json:"kind"`
	Name     domain.Text `json:"name"`
	On       domain.Date `json:"on"`
	Charter  string      `json:"charter" zh:"章程" en:"charter"`
	Meetings []Meeting   `json:"meetings,omitempty" zh:"会议" en:"meeting"`
	Event    uuid.UUID   `json:"event"`
}

// Meeting is a meeting with minutes. The minutes name its participants; the
// register counts them.
type Meeting struct {
	On      domain.Date `json:"on" doc:"When it met"`
	Present int         `json:"present" minimum:"1" doc:"How many members were there"`
	Decided domain.Text `json:"decided" doc:"What it advised or decided"`
	Minutes string      `json:"minutes" doc:"Digest of the minutes"`
}

// MemberKind is the post of a person.
type MemberKind string

// The posts whose holders the programme asks for by name; other people are
// counted, not named.
const (
	DirectorPost    MemberKind = "director"
	Investigator    MemberKind = "principal-investigator"
	TeamLeader      MemberKind = "team-leader"
	ThirdCountry    MemberKind = "third-country-scholar"
	Postdoc         MemberKind = "postdoc"
	CommitteeMember MemberKind = "committee-member"
)

var memberKinds = kindTable[MemberKind]{
	{DirectorPost, domain.T("实验室负责人", "director")},
	{Investigator, domain.T("学术带头人", "principal investigator")},
	{TeamLeader, domain.T("引进团队带头人", "leader of a recruited team")},
	{ThirdCountry, domain.T("其他国家长期学者", "long-term scholar from another country")},
	{Postdoc, domain.T("博士后", "postdoc")},
	{CommitteeMember, domain.T("委员会成员", "committee member")},
}

// Text returns the post in Chinese and English.
func (k MemberKind) Text() domain.Text { return memberKinds.text(k) }

// Appointment is a person, a post and a term.
type Appointment struct {
	Kind        MemberKind       `json:"kind"`
	Person      domain.Person    `json:"person"`
	Affiliation domain.EntityRef `json:"affiliation"`
	Side        domain.Side      `json:"side"`
	Body        string           `json:"body,omitempty" zh:"机构" en:"body"`
	Link        string           `json:"link,omitempty" zh:"链接" en:"link"`
	TeamSize    int              `json:"team_size,omitzero" zh:"团队人数" en:"size of the team"`
	Term        domain.Period    `json:"term"`
}

// Member is an appointment with its changes.
type Member struct {
	ID string `json:"id"` // M1, M2 …
	Appointment
	Moves []Affiliation `json:"moves,omitempty"` // to another institution, in the order recorded
	Ended domain.Date   `json:"ended,omitzero"`  // the first day the post is no longer held
	Event uuid.UUID     `json:"event"`
}

// Affiliation is the employer of a member from a day on.
type Affiliation struct {
	Entity domain.EntityRef `json:"entity"`
	From   domain.Date      `json:"from"`
}

// held returns the actual term: shorter where the post was given up.
func (m *Member) held() domain.Period {
	held := m.Term
	if !m.Ended.IsZero() {
		held.To = m.Ended.AddDays(-1)
	}
	return held
}

// InOffice reports whether the post is held on a day.
func (m *Member) InOffice(d domain.Date) bool { return m.held().Contains(d) }

// AffiliationOn returns the institution the member is employed by on a day.
func (m *Member) AffiliationOn(d domain.Date) domain.EntityRef {
	at, since := m.Affiliation, domain.Date{}
	for _, a := range m.Moves {
		if !a.From.After(d) && !a.From.Before(since) {
			at, since = a.Entity, a.From
		}
	}
	return at
}

// overlaps reports whether the post is held on any day of a term.
func (m *Member) overlaps(t domain.Period) bool {
	held := m.held()
	return (held.To.IsZero() || !held.To.Before(t.From)) && (t.To.IsZero() || !t.To.Before(held.From)) &&
		(held.To.IsZero() || !held.To.Before(held.From))
}

// inOffice returns the holders of a post of a kind on a day.
func (l *Lab) inOffice(kind MemberKind, d domain.Date) []*Member {
	var in []*Member
	for i := range l.Members {
		if m := &l.Members[i]; m.Kind == kind && m.InOffice(d) {
			in = append(in, m)
		}
	}
	return in
}

// ConstituteBody records a committee or board (C48).
type ConstituteBody struct {
	domain.Grounds
	Kind    BodyKind    `json:"kind" enum:"academic-committee,advisory-committee,board" doc:"What it is"`
	Name    domain.Text `json:"name" doc:"What it is called"`
	On      domain.Date `json:"on" doc:"When it was constituted"`
	Charter string      `json:"charter" doc:"Digest of its charter"`
}

// Decide refuses a body without a name or a charter.
func (b ConstituteBody) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	bodyKinds.check(&c, "kind", b.Kind)
	c.Text("name", b.Name)
	c.NotFuture("on", b.On, x.Today())
	c.Digest("charter", b.Charter, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{BodyConstituted{
		Body: l.number("B", len(l.Bodies)), Kind: b.Kind, Name: b.Name, On: b.On, Charter: b.Charter,
	}}, nil
}

// BodyConstituted records a committee or board.
type BodyConstituted struct {
	Body    string      `json:"body"`
	Kind    BodyKind    `json:"kind"`
	Name    domain.Text `json:"name"`
	On      domain.Date `json:"on"`
	Charter string      `json:"charter"`
}

// Sentence returns the event in words.
func (e BodyConstituted) Sentence() domain.Text {
	return domain.Textf("%[4]s 成立%[1]s %[2]s：%[3]s", "On %[4]s the lab constituted its %[1]s %[2]s: %[3]s", bodyKinds.text(e.Kind), e.Body, e.Name, e.On)
}

func (BodyConstituted) subject() subject { return public }

func (e BodyConstituted) apply(l *Lab, m domain.Meta) {
	l.Bodies = append(l.Bodies, Body{ID: e.Body, Kind: e.Kind, Name: e.Name, On: e.On, Charter: e.Charter, Event: m.ID})
}

// MinuteMeeting records that a body met.
type MinuteMeeting struct {
	domain.Grounds
	Body string `json:"body" doc:"e.g. B1"`
	Meeting
}

// Decide refuses a meeting before the body was constituted.
func (b MinuteMeeting) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", b.On, x.Today())
	if body := found(&c, "body", "B", l.Bodies, b.Body); body != nil {
		notBefore(&c, b.On, body.On, "不能早于其成立之日 %s", "it cannot meet before it was constituted, on %s", body.On)
	}
	c.Require(b.Present > 0, "present", "请填写到会人数", "say how many members were there")
	c.Text("decided", b.Decided)
	c.Digest("minutes", b.Minutes, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{MeetingMinuted{b.Body, b.Meeting}}, nil
}

// MeetingMinuted records that a body met.
type MeetingMinuted struct {
	Body string `json:"body"`
	Meeting
}

// Sentence returns the event in words.
func (e MeetingMinuted) Sentence() domain.Text {
	return domain.Textf("%[2]s %[1]s 召开会议，%[3]d 人到会：%[4]s", "On %[2]s %[1]s met (members present: %[3]d): %[4]s", e.Body, e.On, e.Present, e.Decided)
}

func (MeetingMinuted) subject() subject { return public }

func (e MeetingMinuted) apply(l *Lab, _ domain.Meta) {
	if b := numbered(l.Bodies, e.Body); b != nil {
		b.Meetings = append(b.Meetings, e.Meeting)
	}
}

// AppointMember records the holder of a post for a term (C24, C42–C45, C48, C49).
type AppointMember struct {
	domain.Grounds
	Kind        MemberKind    `json:"kind" enum:"director,principal-investigator,team-leader,third-country-scholar,postdoc,committee-member" doc:"The post"`
	Person      domain.Person `json:"person" doc:"Who"`
	Affiliation uuid.UUID     `json:"affiliation" doc:"The legal entity the person comes from"`
	Side        domain.Side   `json:"side,omitempty" enum:"chinese,foreign" doc:"Whose post it is; absent: that of the affiliation"`
	Body        string        `json:"body,omitempty" doc:"Of a committee member: the body, e.g. B1"`
	Link        string        `json:"link,omitempty" doc:"Of a postdoc: the research direction or project, e.g. D1 or J1"`
	TeamSize    int           `json:"team_size,omitzero" minimum:"0" doc:"Of a team leader: how many people the team has"`
	Term        domain.Period `json:"term" doc:"From when, and until when if that is settled"`
}

// UsesEntities returns the affiliation.
func (p AppointMember) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Affiliation} }

// Decide refuses a second director in office on one side (C49), a third-country
// post for a person from a party's country (C43), and a postdoc without a
// research direction or project (C45).
func (p AppointMember) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	memberKinds.check(&c, "kind", p.Kind)
	c.Require(strings.TrimSpace(string(p.Person.Name)) != "", "person.name", "请填写姓名", "give the person's name")
	ref := x.Entity(&c, "affiliation", p.Affiliation)
	if p.Side == "" {
		p.Side = ref.Side
	}
	c.Require(ref.ID == uuid.Nil || p.Side == domain.Chinese || p.Side == domain.Foreign, "side", "应为 chinese 或 foreign", "side must be chinese or foreign")
	c.Given("term.from", p.Term.From)
	p.Term.Check(&c, "term")
	if p.Kind == CommitteeMember {
		found(&c, "body", "B", l.Bodies, p.Body)
	} else {
		c.Require(p.Body == "", "body", "只有委员会成员填写所属机构", "only a committee member belongs to a body")
	}
	c.Require((p.Kind == TeamLeader) == (p.TeamSize > 0), "team_size", "引进团队须填写人数，其他职务不填", "give the size of a recruited team, and of nothing else")
	c.Require(p.Link == "" || p.Kind == Postdoc && l.pursued(p.Link, p.Term.From), "link",
		"只有博士后填写，且须为任期开始时有效的研究方向（D1）或项目（J1）", "only a postdoc has one, and it must be a research direction (D1) or project (J1) that holds when the term begins")
	if err := c.Err(); err != nil {
		return nil, err
	}
	switch p.Kind {
	case DirectorPost:
		for i := range l.Members {
			if m := &l.Members[i]; m.Kind == DirectorPost && m.Side == p.Side && m.overlaps(p.Term) {
				return nil, refuse("C49", "%[2]s负责人 %[1]s 届时在任；请先登记其离任", "director %[1]s of the %[2]s side is in office then; end that term first", m.ID, sideText(p.Side))
			}
		}
	case ThirdCountry:
		if ref.Country == l.Host.Country || slices.ContainsFunc(l.boundOn(p.Term.From),
			func(q Party) bool { return q.Entity.Country == ref.Country }) {
			return nil, refuse("C43", "%s所在国（%s）是合作方之一的国家；请登记为其他职务", "%s is in %s, the country of a party; record another post", ref.Name, ref.Country)
		}
	case Postdoc:
		if p.Link == "" {
			return nil, refuse("C45", "请填写博士后所依托的研究方向或科研项目（link）", "name the research direction or project the postdoc is recruited for (link)")
		}
	}
	return []Event{MemberAppointed{l.number("M", len(l.Members)), Appointment{
		Kind: p.Kind, Person: p.Person, Affiliation: ref, Side: p.Side, Body: p.Body, Link: p.Link,
		TeamSize: p.TeamSize, Term: p.Term,
	}}}, nil
}

func sideText(s domain.Side) domain.Text {
	if s == domain.Chinese {
		return domain.T("中方", "Chinese")
	}
	return domain.T("外方", "foreign")
}

// MemberAppointed records the holder of a post.
type MemberAppointed struct {
	Member string `json:"member"`
	Appointment
}

// Sentence returns the event in words.
func (e MemberAppointed) Sentence() domain.Text {
	return domain.Textf("%[4]s（%[5]s，%[6]s）自 %[3]s 起任%[2]s，编号 %[1]s", "%[4]s (%[5]s, %[6]s side) holds the post of %[2]s from %[3]s, as %[1]s",
		e.Member, e.Kind, e.Term.From, string(e.Person.Name), e.Affiliation.Name, sideText(e.Side))
}

func (MemberAppointed) subject() subject { return public }

func (e MemberAppointed) apply(l *Lab, m domain.Meta) {
	l.Members = append(l.Members, Member{ID: e.Member, Appointment: e.Appointment, Event: m.ID})
}

// MoveMember records that a member is employed elsewhere from a day on (C42).
type MoveMember struct {
	domain.Grounds
	Member      string      `json:"member" doc:"e.g. M1"`
	Affiliation uuid.UUID   `json:"affiliation" doc:"The legal entity the member moved to"`
	On          domain.Date `json:"on" doc:"From when"`
}

// UsesEntities returns the new affiliation.
func (p MoveMember) UsesEntities() []uuid.UUID { return []uuid.UUID{p.Affiliation} }

// Decide refuses a move to the present employer, and one outside the term.
func (p MoveMember) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	ref := x.Entity(&c, "affiliation", p.Affiliation)
	if m := found(&c, "member", "M", l.Members, p.Member); m != nil {
		c.Require(p.On.IsZero() || m.InOffice(p.On), "on", "该成员在 %s 不在任", "the member is not in office on %s", p.On)
		c.Require(m.AffiliationOn(p.On).ID != p.Affiliation, "affiliation", "该成员当日已在该单位", "the member is there already on that day")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{MemberMoved{p.Member, ref, p.On}}, nil
}

// MemberMoved records that a member is employed elsewhere.
type MemberMoved struct {
	Member      string           `json:"member"`
	Affiliation domain.EntityRef `json:"affiliation"`
	On          domain.Date      `json:"on"`
}

// Sentence returns the event in words.
func (e MemberMoved) Sentence() domain.Text {
	return domain.Textf("成员 %[1]s 自 %[3]s 起任职于%[2]s", "From %[3]s member %[1]s is employed by %[2]s", e.Member, e.Affiliation.Name, e.On)
}

func (MemberMoved) subject() subject { return public }

func (e MemberMoved) apply(l *Lab, _ domain.Meta) {
	if m := numbered(l.Members, e.Member); m != nil {
		m.Moves = append(m.Moves, Affiliation{e.Affiliation, e.On})
	}
}

// EndMember records that a post is given up before its term is over.
type EndMember struct {
	domain.Grounds
	Member string      `json:"member" doc:"e.g. M1"`
	On     domain.Date `json:"on" doc:"The first day the post is no longer held"`
	Ground domain.Text `json:"ground" doc:"Why it ends"`
}

// Decide refuses a post that is not held on the day before.
func (p EndMember) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", p.On, x.Today())
	c.Text("ground", p.Ground)
	if m := found(&c, "member", "M", l.Members, p.Member); m != nil {
		c.Require(p.On.IsZero() || m.InOffice(p.On), "on", "该成员在 %s 已不在任或尚未就任", "the member is not in office on %s", p.On)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{MemberEnded{p.Member, p.On, p.Ground}}, nil
}

// MemberEnded records that a post was given up.
type MemberEnded struct {
	Member string      `json:"member"`
	On     domain.Date `json:"on"`
	Ground domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e MemberEnded) Sentence() domain.Text {
	return domain.Textf("成员 %s 自 %s 起离任：%s", "Member %s left the post on %s: %s", e.Member, e.On, e.Ground)
}

func (MemberEnded) subject() subject { return public }

func (e MemberEnded) apply(l *Lab, _ domain.Meta) {
	if m := numbered(l.Members, e.Member); m != nil {
		m.Ended = e.On
	}
}
