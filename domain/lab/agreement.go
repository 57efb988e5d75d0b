package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Class says what an agreement binds its parties to. Only a substantive one
// can carry a lab (C05, C15).
type Class string

// The classes of agreements.
const (
	Substantive Class = "substantive" // 实质性合作协议
	Framework   Class = "framework"   // 框架协议
	MoU         Class = "mou"         // 谅解备忘录
)

// AgreementStatus is where an agreement stands on a day.
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
	Class        Class           `json:"class,omitempty"` // absent until classified
	Parties      []Party         `json:"parties"`
	Term         domain.Period   `json:"term,omitzero"`
	Languages    []string        `json:"languages,omitempty"`
	GoverningLaw string          `json:"governing_law,omitempty"`
	Documents    []Document      `json:"documents,omitempty"`
	Signatures   []Signature     `json:"signatures,omitempty"`
	InForceFrom  domain.Date     `json:"in_force_from,omitzero"` // once every party has signed
	Lapses       []domain.Period `json:"lapses,omitempty"`       // between an expiry and its renewal
	Amendments   []Amendment     `json:"amendments,omitempty"`
	Ended        AgreementStatus `json:"ended,omitempty"` // TERMINATED or SUPERSEDED
	EndedOn      domain.Date     `json:"ended_on,omitzero"`
	SupersededBy string          `json:"superseded_by,omitempty"`
	Evidence     []uuid.UUID     `json:"events,omitempty"` // what its standing rests on
}

// Party is a legal entity bound by an agreement.
type Party struct {
	Entity domain.EntityRef `json:"entity"`
	Role   PartyRole        `json:"role"`
	Joined domain.Date      `json:"joined,omitzero"` // absent: from the beginning
	Left   domain.Date      `json:"left,omitzero"`   // the first day it is no longer bound
	Unit   string           `json:"unit,omitempty"`  // institute that carries out its part
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
	Representative domain.Person `json:"representative"`
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
	Accede     []Party       `json:"accede,omitempty"`
	Documents  []Document    `json:"documents,omitempty"`
	Signatures []Signature   `json:"signatures,omitempty"`
	InForce    domain.Date   `json:"in_force,omitzero"` // once every party has signed
}

// StatusOn is where the agreement stands on a day.
func (a *Agreement) StatusOn(d domain.Date) AgreementStatus {
	switch {
	case a.Ended != "" && !d.Before(a.EndedOn):
		return a.Ended
	case a.InForceFrom.IsZero() && len(a.Signatures) == 0:
		return Draft
	case a.InForceFrom.IsZero() || d.Before(a.InForceFrom):
		return PartiallySigned
	case !a.Term.To.IsZero() && d.After(a.Term.To):
		return Expired
	case slices.ContainsFunc(a.Lapses, func(p domain.Period) bool { return p.Contains(d) }):
		return Expired
	}
	return InForce
}

// PartiesOn lists who is bound on a day.
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

func (a *Agreement) amendment(no int) *Amendment {
	if no < 1 || no > len(a.Amendments) {
		return nil
	}
	return &a.Amendments[no-1]
}

func (l *Lab) agreement(id string) *Agreement {
	for i := range l.Agreements {
		if l.Agreements[i].ID == id {
			return &l.Agreements[i]
		}
	}
	return nil
}

// anAgreement finds an agreement of an open lab that has not ended.
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
	domain.Because
	Title        domain.Text   `json:"title" doc:"What the agreement is called"`
	Class        Class         `json:"class,omitempty" enum:"substantive,framework,mou" doc:"What it binds its parties to; may be classified later"`
	Parties      []NewParty    `json:"parties" minItems:"2" maxItems:"100" doc:"The legal entities to be bound"`
	Term         domain.Period `json:"term,omitzero" doc:"When it is to hold"`
	Languages    []string      `json:"languages,omitempty" maxItems:"20" doc:"Languages with equal standing"`
	GoverningLaw string        `json:"governing_law,omitempty" maxLength:"400" doc:"The law it is under"`
	Documents    []Document    `json:"documents" minItems:"1" maxItems:"20" doc:"The text to be signed, in each language"`
}

