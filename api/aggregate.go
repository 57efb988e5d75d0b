package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// aggregate runs the commands of one kind; only newAggregates knows its types.
// correct and void are nil where a record is changed and never corrected.
type aggregate struct {
	do      func(ctx context.Context, p *intent) (eventstore.Outcome, disclosure, error)
	correct func(ctx context.Context, p *intent, wrong uuid.UUID, because domain.Grounds) (eventstore.Outcome, error)
	void    func(ctx context.Context, p *intent, wrong uuid.UUID, because domain.Grounds) (eventstore.Outcome, error)

	// Steps of the kind beside the common path; nil: none. Without authorize, a record
	// is the caller's own if it is the legal entity acted for.
	newID      func(cmd any) uuid.UUID // of the record that a command creates
	authorize  func(ctx context.Context, p *intent, relation Relation) error
	bringFacts func(ctx context.Context, p *intent) error
}

// disclosure is the part of an answer that only the first answer to a command has.
type disclosure struct {
	secret string
	notice domain.Text // replaces a secret that was shown before
}

func newAggregate[S domain.Aggregate[E], E domain.Event](
	a *eventstore.Aggregates[S, E], corrected func(domain.Correction) E, voided func(domain.Void) E,
) aggregate {
	all := aggregate{do: func(ctx context.Context, p *intent) (o eventstore.Outcome, _ disclosure, err error) {
		o, err = a.Do(ctx, p.id, p.cmd.(domain.Command[S, E]), p.request)
		return o, disclosure{}, err
	}}
	if corrected != nil {
		all.correct = func(ctx context.Context, p *intent, wrong uuid.UUID, because domain.Grounds) (eventstore.Outcome,
			error) {
			return a.Correct(ctx, p.id, wrong, p.cmd.(domain.Command[S, E]), because, corrected, p.request)
		}
		all.void = func(ctx context.Context, p *intent, wrong uuid.UUID, because domain.Grounds) (eventstore.Outcome,
			error) {
			return a.Void(ctx, p.id, wrong, because, voided, p.request)
		}
	}
	return all
}

// newAggregates returns the table of kinds.
func (s *Server) newAggregates() map[string]aggregate {
	labs := newAggregate(s.labs, func(c domain.Correction) lab.Event { return lab.Corrected{Correction: c} },
		func(v domain.Void) lab.Event { return lab.Voided{Void: v} })
	labs.authorize, labs.bringFacts = s.authorizeLab, s.bringProgramme

	programmes := newAggregate(s.programmes,
		func(c domain.Correction) programme.Event { return programme.Corrected{Correction: c} },
		func(v domain.Void) programme.Event { return programme.Voided{Void: v} })
	programmes.newID = newProgrammeID

	webhooks := newAggregate(s.webhooks, nil, nil)
	webhooks.authorize, webhooks.bringFacts = s.authorizeWebhook, s.checkEndpoint
	webhooks.do = s.disclosing(webhooks.do)

	keys := newAggregate(s.keys, nil, nil)
	keys.authorize, keys.bringFacts = s.authorizeKey, s.checkKeyLimit
	keys.do = issuing(keys.do)

	persons := newAggregate(s.persons, nil, nil)
	persons.bringFacts = func(ctx context.Context, p *intent) error {
		_, err := s.knownPerson(ctx, p.id)
		return err
	}
	persons.do = s.erasing(persons.do)

	return map[string]aggregate{
		"lab": labs,
		"entity": newAggregate(s.entities,
			func(c domain.Correction) entity.Event { return entity.Corrected{Correction: c} },
			func(v domain.Void) entity.Event { return entity.Voided{Void: v} }),
		"programme": programmes,
		"webhook":   webhooks,
		"key":       keys,
		"person":    persons,
	}
}

type doer = func(context.Context, *intent) (eventstore.Outcome, disclosure, error)

// newProgrammeID returns the id derived from a programme's name, since labs refer
// to a programme by name; the nil UUID for other commands.
func newProgrammeID(cmd any) uuid.UUID {
	if p, ok := cmd.(programme.RegisterProgramme); ok {
		return domain.ProgrammeID(p.Name.Trimmed().Chinese())
	}
	return uuid.Nil
}

