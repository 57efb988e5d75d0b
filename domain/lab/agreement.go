package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Class is what an agreement binds its parties to. Only a substantive one
// can carry a lab (C05, C15).
type Class string

// The classes of agreements.
const (
	Substantive Class = "substantive" // 实质性合作协议
	Framework   Class = "framework"   // 框架协议
	MoU         Class = "mou"         // 谅解备忘录
)

// AgreementStatus is the status of an agreement on a day.
type AgreementStatus string

// The statuses of an agreement. EXPIRED follows from the date alone.
const (
	Draft           AgreementStatus = "DRAFT"
	PartiallySigned AgreementStatus = "PARTIALLY_SIGNED"
	InForce         AgreementStatus = "IN_FORCE"
	Expired         AgreementStatus = "EXPIRED"
	Terminated      AgreementStatus = "TERMINATED"
	Superseded      AgreementStatus = "SUPERSEDED"
)

// RenewalGraceDays is how long after its expiry an agreement can still be
// renewed rather than concluded anew (our own reading; the document is silent).
const RenewalGraceDays = 180

// Agreement is a contract between legal entities that founds or carries a lab
// (法人间共建协议; C04, C15, C54).
type Agreement struct {
	ID           string          `json:"id"` // A1, A2 …
	Title        domain.Text     `json:"title"`
	Class        Class           `json:"class,omitempty" zh:"类别" en:"class"` // absent until classified
	Parties      []Party         `json:"parties"`
	Term         domain.Period   `json:"term,omitzero"`
	TermSince    domain.Date     `json:"term_since,omitzero" zh:"现有效期始于" en:"term in effect since"` // of the amendment or renewal that set it
	Languages    []string        `json:"languages,omitempty" zh:"语种" en:"language"`
	GoverningLaw string          `json:"governing_law,omitempty" zh:"适用法律" en:"governing law"`
	Documents    []Document      `json:"documents,omitempty"`
	Signatures   []Signature     `json:"signatures,omitempty"`
	InForceFrom  domain.Date     `json:"in_force_from,omitzero" zh:"生效日" en:"in force from"` // once every party has signed
	Lapses       []domain.Period `json:"lapses,omitempty" zh:"失效日" en:"lapses on"`           // between an expiry and its renewal
	Amendments   []Amendment     `json:"amendments,omitempty" zh:"补充协议" en:"amendment"`
	Ended        AgreementStatus `json:"ended,omitempty"` // TERMINATED or SUPERSEDED
	EndedOn      domain.Date     `json:"ended_on,omitzero" zh:"结束日期" en:"ended on"`
	SupersededBy string          `json:"superseded_by,omitempty"`
	Evidence     []uuid.UUID     `json:"events,omitempty"` // what its standing rests on
}

// Party is a legal entity bound by an agreement.
type Party struct {
	Entity   domain.EntityRef `json:"entity"`
	Role     PartyRole        `json:"role"`
	Joined   domain.Date      `json:"joined,omitzero" zh:"加入日期" en:"joined on"` // absent: from the beginning
	Left     domain.Date      `json:"left,omitzero" zh:"退出日期" en:"left on"`     // the first day it is no longer bound
	Unit     string           `json:"unit,omitempty"`                           // institute that carries out its part
	Succeeds uuid.UUID        `json:"succeeds,omitzero" zh:"承继" en:"succeeds"`  // the party whose place it took, and whose signature binds it
}

// PartyRole is what a party is in the undertaking.
type PartyRole string

// The roles of parties.
const (
	HostParty       PartyRole = "host"
	PartnerParty    PartyRole = "partner"
	EnterpriseParty PartyRole = "enterprise"
)

// Document is one language version of what is signed.
type Document struct {
	Lang   string `json:"lang" doc:"BCP 47 language tag" maxLength:"35"`
	Digest string `json:"digest" doc:"SHA-256 as sha256:<64 hex digits>"`
}

// Signature is one party's.
type Signature struct {
	Party          uuid.UUID     `json:"party"`
	Representative domain.Person `json:"representative" zh:"代表" en:"representative"`
	On             domain.Date   `json:"on"`
	Document       string        `json:"document"`
}

// Amendment is a change every party signs. It takes effect with the last
// signature, or on its own later date.
type Amendment struct {
	No         int           `json:"no"`
	Summary    domain.Text   `json:"summary"`
	Effective  domain.Date   `json:"effective,omitzero"`
	Term       domain.Period `json:"term,omitzero"`
	Accede     []Party       `json:"accede,omitempty" zh:"加入方" en:"acceding party"`
	Documents  []Document    `json:"documents,omitempty"`
	Signatures []Signature   `json:"signatures,omitempty"`
	InForce    domain.Date   `json:"in_force,omitzero" zh:"生效日" en:"in force from"` // once every party has signed
	Evidence   []uuid.UUID   `json:"events,omitempty"`                              // the signatures, until it binds
}

