package domaintest_test

import (
	"fmt"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
)

// printer prints what a *testing.T would report: an example has none.
type printer struct{ testing.TB }

func (printer) Helper()                   {}
func (printer) Cleanup(func())            {}
func (printer) Failed() bool              { return false }
func (printer) Errorf(f string, a ...any) { fmt.Printf(f+"\n", a...) }
func (printer) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// Given a registered university, an undated closure is refused and a dated one
// accepted.
func Example() {
	var t testing.TB = printer{} // in a test, its *testing.T
	today := domaintest.On("2024-05-20")
	day := domain.MustDate("2024-01-01").Partial()

	s := domaintest.New(t, entity.New).Given(entity.Registered{
		Kind: entity.University, Country: "CN",
		Names: []domain.Name{{Text: "Ruritania College", Lang: "en", Kind: domain.Official}},
	})
	s.When(entity.CloseEntity{}, today).ThenRefused(domain.Invalid, "on")
	fmt.Println(s.Rejection())
	s.When(entity.CloseEntity{On: day}, today).Then(entity.Closed{On: day})

	for _, h := range s.History() {
		fmt.Println(h.Meta.Revision, h.Event.Sentence().English())
	}
	fmt.Println(s.State().StatusOn(today.Today()))
	// Output:
	// invalid: values at fault: 1; on: give the date as YYYY, YYYY-MM or YYYY-MM-DD, as far as it is known
	// 0 Registered the legal entity “Ruritania College” (university, CN)
	// 1 The legal entity was closed as of 2024-01-01
	// closed
}
