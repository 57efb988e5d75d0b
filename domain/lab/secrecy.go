package lab

import (
	"slices"

	"github.com/google/uuid"
)

// HasParty reports whether a legal entity is or was a party to one of the lab's
// agreements, or is to accede to one.
func (l *Lab) HasParty(id uuid.UUID) bool {
	is := func(p Party) bool { return p.Entity.ID == id }
	return slices.ContainsFunc(l.Agreements, func(a Agreement) bool {
		return slices.ContainsFunc(a.Parties, is) ||
			slices.ContainsFunc(a.Amendments, func(m Amendment) bool { return slices.ContainsFunc(m.Accede, is) })
	})
}