// UsesEntities names the parties.
func (d DraftAgreement) UsesEntities() []uuid.UUID { return entitiesOf(d.Parties) }

// Decide refuses fewer than two parties and a lab's host that is not among them.
func (d DraftAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Text("title", d.Title)
	checkClass(&c, d.Class, true)
	c.Require(len(d.Parties) >= 2, "parties", "协议至少有两方", "an agreement has at least two parties")
	ps := parties(x, &c, "parties", d.Parties)
	for i, p := range ps {
		c.Require(p.Role != HostParty || p.Entity.ID == l.Host.ID, fmt.Sprintf("parties[%d].role", i),
			"该实验室的依托单位是 %s", "the lab's host is %s", l.Host.Name)
	}
	d.Term.Check(&c, "term")
	c.Require(len(d.Documents) > 0, "documents", "请登记待签文本的摘要", "give the digest of the text to be signed")
	checkDocuments(&c, d.Documents)
	if err := c.Err(); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("A%d", len(l.Agreements)+1)
	return []Event{AgreementDrafted{id, d.Title, d.Class, ps, d.Term, d.Languages, d.GoverningLaw, d.Documents}}, nil
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

// Sentence says what happened.
func (e AgreementDrafted) Sentence() domain.Text {
	return domain.Textf("登记协议 %s“%s”草案，共 %d 方", "Drafted agreement %s “%s” between %d parties", e.Agreement, e.Title, len(e.Parties))
}

func (e AgreementDrafted) apply(l *Lab, _ domain.Meta) {
	l.Agreements = append(l.Agreements, Agreement{
		ID: e.Agreement, Title: e.Title, Class: e.Class, Parties: slices.Clone(e.Parties), Term: e.Term,
		Languages: e.Languages, GoverningLaw: e.GoverningLaw, Documents: e.Documents,
	})
}

// ClassifyAgreement judges what an agreement binds its parties to (C05).
type ClassifyAgreement struct {
	domain.Because
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

// Sentence says what happened.
func (e AgreementClassified) Sentence() domain.Text {
	return domain.Textf("协议 %s 认定为%s", "Classified agreement %s as %s", e.Agreement, e.To)
}

func (e AgreementClassified) apply(l *Lab, m domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Class = e.To
		a.Evidence = append(a.Evidence, m.ID)
	}
}

// SignAgreement records one party's signature, on the agreement or on one of
// its amendments. A person signs only as a party's representative (C04).
type SignAgreement struct {
	domain.Because
	Agreement      string        `json:"agreement" doc:"e.g. A1"`
	Amendment      int           `json:"amendment,omitempty" minimum:"0" doc:"The amendment signed; absent: the agreement itself"`
	Party          uuid.UUID     `json:"party" doc:"The legal entity that signs"`
	Representative domain.Person `json:"representative" doc:"Who signs for it"`
	On             domain.Date   `json:"on" doc:"When"`
	Document       string        `json:"document" doc:"Digest of the text signed: one of those registered"`
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
	signers, signed, documents := a.Parties, a.Signatures, a.Documents
	if s.Amendment != 0 {
		m := a.amendment(s.Amendment)
		if m == nil {
			return nil, domain.Reject(domain.NotFound, "协议 %s 没有第 %d 号修正案", "agreement %s has no amendment %d", s.Agreement, s.Amendment)
		}
		signers, signed, documents = a.signersOf(m), m.Signatures, m.Documents
	}
	var c domain.Check
	ref := x.Entity(&c, "party", s.Party)
	c.Require(slices.ContainsFunc(signers, func(p Party) bool { return p.Entity.ID == s.Party && p.Left.IsZero() }), "party",
		"该法人不是签约方", "this legal entity is not a party that signs")
	c.Require(!slices.ContainsFunc(signed, func(g Signature) bool { return g.Party == s.Party }), "party",
		"该方已签署", "this party has signed already")
	c.Require(s.Representative.Name != "", "representative.name", "请填写签署代表", "name the representative who signs")
	c.NotFuture("on", s.On, x.Today())
	c.Digest("document", s.Document, false)
	c.Require(slices.ContainsFunc(documents, func(d Document) bool { return d.Digest == s.Document }), "document",
		"所签文本与登记的文本摘要不符", "the text signed is none of those registered")
	if err := c.Err(); err != nil {
		return nil, err
	}
	sig := Signature{s.Party, s.Representative, s.On, s.Document}
	if s.Amendment != 0 {
		return []Event{AmendmentSigned{s.Agreement, s.Amendment, ref, sig}}, nil
	}
	return []Event{AgreementSigned{s.Agreement, ref, sig}}, nil
}

// signersOf lists whose signatures an amendment needs: everyone bound now and
// everyone acceding (C52).
func (a *Agreement) signersOf(m *Amendment) []Party {
	var who []Party
	for _, p := range a.Parties {
		if p.Left.IsZero() {
			who = append(who, p)
		}
	}
	return append(who, m.Accede...)
}

// AgreementSigned records a party's signature. The agreement is in force when
// every party has signed.
type AgreementSigned struct {
	Agreement string           `json:"agreement"`
	Party     domain.EntityRef `json:"party"`
	Signature Signature        `json:"signature"`
}

// Sentence says what happened.
func (e AgreementSigned) Sentence() domain.Text {
	return domain.Textf("%s 于 %s 签署协议 %s", "%s signed on %s agreement %s", e.Party.Name, e.Signature.On, e.Agreement)
}

func (e AgreementSigned) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	l.refresh(e.Party)
	if p := a.party(e.Party.ID); p != nil {
		p.Entity = e.Party
	}
	a.Signatures = append(a.Signatures, e.Signature)
	a.Evidence = append(a.Evidence, m.ID)
	a.InForceFrom = complete(a.Parties, a.Signatures, a.Term.From)
}

