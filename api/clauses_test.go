package api_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// members returns the JSON members of a struct, embedded ones included.
func members(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			names = append(names, members(f.Type)...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func TestClausesRoundTrip(t *testing.T) {
	document, err := os.ReadFile("../domain/lab/testdata/plan-2014-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	auditor := w.as(domain.Auditor)
	paths := w.get("/openapi.json", "").at("paths").(map[string]any)
	var commands []string
	for _, c := range api.Commands() {
		commands = append(commands, c.Name)
	}
	r := w.get("/v1/clauses", auditor)
	rows := r.at("items").([]any)
	if r.StatusCode != http.StatusOK || len(rows) != 82 {
		t.Fatalf("%s, %d rows", r.Status, len(rows))
	}
	tests := ""
	for _, pattern := range []string{"../domain/*_test.go", "../domain/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests += string(text)
		}
	}
	fields := members(reflect.TypeFor[lab.Lab]())
	for i, row := range rows {
		of := func(name string) string { s, _ := row.(map[string]any)[name].(string); return s }
		if want := fmt.Sprintf("C%02d", i+1); of("row") != want {
			t.Errorf("row %d is %s", i+1, of("row"))
		}
		if !strings.Contains(string(document), of("quote")) || of("quote") == "" {
			t.Errorf("%s: %q does not stand in the document", of("row"), of("quote"))
		}
		for _, c := range strings.Fields(of("commands")) {
			if !slices.Contains(commands, c) {
				t.Errorf("%s: there is no command %s", of("row"), c)
			}
		}
		for _, e := range strings.Fields(of("events")) {
			if _, err := os.Stat(filepath.Join("../eventstore/testdata/events", e+".json")); err != nil {
				t.Errorf("%s: no event is stored as %s", of("row"), e)
			}
		}
		if of("commands") == "" || of("events") == "" {
			t.Errorf("%s is recorded by nothing", of("row"))
		}
		if _, ok := paths[of("query")]; !ok {
			t.Errorf("%s: there is no %s", of("row"), of("query"))
		}
		if f := of("field"); f != "" && !slices.Contains(fields, f) {
			t.Errorf("%s: a lab has no member %s", of("row"), f)
		}
		if of("rule") == "guard" && !strings.Contains(tests, "func Test"+of("row")) {
			t.Errorf("%s guards, and no test is named after it", of("row"))
		}
		if rule, ok := lab.Rules[of("row")]; ok && of("rule") == "none" || ok && rule.Clause != of("clause") {
			t.Errorf("%s: %s, clause %s; the rule says clause %s", of("row"), of("rule"), of("clause"), rule.Clause)
		}
	}
}