// disclosing returns a doer that discloses the secret of a new webhook.
func (s *Server) disclosing(do doer) doer {
	return func(ctx context.Context, p *intent) (eventstore.Outcome, disclosure, error) {
		o, _, err := do(ctx, p)
		if err != nil {
			return o, disclosure{}, err
		}
		return o, disclosure{secret: s.secretOf(o)}, nil
	}
}

// issuing returns a doer that draws the secret of an issued key.
func issuing(do doer) doer {
	return func(ctx context.Context, p *intent) (eventstore.Outcome, disclosure, error) {
		issue, ok := p.cmd.(key.Issue)
		if !ok {
			return do(ctx, p)
		}
		var secret string
		secret, issue.Hash = newSecret(p.id)
		p.cmd = issue
		o, _, err := do(ctx, p)
		if err == nil && o.Replay {
			return o, disclosure{notice: shownOnce}, nil
		}
		return o, disclosure{secret: secret}, err
	}
}

// erasing returns a doer that destroys a person's key once the erasure is recorded,
// and again on a retry, since the key may still exist.
func (s *Server) erasing(do doer) doer {
	return func(ctx context.Context, p *intent) (eventstore.Outcome, disclosure, error) {
		o, shown, err := do(ctx, p)
		if _, erases := p.cmd.(person.Erase); err == nil && erases {
			err = s.cfg.Persons.Erase(ctx, p.id)
		}
		return o, shown, err
	}
}

// authorizeLab reads the lab once, for the caller's relation and for the programme.
// The relation is checked again on the state that the command is decided on, since
// the caller may have lost it in between.
func (s *Server) authorizeLab(ctx context.Context, p *intent, relation Relation) error {
	if relation != Any && p.operation != "lab-propose" {
		p.request.May = func(state any) error { return authorizeOn(state.(*lab.Lab), p.claims, relation, p.cmd) }
	}
	err := s.relateLab(ctx, p, relation)
	if err != nil && p.retryable { // a party that has left since still gets the outcome of its command
		if again, _ := s.labs.AlreadyHandled(ctx, p.id, p.request.Command); again {
			return nil
		}
	}
	return err
}

func (s *Server) relateLab(ctx context.Context, p *intent, relation Relation) (err error) {
	propose, proposes := p.cmd.(lab.Propose)
	if p.operation == "lab-propose" { // the lab is not on record: its host is named
		if relation != Any && propose.Host != p.claims.Entity {
			err = forbiddenRelation(p.claims.Role, relation)
		}
	} else if failed := s.labs.State(ctx, p.id, func(l *lab.Lab, _ eventstore.Version) {
		p.programme = l.Programme
		err = authorizeOn(l, p.claims, relation, p.cmd)
	}); failed != nil {
		return failed
	}
	if proposes {
		p.programme = propose.Programme
	}
	return err
}

// bringProgramme adds the policies that the lab is judged under.
func (s *Server) bringProgramme(ctx context.Context, p *intent) error {
	facts, err := s.programmeNamed(ctx, p.programme)
	p.request.Programme = &facts
	return err
}

func (s *Server) authorizeWebhook(ctx context.Context, p *intent, relation Relation) error {
	if relation == Any {
		return nil
	}
	var owner domain.Actor
	err := s.webhooks.State(ctx, p.id, func(w *webhook.Webhook, _ eventstore.Version) { owner = w.Owner })
	if err == nil && owner != p.claims.actor() && !(p.operation == "webhook-register" && owner.Subject == "") {
		err = forbiddenRelation(p.claims.Role, relation)
	}
	return err
}

func (s *Server) authorizeKey(ctx context.Context, p *intent, relation Relation) error {
	if relation == Any {
		return nil
	}
	var entity uuid.UUID // that the key acts for
	if issue, ok := p.cmd.(key.Issue); ok {
		entity = issue.Entity
	} else {
		k, err := s.loadKey(ctx, p.id)
		if err != nil {
			return err
		}
		entity = k.OnBehalfOf.ID
	}
	if entity != p.claims.Entity {
		return forbiddenRelation(p.claims.Role, relation)
	}
	return nil
}