// complete is the day on which the last of the signers had signed, not before
// earliest; zero while one is missing.
func complete(signers []Party, signatures []Signature, earliest domain.Date) domain.Date {
	from := earliest
	for _, p := range signers {
		if !p.Left.IsZero() {
			continue
		}
		i := slices.IndexFunc(signatures, func(s Signature) bool { return s.Party == p.Entity.ID })
		if i < 0 {
			return domain.Date{}
		}
		from = domain.Later(from, signatures[i].On)
	}
	return from
}

// refresh takes over newer facts about the host.
func (l *Lab) refresh(ref domain.EntityRef) {
	if ref.ID == l.Host.ID {
		l.Host = ref
	}
}

// AmendAgreement proposes a change to an agreement in force: a new term,
// further parties, or what its text says. It binds once every party has signed.
type AmendAgreement struct {
	domain.Because
	Agreement string        `json:"agreement" doc:"e.g. A1"`
	Summary   domain.Text   `json:"summary" doc:"What changes"`
	Effective domain.Date   `json:"effective,omitzero" doc:"When it takes effect, if later than the last signature"`
	Term      domain.Period `json:"term,omitzero" doc:"The new term, if it changes"`
	Accede    []NewParty    `json:"accede,omitempty" maxItems:"50" doc:"Legal entities that accede"`
	Documents []Document    `json:"documents" minItems:"1" maxItems:"20" doc:"The text to be signed, in each language"`
}

// UsesEntities names those who accede.
func (m AmendAgreement) UsesEntities() []uuid.UUID { return entitiesOf(m.Accede) }

