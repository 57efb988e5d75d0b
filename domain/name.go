package domain

import (
	"regexp"
	"strings"
)

// NameKind is the use of a name.
type NameKind string

// The kinds of names.
const (
	Official NameKind = "official"
	Short    NameKind = "short"
	Acronym  NameKind = "acronym"
	Former   NameKind = "former"
	Alias    NameKind = "alias"
)

// Name is a name in one language, for a time. Names change and sources spell
// them differently, so a name is never a key.
type Name struct {
	Text       string        `json:"text" doc:"The name" minLength:"1" maxLength:"400"`
	Lang       string        `json:"lang" doc:"BCP 47 language tag, e.g. zh, en, de" maxLength:"35"`
	Kind       NameKind      `json:"kind" enum:"official,short,acronym,former,alias" doc:"What the name is for"`
	Valid      PartialPeriod `json:"valid,omitzero" doc:"When the name holds, as far as known"`
	Unverified bool          `json:"unverified,omitzero" doc:"The source itself marks the name as not verified" zh:"未核实" en:"unverified"`
}

var langTag = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// Check reports to c a name without text, language or kind, or with a period that
// ends before it begins.
func (n Name) Check(c *Check, path string) {
	c.Require(strings.TrimSpace(n.Text) != "", path+".text", "请填写名称", "give the name")
	c.Require(langTag.MatchString(n.Lang), path+".lang", "请用 BCP 47 语言标签，如 zh、en", "give the language as a BCP 47 tag, e.g. zh or en")
	switch n.Kind {
	case Official, Short, Acronym, Former, Alias:
	default:
		c.Require(false, path+".kind", "名称类别应为 official、short、acronym、former 或 alias", "kind must be official, short, acronym, former or alias")
	}
	c.Require(n.Valid.From.IsZero() || n.Valid.To.IsZero() || !n.Valid.To.Latest().Before(n.Valid.From.Earliest()),
		path+".valid.to",
		"结束日期早于开始日期", "the name's period ends before it begins")
}

// Current returns the official name in Chinese and in English that holds now: the
// last one given in each language that has no end, or failing that any name in it.
func Current(names []Name) Text {
	pick := func(lang string) string {
		best, rank := "", 0
		for _, n := range names {
			if primary, _, _ := strings.Cut(n.Lang, "-"); primary != lang ||
				n.Lang == "zh-Latn" { // pinyin is no Chinese name
				continue
			}
			r := 1
			if n.Kind == Official {
				r = 2
				if n.Valid.To.IsZero() {
					r = 3
				}
			}
			if r >= rank {
				best, rank = n.Text, r
			}
		}
		return best
	}
	return Text{pick("zh"), pick("en")}
}
