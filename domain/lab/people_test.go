package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// ruled requires a refusal by one rule, with its quote.
func ruled(t *testing.T, s *scenario, rule string) {
	t.Helper()
	s.ThenRefused(domain.Refused, rule)
	if f := s.Rejection().Findings[0]; f.Quote != lab.Rules[rule].Quote || f.Quote == "" || f.Clause == "" || f.Met {
		t.Errorf("%s is refused with %+v", rule, f)
	}
}

func TestC48Committee(t *testing.T) {
	s := proposed(t)
	s.When(lab.ConstituteBody{Kind: "club"}, on("2020-07-01")).
		ThenRefused(domain.Invalid, "kind", "name", "on", "charter")
	s.When(lab.ConstituteBody{Kind: lab.Board, Name: because, On: date("2020-07-01"), Charter: digest(1)},
		on("2020-07-01")).
		Then(lab.BodyConstituted{Body: "B1", Kind: lab.Board, Name: because, On: date("2020-07-01"),
			Charter: digest(1)})
	s.When(lab.MinuteMeeting{Body: "B2"}, on("2020-07-01")).
		ThenRefused(domain.Invalid, "on", "body", "present", "decided", "minutes")
	meeting := lab.Meeting{On: date("2020-06-30"), Present: 5, Decided: because, Minutes: digest(2)}
	s.When(lab.MinuteMeeting{Body: "B1", Meeting: meeting}, on("2020-07-02")).ThenRefused(domain.Invalid, "on")
	meeting.On = date("2020-07-02")
	s.When(lab.MinuteMeeting{Body: "B1", Meeting: meeting}, on("2020-07-02")).
		Then(lab.MeetingMinuted{Body: "B1", Meeting: meeting})
	if b := s.State().Bodies; len(b) != 1 || len(b[0].Meetings) != 1 {
		t.Errorf("%+v", b)
	}
}

func TestMember(t *testing.T) {
	s := agreed(t)
	s.When(lab.AppointMember{Kind: "friend", Body: "B1", Link: "D1", TeamSize: 2, Side: "left",
		Term: period("", "2020-01-01")}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "kind", "person.name", "affiliation", "term.from", "body", "team_size", "link")
	s.When(lab.AppointMember{Kind: lab.CommitteeMember, Person: person("x"), Affiliation: oxford.ID, Side: "left",
		Body: "B1", Term: period("2020-01-02", "2020-01-01")}, on("2020-06-01")).
		ThenRefused(domain.Invalid, "side", "body", "term.to")
	s.When(appoint(lab.TeamLeader, "x", oxford, "2020-06-01", ""), on("2020-06-01")).
		ThenRefused(domain.Invalid, "team_size")
	s.When(appoint(lab.Investigator, "Newton", oxford, "2020-06-01", "2024-05-31"), on("2020-06-01")).
		Then(lab.MemberAppointed{Member: "M1",
			Appointment: lab.Appointment{Kind: lab.Investigator, Person: person("Newton"), Affiliation: oxford,
				Side: domain.Foreign, Term: period("2020-06-01", "2024-05-31")}})

	s.When(lab.MoveMember{Member: "M2"}, on("2021-01-01")).ThenRefused(domain.Invalid, "on", "affiliation", "member")
	s.When(lab.MoveMember{Member: "M1", Affiliation: oxford.ID, On: date("2020-05-31")}, on("2021-01-01")).
		ThenRefused(domain.Invalid, "on", "affiliation")
	s.When(lab.MoveMember{Member: "M1", Affiliation: bonn.ID, On: date("2021-01-01")}, on("2021-01-01")).
		Then(lab.MemberMoved{Member: "M1", Affiliation: bonn, On: date("2021-01-01")})
	if m := s.State().Members[0]; m.AffiliationOn(date("2020-12-31")).ID != oxford.ID ||
		m.AffiliationOn(date("2021-01-01")).ID != bonn.ID {
		t.Errorf("%+v", m)
	}

	s.When(lab.EndMember{Member: "M9"}, on("2021-01-01")).ThenRefused(domain.Invalid, "on", "ground", "member")
	end := lab.EndMember{Member: "M1", On: date("2021-06-01"), Ground: because}
	s.When(end, on("2021-06-01")).Then(lab.MemberEnded{Member: "M1", On: date("2021-06-01"), Ground: because})
	s.When(end, on("2021-06-01")).ThenRefused(domain.Invalid, "on")
	if m := s.State().Members[0]; m.InOffice(date("2021-06-01")) || !m.InOffice(date("2021-05-31")) ||
		m.InOffice(date("2020-05-31")) {
		t.Errorf("%+v", m)
	}
}

