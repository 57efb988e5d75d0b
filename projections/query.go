package projections

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// ErrNotFound says that the model holds no such aggregate at its position.
var ErrNotFound = errors.New("projections: not in the read model")

// QueryError says what is wrong with a query, and where: the caller can mend it.
type QueryError struct {
	Param   string // limit, cursor, sort …
	Message domain.Text
}

func (e *QueryError) Error() string {
	return fmt.Sprintf("projections: %s: %s", e.Param, e.Message.English())
}

// Paging asks for one page. A cursor is what an earlier page gave as Next, for
// the same query; pages stay whole and in order while others write.
type Paging struct {
	Limit  int    // 1 to 500; 0: 50
	Cursor string // empty: the first page
}

// Page is part of a list.
type Page[T any] struct {
	Items []T
	Total int    // of all pages, as of now
	Next  string // the cursor of the page after this one; empty: this is the last
}

// LabsQuery asks for labs. What is left empty does not restrict.
type LabsQuery struct {
	Paging
	For        domain.Actor // who reads; the zero Actor is shown what is public
	At         Moment       // the past, where it is asked for
	Text       string       // words in Chinese or English, all of which must be there
	Status     []lab.Status // any of these, on Today; DUE is one of them
	Today      domain.Date  // the day statuses are judged on; absent: the statuses as recorded
	Host       uuid.UUID    // the host university
	Party      uuid.UUID    // host, party to an agreement at any time, or named as a partner
	Level      lab.Level
	Programme  string
	Discipline string // contained in the discipline, in either language
	Sort       string // created (also where empty), updated, name_zh, name_en or status
	Desc       bool
}

// LabRow is a lab in a list.
type LabRow struct {
	ID           uuid.UUID
	Name         domain.Text
	Level        lab.Level
	Programme    string
	Host         domain.EntityRef
	Discipline   domain.Text
	Status       lab.Status // on the query's Today
	StatusSince  domain.PartialDate
	Construction domain.PartialPeriod
	Revision     uint64 // how many events the lab has
	Created      time.Time
	Updated      time.Time
}

// EntitiesQuery asks for legal entities. What is left empty does not restrict.
type EntitiesQuery struct {
	Paging
	At         Moment // the past, where it is asked for
	Text       string
	Kind       entity.Kind
	Country    string
	Scheme     domain.Scheme // has a standing identifier in this scheme
	Identifier string        // has this standing identifier, in canonical form
	Status     []entity.Status
	Today      domain.Date // the day statuses are judged on; needed with Status
	Sort       string      // created (also where empty), updated, name_zh or name_en
	Desc       bool
}

// EntityRow is a legal entity in a list.
type EntityRow struct {
	ID          uuid.UUID
	Name        domain.Text
	Kind        entity.Kind
	Country     string
	Identifiers []entity.Identifier
	Ended       *entity.Ending
	Status      entity.Status // on the query's Today; empty where none is given
	Revision    uint64
	Created     time.Time
	Updated     time.Time
}

// OfLab says which lab a row of a list across labs belongs to.
type OfLab struct {
	Lab      uuid.UUID
	Name     domain.Text
	Host     domain.EntityRef
	Revision uint64
}

// AgreementsQuery asks for agreements across labs.
type AgreementsQuery struct {
	Paging
	For    domain.Actor // who reads; the zero Actor is shown what is public
	At     Moment       // the past, where it is asked for
	Lab    uuid.UUID
	Party  uuid.UUID // is or was a party
	Class  lab.Class
	Status []lab.AgreementStatus // any of these, on Today
	Today  domain.Date           // needed with Status
	EndsBy domain.Date           // the term ends on or before this day
}

// AgreementRow is an agreement in a list.
type AgreementRow struct {
	OfLab
	Agreement lab.Agreement
	Status    lab.AgreementStatus // on the query's Today; empty where none is given
}

// RightsQuery asks for items of the rights-and-responsibilities matrices across labs.
type RightsQuery struct {
	Paging
	For          domain.Actor // who reads; the zero Actor is shown what is public
	At           Moment       // the past, where it is asked for
	Lab          uuid.UUID
	Agreement    string
	Party        uuid.UUID
	Counterparty uuid.UUID
	Kind         lab.ItemKind
	State        []lab.ItemState
	OverdueOn    domain.Date // only those overdue on this day
}

// RightRow is an item of a matrix in a list.
type RightRow struct {
	OfLab
	Item lab.Item
}

// CommitmentsQuery asks for funding commitments across labs.
type CommitmentsQuery struct {
	Paging
	For      domain.Actor // who reads; the zero Actor is shown what is public
	At       Moment       // the past, where it is asked for
	Lab      uuid.UUID
	Party    uuid.UUID
	Kind     string // cash, premises, equipment or staff
	Currency string // of cash, or of the value of equipment
	Source   lab.FundingSource
	Status   []lab.CommitmentStatus // any of these, on Today
	Today    domain.Date            // needed with Status
	LateOn   domain.Date            // only those with an instalment late on this day
}

// CommitmentRow is a commitment in a list.
type CommitmentRow struct {
	OfLab
	Commitment lab.Commitment
	Status     lab.CommitmentStatus // on the query's Today; empty where none is given
}

// TrailQuery asks for events. What is left empty does not restrict.
type TrailQuery struct {
	Paging
	For         domain.Actor // who reads; the zero Actor is shown what is public
	Stream      eventstore.Stream
	Kind        string   // of the stream: one of eventstore.Kinds
	Facet       []string // any of these
	Type        []string // any of these
	Actor       string
	Role        domain.Role
	OnBehalfOf  uuid.UUID
	LegalEntity uuid.UUID // the event is about it, was recorded on its behalf, or names it
	Basis       string    // the document it rests on, by its number; or a document it names, as sha256:…
	Policy      string    // decided under, by its document number
	Correlation string    // the request that led to it
	Command     uuid.UUID
	Event       uuid.UUID
	From, To    time.Time           // recorded from, and before
	Effective   domain.Period       // happened in the world on a day of it; what has no day did not
	After       eventstore.Position // only later ones
	UpTo        eventstore.Position // only up to this one; 0: to the model's position
	Desc        bool                // latest first
	Bodies      bool                // give the bodies as well
	Changes     bool                // say what each event changed; its whole stream is folded for that
}

// TrailEntry is an event as people read it.
type TrailEntry struct {
	Position    eventstore.Position
	Stream      eventstore.Stream
	Type        string
	Facet       string
	Meta        domain.Meta // id, revision, time, actor, reason and basis, command
	Effective   domain.Date // the day it happened in the world, of a correction the day of what it restates; zero: it has none
	Sentence    domain.Text // what happened
	Corrects    uuid.UUID   // the event that this one corrects
	CorrectedBy []uuid.UUID // the events that correct this one, the last of which holds
	Body        []byte      // the event byte for byte, where asked for
	Changes     []Change    // in the aggregate's document, as recorded then, where asked for
}
