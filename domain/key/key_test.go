package key_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/key"
)

var (
	university = domaintest.University(1, "CN", "示例大学", "Example University")
	institute  = domaintest.University(2, "DE", "", "Musterstadt University")
	hash       = strings.Repeat("ab", 32)
)

func on(facts ...domaintest.Fact) domain.Context {
	return domaintest.On("2024-06-03", append(facts, domaintest.Knowing(university, institute))...)
}

func scenario(t *testing.T) *domaintest.Scenario[*key.Key, key.Event] {
	return domaintest.New(t, key.New)
}

func issue(role domain.Role, entity uuid.UUID) key.Issue {
	return key.Issue{Name: domain.T("经费系统", "grants system"), Service: "grants", Role: role, Entity: entity, Expires: on().Now.Add(90 * 24 * time.Hour), Hash: hash}
}

func issued(role domain.Role, entity domain.EntityRef) key.Issued {
	e := key.Issued{Name: domain.T("经费系统", "grants system"), Subject: "service:grants", Role: role, OnBehalfOf: entity, Expires: on().Now.Add(90 * 24 * time.Hour), Hash: hash}
	if entity.ID != uuid.Nil {
		e.Subject += "@" + entity.ID.String()
	}
	return e
}

// TestIssuableRoles goes through every role of an issuer
// and of a key, with the entity that would be the issuer's own.
func TestIssuableRoles(t *testing.T) {
	may := map[domain.Role]string{
		domain.Ministry: "ministry agency authority host partner director expert officer auditor",
		domain.Officer:  "authority host partner director expert auditor",
		domain.Host:     "host director",
		domain.Partner:  "partner",
	}
	for _, by := range domain.Roles {
		for _, role := range domain.Roles {
			s := scenario(t).When(issue(role, university.ID),
				on(domaintest.By(by, "somebody"), domaintest.For(university.ID)))
			if slices.Contains(strings.Fields(may[by]), string(role)) {
				s.Then(issued(role, university))
			} else {
				s.ThenRefused(domain.Forbidden)
			}
		}
		if slices.Contains(key.Issuers, by) != (may[by] != "") {
			t.Errorf("%s among the issuers", by)
		}
	}
}

func TestKeyBoundToIssuersEntity(t *testing.T) {
	host := on(domaintest.By(domain.Host, "h"), domaintest.For(university.ID))
	scenario(t).When(issue(domain.Host, institute.ID), host).ThenRefused(domain.Forbidden)
	scenario(t).When(issue(domain.Host, uuid.Nil), host).ThenRefused(domain.Forbidden)
	scenario(t).When(issue(domain.Partner, university.ID),
		on(domaintest.By(domain.Partner, "p"), domaintest.For(institute.ID))).ThenRefused(domain.Forbidden)
	for _, role := range []domain.Role{domain.Host, domain.Partner, domain.Director} {
		scenario(t).When(issue(role, uuid.Nil), on()).ThenRefused(domain.Invalid, "entity")
	}
	scenario(t).When(issue(domain.Auditor, domaintest.ID(9)), on()).ThenRefused(domain.Invalid, "entity")
	scenario(t).When(issue(domain.Auditor, uuid.Nil), on()).Then(issued(domain.Auditor, domain.EntityRef{}))
}

func TestIssueKeyValidation(t *testing.T) {
	for _, expires := range []time.Time{{}, on().Now.Add(-time.Hour), on().Now,
		on().Now.Add(key.MaxLife + time.Second)} {
		r := issue(domain.Auditor, uuid.Nil)
		r.Expires = expires
		scenario(t).When(r, on()).ThenRefused(domain.Invalid, "expires")
	}
	for _, service := range []string{"", "Grants", "a b", "service:x", "x@y", strings.Repeat("x", 61)} {
		r := issue(domain.Auditor, uuid.Nil)
		r.Service, r.Name = service, domain.T(" ", "")
		scenario(t).When(r, on()).ThenRefused(domain.Invalid, "service", "name")
	}
	r := issue(domain.Auditor, uuid.Nil)
	r.Expires = on().Now.Add(key.MaxLife)
	e := issued(domain.Auditor, domain.EntityRef{})
	e.Expires = r.Expires
	scenario(t).When(r, on()).Then(e).When(r, on()).ThenRefused(domain.Exists)
}

func TestRevokeKey(t *testing.T) {
	scenario(t).When(key.Revoke{}, on()).ThenRefused(domain.NotFound)
	of := func() *domaintest.Scenario[*key.Key, key.Event] {
		return scenario(t).Given(issued(domain.Host, university))
	}
	for _, by := range []domain.Role{domain.Ministry, domain.Officer} {
		of().When(key.Revoke{}, on(domaintest.By(by, "x"))).Then(key.KeyRevoked{}).
			When(key.Revoke{}, on(domaintest.By(by, "x"))).ThenRefused(domain.State)
	}
	of().When(key.Revoke{}, on(domaintest.By(domain.Host, "x"), domaintest.For(university.ID))).Then(key.KeyRevoked{})
	of().When(key.Revoke{}, on(domaintest.By(domain.Host, "x"), domaintest.For(institute.ID))).
		ThenRefused(domain.Forbidden)
	for _, by := range []domain.Role{domain.Director, domain.Agency, domain.Authority, domain.Expert, domain.Auditor} {
		of().When(key.Revoke{}, on(domaintest.By(by, "x"), domaintest.For(university.ID))).ThenRefused(domain.Forbidden)
	}
}

func TestKeyValidity(t *testing.T) {
	k := key.New(domaintest.Aggregate)
	e := issued(domain.Auditor, domain.EntityRef{})
	k.Apply(domain.RecordedEvent[key.Event]{Event: e})
	for at, want := range map[time.Time]key.State{on().Now: key.Active, e.Expires.Add(-1): key.Active,
		e.Expires: key.Expired} {
		if got := k.StateAt(at); got != want {
			t.Errorf("at %s it is %s", at, got)
		}
	}
	k.Apply(domain.RecordedEvent[key.Event]{Meta: domain.Meta{Time: on().Now}, Event: key.KeyRevoked{}})
	if got := k.StateAt(on().Now); got != key.Revoked {
		t.Errorf("revoked, it is %s", got)
	}
}
