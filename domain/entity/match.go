package entity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Matcher finds entities by name, for imports whose sources give no
// identifier. Two names match when they differ in no more than case, spacing,
// punctuation, a leading “The”, & for and, diacritics, and the two usual ways
// to write ä, ö, ü, å and ø without them: a name more different than that is
// another name, and belongs in the register as an alias. The zero Matcher
// knows no entity.
type Matcher struct{ byKey map[string][]place }

type place struct {
	id      uuid.UUID
	country string
}

// Add adds an entity under all its names.
func (m *Matcher) Add(id uuid.UUID, country string, names ...string) {
	if m.byKey == nil {
		m.byKey = map[string][]place{}
	}
	for _, name := range names {
		for _, key := range keys(name) {
			if p := (place{id, country}); !slices.Contains(m.byKey[key], p) {
				m.byKey[key] = append(m.byKey[key], p)
			}
		}
	}
}

// Find returns every entity that goes by the name in a source's cell: none
// means unknown, several mean ambiguous. The cell may give a Chinese name and
// another one, as 清华大学 Tsinghua University does; both must then fit. A
// country other than "" leaves out entities elsewhere.
func (m *Matcher) Find(cell, country string) []uuid.UUID {
	found := m.named(cell, country)
	if chinese, other := split(cell); len(found) == 0 && chinese != "" && other != "" {
		found = m.named(chinese, country)
		others := m.named(other, country)
		found = slices.DeleteFunc(found, func(id uuid.UUID) bool { return !slices.Contains(others, id) })
	}
	return found
}

func (m *Matcher) named(name, country string) (ids []uuid.UUID) {
	for _, key := range keys(name) {
		for _, p := range m.byKey[key] {
			if (country == "" || country == p.country) && !slices.Contains(ids, p.id) {
				ids = append(ids, p.id)
			}
		}
	}
	return ids
}

// split returns the Chinese part of a cell, from its first Chinese character to
// its last, and the rest before or after it. Where both sides hold letters, the
// Chinese part is empty and the rest is the cell.
func split(cell string) (chinese, other string) {
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	first, last := strings.IndexFunc(cell, han), strings.LastIndexFunc(cell, han)
	if first < 0 {
		return "", cell
	}
	_, size := utf8.DecodeRuneInString(cell[last:])
	last += size
	before, after := cell[:first], cell[last:]
	switch {
	case !strings.ContainsFunc(before, unicode.IsLetter):
		return cell[first:last], after
	case !strings.ContainsFunc(after, unicode.IsLetter):
		return cell[first:last], before
	}
	return "", cell
}

// plain lists letters with the diacritics they may carry, the plain one first.
var plain = fold("aàáâãäåāăąǎ", "cçćĉċč", "dďđð", "eèéêëēĕėęěẽ", "gĝğġģ", "hĥħ", "iìíîïĩīĭįıǐ", "jĵ", "kķ", "lĺļľłŀ",
	"nñńņňŋ", "oòóôõöøōŏőơǒ", "rŕŗř", "sśŝşšș", "tţťŧț", "uùúûüũūŭůűųưǔ", "wŵ", "yýÿŷ", "zźżž")

func fold(rows ...string) map[rune]string {
	m := map[rune]string{'æ': "ae", 'œ': "oe", 'ß': "ss", 'þ': "th", '&': " and "}
	for _, row := range rows {
		letters := []rune(row)
		for _, r := range letters[1:] {
			m[r] = string(letters[0])
		}
	}
	return m
}

// spelled is how letters are written out where keyboards lack them.
var spelled = map[rune]string{'ä': "ae", 'ö': "oe", 'ü': "ue", 'å': "aa", 'ø': "oe"}

// composed joins the combining marks that spelled needs to know about.
var composed = strings.NewReplacer("a\u0308", "ä", "o\u0308", "ö", "u\u0308", "ü", "a\u030a", "å")

// keys returns a name without the differences that do not count: a key with plain
// letters and, where that gives another, a key with letters written out. Names
// match when they share a key, so Jülich is found by Julich and by Juelich, but
// those two do not find each other.
func keys(name string) []string {
	name = composed.Replace(strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // full-width forms, as Chinese keyboards give them
			r -= '！' - '!'
		}
		return unicode.ToLower(r)
	}, name))
	var bare, full strings.Builder
	for _, r := range name {
		b, ok := plain[r]
		switch {
		case ok, r >= 'ʰ' && r <= '˿': // letters to unicode, but used as apostrophes: Hawaiʻi
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b = string(r)
		case unicode.IsSpace(r):
			b = " "
		}
		f, ok := spelled[r]
		if !ok {
			f = b
		}
		bare.WriteString(b)
		full.WriteString(f)
	}
	var ks []string
	for _, b := range []string{bare.String(), full.String()} {
		words := strings.Fields(b)
		if len(words) > 1 && words[0] == "the" {
			words = words[1:]
		}
		if k := strings.Join(words, ""); k != "" && !slices.Contains(ks, k) {
			ks = append(ks, k)
		}
	}
	return ks
}
