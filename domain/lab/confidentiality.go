package lab

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// What is confidential about a lab follows from the procedure of the programme:
// what is negotiated is its parties' until it binds, what is reviewed is not
// public before it is decided, and who the experts are is never. All of it is
// decided here, for events and for the state they fold to alike.

// Confidence is how confidential the content of an event is.
type Confidence string

// The classes of events.
const (
	Public     Confidence = "public"
	Negotiated Confidence = "draft"      // of an agreement or amendment: public once it was in force
	Submitted  Confidence = "submission" // what the host hands in: public once the review is decided
	Found      Confidence = "finding"    // what a review finds: public once it is decided
	Advised    Confidence = "opinion"    // what an expert finds: once it is decided, open as the policy says
	Seated     Confidence = "expert"     // who the experts are
)

var classWords = map[Confidence][2]domain.Text{
	Public:     {domain.T("公开", "public"), domain.T("所有可读者", "everybody who may read")},
	Negotiated: {domain.T("协议草案和未经各方签署的修正案", "drafts of agreements, and amendments not signed by all"), domain.T("生效前：教育部、评审机构、主管部门、项目官员、审计员，以及该实验室的依托单位、负责人和协议各方；曾经生效者公开", "before it is in force: ministry, agency, authority, officer, auditor, and the lab's host, director and parties; public once it was in force")},
	Submitted:  {domain.T("申请材料", "what is handed in for a review"), domain.T("决定前：教育部、评审机构、主管部门、项目官员、审计员和依托单位；决定后公开", "before the decision: ministry, agency, authority, officer, auditor and the host; public after it")},
	Found:      {domain.T("评审所见", "what a review finds"), domain.T("决定前：教育部、评审机构、项目官员、审计员；决定后公开", "before the decision: ministry, agency, officer, auditor; public after it")},
	Advised:    {domain.T("专家意见", "experts' opinions"), domain.T("教育部、评审机构、项目官员、审计员；决定后另按当时施行的政策（opinions_to）", "ministry, agency, officer, auditor; after the decision also those whom the policy it was taken under names (opinions_to)")},
	Seated:     {domain.T("专家身份", "who the experts are"), domain.T("教育部、评审机构、项目官员、审计员", "ministry, agency, officer, auditor")},
}

// Text returns the class in both languages.
func (c Confidence) Text() domain.Text { return classWords[c][0] }

// ReadBy returns in both languages who reads what is of the class.
func (c Confidence) ReadBy() domain.Text { return classWords[c][1] }

// readers returns those who may read what is of the class while it is confidential.
func (c Confidence) readers() domain.Readers {
	switch c {
	case Public:
		return domain.Everybody
	case Negotiated:
		return Drafts
	case Submitted:
		return domain.Reviewers | domain.Authorities | domain.Owner
	}
	return domain.Reviewers
}

// Drafts are those who may read what is negotiated.
const Drafts = domain.Reviewers | domain.Authorities | domain.Owner | domain.Parties

// subject is what the class of an event depends on: an agreement, perhaps one
// of its amendments, an item, a commitment, or a review.
type subject struct {
	class      Confidence
	documents  Confidence // of what it names as evidence, where that is more confidential
	agreement  string
	amendment  int // from 1; 0: the agreement itself
	item       string
	commitment string
	under      string // the agreement that an item or a commitment names
	review     Of
}

// public is the subject of what everybody may read.
var public = subject{class: Public}

func ofAgreement(id string) subject  { return subject{class: Negotiated, agreement: id} }
func ofItem(id string) subject       { return subject{class: Negotiated, item: id} }
func ofCommitment(id string) subject { return subject{class: Negotiated, commitment: id} }

// ConfidenceOf returns the class of a lab's event, and of the documents it
// names. A correction has the class of what it restates.
func ConfidenceOf(e Event) (class, documents Confidence) {
	s := e.subject()
	return s.class, cmp.Or(s.documents, s.class)
}

// Secrecy is what of a lab's record is confidential. It
// holds for what the lab was before as well.
type Secrecy struct {
	bound       map[string]bool   // agreements that were ever in force
	amended     map[string][]int  // and which of their amendments bind, by number
	items       map[string]string // the agreement each hangs on
	commitments map[string]string // likewise; empty: none
	decided     map[Of]domain.Opinions
}

