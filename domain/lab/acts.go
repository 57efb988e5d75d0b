package lab

import (
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Act is whose act a command on agreements, rights and funding is. Nobody acts for
// another: the host of a lab is a party like the others. An officer enters what
// paper shows, for any of them.
type Act string

// Whose act a command is.
const (
	AnyParty Act = "any-party" // that of any party to the agreement
	Itself   Act = "itself"    // that of the party it names
	Debtor   Act = "debtor"    // that of the party that owes the item or the commitment
	Creditor Act = "creditor"  // that of whom an item is owed to: its counterparty or, without one, any other party
)

var actWords = map[Act]domain.Text{
	AnyParty: domain.T("协议任何一方", "any party to the agreement"),
	Itself:   domain.T("命令所指的一方自己", "the very party that the command names"),
	Debtor:   domain.T("条目或承诺的义务方", "the party that owes the item or the commitment"),
	Creditor: domain.T("条目的相对方；没有相对方的，为协议的其他任何一方", "the counterparty of the item; without one, any other party to the agreement"),
}

// Text returns whose act it is in words.
func (a Act) Text() domain.Text { return actWords[a] }

// PartyCommand is a command that a party may send. One without Reach is refused
// to every party.
type PartyCommand interface {
	Command
	Reach() Reach
}

// Reach is what a command is about, of what belongs to particular parties. What
// a command is not about is absent; an id that is there but empty names nothing.
type Reach struct {
	Act        Act      // empty: the lab's own business, which its host sees to as well
	Agreements []string // an empty one does not count
	Item       *string  // of the matrix
	Commitment *string
	Party      *uuid.UUID // the legal entity it is sent for
}

// IsAct reports whether a command is the act of a legal entity that is the host of
// the lab or a party to its agreements. One that names nothing on record is left to
// the decision, which tells that it is not there.
func (l *Lab) IsAct(id uuid.UUID, command PartyCommand) bool {
	r := command.Reach()
	switch r.Act {
	case Itself:
		return *r.Party == id
	case Debtor:
		if r.Item != nil {
			it := l.item(*r.Item)
			return it == nil || it.Party.ID == id
		}
		f := l.commitment(*r.Commitment)
		return f == nil || f.Party.ID == id
	case Creditor:
		it := l.item(*r.Item)
		switch {
		case it == nil:
			return true
		case it.Counterparty != nil:
			return it.Counterparty.ID == id
		}
		a := l.agreement(it.Agreement)
		return it.Party.ID != id && a != nil && a.names(id)
	}
	return true
}

// PartyMay reports whether a command is a party's to send: its own act, about an
// agreement, or an item of one, that names it. A command about no agreement is for
// parties to one that binds them: to be named in another's draft is not enough.
func (l *Lab) PartyMay(id uuid.UUID, command PartyCommand) bool {
	names := func(agreement string) bool {
		a := l.agreement(agreement)
		return a != nil && a.names(id)
	}
	r := command.Reach()
	if !l.IsAct(id, command) || r.Party != nil && *r.Party != id {
		return false
	}
	about := false
	for _, agreement := range r.Agreements {
		if agreement != "" && !names(agreement) {
			return false
		}
		about = about || agreement != ""
	}
	if r.Item != nil {
		if item := l.item(*r.Item); item == nil || !names(item.Agreement) {
			return false
		}
		about = true
	}
	if r.Commitment != nil {
		if l.commitment(*r.Commitment) == nil {
			return false
		}
		about = true
	}
	return about || l.Binds(id)
}
