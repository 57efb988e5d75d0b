package lab_test

import (
	"slices"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

// checkStatuses checks the status of an agreement on days.
func checkStatuses(t *testing.T, s *scenario, i int, want map[string]lab.AgreementStatus) {
	t.Helper()
	a := &s.State().Agreements[i]
	for day, status := range want {
		if got := a.StatusOn(date(day)); got != status {
			t.Errorf("on %s %s is %s, want %s", day, a.ID, got, status)
		}
	}
}

// binds names who is bound by A1 on a day.
func binds(s *scenario, day string) (names []string) {
	for _, p := range s.State().Agreements[0].PartiesOn(date(day)) {
		names = append(names, p.Entity.Name.En)
	}
	return names
}

func TestDraftAgreement(t *testing.T) {
	s := proposed(t)
	s.When(lab.DraftAgreement{Term: period("2021-01-01", "2020-01-01")}, on("2020-01-20")).
		ThenRefused(domain.Invalid, "title", "parties", "parties", "term.to", "documents")
	for _, c := range []struct {
		parties []lab.NewParty
		at      []string
	}{
		{[]lab.NewParty{{Entity: oxford.ID, Role: lab.PartnerParty}, {Entity: bonn.ID, Role: lab.PartnerParty}},
			[]string{"parties"}},
		{[]lab.NewParty{{Entity: nanjing.ID, Role: lab.PartnerParty}, {Entity: bonn.ID, Role: lab.HostParty}},
			[]string{"parties[0].role", "parties[1].role"}},
		{[]lab.NewParty{{Entity: nanjing.ID, Role: lab.HostParty},
			{Entity: domaintest.ID(77), Role: lab.PartnerParty}}, []string{"parties[1].entity"}},
		{[]lab.NewParty{{Entity: nanjing.ID, Role: lab.HostParty}, {Entity: bonn.ID, Role: "friend"},
			{Entity: bonn.ID, Role: lab.PartnerParty}}, []string{"parties[1].role", "parties[2].entity"}},
	} {
		s.When(draft(c.parties...), on("2020-01-20")).ThenRefused(domain.Invalid, c.at...)
	}
	odd := draft()
	odd.Class, odd.Documents = "treaty", []lab.Document{{Digest: "sha256:XYZ"}}
	s.When(odd, on("2020-01-20")).ThenRefused(domain.Invalid, "class", "documents[0].digest", "documents[0].lang")
	s.When(draft(), on("2020-01-20")).ThenAccepted()
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2020-01-20": lab.Draft})
}

func TestLastSignatureBinds(t *testing.T) {
	d := draft()
	d.Term = domain.Period{}
	s := play(proposed(t), step{"2020-01-20", d}, step{"2020-03-01", sign("A1", 0, oxford, "2020-02-20", 2)})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2020-02-19": lab.Draft, "2020-02-20": lab.PartiallySigned,
		"2099-01-01": lab.PartiallySigned})
	s.When(sign("A1", 0, nanjing, "2020-03-05", 1), on("2020-03-06")).Then(lab.AgreementSigned{
		Agreement: "A1", Party: nanjing,
		Signature: lab.Signature{Party: nanjing.ID, Representative: domain.Person{Name: "李明", Title: "校长"}, On: date("2020-03-05"), Document: digest(1)},
	})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2020-03-04": lab.PartiallySigned, "2020-03-05": lab.InForce,
		"2099-01-01": lab.InForce})
}

func TestAgreementTerm(t *testing.T) {
	checkStatuses(t, agreed(t), 0, map[string]lab.AgreementStatus{
		"2020-01-31": lab.Draft, "2020-02-01": lab.PartiallySigned, "2020-02-29": lab.PartiallySigned,
		"2020-03-01": lab.InForce, "2029-12-31": lab.InForce, "2030-01-01": lab.Expired,
	})
}