// Secrecy returns the lab's, of its present state.
func (l *Lab) Secrecy() Secrecy {
	s := Secrecy{
		bound: map[string]bool{}, amended: map[string][]int{}, items: map[string]string{},
		commitments: map[string]string{}, decided: map[Of]domain.Opinions{},
	}
	for _, a := range l.Agreements {
		s.bound[a.ID] = !a.InForceFrom.IsZero()
		for _, m := range a.Amendments {
			if !m.InForce.IsZero() {
				s.amended[a.ID] = append(s.amended[a.ID], m.No)
			}
		}
	}
	for _, it := range l.Rights {
		s.items[it.ID] = it.Agreement
	}
	for _, f := range l.Commitments {
		s.commitments[f.ID] = f.Agreement
	}
	for _, a := range l.Reviews.Applications {
		if a.Outcome != "" {
			s.decided[Of{Application: a.No}] = a.OpinionsTo
		}
	}
	for _, a := range l.Reviews.Acceptances {
		if a.Outcome != "" {
			s.decided[Of{Acceptance: a.No}] = a.OpinionsTo
		}
	}
	return s
}

// AgreementReaders returns those who may read an agreement.
func (s Secrecy) AgreementReaders(id string) domain.Readers {
	if s.bound[id] {
		return domain.Everybody
	}
	return Drafts
}

func (s Secrecy) amendment(id string, no int) domain.Readers {
	if !slices.Contains(s.amended[id], no) {
		return Drafts
	}
	return s.AgreementReaders(id)
}

// ItemReaders returns those who may read an item of the matrix, as it is or was: it
// may have hung on another agreement before it was corrected.
func (s Secrecy) ItemReaders(it Item) domain.Readers {
	return s.resting(s.items, it.ID) & s.under(it.Agreement)
}

// CommitmentReaders returns those who may read a commitment, as it is or was.
func (s Secrecy) CommitmentReaders(f Commitment) domain.Readers {
	return s.resting(s.commitments, f.ID) & s.under(f.Agreement)
}

// resting returns the readers of what rests on an agreement, or on none.
func (s Secrecy) resting(on map[string]string, id string) domain.Readers {
	if agreement, ok := on[id]; ok {
		return s.under(agreement)
	}
	return Drafts
}

// under returns the readers of what names an agreement, or none.
func (s Secrecy) under(agreement string) domain.Readers {
	if agreement == "" {
		return domain.Everybody
	}
	return s.AgreementReaders(agreement)
}

// review returns the readers of what is of a class in a review.
func (s Secrecy) review(c Confidence, of Of) domain.Readers {
	opinions, decided := s.decided[of]
	switch {
	case c == Public || decided && (c == Submitted || c == Found):
		return domain.Everybody
	case c == Advised && decided:
		return c.readers() | opinions.Readers()
	}
	return c.readers()
}

// Of returns who may read an event of the lab, and the documents it names.
func (s Secrecy) Of(e Event) (readers, documents domain.Readers) {
	a := e.subject()
	switch {
	case a.amendment > 0:
		readers = s.amendment(a.agreement, a.amendment)
	case a.agreement != "":
		readers = s.AgreementReaders(a.agreement)
	case a.item != "":
		readers = s.resting(s.items, a.item) & s.under(a.under)
	case a.commitment != "":
		readers = s.resting(s.commitments, a.commitment) & s.under(a.under)
	default:
		readers = s.review(a.class, a.review)
	}
	documents = readers
	if a.documents != "" {
		documents &= s.review(a.documents, a.review)
	}
	return readers, documents
}

// Sight is who may read an event that not everybody may.
type Sight struct {
	Revision  uint64
	Readers   domain.Readers
	Documents domain.Readers // that it names
}

// Closed returns the events of the lab's history that not everybody may read, or
// whose documents not everybody may. An event that was corrected, and what
// corrects it, are for those who may read all that it was and became.
func (s Secrecy) Closed(history []domain.RecordedEvent[Event]) (closed []Sight) {
	said := make([]Sight, len(history))
	at := map[uuid.UUID]int{}
	for i, h := range history {
		said[i].Readers, said[i].Documents = s.Of(h.Event)
		r, rewrites := domain.AsRewrite(h.Event)
		if wrong, ok := at[r.Of]; rewrites && ok {
			at[h.Meta.ID] = wrong
			said[wrong].Readers &= said[i].Readers
			said[wrong].Documents &= said[i].Documents
		} else {
			at[h.Meta.ID] = i
		}
	}
	for i, h := range history {
		c := said[at[h.Meta.ID]]
		if c.Revision = uint64(i); c.Readers != domain.Everybody || c.Documents != domain.Everybody {
			closed = append(closed, c)
		}
	}
	return closed
}

// HasParty reports whether a legal entity is a party to one of the lab's
// agreements, be it a draft that was not given up, and has not left it, or is to
// accede to one.
func (l *Lab) HasParty(id uuid.UUID) bool {
	return slices.ContainsFunc(l.Agreements, func(a Agreement) bool { return a.names(id) })
}

func (a *Agreement) names(id uuid.UUID) bool {
	if a.InForceFrom.IsZero() && a.Ended != "" {
		return false // a draft that was given up
	}
	return a.party(id) != nil ||
		slices.ContainsFunc(a.Amendments, func(m Amendment) bool {
			return m.InForce.IsZero() && slices.ContainsFunc(m.Accede, func(p Party) bool { return p.Entity.ID == id })
		})
}

