package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestC59Support(t *testing.T) {
	s := proposed(t)
	s.When(lab.PromiseSupport{Kind: "hope", Due: date("2020-01-01"), Document: "x"}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "provider", "kind", "text", "on", "document")
	s.When(promise(nanjing, lab.PolicySupport, "2020-05-31"), on("2020-06-01")).ThenRefused(domain.Invalid, "due")
	someday := promise(nanjing, lab.PolicySupport, "2021-06-01")
	someday.Due = domain.Date{}
	ruled(t, s.When(someday, on("2020-06-01")), "C59")
	if judgeBuiltIn(s.State(), date("2020-06-01"), "C59")[0].Met {
		t.Error("nothing promised is enough")
	}
	s.When(promise(nanjing, lab.PolicySupport, "2021-06-01"), on("2020-06-01")).
		Then(lab.SupportPromised{Support: "S1", Provider: nanjing, Kind: lab.PolicySupport, Text: because,
			On: date("2020-06-01"), Due: date("2021-06-01")})
	play(s, step{"2020-06-01", promise(siemens, lab.OtherSupport, "2021-06-01")})
	if got := s.State().PromisedBy(siemens.ID); len(got) != 1 || got[0].ID != "S2" {
		t.Errorf("Siemens promised %+v", got)
	}
	for day, met := range map[string]bool{"2021-06-01": true, "2021-06-02": false} {
		if judgeBuiltIn(s.State(), date(day), "C59")[0].Met != met {
			t.Errorf("on %s met is not %v", day, met)
		}
	}

	s.When(lab.DeliverSupport{Support: "S3"}, on("2021-07-01")).ThenRefused(domain.Invalid, "on", "evidence", "support")
	there := lab.DeliverSupport{Support: "S1", On: date("2020-05-31"), Evidence: digest(1)}
	s.When(there, on("2021-07-01")).ThenRefused(domain.Invalid, "on")
	there.On = date("2021-07-01")
	s.When(there, on("2021-07-01")).Then(lab.SupportDelivered{Support: "S1", Provider: nanjing,
		On: date("2021-07-01"), Evidence: digest(1)})
	s.When(there, on("2021-07-01")).ThenRefused(domain.Invalid, "support")
	m := s.State().Support[0]
	if m.OverdueOn(date("2021-07-01")) || !m.OverdueOn(date("2021-06-30")) {
		t.Errorf("%+v", m)
	}
}

func TestC82MinistrySupport(t *testing.T) {
	s := play(agreed(t), step{"2021-01-01", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.MinistryFunds,
		Quantity: cny("60")}})
	firm := func(id string) lab.Command {
		return lab.FirmUpCommitment{Commitment: id, On: date("2021-06-01"), Evidence: digest(1)}
	}
	ruled(t, s.When(firm("F1"), on("2021-06-01")), "C82")

	s.When(lab.ConsiderMinistrySupport{}, on("2021-01-01")).ThenRefused(domain.Invalid, "text", "on")
	consider := lab.ConsiderMinistrySupport{Text: because, On: date("2021-01-01")}
	s.When(consider, on("2021-01-01")).Then(lab.MinistrySupportConsidered{Support: "G1", Text: because,
		On: date("2021-01-01")})
	ruled(t, s.When(firm("F1"), on("2021-06-01")), "C82") // considered is not granted
	s.When(lab.GrantMinistrySupport{Support: "G2"}, on("2021-05-01")).
		ThenRefused(domain.Invalid, "quantity", "document", "on", "support")
	s.When(lab.DeclineMinistrySupport{Support: "G1", On: date("2020-12-31")}, on("2021-05-01")).
		ThenRefused(domain.Invalid, "ground", "on")
	q := cny("100.00")
	grant := lab.GrantMinistrySupport{Support: "G1", On: date("2021-05-01"), Quantity: q, Document: "教技函〔2021〕1号"}
	s.When(grant, on("2021-05-01")).Then(lab.MinistrySupportDecided{Support: "G1", Decision: "granted", On: date("2021-05-01"), Quantity: &q, Document: "教技函〔2021〕1号"})
	s.When(grant, on("2021-05-01")).ThenRefused(domain.Invalid, "support")
	s.When(consider, on("2021-05-02")).ThenAccepted()
	s.When(lab.DeclineMinistrySupport{Support: "G2", On: date("2021-05-02"), Ground: because}, on("2021-05-02")).
		Then(lab.MinistrySupportDecided{Support: "G2", Decision: "declined", On: date("2021-05-02"), Ground: because})

	s.When(firm("F1"), on("2021-06-01")).ThenAccepted()
	play(s, step{"2021-06-01", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.MinistryFunds, Quantity: cny("41")}})
	ruled(t, s.When(firm("F2"), on("2021-06-01")), "C82") // 60 and 41 are more than 100
	ruled(t, s.When(lab.AmendCommitment{Commitment: "F1", Quantity: cny("101")}, on("2021-06-01")), "C82")
	s.When(lab.AmendCommitment{Commitment: "F1", Quantity: cny("59")}, on("2021-06-01")).ThenAccepted()
	s.When(firm("F2"), on("2021-06-01")).ThenAccepted()
	if f := judgeBuiltIn(s.State(), date("2021-06-01"), "C82")[0]; !f.Met || len(f.Proof) == 0 {
		t.Errorf("%+v", f)
	}
	// A history that came in before the register held grants is raised.
	old := proposed(t).GivenOn(on("2020-02-01"),
		lab.CommitmentPledged{Commitment: "F1", Party: nanjing, Source: lab.MinistryFunds, Quantity: q},
		lab.CommitmentFirmed{Commitment: "F1", Party: nanjing, On: date("2020-02-01")})
	if f := judgeBuiltIn(old.State(), date("2020-02-01"), "C82")[0]; f.Met ||
		f.Missing[0].En != "by 2020-02-01 the ministry has granted 0.00 CNY, less than the 100.00 CNY committed" {
		t.Errorf("%+v", f)
	}
}