// StatusOn returns the status of the agreement on a day.
func (a *Agreement) StatusOn(d domain.Date) AgreementStatus {
	switch {
	case a.Ended != "" && !d.Before(a.EndedOn):
		return a.Ended
	case a.InForceFrom.IsZero() || d.Before(a.InForceFrom):
		if slices.ContainsFunc(a.Signatures, func(s Signature) bool { return !s.On.After(d) }) {
			return PartiallySigned
		}
		return Draft
	case !a.Term.To.IsZero() && d.After(a.Term.To):
		return Expired
	case slices.ContainsFunc(a.Lapses, func(p domain.Period) bool { return p.Contains(d) }):
		return Expired
	}
	return InForce
}

// PartiesOn returns the parties bound on a day.
func (a *Agreement) PartiesOn(d domain.Date) []Party {
	var bound []Party
	for _, p := range a.Parties {
		if !d.Before(p.Joined) && (p.Left.IsZero() || d.Before(p.Left)) {
			bound = append(bound, p)
		}
	}
	return bound
}

func (a *Agreement) party(id uuid.UUID) *Party {
	for i := range a.Parties {
		if a.Parties[i].Entity.ID == id && a.Parties[i].Left.IsZero() {
			return &a.Parties[i]
		}
	}
	return nil
}

// bound returns the parties that have not left.
func (a *Agreement) bound() []Party {
	return slices.DeleteFunc(slices.Clone(a.Parties), func(p Party) bool { return !p.Left.IsZero() })
}

// signed returns the signature that binds the party with the given id: its
// own, or that of the party whose place it took.
func (a *Agreement) signed(in []Signature, id uuid.UUID) (Signature, bool) {
	for range len(a.Parties) + 1 {
		if i := slices.IndexFunc(in, func(s Signature) bool { return s.Party == id }); i >= 0 {
			return in[i], true
		}
		i := slices.IndexFunc(a.Parties, func(p Party) bool { return p.Entity.ID == id && p.Succeeds != uuid.Nil })
		if i < 0 {
			break
		}
		id = a.Parties[i].Succeeds
	}
	return Signature{}, false
}

func (a *Agreement) amendment(no int) *Amendment {
	i := slices.IndexFunc(a.Amendments, func(m Amendment) bool { return m.No == no })
	if i < 0 {
		return nil
	}
	return &a.Amendments[i]
}

func (l *Lab) agreement(id string) *Agreement {
	for i := range l.Agreements {
		if l.Agreements[i].ID == id {
			return &l.Agreements[i]
		}
	}
	return nil
}

// anAgreement returns an agreement of an open lab that has not ended.
func (l *Lab) anAgreement(id string) (*Agreement, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	a := l.agreement(id)
	if a == nil {
		return nil, domain.Reject(domain.NotFound, "该实验室没有协议 %s", "the lab has no agreement %s", id)
	}
	if a.Ended != "" {
		return nil, domain.Reject(domain.State, "协议 %s 已于 %s 结束（%s），不能再变更", "agreement %s ended on %s (%s) and can no longer change", id, a.EndedOn, a.Ended)
	}
	return a, nil
}

// NewParty names a legal entity that is to be bound.
type NewParty struct {
	Entity uuid.UUID `json:"entity" doc:"The legal entity"`
	Role   PartyRole `json:"role" enum:"host,partner,enterprise" doc:"What it is in the undertaking"`
	Unit   string    `json:"unit,omitempty" doc:"Institute that carries out its part" maxLength:"400"`
}

func parties(x domain.Context, c *domain.Check, path string, in []NewParty) []Party {
	out := make([]Party, len(in))
	for i, p := range in {
		at := fmt.Sprintf("%s[%d]", path, i)
		out[i] = Party{Entity: x.Entity(c, at+".entity", p.Entity), Role: p.Role, Unit: p.Unit}
		c.Require(p.Role == HostParty || p.Role == PartnerParty || p.Role == EnterpriseParty, at+".role",
			"角色应为 host、partner 或 enterprise", "role must be host, partner or enterprise")
		c.Require(!slices.ContainsFunc(in[:i], func(q NewParty) bool { return q.Entity == p.Entity }), at+".entity",
			"同一法人重复出现", "this legal entity is named twice")
	}
	return out
}

func entitiesOf(in []NewParty) []uuid.UUID {
	ids := make([]uuid.UUID, len(in))
	for i, p := range in {
		ids[i] = p.Entity
	}
	return ids
}

func checkDocuments(c *domain.Check, docs []Document) {
	for i, d := range docs {
		c.Digest(fmt.Sprintf("documents[%d].digest", i), d.Digest, false)
		c.Require(d.Lang != "", fmt.Sprintf("documents[%d].lang", i), "请填写语言", "give its language")
	}
}

func checkClass(c *domain.Check, class Class, optional bool) {
	c.Require(class == Substantive || class == Framework || class == MoU || (optional && class == ""), "class",
		"类别应为 substantive、framework 或 mou", "class must be substantive, framework or mou")
}

