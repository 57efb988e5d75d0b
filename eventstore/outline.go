package eventstore

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// Header is what subscribers choose events by. It is read from a body without
// decoding the data, so a register passes on the events of a newer
// one as well.
type Header struct {
	Stream   Stream
	Revision uint64
	Type     string
	About    string // the type of the event that a correction or a void of a lab is about
	Actor    domain.Actor

	// From and To are the statuses of a status event, and empty otherwise. A
	// status event is one of facet status, or the correction or the void of one:
	// subscribers to a lab's status must receive those too.
	From, To lab.Status
}

// IsStatus reports whether it is a status event's.
func (o Header) IsStatus() bool { return o.To != "" }

// ParseHeader reads the outline from an event's body.
func ParseHeader(body []byte) (Header, error) {
	var e envelope
	err := json.Unmarshal(body, &e)
	o := Header{Revision: e.Revision, Type: e.Type, Actor: e.actor()}
	if err == nil {
		o.Stream, err = parseSource(e.Source)
	}
	about := restated{Type: e.Type, Data: e.Data}
	if err == nil && (e.Type == corrected || e.Type == voided) {
		about, err = aboutOf(e.Data)
		o.About = about.Type
	}
	if err == nil && Facet(about.Type) == "status" {
		o.From, o.To, err = statusesOf(about)
	}
	if err != nil {
		return Header{}, fmt.Errorf("eventstore: read outline of event: %w", err)
	}
	return o, nil
}

// The types of the events that rewrite another of a lab.
const (
	corrected = "lab.record.corrected.v1"
	voided    = "lab.record.voided.v1"
)

// MayBeStatus reports whether events of the named type are status events, or
// some of them are: corrections and voids.
func MayBeStatus(name string) bool {
	return Facet(name) == "status" || name == corrected || name == voided
}

// aboutOf reads the event that a correction restates or a void takes back.
func aboutOf(data jsontext.Value) (restated, error) {
	var r struct {
		With restated `json:"with"`
		Was  restated `json:"was"`
	}
	err := json.Unmarshal(data, &r)
	if r.With.Type == "" {
		return r.Was, err
	}
	return r.With, err
}

// statusesOf reads the statuses that a status event goes between.
func statusesOf(e restated) (from, to lab.Status, err error) {
	var moved struct {
		From lab.Status `json:"from"`
		To   lab.Status `json:"to"`
	}
	err = json.Unmarshal(e.Data, &moved)
	if err == nil && moved.To == "" {
		err = fmt.Errorf("%s says no status", e.Type)
	}
	return moved.From, moved.To, err
}

// LabFacts is what a lab may be chosen by beside its events. They are the
// register's latest when an event is delivered, not those of its day.
type LabFacts struct {
	Events    uint64 // of the lab, that they follow from
	Host      uuid.UUID
	Parties   []uuid.UUID // the host, parties to agreements that are or were in force, and partners named
	Bound     []uuid.UUID // parties to its agreements that have not left, those of drafts and those to accede included
	Programme string
	Level     lab.Level
}

// Readers returns what an actor is to the lab.
func (f LabFacts) Readers(a domain.Actor) domain.Readers {
	who := a.Readers()
	switch {
	case a.OnBehalfOf == uuid.Nil:
	case (a.Role == domain.Host || a.Role == domain.Director) && a.OnBehalfOf == f.Host:
		who |= domain.Owner
	case a.Role == domain.Partner && slices.Contains(f.Bound, a.OnBehalfOf):
		who |= domain.Parties
	}
	return who
}

// VisibleTo returns the lab as an actor may choose events by it: parties of drafts are for
// those who may read drafts.
func (f LabFacts) VisibleTo(a domain.Actor) LabFacts {
	if lab.Drafts.Include(f.Readers(a)) {
		f.Parties = slices.Concat(f.Parties, f.Bound)
	}
	return f
}

// Filter chooses events; every member that is set must be met, by any of its
// values where it has several. The zero Filter lets all events through.
type Filter struct {
	Status   bool // status events only, corrections and voids of them included
	Kind     string
	Streams  []Stream
	Facet    []string
	Type     []string
	From, To []lab.Status

	Actor      string
	Role       domain.Role
	OnBehalfOf uuid.UUID

	Host, Party uuid.UUID
	Programme   string
	Level       lab.Level
}

// Match reports whether the filter lets an event through. It asks for the facts
// of the event's lab only where they decide.
func (f Filter) Match(o Header, facts func() (LabFacts, error)) (bool, error) {
	among := func(chosen []string, have string) bool { return len(chosen) == 0 || slices.Contains(chosen, have) }
	status := func(chosen []lab.Status, have lab.Status) bool {
		return len(chosen) == 0 || slices.Contains(chosen, have)
	}
	if f.Status && !o.IsStatus() || f.Kind != "" && f.Kind != o.Stream.Kind || len(f.Streams) > 0 && !slices.Contains(f.Streams, o.Stream) ||
		!among(f.Type, o.Type) || !among(f.Facet, Facet(o.Type)) && (o.About == "" || !among(f.Facet, Facet(o.About))) || !status(f.From, o.From) || !status(f.To, o.To) ||
		f.Actor != "" && f.Actor != o.Actor.Subject || f.Role != "" && f.Role != o.Actor.Role || f.OnBehalfOf != uuid.Nil && f.OnBehalfOf != o.Actor.OnBehalfOf {
		return false, nil
	}
	if f.Host == uuid.Nil && f.Party == uuid.Nil && f.Programme == "" && f.Level == "" {
		return true, nil
	}
	if o.Stream.Kind != "lab" {
		return false, nil
	}
	is, err := facts()
	return err == nil && (f.Host == uuid.Nil || f.Host == is.Host) && (f.Party == uuid.Nil || slices.Contains(is.Parties, f.Party)) &&
		(f.Programme == "" || f.Programme == is.Programme) && (f.Level == "" || f.Level == is.Level), err
}
