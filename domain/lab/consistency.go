package lab

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// made returns the number of the row that an event makes, and the series it is
// counted in: F2 and F of a pledge. Both are empty where the event makes none that
// others name.
func made(e Event) (id, series string) {
	switch e := e.(type) {
	case AgreementDrafted:
		id = e.Agreement
	case AmendmentProposed:
		return "", e.Agreement
	case RightAdded:
		id = e.Item
	case CommitmentPledged:
		id = e.Commitment
	case ContributionReceived:
		return "", e.Commitment
	case ContributionReturned:
		return "", e.Commitment
	case PlatformLinked:
		id = e.Platform
	case TaskAssigned:
		id = e.Task
	case PlanAdopted:
		return "", "plan"
	case BodyConstituted:
		id = e.Body
	case MemberAppointed:
		id = e.Member
	case InstrumentAdopted:
		id = e.ID
	case ReformDeclared:
		id = e.ID
	case TrainingProgrammeOpened:
		id = e.ID
	case FundEstablished:
		id = e.Fund
	case ObjectiveSet:
		id = e.Objective
	case DirectionSet:
		id = e.Direction
	case ProjectLinked:
		id = e.Project
	case SupportPromised:
		id = e.Support
	case MinistrySupportConsidered:
		id = e.Support
	case StageGoalSet:
		id = e.Goal
	case ExpertInvited:
		id = e.Expert
	}
	if id == "" {
		return "", ""
	}
	return id, id[:1]
}

// spend keeps that the number of an event that is void is not given again.
func (l *Lab) spend(e Event) {
	_, series := made(e)
	if series == "" {
		return
	}
	l.Voided = maps.Clone(l.Voided)
	if l.Voided == nil {
		l.Voided = map[string]int{}
	}
	l.Voided[series]++
}

// RestsOn reports whether a later event rests on an earlier one: l is the state
// before the later one, folded without the earlier, or with another in its place.
// void is the earlier event where it is to be void, and nil where it is corrected.
func (l *Lab) RestsOn(void Event, later domain.RecordedEvent[Event]) bool {
	if t, ok := later.Event.(interface{ transition() Transition }); ok && t.transition().From != l.Status {
		return true
	}
	if h, ok := later.Event.(HistoryRecorded); ok && h.From != l.Status {
		return true
	}
	switch e := later.Event.(type) {
	case Voided:
		return false
	case AgreementSigned:
		if a := l.agreement(e.Agreement); a == nil || !a.names(e.Party.ID) {
			return true
		}
	case AmendmentSigned:
		if a := l.agreement(e.Agreement); a == nil || !a.names(e.Party.ID) {
			return true
		}
	case PartyWithdrew:
		if a := l.agreement(e.Agreement); a == nil || !a.names(e.Party.ID) {
			return true
		}
	case BreachCured:
		if it := l.item(e.Item); it == nil || it.State != Breached {
			return true
		}
	}
	if p, ok := void.(AmendmentProposed); ok && l.underAmendment(p, later.Event) {
		return true
	}
	if f, ok := void.(PackageFrozen); ok && frozenIn(later.Event) == f.Version && f.Version > 0 {
		return true
	}
	id, _ := made(void)
	return id != "" && names(later.Event, id)
}

// underAmendment reports whether an event rests on an amendment.
func (l *Lab) underAmendment(p AmendmentProposed, later Event) bool {
	no := p.Amendment.No
	switch e := later.(type) {
	case AmendmentSigned:
		return e.Agreement == p.Agreement && e.Amendment == no
	case RightAmended:
		it := l.item(e.Item)
		return e.Amendment == no && it != nil && it.Agreement == p.Agreement
	case CommitmentAmended:
		f := l.commitment(e.Commitment)
		return e.Amendment == no && f != nil && f.Agreement == p.Agreement
	}
	return false
}

// frozenIn is the version of the package that an event hands in.
func frozenIn(e Event) int {
	switch e := e.(type) {
	case ApplicationSubmitted:
		return e.Package
	case ApplicationResubmitted:
		return e.Package
	}
	return 0
}

