package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// What not everybody may read stands in two tables: closed has each event that
// is not public, with who may read it and the documents it names; drafts has the
// agreements, items and commitments that are not public yet. Both follow from
// the lab as it stands (see lab.Secrecy) and are written anew with it. Events of
// kinds that are not the programme's business are its keepers' and their owner's.

// publicKinds are the kinds of streams of which everything is public.
var publicKinds = map[string]bool{"entity": true, "programme": true}

// restrictedRows are the rows that say what not everybody may read of the aggregate.
func (a *aggregate) restrictedRows(history []eventstore.Decoded) (all rows) {
	positions := parsePositions(a.positions)
	s, is := a.state.(*labState)
	if !is {
		if !publicKinds[a.stream.Kind] {
			for _, p := range positions {
				all.add("closed", a.n, int64(p), int(domain.Keepers|domain.Owner), int(domain.Keepers|domain.Owner))
			}
		}
		return all
	}
	secrecy := s.Secrecy()
	happened := make([]domain.RecordedEvent[lab.Event], 0, len(history))
	for _, d := range history {
		happened = append(happened, domain.RecordedEvent[lab.Event]{Meta: d.Meta,
			Event: d.Event.(lab.Event)}) // it was folded
	}
	for _, c := range secrecy.Closed(happened) {
		all.add("closed", a.n, int64(positions[c.Revision]), int(c.Readers), int(c.Documents))
	}
	draft := func(part string, no int, readers domain.Readers) {
		if readers != domain.Everybody {
			all.add("drafts", a.n, part, no)
		}
	}
	for i, g := range s.Agreements {
		draft("agreements", i, secrecy.AgreementReaders(g.ID))
	}
	for i, it := range s.Rights {
		draft("rights", i, secrecy.ItemReaders(it))
	}
	for i, f := range s.Commitments {
		draft("commitments", i, secrecy.CommitmentReaders(f))
	}
	return all
}

// ownLabs is a query for the numbers of the labs that an actor acts for, now, and
// as what; nothing where it acts for none.
func ownLabs(a domain.Actor) (who domain.Readers, query string, args []any) {
	switch {
	case a.OnBehalfOf == uuid.Nil:
	case a.Role == domain.Host || a.Role == domain.Director:
		return domain.Owner, "SELECT n FROM main.labs WHERE host = ?", []any{a.OnBehalfOf[:]}
	case a.Role == domain.Partner:
		return domain.Parties, fmt.Sprintf("SELECT lab FROM main.parties WHERE entity = ? AND bound & %d",
			boundByAgreement), []any{a.OnBehalfOf[:]}
	}
	return 0, "", nil
}

// draftsVisible is the condition that an actor may read drafts of the lab numbered in
// a column.
func draftsVisible(a domain.Actor, column string) (condition string, args []any) {
	if lab.Drafts.Include(a.Readers()) {
		return "1", nil
	}
	if _, query, args := ownLabs(a); query != "" {
		return column + " IN (" + query + ")", args
	}
	return "0", nil
}

// ReadsAll reports whether nothing is closed to an actor.
func ReadsAll(a domain.Actor) bool {
	return domain.Reviewers.Include(a.Readers()) && domain.Keepers.Include(a.Readers())
}

// notReadable is the condition on rows of closed that an actor is not among the
// readers in a column.
func notReadable(a domain.Actor, column string) (condition string, args []any) {
	condition, args = fmt.Sprintf("closed.%s & %d = 0", column, a.Readers()), nil
	but := func(who domain.Readers, query string, of []any) {
		condition += fmt.Sprintf(" AND NOT (closed.%s & %d AND closed.stream IN (%s))", column, who, query)
		args = append(args, of...)
	}
	if who, query, of := ownLabs(a); query != "" {
		but(who, query, of)
	}
	if a.Subject != "" {
		but(domain.Owner, "SELECT n FROM webhooks WHERE owner = ? AND role = ? AND behalf = ?",
			[]any{a.Subject, string(a.Role), a.OnBehalfOf[:]})
	}
	if a.OnBehalfOf != uuid.Nil {
		but(domain.Owner, "SELECT n FROM keys WHERE entity = ?", []any{a.OnBehalfOf[:]})
	}
	return condition, args
}

