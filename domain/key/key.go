// Package key is a service key: the credential of a system rather than a person.
// An issuer acts for the register or for a legal entity; it issues a key for one
// role and until an instant, and may revoke it.
//
// The key itself is not kept, only its SHA-256. A key is 32 random bytes, so it
// cannot be guessed, and a hash made slow against guessing, as passwords need,
// would protect nothing more and cost every request its time. For the same reason
// the ledger may hold the hash in the clear.
package key

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// State is the state of a key at an instant.
type State string

// The states of a key.
const (
	Active  State = "active"
	Expired State = "expired"
	Revoked State = "revoked"
)

// MaxLife is the longest life of a key: a year, and time to replace it.
const MaxLife = 400 * 24 * time.Hour

// Key is the state folded from a key's events.
type Key struct {
	ID         uuid.UUID        `json:"id"`
	Name       domain.Text      `json:"name,omitzero"`         // of the system it is for
	Subject    string           `json:"subject,omitempty"`     // its commands are recorded under it; empty: not issued
	Role       domain.Role      `json:"role,omitempty"`        // the capacity it acts in
	OnBehalfOf domain.EntityRef `json:"on_behalf_of,omitzero"` // the legal entity it acts for, as it was then
	Expires    time.Time        `json:"expires,omitzero"`
	Hash       string           `json:"hash,omitempty"` // SHA-256 of the key, in hex
	Issuer     domain.Actor     `json:"issuer,omitzero"`
	Revoked    time.Time        `json:"revoked,omitzero"`
}

// New returns the key with the given id before its first event.
func New(id uuid.UUID) *Key { return &Key{ID: id} }

// StateAt returns the state of the key at an instant; only an active key is accepted.
func (k *Key) StateAt(now time.Time) State {
	switch {
	case !k.Revoked.IsZero():
		return Revoked
	case !now.Before(k.Expires):
		return Expired
	}
	return Active
}

// Event is a fact about a key.
type Event interface {
	domain.Event
	apply(*Key, domain.Meta)
}

// Command is a request to a key.
type Command = domain.Command[*Key, Event]

// Apply folds an event in.
func (k *Key) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(k, h.Meta) }

// issuable are the roles a key may act in, by the role of its issuer. No role
// grants more than it has.
var issuable = map[domain.Role][]domain.Role{
	domain.Ministry: domain.Roles,
	domain.Officer:  {domain.Authority, domain.Host, domain.Partner, domain.Director, domain.Expert, domain.Auditor},
	domain.Host:     {domain.Host, domain.Director},
	domain.Partner:  {domain.Partner},
}

// Issuers are the roles that may issue keys, and revoke them.
var Issuers = []domain.Role{domain.Ministry, domain.Host, domain.Partner, domain.Officer}

// own reports whether an issuer is confined to the keys of its own legal entity.
func own(a domain.Actor) bool { return a.Role != domain.Ministry && a.Role != domain.Officer }

// Issue issues a key. The server draws the key; the command has its hash.
type Issue struct {
	domain.Grounds
	Name    domain.Text `json:"name" doc:"What system it is for"`
	Service string      `json:"service" pattern:"^[a-z0-9][a-z0-9.-]*$" maxLength:"60" doc:"The system's short name. What it does is recorded as done by service:<this>, with @ and the legal entity's id where it acts for one; a key that replaces another has the same" example:"grants"`
	Role    domain.Role `json:"role" enum:"roles" doc:"The capacity it acts in. The ministry may issue keys for any; an officer for any but ministry, agency and officer; a host for host and director, a partner for partner, each for its own legal entity"`
	Entity  uuid.UUID   `json:"entity,omitzero" doc:"The legal entity it acts for; host, partner and director must have one"`
	Expires time.Time   `json:"expires" doc:"When it ends; at most 400 days from now"`
	Hash    string      `json:"-"`
}

// UsesEntities returns the legal entity the key acts for.
func (r Issue) UsesEntities() []uuid.UUID {
	if r.Entity == uuid.Nil {
		return nil
	}
	return []uuid.UUID{r.Entity}
}