// Decide refuses an amendment of what is not in force and the accession of a party.
func (m AmendAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(m.Agreement)
	if err != nil {
		return nil, err
	}
	if st := a.StatusOn(x.Today()); st != InForce {
		return nil, domain.Reject(domain.State, "协议 %s 目前为 %s，只有生效的协议可以修正", "agreement %s is %s; only one in force can be amended", m.Agreement, st)
	}
	var c domain.Check
	c.Text("summary", m.Summary)
	m.Term.Check(&c, "term")
	in := parties(x, &c, "accede", m.Accede)
	for i, p := range in {
		c.Require(a.party(p.Entity.ID) == nil, fmt.Sprintf("accede[%d].entity", i), "该法人已是协议方", "this legal entity is a party already")
	}
	c.Require(len(m.Documents) > 0, "documents", "请登记修正案文本的摘要", "give the digest of the amendment's text")
	checkDocuments(&c, m.Documents)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AmendmentProposed{m.Agreement, Amendment{
		No: len(a.Amendments) + 1, Summary: m.Summary, Effective: m.Effective, Term: m.Term, Accede: in, Documents: m.Documents,
	}}}, nil
}

// AmendmentProposed records the text of an amendment before it is signed.
type AmendmentProposed struct {
	Agreement string    `json:"agreement"`
	Amendment Amendment `json:"amendment"`
}

// Sentence says what happened.
func (e AmendmentProposed) Sentence() domain.Text {
	return domain.Textf("提出协议 %s 第 %d 号修正案：%s", "Proposed for agreement %s amendment %d: %s", e.Agreement, e.Amendment.No, e.Amendment.Summary)
}

func (e AmendmentProposed) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Amendments = append(a.Amendments, e.Amendment)
	}
}

// AmendmentSigned records a party's signature on an amendment. With the last
// one the amendment binds: its term holds and whoever accedes is a party.
type AmendmentSigned struct {
	Agreement string           `json:"agreement"`
	Amendment int              `json:"amendment"`
	Party     domain.EntityRef `json:"party"`
	Signature Signature        `json:"signature"`
}

// Sentence says what happened.
func (e AmendmentSigned) Sentence() domain.Text {
	return domain.Textf("%s 于 %s 签署协议 %s 第 %d 号修正案", "%s signed on %s, for agreement %s, amendment %d", e.Party.Name, e.Signature.On, e.Agreement, e.Amendment)
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
	am.Signatures = append(am.Signatures, e.Signature)
	a.Evidence = append(a.Evidence, m.ID)
	am.InForce = complete(a.signersOf(am), am.Signatures, am.Effective)
	if am.InForce.IsZero() {
		return
	}
	if am.Term != (domain.Period{}) {
		a.Term = am.Term
	}
	for _, p := range am.Accede {
		p.Joined = am.InForce
		a.Parties = append(a.Parties, p)
		a.Signatures = append(a.Signatures, am.Signatures[slices.IndexFunc(am.Signatures, func(s Signature) bool { return s.Party == p.Entity.ID })])
	}
}

// RenewAgreement extends an agreement's term by an instrument every party has
// signed, before it expires or within the grace period after (C05).
type RenewAgreement struct {
	domain.Because
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	On        domain.Date `json:"on" doc:"When the renewal was signed"`
	Until     domain.Date `json:"until" doc:"The new last day"`
	Document  string      `json:"document" doc:"Digest of the signed renewal"`
}

