// Package domain holds what every aggregate of the register shares: actors and
// grounds, dates and periods, rejections, identifiers, money, and the fold that
// turns a history into a state.
//
// Everything below domain is pure. It does no I/O, reads no clock, draws no
// random number and changes no global. The same history always gives the same
// state, and the same command the same answer.
//
// # Rules
//
// Labs are judged under 教技〔2014〕1号, the plan for joint international research
// laboratories (国际合作联合实验室计划); its text is lab/testdata/plan-2014-1.txt.
// C01 to C82 number its clauses in the order of the text; the numbers are the
// register's own. A rule carries the number of its clause, the section it is in
// and its words, so that a refusal quotes the document. A rule that the document
// implies without stating it is marked as the register's own reading and quotes
// nothing. A later policy of a programme changes the terms, such as the years of
// incubation, and never the numbers.
//
// A clause asks either for a fact, which the register checks, or for a judgement
// by people, which it records and never computes: whether a plan is feasible,
// whether a partner is of the first rank, whether a lab passes.
//
// # Roles
//
// The ministry decides; a review agency conducts reviews under its mandate. The
// authority recommends. The host proposes a lab, applies for it and reports on
// it; partners sign, pledge and deliver what is theirs; the director runs it.
// Experts give opinions. Officers keep the register, auditors read it all.
//
// Duties are separate (rule separation-of-duties): the subject who recorded or
// corrected an application or an acceptance package takes no decision on it, and
// an expert affiliated with a party gives no opinion on its lab.
package domain

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Role is the capacity in which an actor acts.
type Role string

// The roles of the programme, then the register's own.
const (
	Ministry  Role = "ministry"  // 教育部, the programme authority
	Agency    Role = "agency"    // 受委托评审机构, a review agency the ministry delegates to
	Authority Role = "authority" // 省级主管部门 or 有关部门教育司(局)
	Host      Role = "host"      // 依托单位 / 中方申请单位 (高校)
	Partner   Role = "partner"   // 合作单位: a foreign or further party
	Director  Role = "director"  // 实验室主任
	Expert    Role = "expert"    // 专家, an expert or international peer
	Officer   Role = "officer"   // 项目官员, keeps the register for the ministry
	Auditor   Role = "auditor"   // 审计员, reads everything and writes nothing
)

// Roles lists every role, in the order people read them.
var Roles = []Role{Ministry, Agency, Authority, Host, Partner, Director, Expert, Officer, Auditor}

// Actor is the sender of a command. It comes from verified credentials, never
// from the body of a request.
type Actor struct {
	Subject    string    `json:"subject"`               // the caller's stable identifier
	Role       Role      `json:"role"`                  // the capacity acted in
	OnBehalfOf uuid.UUID `json:"on_behalf_of,omitzero"` // the legal entity acted for, if any
}

// Basis is the document a change rests on.
type Basis struct {
	Document string `json:"document,omitempty" doc:"Number or title of the document (文号), e.g. 教技函〔2019〕21号"`
	Digest   string `json:"digest,omitempty" doc:"SHA-256 of the document, as sha256:<64 hex digits>"`
	Source   string `json:"source,omitempty" doc:"Where the document was seen: a file and row, a page, a register"`
}

// Grounds are the reason for a command and the document it rests on. Every
// command embeds them, and every event that follows keeps them.
type Grounds struct {
	Reason string `json:"reason,omitempty" doc:"Why this change is made, in the sender's words" maxLength:"2000"`
	Basis  Basis  `json:"basis,omitzero" doc:"The document this change rests on"`

	// Acknowledge names the steps that a correction, a void or a late entry takes
	// the support from. Without it such an entry is refused. An event of its own
	// keeps what was acknowledged.
	Acknowledge []uuid.UUID `json:"acknowledge,omitempty" maxItems:"100" doc:"The status events that no longer meet their rules once this is recorded, as the refusal lists them; the sender has seen it"`
}

// Why returns the grounds themselves; embedding Grounds gives a command this method.
func (g Grounds) Why() Grounds { return g }

// Command is a request to an aggregate whose state is S. Decide returns the
// events that follow, or refuses it with a *Rejection. It does not change the
// state, and it reads nothing but its own fields, that state and the context.
type Command[S, E any] interface {
	Why() Grounds
	Decide(S, Context) ([]E, error)
}

// Accept returns e as the only event of a decision, or err where it is not nil.
func Accept[E Event](e E, err error) ([]E, error) {
	if err != nil {
		return nil, err
	}
	return []E{e}, nil
}

// EntityUser is a command that names legal entities. Its handler loads each of
// them into Context.Entities.
type EntityUser interface {
	UsesEntities() []uuid.UUID
}

// LabUser is a command that names labs. Its handler loads the name of each
// into Context.Labs.
type LabUser interface {
	UsesLabs() []uuid.UUID
}

// Context is everything a decision may use besides the aggregate's state.
type Context struct {
	Actor     Actor
	Now       time.Time               // the recorded time the events will carry
	Entities  map[uuid.UUID]EntityRef // facts about the entities the command names
	Labs      map[uuid.UUID]Text      // the names of the labs the command names
	Programme Programme               // the programme a lab is judged under
}