// DraftAgreement registers the text of an agreement before it is signed.
type DraftAgreement struct {
	domain.Grounds
	Title        domain.Text   `json:"title" doc:"What the agreement is called"`
	Class        Class         `json:"class,omitempty" enum:"substantive,framework,mou" doc:"What it binds its parties to; may be classified later"`
	Parties      []NewParty    `json:"parties" minItems:"2" maxItems:"100" doc:"The legal entities to be bound"`
	Term         domain.Period `json:"term,omitzero" doc:"When it is to hold"`
	Languages    []string      `json:"languages,omitempty" maxItems:"20" doc:"Languages with equal standing"`
	GoverningLaw string        `json:"governing_law,omitempty" maxLength:"400" doc:"The law it is under"`
	Documents    []Document    `json:"documents" minItems:"1" maxItems:"20" doc:"The text to be signed, in each language"`
}

// Reach returns nothing that is on record yet.
func (DraftAgreement) Reach() Reach { return Reach{Act: AnyParty} }

// UsesEntities names the parties.
func (d DraftAgreement) UsesEntities() []uuid.UUID { return entitiesOf(d.Parties) }

// Decide refuses fewer than two parties, and an agreement to which the lab's
// host is not a party, as the host (C04, C78).
func (d DraftAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("title", d.Title)
	checkClass(&c, d.Class, true)
	c.Require(len(d.Parties) >= 2, "parties", "协议至少有两方", "an agreement has at least two parties")
	ps := parties(x, &c, "parties", d.Parties)
	for i, p := range d.Parties {
		c.Require((p.Role == HostParty) == (p.Entity == l.Host.ID), fmt.Sprintf("parties[%d].role", i),
			"依托单位是%s；只有它以 host 身份签约", "the lab's host is %s; it, and no other party, has the role host", l.Host.Name)
	}
	c.Require(slices.ContainsFunc(d.Parties, func(p NewParty) bool { return p.Entity == l.Host.ID }), "parties",
		"协议各方中没有依托单位%s", "the lab's host, %s, is not among the parties", l.Host.Name)
	d.Term.Check(&c, "term")
	c.Require(len(d.Documents) > 0, "documents", "请登记待签文本的摘要", "give the digest of the text to be signed")
	checkDocuments(&c, d.Documents)
	if err := c.Err(); err != nil {
		return nil, err
	}
	id := l.number("A", len(l.Agreements))
	return []Event{AgreementDrafted{
		Agreement: id, Title: d.Title, Class: d.Class, Parties: ps, Term: d.Term,
		Languages: d.Languages, GoverningLaw: d.GoverningLaw, Documents: d.Documents,
	}}, nil
}

// AgreementDrafted records the text of an agreement.
type AgreementDrafted struct {
	Agreement    string        `json:"agreement"`
	Title        domain.Text   `json:"title"`
	Class        Class         `json:"class,omitempty"`
	Parties      []Party       `json:"parties"`
	Term         domain.Period `json:"term,omitzero"`
	Languages    []string      `json:"languages,omitempty"`
	GoverningLaw string        `json:"governing_law,omitempty"`
	Documents    []Document    `json:"documents"`
}

// Sentence returns the event in words.
func (e AgreementDrafted) Sentence() domain.Text {
	return domain.Textf("登记协议 %s“%s”草案，共 %d 方", "Drafted agreement %s, “%s”, between %d parties", e.Agreement, e.Title, len(e.Parties))
}

func (e AgreementDrafted) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementDrafted) apply(l *Lab, _ domain.Meta) {
	l.Agreements = append(l.Agreements, Agreement{
		ID: e.Agreement, Title: e.Title, Class: e.Class, Parties: slices.Clone(e.Parties), Term: e.Term,
		Languages: e.Languages, GoverningLaw: e.GoverningLaw, Documents: e.Documents,
	})
}

// ClassifyAgreement judges what an agreement binds its parties to (C05).
type ClassifyAgreement struct {
	domain.Grounds
	Agreement string `json:"agreement" doc:"e.g. A1"`
	Class     Class  `json:"class" enum:"substantive,framework,mou" doc:"What it binds its parties to"`
}

// Decide refuses the class the agreement has already.
func (d ClassifyAgreement) Decide(l *Lab, _ domain.Context) ([]Event, error) {
	a, err := l.anAgreement(d.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	checkClass(&c, d.Class, false)
	c.Require(a.Class != d.Class, "class", "协议已是该类别", "the agreement is of this class already")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AgreementClassified{d.Agreement, a.Class, d.Class}}, nil
}

// AgreementClassified records a judgement of an agreement's class.
type AgreementClassified struct {
	Agreement string `json:"agreement"`
	From      Class  `json:"from,omitempty"`
	To        Class  `json:"to"`
}

// Sentence returns the event in words.
func (e AgreementClassified) Sentence() domain.Text {
	return domain.Textf("将协议 %s 认定为%s", "Classified agreement %s as %s", e.Agreement, e.To)
}

func (e AgreementClassified) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementClassified) apply(l *Lab, m domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Class = e.To
		a.Evidence = append(a.Evidence, m.ID)
	}
}

