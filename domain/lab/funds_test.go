package lab_test

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func fund(kind lab.FundKind, by ...domain.EntityRef) lab.EstablishFund {
	f := lab.EstablishFund{Kind: kind, Name: because, On: date("2020-06-01"), Document: digest(1)}
	for _, e := range by {
		f.Contributors = append(f.Contributors, e.ID)
	}
	return f
}

func TestC34SeedFund(t *testing.T) {
	s := agreed(t)
	s.When(lab.EstablishFund{Kind: "pension"}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "kind", "name", "on", "document", "contributors")
	unknown := fund(lab.Scholarship, siemens, siemens)
	unknown.Contributors = append(unknown.Contributors, domaintest.ID(99))
	s.When(unknown, on("2020-06-01")).ThenRefused(domain.Invalid, "contributors[1]", "contributors[2]")
	for _, by := range [][]domain.EntityRef{{nanjing}, {nanjing, siemens}} { // Siemens is no party
		ruled(t, s.When(fund(lab.SeedFund, by...), on("2020-06-01")), "C34")
	}
	s.When(fund(lab.Scholarship, siemens), on("2020-06-01")).ThenAccepted()
	s.When(fund(lab.SeedFund, nanjing, oxford), on("2020-06-01")).
		Then(lab.FundEstablished{Fund: "K2", Kind: lab.SeedFund, Name: because,
			Contributors: []domain.EntityRef{nanjing, oxford}, On: date("2020-06-01"), Document: digest(1)})
}

func TestFundAwardLimit(t *testing.T) {
	s := play(agreed(t), step{"2020-06-01", fund(lab.YouthFund, nanjing, oxford)})
	pay := lab.ContributeToFund{Fund: "K1", Contributor: oxford.ID, Amount: yuan("100"), On: date("2020-07-01"),
		Evidence: digest(1)}
	s.When(lab.ContributeToFund{Fund: "K2"}, on("2020-07-01")).
		ThenRefused(domain.Invalid, "fund", "amount.currency", "on", "evidence")
	other := pay
	other.Contributor, other.On = bonn.ID, date("2020-05-31")
	s.When(other, on("2020-07-01")).ThenRefused(domain.Invalid, "contributor", "on")
	s.When(pay, on("2020-07-01")).Then(lab.FundContributed{Fund: "K1", Contributor: oxford, Amount: yuan("100.00"),
		On: date("2020-07-01"), Evidence: digest(1)})

	award := lab.Award{On: date("2020-08-01"), Recipients: 3, Amount: yuan("60.00"), Purpose: because,
		Evidence: digest(2)}
	s.When(lab.AwardFromFund{Fund: "K0"}, on("2020-08-01")).
		ThenRefused(domain.Invalid, "on", "recipients", "amount.currency", "purpose", "evidence", "fund")
	s.When(lab.AwardFromFund{Fund: "K1", Award: award}, on("2020-08-01")).
		Then(lab.FundAwarded{Fund: "K1", Award: award})
	s.When(lab.AwardFromFund{Fund: "K1", Award: award}, on("2020-08-01")).ThenRefused(domain.Invalid, "amount")
	award.Amount = domain.Money{Amount: domain.MustDecimal("1"), Currency: "EUR"}
	s.When(lab.AwardFromFund{Fund: "K1", Award: award}, on("2020-08-01")).ThenRefused(domain.Invalid, "amount")
	award.Amount = yuan("40.00")
	s.When(lab.AwardFromFund{Fund: "K1", Award: award}, on("2020-08-01")).ThenAccepted()
}

func rate(from, to, value, day string) lab.RecordRate {
	return lab.RecordRate{ExchangeRate: lab.ExchangeRate{From: from, To: to, Rate: domain.MustDecimal(value), On: date(day), Source: "中国外汇交易中心"}}
}

