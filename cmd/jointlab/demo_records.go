package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// record sends a command under the name of its type, in the first role that
// may send it.
func (s demoStory) record(commands ...lab.Command) {
	for _, c := range commands {
		var name strings.Builder
		for i, r := range reflect.TypeOf(c).Name() {
			if i > 0 && unicode.IsUpper(r) {
				name.WriteByte('-')
			}
			name.WriteRune(unicode.ToLower(r))
		}
		roles := api.Commands()[slices.IndexFunc(
			api.Commands(), func(row api.Command) bool { return row.Aggregate == "lab" && row.Name == name.String() },
		)].Roles
		for _, role := range []domain.Role{domain.Host, domain.Officer, domain.Ministry} {
			if slices.Contains(roles, role) {
				s.as(role, name.String(), c)
				break
			}
		}
	}
}

// objectives are the five of the programme, the last in its four mechanisms.
var objectives = []lab.ObjectiveKind{
	lab.DisciplineObjective, lab.ResearchObjective, lab.TeamObjective, lab.TrainingObjective,
	lab.OperationObjective, lab.AppointmentObjective, lab.EvaluationObjective, lab.ServiceObjective,
}

// aims sets an indicator of each objective, and has the standing of the foreign
// partners judged: what an application asks of a lab's records.
func (s demoStory) aims(on domain.Date) {
	for _, k := range objectives {
		s.record(lab.SetObjective{Target: lab.Target{
			Kind: k, Indicator: domain.T("示例指标", "example indicator"), Unit: domain.T("项", "items"), Baseline: domain.MustDecimal("3"), BaselineOn: on,
			Target: domain.MustDecimal("10"), Due: on.AddYears(5),
		}})
	}
	for _, p := range s.partners {
		if p != demoEntity("specimen") { // an enterprise is not judged so
			s.record(lab.AssessPartner{Party: p, Level: "world-class", Opinion: domain.T("示例：在该领域领先", "example: it leads its field"), On: on})
		}
	}
}

