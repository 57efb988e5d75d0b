package lab_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestObjective(t *testing.T) {
	s := proposed(t)
	s.When(lab.SetObjective{Target: lab.Target{Kind: "fame"}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "kind", "indicator", "unit", "baseline_on", "due", "target")
	early := target(lab.TeamObjective)
	early.Due = early.BaselineOn
	s.When(early, on("2020-06-01")).ThenRefused(domain.Invalid, "due")
	s.When(target(lab.TeamObjective), on("2020-06-01")).
		Then(lab.ObjectiveSet{Objective: "O1", Target: target(lab.TeamObjective).Target})
	s.When(lab.ReportIndicator{Objective: "O2"}, on("2021-06-01")).
		ThenRefused(domain.Invalid, "on", "objective", "evidence")
	reading := lab.Reading{On: date("2020-05-31"), Value: domain.MustDecimal("4"), Evidence: digest(1)}
	s.When(lab.ReportIndicator{Objective: "O1", Reading: reading}, on("2021-06-01")).ThenRefused(domain.Invalid, "on")
	reading.On = date("2021-06-01")
	s.When(lab.ReportIndicator{Objective: "O1", Reading: reading}, on("2021-06-01")).
		Then(lab.IndicatorReported{Objective: "O1", Reading: reading})
	if o := s.State().Objectives; len(o[0].Readings) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestC33ChangeOfDirection(t *testing.T) {
	s := proposed(t)
	s.When(lab.SetDirection{Aim: lab.Aim{Tag: "trendy"}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "name", "tag", "valid.from")
	aim := lab.Aim{Name: because, Tag: "frontier", Valid: period("2020-06-01", "2020-01-01")}
	s.When(lab.SetDirection{Aim: aim}, on("2020-06-01")).ThenRefused(domain.Invalid, "valid.to")
	aim.Valid = period("2020-06-01", "")
	s.When(lab.SetDirection{Aim: aim}, on("2020-06-01")).Then(lab.DirectionSet{Direction: "D1", Aim: aim})
	s.When(lab.ChangeDirection{Direction: "D1", Aim: aim, Ground: because}, on("2022-06-01")).
		ThenRefused(domain.Invalid, "name")
	s.When(lab.ChangeDirection{Direction: "D2", Aim: aim}, on("2022-06-01")).ThenRefused(domain.Invalid, "direction")
	ended := aim
	ended.Valid.To = date("2022-12-31")
	ruled(t, s.When(lab.ChangeDirection{Direction: "D1", Aim: ended}, on("2022-06-01")), "C33")
	s.When(lab.ChangeDirection{Direction: "D1", Aim: ended, Ground: because}, on("2022-06-01")).
		Then(lab.DirectionSet{Direction: "D1", Aim: ended, Ground: because})
	if d := s.State().Directions; len(d) != 1 || len(d[0].Before) != 1 || d[0].Before[0] != aim || d[0].Aim != ended {
		t.Errorf("%+v", d)
	}
}

func TestLinkProject(t *testing.T) {
	s := proposed(t)
	s.When(lab.LinkProject{Undertaking: lab.Undertaking{Kind: "hobby", Role: "watched", Document: "x"}},
		on("2020-06-01")).
		ThenRefused(domain.Invalid, "name", "kind", "role", "runs.from", "document")
	p := lab.Undertaking{Name: because, Kind: "project", Role: "applied", Runs: period("2021-01-01", "2023-12-31")}
	s.When(lab.LinkProject{Undertaking: p}, on("2020-06-01")).Then(lab.ProjectLinked{Project: "J1", Undertaking: p})
	postdoc := appoint(lab.Postdoc, "Noether", bonn, "2021-01-01", "")
	postdoc.Link = "J1"
	s.When(postdoc, on("2021-01-01")).ThenAccepted()
}

func TestHeadcount(t *testing.T) {
	s := proposed(t)
	s.When(lab.ReportHeadcount{Headcount: lab.Headcount{Kind: "fans", Number: -1, Document: "x"}}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "kind", "on", "number", "document")
	n := lab.Headcount{Kind: lab.TechnicalStaff, On: date("2020-06-01"), Number: 4}
	s.When(lab.ReportHeadcount{Headcount: n}, on("2020-06-01")).Then(lab.HeadcountReported{Headcount: n})
	n.Kind = lab.ManagementStaff
	play(s, step{"2020-06-01", lab.ReportHeadcount{Headcount: n}})
	if !judgeBuiltIn(s.State(), date("2020-06-01"), "C51")[0].Met {
		t.Error("counted staff is not counted")
	}
	n.On, n.Number = date("2021-06-01"), 0 // the last count holds
	play(s, step{"2021-06-01", lab.ReportHeadcount{Headcount: n}})
	if judgeBuiltIn(s.State(), date("2021-06-01"), "C51")[0].Met {
		t.Error("no staff is enough")
	}
}

func TestOutput(t *testing.T) {
	s := agreed(t)
	s.When(lab.RecordOutput{Kind: "rumour"}, on("2021-06-01")).
		ThenRefused(domain.Invalid, "kind", "title", "on", "parties")
	paper := lab.RecordOutput{Kind: "paper", Title: because, On: date("2021-05-01"), Identifier: "10.1000/182a",
		Parties: []uuid.UUID{nanjing.ID, oxford.ID}}
	s.When(paper, on("2021-06-01")).Then(lab.OutputRecorded{Kind: "paper", Title: because, On: date("2021-05-01"),
		Identifier: "10.1000/182a", Parties: []domain.EntityRef{nanjing, oxford}})
	paper.Identifier, paper.Parties = "10.1000/182A", []uuid.UUID{bonn.ID}
	s.When(paper, on("2021-06-01")).ThenRefused(domain.Invalid, "identifier", "parties[0]")
}

func TestAnnualReport(t *testing.T) {
	s := proposed(t)
	s.When(lab.FileAnnualReport{}, on("2021-01-15")).ThenRefused(domain.Invalid, "on", "year", "summary", "document")
	r := lab.AnnualReport{Year: 2021, On: date("2021-01-15"), Summary: because, Document: digest(1)}
	s.When(lab.FileAnnualReport{AnnualReport: r}, on("2021-01-15")).ThenRefused(domain.Invalid, "year")
	r.Year = 2020
	s.When(lab.FileAnnualReport{AnnualReport: r}, on("2021-01-15")).Then(lab.AnnualReportFiled{AnnualReport: r})
	s.When(lab.FileAnnualReport{AnnualReport: r}, on("2021-01-15")).ThenRefused(domain.Invalid, "year")
}