// Decide refuses a renewal that does not extend the term or comes too late.
func (r RenewAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(r.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", r.On, x.Today())
	c.Given("until", r.Until)
	c.Require(r.Until.After(a.Term.To) && r.Until.After(r.On), "until", "新的截止日应晚于原截止日 %s", "the new last day must come after the present one, %s", a.Term.To)
	c.Digest("document", r.Document, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if a.InForceFrom.IsZero() || a.Term.To.IsZero() {
		return nil, domain.Reject(domain.State, "协议 %s 尚未生效或没有截止日，无需续签", "agreement %s is not in force yet, or has no last day to extend", r.Agreement)
	}
	if last := a.Term.To.AddDays(RenewalGraceDays); r.On.After(last) {
		return nil, domain.Reject(domain.State, "协议 %s 的续签宽限期已于 %s 结束；请签订新协议", "the time to renew agreement %s ended on %s; conclude a new agreement", r.Agreement, last)
	}
	return []Event{AgreementRenewed{r.Agreement, r.On, a.Term.To, r.Until, r.Document}}, nil
}

// AgreementRenewed records an extended term.
type AgreementRenewed struct {
	Agreement string      `json:"agreement"`
	On        domain.Date `json:"on"`
	From      domain.Date `json:"from"` // the last day before
	Until     domain.Date `json:"until"`
	Document  string      `json:"document"`
}

// Sentence says what happened.
func (e AgreementRenewed) Sentence() domain.Text {
	return domain.Textf("协议 %s 续签，截止日由 %s 延至 %s", "Renewed agreement %s: its last day moves from %s to %s", e.Agreement, e.From, e.Until)
}

func (e AgreementRenewed) apply(l *Lab, m domain.Meta) {
	a := l.agreement(e.Agreement)
	if a == nil {
		return
	}
	if e.On.After(a.Term.To.AddDays(1)) {
		a.Lapses = append(a.Lapses, domain.Period{From: a.Term.To.AddDays(1), To: e.On.AddDays(-1)})
	}
	a.Term.To = e.Until
	a.Evidence = append(a.Evidence, m.ID)
}

// TerminateAgreement ends an agreement before its term.
type TerminateAgreement struct {
	domain.Because
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	On        domain.Date `json:"on" doc:"The first day it no longer holds"`
	Ground    domain.Text `json:"ground" doc:"Why it ends"`
}

// Decide refuses to end what has not begun.
func (t TerminateAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(t.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	c.NotFuture("on", t.On, x.Today())
	c.Text("ground", t.Ground)
	c.Require(a.InForceFrom.IsZero() || !t.On.Before(a.InForceFrom), "on", "不能早于生效日 %s", "it cannot end before it came into force on %s", a.InForceFrom)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{AgreementTerminated{t.Agreement, t.On, t.Ground}}, nil
}

// AgreementTerminated records the end of an agreement before its term.
type AgreementTerminated struct {
	Agreement string      `json:"agreement"`
	On        domain.Date `json:"on"`
	Ground    domain.Text `json:"ground"`
}

// Sentence says what happened.
func (e AgreementTerminated) Sentence() domain.Text {
	return domain.Textf("协议 %s 自 %s 起终止：%s", "Agreement %s ends on %s: %s", e.Agreement, e.On, e.Ground)
}

func (e AgreementTerminated) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Ended, a.EndedOn = Terminated, e.On
	}
}

// SupersedeAgreement puts another agreement of the lab in an agreement's place.
type SupersedeAgreement struct {
	domain.Because
	Agreement string      `json:"agreement" doc:"The one that ends, e.g. A1"`
	By        string      `json:"by" doc:"The one in its place, e.g. A2"`
	On        domain.Date `json:"on" doc:"The first day the new one holds instead"`
}

// Decide refuses a successor that is not in force on that day.
func (s SupersedeAgreement) Decide(l *Lab, x domain.Context) ([]Event, error) {
	if _, err := l.anAgreement(s.Agreement); err != nil {
		return nil, err
	}
	by := l.agreement(s.By)
	var c domain.Check
	c.NotFuture("on", s.On, x.Today())
	c.Require(by != nil && s.By != s.Agreement, "by", "请填写该实验室的另一份协议", "name another agreement of this lab")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if st := by.StatusOn(s.On); st != InForce {
		return nil, domain.Reject(domain.State, "协议 %s 在 %s 为 %s，尚不能取代", "agreement %s is, on %s, %s and cannot take another's place", s.By, s.On, st)
	}
	return []Event{AgreementSuperseded{s.Agreement, s.By, s.On}}, nil
}

// AgreementSuperseded records that another agreement took an agreement's place.
type AgreementSuperseded struct {
	Agreement string      `json:"agreement"`
	By        string      `json:"by"`
	On        domain.Date `json:"on"`
}

// Sentence says what happened.
func (e AgreementSuperseded) Sentence() domain.Text {
	return domain.Textf("协议 %s 由协议 %s 取代，自 %s 起", "Agreement %s is superseded by agreement %s from %s", e.Agreement, e.By, e.On)
}

func (e AgreementSuperseded) apply(l *Lab, _ domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		a.Ended, a.EndedOn, a.SupersededBy = Superseded, e.On, e.By
	}
}

