package domain

import "strings"

// Text is a text in Chinese and in English. Either may be absent where only the
// other is known.
type Text struct {
	Zh string `json:"zh,omitempty" doc:"in Chinese" maxLength:"4000" zh:"中文" en:"in Chinese"`
	En string `json:"en,omitempty" doc:"in English" maxLength:"4000" zh:"英文" en:"in English"`
}

// T returns a Text in both languages.
func T(zh, en string) Text { return Text{Zh: zh, En: en} }

// IsZero reports whether the text is empty in both languages.
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

// Trimmed returns the text without the white space around either language.
func (t Text) Trimmed() Text {
	return Text{Zh: strings.TrimSpace(t.Zh), En: strings.TrimSpace(t.En)}
}
