package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestDayBefore1949(t *testing.T) {
	s := given(t, start, step{"2020-01-20", draft()})
	s.When(sign("A1", 0, nanjing, "0206-03-01", 1), on("2020-02-01")).ThenRefused(domain.Invalid, "on")
	s.When(sign("A1", 0, nanjing, "1949-09-30", 1), on("2020-02-01")).ThenRefused(domain.Invalid, "on")
	s.When(sign("A1", 0, nanjing, "1949-10-01", 1), on("2020-02-01")).ThenAccepted()
	agreed(t).When(lab.StartIncubation{On: date("0206-03-02")}, on("2020-04-01")).ThenRefused(domain.Invalid, "on")
}

func TestPartyExistsOnItsDay(t *testing.T) {
	s := given(t, start, step{"2020-01-20", draft()})
	young, gone := oxford, oxford
	young.Founded, gone.Gone = date("2020-02-11"), date("2020-02-11")
	signed := sign("A1", 0, oxford, "2020-02-10", 1)
	s.When(signed, where("2020-03-01", young)).ThenRefused(domain.Invalid, "party")
	given(t, start, step{"2020-01-20", draft()}).When(signed, where("2020-03-01", gone)).ThenAccepted() // there that day
	signed.On = date("2020-02-11")
	s.When(signed, where("2020-03-01", gone)).ThenRefused(domain.Invalid, "party")
	s.When(signed, where("2020-03-01", young)).ThenAccepted()
	host := nanjing
	host.Gone = date("2019-01-01")
	given(t).When(propose, where("2020-01-10", host)).ThenRefused(domain.Invalid, "host")
}

// The amendment with the later day of effect holds, whichever was recorded first.
func TestLaterAmendmentHolds(t *testing.T) {
	one, two := amendment, amendment
	one.Accede, two.Accede = nil, nil
	two.Term, two.Documents = period("", "2035-12-31"), []lab.Document{{Lang: "en", Digest: digest(12)}}
	s := play(agreed(t), step{"2021-01-01", one}, step{"2021-01-01", two},
		step{"2021-12-01", sign("A1", 1, nanjing, "2021-11-01", 11)},
		step{"2021-12-01", sign("A1", 1, oxford, "2021-11-01", 11)})
	s.When(sign("A1", 2, nanjing, "2020-02-29", 12), on("2021-12-01")).ThenRefused(domain.Invalid, "on")
	play(s, step{"2021-12-01", sign("A1", 2, nanjing, "2021-03-05", 12)},
		step{"2021-12-01", sign("A1", 2, oxford, "2021-03-05", 12)})
	if a := s.State().Agreements[0]; a.Term.To != date("2034-12-31") || a.TermSince != date("2021-11-01") {
		t.Errorf("the term ends on %s, as of %s; the later amendment has 2034-12-31", a.Term.To, a.TermSince)
	}
}

func TestFundPaysFromItsDay(t *testing.T) {
	s := play(agreed(t), step{"2020-06-01", fund(lab.YouthFund, nanjing, oxford)},
		step{"2021-06-01", lab.ContributeToFund{Fund: "K1", Contributor: oxford.ID, Amount: yuan("100"),
			On: date("2021-06-01"), Evidence: digest(1)}})
	award := func(day, amount string) lab.AwardFromFund {
		return lab.AwardFromFund{Fund: "K1", Award: lab.Award{On: date(day), Recipients: 1, Amount: yuan(amount),
			Purpose: because, Evidence: digest(2)}}
	}
	s.When(award("2020-06-02", "100.00"), on("2021-07-01")).ThenRefused(domain.Invalid, "amount")
	play(s, step{"2021-08-01", award("2021-08-01", "70.00")})
	s.When(award("2021-07-01", "31.00"), on("2021-08-02")).ThenRefused(domain.Invalid, "amount") // too little is left in August
	s.When(award("2021-07-01", "30.00"), on("2021-08-02")).ThenAccepted()
}

// where is a day on which the register knows an entity as given.
func where(day string, e domain.EntityRef) domain.Context {
	x := on(day)
	x.Entities[e.ID] = e
	return x
}