// documentReadable is the condition on references to documents that an actor may read the
// document for it. A digest is no secret: it stands in public events about
// documents that are not public. So a reference opens a document only in the
// record that named it first, or where it was recorded by somebody who reads all
// documents anyway; whoever else names it opens nothing.
func documentReadable(a domain.Actor) (condition string, args []any) {
	if domain.Reviewers.Include(a.Readers()) {
		return "1", nil
	}
	condition, args = notReadable(a, "documents")
	return `(digests.reviewer OR digests.stream = (SELECT first.stream FROM digests AS first WHERE first.digest = digests.digest ORDER BY first.position LIMIT 1))
		AND NOT EXISTS (SELECT 1 FROM closed WHERE closed.position = digests.position AND ` + condition + ")", args
}

// hiddenFrom are the positions of events after one position and up to another, of
// one stream or of all, that an actor may not read.
func hiddenFrom(ctx context.Context, db querier, a domain.Actor, of eventstore.Stream, after,
	upTo eventstore.Position) (map[eventstore.Position]bool, error) {
	if ReadsAll(a) {
		return nil, nil
	}
	condition, args := notReadable(a, "readers")
	if of != (eventstore.Stream{}) {
		condition += " AND closed.stream = (SELECT n FROM streams WHERE id = ? AND kind = ?)"
		args = append(args, of.ID[:], of.Kind)
	}
	closed := map[eventstore.Position]bool{}
	return closed, each(ctx, db, func(rows *sql.Rows) error {
		var p eventstore.Position
		err := rows.Scan(&p)
		closed[p] = true
		return err
	}, "SELECT position FROM closed WHERE position > ? AND position <= ? AND "+condition,
		append([]any{int64(after), int64(upTo)}, args...)...)
}

// Closed says of the events after one position and up to another who may read
// those that not everybody may. The model must hold them; see Wait.
func (m *Model) Closed(ctx context.Context, after, upTo eventstore.Position) (map[eventstore.Position]domain.Readers,
	error) {
	closed := map[eventstore.Position]domain.Readers{}
	err := each(ctx, m.readers, func(rows *sql.Rows) error {
		var p eventstore.Position
		var readers domain.Readers
		err := rows.Scan(&p, &readers)
		closed[p] = readers
		return err
	}, "SELECT position, readers FROM closed WHERE position > ? AND position <= ?", int64(after), int64(upTo))
	return closed, listError(err, "closed events")
}

// publicTypes are the types of events that everybody may always read.
var publicTypes = func() map[string]bool {
	types := map[string]bool{}
	for name, e := range eventstore.Types() {
		if event, of := e.(lab.Event); of {
			if _, corrects := domain.AsCorrection(event); !corrects {
				class, _ := lab.ConfidenceOf(event)
				types[name] = class == lab.Public
			}
		} else {
			types[name] = publicKinds[eventstore.Facet(name)]
		}
	}
	return types
}()

// CanRead reports whether an actor may read an event of the ledger. Where that
// hangs on more than its type it waits until the model holds the event.
func (m *Model) CanRead(ctx context.Context, a domain.Actor, o eventstore.Header, p eventstore.Position) (bool, error) {
	if ReadsAll(a) || publicTypes[o.Type] {
		return true, nil
	}
	if err := m.Wait(ctx, o.Stream, o.Revision+1); err != nil {
		return false, err
	}
	closed, err := hiddenFrom(ctx, m.readers, a, o.Stream, p-1, p)
	return !closed[p], listError(err, "closed events")
}

// IsPublic reports whether everybody may always read events of a type.
func IsPublic(name string) bool { return publicTypes[name] }

// MayRead reports whether an actor may read a document that events refer to, see
// mayRead. Whoever conducts reviews may read any.
func (m *Model) MayRead(ctx context.Context, a domain.Actor, document eventstore.Digest) (may bool, err error) {
	if domain.Reviewers.Include(a.Readers()) {
		return true, nil
	}
	condition, args := documentReadable(a)
	err = m.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM digests WHERE digest = ? AND "+condition+")",
		append([]any{document[:]}, args...)...).Scan(&may)
	return may, listError(err, "references")
}

// viewFor is what an actor may see of the states of a stream.
func (m *Model) viewFor(ctx context.Context, stream eventstore.Stream, a domain.Actor) (func(state) state, error) {
	all := func(s state) state { return s }
	if stream.Kind != "lab" || domain.Reviewers.Include(a.Readers()) {
		return all, nil
	}
	now, _, _, err := m.Lab(ctx, stream.ID)
	if errors.Is(err, ErrNotFound) {
		return all, nil // there is no event of it either
	}
	if err != nil {
		return nil, err
	}
	secrecy, who := now.Secrecy(), now.Readers(a)
	return func(s state) state {
		l := secrecy.View(s.(*labState).Lab, who)
		return &labState{l, base[lab.Event]{l}}
	}, nil
}
