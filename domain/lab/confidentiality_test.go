package lab_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// secretive is a lab with a draft, an agreement in force with an amendment that
// is not signed by all, and two rounds of review of which the first is decided.
func secretive(to domain.Opinions) (*lab.Lab, []domain.RecordedEvent[lab.Event]) {
	host, partner := domain.EntityRef{ID: uuid.New()}, domain.EntityRef{ID: uuid.New()}
	parties := []lab.Party{{Entity: host, Role: lab.HostParty}, {Entity: partner, Role: lab.PartnerParty}}
	day := domain.MustDate("2020-01-01")
	signed := func(by domain.EntityRef) lab.AgreementSigned {
		return lab.AgreementSigned{Agreement: "A1", Party: by, Signature: lab.Signature{Party: by.ID, On: day}}
	}
	var history []domain.RecordedEvent[lab.Event]
	for i, e := range []lab.Event{
		lab.Proposed{Host: host},
		lab.AgreementDrafted{Agreement: "A1", Parties: parties}, signed(host), signed(partner),
		lab.RightAdded{Item: "R1", Agreement: "A1", Party: host},
		lab.AmendmentProposed{Agreement: "A1",
			Amendment: lab.Amendment{No: 1, Accede: []lab.Party{{Entity: domain.EntityRef{ID: uuid.New()}}}}},
		lab.AgreementDrafted{Agreement: "A2", Parties: parties},
		lab.RightAdded{Item: "R2", Agreement: "A2", Party: host},
		lab.CommitmentPledged{Commitment: "F1", Party: host, Agreement: "A2"},
		lab.CommitmentPledged{Commitment: "F2", Party: host},
		lab.PackageFrozen{Application: 1, Version: 1},
		lab.ApplicationSubmitted{Application: 1},
		lab.ExpertInvited{Of: lab.Of{Application: 1}, Expert: "Z1"},
		lab.OpinionRecorded{Of: lab.Of{Application: 1}, Expert: "Z1"},
		lab.DimensionAssessed{Application: 1, Dimension: "plan"},
		lab.EstablishmentDeclined{Transition: lab.Transition{From: lab.StatusSiteVisit, To: lab.StatusNotEstablished,
			On: day, OpinionsTo: to}},
		lab.PackageFrozen{Application: 2, Version: 1},
		lab.ApplicationSubmitted{Application: 2},
		lab.OpinionRecorded{Of: lab.Of{Application: 2}, Expert: "Z2"},
		lab.DimensionAssessed{Application: 2, Dimension: "plan"},
	} {
		history = append(history, domain.RecordedEvent[lab.Event]{Meta: domain.Meta{ID: uuid.New(),
			Revision: uint64(i)}, Event: e})
	}
	l := lab.New(uuid.New())
	domain.Fold(l, history)
	return l, history
}

// readersOf returns the readers of each event of a history, as letters.
func readersOf(history []domain.RecordedEvent[lab.Event], closed []lab.Sight, documents bool) (all []string) {
	for i := range history {
		readers := domain.Everybody
		for _, c := range closed {
			if c.Revision == uint64(i) {
				if readers = c.Readers; documents {
					readers = c.Documents
				}
			}
		}
		who := ""
		for _, is := range []struct {
			readers domain.Readers
			letter  string
		}{{domain.Reviewers, "r"}, {domain.Authorities, "a"}, {domain.Owner, "o"}, {domain.Parties, "p"},
			{domain.Anybody, "*"}} {
			if readers.Include(is.readers) {
				who += is.letter
			}
		}
		all = append(all, who)
	}
	return all
}

func TestEventReaders(t *testing.T) {
	for to, opinion := range map[domain.Opinions]string{"": "r", domain.OpinionsToHost: "ro",
		domain.OpinionsToParties: "rop", domain.OpinionsToAll: "raop*"} {
		l, history := secretive(to)
		closed := l.Secrecy().Closed(history)
		const public, draft, submitted = "raop*", "raop", "rao"
		want := []string{
			public, public, public, public, public, draft, draft, draft, draft,
			public,                                       // to the commitment without an agreement
			public, public, "r", opinion, public, public, // decided
			submitted, public, "r", "r", // not decided
		}
		if got := readersOf(history, closed, false); !slices.Equal(got, want) {
			t.Errorf("opinions open to %q: events are read by\n%v, want\n%v", to, got, want)
		}
		// The application itself comes with its transition; an opinion bears a name.
		want[13], want[17] = "r", submitted
		if got := readersOf(history, closed, true); !slices.Equal(got, want) {
			t.Errorf("opinions open to %q: documents are read by\n%v, want\n%v", to, got, want)
		}
	}
}

func TestCorrectionReaders(t *testing.T) {
	for _, c := range []struct {
		wrong int
		right lab.Event
		want  string
	}{
		{4, lab.RightAdded{Item: "R1", Agreement: "A2"}, "raop"}, // it names A1 and belongs to the draft
		{4, lab.RightAdded{Item: "R1", Agreement: "A1"}, "raop*"},
		{7, lab.RightAdded{Item: "R2", Agreement: "A1"}, "raop"}, // the draft had been named
		{8, lab.CommitmentPledged{Commitment: "F1"}, "raop"},
	} {
		l, history := secretive("")
		with := domain.Correction{Corrects: history[c.wrong].Meta.ID, With: domain.Restated{Event: c.right}}
		history = append(history, domain.RecordedEvent[lab.Event]{Meta: domain.Meta{ID: uuid.New(),
			Revision: uint64(len(history))}, Event: lab.Corrected{Correction: with}})
		l = lab.New(l.ID)
		domain.Fold(l, history)
		got := readersOf(history, l.Secrecy().Closed(history), false)
		if got[c.wrong] != c.want || got[len(got)-1] != c.want {
			t.Errorf("corrected to %+v, the event is read by %q and what corrects it by %q, want %q", c.right,
				got[c.wrong], got[len(got)-1], c.want)
		}
	}
}

