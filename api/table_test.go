package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/projections"
)

var update = flag.Bool("update", false, "write the golden files anew")

// commandTypes returns the exported types of a package that have a Decide method.
func commandTypes(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", folder, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Decide" || f.Recv == nil {
				continue
			}
			if id, ok := f.Recv.List[0].Type.(*ast.Ident); ok && id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

func TestEveryCommandHasRow(t *testing.T) {
	for _, aggregate := range eventstore.Kinds() {
		for _, name := range commandTypes(t, "../domain/"+aggregate) {
			c, ok := findCommand(aggregate, kebab(name))
			if !ok || c.input.Name() != name {
				t.Errorf("%s.%s has no row %q", aggregate, name, kebab(name))
			}
		}
	}
	for _, step := range lab.Steps {
		if _, ok := findCommand("lab", step.Command); !ok {
			t.Errorf("the step %s has no row", step.Command)
		}
	}
	seen := map[string]bool{}
	for _, c := range Commands() {
		if seen[c.ID()] || c.Summary.Zh == "" || c.Summary.En == "" || len(c.Roles) == 0 {
			t.Errorf("%s: %+v", c.ID(), c)
		}
		seen[c.ID()] = true
	}
}

func TestAccessGolden(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-36s", "command")
	for _, r := range domain.Roles {
		fmt.Fprintf(&b, " %-9s", r)
	}
	for _, c := range Commands() {
		fmt.Fprintf(&b, "\n%-36s", c.ID())
		for _, r := range domain.Roles {
			mark := "·"
			if slices.Contains(c.Roles, r) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %-9s", mark)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	golden(t, "testdata/roles.txt", strings.Join(lines, "\n")+"\n")
}

func TestAccessRows(t *testing.T) {
	s := newDocServer(t)
	left := maps.Clone(rolesByOperation)
	for path, item := range s.api.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			id := accessKey(op.OperationID)
			if len(rolesByOperation[id]) == 0 || !strings.Contains(op.Description, "Allowed to: ") {
				t.Errorf("%s %s: who may is not said", op.Method, path)
			}
			delete(left, id)
		}
	}
	for _, id := range []string{"put-document", "put-document-as", "get-document", "list-documents", "audit-pack",
		"backup"} {
		delete(left, id) // with documents and packs
	}
	for id := range left {
		t.Errorf("%s is in the table and is no operation", id)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed; look at it, then run go test ./api -update\n%s", file, got)
	}
}

func TestNoRoleSubmitsAndDecides(t *testing.T) {
	submissions := []string{"submit-application", "resubmit-application", "apply-for-acceptance", "attest-independence",
		"complete-self-assessment", "freeze-package", "issue-recommendation", "withdraw-recommendation"}
	decisions := []string{"pass-formal-check", "return-application", "shortlist", "decline-establishment",
		"approve-establishment",
		"pass-over", "commission-peer-evaluation", "pass-acceptance", "recognise", "open-lab", "require-rectification",
		"decide-not-passed", "revoke"}
	for _, s := range submissions {
		for _, d := range decisions {
			submit, _ := findCommand("lab", s)
			decide, _ := findCommand("lab", d)
			for _, r := range submit.Roles {
				if slices.Contains(decide.Roles, r) {
					t.Errorf("%s may both %s and %s", r, s, d)
				}
			}
		}
	}
	for _, c := range Commands() {
		if slices.Contains(c.Roles, domain.Auditor) {
			t.Errorf("the auditor may %s", c.ID())
		}
	}
}

// newDocServer returns a server that serves only its OpenAPI document.
func newDocServer(t *testing.T) *Server {
	t.Helper()
	log, err := audit.Open(audit.Config{Dir: t.TempDir()}) // never run
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return New(nil, nil, &projections.Model{}, NewVerifier(), time.Now, Config{Log: log})
}

func TestOpenAPIDocument(t *testing.T) {
	s := newDocServer(t)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" || len(doc.Servers) == 0 {
		t.Errorf("OpenAPI %s, servers %v", doc.OpenAPI, doc.Servers)
	}
	ids := map[string]bool{}
	posts := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) == 0 ||
				op.Security == nil ||
				!strings.ContainsFunc(op.Description, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s %s: id %q, summary %q, tags %v, description %q", method, path, op.OperationID, op.Summary,
					op.Tags, op.Description)
			}
			ids[op.OperationID] = true
			for _, p := range op.Parameters {
				if p.Value.In == "path" && (!p.Value.Required || p.Value.Schema == nil) {
					t.Errorf("%s %s: parameter %s", method, path, p.Value.Name)
				}
			}
			if method == "POST" {
				posts[path] = true
				if ref := op.RequestBody.Value.Content["application/json"].Schema.Ref; ref == "" {
					t.Errorf("%s: its body has no schema of its own", path)
				}
			}
		}
	}
	want := map[string]bool{"/v1/webhooks/{webhook}/test": true, "/v1/persons/find": true,
		"/v1/labs/{lab}/correct": true, "/v1/entities/{entity}/correct": true,
		"/v1/programmes/{programme}/correct": true,
		"/v1/labs/{lab}/void":                true, "/v1/entities/{entity}/void": true,
		"/v1/programmes/{programme}/void": true}
	for _, c := range Commands() {
		want[c.Path()] = true
		if c.Creates {
			want["/v1/"+eventstore.Plural(c.Aggregate)] = true
		}
	}
	for path := range want {
		if !posts[path] {
			t.Errorf("%s is not in the document", path)
		}
	}
	for path := range posts {
		if !want[path] {
			t.Errorf("%s is in the document and not in the table", path)
		}
	}
	sign := doc.Components.Schemas["LabSignAgreement"].Value
	if sign.Properties["party"].Value.Format != "uuid" || sign.Properties["on"].Value.Format != "date" ||
		!slices.Contains(sign.Required, "representative") {
		t.Errorf("sign-agreement: %v", sign.Properties)
	}
	if got, ok := doc.Components.Schemas["AgreementOfLab"].Value.Properties["parties"]; !ok || got.Value == nil {
		t.Error("an agreement in a list is documented without its parts")
	}
	for _, status := range []string{"403", "409", "412", "422", "503"} {
		r := doc.Paths.Find("/v1/labs/{lab}/sign-agreement").Post.Responses.Value(status)
		if r == nil || r.Value.Content["application/problem+json"] == nil {
			t.Errorf("status %s is not documented", status)
		}
	}
	var again map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &again); err != nil || strings.Contains(w.Body.String(), "$schema") {
		t.Errorf("%v", err)
	}
}

func TestStatusEnum(t *testing.T) {
	s := newDocServer(t)
	for _, p := range s.api.OpenAPI().Paths["/v1/labs"].Get.Parameters {
		if p.Name != "status" {
			continue
		}
		var got []string
		for _, v := range p.Schema.Items.Enum {
			got = append(got, v.(string))
		}
		var want []string
		for _, st := range lab.Statuses {
			want = append(want, string(st))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	}
}

func TestProblemPages(t *testing.T) {
	s := newDocServer(t)
	for _, k := range problems {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/problems/"+k.code, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), k.advice.Zh) || k.advice.En == "" || k.title.Zh == "" ||
			k.title.En == "" {
			t.Errorf("%s: %d %s", k.code, w.Code, w.Body)
		}
	}
	for kind := range codeOf {
		newProblem(codeOf[kind], "", "")
	}
}
