package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestProposeLab(t *testing.T) {
	s := domaintest.New[*lab.Lab, lab.Event](t, lab.New)
	s.When(lab.Propose{Host: domaintest.ID(99), Level: "city"}, on("2020-01-10")).
		ThenRefused(domain.Invalid, "host", "level", "names")
	for _, host := range []domain.EntityRef{oxford, siemens} {
		p := propose
		p.Host = host.ID
		at := []string{"host"}
		if host.Kind != "university" {
			at = append(at, "host")
		}
		s.When(p, on("2020-01-10")).ThenRefused(domain.Invalid, at...)
	}
	p := propose
	p.Names = []domain.Name{{Text: "Labor", Lang: "de", Kind: domain.Official},
		{Text: " ", Lang: "Chinese", Kind: "nick"}}
	s.When(p, on("2020-01-10")).ThenRefused(domain.Invalid, "names", "names[1].text", "names[1].lang", "names[1].kind")
	s.When(propose, on("2020-01-10")).Then(lab.Proposed{
		Programme: lab.DefaultProgramme, Level: lab.MinistryLevel, Names: propose.Names, Host: nanjing,
		Discipline: propose.Discipline,
	})
	s.When(propose, on("2020-01-11")).ThenRefused(domain.Exists)
	if l := s.State(); l.Status != lab.StatusProposed || l.StatusSince != partial("2020-01-10") ||
		l.Name() != domain.T(propose.Names[0].Text, propose.Names[1].Text) {
		t.Errorf("%s since %s: %+v", l.Status, l.StatusSince, l.Name())
	}
}

func TestRenameLab(t *testing.T) {
	name := func(text, lang string, kind domain.NameKind, from string) lab.Rename {
		return lab.Rename{Name: domain.Name{Text: text, Lang: lang, Kind: kind}, From: date(from)}
	}
	s := proposed(t)
	s.When(lab.Rename{}, on("2021-01-01")).ThenRefused(domain.Invalid, "name.text", "name.lang", "name.kind", "from")
	s.When(name(propose.Names[1].Text, "en", domain.Official, "2021-01-01"), on("2021-01-01")).
		ThenRefused(domain.Invalid, "name.text")
	backwards := name("Other", "en", domain.Acronym, "2021-01-01")
	backwards.Name.Valid.To = partial("2020")
	s.When(backwards, on("2021-01-01")).ThenRefused(domain.Invalid, "name.valid.to")
	play(s, step{"2021-01-01", name("JIRLA", "en", domain.Acronym, "2021-01-01")},
		step{"2021-06-01", name("Laboratory of Astronomy", "en", domain.Official, "2021-06-01")})
	l := s.State()
	if l.Name().En != "Laboratory of Astronomy" || l.Name().Zh != propose.Names[0].Text ||
		l.Names[1].Valid.To != partial("2021-05-31") || !l.Names[2].Valid.To.IsZero() {
		t.Errorf("%+v", l.Names)
	}
	// It cannot begin before the name it ends.
	s.When(name("Earlier", "en", domain.Official, "2021-06-01"), on("2021-07-01")).ThenRefused(domain.Invalid, "from")
}

func TestCorrection(t *testing.T) {
	s := play(agreed(t), step{"2020-05-01", lab.StartIncubation{On: date("2020-03-10")}})
	n := len(s.History())
	correct := func(on_ string) lab.Event {
		e := s.History()[n-1].Event.(lab.IncubationStarted)
		e.On = date(on_)
		return lab.Corrected{Correction: domain.Correction{Corrects: domaintest.Event(n - 1),
			With: domain.Restated{Event: e}}}
	}
	began := func() string { return s.State().Incubation.String() }
	s.GivenOn(on("2020-06-01"), correct("2020-03-11"))
	if began() != "2020-03-11" {
		t.Errorf("incubation began on %s", began())
	}
	play(s, step{"2020-06-02", lab.SetDiscipline{Discipline: domain.T("物理学", "physics")}})
	s.GivenOn(on("2020-06-03"), correct("2020-03-12")) // the last correction of an event holds
	if l := s.State(); began() != "2020-03-12" || len(l.Moves) != 1 || l.Discipline.En != "physics" ||
		l.Moves[0].Event != domaintest.Event(n-1) {
		t.Errorf("%+v", l.Moves)
	}
	if len(s.History()) != n+3 || s.History()[n-1].Event.(lab.IncubationStarted).On != date("2020-03-10") {
		t.Error("the history does not show what it showed")
	}
	if got := s.History()[n].Event.Sentence(); got.En != "Corrected an earlier entry, which should read: On 2020-03-11 incubation began (proposed → incubating)" ||
		got.Zh != "更正此前的登记，应为：2020-03-11，开始培育组建（筹备登记→培育组建）" {
		t.Errorf("%+v", got)
	}
}