// SignAgreement records one party's signature, on the agreement or on one of
// its amendments. A person signs only as a party's representative (C04).
type SignAgreement struct {
	domain.Grounds
	Agreement      string        `json:"agreement" doc:"e.g. A1"`
	Amendment      int           `json:"amendment,omitzero" minimum:"0" doc:"The amendment signed; absent: the agreement itself"`
	Party          uuid.UUID     `json:"party" doc:"The legal entity that signs"`
	Representative domain.Person `json:"representative" doc:"Who signs for it"`
	On             domain.Date   `json:"on" doc:"When"`
	Document       string        `json:"document" doc:"Digest of the text signed: one of those registered"`
}

// Reach returns the agreement and the party, which signs for itself alone.
func (c SignAgreement) Reach() Reach {
	return Reach{Act: Itself, Agreements: []string{c.Agreement}, Party: &c.Party}
}

// UsesEntities names the party, whose identifiers and name are kept as of the signature.
func (s SignAgreement) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Party} }

// Decide refuses a stranger's signature, a second one by the same party, a
// future one, and one on a text that is not the registered one.
func (s SignAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(s.Agreement)
	if err != nil {
		return nil, err
	}
	signers, signatures, documents, from := a.bound(), a.Signatures, a.Documents, a.InForceFrom
	if s.Amendment != 0 {
		m := a.amendment(s.Amendment)
		if m == nil {
			return nil, domain.Reject(domain.NotFound, "协议 %s 没有第 %d 号补充协议", "agreement %s has no amendment %d", s.Agreement, s.Amendment)
		}
		signers, signatures, documents, from = a.signersOf(m), m.Signatures, m.Documents, m.InForce
	}
	if !from.IsZero() {
		return nil, domain.Reject(domain.State, "各方均已签署，自 %s 起生效，无需再签", "every party has signed and it binds from %s; no signature is missing", from)
	}
	var c domain.Check
	ref := x.EntityOn(&c, "party", s.Party, s.On)
	c.Require(slices.ContainsFunc(signers, func(p Party) bool { return p.Entity.ID == s.Party }), "party",
		"该法人不是签约方", "this legal entity is not a party that signs")
	_, signed := a.signed(signatures, s.Party)
	c.Require(!signed, "party", "该方已签署", "this party has signed already")
	c.Require(strings.TrimSpace(string(s.Representative.Name)) != "", "representative.name", "请填写签署代表", "name the representative who signs")
	c.NotFuture("on", s.On, x.Today())
	if s.Amendment != 0 {
		notBefore(&c, s.On, a.InForceFrom, "不能早于协议生效日 %s", "an amendment cannot be signed before the agreement came into force, on %s", a.InForceFrom)
	}
	c.Require(slices.ContainsFunc(documents, func(d Document) bool { return d.Digest == s.Document }), "document",
		"所签文本与登记的文本摘要不符", "the text signed is none of those registered; give the digest of one of them")
	if err := c.Err(); err != nil {
		return nil, err
	}
	sig := Signature{s.Party, s.Representative, s.On, s.Document}
	if s.Amendment != 0 {
		return []Event{AmendmentSigned{s.Agreement, s.Amendment, ref, sig}}, nil
	}
	return []Event{AgreementSigned{s.Agreement, ref, sig}}, nil
}

// signersOf returns whose signatures an amendment needs: everyone bound now and
// everyone acceding (C52).
func (a *Agreement) signersOf(m *Amendment) []Party {
	return append(a.bound(), m.Accede...)
}

// AgreementSigned records a party's signature. The agreement is in force when
// every party has signed.
type AgreementSigned struct {
	Agreement string           `json:"agreement"`
	Party     domain.EntityRef `json:"party"`
	Signature Signature        `json:"signature"`
}

// Sentence returns the event in words.
func (e AgreementSigned) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 签署协议 %[3]s", "On %[2]s %[1]s signed agreement %[3]s", e.Party.Name, e.Signature.On, e.Agreement)
}

func (e AgreementSigned) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementSigned) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	l.refresh(a, e.Party)
	a.Signatures = append(a.Signatures, e.Signature)
	a.Evidence = append(a.Evidence, m.ID)
	if a.InForceFrom.IsZero() {
		a.InForceFrom = a.complete(a.bound(), a.Signatures, a.Term.From)
	}
}

// complete returns the day on which the last of the signers had signed, not before
// earliest; zero while one is missing.
func (a *Agreement) complete(signers []Party, signatures []Signature, earliest domain.Date) domain.Date {
	from := earliest
	for _, p := range signers {
		s, ok := a.signed(signatures, p.Entity.ID)
		if !ok {
			return domain.Date{}
		}
		from = domain.Later(from, s.On)
	}
	return from
}

// refresh takes over the facts about a party as of its latest signature.
func (l *Lab) refresh(a *Agreement, ref domain.EntityRef) {
	if ref.ID == l.Host.ID {
		l.Host = ref
	}
	if p := a.party(ref.ID); p != nil {
		p.Entity = ref
	}
}

