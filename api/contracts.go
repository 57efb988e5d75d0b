package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// The contracts for subscribers are a JSON Schema of every event type ever released
// and an AsyncAPI document of the channels of status events. Both are made from the
// Go types. Subscribers ignore unknown members: a released type may gain optional
// members and code values, and any other change needs a new version.

type object = map[string]any

// draft is the JSON Schema dialect of the event schemas, one that AsyncAPI
// tools read as well.
const draft = "http://json-schema.org/draft-07/schema#"

// envelopeSchema returns the schema of the attributes that CloudEvents 1.0 and the
// register put around the data of every event.
func envelopeSchema(name string) object {
	text := func(doc string) object { return object{"type": "string", "description": doc} }
	id := func(doc string) object { return object{"type": "string", "format": "uuid", "description": doc} }
	kind, _, _ := strings.Cut(name, ".")
	sources := eventstore.Plural(kind)
	if slices.Contains([]string{"lab", "entity", "programme"}, kind) {
		sources = "(labs|entities|programmes)" // as the first schemas were released
	}
	return object{
		"type": "object",
		"required": []string{"specversion", "id", "source", "type", "time", "datacontenttype", "revision", "actor",
			"role", "commandid", "data"},
		"properties": object{
			"specversion": object{"const": "1.0", "description": "CloudEvents"},
			"id":          id("Of this event; the same however often it is delivered"),
			"source": object{"type": "string", "pattern": `^/` + sources + `/[0-9a-f-]{36}$`,
				"description": "What it happened to"},
			"subject": text("The part of it, as agreements/A1; absent: the whole"),
			"type":    object{"const": name},
			"time": object{"type": "string", "format": "date-time",
				"description": "When the register recorded it, UTC"},
			"datacontenttype": object{"const": "application/json"},
			"revision": object{"type": "integer", "minimum": 0,
				"description": "Number of the event in its own stream, from 0, without gaps"},
			"actor":         text("Who recorded it"),
			"role":          text("In what capacity"),
			"onbehalfof":    id("For which legal entity"),
			"reason":        text("Why, in the actor's words"),
			"basis":         text("The document it rests on (文号)"),
			"basisdigest":   text("Digest of that document"),
			"basissource":   text("Where that document was seen"),
			"policy":        text("The policy it was decided under"),
			"commandid":     id("The command it followed from"),
			"commanddigest": text("Digest of that command"),
			"correlationid": text("What it belongs to, in the sender's words"),
			"traceparent": text("Where it was recorded in the trace of its command (W3C Trace Context, as " +
				"CloudEvents Distributed Tracing has it)"),
			"causationid": text("What led to it, in the sender's words"),
		},
	}
}

// restatedForm is the form of an event in a correction.
type restatedForm struct{}

func (restatedForm) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "object", Required: []string{"type", "data"}, Properties: map[string]*huma.Schema{
		"type": {Type: "string", Description: "Type of the event as it should have been"},
		"data": {Type: "object", AdditionalProperties: true, Description: "Its data"},
	}}
}

// schemas makes the schemas of event data, which refer to each other under a prefix.
type schemas struct{ huma.Registry }

func newSchemas(prefix string) schemas {
	r := huma.NewMapRegistry(prefix, schemaName)
	registerForms(r)
	r.RegisterTypeAlias(reflect.TypeFor[domain.Restated](), reflect.TypeFor[restatedForm]())
	return schemas{r}
}

// ofCommands are the keywords that bind senders and not the record: limits change,
// and lists of codes grow, without a new version.
var ofCommands = []string{"examples", "default", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems",
	"maxItems"}

