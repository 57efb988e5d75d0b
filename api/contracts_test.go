package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// toJSON returns a value as decoded JSON.
func toJSON(t *testing.T, v any) (m map[string]any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, ok := api.EventSchema(name)
	if !ok {
		t.Fatalf("%s has no schema", name)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, toJSON(t, schema)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func fits(t *testing.T, body []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, v.(map[string]any)["type"].(string)).Validate(v)
}

func TestEventsMatchSchemas(t *testing.T) {
	for name := range eventstore.Types() {
		body := eventstore.Released(name)
		if err := fits(t, body); err != nil {
			t.Errorf("as released, %s: %v", name, err)
		}
		var other map[string]any
		if err := json.Unmarshal(body, &other); err != nil {
			t.Fatal(err)
		}
		other["revision"] = "x"
		if err := compiled(t, name).Validate(other); err == nil {
			t.Errorf("the schema of %s lets anything pass", name)
		}
	}
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-06-01")
	s.establish("2018-12-01")
	err := w.log.Read(t.Context(), 0, w.head(), func(events []eventstore.Recorded) error {
		for _, e := range events {
			if err := fits(t, e.Body); err != nil {
				t.Errorf("position %d: %v", e.Position, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inlineRefs replaces references by their definitions, since the names of definitions
// are not part of the contract.
func inlineRefs(schema map[string]any) map[string]any {
	var walk func(any) any
	walk = func(v any) any {
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		if ref, ok := m["$ref"].(string); ok {
			return walk(schema["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")])
		}
		out := map[string]any{}
		for name, member := range m {
			out[name] = walk(member)
		}
		return out
	}
	whole := maps.Clone(schema)
	delete(whole, "definitions")
	return walk(whole).(map[string]any)
}

// breakingChanges returns the differences of a schema from the released one. New
// optional members and changed texts for people do not break.
func breakingChanges(at string, released, now any) (breaks []string) {
	was, ok := released.(map[string]any)
	is, also := now.(map[string]any)
	if !ok || !also {
		if !reflect.DeepEqual(released, now) {
			return []string{fmt.Sprintf("%s: was %v, is %v", at, released, now)}
		}
		return nil
	}
	properties := strings.HasSuffix(at, "/properties")
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, was := was[name]
		new, is := is[name]
		switch {
		case !properties && (name == "description" || name == "title"):
		case was && is:
			breaks = append(breaks, breakingChanges(at+"/"+name, old, new)...)
		case is && properties: // required is compared separately
		default:
			breaks = append(breaks, fmt.Sprintf("%s/%s: was there %v, is there %v", at, name, was, is))
		}
	}
	return breaks
}

func TestReleasedSchemasCompatible(t *testing.T) {
	updating := flag.Lookup("update").Value.String() == "true"
	file := func(name string) string { return filepath.Join("testdata", "schemas", name+".json") }
	for name := range eventstore.Types() {
		schema, _ := api.EventSchema(name)
		now := toJSON(t, schema)
		text, err := os.ReadFile(file(name))
		if err != nil && !(errors.Is(err, os.ErrNotExist) && updating) {
			t.Errorf("%s was never released; run go test ./api -run Schema -update", name)
			continue
		}
		if err == nil {
			var released map[string]any
			if err := json.Unmarshal(text, &released); err != nil {
				t.Fatal(err)
			}
			if breaks := breakingChanges(name, inlineRefs(released), inlineRefs(now)); len(breaks) > 0 {
				t.Errorf("subscribers rely on this; give the event a new version instead:\n%s",
					strings.Join(breaks, "\n"))
				continue
			}
		}
		if updating {
			text, err := json.MarshalIndent(now, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file(name), append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(file("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); eventstore.Types()[name] == nil {
			t.Errorf("%s was released and is gone", name)
		}
	}
}

func TestSchemaComparison(t *testing.T) {
	released := func() map[string]any {
		schema, _ := api.EventSchema("lab.status.establishment-approved.v1")
		return inlineRefs(toJSON(t, schema))
	}
	at := func(m map[string]any, path string) map[string]any {
		for _, name := range strings.Split(path, "/") {
			m = m[name].(map[string]any)
		}
		return m
	}
	const data = "properties/data"
	for what, change := range map[string]func(map[string]any){
		"a member is gone": func(s map[string]any) { delete(at(s, data+"/properties"), "construction") },
		"a member is renamed": func(s map[string]any) {
			p := at(s, data+"/properties")
			p["period"] = p["construction"]
			delete(p, "construction")
		},
		"another type": func(s map[string]any) { at(s, data+"/properties/on")["type"] = "integer" },
		"another form": func(s map[string]any) { at(s, data+"/properties/on")["format"] = "date-time" },
		"a member is required": func(s map[string]any) {
			d := at(s, data)
			d["required"] = append(d["required"].([]any), "early_acceptance_allowed")
		},
		"a member may be absent": func(s map[string]any) {
			d := at(s,
				data)
			d["required"] = d["required"].([]any)[1:]
		},
		"another name": func(s map[string]any) {
			at(s,
				"properties/type")["const"] = "lab.status.approved.v1"
		},
		"a member inside is gone": func(s map[string]any) {
			delete(at(s, data+"/properties/construction/properties"),
				"to")
		},
	} {
		now := released()
		change(now)
		if breakingChanges("", released(), now) == nil {
			t.Errorf("%s, and nothing is seen", what)
		}
	}
	now := released()
	at(now, data+"/properties")["notice"] = map[string]any{"type": "string"}
	at(now, data+"/properties/on")["description"] = "in other words"
	if breaks := breakingChanges("", released(), now); breaks != nil {
		t.Errorf("an optional member breaks: %v", breaks)
	}
}

func TestContractsArePublic(t *testing.T) {
	w := newWorld(t)
	r := w.get("/schemas", "")
	if r.StatusCode != http.StatusOK || r.at("total") != float64(len(eventstore.Types())) {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	if r := w.get(r.str("items.0.schema"), ""); r.StatusCode != http.StatusOK || r.str("$schema") == "" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	r = w.get("/asyncapi.json", "")
	if r.StatusCode != http.StatusOK || r.str("asyncapi") != "3.0.0" {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	status := 0
	for name := range eventstore.Types() {
		if eventstore.Facet(name) != "status" {
			continue
		}
		status++
		m, _ := r.at("components").(map[string]any)["messages"].(map[string]any)[name].(map[string]any)
		if m == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		example := m["examples"].([]any)[0].(map[string]any)["payload"].(map[string]any)
		if example["type"] != name || example["role"] != string(domain.Officer) {
			t.Errorf("%s: its example is %v", name, example)
		}
	}
	if status < 20 {
		t.Errorf("%d status events", status)
	}
}