// AmendAgreement proposes a change to an agreement in force: a new term,
// further parties, or its text. It binds once every party has signed.
type AmendAgreement struct {
	domain.Grounds
	Agreement string        `json:"agreement" doc:"e.g. A1"`
	Summary   domain.Text   `json:"summary" doc:"What changes"`
	Effective domain.Date   `json:"effective,omitzero" doc:"When it takes effect, if later than the last signature"`
	Term      domain.Period `json:"term,omitzero" doc:"The new term, if it changes"`
	Accede    []NewParty    `json:"accede,omitempty" maxItems:"50" doc:"Legal entities that accede"`
	Documents []Document    `json:"documents" minItems:"1" maxItems:"20" doc:"The text to be signed, in each language"`
}

// Reach returns the agreement.
func (c AmendAgreement) Reach() Reach {
	return Reach{Act: AnyParty, Agreements: []string{c.Agreement}}
}

// UsesEntities names those who accede.
func (m AmendAgreement) UsesEntities() []uuid.UUID { return entitiesOf(m.Accede) }

// Decide refuses an amendment of what is not in force, a term that would be
// over before the amendment binds, and the accession of a party or of a host.
func (m AmendAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(m.Agreement)
	if err != nil {
		return nil, err
	}
	if st := a.StatusOn(x.Today()); st != InForce {
		return nil, domain.Reject(domain.State, "协议 %s 目前为“%s”，只有生效的协议可以修订", "agreement %s is %s; only one in force can be amended", m.Agreement, st)
	}
	var c domain.Check
	c.Text("summary", m.Summary)
	m.Term.Check(&c, "term")
	c.Require(m.Term.To.IsZero() || !m.Term.To.Before(domain.Later(x.Today(), m.Effective)), "term.to",
		"新的截止日已过，或早于补充协议生效日；提前结束协议请登记终止", "the new last day is over before the amendment binds; terminate the agreement to end it early")
	in := parties(x, &c, "accede", m.Accede)
	for i, p := range m.Accede {
		c.Require(a.party(p.Entity) == nil, fmt.Sprintf("accede[%d].entity", i), "该法人已是协议方", "this legal entity is a party already")
		c.Require(p.Role != HostParty, fmt.Sprintf("accede[%d].role", i), "依托单位只有一个；加入方应为 partner 或 enterprise", "there is one host; who accedes is a partner or an enterprise")
	}
	c.Require(len(m.Documents) > 0, "documents", "请登记补充协议文本的摘要", "give the digest of the amendment's text")
	checkDocuments(&c, m.Documents)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AmendmentProposed{m.Agreement, Amendment{
		No: len(a.Amendments) + l.Voided[a.ID] + 1, Summary: m.Summary, Effective: m.Effective, Term: m.Term,
		Accede: in, Documents: m.Documents,
	}}}, nil
}

// AmendmentProposed records the text of an amendment before it is signed.
type AmendmentProposed struct {
	Agreement string    `json:"agreement"`
	Amendment Amendment `json:"amendment"`
}

// Sentence returns the event in words.
func (e AmendmentProposed) Sentence() domain.Text {
	return domain.Textf("提出协议 %[1]s 的第 %[2]d 号补充协议：%[3]s", "Proposed amendment %[2]d to agreement %[1]s: %[3]s", e.Agreement, e.Amendment.No, e.Amendment.Summary)
}

func (e AmendmentProposed) subject() subject {
	return subject{class: Negotiated, agreement: e.Agreement, amendment: e.Amendment.No}
}

func (e AmendmentProposed) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		m := e.Amendment // the state changes its lists, the event must not
		m.Accede, m.Signatures, m.Evidence = slices.Clone(m.Accede), slices.Clone(m.Signatures), nil
		a.Amendments = append(a.Amendments, m)
	}
}

// AmendmentSigned records a party's signature on an amendment. With the last
// one the amendment binds: its term holds and those who accede are parties.
type AmendmentSigned struct {
	Agreement string           `json:"agreement"`
	Amendment int              `json:"amendment"`
	Party     domain.EntityRef `json:"party"`
	Signature Signature        `json:"signature"`
}

// Sentence returns the event in words.
func (e AmendmentSigned) Sentence() domain.Text {
	return domain.Textf("%[1]s于 %[2]s 签署协议 %[3]s 的第 %[4]d 号补充协议", "On %[2]s %[1]s signed amendment %[4]d to agreement %[3]s", e.Party.Name, e.Signature.On, e.Agreement, e.Amendment)
}

func (e AmendmentSigned) subject() subject {
	return subject{class: Negotiated, agreement: e.Agreement, amendment: e.Amendment}
}

func (e AmendmentSigned) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	am := a.amendment(e.Amendment)
	if am == nil {
		return
	}
	l.refresh(a, e.Party)
	for i := range am.Accede {
		if am.Accede[i].Entity.ID == e.Party.ID {
			am.Accede[i].Entity = e.Party
		}
	}
	am.Signatures, am.Evidence = append(am.Signatures, e.Signature), append(am.Evidence, m.ID)
	a.bind(am, domain.Date{})
}