// open returns a schema as plain JSON that allows unknown members.
func open(schema any) any {
	var plain any
	if err := json.Unmarshal(mustMarshal(schema), &plain); err != nil {
		panic(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if v["additionalProperties"] == false {
				delete(v, "additionalProperties")
			}
			for _, name := range ofCommands {
				if _, property := v[name].(object); !property {
					delete(v, name)
				}
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(plain)
	return plain
}

// event returns the schema of a whole event.
func (s schemas) event(name string, event domain.Event) object {
	schema := envelopeSchema(name)
	schema["properties"].(object)["data"] = open(s.Schema(reflect.TypeOf(event), true, ""))
	return schema
}

// EventSchema returns the JSON Schema of the events of a type, or false if there is
// no such type.
func EventSchema(name string) (object, bool) {
	event, ok := eventstore.Types()[name]
	if !ok {
		return nil, false
	}
	s := newSchemas("#/definitions/")
	schema := s.event(name, event)
	schema["$schema"], schema["$id"], schema["title"] = draft, "urn:jointlab:event:"+name, name
	schema["definitions"] = open(s.Map())
	return schema, true
}

// statusMessages returns the AsyncAPI message of each event type that may change a status.
func (s schemas) statusMessages() object {
	messages := object{}
	for _, name := range slices.Sorted(maps.Keys(eventstore.Types())) {
		event := eventstore.Types()[name]
		if !eventstore.MayBeStatus(name) {
			continue
		}
		var example object
		if err := json.Unmarshal(eventstore.Released(name), &example); err != nil {
			panic(err) // it is embedded
		}
		messages[name] = object{
			"name": name, "title": name, "contentType": "application/cloudevents+json",
			"payload": s.event(name, event), "examples": []object{{"payload": example}},
		}
	}
	return messages
}

// asyncAPI returns the AsyncAPI 3.0 document of the channels and messages of status
// events.
func asyncAPI(version string) object {
	s := newSchemas("#/components/schemas/")
	messages := s.statusMessages()
	channelMessages := object{}
	for name := range messages {
		channelMessages[name] = object{"$ref": "#/components/messages/" + name}
	}
	messagesOf := func(channel string) (all []object) {
		for _, name := range slices.Sorted(maps.Keys(messages)) {
			all = append(all, object{"$ref": "#/channels/" + channel + "/messages/" + name})
		}
		return all
	}
	channel := func(address any, server, title, doc string, parameters object) object {
		c := object{"address": address, "title": title, "description": doc, "messages": channelMessages}
		if server != "" {
			c["servers"] = []object{{"$ref": "#/servers/" + server}}
		}
		if parameters != nil {
			c["parameters"] = parameters
		}
		return c
	}
	send := func(channel, summary, doc string) object {
		return object{"action": "send", "channel": object{"$ref": "#/channels/" + channel}, "summary": summary,
			"description": doc, "messages": messagesOf(channel)}
	}
	return object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "jointlab status events", "version": version,
			"description": "国际合作联合实验室的状态事件：每次变更一条，按登记顺序，至少一次；以 id 去重，以 position 续传。\n\n" +
				"The status events of international joint laboratories: one for each change, in the order of the " +
				"register, at least once. Drop repeats by id; resume by position.",
			"tags": []object{{"name": "status", "description": "实验室状态 / status of laboratories"}},
		},
		"defaultContentType": "application/cloudevents+json",
		"servers": object{
			"nats": object{"host": "localhost:4222", "protocol": "nats", "description": "The register's NATS server, opened with --nats-listen · 以 --nats-listen 开放的 NATS"},
			"http": object{"host": "localhost:8080", "protocol": "http", "description": "The register's HTTP server · 登记簿的 HTTP 服务"},
		},
		"channels": object{
			"status": channel("jointlab.status.{lab}.{to}", "nats", "Stream STATUS", "JetStream 流 STATUS，持久拉取消费者 / the JetStream stream STATUS, read by durable pull consumers", object{
				"lab": object{"description": "Id of the laboratory"},
				"to":  object{"description": "The status it came to", "enum": lab.Statuses},
			}),
			"statusEvents": channel("/v1/status-events", "http", "Server-sent events or NDJSON", "SSE 或 NDJSON；以 Last-Event-ID 或 ?after= 续传 / SSE or NDJSON; resumes by Last-Event-ID or ?after=", nil),
			"webhook":      channel(nil, "", "Webhook", "订阅方登记的地址，按 Standard Webhooks 签名 / the address a subscriber registered; signed as Standard Webhooks asks", nil),
		},
		"operations": object{
			"publishStatus": send("status", "Publish each change of status", "每次状态变更发布到流 STATUS 一次 / each change of status comes onto the stream STATUS once"),
			"streamStatus":  send("statusEvents", "Stream each change of status", "先补发，再实时推送 / what was missed first, then what happens"),
			"callWebhook":   send("webhook", "Call a subscriber with each change of status", "失败则重试，逾期存放待查 / tried again for days, then parked"),
		},
		"components": object{"messages": messages, "schemas": open(s.Map())},
	}
}

// eventContracts returns the AsyncAPI document and the schemas, by file name.
func eventContracts(version string) map[string][]byte {
	files := map[string][]byte{"asyncapi.json": mustMarshal(asyncAPI(version))}
	var index []object
	for _, name := range slices.Sorted(maps.Keys(eventstore.Types())) {
		schema, _ := EventSchema(name)
		files[schemaFile(name)] = mustMarshal(schema)
		index = append(index, object{"type": name, "facet": eventstore.Facet(name), "schema": "/" + schemaFile(name)})
	}
	files["schemas.json"] = mustMarshal(object{"items": index, "total": len(index)})
	return files
}

func schemaFile(event string) string { return "schemas/" + event + ".json" }

// mustMarshal returns document as JSON. It panics on an error, since documents are
// made of JSON values.
func mustMarshal(document any) []byte {
	text, err := json.Marshal(document) // huma writes its schemas with encoding/json
	if err != nil {
		panic(err)
	}
	return text
}

// Contracts returns the released contracts by file name: the OpenAPI and AsyncAPI
// documents and the schema of every event type.
func Contracts(version string) map[string][]byte {
	s := New(nil, nil, &projections.Model{}, NewVerifier(), time.Now, Config{Version: version})
	files := eventContracts(version)
	files["openapi.json"] = s.openapi()
	return files
}

// registerContracts serves the contracts without authentication: they describe the
// form of the register and hold none of its content. The first request writes them.
func (s *Server) registerContracts(version string) {
	files := sync.OnceValue(func() map[string][]byte { return eventContracts(version) })
	serve := func(path, file, content string) {
		s.mux.HandleFunc("GET /"+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", content)
			w.Write(files()[file])
		})
	}
	serve("asyncapi.json", "asyncapi.json", "application/vnd.aai.asyncapi+json;version=3.0.0")
	serve("schemas", "schemas.json", "application/json")
	for name := range eventstore.Types() {
		serve(schemaFile(name), schemaFile(name), "application/schema+json")
	}
	s.openapi = sync.OnceValue(func() []byte { return mustMarshal(s.api.OpenAPI()) })
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(s.openapi())
	})
}
