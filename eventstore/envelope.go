package eventstore

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// envelope is the CloudEvents 1.0 JSON object (structured mode) that is an
// event's body, on disk and on the wire. Attribute names follow CloudEvents:
// lower-case letters and digits; extensions are plain values.
type envelope struct {
	SpecVersion     string         `json:"specversion"`
	ID              uuid.UUID      `json:"id"`
	Source          string         `json:"source"`
	Subject         string         `json:"subject,omitempty"`
	Type            string         `json:"type"`
	Time            string         `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	Revision        uint64         `json:"revision"`
	Actor           string         `json:"actor"`
	Role            domain.Role    `json:"role"`
	OnBehalfOf      uuid.UUID      `json:"onbehalfof,omitzero"`
	Reason          string         `json:"reason,omitempty"`
	Basis           string         `json:"basis,omitempty"`
	BasisDigest     string         `json:"basisdigest,omitempty"`
	BasisSource     string         `json:"basissource,omitempty"`
	Policy          string         `json:"policy,omitempty"`
	CommandID       uuid.UUID      `json:"commandid"`
	CommandDigest   string         `json:"commanddigest,omitempty"`
	CorrelationID   string         `json:"correlationid,omitempty"`
	CausationID     string         `json:"causationid,omitempty"`
	TraceParent     string         `json:"traceparent,omitempty"`
	Data            jsontext.Value `json:"data"`
}

// Source returns the CloudEvents source of a stream's events: /labs/<id>,
// /entities/<id> and so on.
func (s Stream) Source() string { return "/" + Plural(s.Kind) + "/" + s.ID.String() }

func parseSource(source string) (Stream, error) {
	for name, kind := range kinds {
		if rest, ok := strings.CutPrefix(source, "/"+kind.plural+"/"); ok {
			id, err := uuid.Parse(rest)
			return Stream{name, id}, err
		}
	}
	return Stream{}, fmt.Errorf("source %q is no aggregate's", source)
}

// subjects are the members of event data that name a part of a lab, the most
// particular first, and what such parts are called in paths.
var subjects = []struct{ member, plural string }{
	{"commitment", "commitments"}, {"item", "rights"}, {"agreement", "agreements"},
}

// Subject returns the CloudEvents subject: the part of the aggregate an event is
// about, as agreements/A1; empty where it is about the whole.
func Subject(event domain.Event) string {
	if r, ok := domain.AsRewrite(event); ok && r.Event != nil {
		return Subject(r.Event)
	}
	part, ok := codec.parts[reflect.TypeOf(event)]
	if !ok {
		return ""
	}
	return part.plural + "/" + reflect.ValueOf(event).FieldByIndex(part.field).String()
}

// part is the member of an event type's data that names a part of a lab.
type part struct {
	field  []int
	plural string
}

func partOf(t reflect.Type) (part, bool) {
	for _, s := range subjects {
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == s.member && f.Type.Kind() == reflect.String {
				return part{f.Index, s.plural}, true
			}
		}
	}
	return part{}, false
}

// recordedTime is RFC 3339 in UTC with exactly six decimals, so that times
// sort as text.
const recordedTime = "2006-01-02T15:04:05.000000Z"

// Encode makes the body of an event of stream.
func Encode(stream Stream, m domain.Meta, event domain.Event) (Pending, error) {
	name, err := nameOf(event)
	if err != nil {
		return Pending{}, err
	}
	data, err := json.Marshal(event, marshal)
	if err != nil {
		return Pending{}, fmt.Errorf("eventstore: encode %s: %w", name, err)
	}
	body, err := json.Marshal(envelope{
		SpecVersion: "1.0", ID: m.ID, Source: stream.Source(), Subject: Subject(event), Type: name,
		Time: m.Time.UTC().Format(recordedTime), DataContentType: "application/json",
		Revision: m.Revision, Actor: m.Actor.Subject, Role: m.Actor.Role, OnBehalfOf: m.Actor.OnBehalfOf,
		Reason: m.Because.Reason, Basis: m.Because.Basis.Document,
		BasisDigest: m.Because.Basis.Digest, BasisSource: m.Because.Basis.Source,
		Policy: m.Policy, CommandID: m.Command, CommandDigest: m.Digest,
		CorrelationID: m.Correlation, CausationID: m.Causation, TraceParent: m.Trace, Data: data,
	})
	if err != nil {
		return Pending{}, fmt.Errorf("eventstore: encode %s: %w", name, err)
	}
	return Pending{ID: m.ID, Type: name, Body: body}, nil
}

// Decoded is an event read from its body.
type Decoded struct {
	Type   string
	Stream Stream
	Meta   domain.Meta
	Event  domain.Event
	Data   jsontext.Value // the event as it is kept
}

// Decode reads an event's body. It refuses what it does not know rather than
// guess: an unknown type with *UnknownTypeError, an unknown member, a
// duplicate name, invalid UTF-8.
func Decode(body []byte) (Decoded, error) {
	var e envelope
	if err := json.Unmarshal(body, &e, strict); err != nil {
		return Decoded{}, fmt.Errorf("eventstore: decode event: %w", err)
	}
	at, err := time.Parse(recordedTime, e.Time)
	if err != nil {
		return Decoded{}, fmt.Errorf("eventstore: decode event %s: %w", e.ID, err)
	}
	event, err := decodeData(e.Type, e.Data)
	if err != nil {
		return Decoded{}, err
	}
	stream, err := e.check(event)
	if err != nil {
		return Decoded{}, fmt.Errorf("eventstore: decode event %s: %w", e.ID, err)
	}
	return Decoded{Type: e.Type, Stream: stream, Event: event, Data: e.Data, Meta: domain.Meta{
		ID: e.ID, Revision: e.Revision, Time: at,
		Actor: e.actor(),
		Because: domain.Grounds{Reason: e.Reason, Basis: domain.Basis{
			Document: e.Basis, Digest: e.BasisDigest, Source: e.BasisSource,
		}},
		Policy: e.Policy, Command: e.CommandID, Digest: e.CommandDigest,
		Correlation: e.CorrelationID, Causation: e.CausationID, Trace: e.TraceParent,
	}}, nil
}

func (e envelope) actor() domain.Actor {
	return domain.Actor{Subject: e.Actor, Role: e.Role, OnBehalfOf: e.OnBehalfOf}
}

// TypeOf returns the type that an event's body bears, known or not; empty
// where it bears none.
func TypeOf(body []byte) string {
	var e struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(body, &e) // whatever else is wrong with it
	return e.Type
}

// check refuses an object that is JSON of the right shape and still no event
// of ours, and returns the stream it belongs to.
func (e envelope) check(event domain.Event) (Stream, error) {
	aggregate, _, _ := strings.Cut(e.Type, ".")
	stream, err := parseSource(e.Source)
	switch {
	case e.SpecVersion != "1.0":
		err = fmt.Errorf("specversion %q is not 1.0", e.SpecVersion)
	case e.ID == uuid.Nil:
		err = errors.New("it has no id")
	case err != nil:
	case stream.Kind != aggregate:
		err = fmt.Errorf("%s cannot stand in %s", e.Type, e.Source)
	}
	if err != nil {
		return Stream{}, err
	}
	if r, ok := domain.AsRewrite(event); ok {
		if r.Event == nil {
			return Stream{}, errors.New("a correction that says nothing")
		}
		if name := Name(r.Event); !strings.HasPrefix(name, aggregate+".") {
			return Stream{}, fmt.Errorf("a correction in %s cannot say %s", e.Source, name)
		}
	}
	return stream, nil
}
