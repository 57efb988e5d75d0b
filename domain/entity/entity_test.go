package entity_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
)

type scenario = domaintest.Scenario[*entity.Entity, entity.Event]

func given(t *testing.T, events ...entity.Event) *scenario {
	t.Helper()
	return domaintest.New(t, entity.New).Given(events...)
}

func name(lang, text string, kind domain.NameKind) domain.Name {
	return domain.Name{Text: text, Lang: lang, Kind: kind}
}

func date(s string) domain.PartialDate {
	d, err := domain.ParsePartialDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func period(from, to string) (p domain.PartialPeriod) {
	if from != "" {
		p.From = date(from)
	}
	if to != "" {
		p.To = date(to)
	}
	return p
}

func identifier(scheme domain.Scheme, value string) domain.Identifier {
	return domain.Identifier{Scheme: scheme, Value: value}
}

var (
	today = domaintest.On("2024-05-20")

	ror  = identifier(domain.ROR, "https://ror.org/03cve4549")
	isni = identifier(domain.ISNI, "0000 0001 0662 3178")

	tsinghua = entity.Registered{
		Kind: entity.University, Country: "CN", Established: date("1911"),
		Names: []domain.Name{
			name("zh", "清华大学", domain.Official),
			name("en", "Tsinghua University", domain.Official),
			{Text: "国立清华大学", Lang: "zh", Kind: domain.Former, Valid: period("1928", "1949")},
		},
		Identifiers: []entity.Assertion{{Identifier: ror, Source: "ror.org"}},
	}
	rennes1 = domain.EntityRef{ID: domaintest.ID(1), Name: domain.T("雷恩大学", "Université de Rennes"), Kind: "university", Country: "FR", Side: domain.Foreign}
)

func TestRegister(t *testing.T) {
	s := given(t).When(entity.Register{
		Kind: tsinghua.Kind, Country: "CN", Established: date("1911"),
		Names: []domain.Name{
			name("zh", " 清华大学 ", domain.Official),
			name("en", "Tsinghua  University", domain.Official),
			tsinghua.Names[2],
		},
		Identifiers: []entity.Assertion{{Identifier: identifier(domain.ROR, "03CVE4549"), Source: " ror.org "}},
	}, today).Then(tsinghua)

	e := s.State()
	want := domain.EntityRef{
		ID: domaintest.Aggregate, Name: domain.T("清华大学", "Tsinghua University"),
		Kind: "university", Country: "CN", Side: domain.Chinese, Identifiers: []domain.Identifier{ror},
		Founded: domain.MustDate("1911-01-01"),
	}
	if diff := cmp.Diff(want, e.Ref(), domaintest.Same); diff != "" {
		t.Errorf("Ref (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"清华大学", "Tsinghua University", "国立清华大学"}, e.AllNames()); diff != "" {
		t.Errorf("AllNames (-want +got):\n%s", diff)
	}
	if e.Identifiers[0].AssertedBy != "officer" {
		t.Errorf("the identifier is asserted by %q", e.Identifiers[0].AssertedBy)
	}
}

func TestRegisteredSentence(t *testing.T) {
	want := domain.T("登记法人“清华大学”（高等学校，CN），成立时间 1911，ROR:https://ror.org/03cve4549",
		"Registered the legal entity “Tsinghua University” (university, CN), established 1911, ROR:https://ror.org/03cve4549")
	if got := tsinghua.Sentence(); got != want {
		t.Errorf("it reads %v", got)
	}
}

func TestIdentifierSourceDefault(t *testing.T) {
	cmd := entity.Register{
		Kind: entity.University, Country: "CN", Names: tsinghua.Names,
		Identifiers: []entity.Assertion{{Identifier: ror}},
	}
	cmd.Basis.Source = "organisations.csv, row 28"
	s := given(t).When(cmd, today).ThenAccepted()
	if got := s.State().Identifiers[0].Source; got != "organisations.csv, row 28" {
		t.Errorf("source %q", got)
	}
}

func TestRegisterValidation(t *testing.T) {
	type change = func(*entity.Register)
	for reason, c := range map[string]struct {
		change change
		at     []string
	}{
		"an unknown kind":               {func(r *entity.Register) { r.Kind = "club" }, []string{"kind"}},
		"a country in lower case":       {func(r *entity.Register) { r.Country = "cn" }, []string{"country"}},
		"a country never assigned":      {func(r *entity.Register) { r.Country = "UK" }, []string{"country"}},
		"no name":                       {func(r *entity.Register) { r.Names = nil }, []string{"names"}},
		"no name in Chinese or English": {func(r *entity.Register) { r.Names = []domain.Name{name("de", "Universität", domain.Official)} }, []string{"names"}},
		"a name without text": {func(r *entity.Register) { r.Names[1].Text = " " },
			[]string{"names[1].text"}},
		"a name without language": {func(r *entity.Register) { r.Names[1].Lang = "" }, []string{"names[1].lang"}},
		"a name of unknown kind":  {func(r *entity.Register) { r.Names[0].Kind = "nick" }, []string{"names[0].kind"}},
		"a name that ends before it begins": {
			func(r *entity.Register) { r.Names[2].Valid = period("1949", "1928") }, []string{"names[2].valid.to"},
		},
		"a name from the future": {func(r *entity.Register) { r.Names[0].Valid = period("2025", "") },
			[]string{"names[0].valid.from"}},
		"a name given twice": {
			func(r *entity.Register) { r.Names = append(r.Names, name("zh", "清华大学", domain.Short)) }, []string{"names[3].text"},
		},
		"two official names in one language": {
			func(r *entity.Register) { r.Names = append(r.Names, name("zh", "清华", domain.Official)) }, []string{"names[3].kind"},
		},
		"an identifier with a wrong check digit": {
			func(r *entity.Register) { r.Identifiers[0].Value = "https://ror.org/03cve4548" },
			[]string{"identifiers[0].value"},
		},
		"an unknown scheme": {func(r *entity.Register) { r.Identifiers[0].Scheme = "DUNS" },
			[]string{"identifiers[0].scheme"}},
		"an identifier of a person": {
			func(r *entity.Register) {
				r.Identifiers[0].Identifier = identifier(domain.ORCID, "0000-0002-1825-0097")
			},
			[]string{"identifiers[0].scheme"},
		},
		"an identifier given twice, in two forms": {
			func(r *entity.Register) {
				r.Identifiers = append(r.Identifiers, entity.Assertion{Identifier: identifier(domain.ROR, "03cve4549")})
			}, []string{"identifiers[1].value"},
		},
		"a founding in the future": {func(r *entity.Register) { r.Established = date("2024-06") },
			[]string{"established"}},
		"everything wrong at once": {
			func(r *entity.Register) { *r = entity.Register{Names: []domain.Name{{}}} },
			[]string{"kind", "country", "names", "names[0].text", "names[0].lang", "names[0].kind"},
		},
	} {
		t.Run(reason, func(t *testing.T) {
			cmd := entity.Register{
				Kind: tsinghua.Kind, Country: tsinghua.Country, Established: tsinghua.Established,
				Names:       append([]domain.Name{}, tsinghua.Names...),
				Identifiers: append([]entity.Assertion{}, tsinghua.Identifiers...),
			}
			c.change(&cmd)
			given(t).When(cmd, today).ThenRefused(domain.Invalid, c.at...)
		})
	}
}

func TestRegisterTwice(t *testing.T) {
	given(t, tsinghua).When(entity.Register{}, today).ThenRefused(domain.Exists)
}

func TestUnregisteredEntity(t *testing.T) {
	for _, cmd := range []entity.Command{
		entity.AddName{}, entity.Rename{}, entity.AssertIdentifier{}, entity.CorroborateIdentifier{},
		entity.WithdrawIdentifier{}, entity.SucceedEntity{}, entity.MergeEntity{}, entity.CloseEntity{},
	} {
		given(t).When(cmd, today).ThenRefused(domain.NotFound)
	}
}

func TestCorrectRegistration(t *testing.T) {
	right := tsinghua
	right.Established = date("1911-04-29")
	s := given(t, tsinghua, entity.NameAdded{Name: name("en", "THU", domain.Acronym)},
		entity.Corrected{Correction: domain.Correction{Corrects: domaintest.Event(0),
			With: domain.Restated{Event: right}}})
	e := s.State()
	if e.Established != date("1911-04-29") || len(e.Names) != 4 {
		t.Errorf("established %s with the names %v", e.Established, e.AllNames())
	}
}

func TestApplyCorrectionPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("applied without notice")
		}
	}()
	entity.New(uuid.Nil).Apply(domain.RecordedEvent[entity.Event]{Event: entity.Corrected{}})
}

func TestCountries(t *testing.T) {
	n := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if entity.IsCountry(string([]rune{a, b})) {
				n++
			}
		}
	}
	if n != 249 {
		t.Errorf("%d codes are countries; ISO 3166-1 assigns 249", n)
	}
	for _, code := range []string{"", "C", "EU", "XK", "D ", " A", "CN ", "CHN"} {
		if entity.IsCountry(code) {
			t.Errorf("%q is taken for a country", code)
		}
	}
}