func TestExchangeRate(t *testing.T) {
	s := proposed(t)
	s.When(lab.RecordRate{ExchangeRate: lab.ExchangeRate{From: "XAU", To: "XAU"}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "from", "to", "to", "rate", "on", "source")
	s.When(rate("EUR", "CNY", "7.8", "2020-06-01"), on("2020-06-01")).
		Then(lab.RateRecorded{ExchangeRate: rate("EUR", "CNY", "7.8", "2020-06-01").ExchangeRate})
}

func TestC81FundingShares(t *testing.T) {
	cash := func(amount, currency string) lab.Quantity {
		return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: currency}}
	}
	s := agreed(t)
	firm := func(id string, by uuid.UUID, source lab.FundingSource, q lab.Quantity) {
		play(s, step{"2020-06-01", lab.PledgeCommitment{Party: by, Source: source, Quantity: q}},
			step{"2020-06-01", lab.FirmUpCommitment{Commitment: id, On: date("2020-06-01"), Evidence: digest(1)}})
	}
	firm("F1", nanjing.ID, lab.OwnFunds, cny("300"))
	firm("F2", siemens.ID, lab.SocialFunds, cny("100"))
	firm("F3", oxford.ID, lab.ForeignFunds, cash("100", "EUR"))
	firm("F4", oxford.ID, lab.ForeignFunds, cash("5", "JPY"))
	firm("F5", nanjing.ID, lab.OwnFunds, premises("10"))
	play(s, step{"2020-06-01", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.OwnFunds,
		Quantity: cny("999")}}, // only announced
		step{"2020-07-01", lab.ReceiveContribution{Commitment: "F2", On: date("2020-07-01"), Quantity: cny("40"),
			Evidence: digest(2)}},
		step{"2020-07-01", rate("EUR", "CNY", "8", "2020-05-01")},
		step{"2020-07-01", rate("EUR", "CNY", "6", "2020-06-30")},
		step{"2020-07-02", rate("EUR", "CNY", "9", "2020-07-02")})
	n := domain.MustDecimal
	share := func(source lab.FundingSource, committed, cp, delivered, dp string) lab.Share {
		return lab.Share{Source: source, Committed: n(committed), CommittedPercent: n(cp), Delivered: n(delivered),
			DeliveredPercent: n(dp)}
	}
	same := func(got, want []lab.Structure) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("got %+v", got)
		}
		for i := range want {
			if got[i].Currency != want[i].Currency || len(got[i].Shares) != len(want[i].Shares) ||
				!reflect.DeepEqual(got[i].Rates, want[i].Rates) {
				t.Fatalf("got %+v\nwant %+v", got[i], want[i])
			}
			for j, w := range want[i].Shares {
				g := got[i].Shares[j]
				if g.Source != w.Source || g.Committed.Cmp(w.Committed) != 0 ||
					g.CommittedPercent.Cmp(w.CommittedPercent) != 0 || g.Delivered.Cmp(w.Delivered) != 0 ||
					g.DeliveredPercent.Cmp(w.DeliveredPercent) != 0 {
					t.Errorf("got %+v, want %+v", g, w)
				}
			}
		}
	}
	jpy := lab.Structure{Currency: "JPY", Shares: []lab.Share{share(lab.ForeignFunds, "5", "100", "0", "0")}}
	same(s.State().FundingStructure(date("2020-07-01"), ""), []lab.Structure{
		{Currency: "CNY", Shares: []lab.Share{share(lab.OwnFunds, "300", "75", "0", "0"),
			share(lab.SocialFunds, "100", "25", "40", "100")}},
		{Currency: "EUR", Shares: []lab.Share{share(lab.ForeignFunds, "100", "100", "0", "0")}}, jpy})
	same(s.State().FundingStructure(date("2020-07-01"), "CNY"),
		[]lab.Structure{{Currency: "CNY", Rates: []lab.ExchangeRate{rate("EUR", "CNY", "6", "2020-06-30").ExchangeRate},
			Shares: []lab.Share{share(lab.OwnFunds, "300", "30", "0", "0"),
				share(lab.ForeignFunds, "600", "60", "0", "0"),
				share(lab.SocialFunds, "100", "10", "40", "100")}}, jpy})
	if got := s.State().FundingStructure(date("2020-05-31"), "CNY"); got != nil {
		t.Errorf("before anything was firm: %+v", got)
	}
}