// works records what a laboratory in operation shows, with its first foreign
// partner: people, institutions, exchanges, funds, goals and support.
func (s demoStory) works() {
	host, partner, third := s.host, s.partners[0], demoEntity("kaku")
	from, year := s.start.AddYears(1), s.today.Year()-1
	lately := domain.NewDate(year, time.March, 1)
	text := func(zh, en string) domain.Text { return domain.T("示例"+zh, "example "+en) }
	paper := func(of string) string { return digest("%s %s", s.path, of) }
	term := domain.Period{From: from}
	appoint := func(kind lab.MemberKind, who string, at uuid.UUID) lab.AppointMember {
		return lab.AppointMember{Kind: kind, Person: domain.Person{Name: domain.Personal(who)}, Affiliation: at, Term: term}
	}
	for _, d := range []lab.ReformDomain{"construction", "research", "training", "evaluation"} {
		s.record(lab.DeclareReform{Reform: lab.Reform{Domain: d, Text: text("改革措施", "reform measure"), On: from}})
	}
	for i := range objectives {
		s.record(lab.ReportIndicator{
			Objective: fmt.Sprintf("O%d", i+1),
			Reading:   lab.Reading{On: lately, Value: domain.MustDecimal("8"), Evidence: paper("reading")},
		})
	}
	s.record(lab.ReportReform{Reform: "E1", ReformReport: lab.ReformReport{On: lately, Result: text("成效", "result")}},
		lab.DesignateForeignUnit{Party: partner, Unit: text("研究所", "institute"), On: from, Document: paper("unit")})
	s.record(lab.SetDirection{Aim: lab.Aim{Name: text("研究方向", "direction"), Tag: "frontier", Valid: term}},
		lab.LinkProject{Undertaking: lab.Undertaking{Name: text("大科学计划", "big science plan"), Kind: "big-science-plan", Role: "participated", Runs: term}})
	for _, k := range []lab.InstrumentKind{
		lab.AppointmentRules, lab.AssessmentRules, lab.PayRules, lab.TrainingRules, lab.ResourceRules, lab.OrganisationRules,
		lab.HiringRules, lab.GovernanceCharter, lab.VisitingScholars, lab.TenureTrack, lab.AnnualSalary, lab.PilotZone, lab.TalentZone,
	} {
		s.record(lab.AdoptInstrument{Instrument: lab.Instrument{Kind: k, Title: text("制度", "instrument"), On: from, Document: paper(string(k))}})
	}
	coordination := lab.AdoptInstrument{Instrument: lab.Instrument{Kind: lab.CoordinationRules, Title: text("协同机制", "coordination"), On: from, Document: paper("coordination")}}
	coordination.Departments, coordination.Lead = []domain.Text{text("科研处", "research office"), text("人事处", "personnel office")}, text("国际处", "international office")
	team, postdoc, adviser := appoint(lab.TeamLeader, "示例团队带头人", third), appoint(lab.Postdoc, "示例博士后", third), appoint(lab.CommitteeMember, "示例顾问", third)
	team.TeamSize, postdoc.Link, adviser.Body, adviser.Term.To = 5, "D1", "B1", s.today.AddDays(60)
	s.record(coordination,
		lab.GrantAutonomy{Title: text("放权清单", "powers delegated"), On: from, Document: paper("autonomy"), Powers: []domain.Text{text("自主招聘", "hiring")}},
		lab.ConstituteBody{Kind: lab.AcademicCommittee, Name: text("国际学术委员会", "international academic committee"), On: from, Charter: paper("charter")},
		lab.MinuteMeeting{Body: "B1", Meeting: lab.Meeting{On: lately, Present: 7, Decided: text("通过年度计划", "plan of the year agreed"), Minutes: paper("minutes")}},
		team, postdoc, adviser, appoint(lab.ThirdCountry, "示例第三国学者", third),
		appoint(lab.Investigator, "示例学术带头人甲", host), appoint(lab.Investigator, "示例学术带头人乙", partner),
		appoint(lab.DirectorPost, "示例中方主任", host), appoint(lab.DirectorPost, "示例外方主任", partner),
		lab.OpenTrainingProgramme{Kind: lab.StudentExchange, Name: text("本科生互换", "undergraduate exchange"), Parties: []uuid.UUID{host, partner}, Runs: term, Document: paper("exchange")},
		lab.OpenTrainingProgramme{Kind: lab.JointDegree, Name: text("联合学位", "joint degree"), Parties: []uuid.UUID{host, partner}, Runs: term, Document: paper("degree")},
		lab.AwardJointDegrees{
			Programme: "X2", Degrees: lab.Degrees{On: lately, Level: "master", Number: 4, Evidence: paper("degrees")},
		},
		lab.PairSupervisors{Supervisors: []lab.NewSupervisor{
			{Person: domain.Person{Name: "示例导师甲"}, Party: host}, {Person: domain.Person{Name: "示例导师乙"}, Party: partner},
		}, Level: "doctor", Students: 3, From: from})
	visit := func(kind lab.VisitorKind, from, to uuid.UUID, year int) {
		s.record(lab.RecordVisit{
			Kind:    kind,
			From:    from,
			To:      to,
			Persons: 2,
			Stay:    domain.Period{From: domain.NewDate(year, 12, 1), To: domain.NewDate(year, 12, 20)},
		})
	}
	visit(lab.Undergraduates, host, partner, year)
	for y := s.start.Year(); y <= year; y++ { // each party sends young teachers each year; the last one owes last year's
		visit(lab.YoungTeachers, host, partner, y)
		for i, p := range s.partners {
			if i == 0 || y < year {
				visit(lab.YoungTeachers, p, host, y)
			}
		}
	}
	for i, k := range []lab.FundKind{lab.SeedFund, lab.Scholarship, lab.YouthFund} {
		fund := "K" + string(rune('1'+i))
		s.record(lab.EstablishFund{Kind: k, Name: text("基金", "fund"), Contributors: []uuid.UUID{host, partner}, On: from, Document: paper(fund)})
		for _, by := range []uuid.UUID{host, partner} {
			s.record(lab.ContributeToFund{
				Fund:        fund,
				Contributor: by,
				Amount:      *cash("100000", "CNY").Cash,
				On:          from,
				Evidence:    paper(fund + " paid"),
			})
		}
		s.record(lab.AwardFromFund{Fund: fund, Award: lab.Award{On: lately, Recipients: 2, Amount: *cash("50000", "CNY").Cash, Purpose: text("资助", "award"), Evidence: paper(fund + " award")}})
	}
	for _, k := range []lab.CountKind{
		lab.InternationalStudents, lab.VisitingResearchers, lab.YoungScholars, lab.GraduateStudents,
		lab.UndergraduateStudents, lab.TechnicalStaff, lab.ManagementStaff,
	} {
		s.record(lab.ReportHeadcount{Headcount: lab.Headcount{Kind: k, On: lately, Number: 12}})
	}
	s.record(lab.RecordOutput{Kind: "paper", Title: text("论文", "paper"), On: lately, Parties: []uuid.UUID{host, partner}},
		lab.FileAnnualReport{AnnualReport: lab.AnnualReport{Year: year - 1, On: lately, Summary: text("年度报告", "annual report"), Document: paper("report")}})
	// S1 came; the others are late
	for _, k := range []lab.SupportKind{lab.PolicySupport, lab.FundingSupport, lab.InstitutionSupport} {
		s.record(lab.PromiseSupport{Provider: host, Kind: k, Text: text("支持措施", "support"), On: from, Due: s.today.AddDays(-30)})
	}
	s.record(lab.DeliverSupport{Support: "S1", On: lately, Evidence: paper("support")},
		lab.ConsiderMinistrySupport{Text: text("专项支持", "special support"), On: from},
		lab.GrantMinistrySupport{Support: "G1", On: from.AddDays(90), Quantity: cash("500000", "CNY"), Document: "示例教技函〔0000〕3号"})
}