func TestViewRedactsLab(t *testing.T) {
	l, _ := secretive(domain.OpinionsToParties)
	s := l.Secrecy()
	whole := func(v *lab.Lab) []int {
		n := []int{len(v.Agreements), 0, len(v.Rights), len(v.Commitments), len(v.Reviews.Applications), 0, 0, 0}
		for _, a := range v.Agreements {
			n[1] += len(a.Amendments)
		}
		for _, a := range v.Reviews.Applications {
			n[5], n[6], n[7] = n[5]+len(a.Experts), n[6]+len(a.Opinions), n[7]+len(a.Dimensions)
		}
		return n
	}
	all := []int{2, 1, 2, 2, 2, 1, 2, 2}
	for _, c := range []struct {
		name string
		who  domain.Readers
		want []int // agreements, amendments, items, commitments, applications, experts, opinions, dimensions
	}{
		{"who conducts reviews", domain.Reviewers, all},
		{"an authority", domain.Anybody | domain.Authorities, []int{2, 1, 2, 2, 2, 0, 0, 1}},
		{"the host", domain.Anybody | domain.Owner, []int{2, 1, 2, 2, 2, 0, 1, 1}},
		{"a party", domain.Anybody | domain.Parties, []int{2, 1, 2, 2, 1, 0, 1, 1}},
		{"anybody", domain.Anybody, []int{1, 0, 1, 1, 1, 0, 0, 1}},
	} {
		if got := whole(s.View(l, c.who)); !slices.Equal(got, c.want) {
			t.Errorf("%s sees %v, want %v", c.name, got, c.want)
		}
		if got := whole(l); !slices.Equal(got, all) {
			t.Fatalf("after a view for %s the lab has %v", c.name, got)
		}
	}
}

func TestReadersOfActor(t *testing.T) {
	l, _ := secretive("")
	host, partner, acceding := l.Host.ID, l.Agreements[0].Parties[1].Entity.ID,
		l.Agreements[0].Amendments[0].Accede[0].Entity.ID
	for _, c := range []struct {
		role   domain.Role
		entity uuid.UUID
		want   domain.Readers
	}{
		{domain.Host, host, domain.Owner}, {domain.Director, host, domain.Owner},
		{domain.Partner, partner, domain.Parties}, {domain.Partner, acceding, domain.Parties},
		{domain.Host, partner, 0}, {domain.Director, uuid.Nil, 0}, {domain.Partner, uuid.New(), 0},
		{domain.Expert, host, 0}, {"", uuid.Nil, 0},
		{domain.Authority, host, domain.Authorities}, {domain.Agency, uuid.Nil, domain.Reviewers},
		{domain.Ministry, uuid.Nil, domain.Reviewers | domain.Keepers},
		{domain.Officer, uuid.Nil, domain.Reviewers | domain.Keepers},
		{domain.Auditor, uuid.Nil, domain.Reviewers | domain.Keepers},
	} {
		if got := l.Readers(domain.Actor{Subject: "x", Role: c.role,
			OnBehalfOf: c.entity}); got != c.want|domain.Anybody {
			t.Errorf("%s for %s is %b, want %b", c.role, c.entity, got, c.want|domain.Anybody)
		}
	}
}

// Every member of the documents is public, or View knows of it.
func TestEveryFieldIsClassified(t *testing.T) {
	public := map[string]string{
		"Lab": `ID Programme Level Names Host Discipline Platforms Partners Facts Status StatusSince Moves Incubation Construction EarlyAllowed RectifyBy
			MayReapply Certificate MergedInto Voided Independence Plans Tasks ManagementBody Records`,
		"Reviews":     `Affiliation Goals Stages Opened Evaluations`,
		"Application": `No Follows Policy SelfAssessments Packages Recommendations Submissions Returns FormalCheck Shortlisted Outcome Decided`,
		"Acceptance":  `No Follows On Standard Document Delegate Delegation Outcome Decided Entry`,
		"Panel":       `OpinionsTo`,
		"Agreement":   `ID Title Class Parties Term TermSince Languages GoverningLaw Documents Signatures InForceFrom Lapses Ended EndedOn SupersededBy Evidence`,
	}
	viewed := map[string]string{
		"Lab": `Agreements Rights Commitments Reviews Unsupported`, "Reviews": `Applications Acceptances`,
		"Application": `Site Panel Dimensions`,
		"Acceptance":  `Panel Cells`, "Panel": `Experts Opinions`, "Agreement": `Amendments`,
	}
	for _, of := range []any{lab.Lab{}, lab.Reviews{}, lab.Application{}, lab.Acceptance{}, lab.Panel{},
		lab.Agreement{}} {
		t.Run(reflect.TypeOf(of).Name(), func(t *testing.T) {
			name := reflect.TypeOf(of).Name()
			for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
				if len(f.Index) == 1 && !slices.Contains(strings.Fields(public[name]+" "+viewed[name]), f.Name) {
					t.Errorf("is %s.%s public? say so here, or keep it from those who may not see it in Secrecy.View",
						name, f.Name)
				}
			}
		})
	}
}
