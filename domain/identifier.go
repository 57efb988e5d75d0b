package domain

import (
	"fmt"
	"regexp"
	"strings"
)

// Scheme names a system of identifiers: one of those below, or a prefix of the
// org-id.guide register (CN-USCI, GB-COH, GB-UKPRN …). The latter have no common
// check digit, so only their form is verified.
type Scheme string

// The schemes whose check digits are verified.
const (
	USCC  Scheme = "USCC"  // 统一社会信用代码, GB 32100-2015
	LEI   Scheme = "LEI"   // ISO 17442
	ROR   Scheme = "ROR"   // Research Organization Registry
	ISNI  Scheme = "ISNI"  // ISO 27729
	ORCID Scheme = "ORCID" // for people; a range of ISNI
)

// The schemes that have a form of their own but no check digit.
const (
	GRID     Scheme = "GRID"     // Global Research Identifier Database, closed in 2021
	Wikidata Scheme = "WIKIDATA" // item numbers
	FundRef  Scheme = "FUNDREF"  // Crossref Funder Registry
)

var forms = map[Scheme]*regexp.Regexp{
	GRID:     regexp.MustCompile(`^grid\.[0-9]{4,6}\.[0-9a-f]{1,2}$`),
	Wikidata: regexp.MustCompile(`^Q[1-9][0-9]{0,11}$`),
	FundRef:  regexp.MustCompile(`^[0-9]{6,14}$`),
}

// Known reports whether any value could be valid in the scheme.
func (s Scheme) Known() bool {
	switch s {
	case USCC, LEI, ROR, ISNI, ORCID, GRID, Wikidata, FundRef:
		return true
	}
	return orgID.MatchString(string(s))
}

// Identifier is a value in a scheme, in the scheme's canonical form.
type Identifier struct {
	Scheme Scheme `json:"scheme" doc:"USCC, LEI, ROR, ISNI, ORCID, GRID, WIKIDATA, FUNDREF or an org-id.guide prefix such as GB-COH" zh:"标识体系" en:"scheme"`
	Value  string `json:"value" doc:"The identifier" minLength:"1" maxLength:"100"`
}

// String returns SCHEME:value.
func (id Identifier) String() string { return string(id.Scheme) + ":" + id.Value }

var orgID = regexp.MustCompile(`^([A-Z]{2}|XI|XM|XR)-[A-Z0-9_-]{2,20}$`)

// Canonical verifies an identifier and returns it in its scheme's usual form:
// USCC and LEI in upper case, ROR as https://ror.org/…, ISNI and ORCID in
// groups of four. A valid check digit does not prove that the identifier was
// ever issued, and LEI's lets about 1 in 250 single errors pass.
func (id Identifier) Canonical() (Identifier, error) {
	v := strings.TrimSpace(id.Value)
	switch id.Scheme {
	case USCC:
		v = strings.ToUpper(v)
		if err := checkUSCC(v); err != nil {
			return id, err
		}
	case LEI:
		v = strings.ToUpper(v)
		if err := checkLEI(v); err != nil {
			return id, err
		}
	case ROR:
		v = strings.ToLower(v)
		v = strings.TrimPrefix(strings.TrimPrefix(v, "https://"), "ror.org/")
		if err := checkROR(v); err != nil {
			return id, err
		}
		v = "https://ror.org/" + v
	case ISNI, ORCID:
		v = strings.NewReplacer(" ", "", "-", "", "HTTPS://ORCID.ORG/", "", "HTTPS://ISNI.ORG/ISNI/", "").
			Replace(strings.ToUpper(v))
		if err := check11(v); err != nil {
			return id, fmt.Errorf("%s %w", id.Scheme, err)
		}
		sep := " "
		if id.Scheme == ORCID {
			sep = "-"
		}
		v = strings.Join([]string{v[:4], v[4:8], v[8:12], v[12:]}, sep)
	case GRID, Wikidata, FundRef:
		if !forms[id.Scheme].MatchString(v) {
			return id, fmt.Errorf("%q does not look like a %s identifier; compare it with the source",
				id.Value, id.Scheme)
		}
	default:
		if !orgID.MatchString(string(id.Scheme)) {
			return id, fmt.Errorf("scheme %q is unknown; use USCC, LEI, ROR, ISNI, ORCID, GRID, WIKIDATA, FUNDREF or an org-id.guide prefix such as GB-COH", id.Scheme)
		}
		if id.Scheme == "CN-USCI" {
			v = strings.ToUpper(v)
			if err := checkUSCC(v); err != nil {
				return id, err
			}
		}
		if v == "" || len(v) > 100 || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' }) {
			return id, fmt.Errorf("%s identifier %q is empty, too long or holds white space", id.Scheme, id.Value)
		}
	}
	return Identifier{id.Scheme, v}, nil
}