// WithdrawParty records that a party left an agreement (C52).
type WithdrawParty struct {
	domain.Because
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	Party     uuid.UUID   `json:"party" doc:"The legal entity that leaves"`
	On        domain.Date `json:"on" doc:"The first day it is no longer bound"`
	Notice    string      `json:"notice" doc:"Digest of its notice"`
}

// Decide refuses the host's withdrawal: the responsible party changes only by
// succession (C78).
func (w WithdrawParty) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(w.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	p := a.party(w.Party)
	c.Require(p != nil, "party", "该法人不是协议方", "this legal entity is not a party")
	c.NotFuture("on", w.On, x.Today())
	c.Digest("notice", w.Notice, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if p.Entity.ID == l.Host.ID {
		return nil, domain.Unmet([]domain.Finding{Rules["C78"].unmet(domain.T(
			"依托单位不能退出协议；责任主体只能由承继单位接替", "the host cannot leave; the responsible party changes only by succession"))})
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

// Sentence says what happened.
func (e PartyWithdrew) Sentence() domain.Text {
	return domain.Textf("%s 自 %s 起退出协议 %s", "%s leaves, on %s, agreement %s", e.Party.Name, e.On, e.Agreement)
}

func (e PartyWithdrew) apply(l *Lab, m domain.Meta) {
	if a := l.agreement(e.Agreement); a != nil {
		if p := a.party(e.Party.ID); p != nil {
			p.Left = e.On
		}
		a.Evidence = append(a.Evidence, m.ID)
	}
}

// SucceedParty records that another legal entity took a party's place by law:
// a merger, a reform of institutions. It needs evidence, not signatures.
type SucceedParty struct {
	domain.Because
	Agreement string      `json:"agreement" doc:"e.g. A1"`
	Party     uuid.UUID   `json:"party" doc:"The party that is succeeded"`
	Successor uuid.UUID   `json:"successor" doc:"The legal entity in its place"`
	On        domain.Date `json:"on" doc:"The first day the successor is bound"`
	Evidence  string      `json:"evidence" doc:"Digest of the act or decision"`
}

// UsesEntities names the successor.
func (s SucceedParty) UsesEntities() []uuid.UUID { return []uuid.UUID{s.Successor} }

// Decide refuses a successor that is a party already.
func (s SucceedParty) Decide(l *Lab, x domain.Context) ([]Event, error) {
	a, err := l.anAgreement(s.Agreement)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	p := a.party(s.Party)
	c.Require(p != nil, "party", "该法人不是协议方", "this legal entity is not a party")
	next := x.Entity(&c, "successor", s.Successor)
	c.Require(a.party(s.Successor) == nil, "successor", "承继单位已是协议方", "the successor is a party already")
	c.NotFuture("on", s.On, x.Today())
	c.Digest("evidence", s.Evidence, false)
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{PartySucceeded{s.Agreement, p.Entity, next, s.On, s.Evidence}}, nil
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

// Sentence says what happened.
func (e PartySucceeded) Sentence() domain.Text {
	return domain.Textf("协议 %s 中 %s 由 %s 承继，自 %s 起", "In agreement %s, %s is succeeded by %s from %s", e.Agreement, e.Party.Name, e.Successor.Name, e.On)
}

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
	a.Parties = append(a.Parties, Party{Entity: e.Successor, Role: p.Role, Joined: e.On, Unit: p.Unit})
	a.Evidence = append(a.Evidence, m.ID)
	for i := range l.Rights {
		l.Rights[i].succeed(a.ID, e.Party.ID, e.Successor)
	}
	for i := range l.Commitments {
		if c := &l.Commitments[i]; c.Agreement == a.ID && c.Party.ID == e.Party.ID {
			c.Party = e.Successor
		}
	}
}
