package domain

// Readers is a set of the readers of a record. Its owner and the parties to it
// follow from the record.
type Readers uint8

// The members of the set.
const (
	Reviewers   Readers = 1 << iota // of reviews: ministry, agency, officer, auditor
	Keepers                         // of the register: ministry, officer, auditor
	Authorities                     // authorities that recommend
	Owner                           // a lab's host and director, a webhook's registrant, a key's legal entity
	Parties                         // partners that are parties to a lab
	Anybody                         // without a token, too

	Everybody = Reviewers | Keepers | Authorities | Owner | Parties | Anybody
)

// Readers returns the readers an actor is among for every record.
func (a Actor) Readers() Readers {
	switch a.Role {
	case Ministry, Officer, Auditor:
		return Anybody | Reviewers | Keepers
	case Agency:
		return Anybody | Reviewers
	case Authority:
		return Anybody | Authorities
	}
	return Anybody
}

// Include reports whether any member of who is among the readers.
func (r Readers) Include(who Readers) bool { return r&who != 0 }
