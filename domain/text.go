package domain

import "strings"

// Text is one thing said in Chinese and in English. Either may be absent where
// only one is known; an empty Text says nothing.
type Text struct {
	Zh string `json:"zh,omitempty" doc:"in Chinese" maxLength:"4000"`
	En string `json:"en,omitempty" doc:"in English" maxLength:"4000"`
}

// T is a Text in both languages.
func T(zh, en string) Text { return Text{Zh: zh, En: en} }

// IsZero reports whether nothing is said in either language.
func (t Text) IsZero() bool { return t == Text{} }

// Chinese returns the Chinese text, or the English where there is no Chinese.
func (t Text) Chinese() string {
	if t.Zh != "" {
		return t.Zh
	}
	return t.En
}

// English returns the English text, or the Chinese where there is no English.
func (t Text) English() string {
	if t.En != "" {
		return t.En
	}
	return t.Zh
}

// Trimmed removes the white space around both texts.
func (t Text) Trimmed() Text {
	return Text{Zh: strings.TrimSpace(t.Zh), En: strings.TrimSpace(t.En)}
}