// Decide refuses a role or a legal entity that the sender may not grant, and a
// key without an end.
func (r Issue) Decide(k *Key, x domain.Context) ([]Event, error) {
	if k.Subject != "" {
		return nil, domain.Reject(domain.Exists, "该密钥已签发；请另行签发", "this key is issued already; issue another")
	}
	if !slices.Contains(issuable[x.Actor.Role], r.Role) {
		return nil, domain.Reject(domain.Forbidden, "角色 %s 不能签发角色为 %s 的密钥", "the role %s may not issue a key that acts as %s", string(x.Actor.Role), string(r.Role))
	}
	if own(x.Actor) && r.Entity != x.Actor.OnBehalfOf {
		return nil, domain.Reject(domain.Forbidden, "您只能为所代表的法人签发密钥；请填写该法人的编号", "you may issue keys only for the legal entity you act for; give its id as entity")
	}
	var c domain.Check
	c.Text("name", r.Name)
	c.Require(r.Service != "" && len(r.Service) <= 60 &&
		strings.Trim(r.Service, "abcdefghijklmnopqrstuvwxyz0123456789.-") == "", "service",
		"请用 1 至 60 个小写字母、数字、点或连字符", "give 1 to 60 lower-case letters, digits, dots and hyphens")
	e := Issued{Name: r.Name.Trimmed(), Subject: "service:" + r.Service, Role: r.Role,
		Expires: r.Expires.UTC().Truncate(time.Second), Hash: r.Hash}
	if r.Entity != uuid.Nil {
		e.OnBehalfOf = x.Entity(&c, "entity", r.Entity)
		e.Subject += "@" + r.Entity.String()
	}
	c.Require(r.Entity != uuid.Nil || r.Role != domain.Host && r.Role != domain.Partner &&
		r.Role != domain.Director, "entity",
		"角色 %s 须代表一个法人", "a %s must act for a legal entity", string(r.Role))
	c.Require(e.Expires.After(x.Now) && !e.Expires.After(x.Now.Add(MaxLife)), "expires",
		"须晚于现在，且不超过 400 天", "give an instant after now, at most 400 days from now")
	return domain.Accept[Event](e, c.Err())
}

// Issued records a key by its hash: its bearer acts as the subject, in the role,
// for the legal entity, until the key expires or is revoked.
type Issued struct {
	Name       domain.Text      `json:"name"`
	Subject    string           `json:"subject"`
	Role       domain.Role      `json:"role"`
	OnBehalfOf domain.EntityRef `json:"on_behalf_of,omitzero"`
	Expires    time.Time        `json:"expires"`
	Hash       string           `json:"hash"`
}

// Sentence returns the event in words.
func (e Issued) Sentence() domain.Text {
	until := e.Expires.Format(time.RFC3339)
	if e.OnBehalfOf.ID == uuid.Nil {
		return domain.Textf("签发服务密钥「%s」，角色 %s，有效至 %s", "Issued the service key “%s”, which acts as %s until %s", e.Name, string(e.Role), until)
	}
	return domain.Textf("签发服务密钥「%s」，角色 %s，代表 %s，有效至 %s", "Issued the service key “%s”, which acts as %s for %s until %s", e.Name, string(e.Role), e.OnBehalfOf.Name, until)
}

func (e Issued) apply(k *Key, m domain.Meta) {
	k.Name, k.Subject, k.Role, k.OnBehalfOf, k.Expires, k.Hash, k.Issuer = e.Name, e.Subject, e.Role, e.OnBehalfOf,
		e.Expires, e.Hash, m.Actor
}

// Revoke revokes a key for good.
type Revoke struct{ domain.Grounds }

// Decide refuses a key that is not issued, is another's, or is revoked already.
func (Revoke) Decide(k *Key, x domain.Context) ([]Event, error) {
	switch {
	case k.Subject == "":
		return nil, domain.Reject(domain.NotFound, "登记簿中没有这个密钥", "there is no such key in the register")
	case !slices.Contains(Issuers, x.Actor.Role) || own(x.Actor) && k.OnBehalfOf.ID != x.Actor.OnBehalfOf:
		return nil, domain.Reject(domain.Forbidden, "只有部里、项目官员或该密钥所代表的法人可以撤销它", "only the ministry, an officer or the legal entity the key acts for may revoke it")
	case !k.Revoked.IsZero():
		return nil, domain.Reject(domain.State, "该密钥已撤销", "this key is revoked already")
	}
	return []Event{KeyRevoked{}}, nil
}

// KeyRevoked records that the key is accepted no more.
type KeyRevoked struct{}

// Sentence returns the event in words.
func (KeyRevoked) Sentence() domain.Text {
	return domain.T("撤销服务密钥", "Revoked the service key")
}

func (KeyRevoked) apply(k *Key, m domain.Meta) { k.Revoked = m.Time }