func TestC04C54Signature(t *testing.T) {
	s := play(proposed(t), step{"2020-01-20", draft()})
	s.When(lab.SignAgreement{Agreement: "A1"}, on("2020-02-01")).
		ThenRefused(domain.Invalid, "party", "party", "representative.name", "on", "document")
	s.When(sign("A1", 0, bonn, "2020-02-01", 1), on("2020-02-01")).ThenRefused(domain.Invalid, "party")
	s.When(sign("A1", 0, oxford, "2020-02-02", 1), on("2020-02-01")).ThenRefused(domain.Invalid, "on")
	s.When(sign("A1", 0, oxford, "2020-02-01", 9), on("2020-02-01")).ThenRefused(domain.Invalid, "document")
	s.When(sign("A2", 0, oxford, "2020-02-01", 1), on("2020-02-01")).ThenRefused(domain.NotFound)
	s.When(sign("A1", 1, oxford, "2020-02-01", 1), on("2020-02-01")).ThenRefused(domain.NotFound)
	s.When(sign("A1", 0, oxford, "2020-02-01", 1), on("2020-02-01")).ThenAccepted()
	s.When(sign("A1", 0, oxford, "2020-02-01", 1), on("2020-02-01")).ThenRefused(domain.Invalid, "party")
	s.When(sign("A1", 0, nanjing, "2020-02-01", 1), on("2020-02-01")).ThenAccepted()
	s.When(sign("A1", 0, nanjing, "2020-02-01", 1), on("2020-02-01")).ThenRefused(domain.State)
}

func TestSignatureUpdatesParty(t *testing.T) {
	renamed := oxford
	renamed.Name = domain.T("牛津大学", "The Chancellor, Masters and Scholars of the University of Oxford")
	s := play(proposed(t), step{"2020-01-20", draft()})
	s.When(sign("A1", 0, oxford, "2020-02-01", 1), domaintest.On("2020-02-01", domaintest.Knowing(renamed))).
		ThenAccepted()
	if got := s.State().Agreements[0].Parties[1].Entity.Name; got != renamed.Name {
		t.Errorf("the party is %s", got.En)
	}
}

func TestClassifyAgreement(t *testing.T) {
	s := agreed(t)
	s.When(lab.ClassifyAgreement{Agreement: "A1", Class: "contract"}, on("2020-04-01")).
		ThenRefused(domain.Invalid, "class")
	s.When(lab.ClassifyAgreement{Agreement: "A1", Class: lab.Substantive}, on("2020-04-01")).
		ThenRefused(domain.Invalid, "class")
	s.When(lab.ClassifyAgreement{Agreement: "A1", Class: lab.MoU}, on("2020-04-01")).
		Then(lab.AgreementClassified{Agreement: "A1", From: lab.Substantive, To: lab.MoU})
}

var amendment = lab.AmendAgreement{
	Agreement: "A1", Summary: because, Term: period("", "2034-12-31"),
	Accede:    []lab.NewParty{{Entity: siemens.ID, Role: lab.EnterpriseParty}},
	Documents: []lab.Document{{Lang: "en", Digest: digest(11)}},
}

func TestC52Accession(t *testing.T) {
	s := agreed(t)
	s.When(amendment, on("2021-01-01")).ThenAccepted()
	for _, by := range []domain.EntityRef{siemens, nanjing} {
		play(s, step{"2021-02-01", sign("A1", 1, by, "2021-02-01", 11)})
		s.When(sign("A1", 1, by, "2021-02-01", 11), on("2021-02-01")).ThenRefused(domain.Invalid, "party")
		if len(binds(s, "2021-06-01")) != 2 || s.State().Agreements[0].Term.To != date("2029-12-31") {
			t.Errorf("binds before every party has signed: %v", binds(s, "2021-06-01"))
		}
	}
	s.When(sign("A1", 1, bonn, "2021-03-01", 11), on("2021-03-01")).ThenRefused(domain.Invalid, "party")
	play(s, step{"2021-03-01", sign("A1", 1, oxford, "2021-03-01", 11)})
	if a := s.State().Agreements[0]; len(binds(s, "2021-02-28")) != 2 ||
		!slices.Equal(binds(s, "2021-03-01"), []string{"Nanjing University", "University of Oxford", "Siemens"}) ||
		a.Term != period("2020-03-01", "2034-12-31") || a.InForceFrom != date("2020-03-01") ||
		a.Amendments[0].InForce != date("2021-03-01") {
		t.Errorf("binds %v, term %v", binds(s, "2021-03-01"), a.Term)
	}
	// A party that joins later cannot bring it into force a second time.
	play(s, step{"2021-04-01", lab.AmendAgreement{Agreement: "A1", Summary: because,
		Documents: []lab.Document{{Lang: "en", Digest: digest(12)}},
		Accede:    []lab.NewParty{{Entity: bonn.ID, Role: lab.PartnerParty}}}})
	for _, by := range []domain.EntityRef{nanjing, oxford, siemens, bonn} {
		play(s, step{"2021-04-02", sign("A1", 2, by, "2021-04-02", 12)})
	}
	for _, no := range []int{0, 1, 2} {
		s.When(sign("A1", no, bonn, "2021-05-01", []int{1, 11, 12}[no]), on("2021-05-01")).ThenRefused(domain.State)
	}
	if got := binds(s, "2021-05-01"); len(got) != 4 {
		t.Errorf("binds %v", got)
	}
}