// names reports whether an event has a value that is an id such as F1.
func names(e Event, id string) bool {
	data, err := json.Marshal(e)
	return err == nil && strings.Contains(string(data), `"`+id+`"`)
}

// inconsistency is something that a lab's records cannot all be true of.
type inconsistency struct {
	subject string // F1, K1 or M2
	text    domain.Text
}

// inconsistencies checks the records against each other over all days. Commands
// refuse each of these by themselves; a correction or a void may bring one about.
func (l *Lab) inconsistencies() []inconsistency {
	return slices.Concat(l.overdrawnCommitments(), l.overdrawnFunds(), l.doublePosts())
}

// Inconsistent refuses a state that is at odds with itself where the state before
// was not.
func (l *Lab) Inconsistent(before *Lab) error {
	known := map[string]bool{}
	for _, f := range before.inconsistencies() {
		known[f.subject] = true
	}
	var zh, en []string
	for _, f := range l.inconsistencies() {
		if !known[f.subject] {
			zh, en = append(zh, f.text.Chinese()), append(en, f.text.English())
		}
	}
	if zh == nil {
		return nil
	}
	return domain.Reject(domain.State, "与此后的登记不符：%s。请先更正或作废后者", "it contradicts later entries: %s. Correct or void those first",
		domain.T(strings.Join(zh, "；"), strings.Join(en, "; ")))
}

// overdrawnCommitments names the first return of each commitment that takes back
// more than was there on its day.
func (l *Lab) overdrawnCommitments() (found []inconsistency) {
	for i := range l.Commitments {
		f := &l.Commitments[i]
		for _, t := range f.Contributions {
			if left := f.deliveredBy(t.On); t.Returned && !left.covers(f.Quantity.nothing()) {
				found = append(found, inconsistency{f.ID, domain.Textf("承诺 %[1]s 于 %[2]s 退回 %[3]s，当日到位减退回为 %[4]s",
					"on %[2]s %[3]s was returned of commitment %[1]s, which leaves %[4]s that day", f.ID, t.On,
					t.Quantity, left)})
				break
			}
		}
	}
	return found
}

// overdrawnFunds names the first award of each fund that it could not pay on its day.
func (l *Lab) overdrawnFunds() (found []inconsistency) {
	for i := range l.Funds {
		f := &l.Funds[i]
		for _, a := range f.Awards {
			if left := f.balanceOn(a.Amount.Currency, a.On); left.Sign() < 0 {
				found = append(found, inconsistency{f.ID, domain.Textf("基金 %[1]s 于 %[2]s 资助 %[3]s，当日结余为 %[4]s %[5]s",
					"on %[2]s fund %[1]s granted %[3]s, which leaves %[4]s %[5]s that day", f.ID, a.On, a.Amount,
					left, a.Amount.Currency)})
				break
			}
		}
	}
	return found
}

// balanceOn returns what the fund holds in one currency at the end of a day.
func (f *Fund) balanceOn(currency string, d domain.Date) domain.Decimal {
	sum := domain.Sums{}
	for _, p := range f.Paid {
		if !p.On.After(d) {
			sum.Add(p.Amount)
		}
	}
	for _, a := range f.Awards {
		if !a.On.After(d) {
			sum.Add(domain.Money{Amount: a.Amount.Amount.Neg(), Currency: a.Amount.Currency})
		}
	}
	return sum[currency]
}

// doublePosts names each director who is in office together with an earlier one
// of the same side.
func (l *Lab) doublePosts() (found []inconsistency) {
	for i := range l.Members {
		m := &l.Members[i]
		if m.Kind != DirectorPost {
			continue
		}
		for j := range l.Members[:i] {
			if o := &l.Members[j]; o.Kind == DirectorPost && o.Side == m.Side && m.overlaps(o.held()) {
				found = append(found, inconsistency{m.ID, domain.Textf("%[3]s负责人 %[1]s 与 %[2]s 同时在任",
					"directors %[1]s and %[2]s of the %[3]s side are in office at once", o.ID, m.ID, sideText(m.Side))})
				break
			}
		}
	}
	return found
}
