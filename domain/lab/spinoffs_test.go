package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestSpinOffs(t *testing.T) {
	s := proposed(t)
	s.When(lab.FoundSpinOff{On: date("2021-06-02")}, on("2021-06-01")).
		ThenRefused(domain.Invalid, "name", "on", "evidence")
	s.When(lab.FoundSpinOff{Name: because, On: date("2021-05-01"), Evidence: digest(1)}, on("2021-06-01")).
		Then(lab.SpinOffFounded{Name: because, On: date("2021-05-01"), Evidence: digest(1)})
	registered := lab.FoundSpinOff{Name: because, On: date("2021-05-01"), Evidence: digest(1), Entity: siemens.ID}
	s.When(registered, on("2021-06-01")).
		Then(lab.SpinOffFounded{Name: because, On: date("2021-05-01"), Evidence: digest(1), Entity: &siemens})
	s.When(registered, on("2021-06-01")).ThenRefused(domain.Invalid, "entity")
	if n := len(s.State().SpinOffs); n != 2 {
		t.Errorf("%d companies are on record", n)
	}
}