func TestAmendmentEffectiveDate(t *testing.T) {
	later := amendment
	later.Effective = date("2022-01-01")
	s := play(agreed(t), step{"2021-01-01", later})
	for _, by := range []domain.EntityRef{siemens, nanjing, oxford} {
		play(s, step{"2021-02-01", sign("A1", 1, by, "2021-02-01", 11)})
	}
	if len(binds(s, "2021-12-31")) != 2 || len(binds(s, "2022-01-01")) != 3 {
		t.Errorf("the day before %v, on the day %v", binds(s, "2021-12-31"), binds(s, "2022-01-01"))
	}
}

func TestAmendmentNeedsAgreement(t *testing.T) {
	s := play(proposed(t), agreement[:2]...)
	s.When(amendment, on("2020-02-10")).ThenRefused(domain.State)
	s = agreed(t)
	s.When(lab.AmendAgreement{Agreement: "A1", Term: period("", "2020-12-31"),
		Accede: []lab.NewParty{{Entity: oxford.ID, Role: lab.HostParty}}}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "summary", "term.to", "accede[0].entity", "accede[0].role", "documents")
	s.When(amendment, on("2030-06-01")).ThenRefused(domain.State)
}

func TestLateAmendmentLeavesLapse(t *testing.T) {
	s := play(agreed(t), step{"2029-12-01", amendment})
	for _, by := range []domain.EntityRef{siemens, nanjing, oxford} {
		play(s, step{"2030-02-01", sign("A1", 1, by, "2030-02-01", 11)})
	}
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2029-12-31": lab.InForce, "2030-01-01": lab.Expired,
		"2030-01-31": lab.Expired, "2030-02-01": lab.InForce, "2034-12-31": lab.InForce, "2035-01-01": lab.Expired})
}

func TestRenewalAfterLapse(t *testing.T) {
	renew := func(day, until string) lab.Command {
		return lab.RenewAgreement{Agreement: "A1", On: date(day), Until: date(until), Document: digest(13)}
	}
	s := agreed(t)
	s.When(renew("2030-03-01", "2034-12-31"), on("2030-03-02")).
		Then(lab.AgreementRenewed{Agreement: "A1", On: date("2030-03-01"), From: date("2029-12-31"),
			Until: date("2034-12-31"), Document: digest(13)})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2029-12-31": lab.InForce, "2030-01-01": lab.Expired,
		"2030-02-28": lab.Expired, "2030-03-01": lab.InForce, "2034-12-31": lab.InForce, "2035-01-01": lab.Expired})

	s = agreed(t) // in time, or on the first day without it: no lapse
	play(s, step{"2029-06-01", renew("2029-06-01", "2030-12-31")},
		step{"2031-01-01", renew("2031-01-01", "2031-12-31")})
	if got := s.State().Agreements[0].Lapses; len(got) != 0 {
		t.Errorf("lapses %v", got)
	}

	s = agreed(t)
	play(s, step{"2030-06-29", renew("2030-06-29", "2031-12-31")}) // 180 days after 2029-12-31
	s = agreed(t)
	s.When(renew("2030-06-30", "2031-12-31"), on("2030-07-01")).ThenRefused(domain.State)
	s.When(renew("2029-06-01", "2029-12-31"), on("2029-06-01")).ThenRefused(domain.Invalid, "until")
	s.When(renew("2020-02-28", "2031-12-31"), on("2029-06-01")).ThenRefused(domain.Invalid, "on")
	s.When(lab.RenewAgreement{Agreement: "A1"}, on("2029-06-01")).ThenRefused(domain.Invalid, "on", "until", "document")
	play(s, step{"2020-06-01", draft()})
	s.When(lab.RenewAgreement{Agreement: "A2"}, on("2029-06-01")).ThenRefused(domain.State)
}