// Binds reports whether a legal entity is a party to an agreement of the lab that
// came into force, and has not left it.
func (l *Lab) Binds(id uuid.UUID) bool {
	return slices.ContainsFunc(l.Agreements, func(a Agreement) bool { return !a.InForceFrom.IsZero() && a.party(id) != nil })
}

// Readers returns what an actor is to this lab.
func (l *Lab) Readers(a domain.Actor) domain.Readers {
	who := a.Readers()
	switch {
	case a.OnBehalfOf == uuid.Nil:
	case (a.Role == domain.Host || a.Role == domain.Director) && a.OnBehalfOf == l.Host.ID:
		who |= domain.Owner
	case a.Role == domain.Partner && l.HasParty(a.OnBehalfOf):
		who |= domain.Parties
	}
	return who
}

// View returns what of the lab, as it is now or was at some time, may be shown to
// some readers. Nothing of the lab itself is changed.
func (s Secrecy) View(l *Lab, who domain.Readers) *Lab {
	if domain.Reviewers.Include(who) {
		return l
	}
	v := *l
	v.Unsupported = slices.DeleteFunc(slices.Clone(l.Unsupported), func(u Unsupported) bool {
		readers, _ := s.Of(DecisionQuestioned{u})
		return !readers.Include(who)
	})
	v.Agreements = nil
	for _, a := range l.Agreements {
		if s.AgreementReaders(a.ID).Include(who) {
			v.Agreements = append(v.Agreements, s.Agreement(a, who))
		}
	}
	v.Rights = slices.DeleteFunc(slices.Clone(l.Rights), func(it Item) bool { return !s.ItemReaders(it).Include(who) })
	v.Commitments = slices.DeleteFunc(slices.Clone(l.Commitments),
		func(f Commitment) bool { return !s.CommitmentReaders(f).Include(who) })
	v.Reviews.Applications = nil
	for _, a := range l.Reviews.Applications {
		of := Of{Application: a.No}
		if !s.review(Submitted, of).Include(who) {
			continue
		}
		if !s.review(Found, of).Include(who) {
			a.Site, a.Dimensions = nil, nil
		}
		a.Panel = s.panel(a.Panel, of, who)
		v.Reviews.Applications = append(v.Reviews.Applications, a)
	}
	v.Reviews.Acceptances = nil
	for _, a := range l.Reviews.Acceptances {
		of := Of{Acceptance: a.No}
		if !s.review(Submitted, of).Include(who) {
			continue
		}
		if !s.review(Found, of).Include(who) {
			a.Cells = nil
		}
		a.Panel = s.panel(a.Panel, of, who)
		v.Reviews.Acceptances = append(v.Reviews.Acceptances, a)
	}
	return &v
}

// Agreement returns what of an agreement may be shown: its amendments, as they bind.
func (s Secrecy) Agreement(a Agreement, who domain.Readers) Agreement {
	a.Amendments = slices.DeleteFunc(slices.Clone(a.Amendments),
		func(m Amendment) bool { return !s.amendment(a.ID, m.No).Include(who) })
	return a
}

func (s Secrecy) panel(p Panel, of Of, who domain.Readers) Panel {
	if !s.review(Advised, of).Include(who) {
		p.Opinions = nil
	}
	if !s.review(Seated, of).Include(who) {
		p.Experts = nil
	}
	return p
}

// judgedFrom lists the rules that judge what was handed in for a review, and
// those that judge what came of it.
var judgedFrom = map[string]Confidence{
	"C63": Submitted, "C64": Submitted, "C65": Submitted, "C66": Submitted,
	"C28": Advised, "C32": Seated, "C68": Found, "C69": Found, "C74": Seated, "C75": Found,
}

// Findings withholds from some readers what rules found in a review that is
// not open to them, and who and what it rests on where experts do; judged reports
// whether every finding tells whether it is met.
func (s Secrecy) Findings(findings []domain.Finding, of Of, who domain.Readers) (shown []domain.Finding, judged bool) {
	shown, judged = slices.Clone(findings), true
	if domain.Reviewers.Include(who) {
		return shown, judged
	}
	_, decided := s.decided[of]
	for i, f := range shown {
		switch c, ok := judgedFrom[f.Rule]; {
		case !ok || s.review(c, of).Include(who):
		case decided:
			shown[i].Missing, shown[i].Proof = nil, nil
		default:
			judged = false
			shown[i].Met, shown[i].Proof, shown[i].Earliest = false, nil, domain.Date{}
			shown[i].Missing = []domain.Text{domain.T("是否符合取决于尚未公开的评审情况，暂不显示", "whether it is met hangs on a review that is not open to you, and is not shown")}
		}
	}
	return shown, judged
}
