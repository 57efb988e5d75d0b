package person_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/person"
)

func TestErasePerson(t *testing.T) {
	on := domaintest.On("2024-06-03")
	asked := person.Erase{Grounds: domain.Grounds{Reason: "asked for by letter of 2024-06-01"}}
	s := domaintest.New(t, person.New)
	s.When(person.Erase{}, on).ThenRefused(domain.Invalid, "reason")
	s.When(person.Erase{Grounds: domain.Grounds{Reason: " "}}, on).ThenRefused(domain.Invalid, "reason")
	s.When(asked, on).Then(person.Erased{})
	if at := s.State().Erased; at == nil || !at.Time.Equal(on.Now) {
		t.Errorf("erased %v", at)
	}
	s.When(asked, on).ThenRefused(domain.State)
}
