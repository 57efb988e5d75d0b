package eventstore

import (
	"bytes"
	"embed"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jointlab/jointlab/domain"
)

// UnknownTypeError reports that an event has a type this version of the register
// does not know. It is never skipped: the state folded without it would be false.
type UnknownTypeError struct{ Type string }

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("eventstore: event type %q is unknown; it was written by a newer version of jointlab: upgrade this one before reading on", e.Type)
}

// codec maps stored names to event types, both ways. A stored name is
// aggregate, facet, past participle and version: lab.agreement.signed.v1.
var codec = struct {
	types map[string]reflect.Type
	names map[reflect.Type]string
	parts map[reflect.Type]part
	dates map[reflect.Type]worldDate
}{map[string]reflect.Type{}, map[reflect.Type]string{}, map[reflect.Type]part{}, map[reflect.Type]worldDate{}}

func init() {
	for name, row := range eventTypes {
		t := reflect.TypeOf(row.event)
		codec.types[name], codec.names[t] = t, name
		if p, ok := partOf(t); ok {
			codec.parts[t] = p
		}
		w, err := worldDateOf(name, row.dated, t)
		if err != nil {
			panic(err)
		}
		codec.dates[t] = w
	}
}

// Types returns every event type ever released, by stored name.
func Types() map[string]domain.Event {
	types := make(map[string]domain.Event, len(eventTypes))
	for name, row := range eventTypes {
		types[name] = row.event
	}
	return types
}

// released holds a body of each event type, as it was released.
//
//go:embed testdata/events
var released embed.FS

// Released returns a body of the named type as it was released, for examples and
// for tests; nil where there is no such type.
func Released(name string) []byte {
	body, err := released.ReadFile("testdata/events/" + name + ".json")
	if err != nil {
		return nil
	}
	return bytes.TrimSuffix(body, []byte("\n"))
}

// Facet returns which part of a lab an event of the named type is about: agreement,
// rights, funding, status, review or record; for other aggregates, the
// aggregate itself.
func Facet(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) < 4 {
		return parts[0]
	}
	return parts[1]
}

// Name returns the stored name of an event's type.
func Name(event domain.Event) string {
	name, err := nameOf(event)
	if err != nil {
		panic(err)
	}
	return name
}

func nameOf(event domain.Event) (string, error) {
	name, ok := codec.names[reflect.TypeOf(event)]
	if !ok {
		return "", fmt.Errorf("eventstore: event type %T has no stored name; give it a row in eventtypes.go", event)
	}
	return name, nil
}

// restated is the form of an event inside another one.
type restated struct {
	Type string         `json:"type"`
	Data jsontext.Value `json:"data"`
}

// marshal and strict are how event data is written and read.
var marshal, strict json.Options

func init() {
	marshal = json.JoinOptions(json.Deterministic(true), json.WithMarshalers(json.MarshalToFunc(
		func(enc *jsontext.Encoder, r domain.Restated) error {
			name, err := nameOf(r.Event)
			if err != nil {
				return err
			}
			data, err := json.Marshal(r.Event)
			if err != nil {
				return err
			}
			return json.MarshalEncode(enc, restated{name, data})
		})))
	strict = json.JoinOptions(json.RejectUnknownMembers(true), json.WithUnmarshalers(json.UnmarshalFromFunc(
		func(dec *jsontext.Decoder, r *domain.Restated) (err error) {
			var in restated
			if err := json.UnmarshalDecode(dec, &in); err != nil {
				return err
			}
			r.Event, err = decodeData(in.Type, in.Data)
			return err
		})))
}

func decodeData(name string, data jsontext.Value) (domain.Event, error) {
	t, ok := codec.types[name]
	if !ok {
		return nil, &UnknownTypeError{name}
	}
	p := reflect.New(t)
	if err := json.Unmarshal(data, p.Interface(), strict); err != nil {
		return nil, fmt.Errorf("eventstore: decode %s: %w", name, err)
	}
	return p.Elem().Interface().(domain.Event), nil
}

// sameEvent reports whether the bodies of two events would be the same.
func sameEvent(a, b domain.Event) (bool, error) {
	x, err := json.Marshal(a, marshal)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b, marshal)
	return bytes.Equal(x, y), err
}
