package entity_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
)

var (
	alice = domaintest.On("2024-05-20", domaintest.By(domain.Officer, "alice"))
	bob   = domaintest.On("2024-05-21", domaintest.By(domain.Auditor, "bob"))
	carol = domaintest.On("2024-05-22", domaintest.By(domain.Host, "carol"))

	asserted     = entity.IdentifierAsserted{Assertion: entity.Assertion{Identifier: isni, Source: "isni.org"}}
	corroborated = entity.IdentifierCorroborated{Identifier: isni, Source: "wikidata.org/Q16955"}
)

func because(reason string) domain.Grounds { return domain.Grounds{Reason: reason} }

func TestAssertIdentifier(t *testing.T) {
	s := given(t, tsinghua).
		When(entity.AssertIdentifier{Identifier: identifier(domain.ISNI, "0000000106623178"), Source: "isni.org "},
			alice).Then(asserted)
	got := s.State().Identifiers[1]
	if got.Identifier != isni || got.Source != "isni.org" || got.AssertedBy != "alice" {
		t.Errorf("recorded as %+v", got)
	}
}

func TestAssertIdentifierValidation(t *testing.T) {
	s := given(t, tsinghua)
	s.When(entity.AssertIdentifier{Identifier: isni}, alice).ThenRefused(domain.Invalid, "source")
	s.When(entity.AssertIdentifier{Identifier: identifier("X", "1"), Source: "a page"}, alice).
		ThenRefused(domain.Invalid, "scheme")
	s.When(entity.AssertIdentifier{Identifier: identifier(domain.ORCID, "0000-0002-1825-0097")}, alice).
		ThenRefused(domain.Invalid, "scheme", "source")
	s.When(entity.AssertIdentifier{Identifier: identifier(domain.USCC, "12100000400002259Q"), Source: "a page"},
		alice).ThenRefused(domain.Invalid, "value")
	s.When(entity.AssertIdentifier{Identifier: ror, Source: "a page"}, alice).ThenRefused(domain.Exists)
	for _, known := range []domain.Scheme{"USCC", "LEI", "ROR", "ISNI", "GRID", "WIKIDATA", "FUNDREF",
		"CN-USCI", "GB-COH"} {
		s.When(entity.AssertIdentifier{Identifier: identifier(known, " "), Source: "a page"}, alice).
			ThenRefused(domain.Invalid, "value")
	}
}

func TestCorroborateIdentifier(t *testing.T) {
	s := given(t, tsinghua).GivenOn(alice, asserted)
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "wikidata.org/Q16955"}, alice).
		ThenRefused(domain.Refused)
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "ISNI.org"}, bob).
		ThenRefused(domain.Invalid, "source")
	s.When(entity.CorroborateIdentifier{Identifier: isni}, bob).ThenRefused(domain.Invalid, "source")
	s.When(entity.CorroborateIdentifier{Identifier: identifier(domain.ISNI, "1"), Source: "a page"}, bob).
		ThenRefused(domain.Invalid, "value")
	s.When(entity.CorroborateIdentifier{Identifier: identifier("GB-COH", "1"), Source: "a page"}, bob).
		ThenRefused(domain.NotFound)

	s.When(entity.CorroborateIdentifier{Identifier: identifier(domain.ISNI, "0000000106623178"),
		Source: "wikidata.org/Q16955"}, bob).Then(corroborated)
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "viaf.org"}, bob).ThenRefused(domain.Exists)
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "wikidata.org/Q16955"}, carol).
		ThenRefused(domain.Invalid, "source")
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "viaf.org"}, carol).ThenAccepted()

	got := s.State().Identifiers[1].Corroborated
	if len(got) != 2 || !cmp.Equal(got[0], entity.Corroboration{Source: "wikidata.org/Q16955", By: "bob",
		On: domain.MustDate("2024-05-21")}, domaintest.Same) {
		t.Errorf("corroborated by %+v", got)
	}
}

func TestCorrectorMayNotCorroborate(t *testing.T) {
	corrects := func(n int, e entity.Event) entity.Event {
		return entity.Corrected{Correction: domain.Correction{Corrects: domaintest.Event(n),
			With: domain.Restated{Event: e}}}
	}
	s := given(t, tsinghua).GivenOn(alice, asserted).GivenOn(bob, corrects(1, asserted))
	viaf := entity.CorroborateIdentifier{Identifier: isni, Source: "viaf.org"}
	for _, x := range []domain.Context{alice, bob} {
		s.When(viaf, x).ThenRefused(domain.Refused)
	}
	s.GivenOn(carol, corroborated).GivenOn(alice, corrects(3, corroborated))
	s.When(viaf, carol).ThenRefused(domain.Exists)
	if got := s.State().Identifiers[1]; got.AssertedBy != "alice" ||
		!slices.Equal(got.CorrectedBy, []string{"bob"}) ||
		!slices.Equal(got.Corroborated[0].CorrectedBy, []string{"alice"}) {
		t.Errorf("%+v", got)
	}
}

func TestWithdrawIdentifier(t *testing.T) {
	s := given(t, tsinghua).GivenOn(alice, asserted)
	s.When(entity.WithdrawIdentifier{Identifier: isni}, bob).ThenRefused(domain.Invalid, "reason")
	s.When(entity.WithdrawIdentifier{Identifier: identifier(domain.ORCID, "1"), Grounds: because("wrong")}, bob).
		ThenRefused(domain.Invalid, "scheme")
	s.When(entity.WithdrawIdentifier{Identifier: isni, Grounds: because("belongs to the affiliated school")}, bob).
		Then(entity.IdentifierWithdrawn{Identifier: isni})

	e := s.State()
	want := entity.Withdrawal{Reason: "belongs to the affiliated school", By: "bob", On: domain.MustDate("2024-05-21")}
	if got := e.Identifiers[1].Withdrawn; got == nil || *got != want {
		t.Errorf("withdrawn: %+v", got)
	}
	if got := e.Ref().Identifiers; len(got) != 1 || got[0] != ror {
		t.Errorf("still standing: %v", got)
	}
	s.When(entity.WithdrawIdentifier{Identifier: isni, Grounds: because("again")}, bob).ThenRefused(domain.NotFound)
	s.When(entity.CorroborateIdentifier{Identifier: isni, Source: "viaf.org"}, bob).ThenRefused(domain.NotFound)
	s.When(entity.AssertIdentifier{Identifier: isni, Source: "isni.org"}, bob).Then(asserted)
	if got := s.State().Identifiers; len(got) != 3 || got[1].Withdrawn == nil || got[2].Withdrawn != nil {
		t.Errorf("asserted again, the identifiers are %+v", got)
	}
}