// Today returns the calendar day in China at the recorded time. The programme's
// dates are Chinese calendar days.
func (x Context) Today() Date { return DateOf(x.Now) }

// Entity returns the facts about the entity that the command names at path, and
// reports through c one that the register does not know.
func (x Context) Entity(c *Check, path string, id uuid.UUID) EntityRef {
	ref, ok := x.Entities[id]
	c.Require(ok, path, "登记簿中没有这个法人；请先登记该法人", "no such legal entity in the register; register it first")
	ref.Founded, ref.Gone = Date{}, Date{}
	return ref
}

// EntityOn is Entity for an act of a day. It also reports an entity that was not
// founded by then, or no longer existed (C01, C04).
func (x Context) EntityOn(c *Check, path string, id uuid.UUID, day Date) EntityRef {
	known := x.Entities[id]
	c.Require(day.IsZero() || !day.Before(known.Founded), path,
		"%[1]s于 %[2]s 成立，%[3]s 尚不存在", "%[1]s was founded on %[2]s and did not exist on %[3]s", known.Name, known.Founded, day)
	c.Require(known.Gone.IsZero() || day.Before(known.Gone), path,
		"%[1]s自 %[2]s 起不复存在；请填写承继它的法人", "%[1]s has not existed since %[2]s; name the legal entity that took its place", known.Name, known.Gone)
	return x.Entity(c, path, id)
}

// Meta is what the register itself recorded about an event.
type Meta struct {
	ID          uuid.UUID `json:"id"`
	Revision    uint64    `json:"revision"` // in its own stream, from 0
	Time        time.Time `json:"time"`     // recorded time, UTC
	Actor       Actor     `json:"actor"`
	Because     Grounds   `json:"because,omitzero"`
	Policy      string    `json:"policy,omitempty"` // the programme document it was decided under
	Command     uuid.UUID `json:"command"`          // the command it follows from
	Digest      string    `json:"digest,omitempty"` // of that command, so a reused idempotency key is noticed
	Correlation string    `json:"correlation,omitempty"`
	Causation   string    `json:"causation,omitempty"`
	Trace       string    `json:"trace,omitempty"` // W3C traceparent of its append, where that was traced

	// Correctors are the subjects that have corrected the event since, in order.
	// They answer for its content as its actor does. Never stored: Effective
	// sets it.
	Correctors []string `json:"-"`
}

// EntityRef is a legal entity as it was when an event named it, so that the
// event can be read on its own whatever becomes of the entity.
type EntityRef struct {
	ID          uuid.UUID    `json:"id"`
	Name        Text         `json:"name"`
	Kind        string       `json:"kind"`    // as in package entity
	Country     string       `json:"country"` // ISO 3166-1 alpha-2
	Side        Side         `json:"side"`
	Identifiers []Identifier `json:"identifiers,omitempty"` // those valid at the time

	// Founded is the first day on which the entity may act, and Gone the first on
	// which it no longer may; each is zero where it is not known. They are facts
	// for Context.EntityOn and are never stored.
	Founded Date `json:"-"`
	Gone    Date `json:"-"`
}

// Equal reports whether both have the same entity, described alike.
func (e EntityRef) Equal(f EntityRef) bool {
	return e.ID == f.ID && e.Name == f.Name && e.Kind == f.Kind && e.Country == f.Country && e.Side == f.Side &&
		slices.Equal(e.Identifiers, f.Identifiers) && e.Founded == f.Founded && e.Gone == f.Gone
}

// Side is the side of a joint laboratory that an entity is on.
type Side string

// The two sides of a joint laboratory.
const (
	Chinese Side = "chinese" // 中方
	Foreign Side = "foreign" // 外方, 国(境)外
)

// SideOf returns the side of an entity established in a country, an ISO 3166-1
// alpha-2 code. By the programme's 国(境)外 every entity outside the mainland is
// foreign, those of Hong Kong, Macao and Taiwan included.
func SideOf(country string) Side {
	if country == "CN" {
		return Chinese
	}
	return Foreign
}

// Personal is a person's name, title or identifier. It is sealed before a
// command is decided: events and states hold a ciphertext that only the register
// opens, and only until the person is erased; see Sealed. Values recorded before
// sealing was introduced are plain.
type Personal string

// Person represents a person in an event.
type Person struct {
	Ref   uuid.UUID `json:"ref,omitzero" doc:"The register's own number for the person, by which the person is erased. In a command: the person is the one of that number; absent, the number that belongs to id, or a new one" zh:"人员编号" en:"number of the person"`
	ID    Personal  `json:"id,omitempty" doc:"The person's stable id elsewhere, e.g. an ORCID iD. All entries with one id are erased together" maxLength:"200"`
	Name  Personal  `json:"name" doc:"The person's name" minLength:"1" maxLength:"200"`
	Title Personal  `json:"title,omitempty" doc:"The office the person signs in, e.g. 校长 / President" maxLength:"200"`
}
