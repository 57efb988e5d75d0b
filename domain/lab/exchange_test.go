package lab_test

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func training(kind lab.TrainingKind, parties ...domain.EntityRef) lab.OpenTrainingProgramme {
	o := lab.OpenTrainingProgramme{Kind: kind, Name: because, Runs: period("2020-09-01", ""), Document: digest(1)}
	for _, p := range parties {
		o.Parties = append(o.Parties, p.ID)
	}
	return o
}

// twoChinese is a lab whose agreement binds two Chinese universities and Oxford.
func twoChinese(t *testing.T) *scenario {
	return play(proposed(t),
		step{"2020-01-20", draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty},
			lab.NewParty{Entity: oxford.ID, Role: lab.PartnerParty},
			lab.NewParty{Entity: fudan.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, oxford, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, fudan, "2020-02-01", 1)})
}

func TestC37StudentExchange(t *testing.T) {
	s := twoChinese(t)
	s.When(lab.OpenTrainingProgramme{Kind: "course", Parties: []uuid.UUID{bonn.ID}}, on("2020-09-01")).
		ThenRefused(domain.Invalid, "kind", "name", "runs.from", "document")
	s.When(training(lab.StudentExchange, nanjing, bonn), on("2020-09-01")).ThenRefused(domain.Invalid, "parties[1]")
	ruled(t, s.When(training(lab.StudentExchange, nanjing, fudan), on("2020-09-01")), "C37")
	s.When(training(lab.StudentExchange, nanjing, oxford), on("2020-09-01")).
		Then(lab.TrainingProgrammeOpened{ID: "X1", Kind: lab.StudentExchange, Name: because,
			Parties: []domain.EntityRef{nanjing, oxford}, Runs: period("2020-09-01", ""), Document: digest(1)})
}

func TestC38JointDegree(t *testing.T) {
	s := twoChinese(t)
	ruled(t, s.When(training(lab.JointDegree, nanjing, fudan), on("2020-09-01")), "C38")
	play(s, step{"2020-09-01", training(lab.JointDegree, nanjing, oxford)},
		step{"2020-09-01", training(lab.StudentExchange, nanjing, oxford)})
	s.When(lab.AwardJointDegrees{Programme: "X3"}, on("2023-07-01")).
		ThenRefused(domain.Invalid, "on", "programme", "level", "number", "evidence")
	degrees := lab.Degrees{On: date("2020-08-31"), Level: "doctor", Number: 4, Evidence: digest(2)}
	s.When(lab.AwardJointDegrees{Programme: "X1", Degrees: degrees}, on("2023-07-01")).ThenRefused(domain.Invalid, "on")
	degrees.On = date("2023-07-01")
	s.When(lab.AwardJointDegrees{Programme: "X2", Degrees: degrees}, on("2023-07-01")).
		ThenRefused(domain.Invalid, "programme")
	s.When(lab.AwardJointDegrees{Programme: "X1", Degrees: degrees}, on("2023-07-01")).
		Then(lab.JointDegreesAwarded{Programme: "X1", Degrees: degrees})

	pair := func(a, b domain.EntityRef) lab.PairSupervisors {
		return lab.PairSupervisors{Supervisors: []lab.NewSupervisor{{Person: person("李明"), Party: a.ID}, {Person: person("Newton"), Party: b.ID}}, Level: "doctor", Students: 3, From: date("2020-09-01")}
	}
	s.When(lab.PairSupervisors{Supervisors: []lab.NewSupervisor{{}}}, on("2020-09-01")).
		ThenRefused(domain.Invalid, "supervisors", "supervisors[0].person.name", "from", "level", "students")
	s.When(pair(nanjing, bonn), on("2020-09-01")).ThenRefused(domain.Invalid, "supervisors[1].party")
	for _, with := range []domain.EntityRef{nanjing, fudan} { // one party, one side
		ruled(t, s.When(pair(nanjing, with), on("2020-09-01")), "C38")
	}
	s.When(pair(nanjing, oxford), on("2020-09-01")).Then(lab.SupervisorsPaired{
		Supervisors: []lab.Supervisor{{Person: person("李明"), Party: nanjing}, {Person: person("Newton"), Party: oxford}}, Level: "doctor", Students: 3, From: date("2020-09-01")})
}

