package lab

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Version is the contents of an agreement at one time: its term, its parties, the
// 责权利 items and the commitments that rest on it.
type Version struct {
	Agreement   string                `json:"agreement"`
	Title       domain.Text           `json:"title"`
	Class       Class                 `json:"class,omitempty"`
	Term        domain.Period         `json:"term,omitzero"`
	Parties     map[uuid.UUID]Party   `json:"parties"`
	Rights      map[string]Item       `json:"rights"`
	Commitments map[string]Commitment `json:"commitments"`
}

// VersionOf returns the agreement as the lab's state has it; ok is false where the
// lab has no such agreement.
func (l *Lab) VersionOf(agreement string) (v Version, ok bool) {
	a := l.agreement(agreement)
	if a == nil {
		return v, false
	}
	v = Version{
		Agreement: a.ID, Title: a.Title, Class: a.Class, Term: a.Term,
		Parties: map[uuid.UUID]Party{}, Rights: map[string]Item{}, Commitments: map[string]Commitment{},
	}
	for _, p := range a.Parties {
		if p.Left.IsZero() {
			v.Parties[p.Entity.ID] = p
		}
	}
	for _, it := range l.Rights {
		if it.Agreement == a.ID {
			v.Rights[it.ID] = it
		}
	}
	for _, f := range l.Commitments {
		if f.Agreement == a.ID {
			v.Commitments[f.ID] = f
		}
	}
	return v, true
}

// Changed is a value before and after a change. One of them may be absent.
type Changed[T any] struct {
	Before *T `json:"before,omitempty"`
	After  *T `json:"after,omitempty"`
}

// Impact is the difference between two versions of an agreement: Apply to the
// first returns the second.
type Impact struct {
	Agreement   string                         `json:"agreement"`
	Title       *Changed[domain.Text]          `json:"title,omitempty"`
	Class       *Changed[Class]                `json:"class,omitempty"`
	Term        *Changed[domain.Period]        `json:"term,omitempty"`
	Parties     map[uuid.UUID]Changed[Party]   `json:"parties"`
	Rights      map[string]Changed[Item]       `json:"rights"`
	Commitments map[string]Changed[Commitment] `json:"commitments"`
}

// Compare returns the impact that leads from v to w.
func (v Version) Compare(w Version) Impact {
	return Impact{
		Agreement: v.Agreement, Title: changed(v.Title, w.Title), Class: changed(v.Class, w.Class),
		Term:    changed(v.Term, w.Term),
		Parties: compare(v.Parties, w.Parties, Party.equal), Rights: compare(v.Rights, w.Rights, Item.equal),
		Commitments: compare(v.Commitments, w.Commitments, Commitment.equal),
	}
}

// Apply returns the version that an impact leads to from v.
func (v Version) Apply(i Impact) Version {
	set(&v.Title, i.Title)
	set(&v.Class, i.Class)
	set(&v.Term, i.Term)
	v.Parties, v.Rights, v.Commitments = apply(v.Parties, i.Parties), apply(v.Rights, i.Rights),
		apply(v.Commitments, i.Commitments)
	return v
}

func changed[T comparable](before, after T) *Changed[T] {
	if before == after {
		return nil
	}
	return &Changed[T]{&before, &after}
}

func set[T any](to *T, c *Changed[T]) {
	if c != nil {
		*to = *c.After
	}
}

func (p Party) equal(q Party) bool {
	return p.Entity.Equal(q.Entity) && p.Role == q.Role && p.Joined == q.Joined && p.Left == q.Left &&
		p.Unit == q.Unit && p.Succeeds == q.Succeeds
}

func (i Item) equal(j Item) bool {
	return i.ID == j.ID && i.Kind == j.Kind && i.Agreement == j.Agreement && i.Amendment == j.Amendment &&
		i.Clause == j.Clause && i.Party.Equal(j.Party) &&
		equalPointers(i.Counterparty, j.Counterparty, domain.EntityRef.Equal) &&
		i.Text == j.Text && i.Scope == j.Scope && i.Due == j.Due && i.State == j.State && i.Since == j.Since &&
		slices.Equal(i.Evidence, j.Evidence) && i.Added == j.Added
}

