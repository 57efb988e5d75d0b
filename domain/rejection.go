package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Kind classifies a refusal by what the sender can do about it.
type Kind string

// The kinds of refusal.
const (
	Invalid  Kind = "invalid"   // the request itself is wrong: correct it
	NotFound Kind = "not-found" // it names something the register does not hold
	Refused  Kind = "refused"   // a rule of the programme is not met
	State    Kind = "state"     // the thing is not in a state that allows it
	Exists   Kind = "exists"    // it is already there

	Forbidden Kind = "forbidden" // it is not the sender's to ask for
)

// Rejection is the refusal of a command with every fault and every unmet rule.
type Rejection struct {
	Kind     Kind         `json:"kind"`
	Detail   Text         `json:"detail"`
	Fields   []FieldError `json:"fields,omitempty"`   // every field at fault, not only the first
	Findings []Finding    `json:"findings,omitempty"` // every rule not met, not only the first

	// Decisions are the events to acknowledge, where the command takes the support
	// from steps that were taken.
	Decisions []uuid.UUID `json:"decisions,omitempty"`
}

// FieldError is a value that cannot be accepted. Path names it as the request
// does: parties[1].entity.
type FieldError struct {
	Path    string `json:"path"`
	Message Text   `json:"message"`
}

// Finding is the result of one rule for one aggregate on one day.
type Finding struct {
	Rule     string      `json:"rule" doc:"Clause row, e.g. C62"`
	Clause   string      `json:"clause" doc:"Section of the programme document, e.g. 五(二)"`
	Quote    string      `json:"quote" doc:"The clause, word for word; empty where the rule is the register's own reading"`
	Text     Text        `json:"text" doc:"What the rule asks"`
	Met      bool        `json:"met"`
	Missing  []Text      `json:"missing,omitempty" doc:"What is still missing"`
	Proof    []uuid.UUID `json:"proof,omitempty" doc:"Ids of the events that show it is met"`
	Earliest Date        `json:"earliest,omitzero" doc:"The first day it could be met, where only time is missing"`
}

// Error returns the refusal in English with every fault and unmet rule.
func (r *Rejection) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", r.Kind, r.Detail.English())
	for _, f := range r.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Path, f.Message.English())
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "; %s", f.Rule)
		if f.Quote != "" {
			fmt.Fprintf(&b, "「%s」", f.Quote)
		}
		for _, m := range f.Missing {
			fmt.Fprintf(&b, " %s", m.English())
		}
	}
	return b.String()
}

// Reject returns a Rejection without fields or findings.
func Reject(kind Kind, zh, en string, args ...any) *Rejection {
	return &Rejection{Kind: kind, Detail: Textf(zh, en, args...)}
}

// Textf returns both texts formatted with the same arguments. A Text among them,
// or a value with a Text method, gives its Chinese to the first and its English
// to the second.
func Textf(zh, en string, args ...any) Text {
	if len(args) == 0 {
		return Text{zh, en}
	}
	zhArgs, enArgs := make([]any, len(args)), make([]any, len(args))
	for i, a := range args {
		zhArgs[i], enArgs[i] = a, a
		if t, ok := a.(interface{ Text() Text }); ok {
			a = t.Text()
		}
		if t, ok := a.(Text); ok {
			zhArgs[i], enArgs[i] = t.Chinese(), t.English()
		}
	}
	return Text{fmt.Sprintf(zh, zhArgs...), fmt.Sprintf(en, enArgs...)}
}

// Unmet returns the Rejection for the findings that are not met, or nil where all are.
func Unmet(findings []Finding) error {
	var unmet []Finding
	for _, f := range findings {
		if !f.Met {
			unmet = append(unmet, f)
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	return &Rejection{
		Kind:     Refused,
		Detail:   Textf("有 %d 项条件尚未满足", "conditions of the programme not met: %d", len(unmet)),
		Findings: unmet,
	}
}

// Check gathers every field error of a command before it is refused.
// The zero Check is ready to use.
type Check struct{ fields []FieldError }

// Require records a field error unless ok.
func (c *Check) Require(ok bool, path, zh, en string, args ...any) {
	if !ok {
		c.fields = append(c.fields, FieldError{path, Textf(zh, en, args...)})
	}
}

// Text requires a text in at least one language.
func (c *Check) Text(path string, t Text) {
	c.Require(!t.Trimmed().IsZero(), path, "请用中文或英文填写", "say it in Chinese or English, better in both")
}

// floor is the first day that a command may give: that on which the People's
// Republic was founded. An earlier year is a slip of the keyboard.
var floor = NewDate(1949, 10, 1)

// Given requires a date, and none before 1949-10-01.
func (c *Check) Given(path string, d Date) {
	c.Require(!d.IsZero(), path, "请填写日期（YYYY-MM-DD）", "give the date as YYYY-MM-DD")
	c.Require(d.IsZero() || !d.Before(floor), path, "日期 %s 早于 %s；请核对年份", "%s is before %s; check the year", d, floor)
}

// NotFuture requires a date that is not after today: facts cannot be recorded
// before they happen.
func (c *Check) NotFuture(path string, d, today Date) {
	c.Given(path, d)
	c.Require(!d.After(today), path, "日期 %s 尚未到来；今天是 %s", "%s is in the future; today is %s", d, today)
}

// ParseDigest returns the SHA-256 digest written as sha256:<64 lower-case hex
// digits>, and reports whether s is one.
func ParseDigest(s string) (digest [sha256.Size]byte, ok bool) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(digits) != 2*len(digest) || strings.Trim(digits, "0123456789abcdef") != "" {
		return digest, false
	}
	_, err := hex.Decode(digest[:], []byte(digits))
	return digest, err == nil
}

// Digest requires a digest as ParseDigest reads it; an empty one is accepted only
// where optional.
func (c *Check) Digest(path, digest string, optional bool) {
	if digest == "" && optional {
		return
	}
	_, ok := ParseDigest(digest)
	c.Require(ok, path,
		"请填写文件摘要 sha256:<64 位小写十六进制>", "give the document's digest as sha256:<64 lower-case hex digits>")
}

// Err returns the Rejection for what was gathered, or nil.
func (c *Check) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Rejection{
		Kind:   Invalid,
		Detail: Textf("有 %d 处填写有误", "values at fault: %d", len(c.fields)),
		Fields: c.fields,
	}
}
