package eventstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

func opened(t testing.TB, text string, ref uuid.UUID, key eventstore.PersonKey) (string, error) {
	var failed error
	out := eventstore.OpenSeals([]byte(text), func(of uuid.UUID, open func(eventstore.PersonKey) (string, error)) []byte {
		if of != ref {
			failed = errors.New("of another person")
		}
		plain, err := open(key)
		failed = errors.Join(failed, err)
		return []byte(plain)
	})
	return string(out), failed
}

func TestSealNeedsItsKey(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var key, other eventstore.PersonKey
		copy(key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "key"))
		other = key
		other[rapid.IntRange(0, 31).Draw(r, "at")] ^= 1
		ref := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "ref"))
		plain := rapid.StringN(0, 200, 600).Draw(r, "plain")
		sealed := key.Seal(ref, plain)
		if sealed != key.Seal(ref, plain) {
			r.Fatal("the same text gave two seals")
		}
		within := "before " + sealed + "，之后"
		if got, err := opened(t, within, ref, key); err != nil || got != "before "+plain+"，之后" {
			r.Fatalf("%q, %v", got, err)
		}
		if _, err := opened(t, within, ref, other); err == nil {
			r.Fatal("another key opened it")
		}
		flip := rapid.IntRange(len("{sealed:"), len(sealed)-2).Draw(r, "flipped")
		changed := sealed[:flip] + string(rune('A'+(sealed[flip]+1)%26)) + sealed[flip+1:]
		if got, err := opened(t, changed, ref, key); changed != sealed && err == nil && got != changed {
			r.Fatalf("a changed seal was opened: %q", got)
		}
		if !eventstore.HoldsSeal(within) {
			r.Fatal("the seal in a text is not found")
		}
	})
}

func TestSealHidesLength(t *testing.T) {
	var key eventstore.PersonKey
	if a, b := key.Seal(uuid.Nil, "王"), key.Seal(uuid.Nil, "Maximiliane Mustermann"); len(a) != len(b) {
		t.Errorf("%d and %d bytes", len(a), len(b))
	}
}

func TestSealPersons(t *testing.T) {
	two := []lab.NewSupervisor{{Person: domain.Person{Name: "甲", ID: "orcid:1"}}, {Person: domain.Person{Name: "乙", Title: "教授"}}}
	cmd := lab.PairSupervisors{Supervisors: two, Grounds: domain.Grounds{Reason: "as agreed"}}
	var paths []string
	ref, key := uuid.New(), eventstore.PersonKey{7}
	sealed, found, err := eventstore.SealPersons(cmd, func(path string, _ domain.Person) (uuid.UUID, eventstore.PersonKey, error) {
		paths = append(paths, path)
		return ref, key, nil
	})
	if err != nil || !found || !cmp.Equal(paths, []string{"supervisors[0].person", "supervisors[1].person"}) {
		t.Fatal(paths, found, err)
	}
	got := sealed.(lab.PairSupervisors)
	for _, s := range got.Supervisors {
		for _, text := range []domain.Personal{s.Person.Name, s.Person.ID, s.Person.Title} {
			if text != "" && !strings.HasPrefix(string(text), "{sealed:") {
				t.Errorf("%q stands there in the clear", text)
			}
		}
		if s.Person.Ref != ref {
			t.Errorf("%+v has no number", s.Person)
		}
	}
	if got.Reason != cmd.Reason || two[0].Person.Name != "甲" || got.Supervisors[0].Person.Title != "" {
		t.Errorf("more than was asked for has changed: %+v, %+v", got, two)
	}
	if _, found, err := eventstore.SealPersons(lab.Suspend{}, nil); found || err != nil {
		t.Errorf("a person was found where there is none: %v", err)
	}
}