// bind lets an amendment take effect, once, when every signature it needs is
// there, not before earliest.
func (a *Agreement) bind(m *Amendment, earliest domain.Date) {
	if !m.InForce.IsZero() {
		return
	}
	m.InForce = a.complete(a.signersOf(m), m.Signatures, domain.Later(m.Effective, earliest))
	if m.InForce.IsZero() {
		return
	}
	a.Evidence, m.Evidence = append(a.Evidence, m.Evidence...), nil // its standing rests on them from now on
	if term := m.Term; term != (domain.Period{}) {
		if term.From.IsZero() {
			term.From = a.Term.From
		}
		a.setTerm(term, m.InForce)
	}
	for _, p := range m.Accede {
		if a.party(p.Entity.ID) != nil {
			continue // two amendments named it, and the other came first
		}
		p.Joined = m.InForce
		s, _ := a.signed(m.Signatures, p.Entity.ID)
		a.Parties = append(a.Parties, p)
		a.Signatures = append(a.Signatures, s)
	}
}

// setTerm sets the term that an amendment or renewal in effect since a day gives.
// Of two the one with the later day sets it, whichever was recorded first.
func (a *Agreement) setTerm(term domain.Period, since domain.Date) {
	if since.Before(a.TermSince) {
		return
	}
	a.lapse(since)
	a.Term, a.TermSince = term, since
}

// lapse keeps the days between the last one of the term and the day on which
// the agreement holds again.
func (a *Agreement) lapse(again domain.Date) {
	if first := a.Term.To.AddDays(1); !a.Term.To.IsZero() && again.After(first) {
		a.Lapses = append(a.Lapses, domain.Period{From: first, To: again.AddDays(-1)})
	}
}

// RenewAgreement extends an agreement's term by an instrument every party has
// signed, before it expires or within the grace period after (C05).
type RenewAgreement struct {
	domain.Grounds
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	On        domain.Date `json:"on" doc:"When the renewal was signed"`
	Until     domain.Date `json:"until" doc:"The new last day"`
	Document  string      `json:"document" doc:"Digest of the signed renewal"`
}

// Reach returns the agreement.
func (c RenewAgreement) Reach() Reach {
	return Reach{Act: AnyParty, Agreements: []string{c.Agreement}}
}

// Decide refuses a renewal that does not extend the term or comes too late.
func (r RenewAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(r.Agreement)
	if err != nil {
		return nil, err
	}
	if a.InForceFrom.IsZero() || a.Term.To.IsZero() {
		return nil, domain.Reject(domain.State, "协议 %s 尚未生效或没有截止日，无需续签", "agreement %s is not in force yet, or has no last day to extend", r.Agreement)
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	notBefore(&c, r.On, a.InForceFrom, "不能早于生效日 %s", "it cannot be renewed before it came into force on %s", a.InForceFrom)
	c.Require(r.Until.After(domain.Later(a.Term.To, r.On)), "until", "新的截止日应晚于原截止日 %s 和续签日", "the new last day must come after the present one, %s, and after the day of renewal", a.Term.To)
	c.Digest("document", r.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if last := a.Term.To.AddDays(RenewalGraceDays); r.On.After(last) {
		return nil, domain.Reject(domain.State, "协议 %s 的续签宽限期已于 %s 结束；请签订新协议", "the time to renew agreement %s ended on %s; conclude a new agreement", r.Agreement, last)
	}
	return []Event{AgreementRenewed{
		Agreement: r.Agreement, On: r.On, From: a.Term.To, Until: r.Until, Document: r.Document,
	}}, nil
}

// AgreementRenewed records an extended term.
type AgreementRenewed struct {
	Agreement string      `json:"agreement"`
	On        domain.Date `json:"on"`
	From      domain.Date `json:"from"` // the last day before
	Until     domain.Date `json:"until"`
	Document  string      `json:"document"`
}

// Sentence returns the event in words.
func (e AgreementRenewed) Sentence() domain.Text {
	return domain.Textf("%[2]s 续签协议 %[1]s，截止日由 %[3]s 延至 %[4]s", "On %[2]s agreement %[1]s was renewed; its last day moves from %[3]s to %[4]s", e.Agreement, e.On, e.From, e.Until)
}

func (e AgreementRenewed) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementRenewed) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	a.setTerm(domain.Period{From: a.Term.From, To: e.Until}, e.On)
	a.Evidence = append(a.Evidence, m.ID)
}

// notBefore reports a day, where one is given, that comes before the first on
// which it could have been.
func notBefore(c *domain.Check, on, first domain.Date, zh, en string, args ...any) {
	c.Require(on.IsZero() || !on.Before(first), "on", zh, en, args...)
}

// TerminateAgreement ends an agreement before its term, or gives up one that
// was never signed by all.
type TerminateAgreement struct {
	domain.Grounds
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	On        domain.Date `json:"on" doc:"The first day it no longer holds"`
	Ground    domain.Text `json:"ground" doc:"Why it ends"`
}

// Reach returns the agreement.
func (c TerminateAgreement) Reach() Reach {
	return Reach{Act: AnyParty, Agreements: []string{c.Agreement}}
}