func TestC78HostSuccession(t *testing.T) {
	s := play(agreed(t),
		step{"2020-03-01", draft()}, step{"2020-03-02", sign("A2", 0, nanjing, "2020-03-02", 1)},
		step{"2020-03-02", sign("A2", 0, oxford, "2020-03-02", 1)},
		step{"2020-04-05", lab.AddRight{Agreement: "A2", Kind: lab.Right, Party: nanjing.ID, Clause: "§5",
			Text: because}},
		step{"2020-04-06", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.OwnFunds, Quantity: cny("300")}},
		step{"2020-06-01", promise(nanjing, lab.PolicySupport, "2022-01-01")})
	succeed := func(by domain.EntityRef) lab.SucceedHost {
		return lab.SucceedHost{Successor: by.ID, On: date("2021-01-01"), Evidence: digest(1)}
	}
	s.When(lab.SucceedHost{}, on("2021-01-01")).ThenRefused(domain.Invalid, "successor", "on", "evidence")
	s.When(succeed(nanjing), on("2021-01-01")).ThenRefused(domain.Invalid, "successor")
	s.When(succeed(oxford), on("2021-01-01")).
		ThenRefused(domain.Invalid, "successor", "successor") // a party to both agreements
	for _, not := range []domain.EntityRef{bonn, siemens} {
		ruled(t, s.When(succeed(not), on("2021-01-01")), "C78")
	}
	s.When(succeed(fudan), on("2021-01-01")).
		Then(lab.HostSucceeded{From: nanjing, To: fudan, On: date("2021-01-01"), Evidence: digest(1)})
	l := s.State()
	if l.Host.ID != fudan.ID || l.Rights[0].Party.ID != fudan.ID || l.Commitments[0].Party.ID != fudan.ID ||
		l.Support[0].Provider.ID != fudan.ID {
		t.Errorf("host %s, rights %+v, commitments %+v", l.Host.Name, l.Rights, l.Commitments)
	}
	for _, a := range l.Agreements {
		now := a.PartiesOn(date("2021-01-01"))
		if a.StatusOn(date("2021-01-01")) != lab.InForce || len(now) != 2 || now[1].Entity.ID != fudan.ID ||
			now[1].Role != lab.HostParty {
			t.Errorf("%s: %+v", a.ID, now)
		}
	}
	if !judgeBuiltIn(l, date("2021-01-01"), "C78")[0].Met || !judgeBuiltIn(l, date("2021-01-01"), "C15")[0].Met {
		t.Error("the successor is no responsible host")
	}
	late := succeed(nanjing)
	late.On = date("2020-12-31") // before Fudan became a party
	s.When(late, on("2021-06-01")).ThenRefused(domain.Invalid, "on", "on")
}