func TestC42Investigators(t *testing.T) {
	s := play(agreed(t), step{"2020-06-01", appoint(lab.Investigator, "Newton", oxford, "2020-06-01", "")},
		step{"2021-01-01", lab.MoveMember{Member: "M1", Affiliation: bonn.ID, On: date("2021-01-01")}})
	for day, met := range map[string]bool{"2020-12-31": true, "2021-01-01": false} {
		if f := judgeBuiltIn(s.State(), date(day), "C42")[0]; f.Met != met {
			t.Errorf("on %s: %+v", day, f)
		}
	}
}

func TestC43Scholars(t *testing.T) {
	s := agreed(t)
	for _, not := range []domain.EntityRef{oxford, fudan} {
		ruled(t, s.When(appoint(lab.ThirdCountry, "x", not, "2020-06-01", ""), on("2020-06-01")), "C43")
	}
	s.When(appoint(lab.ThirdCountry, "Herschel", bonn, "2020-06-01", ""), on("2020-06-01")).ThenAccepted()
}

func TestC45Postdocs(t *testing.T) {
	s := play(agreed(t), step{"2020-06-01", lab.SetDirection{Aim: lab.Aim{Name: because, Tag: "basic",
		Valid: period("2020-06-01", "2022-12-31")}}})
	postdoc := appoint(lab.Postdoc, "Noether", bonn, "2021-01-01", "")
	ruled(t, s.When(postdoc, on("2021-01-01")), "C45")
	for _, not := range []string{"J1", "D2", "D01", "X1"} {
		postdoc.Link = not
		s.When(postdoc, on("2021-01-01")).ThenRefused(domain.Invalid, "link")
	}
	postdoc.Link, postdoc.Term.From = "D1", date("2023-01-01")
	s.When(postdoc, on("2023-01-01")).ThenRefused(domain.Invalid, "link") // the direction holds no longer
	postdoc.Term.From = date("2022-12-31")
	s.When(postdoc, on("2023-01-01")).ThenAccepted()
}

func TestC49Directors(t *testing.T) {
	s := play(agreed(t),
		step{"2020-06-01", appoint(lab.DirectorPost, "王芳", nanjing, "2020-06-01", "2022-05-31")},
		step{"2020-06-01", appoint(lab.DirectorPost, "Halley", oxford, "2020-06-01", "")})
	ruled(t, s.When(appoint(lab.DirectorPost, "赵磊", fudan, "2022-05-31", ""), on("2022-05-31")), "C49")
	ruled(t, s.When(appoint(lab.DirectorPost, "Gauss", bonn, "2030-01-01", ""), on("2022-05-31")), "C49")
	onOtherSide := appoint(lab.DirectorPost, "Gauss", bonn, "2022-05-31", "")
	onOtherSide.Side = domain.Chinese
	ruled(t, s.When(onOtherSide, on("2022-05-31")), "C49")
	play(s, step{"2022-06-01", appoint(lab.DirectorPost, "赵磊", fudan, "2022-06-01", "")},
		step{"2022-06-01", lab.EndMember{Member: "M2", On: date("2022-06-01"), Ground: because}},
		step{"2022-06-01", appoint(lab.DirectorPost, "Gauss", bonn, "2022-06-01", "")})
}