const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // no I O S V Z

// checkUSCC verifies both check characters: the code's own (GB 32100-2015,
// mod 31) and that of the organisation code inside it (GB 11714-1997, mod 11).
func checkUSCC(s string) error {
	if len(s) != 18 {
		return fmt.Errorf("USCC %q has %d characters; a USCC has 18", s, len(s))
	}
	sum, weight := 0, 1
	for i := range 17 {
		v := strings.IndexByte(usccAlphabet, s[i])
		if v < 0 {
			return fmt.Errorf("USCC %q holds %q; a USCC uses digits and capital letters without I, O, S, V and Z", s, s[i])
		}
		if i >= 2 && i < 8 && v > 9 {
			return fmt.Errorf("USCC %q: characters 3 to 8 are the administrative area and must be digits", s)
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	if usccAlphabet[(31-sum%31)%31] != s[17] {
		return fmt.Errorf("USCC %q fails its check character; compare it with the certificate", s)
	}
	sum = 0
	for i, w := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		// GB 11714 counts A as 10 to Z as 35, over all 26 letters.
		v := int(s[8+i] - '0')
		if s[8+i] >= 'A' {
			v = int(s[8+i]-'A') + 10
		}
		sum += v * w
	}
	if "0123456789X0"[11-sum%11] != s[16] {
		return fmt.Errorf("USCC %q: the organisation code in characters 9 to 17 fails its check character; compare it with the certificate", s)
	}
	return nil
}

func checkLEI(s string) error {
	if len(s) != 20 || strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" ||
		strings.Trim(s[18:], "0123456789") != "" {
		return fmt.Errorf("LEI %q must be 18 letters or digits and 2 digits", s)
	}
	if mod97(s) != 1 {
		return fmt.Errorf("LEI %q fails its check digits; compare it with the LEI register", s)
	}
	return nil
}

// mod97 reads letters as 10 to 35 and returns the number modulo 97 (ISO 7064).
func mod97(s string) int {
	n := 0
	for _, r := range s {
		if r >= 'A' {
			n = (n*100 + int(r-'A') + 10) % 97
		} else {
			n = (n*10 + int(r-'0')) % 97
		}
	}
	return n
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

func checkROR(s string) error {
	if len(s) != 9 || s[0] != '0' || strings.Trim(s[7:], "0123456789") != "" {
		return fmt.Errorf("ROR id %q must be 0, six letters or digits, and two digits, as in https://ror.org/02v51f717", s)
	}
	n := 0
	for i := range 7 {
		v := strings.IndexByte(crockford, s[i])
		if v < 0 {
			return fmt.Errorf("ROR id %q holds %q; ROR ids use no i, l, o or u", s, s[i])
		}
		n = n*32 + v
	}
	if fmt.Sprintf("%02d", 98-n*100%97) != s[7:] {
		return fmt.Errorf("ROR id %q fails its check digits; look it up at ror.org", s)
	}
	return nil
}

// check11 verifies ISO 7064 MOD 11-2, the check of ISNI and ORCID.
func check11(s string) error {
	if len(s) != 16 || strings.Trim(s[:15], "0123456789") != "" || strings.Trim(s[15:], "0123456789X") != "" {
		return fmt.Errorf("%q must be 15 digits and a check character", s)
	}
	t := 0
	for i := range 15 {
		t = (t + int(s[i]-'0')) * 2
	}
	if "0123456789X"[(12-t%11)%11] != s[15] {
		return fmt.Errorf("%q fails its check character", s)
	}
	return nil
}
