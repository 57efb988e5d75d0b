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

// Two tables hold what is not public: closed has each restricted event, with the
// readers of the event and of the documents it mentions; drafts has the
// agreements, items and commitments that are not public yet. Both follow from
// the current state of the lab (see lab.Secrecy) and are rewritten with it.
// Keys, webhooks and persons are read by their owners and the keepers.

// publicKinds are the kinds of streams whose events are all public.
var publicKinds = map[string]bool{"entity": true, "programme": true}

// restrictedRows returns the rows of closed and drafts of the aggregate. Only labs
// need the history.
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

// ownLabs returns a query for the numbers of the labs that an actor acts for now,
// and the readers the actor then belongs to. The query is empty if there are none.
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

// draftsVisible returns the condition that an actor may read drafts of the lab
// with the number in a column.
func draftsVisible(a domain.Actor, column string) (condition string, args []any) {
	if lab.Drafts.Include(a.Readers()) {
		return "1", nil
	}
	if _, query, args := ownLabs(a); query != "" {
		return column + " IN (" + query + ")", args
	}
	return "0", nil
}

// ReadsAll reports whether an actor may read all events and documents.
func ReadsAll(a domain.Actor) bool {
	return domain.Reviewers.Include(a.Readers()) && domain.Keepers.Include(a.Readers())
}

// notReadable returns the condition that the readers in a column of closed do not
// include an actor.
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

// documentReadable returns the condition that a reference to a document lets an
// actor read the document. A digest is no secret: public events mention digests
// of documents that are not public. So only two kinds of references count: those
// of the stream that mentioned the document first, and those recorded by an actor
// who reads all documents anyway.
func documentReadable(a domain.Actor) (condition string, args []any) {
	if domain.Reviewers.Include(a.Readers()) {
		return "1", nil
	}
	condition, args = notReadable(a, "documents")
	return `(digests.reviewer OR digests.stream = (SELECT first.stream FROM digests AS first WHERE first.digest = digests.digest ORDER BY first.position LIMIT 1))
		AND NOT EXISTS (SELECT 1 FROM closed WHERE closed.position = digests.position AND ` + condition + ")", args
}

// hiddenFrom returns the positions after one position and up to another of the
// events that an actor may not read, in one stream or, if it is zero, in all.
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

// Closed returns the readers of the restricted events after one position and up to
// another. The model must hold these events; see Wait.
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

// publicTypes are the types of events that are public in any state of the stream.
var publicTypes = func() map[string]bool {
	types := map[string]bool{}
	for name, e := range eventstore.Types() {
		if event, of := e.(lab.Event); of {
			if _, rewrites := domain.AsRewrite(event); !rewrites {
				class, _ := lab.ConfidenceOf(event)
				types[name] = class == lab.Public
			}
		} else {
			types[name] = publicKinds[eventstore.Facet(name)]
		}
	}
	return types
}()

// CanRead reports whether an actor may read an event of the ledger. Unless the
// event's type decides that, it waits until the model holds the event.
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

// IsPublic reports whether all events of a type are public.
func IsPublic(name string) bool { return publicTypes[name] }

// MayRead reports whether an actor may read a document that events refer to; see
// documentReadable. Reviewers may read any.
func (m *Model) MayRead(ctx context.Context, a domain.Actor, document eventstore.Digest) (may bool, err error) {
	if domain.Reviewers.Include(a.Readers()) {
		return true, nil
	}
	condition, args := documentReadable(a)
	err = m.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM digests WHERE digest = ? AND "+condition+")",
		append([]any{document[:]}, args...)...).Scan(&may)
	return may, listError(err, "references")
}

// viewFor returns a function that reduces states of a stream to what an actor may see.
func (m *Model) viewFor(ctx context.Context, stream eventstore.Stream, a domain.Actor) (func(state) state, error) {
	all := func(s state) state { return s }
	if stream.Kind != "lab" || domain.Reviewers.Include(a.Readers()) {
		return all, nil
	}
	now, _, _, err := m.Lab(ctx, stream.ID)
	if errors.Is(err, ErrNotFound) {
		return all, nil // it has no events either
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