func TestEndOfAgreement(t *testing.T) {
	end := func(day string) lab.Command {
		return lab.TerminateAgreement{Agreement: "A1", On: date(day), Ground: because}
	}
	s := agreed(t)
	s.When(lab.TerminateAgreement{Agreement: "A1"}, on("2021-01-01")).ThenRefused(domain.Invalid, "on", "ground")
	s.When(end("2020-02-29"), on("2021-01-01")).ThenRefused(domain.Invalid, "on") // not in force yet
	s.When(end("2030-01-01"), on("2030-01-01")).ThenRefused(domain.Invalid, "on") // expired
	play(s, step{"2025-01-01", end("2025-01-01")})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2024-12-31": lab.InForce, "2025-01-01": lab.Terminated,
		"2031-01-01": lab.Terminated})
	for _, cmd := range []lab.Command{
		end("2025-01-01"), lab.ClassifyAgreement{Agreement: "A1"}, sign("A1", 0, oxford, "2025-01-01", 1), amendment,
		lab.RenewAgreement{Agreement: "A1"},
		lab.SupersedeAgreement{Agreement: "A1"}, lab.WithdrawParty{Agreement: "A1"},
		lab.SucceedParty{Agreement: "A1"}, lab.AddRight{Agreement: "A1"},
	} {
		s.When(cmd, on("2025-01-02")).ThenRefused(domain.State)
	}
	s.When(lab.PledgeCommitment{Party: oxford.ID, Source: lab.ForeignFunds, Agreement: "A1", Quantity: cny("1")},
		on("2025-01-02")).ThenRefused(domain.Invalid, "agreement")

	s = play(proposed(t), agreement[:2]...) // given up before every party signed
	play(s, step{"2020-02-10", end("2020-02-10")})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2020-02-09": lab.PartiallySigned, "2020-02-10": lab.Terminated})

	by := func(a, b, day string) lab.Command {
		return lab.SupersedeAgreement{Agreement: a, By: b, On: date(day)}
	}
	s = play(agreed(t), step{"2021-01-01", draft()})
	s.When(by("A1", "A2", "2021-01-02"), on("2021-01-02")).ThenRefused(domain.State) // A2 is a draft
	s.When(by("A1", "A1", "2021-01-02"), on("2021-01-02")).ThenRefused(domain.Invalid, "by")
	s.When(by("A1", "A7", "2021-01-02"), on("2021-01-02")).ThenRefused(domain.Invalid, "by")
	play(s, step{"2021-01-02", sign("A2", 0, nanjing, "2021-01-02", 1)},
		step{"2021-01-02", sign("A2", 0, oxford, "2021-01-02", 1)}, step{"2021-01-03", by("A1", "A2", "2021-01-03")})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2021-01-02": lab.InForce, "2021-01-03": lab.Superseded})
	if got := s.State().Agreements[0].SupersededBy; got != "A2" {
		t.Errorf("superseded by %s", got)
	}
}

func TestWithdrawParty(t *testing.T) {
	leave := func(by domain.EntityRef, day string) lab.Command {
		return lab.WithdrawParty{Agreement: "A1", Party: by.ID, On: date(day), Notice: digest(14)}
	}
	s := play(proposed(t), agreement[:2]...)
	s.When(leave(oxford, "2020-02-10"), on("2020-02-10")).ThenRefused(domain.State) // it binds no party yet
	s = three(t)
	s.When(lab.WithdrawParty{Agreement: "A1", Party: siemens.ID}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "party", "on", "notice")
	s.When(leave(bonn, "2020-02-29"), on("2021-01-01")).ThenRefused(domain.Invalid, "on")
	play(s, step{"2021-01-01", leave(bonn, "2021-01-01")})
	if len(binds(s, "2020-12-31")) != 3 || len(binds(s, "2021-01-01")) != 2 {
		t.Errorf("the day before %v, on the day %v", binds(s, "2020-12-31"), binds(s, "2021-01-01"))
	}
	s.When(leave(oxford, "2021-02-01"), on("2021-02-01")).ThenRefused(domain.State)
}