// Decide refuses to end what has ended on that day, or does not hold yet.
func (t TerminateAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(t.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", t.On, x.Today())
	c.Text("ground", t.Ground)
	a.ends(&c, t.On)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AgreementTerminated{t.Agreement, t.On, t.Ground}}, nil
}

// ends reports a day on which an agreement cannot end: before it came into
// force, or after it expired.
func (a *Agreement) ends(c *domain.Check, on domain.Date) {
	notBefore(c, on, a.InForceFrom, "不能早于生效日 %s", "it cannot end before it came into force on %s", a.InForceFrom)
	c.Require(a.StatusOn(on) != Expired, "on", "协议在 %s 已经到期", "the agreement had expired by %s already", on)
}

// AgreementTerminated records the end of an agreement before its term.
type AgreementTerminated struct {
	Agreement string      `json:"agreement"`
	On        domain.Date `json:"on"`
	Ground    domain.Text `json:"ground"`
}

// Sentence returns the event in words.
func (e AgreementTerminated) Sentence() domain.Text {
	return domain.Textf("协议 %s 自 %s 起终止：%s", "Agreement %s was terminated with effect from %s: %s", e.Agreement, e.On, e.Ground)
}

func (e AgreementTerminated) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementTerminated) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Ended, a.EndedOn = Terminated, e.On
	}
}

// SupersedeAgreement puts another agreement of the lab in an agreement's place.
type SupersedeAgreement struct {
	domain.Grounds
	Agreement string      `json:"agreement" doc:"The one that ends, e.g. A1"`
	By        string      `json:"by" doc:"The one in its place, e.g. A2"`
	On        domain.Date `json:"on" doc:"The first day the new one holds instead"`
}

// Reach returns both agreements.
func (c SupersedeAgreement) Reach() Reach {
	return Reach{Act: AnyParty, Agreements: []string{c.Agreement, c.By}}
}

// Decide refuses a successor that is not in force on that day.
func (s SupersedeAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(s.Agreement)
	if err != nil {
		return nil, err
	}
	by := l.agreement(s.By)
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	c.Require(by != nil && s.By != s.Agreement, "by", "请填写该实验室的另一份协议", "name another agreement of this lab")
	a.ends(&c, s.On)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if st := by.StatusOn(s.On); st != InForce {
		return nil, domain.Reject(domain.State, "协议 %s 在 %s 的状态为“%s”，不能取代其他协议", "on %[2]s agreement %[1]s is %[3]s and cannot take another's place", s.By, s.On, st)
	}
	return []Event{AgreementSuperseded{s.Agreement, s.By, s.On}}, nil
}

// AgreementSuperseded records that another agreement took an agreement's place.
type AgreementSuperseded struct {
	Agreement string      `json:"agreement"`
	By        string      `json:"by"`
	On        domain.Date `json:"on"`
}

// Sentence returns the event in words.
func (e AgreementSuperseded) Sentence() domain.Text {
	return domain.Textf("自 %[3]s 起，协议 %[2]s 取代协议 %[1]s", "From %[3]s agreement %[2]s takes the place of agreement %[1]s", e.Agreement, e.By, e.On)
}

func (e AgreementSuperseded) subject() subject { return ofAgreement(e.Agreement) }

func (e AgreementSuperseded) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Ended, a.EndedOn, a.SupersededBy = Superseded, e.On, e.By
	}
}

// WithdrawParty records that a party left an agreement (C52).
type WithdrawParty struct {
	domain.Grounds
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	Party     uuid.UUID   `json:"party" doc:"The legal entity that leaves"`
	On        domain.Date `json:"on" doc:"The first day it is no longer bound"`
	Notice    string      `json:"notice" doc:"Digest of its notice"`
}

// Reach returns the agreement and the party.
func (c WithdrawParty) Reach() Reach {
	return Reach{Act: Itself, Agreements: []string{c.Agreement}, Party: &c.Party}
}

