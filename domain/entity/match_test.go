package entity_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain/entity"
)

// organisations returns a matcher that knows testdata/organisations.csv, whose rows
// become ids by their ROR id.
func organisations(t *testing.T) (*entity.Matcher, [][]string) {
	t.Helper()
	f, err := os.Open("testdata/organisations.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var m entity.Matcher
	for _, row := range rows[1:] {
		m.Add(byROR(row[0]), row[3], row[1], row[2])
	}
	return &m, rows[1:]
}

func byROR(id string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://ror.org/"+strings.TrimPrefix(id, "https://ror.org/")))
}

func TestMatcherFindsOrganisations(t *testing.T) {
	m, rows := organisations(t)
	for _, row := range rows {
		for _, cell := range []string{row[1], row[2], row[2] + " " + row[1], row[1] + "（" + row[2] + "）",
			strings.ToUpper(row[1])} {
			if strings.Trim(cell, " （）") == "" {
				continue
			}
			got := m.Find(cell, row[3])
			if len(got) != 1 || got[0] != byROR(row[0]) {
				t.Errorf("%q in %s: found %v", cell, row[3], got)
			}
		}
	}
}

func TestMatcherSpellings(t *testing.T) {
	m, _ := organisations(t)
	for cell, rors := range map[string]string{
		"Forschungszentrum Juelich":                     "02nv7yv05",
		"Forschungszentrum Julich":                      "02nv7yv05",
		"FORSCHUNGSZENTRUM JÜLICH":                      "02nv7yv05",
		"Forschungszentrum Ju\u0308lich":                "02nv7yv05",
		"INSERM":                                        "02vjkv261",
		"University of Melbourne":                       "01ej9dk98",
		"the university of  Melbourne":                  "01ej9dk98",
		"The University of Cambridge":                   "013meh722",
		"Universite de Rennes":                          "015m7wh34",
		"Universite\u0301 de Rennes":                    "015m7wh34",
		"University of Maryland College Park":           "047s2c258",
		"Northwest A & F University":                    "0051rme32",
		"Northwest A and F University":                  "0051rme32",
		"Sun Yat Sen University":                        "0064kty71",
		"Xi’an Jiaotong University":                     "017zhmm22",
		"Xian Jiaotong University":                      "017zhmm22",
		"Philips Netherlands":                           "02p2bgp27",
		"清华大学 Tsinghua University":                      "03cve4549",
		"清华大学Tsinghua University":                       "03cve4549",
		"Tsinghua University (清华大学)":                    "03cve4549",
		"西安交通大学（Xi'an Jiaotong University）":             "017zhmm22",
		" 清华 大学 ":                                       "03cve4549",
		"Ｔｓｉｎｇｈｕａ　Ｕｎｉｖｅｒｓｉｔｙ":                           "03cve4549",
		"Jinan University":                              "02xe5ns62 04bgbsx11", // one in CN, one in LB
		"暨南大学 Jinan University":                         "02xe5ns62",
		"清华大学 Peking University":                        "", // the two parts do not agree
		"清华大学 Tsinghua Universitat":                     "",
		"Universite de Rennes 1":                        "",
		"Université de Rennes II":                       "",
		"Rutgers University":                            "",
		"Royal Philips (company)":                       "",
		"University of Melborne":                        "",
		"Universitaet":                                  "",
		"University of Cambridge; University of Oxford": "",
		"": "", "The": "", " — ": "", "（）": "", "\xff": "",
	} {
		var want []uuid.UUID
		for _, id := range strings.Fields(rors) {
			want = append(want, byROR(id))
		}
		got := m.Find(cell, "")
		same := len(got) == len(want)
		for i := range min(len(got), len(want)) {
			same = same && got[i] == want[i]
		}
		if !same {
			t.Errorf("%q: found %v, want %v (%s)", cell, got, want, rors)
		}
	}
	if got := m.Find("Jinan University", "LB"); len(got) != 1 || got[0] != byROR("04bgbsx11") {
		t.Errorf("Jinan University in LB: found %v", got)
	}
	if got := new(entity.Matcher).Find("清华大学", ""); got != nil {
		t.Errorf("a matcher that knows nobody found %v", got)
	}
}

func TestMatcherTransliteration(t *testing.T) {
	var m entity.Matcher
	a, b := uuid.NewSHA1(uuid.Nil, []byte("a")), uuid.NewSHA1(uuid.Nil, []byte("b"))
	m.Add(a, "DK", "Københavns Universitet", "Technische Universität München", "Université d'Orléans", "Łódź", "Straße", "𠮷野大学")
	m.Add(b, "DE", "Juelich")
	for cell, want := range map[string]uuid.UUID{
		"Kobenhavns Universitet": a, "Koebenhavns Universitet": a, "Technische Universitaet Muenchen": a,
		"Technische Universitat Munchen": a, "Universite d’Orleans": a, "Lodz": a, "STRASSE": a, "𠮷野大学 Straße": a,
		"Jülich": b, "Julich": uuid.Nil,
	} {
		got := m.Find(cell, "")
		if (want == uuid.Nil) != (len(got) == 0) || len(got) > 0 && got[0] != want {
			t.Errorf("%q: found %v", cell, got)
		}
	}
}
