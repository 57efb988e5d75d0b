package lab_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestC26InstrumentLifecycle(t *testing.T) {
	s := proposed(t)
	s.When(lab.AdoptInstrument{Instrument: lab.Instrument{Kind: "custom", Powers: []domain.Text{because},
		Lead: because}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "kind", "powers", "departments", "title", "on", "document")
	s.When(instrument(lab.DelegatedAutonomy, "2020-06-01"), on("2020-06-01")).ThenRefused(domain.Invalid, "kind")
	pay := instrument(lab.PayRules, "2020-06-01")
	s.When(pay, on("2020-06-01")).Then(lab.InstrumentAdopted{ID: "N1", Instrument: pay.Instrument})
	s.When(lab.RepealInstrument{Instrument: "N7"}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "on", "ground", "instrument")
	s.When(lab.WithdrawAutonomy{Instrument: "N1", On: date("2021-01-01"), Ground: because}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "instrument")
	repeal := lab.RepealInstrument{Instrument: "N1", On: date("2021-01-01"), Ground: because}
	s.When(repeal, on("2021-01-01")).Then(lab.InstrumentRepealed{ID: "N1", Kind: lab.PayRules, Title: because,
		On: date("2021-01-01"), Ground: because})
	s.When(repeal, on("2021-01-01")).ThenRefused(domain.Invalid, "on")
	if n := s.State().Instruments[0]; !n.HoldsOn(date("2020-12-31")) || n.HoldsOn(date("2021-01-01")) ||
		n.HoldsOn(date("2020-05-31")) {
		t.Errorf("%+v", n)
	}
}

func TestC58DelegationOfPowers(t *testing.T) {
	s := proposed(t)
	grant := lab.GrantAutonomy{Title: because, On: date("2020-06-01"), Document: digest(1)}
	ruled(t, s.When(grant, on("2020-06-01")), "C58")
	grant.Powers = []domain.Text{{}}
	s.When(grant, on("2020-06-01")).ThenRefused(domain.Invalid, "powers[0]")
	grant.Powers = []domain.Text{domain.T("自主聘用", "hiring of its own")}
	s.When(grant, on("2020-06-01")).ThenAccepted()
	s.When(lab.RepealInstrument{Instrument: "N1", On: date("2021-01-01"), Ground: because}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "instrument")
	play(s, step{"2021-01-01", lab.WithdrawAutonomy{Instrument: "N1", On: date("2021-01-01"), Ground: because}})
	if judgeBuiltIn(s.State(), date("2021-01-01"), "C58")[0].Met ||
		!judgeBuiltIn(s.State(), date("2020-12-31"), "C58")[0].Met {
		t.Error("autonomy taken back still counts, or counted for nothing before")
	}
}

func TestC60CoordinationMechanism(t *testing.T) {
	s := proposed(t)
	alone := coordination("2020-06-01")
	alone.Departments = nil
	ruled(t, s.When(alone, on("2020-06-01")), "C60")
	leaderless := coordination("2020-06-01")
	leaderless.Lead = domain.Text{}
	ruled(t, s.When(leaderless, on("2020-06-01")), "C60")
	blank := coordination("2020-06-01")
	blank.Departments[1] = domain.Text{}
	s.When(blank, on("2020-06-01")).ThenRefused(domain.Invalid, "departments[1]")
	s.When(coordination("2020-06-01"), on("2020-06-01")).ThenAccepted()
}

func TestC02Reform(t *testing.T) {
	s := proposed(t)
	s.When(lab.DeclareReform{Reform: lab.Reform{Domain: "sport", Document: "x"}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "domain", "text", "on", "document")
	reform := lab.Reform{Domain: "research", Text: because, On: date("2020-06-01")}
	s.When(lab.DeclareReform{Reform: reform}, on("2020-06-01")).Then(lab.ReformDeclared{ID: "E1", Reform: reform})
	s.When(lab.ReportReform{Reform: "E2"}, on("2021-06-01")).ThenRefused(domain.Invalid, "on", "reform", "result")
	report := lab.ReformReport{On: date("2020-05-31"), Result: because}
	s.When(lab.ReportReform{Reform: "E1", ReformReport: report}, on("2021-06-01")).ThenRefused(domain.Invalid, "on")
	report.On = date("2021-06-01")
	s.When(lab.ReportReform{Reform: "E1", ReformReport: report}, on("2021-06-01")).
		Then(lab.ReformReported{Reform: "E1", ReformReport: report})
	if r := s.State().Reforms; len(r[0].Reports) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestDisciplineStatus(t *testing.T) {
	s := proposed(t)
	s.When(lab.EvidenceDiscipline{Status: "famous"}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "discipline", "status", "on", "document")
	s.When(lab.EvidenceDiscipline{Discipline: because, Status: "featured", On: date("2017-09-21"),
		Document: digest(1)}, on("2020-06-01")).
		Then(lab.DisciplineEvidenced{Discipline: because, Status: "featured", On: date("2017-09-21"),
			Document: digest(1)})
}

func TestC20ForeignStanding(t *testing.T) {
	s := play(proposed(t), step{"2020-01-20",
		draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty},
			lab.NewParty{Entity: oxford.ID, Role: lab.PartnerParty},
			lab.NewParty{Entity: siemens.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, oxford, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, siemens, "2020-02-01", 1)})
	s.When(lab.AssessPartner{Party: bonn.ID, Level: "best", On: date("2020-06-01"), Document: "x"}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "party", "level", "opinion", "document")
	judge := lab.AssessPartner{Level: "advanced", Opinion: because, On: date("2020-06-01")}
	for _, not := range []domain.EntityRef{nanjing, siemens} {
		judge.Party = not.ID
		ruled(t, s.When(judge, on("2020-06-01")), "C20")
	}
	judge.Party = oxford.ID
	s.When(judge, on("2020-06-01")).Then(lab.PartnerAssessed{Party: oxford, Level: "advanced", Opinion: because,
		On: date("2020-06-01")})
	f := judgeBuiltIn(s.State(), date("2020-06-01"), "C20")[0]
	if f.Met || len(f.Missing) != 1 || f.Missing[0].En != "Siemens is no university or research institute" {
		t.Errorf("%+v", f)
	}
	if f := judgeBuiltIn(proposed(t).State(), date("2020-06-01"), "C20")[0]; f.Met {
		t.Error("a lab without partners has partners of standing")
	}
}

func TestC21ForeignInstitutes(t *testing.T) {
	s := three(t) // whose agreement names no institute
	designate := func(party uuid.UUID, day string, ground domain.Text) lab.Command {
		return lab.DesignateForeignUnit{Party: party, Unit: because, On: date(day), Document: digest(1), Ground: ground}
	}
	s.When(lab.DesignateForeignUnit{Party: siemens.ID}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "on", "unit", "document")
	s.When(designate(nanjing.ID, "2020-06-01", domain.Text{}), on("2020-06-01")).ThenRefused(domain.Invalid, "party")
	s.When(designate(siemens.ID, "2020-06-01", domain.Text{}), on("2020-06-01")).ThenRefused(domain.Invalid, "party")
	s.When(designate(oxford.ID, "2020-06-01", domain.Text{}), on("2020-06-01")).
		Then(lab.ForeignUnitDesignated{Party: oxford, Unit: because, On: date("2020-06-01"), Document: digest(1)})
	if f := judgeBuiltIn(s.State(), date("2020-06-01"), "C21")[0]; f.Met || len(f.Missing) != 1 ||
		f.Missing[0].En != "University of Bonn has designated no institute that carries out its part" {
		t.Errorf("%+v", f)
	}
	play(s, step{"2020-06-02", designate(bonn.ID, "2020-06-02", domain.Text{})})
	if f := judgeBuiltIn(s.State(), date("2020-06-02"), "C21")[0]; !f.Met || len(f.Proof) != 2 {
		t.Errorf("%+v", f)
	}
	s.When(designate(oxford.ID, "2020-06-01", domain.Text{}), on("2021-06-01")).
		ThenRefused(domain.Invalid, "on", "ground")
	s.When(designate(oxford.ID, "2021-06-01", because), on("2021-06-01")).
		Then(lab.ForeignUnitDesignated{Party: oxford, Unit: because, Replaces: because, On: date("2021-06-01"),
			Document: digest(1), Ground: because})
	if u := s.State().ForeignUnits; len(u) != 3 || u[0].Replaced != date("2021-06-01") || !u[2].Replaced.IsZero() {
		t.Errorf("%+v", u)
	}
}