func TestVisit(t *testing.T) {
	s := twoChinese(t)
	play(s, step{"2020-09-01", training(lab.JointDegree, nanjing, oxford)})
	s.When(lab.RecordVisit{Kind: "tourist", Programme: "X2"}, on("2021-06-01")).
		ThenRefused(domain.Invalid, "kind", "stay.from", "stay.to", "programme", "persons")
	s.When(visit(lab.Graduates, nanjing, bonn, "2021-03-01", "2021-07-01"), on("2021-06-01")).
		ThenRefused(domain.Invalid, "stay.to", "to")
	s.When(visit(lab.Graduates, nanjing, fudan, "2021-03-01", "2021-02-01"), on("2021-06-01")).
		ThenRefused(domain.Invalid, "stay.to", "to")
	under := visit(lab.Graduates, nanjing, oxford, "2021-03-01", "2021-05-31")
	under.Programme = "X1"
	s.When(under, on("2021-06-01")).ThenRefused(domain.Invalid, "programme")
	s.When(visit(lab.Graduates, nanjing, oxford, "2021-03-01", "2021-05-31"), on("2021-06-01")).
		Then(lab.VisitRecorded{Kind: lab.Graduates, From: nanjing, To: oxford, Direction: "out", Persons: 2,
			Stay: period("2021-03-01", "2021-05-31")})
	s.When(visit(lab.Graduates, oxford, fudan, "2021-03-01", "2021-05-31"), on("2021-06-01")).
		Then(lab.VisitRecorded{Kind: lab.Graduates, From: oxford, To: fudan, Direction: "in", Persons: 2,
			Stay: period("2021-03-01", "2021-05-31")})
}

func TestC41VisitsOwed(t *testing.T) {
	s := twoChinese(t) // bound from 2020-03-01: 2021 is the first whole year
	owed := func(day string) (who []string) {
		l := s.State()
		list, _ := l.VisitsOwed(date(day))
		for _, o := range list {
			who = append(who, o.Party.Name.En)
		}
		return who
	}
	if got := owed("2021-12-31"); got != nil {
		t.Errorf("owed before a year is over: %q", got)
	}
	if got, want := owed("2022-01-01"), []string{"Nanjing University", "University of Oxford",
		"Fudan University"}; !reflect.DeepEqual(got, want) {
		t.Errorf("owed %q, want %q", got, want)
	}
	play(s, step{"2022-01-10", visit(lab.YoungTeachers, nanjing, oxford, "2021-12-01", "2022-01-10")},
		step{"2022-01-10", visit(lab.Scholars, fudan, oxford, "2021-12-01", "2022-01-10")},
		step{"2022-01-10", visit(lab.YoungTeachers, oxford, fudan, "2021-02-01", "2021-02-28")})
	if got, want := owed("2022-01-10"), []string{"Fudan University"}; !reflect.DeepEqual(got, want) {
		t.Errorf("owed %q, want %q", got, want)
	}
	// Who takes a party's place in the year takes over its visits too, and owes the next.
	play(s, step{"2022-06-01", lab.SucceedParty{Agreement: "A1", Party: oxford.ID, Successor: bonn.ID,
		On: date("2022-06-01"), Evidence: digest(1)}},
		step{"2022-12-01", visit(lab.YoungTeachers, bonn, fudan, "2022-11-01", "2022-11-30")})
	if got, want := owed("2023-01-01"), []string{"Fudan University",
		"Fudan University"}; !reflect.DeepEqual(got, want) {
		t.Errorf("owed %q, want %q", got, want)
	}
}
