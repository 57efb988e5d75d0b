package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

var source = domain.Grounds{Basis: domain.Basis{Source: "labs.csv row 7"}}

func TestSetDiscipline(t *testing.T) {
	s := proposed(t)
	s.When(lab.SetDiscipline{}, on("2020-02-01")).ThenRefused(domain.Invalid, "discipline")
	s.When(lab.SetDiscipline{Discipline: propose.Discipline}, on("2020-02-01")).
		ThenRefused(domain.Invalid, "discipline")
	s.When(lab.SetDiscipline{Discipline: because}, on("2020-02-01")).
		Then(lab.DisciplineSet{From: propose.Discipline, To: because})
}

func TestLinkPlatform(t *testing.T) {
	s := proposed(t)
	s.When(lab.LinkPlatform{Level: "galactic"}, on("2020-02-01")).
		ThenRefused(domain.Invalid, "name", "level", "evidence")
	s.When(lab.UnlinkPlatform{Platform: "P1"}, on("2020-02-01")).ThenRefused(domain.Invalid, "on", "platform")
	s.When(lab.LinkPlatform{Name: because, Level: "national", Evidence: digest(1)}, on("2020-02-01")).
		Then(lab.PlatformLinked{Platform: "P1", Name: because, Level: "national", Evidence: digest(1)})
	unlink := lab.UnlinkPlatform{Platform: "P1", On: date("2020-03-01")}
	s.When(unlink, on("2020-03-01")).Then(lab.PlatformUnlinked{Platform: "P1", Name: because, On: date("2020-03-01")})
	s.When(unlink, on("2020-03-01")).ThenRefused(domain.Invalid, "platform")
	if p := s.State().Platforms; len(p) != 1 || p[0].Unlinked != date("2020-03-01") {
		t.Errorf("%+v", p)
	}
}

func TestNamePartnerAndAssertFact(t *testing.T) {
	s := proposed(t)
	s.When(lab.NamePartner{Entity: oxford.ID}, on("2020-02-01")).ThenRefused(domain.Invalid, "as", "basis")
	name := lab.NamePartner{Grounds: source, Entity: oxford.ID, As: "Oxford Univ."}
	s.When(name, on("2020-02-01")).Then(lab.PartnerNamed{Entity: oxford, As: "Oxford Univ."})
	s.When(name, on("2020-02-01")).ThenRefused(domain.Invalid, "entity")

	s.When(lab.AssertFact{}, on("2020-02-01")).ThenRefused(domain.Invalid, "kind", "on", "basis")
	s.When(lab.AssertFact{Grounds: source, Kind: "opened", On: partial("2021")}, on("2020-12-31")).
		ThenRefused(domain.Invalid, "on")
	s.When(lab.AssertFact{Grounds: source, Kind: "opened", On: partial("2020")}, on("2020-02-01")).
		Then(lab.FactAsserted{Kind: "opened", On: partial("2020")})
	document := domain.Grounds{Basis: domain.Basis{Document: "教技函〔2015〕9号"}}
	play(s, step{"2020-02-01", lab.AssertFact{Grounds: document, Kind: "note", Text: because}})
	l := s.State()
	if l.Partners[0].Source != "labs.csv row 7" || l.Facts[0].Source != "labs.csv row 7" || l.Facts[1].Source != "教技函〔2015〕9号" {
		t.Errorf("sources %q, %q, %q", l.Partners[0].Source, l.Facts[0].Source, l.Facts[1].Source)
	}
}

func TestAttestIndependence(t *testing.T) {
	s := proposed(t)
	s.When(lab.AttestIndependence{}, on("2020-04-01")).
		ThenRefused(domain.Invalid, "on", "unit", "budget_line", "premises", "evidence")
	play(s, conditions[0])
	if f := judgeBuiltIn(s.State(), date("2020-03-31"), "C16")[0]; f.Met {
		t.Error("the attestation counts before its day")
	}
}

func TestPlanVersions(t *testing.T) {
	s := proposed(t)
	s.When(lab.AdoptPlan{FromYear: 1800, ToYear: 1700}, on("2020-04-02")).
		ThenRefused(domain.Invalid, "title", "on", "from_year", "to_year", "document")
	plan := lab.AdoptPlan{Title: because, On: date("2020-04-02"), FromYear: 2022, ToYear: 2024, Document: digest(4)}
	s.When(plan, on("2020-04-02")).Then(lab.PlanAdopted{Version: 1, Title: because, On: date("2020-04-02"),
		FromYear: 2022, ToYear: 2024, Document: digest(4)})
	plan.On = date("2020-04-01")
	s.When(plan, on("2020-04-03")).ThenRefused(domain.Invalid, "on")
	plan.On, plan.ToYear = date("2020-04-03"), 2023
	s.When(plan, on("2020-04-03")).ThenAccepted()
	if got := s.State().Plans; len(got) != 2 || got[1].Version != 2 {
		t.Errorf("%+v", got)
	}
}

func TestTask(t *testing.T) {
	s := proposed(t)
	s.When(lab.AssignTask{}, on("2020-04-03")).ThenRefused(domain.Invalid, "text", "owner", "due")
	s.When(lab.AssignTask{Text: because, Owner: oxford.ID, Due: date("2024-12-31")}, on("2020-04-03")).
		Then(lab.TaskAssigned{Task: "T1", Text: because, Owner: oxford, Due: date("2024-12-31")})
}

func TestManagementBody(t *testing.T) {
	s := proposed(t)
	s.When(lab.EstablishManagementBody{}, on("2020-04-04")).ThenRefused(domain.Invalid, "name", "on", "document")
	s.When(lab.EstablishManagementBody{Name: because, On: date("2020-04-04"), Document: digest(5)}, on("2020-04-04")).
		Then(lab.ManagementBodyEstablished{Name: because, On: date("2020-04-04"), Document: digest(5)})
}
