package domaintest

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Aggregate is the id of the aggregate every scenario is about.
var Aggregate = number(0xa, 0)

// ID returns the n-th of the ids that a test may use for anything.
func ID(n int) uuid.UUID { return number(0xd, n) }

// Event returns the id of the n-th event of a scenario, from 0.
func Event(n int) uuid.UUID { return number(0xe, n) }

func number(space byte, n int) (id uuid.UUID) {
	id[0], id[6], id[8] = space, 0x40, 0x80
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

// On returns the context of a command recorded at noon in China on the given day,
// by the programme's officer unless a Fact changes that.
func On(day string, facts ...Fact) domain.Context {
	d := domain.MustDate(day)
	noon, err := time.Parse(time.RFC3339, d.String()+"T12:00:00+08:00")
	if err != nil {
		panic(err)
	}
	x := domain.Context{Actor: domain.Actor{Subject: "officer", Role: domain.Officer}, Now: noon.UTC()}
	for _, fact := range facts {
		fact(&x)
	}
	return x
}

// Fact sets one thing about a context.
type Fact func(*domain.Context)

// By returns the fact that a subject sends the command in a role.
func By(role domain.Role, subject string) Fact {
	return func(x *domain.Context) { x.Actor.Role, x.Actor.Subject = role, subject }
}

// For returns the fact that the command is sent on behalf of a legal entity.
func For(entity uuid.UUID) Fact {
	return func(x *domain.Context) { x.Actor.OnBehalfOf = entity }
}

// Within returns the fact that the lab is in this programme.
func Within(p domain.Programme) Fact {
	return func(x *domain.Context) { x.Programme = p }
}

// KnowingLab returns the fact that the register has a lab of this name.
func KnowingLab(id uuid.UUID, name domain.Text) Fact {
	return func(x *domain.Context) {
		if x.Labs == nil {
			x.Labs = map[uuid.UUID]domain.Text{}
		}
		x.Labs[id] = name
	}
}

// Knowing returns the fact that the register has these legal entities.
func Knowing(entities ...domain.EntityRef) Fact {
	return func(x *domain.Context) {
		if x.Entities == nil {
			x.Entities = map[uuid.UUID]domain.EntityRef{}
		}
		for _, e := range entities {
			x.Entities[e.ID] = e
		}
	}
}

// University returns a registered university with the id ID(n).
func University(n int, country, zh, en string) domain.EntityRef {
	return domain.EntityRef{
		ID: ID(n), Name: domain.T(zh, en), Kind: "university",
		Country: country, Side: domain.SideOf(country),
	}
}

// Refused returns err, which must be a *domain.Rejection of the given kind at exactly
// the given places, in any order: the paths of the fields at fault, or the ids
// of the rules not met. Every message must be there in both languages.
func Refused(t testing.TB, err error, kind domain.Kind, at ...string) *domain.Rejection {
	t.Helper()
	var r *domain.Rejection
	if !errors.As(err, &r) {
		t.Fatalf("want a *domain.Rejection of kind %s, got %T: %v", kind, err, err)
	}
	if r.Kind != kind {
		t.Errorf("refused as %s, want %s: %v", r.Kind, kind, r)
	}
	Both(t, r.Detail)
	var got []string
	for _, f := range r.Fields {
		got = append(got, f.Path)
		Both(t, f.Message)
	}
	for _, f := range r.Findings {
		got = append(got, f.Rule)
		Both(t, f.Text)
		for _, m := range f.Missing {
			Both(t, m)
		}
	}
	want := slices.Clone(at)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got, Same); diff != "" {
		t.Errorf("refused at other places (-want +got):\n%s%v", diff, r)
	}
	return r
}

// Both requires a text in both languages.
func Both(t testing.TB, text domain.Text) {
	t.Helper()
	if text.Zh == "" || text.En == "" {
		t.Errorf("not said in both languages: zh %q, en %q", text.Zh, text.En)
	}
}