func TestWithdrawalCompletesAmendment(t *testing.T) {
	m := amendment
	m.Accede = nil
	s := play(three(t), step{"2021-01-01", m}, step{"2021-01-02", sign("A1", 1, nanjing, "2021-01-02", 11)},
		step{"2021-01-02", sign("A1", 1, oxford, "2021-01-02", 11)},
		step{"2021-03-01", lab.WithdrawParty{Agreement: "A1", Party: bonn.ID, On: date("2021-03-01"),
			Notice: digest(14)}})
	if a := s.State().Agreements[0]; a.Amendments[0].InForce != date("2021-03-01") || a.Term.To != date("2034-12-31") {
		t.Errorf("in force from %s, term %v", a.Amendments[0].InForce, a.Term)
	}
}

func TestPartySuccession(t *testing.T) {
	s := play(agreed(t), conditions...)
	play(s,
		step{"2020-05-01", lab.AddRight{Agreement: "A1", Kind: lab.Responsibility, Party: nanjing.ID,
			Counterparty: oxford.ID, Clause: "§6", Text: because}},
		step{"2020-05-02", lab.PledgeCommitment{Party: oxford.ID, Source: lab.ForeignFunds, Quantity: cny("50")}})
	succeed := lab.SucceedParty{Agreement: "A1", Party: oxford.ID, Successor: bonn.ID, On: date("2021-01-01"),
		Evidence: digest(15)}
	s.When(succeed, on("2021-01-01")).Then(lab.PartySucceeded{
		Agreement: "A1", Party: s.State().Agreements[0].Parties[1].Entity, Successor: bonn, On: date("2021-01-01"),
		Evidence: digest(15),
	})
	l := s.State()
	for _, it := range l.Rights {
		if it.Party.ID == oxford.ID || (it.Counterparty != nil && it.Counterparty.ID == oxford.ID) {
			t.Errorf("item %s is still Oxford's", it.ID)
		}
	}
	for _, f := range l.Commitments {
		if f.Party.ID == oxford.ID {
			t.Errorf("commitment %s is still Oxford's", f.ID)
		}
	}
	if l.Agreements[0].StatusOn(date("2021-01-01")) != lab.InForce ||
		l.Agreements[0].InForceFrom != date("2020-03-01") || !judgeBuiltIn(l, date("2021-01-01"), "C56")[0].Met {
		t.Errorf("the agreement is in force from %s", l.Agreements[0].InForceFrom)
	}
	// The predecessor's signature binds: the successor's is not asked for.
	s.When(sign("A1", 0, bonn, "2021-02-01", 1), on("2021-02-01")).ThenRefused(domain.State)
	s.When(succeed, on("2021-02-01")).ThenRefused(domain.Invalid, "party", "successor")
	s.When(lab.SucceedParty{Agreement: "A1", Party: bonn.ID, Successor: siemens.ID, On: date("2020-12-31"),
		Evidence: digest(15)}, on("2021-02-01")).ThenRefused(domain.Invalid, "on")

	// In an agreement not yet signed by all, the predecessor's signature counts too.
	s = play(proposed(t), agreement[0], agreement[2],
		step{"2020-02-25", lab.SucceedParty{Agreement: "A1", Party: oxford.ID, Successor: bonn.ID,
			On: date("2020-02-25"), Evidence: digest(15)}})
	s.When(sign("A1", 0, bonn, "2020-02-26", 1), on("2020-02-26")).ThenRefused(domain.Invalid, "party")
	play(s, step{"2020-02-27", sign("A1", 0, nanjing, "2020-02-27", 1)})
	checkStatuses(t, s, 0, map[string]lab.AgreementStatus{"2020-03-01": lab.InForce})
}
