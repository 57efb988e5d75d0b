package entity_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
)

func TestAddName(t *testing.T) {
	thu := name("en", "THU", domain.Acronym)
	s := given(t, tsinghua).
		When(entity.AddName{Name: name("en", " THU", domain.Acronym)}, today).Then(entity.NameAdded{Name: thu}).
		When(entity.AddName{Name: thu}, today).ThenRefused(domain.Invalid, "name.text").
		When(entity.AddName{Name: name("en", "Tsing Hua University", domain.Official)}, today).
		ThenRefused(domain.Invalid, "name.kind").
		When(entity.AddName{Name: domain.Name{Text: "THU", Lang: "中文", Valid: period("", "2030")}}, today).
		ThenRefused(domain.Invalid, "name.lang", "name.kind", "name.valid.to")
	if got := s.State().DisplayName(); got != domain.T("清华大学", "Tsinghua University") {
		t.Errorf("the display name became %v", got)
	}
}

func TestAddEarlierOfficialName(t *testing.T) {
	imperial := domain.Name{Text: "清华学堂", Lang: "zh", Kind: domain.Official, Valid: period("1911", "1912")}
	renamed := entity.Renamed{Lang: "zh", From: "清华学校", To: "清华大学", On: date("1928")}
	old := entity.Registered{Kind: entity.University, Country: "CN", Names: []domain.Name{
		{Text: "清华学校", Lang: "zh", Kind: domain.Official, Valid: period("1912", "")},
	}}
	given(t, old, renamed).When(entity.AddName{Name: imperial}, today).Then(entity.NameAdded{Name: imperial})
}

func TestRename(t *testing.T) {
	for on, until := range map[string]string{"2023-01-01": "2022-12-31", "2023-03": "2023-03", "2023": "2023"} {
		s := given(t, tsinghua).
			When(entity.Rename{Lang: "en", Name: "Qinghua  University", On: date(on)}, today).
			Then(entity.Renamed{Lang: "en", From: "Tsinghua University", To: "Qinghua University", On: date(on)})
		names := s.State().Names
		if got := names[1].Valid; got != period("", until) {
			t.Errorf("renamed on %s, the old name holds %v", on, got)
		}
		if got := names[3]; got.Valid != period(on, "") || got.Kind != domain.Official {
			t.Errorf("renamed on %s, the new name is %+v", on, got)
		}
		if got := s.State().DisplayName(); got != domain.T("清华大学", "Qinghua University") {
			t.Errorf("the display name is %v", got)
		}
	}
}

func TestRenameBack(t *testing.T) {
	s := given(t, tsinghua).
		When(entity.Rename{Lang: "en", Name: "Qinghua University", On: date("2023")}, today).ThenAccepted().
		When(entity.Rename{Lang: "en", Name: "Tsinghua University", On: date("2024")}, today).ThenAccepted()
	if got := s.State().DisplayName().En; got != "Tsinghua University" {
		t.Errorf("the display name is %q", got)
	}
}

func TestRenameValidation(t *testing.T) {
	s := given(t, tsinghua, entity.Renamed{Lang: "zh", From: "清华大学", To: "清华", On: date("2024-01-01")})
	for reason, c := range map[string]struct {
		cmd entity.Rename
		at  []string
	}{
		"no new name": {entity.Rename{Lang: "zh", Name: " ", On: date("2024")},
			[]string{"name"}},
		"the name it has": {entity.Rename{Lang: "zh", Name: "清华", On: date("2024")}, []string{"name"}},
		"a language without official name": {entity.Rename{Lang: "de", Name: "Tsinghua", On: date("2024")},
			[]string{"lang"}},
		"no date":                            {entity.Rename{Lang: "zh", Name: "清华大学"}, []string{"on"}},
		"a date to come":                     {entity.Rename{Lang: "zh", Name: "清华大学", On: date("2024-05-21")}, []string{"on"}},
		"the day the present name started":   {entity.Rename{Lang: "zh", Name: "清华大学", On: date("2024-01-01")}, []string{"on"}},
		"a year before that":                 {entity.Rename{Lang: "zh", Name: "清华大学", On: date("2023")}, []string{"on"}},
		"everything wrong at once, together": {entity.Rename{}, []string{"lang", "name", "on"}},
	} {
		t.Run(reason, func(*testing.T) { s.When(c.cmd, today).ThenRefused(domain.Invalid, c.at...) })
	}
}
