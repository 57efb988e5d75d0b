package projections

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Chinese is written without spaces, and SQLite's trigrams do not match words of
// two characters. So the index holds each run of Chinese characters as its
// overlapping pairs and its last character: 清华大学 becomes 清华 华大 大学 学. A
// word of two or more characters is a phrase of pairs; a single character is the
// prefix of a pair or a last character. Phrases never span two texts, because the
// last character separates them.

// ideographic reports whether r is written without spaces between words.
func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// terms calls each with the words of text: runs of ideographs, or of other letters
// and digits.
func terms(text string, each func(word []rune, ideographs bool)) {
	var word []rune
	kind := false
	end := func() {
		if len(word) > 0 {
			each(word, kind)
			word = word[:0]
		}
	}
	for _, r := range norm.NFKC.String(text) {
		switch {
		case ideographic(r):
			if !kind {
				end()
			}
			kind, word = true, append(word, r)
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) && !kind && len(word) > 0:
			if kind {
				end()
			}
			kind, word = false, append(word, r)
		default:
			end()
		}
	}
	end()
}

// segment returns texts as they are written to the index.
func segment(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		terms(text, func(word []rune, ideographs bool) {
			if !ideographs {
				b.WriteString(string(word))
				b.WriteByte(' ')
				return
			}
			for i := range word {
				b.WriteString(string(word[i:min(i+2, len(word))]))
				b.WriteByte(' ')
			}
		})
	}
	return b.String()
}

// matchQuery returns the FTS query for what a person typed: all words must match,
// each as a prefix. Words hold only letters and digits and are quoted, so no input
// is query syntax. The query is empty if the input has no words.
func matchQuery(typed string) string {
	var b strings.Builder
	terms(typed, func(word []rune, ideographs bool) {
		if b.Len() > 0 {
			b.WriteString(" AND ")
		}
		b.WriteByte('"')
		if !ideographs || len(word) == 1 {
			b.WriteString(string(word) + `"*`)
			return
		}
		for i := range word[:len(word)-1] {
			b.WriteString(string(word[i:i+2]) + " ")
		}
		b.WriteByte('"')
	})
	return b.String()
}
