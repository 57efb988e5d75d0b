package entity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// Assertion is an identifier and where it was seen.
type Assertion struct {
	domain.Identifier
	Source string `json:"source,omitempty" doc:"Where the identifier was seen: a certificate, a register, a page" maxLength:"1000"`
}

// Identifier is an identifier of the entity with those who vouch for it. Two
// people who found it in two places prove more than a valid check digit.
type Identifier struct {
	Assertion
	AssertedBy   string          `json:"asserted_by" zh:"声明人" en:"asserted by"` // the subject of the actor who recorded it
	CorrectedBy  []string        `json:"corrected_by,omitempty"`                // and of those who corrected that entry
	Corroborated []Corroboration `json:"corroborated,omitempty" zh:"佐证" en:"corroboration"`
	Withdrawn    *Withdrawal     `json:"withdrawn,omitempty"`
}

// Corroboration is the finding of a further person that an identifier is right.
type Corroboration struct {
	Source      string      `json:"source"`
	By          string      `json:"by"`
	CorrectedBy []string    `json:"corrected_by,omitempty"`
	On          domain.Date `json:"on"`
}

// Withdrawal is the end of an identifier, with its reason.
type Withdrawal struct {
	Reason string      `json:"reason" zh:"理由" en:"reason"`
	By     string      `json:"by"`
	On     domain.Date `json:"on"`
}

// canonical returns id in its canonical form, and reports to c an identifier that
// is malformed or identifies a person. at is the path of the identifier in the
// request, up to its own fields.
func canonical(c *domain.Check, at string, id domain.Identifier) domain.Identifier {
	if id.Scheme == domain.ORCID {
		c.Require(false, at+"scheme", "ORCID 是个人标识符；法人请使用 USCC、ROR、ISNI 或 LEI",
			"ORCID identifies people; for a legal entity give its USCC, ROR, ISNI or LEI")
		return id
	}
	tidied, err := id.Canonical()
	if err != nil && !id.Scheme.Known() {
		c.Require(false, at+"scheme", "未知的标识符类别“%s”；请使用 USCC、ROR、ISNI、LEI、GRID、WIKIDATA、FUNDREF 或 org-id.guide 前缀，如 GB-COH",
			"the scheme %q is unknown; use USCC, ROR, ISNI, LEI, GRID, WIKIDATA, FUNDREF or an org-id.guide prefix such as GB-COH", id.Scheme)
		return id
	}
	c.Require(err == nil, at+"value", "标识符“%[1]s”不正确，请与证书或登记网站核对（%[2]v）", "%[2]v", id.Value, err)
	return tidied
}

// checkAssertions returns the identifiers in canonical form, and reports to c
// those at fault and duplicates.
func checkAssertions(c *domain.Check, assertions []Assertion) []Assertion {
	var checked []Assertion
	for i, a := range assertions {
		at := fmt.Sprintf("identifiers[%d].", i)
		a.Identifier, a.Source = canonical(c, at, a.Identifier), strings.TrimSpace(a.Source)
		twice := slices.ContainsFunc(checked, func(b Assertion) bool { return b.Identifier == a.Identifier })
		c.Require(!twice, at+"value", "标识符 %s 重复；请删去其中一项", "%s is there already; leave the second one out", a.Identifier)
		checked = append(checked, a)
	}
	return checked
}

// identifier returns the index of an identifier that is not withdrawn, or -1.
func (e *Entity) identifier(id domain.Identifier) int {
	return slices.IndexFunc(e.Identifiers, func(i Identifier) bool { return i.Identifier == id && i.Withdrawn == nil })
}

// named returns the identifier that a command names and its index, or the refusal
// where the entity has none that is not withdrawn.
func (e *Entity) named(c *domain.Check, id domain.Identifier) (domain.Identifier, int, error) {
	id = canonical(c, "", id)
	if err := c.Err(); err != nil {
		return id, -1, err
	}
	i := e.identifier(id)
	if i < 0 {
		return id, i, domain.Reject(domain.NotFound, "该法人没有有效的标识符 %s；请核对，或先登记该标识符",
			"the entity has no identifier %s that stands; check it, or assert it first", id)
	}
	return id, i, nil
}

// checkSource returns the source without white space around it, and requires one.
func checkSource(c *domain.Check, source string) string {
	source = strings.TrimSpace(source)
	c.Require(source != "", "source", "请填写来源，如证书、登记网站或网页", "say where it was seen: a certificate, a register, a page")
	return source
}
