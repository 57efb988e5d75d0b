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

// ErrNotFound reports that the model holds no such aggregate at its position.
var ErrNotFound = errors.New("projections: not in the read model")

// QueryError reports an invalid parameter of a query, which the caller can correct.
type QueryError struct {
	Param   string // limit, cursor, sort …
	Message domain.Text
}

func (e *QueryError) Error() string {
	return fmt.Sprintf("projections: %s: %s", e.Param, e.Message.English())
}

// Paging selects one page of a list. Cursor is the Next of an earlier page of the
// same query. Concurrent writes neither repeat nor hide a row.
type Paging struct {
	Limit  int    // 1 to 500; 0: 50
	Cursor string // empty: the first page
}

// Page is part of a list.
type Page[T any] struct {
	Items []T
	Total int    // number of rows on all pages
	Next  string // cursor of the next page; empty: this is the last
}

// LabsQuery selects labs. A zero field does not restrict.
type LabsQuery struct {
	Paging
	For        domain.Actor // the reader; the zero Actor sees what is public
	At         Moment       // zero: now
	Text       string       // words in Chinese or English, all required
	Status     []lab.Status // any of these, on Today; DUE is one of them
	Today      domain.Date  // the day of the statuses; zero: the statuses as recorded
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
	Revision     uint64 // of the last event
	Created      time.Time
	Updated      time.Time
}

// EntitiesQuery selects legal entities. A zero field does not restrict.
type EntitiesQuery struct {
	Paging
	At         Moment // zero: now
	Text       string
	Kind       entity.Kind
	Country    string
	Scheme     domain.Scheme // has a valid identifier in this scheme
	Identifier string        // has this valid identifier, in canonical form
	Status     []entity.Status
	Today      domain.Date // the day of the statuses; required with Status
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
	Status      entity.Status // on the query's Today; empty without it
	Revision    uint64        // of the last event
	Created     time.Time
	Updated     time.Time
}

// OfLab is the lab that a row of a list across labs belongs to.
type OfLab struct {
	Lab      uuid.UUID
	Name     domain.Text
	Host     domain.EntityRef
	Revision uint64 // of the lab's last event
}

// AgreementsQuery selects agreements across labs. A zero field does not restrict.
type AgreementsQuery struct {
	Paging
	For    domain.Actor // the reader; the zero Actor sees what is public
	At     Moment       // zero: now
	Lab    uuid.UUID
	Party  uuid.UUID // is or was a party
	Class  lab.Class
	Status []lab.AgreementStatus // any of these, on Today
	Today  domain.Date           // required with Status
	EndsBy domain.Date           // the term ends on or before this day
}

// AgreementRow is an agreement in a list.
type AgreementRow struct {
	OfLab
	Agreement lab.Agreement
	Status    lab.AgreementStatus // on the query's Today; empty without it
}

// RightsQuery selects items of the rights-and-responsibilities matrices across
// labs. A zero field does not restrict.
type RightsQuery struct {
	Paging
	For          domain.Actor // the reader; the zero Actor sees what is public
	At           Moment       // zero: now
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

// CommitmentsQuery selects funding commitments across labs. A zero field does not
// restrict.
type CommitmentsQuery struct {
	Paging
	For      domain.Actor // the reader; the zero Actor sees what is public
	At       Moment       // zero: now
	Lab      uuid.UUID
	Party    uuid.UUID
	Kind     string // cash, premises, equipment or staff
	Currency string // of cash, or of the value of equipment
	Source   lab.FundingSource
	Status   []lab.CommitmentStatus // any of these, on Today
	Today    domain.Date            // required with Status
	LateOn   domain.Date            // only those with an instalment late on this day
}

// CommitmentRow is a commitment in a list.
type CommitmentRow struct {
	OfLab
	Commitment lab.Commitment
	Status     lab.CommitmentStatus // on the query's Today; empty without it
}

// TrailQuery selects events. A zero field does not restrict.
type TrailQuery struct {
	Paging
	For         domain.Actor // the reader; the zero Actor sees what is public
	Stream      eventstore.Stream
	Kind        string   // of the stream: one of eventstore.Kinds
	Facet       []string // any of these
	Type        []string // any of these
	Actor       string
	Role        domain.Role
	OnBehalfOf  uuid.UUID
	LegalEntity uuid.UUID // the event's subject, or acted for, or mentioned
	Basis       string    // number of the document it rests on; or digest of a document it mentions, sha256:…
	Policy      string    // document number of the policy it was decided under
	Correlation string    // the request that led to it
	Command     uuid.UUID
	Event       uuid.UUID
	From, To    time.Time           // recorded from, and before
	Effective   domain.Period       // has its effective day in this period
	After       eventstore.Position // only later ones
	UpTo        eventstore.Position // only up to here; 0: the model's position
	Desc        bool                // latest first
	Bodies      bool                // set Body of the entries
	Changes     bool                // set Changes of the entries, which folds their streams
}

// TrailEntry is an event as people read it.
type TrailEntry struct {
	Position    eventstore.Position
	Stream      eventstore.Stream
	Type        string
	Facet       string
	Meta        domain.Meta // id, revision, time, actor, reason and basis, command
	Effective   domain.Date // the day it happened in the world, for a correction that of its restatement; or zero
	Sentence    domain.Text // what happened
	Corrects    uuid.UUID   // the event that this event corrects
	CorrectedBy []uuid.UUID // the events that correct this event; the last holds
	Body        []byte      // byte for byte, if the query has Bodies
	Changes     []Change    // in the aggregate's document as known then, if the query has Changes
}
