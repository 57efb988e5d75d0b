package domain

// Readers is a set of those who may read something. Who somebody is to a record,
// its owner or a party to it, is the record's to say.
type Readers uint8

// The members of the set.
const (
	Reviewers   Readers = 1 << iota // who conducts reviews, or audits them: ministry, agency, officer, auditor
	Keepers                         // who keeps the register, or audits it: ministry, officer, auditor
	Authorities                     // authorities that recommend
	Owner                           // a lab's host and director; whoever registered a webhook; whom a key acts for
	Parties                         // partners that are parties to a lab
	Anybody                         // also without a token

	Everybody = Reviewers | Keepers | Authorities | Owner | Parties | Anybody
)

// Readers are what an actor is wherever it reads.
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

// Include reports whether any of those in who is among the readers.
func (r Readers) Include(who Readers) bool { return r&who != 0 }
