// Package domain holds what every aggregate of the register shares: who acts
// and why, when things hold, how a request is refused, identifiers, money, and
// the fold that turns a history into a state.
//
// Everything below domain is pure. It does no I/O, reads no clock, draws no
// random number and changes no global, so that the same history always gives
// the same state and the same command the same answer, on any machine and in
// any year.
package domain

import (
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

// Actor is who sent a command. It is taken from the credentials a caller
// proved, never from what the caller wrote in the request.
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

// Grounds says why a command is sent and on what it rests. Every command
// embeds it, and every event that follows keeps it.
type Grounds struct {
	Reason string `json:"reason,omitempty" doc:"Why this change is made, in the sender's words" maxLength:"2000"`
	Basis  Basis  `json:"basis,omitzero" doc:"The document this change rests on"`
}

// Why returns the grounds themselves; embedding Because gives a command this method.
func (b Grounds) Why() Grounds { return b }

// Command is a request to an aggregate whose state is S: Decide refuses it,
// with a *Rejection, or returns the events that follow. It does not change the
// state it is given, and it may look at nothing but its own fields, that
// state, and the context.
type Command[S, E any] interface {
	Why() Grounds
	Decide(S, Context) ([]E, error)
}

// EntityUser is a command that names legal entities. Whoever runs it brings
// the facts of each of them in Context.Entities.
type EntityUser interface {
	UsesEntities() []uuid.UUID
}

// LabUser is a command that names labs. Whoever runs it brings the name of
// each in Context.Labs.
type LabUser interface {
	UsesLabs() []uuid.UUID
}

// Context is everything a decision may use besides the aggregate's state.
type Context struct {
	Actor     Actor
	Now       time.Time               // the recorded time the events will carry
	Entities  map[uuid.UUID]EntityRef // facts about the entities the command names
	Labs      map[uuid.UUID]Text      // the labs the command names, by what they are called
	Programme Programme               // the programme a lab is judged under
}

// Today is the calendar day in China at the recorded time. The programme's
// dates are Chinese calendar days.
func (x Context) Today() Date { return DateOf(x.Now) }

// Entity returns the facts about the entity the command names at path, and
// reports through c when the register does not know it.
func (x Context) Entity(c *Check, path string, id uuid.UUID) EntityRef {
	ref, ok := x.Entities[id]
	c.Require(ok, path, "登记簿中没有这个法人；请先登记该法人", "no such legal entity in the register; register it first")
	return ref
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

	// Correctors are those who have corrected the event since, in order. They
	// answer for what it says as its actor does. Never stored: Effective says it.
	Correctors []string `json:"-"`
}

// EntityRef is a legal entity as it stood when an event named it, so that the
// event can be read on its own whatever happens to the entity later.
type EntityRef struct {
	ID          uuid.UUID    `json:"id"`
	Name        Text         `json:"name"`
	Kind        string       `json:"kind"`    // as in package entity
	Country     string       `json:"country"` // ISO 3166-1 alpha-2
	Side        Side         `json:"side"`
	Identifiers []Identifier `json:"identifiers,omitempty"` // standing at the time
}

// Side says whether an entity counts as the Chinese or the foreign party of a
// joint laboratory.
type Side string

// The two sides of a joint laboratory.
const (
	Chinese Side = "chinese" // 中方
	Foreign Side = "foreign" // 外方, 国(境)外
)

// SideOf applies the programme's wording 国(境)外: every entity outside the
// mainland, Hong Kong, Macao and Taiwan included, is on the foreign side.
func SideOf(country string) Side {
	if country == "CN" {
		return Chinese
	}
	return Foreign
}

// Personal is a person's name, title or identifier. It is sealed before a
// command is decided, so that events and states hold what only the register can
// open, and only as long as the person was not erased; see Sealed. What was
// recorded before there were seals is plain.
type Personal string

// Person stands in for a person in an event.
type Person struct {
	Ref   uuid.UUID `json:"ref,omitzero" doc:"The register's own number for the person, by which the person is erased. In a command: the person is the one of that number; absent, the number that belongs to id, or a new one"`
	ID    Personal  `json:"id,omitempty" doc:"The person's stable id elsewhere, e.g. an ORCID iD. All entries with one id are erased together" maxLength:"200"`
	Name  Personal  `json:"name" doc:"The person's name" minLength:"1" maxLength:"200"`
	Title Personal  `json:"title,omitempty" doc:"The office the person signs in, e.g. 校长 / President" maxLength:"200"`
}