// Decide refuses the host's withdrawal: the responsible party changes only by
// succession (C78). It also refuses what would leave one party alone, and any
// withdrawal from an agreement that does not bind yet.
func (w WithdrawParty) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(w.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	p := a.party(w.Party)
	c.Require(p != nil, "party", "该法人不是协议方", "this legal entity is not a party")
	c.NotFuture("on", w.On, x.Today())
	if p != nil {
		notBefore(&c, w.On, domain.Later(p.Joined, a.InForceFrom), "不能早于其受约束之日 %s", "it cannot leave before it was bound, on %s", domain.Later(p.Joined, a.InForceFrom))
	}
	c.Digest("notice", w.Notice, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if a.InForceFrom.IsZero() {
		return nil, domain.Reject(domain.State, "协议 %s 尚未生效，无可退出；请终止该草案，由其余各方另行起草",
			"agreement %s binds nobody yet; give the draft up and let those who stay draft another", w.Agreement)
	}
	if p.Entity.ID == l.Host.ID || p.Role == HostParty {
		return nil, domain.Unmet([]domain.Finding{Rules["C78"].unmet(domain.T(
			"依托单位不能退出协议；责任主体只能由承继单位接替", "the host cannot leave; the responsible party changes only by succession"))})
	}
	if len(a.bound()) <= 2 {
		return nil, domain.Reject(domain.State, "协议 %s 只有两方，一方退出即告终止；请登记协议终止",
			"agreement %s has only two parties; record its termination instead", w.Agreement)
	}
	return []Event{PartyWithdrew{w.Agreement, p.Entity, w.On, w.Notice}}, nil
}

// PartyWithdrew records that a party left an agreement.
type PartyWithdrew struct {
	Agreement string           `json:"agreement"`
	Party     domain.EntityRef `json:"party"`
	On        domain.Date      `json:"on"`
	Notice    string           `json:"notice"`
}

// Sentence returns the event in words.
func (e PartyWithdrew) Sentence() domain.Text {
	return domain.Textf("%[1]s自 %[2]s 起退出协议 %[3]s", "%[1]s left agreement %[3]s with effect from %[2]s", e.Party.Name, e.On, e.Agreement)
}

func (e PartyWithdrew) subject() subject { return ofAgreement(e.Agreement) }

func (e PartyWithdrew) apply(l *Lab, m domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		if p := a.party(e.Party.ID); p != nil {
			p.Left = e.On
		}
		a.Evidence = append(a.Evidence, m.ID)
		for i := range a.Amendments { // one may have waited for its signature alone
			a.bind(&a.Amendments[i], e.On)
		}
	}
}

// SucceedParty records that another legal entity took a party's place by law:
// a merger, a reform of institutions. It needs evidence, not signatures. Who
// succeeds the host becomes the lab's host.
type SucceedParty struct {
	domain.Grounds
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	Party     uuid.UUID   `json:"party" doc:"The party that is succeeded"`
	Successor uuid.UUID   `json:"successor" doc:"The legal entity in its place"`
	On        domain.Date `json:"on" doc:"The first day the successor is bound"`
	Evidence  string      `json:"evidence" doc:"Digest of the act or decision"`
}

// Reach returns the agreement and the party.
func (c SucceedParty) Reach() Reach {
	return Reach{Act: Itself, Agreements: []string{c.Agreement}, Party: &c.Party}
}

// UsesEntities names the successor.
func (s SucceedParty) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Successor} }

// Decide refuses a successor that is a party already, and a host's successor
// that is no Chinese university (C78).
func (s SucceedParty) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(s.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	p := a.party(s.Party)
	c.Require(p != nil, "party", "该法人不是协议方", "this legal entity is not a party")
	next := x.EntityOn(&c, "successor", s.Successor, s.On)
	c.Require(a.party(s.Successor) == nil, "successor", "承继单位已是协议方", "the successor is a party already")
	c.NotFuture("on", s.On, x.Today())
	if p != nil {
		notBefore(&c, s.On, p.Joined, "不能早于其加入之日 %s", "it cannot be succeeded before it joined, on %s", p.Joined)
	}
	c.Digest("evidence", s.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if p.Role == HostParty && (next.Side != domain.Chinese || next.Kind != "university") {
		return nil, domain.Unmet([]domain.Finding{Rules["C78"].unmet(domain.Textf(
			"依托单位只能由中方高校承继；%s不是", "only a Chinese university can succeed the host; %s is none", next.Name))})
	}
	return []Event{PartySucceeded{
		Agreement: s.Agreement, Party: p.Entity, Successor: next, On: s.On, Evidence: s.Evidence,
	}}, nil
}

// PartySucceeded records that another legal entity took a party's place. What
// the party owed and was owed passes to it.
type PartySucceeded struct {
	Agreement string           `json:"agreement"`
	Party     domain.EntityRef `json:"party"`
	Successor domain.EntityRef `json:"successor"`
	On        domain.Date      `json:"on"`
	Evidence  string           `json:"evidence"`
}

// Sentence returns the event in words.
func (e PartySucceeded) Sentence() domain.Text {
	return domain.Textf("自 %[4]s 起，%[3]s承继%[2]s在协议 %[1]s 中的地位", "From %[4]s %[3]s takes the place of %[2]s in agreement %[1]s", e.Agreement, e.Party.Name, e.Successor.Name, e.On)
}

func (e PartySucceeded) subject() subject { return ofAgreement(e.Agreement) }

func (e PartySucceeded) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	p := a.party(e.Party.ID)
	if p == nil {
		return
	}
	p.Left = e.On
	a.Parties = append(a.Parties, Party{Entity: e.Successor, Role: p.Role, Joined: e.On, Unit: p.Unit,
		Succeeds: e.Party.ID})
	a.Evidence = append(a.Evidence, m.ID)
	if e.Party.ID == l.Host.ID {
		l.Host = e.Successor
	}
	for i := range l.Rights {
		l.Rights[i].succeed(a.ID, e.Party.ID, e.Successor)
	}
	for i := range l.Commitments {
		c := &l.Commitments[i]
		if c.Party.ID == e.Party.ID && c.Closed == "" && (c.Agreement == a.ID || c.Agreement == "") {
			c.Party = e.Successor
		}
	}
}