func (f Commitment) equal(g Commitment) bool {
	return f.ID == g.ID && f.Party.Equal(g.Party) && f.Source == g.Source && f.Agreement == g.Agreement &&
		f.Amendment == g.Amendment && f.Purpose == g.Purpose && f.Quantity.equal(g.Quantity) &&
		f.Firm == g.Firm && f.FirmOn == g.FirmOn && slices.EqualFunc(f.Schedule, g.Schedule, Instalment.equal) &&
		slices.EqualFunc(f.Contributions, g.Contributions, Contribution.equal) && f.Delivered.equal(g.Delivered) &&
		f.Closed == g.Closed && f.ClosedOn == g.ClosedOn && slices.Equal(f.Evidence, g.Evidence)
}

func (i Instalment) equal(j Instalment) bool { return i.Due == j.Due && i.Quantity.equal(j.Quantity) }

func (t Contribution) equal(u Contribution) bool {
	return t.No == u.No && t.On == u.On && t.Quantity.equal(u.Quantity) && t.Returned == u.Returned &&
		t.Evidence == u.Evidence
}

func (q Quantity) equal(r Quantity) bool {
	return equalPointers(q.Cash, r.Cash, same) && equalPointers(q.Premises, r.Premises, same) &&
		equalPointers(q.Equipment, r.Equipment, same) && equalPointers(q.StaffMonths, r.StaffMonths, same)
}

func same[T comparable](a, b T) bool { return a == b }

// equalPointers reports whether both are nil or point to equal values.
func equalPointers[T any](a, b *T, equal func(T, T) bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equal(*a, *b)
}

func compare[K comparable, T any](before, after map[K]T, equal func(T, T) bool) map[K]Changed[T] {
	diff := map[K]Changed[T]{}
	for k, b := range before {
		if a, ok := after[k]; !ok {
			diff[k] = Changed[T]{Before: &b}
		} else if !equal(a, b) {
			diff[k] = Changed[T]{&b, &a}
		}
	}
	for k, a := range after {
		if _, ok := before[k]; !ok {
			diff[k] = Changed[T]{After: &a}
		}
	}
	return diff
}

func apply[K comparable, T any](before map[K]T, diff map[K]Changed[T]) map[K]T {
	after := maps.Clone(before)
	for k, c := range diff {
		if c.After == nil {
			delete(after, k)
		} else {
			after[k] = *c.After
		}
	}
	return after
}

// Cell is one cell of the rights-and-responsibilities matrix: one party's 责, 权 or 利.
type Cell struct {
	Party domain.EntityRef `json:"party"`
	Kind  ItemKind         `json:"kind"`
	Items []Item           `json:"items"`
}

// Matrix returns the lab's rights-and-responsibilities matrix on a day: each party
// bound by an agreement in force × 责, 权, 利, empty cells included (C56).
func (l *Lab) Matrix(on domain.Date) []Cell {
	var cells []Cell
	for i := range l.Agreements {
		a := &l.Agreements[i]
		if a.StatusOn(on) != InForce {
			continue
		}
		for _, p := range a.PartiesOn(on) {
			for _, k := range ItemKinds {
				at := slices.IndexFunc(cells, func(c Cell) bool { return c.Party.ID == p.Entity.ID && c.Kind == k })
				if at < 0 {
					at, cells = len(cells), append(cells, Cell{Party: p.Entity, Kind: k})
				}
				for _, it := range l.Rights {
					if it.Agreement == a.ID && it.Party.ID == p.Entity.ID && it.Kind == k && it.State != Waived {
						cells[at].Items = append(cells[at].Items, it)
					}
				}
			}
		}
	}
	return cells
}
