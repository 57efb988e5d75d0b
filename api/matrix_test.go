package api_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

// caller is a role in a relation to the labs of the test.
type caller struct {
	name   string
	role   domain.Role
	entity string       // legal entity acted for
	to     api.Relation // of a lab
	open   bool         // calls the server with AnonymousRead
}

// planted is a text in one place of a lab's record, and its readers.
type planted struct {
	text string
	by   func(caller) bool
}

// secrets is a register with four labs: one in negotiation, one with an application
// under review, one with an acceptance under review, and one in operation.
type secrets struct {
	*storied
	open    *world // the server with AnonymousRead
	callers []caller
	labs    map[string]string // ids
	marks   []planted
	webhook string
	key     string
	person  string
}

func insider(c caller) bool {
	return slices.Contains([]domain.Role{domain.Ministry, domain.Agency, domain.Officer, domain.Auditor}, c.role)
}

func hosting(c caller) bool { return c.to == api.Own }

var mayRead = map[string]func(caller) bool{
	"everybody":  func(caller) bool { return true },
	"insiders":   insider,
	"submitters": func(c caller) bool { return insider(c) || c.role == domain.Authority || hosting(c) },
	"drafters": func(c caller) bool {
		return insider(c) || c.role == domain.Authority || hosting(c) || c.to == api.Party
	},
	"adviced": func(c caller) bool { return insider(c) || hosting(c) }, // by the policy of the test
}

// mark returns a text that is unique in the register.
func (s *secrets) mark(what, readers string) string {
	m := "mark-" + what
	s.marks = append(s.marks, planted{text: m, by: mayRead[readers]})
	return `{"zh":"` + m + `"}`
}

// markDigest returns a digest that is unique in the register.
func (s *secrets) markDigest(readers string) string {
	m := fmt.Sprintf("sha256:%064x", 0xabc000+len(s.marks))
	s.marks = append(s.marks, planted{text: m, by: mayRead[readers]})
	return m
}

// apply hands in an application and has it reviewed, short of a decision.
func (s *secrets) apply(what, submitted, found, advised string) {
	s.Helper()
	var answers []string
	for _, id := range []string{"1.1", "1.2", "2.1", "2.2", "3.1", "3.2"} {
		answers = append(answers, fmt.Sprintf(`{"indicator":%q,"text":%s}`, id, s.mark(what+"-answer-"+id, submitted)))
	}
	const on = "2018-12-01"
	s.by(domain.Host,
		"complete-self-assessment", fmt.Sprintf(`{"on":%q,"system":"sample-1","answers":[%s],"document":%q}`, on,
			strings.Join(answers, ","), digest))
	s.by(domain.Host, "freeze-package", fmt.Sprintf(`{"on":%q,"document":%q,"attachments":[{"title":"协议","digest":%q}]}`, on, digest, s.markDigest(submitted)))
	s.by(domain.Host, "issue-recommendation", fmt.Sprintf(`{"on":%q,"issuer":%q,"number":"校科〔2017〕3号","document":%q}`, on, s.host, s.markDigest(submitted)))
	s.by(domain.Host, "submit-application", fmt.Sprintf(`{"on":%q,"effect":%s,"document":%q}`, on, text, digest))
	s.by(domain.Agency, "pass-formal-check", `{"on":"`+on+`"}`)
	s.by(domain.Agency, "shortlist", `{"on":"`+on+`"}`)
	home, abroad := s.invitePanel(on)
	s.by(domain.Agency, "hold-site-argumentation",
		fmt.Sprintf(`{"on":%q,"present":[%q,%q],"minutes":%q}`, on, home, abroad, s.markDigest(found)))
	s.by(domain.Agency, "record-opinion", opinionOf(abroad, on, s.mark(what+"-opinion", advised)))
	for _, d := range lab.ReviewDimensions {
		s.by(domain.Agency, "assess-dimension", fmt.Sprintf(`{"on":%q,"dimension":%q,"text":%s}`, on, d,
			s.mark(what+"-dimension-"+string(d), found)))
	}
}

// invitePanel invites two experts. Only reviewers may see their declarations.
func (s *secrets) invitePanel(on string) (home, abroad string) {
	s.Helper()
	for _, from := range []string{s.home, s.abroad} {
		name := fmt.Sprintf("mark-expert-%d", len(s.marks))
		s.marks = append(s.marks, planted{text: name, by: mayRead["insiders"]})
		s.by(domain.Agency,
			"invite-expert", fmt.Sprintf(`{"on":%q,"person":{"name":%q},"affiliations":[%q],"declaration":%q}`, on,
				name, from, s.markDigest("insiders")))
	}
	s.experts += 2
	return fmt.Sprintf("Z%d", s.experts-1), fmt.Sprintf("Z%d", s.experts)
}

// accept applies for acceptance and has peers evaluate the lab.
func (s *secrets) accept(what, found, advised string) {
	s.Helper()
	s.by(domain.Host, "set-stage-goal", `{"text":`+text+`,"due":"2020-06-30"}`)
	s.by(domain.Host, "hold-stage-assessment", fmt.Sprintf(`{"on":"2020-07-01","summary":%s,"document":%q}`, text,
		digest))
	s.by(domain.Host, "apply-for-acceptance", fmt.Sprintf(`{"on":"2022-01-10","standard":"sample-1","document":%q}`,
		digest))
	_, abroad := s.invitePanel("2022-01-10")
	s.by(domain.Agency, "commission-peer-evaluation", `{"on":"2022-01-10"}`)
	s.by(domain.Agency, "record-opinion", opinionOf(abroad, "2022-03-01", s.mark(what+"-peer", advised)))
	for _, d := range domain.Dimensions {
		for _, x := range lab.Axes {
			s.by(domain.Agency,
				"assess-cell",
				fmt.Sprintf(`{"on":"2022-03-01","dimension":%q,"axis":%q,"text":%s,"facts":[{"on":"2019-01-01",`+
					`"text":%s}]}`, d, x, s.mark(what+"-cell-"+string(d)+string(x), found), text))
		}
	}
}

func (s *secrets) approve() {
	s.Helper()
	s.by(domain.Ministry, "approve-establishment", `{"on":"2018-12-01","construction":{"from":"2019-01-01"}}`)
}

func newSecrets(t testing.TB) *secrets {
	t.Helper()
	var cfg api.Config
	w := newWorld(t, func(c *api.Config) { cfg = *c })
	cfg.AnonymousRead = true
	srv := httptest.NewServer(api.New(w.log, w.log, w.model, w.verifier, w.clock, cfg))
	t.Cleanup(srv.Close)
	w.recordTables()
	w.done(theProgramme+"/adopt-policy", w.as(domain.Officer), `{"document":"教技〔2014〕2号","title":`+text+`,"effective":{"from":"2014-02-01"},"rules":"2014","incubation_years":2,"construction_years":3,"opinions_to":"host"}`)
	s := &secrets{storied: incubated(w), open: &world{TB: t, url: srv.URL}, labs: map[string]string{}}
	s.labs["review"] = strings.TrimPrefix(s.at, "/v1/labs/")
	s.apply("review", "submitters", "insiders", "insiders")
	again := func(name string) {
		first := s.storied
		s.storied = incubatedFor(w, first)
		s.labs[name] = strings.TrimPrefix(s.at, "/v1/labs/")
	}
	again("evaluation")
	s.apply("evaluation", "everybody", "everybody", "adviced")
	s.approve()
	s.accept("evaluation", "insiders", "insiders")
	again("operation")
	s.apply("operation", "everybody", "everybody", "adviced")
	s.approve()
	s.accept("operation", "everybody", "adviced")
	s.by(domain.Ministry, "pass-acceptance", `{"on":"2022-04-01"}`)
	s.by(domain.Ministry, "recognise", `{"on":"2022-04-02"}`)
	s.by(domain.Host,
		"amend-agreement", fmt.Sprintf(`{"agreement":"A1","summary":%s,"documents":[{"lang":"zh","digest":%q}]}`,
			s.mark("amendment", "drafters"), s.markDigest("drafters")))
	s.by(domain.Host, "sign-agreement", `{"agreement":"A1","amendment":1,"party":"`+s.host+`","representative":{"name":"王校长"},"on":"2023-01-01","document":"`+s.marks[len(s.marks)-1].text+`"}`)

	s.at = "/v1/labs/" + w.done("/v1/labs", s.token(domain.Host), proposal(s.host)).str("id")
	s.labs["draft"] = strings.TrimPrefix(s.at, "/v1/labs/")
	s.by(domain.Host, "draft-agreement", strings.Replace(agreement(s.host, s.partner), `{"zh":"共建协议","en":"Agreement"}`, s.mark("draft", "drafters"), 1))
	s.by(domain.Partner,
		"add-right",
		fmt.Sprintf(`{"agreement":"A1","kind":"right","party":%q,"clause":"§5","text":%s,"due":"2024-06-10"}`,
			s.partner, s.mark("item", "drafters")))
	s.by(domain.Host,
		"pledge-commitment",
		fmt.Sprintf(`{"party":%q,"source":"own","agreement":"A1","purpose":%s,`+
			`"quantity":{"cash":{"amount":"31415.92","currency":"CHF"}}}`, s.host, s.mark("commitment", "drafters")))
	s.marks = append(s.marks, planted{text: "31415.92", by: mayRead["drafters"]})
	s.by(domain.Host, "sign-agreement", signature(s.host, "2024-01-10"))
	s.person = s.get(s.at+"/agreements/A1", s.as(domain.Auditor)).str("signatures.0.representative.ref")
	s.webhook = w.done("/v1/webhooks", s.token(domain.Host), `{"url":"http://127.0.0.1:1/mark-webhook"}`).str("id")
	s.key = w.done("/v1/keys", s.token(domain.Host),
		`{"name":{"zh":"mark-key"},"service":"grants","role":"host",`+
			`"entity":"`+s.host+`","expires":"2024-08-01T00:00:00Z"}`).str("id")
	keeper := func(c caller) bool {
		return c.role == domain.Ministry || c.role == domain.Officer || c.role == domain.Auditor
	}
	s.marks = append(s.marks, planted{text: "mark-webhook",
		by: func(c caller) bool { return keeper(c) || c.name == "host, own" }},
		planted{text: "mark-key", by: func(c caller) bool { return keeper(c) || c.entity == s.host }})

	for _, role := range domain.Roles {
		switch role {
		case domain.Host, domain.Director:
			s.callers = append(s.callers, caller{
				name: string(role) + ", own", role: role, entity: s.host, to: api.Own, open: false,
			}, caller{
				name: string(role) + ", stranger", role: role, entity: s.home, to: api.Any,
				open: false,
			})
		case domain.Partner:
			s.callers = append(s.callers, caller{
				name: "partner, party", role: role, entity: s.partner, to: api.Party, open: false,
			}, caller{
				name: "partner, stranger", role: role, entity: s.abroad, to: api.Any, open: false,
			})
		default:
			s.callers = append(s.callers, caller{name: string(role), role: role, to: api.Any, open: false})
		}
	}
	s.callers = append(s.callers, caller{
		name: "nobody", role: api.Anonymous, to: api.Any, open: false,
	}, caller{
		name: "nobody, who may read", role: api.Anonymous, to: api.Any, open: true,
	})
	return s
}

// incubatedFor returns another incubating lab of the same legal entities.
func incubatedFor(w *world, first *storied) *storied {
	w.Helper()
	return incubatedBy(w, &storied{world: w, host: first.host, partner: first.partner, home: first.home,
		abroad: first.abroad})
}

func (s *secrets) bearer(c caller) string {
	switch {
	case c.role == api.Anonymous:
		return ""
	case c.entity != "":
		return s.as(c.role, c.entity)
	}
	return s.as(c.role)
}

// ask sends a request as a caller.
func (s *secrets) ask(c caller, method, path, body string, headers ...string) response {
	s.Helper()
	w := s.world
	if c.open {
		w = s.open
	}
	return w.send(method, path, s.bearer(c), body, headers...)
}

// operation is one of the OpenAPI document.
type operation struct {
	id, method, path string
	query            map[string]bool // the parameters it knows
	body             map[string]any  // its schema
}

func (s *secrets) operations() (all []operation, components map[string]any) {
	s.Helper()
	doc := s.get("/openapi.json", "").body
	components = doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(doc["paths"].(map[string]any))) {
		for method, o := range doc["paths"].(map[string]any)[path].(map[string]any) {
			op := o.(map[string]any)
			is := operation{id: op["operationId"].(string), method: strings.ToUpper(method), path: path,
				query: map[string]bool{}}
			params, _ := op["parameters"].([]any)
			for _, p := range params {
				if p := p.(map[string]any); p["in"] == "query" {
					is.query[p["name"].(string)] = true
				}
			}
			if body, ok := op["requestBody"].(map[string]any); ok {
				if media, ok := body["content"].(map[string]any)["application/json"].(map[string]any); ok {
					is.body = media["schema"].(map[string]any)
				}
			}
			all = append(all, is)
		}
	}
	return all, components
}

// table returns the register's own table of access: operation, role, relation.
func (s *secrets) table() map[string]map[domain.Role]api.Relation {
	s.Helper()
	table := map[string]map[domain.Role]api.Relation{}
	for _, item := range s.get("/v1/access", s.as(domain.Auditor)).at("items").([]any) {
		row := item.(map[string]any)
		id := row["operation"].(string)
		if table[id] == nil {
			table[id] = map[domain.Role]api.Relation{}
		}
		table[id][domain.Role(row["role"].(string))] = api.Relation(row["relation"].(string))
	}
	return table
}

// acts are whose acts the commands are, as the register tells it.
func (s *secrets) acts() map[string]lab.Act {
	s.Helper()
	acts := map[string]lab.Act{}
	for _, item := range s.get("/v1/access", s.as(domain.Auditor)).at("items").([]any) {
		row := item.(map[string]any)
		if act, ok := row["act"].(string); ok {
			acts[row["operation"].(string)] = lab.Act(act)
		}
	}
	return acts
}

// urls returns the URLs that test a query.
func (s *secrets) urls(op operation) (urls []string) {
	q := url.Values{}
	for name, value := range map[string]string{"limit": "500", "order": "oldest", "ahead": "3660", "follow": "false"} {
		if op.query[name] && (name != "follow" || op.id == "stream-status-events") {
			q.Set(name, value)
		}
	}
	switch op.id {
	case "lab-diff", "get-delta":
		q.Set("from", "1")
	case "audit-proof":
		q.Set("position", "1")
	case "audit-consistency":
		q.Set("from", "1")
	}
	add := func(path string) {
		urls = append(urls, path+"?"+q.Encode())
		if op.query["as_of"] {
			urls = append(urls, path+"?"+q.Encode()+fmt.Sprintf("&as_of=%d", s.head()))
		}
		if op.query["q"] {
			for _, m := range s.marks {
				urls = append(urls, path+"?q="+url.QueryEscape(m.text))
			}
		}
	}
	fixed := strings.NewReplacer("{agreement}", "A1", "{entity}", s.host, "{programme}",
		strings.TrimPrefix(theProgramme, "/v1/programmes/"), "{webhook}", s.webhook, "{key}", s.key, "{person}",
		s.person).Replace(op.path)
	switch {
	case strings.Contains(fixed, "{event}"):
		for _, name := range []string{"review", "evaluation", "operation"} {
			history := s.get("/v1/labs/"+s.labs[name]+"/history?facet=status&limit=500", s.as(domain.Auditor))
			for _, item := range history.at("items").([]any) {
				add(strings.NewReplacer("{lab}", s.labs[name], "{event}",
					item.(map[string]any)["id"].(string)).Replace(fixed))
			}
		}
	case op.id == "lab-impact":
		for name, id := range s.labs {
			revision := strings.Trim(s.get("/v1/labs/"+id, s.as(domain.Auditor)).Header.Get("ETag"), `"`)
			q.Set("from", revision)
			q.Set("to", revision)
			_ = name
			add(strings.ReplaceAll(fixed, "{lab}", id))
		}
	case strings.Contains(fixed, "{lab}"):
		names := slices.Sorted(maps.Keys(s.labs))
		if file := regexp.MustCompile(`-(csv|ndjson|xlsx)$`).MatchString(op.id); file {
			names = names[:domaintest.Runs(2, len(names))] // a file has the content of its query
		}
		for _, name := range names {
			add(strings.ReplaceAll(fixed, "{lab}", s.labs[name]))
		}
	case strings.Contains(fixed, "{position}"):
		for p := range s.head() {
			urls = append(urls, fmt.Sprintf("/v1/events/%d", p+1))
		}
	case strings.Contains(fixed, "{digest}"):
		add(strings.ReplaceAll(fixed, "{digest}", digest))
	default:
		add(fixed)
		if op.id == "list-events" {
			urls = append(urls, "/v1/events?changes=true&limit=100", "/v1/events?follow=false")
		}
	}
	return urls
}

// all returns the content of a query, with further pages and packed files.
func (s *secrets) all(c caller, path string) (first response, content string) {
	s.Helper()
	var headers []string
	if strings.Contains(path, "/v1/events?follow=") {
		headers = []string{"Accept: application/x-ndjson"}
	}
	first = s.ask(c, http.MethodGet, path, "", headers...)
	content = first.text
	for next := first; next.StatusCode == http.StatusOK && next.body != nil && next.str("next") != ""; {
		at := path + "&cursor=" + url.QueryEscape(next.str("next"))
		if strings.Contains(path, "/v1/documents") {
			at = "/v1/documents?limit=500&cursor=" + url.QueryEscape(next.str("next"))
		}
		next = s.ask(c, http.MethodGet, at, "", headers...)
		content += next.text
	}
	if archive, err := zip.NewReader(bytes.NewReader([]byte(first.text)), int64(len(first.text))); err == nil {
		content = ""
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				s.Fatal(err)
			}
			part, err := io.ReadAll(r)
			if err != nil {
				s.Fatal(err)
			}
			content += string(part)
		}
	}
	return first, content
}

func TestQueryMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("one request after the other")
	}
	s := newSecrets(t)
	table := s.table()
	auditor := s.callers[slices.IndexFunc(s.callers, func(c caller) bool { return c.role == domain.Auditor })]
	shown := map[string]int{}
	operations, _ := s.operations()
	for _, op := range operations {
		if op.method != http.MethodGet {
			continue
		}
		roles := table[op.id]
		if len(roles) == 0 {
			t.Errorf("%s has no row", op.id)
		}
		for _, path := range s.urls(op) {
			whole, full := s.all(auditor, path)
			if whole.StatusCode != http.StatusOK && op.id != "get-document" && op.id != "lab-impact" &&
				op.id != "lab-decision" && op.id != "lab-agreement" && !strings.HasPrefix(op.path, "/v1/webhooks") {
				t.Errorf("GET %s as auditor: %s %.300s", path, whole.Status, whole.text)
			}
			for _, c := range s.callers {
				relation, listed := roles[c.role]
				r, content := s.all(c, path)
				switch {
				case c.role == api.Anonymous && (!c.open || !listed):
					if r.StatusCode != http.StatusUnauthorized {
						t.Errorf("GET %s as %s: %s", path, c.name, r.Status)
					}
				case !listed:
					if r.StatusCode != http.StatusForbidden {
						t.Errorf("GET %s as %s, who may not: %s", path, c.name, r.Status)
					}
				case op.id == "audit-pack" && c.role == domain.Agency && !strings.Contains(path, "lab="):
					if r.StatusCode != http.StatusForbidden {
						t.Errorf("GET %s as %s, who may take the pack of one lab only: %s", path, c.name, r.Status)
					}
				case relation == api.Own && c.name != "host, own" &&
					!(strings.Contains(op.path, "{key}") && c.entity == s.host) && strings.Contains(op.path, "{"):
					if r.StatusCode != http.StatusNotFound {
						t.Errorf("GET %s as %s, whose it is not: %s", path, c.name, r.Status)
					}
				case r.StatusCode != whole.StatusCode && r.StatusCode != http.StatusNotFound:
					t.Errorf("GET %s as %s: %s %.300s", path, c.name, r.Status, r.text)
				}
				if op.id == "audit-pack" {
					continue // all or nothing
				}
				for _, m := range s.marks {
					is, want := strings.Contains(content, m.text),
						listed && (c.role != api.Anonymous || c.open) && m.by(c) && strings.Contains(full, m.text)
					if strings.Contains(path, "q=") {
						is, want = is && r.at("total") != 0.0, false // the mark is in no answer, and finds nothing
					}
					if strings.HasPrefix(path, "/v1/documents") {
						want = want && is // only readers of the document among the readers of the event
					}
					if is != want {
						t.Errorf("GET %s as %s: %q is shown: %t, want %t", path, c.name, m.text, is, want)
					}
					if is {
						shown[m.text]++
					}
				}
			}
		}
	}
	for _, m := range s.marks {
		if shown[m.text] == 0 {
			t.Errorf("%q is shown to nobody", m.text)
		}
	}
}

// example returns the smallest value that a schema accepts.
func example(schema map[string]any, components map[string]any, id string) any {
	if ref, ok := schema["$ref"].(string); ok {
		return example(components[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any), components, id)
	}
	if enum, ok := schema["enum"].([]any); ok {
		return enum[0]
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = kinds[0]
	}
	switch kind {
	case "object":
		object := map[string]any{}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			object[name.(string)] = example(schema["properties"].(map[string]any)[name.(string)].(map[string]any),
				components, id)
		}
		return object
	case "array":
		least, _ := schema["minItems"].(float64)
		items := []any{}
		for range int(least) {
			items = append(items, example(schema["items"].(map[string]any), components, id))
		}
		return items
	case "integer", "number":
		least, _ := schema["minimum"].(float64)
		return least
	case "boolean":
		return true
	}
	switch schema["format"] {
	case "uuid":
		return id
	case "date":
		return "2024-01-01"
	case "date-time":
		return "2024-08-01T00:00:00Z"
	case "uri":
		return "https://example.org/"
	}
	least, _ := schema["minLength"].(float64)
	pattern, _ := schema["pattern"].(string)
	for _, text := range []string{"1", "CNY", "2024", digest} {
		if len(text) >= int(least) && regexp.MustCompile(pattern).MatchString(text) {
			return text
		}
	}
	return "?"
}

func TestCommandMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("one request after the other")
	}
	s := newSecrets(t)
	table, acts := s.table(), s.acts()
	operations, components := s.operations()
	targets := []struct{ kind, id, of string }{
		{"{lab}", s.labs["operation"], "lab"}, {"{lab}", s.labs["draft"], "lab"}, {"{lab}", uuid.NewString(), ""},
		{"{entity}", s.host, s.host}, {"{entity}", s.partner, s.partner}, {"{entity}", uuid.NewString(), ""},
		{"{programme}", uuid.NewString(), ""}, {"{webhook}", s.webhook, "webhook"}, {"{webhook}", uuid.NewString(), ""},
		{"{key}", s.key, s.host}, {"{key}", uuid.NewString(), ""},
		{"{person}", uuid.NewString(), ""},
	}
	asked := 0
	for _, op := range operations {
		if op.method != http.MethodPost {
			continue
		}
		for _, target := range targets {
			if strings.Contains(op.path, "{") != strings.Contains(op.path, target.kind) ||
				!strings.Contains(op.path, "{") && target.kind != "{programme}" {
				continue
			}
			if strings.HasSuffix(op.id, "register-programme") || op.id == "webhook-register" ||
				op.id == "webhook-register-new" {
				continue // open to all who have the role: what is begun is one's own
			}
			for _, c := range s.callers {
				if c.open {
					continue
				}
				entity := c.entity
				if entity == "" || c.to == api.Any {
					entity = s.host // of another owner
				}
				body := example(op.body, components, entity)
				if strings.HasSuffix(op.id, "-correct") {
					body = map[string]any{"event": uuid.NewString(), "reason": "x",
						"command": map[string]string{"lab": "rename", "entity": "rename",
							"programme": "open-call"}[strings.TrimSuffix(op.id, "-correct")]}
					rename := components[map[string]string{"lab-correct": "LabRename", "entity-correct": "EntityRename",
						"programme-correct": "ProgrammeOpenCall"}[op.id]]
					body.(map[string]any)["input"] = example(rename.(map[string]any), components, entity)
				}
				if strings.HasPrefix(op.id, "key-issue") { // the body names the legal entity
					body.(map[string]any)["entity"], body.(map[string]any)["role"] = entity, domain.Host
					if c.role == domain.Partner {
						body.(map[string]any)["role"] = domain.Partner
					}
				}
				act := acts[op.id]
				partys := target.of != "lab" || op.id == "lab-void" ||
					c.role != domain.Partner && (c.to != api.Own || act == "") ||
					s.ofParty(target.id, c.entity, body.(map[string]any), act, c.role == domain.Partner)
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				relation, listed := table[op.id][c.role]
				if strings.HasSuffix(op.id, "-correct") &&
					c.role != domain.Officer { // as the command that is corrected
					for role := range table[strings.TrimSuffix(op.id, "-correct")+"-"+
						body.(map[string]any)["command"].(string)] {
						if listed = role == c.role; listed {
							break
						}
					}
				}
				is := api.Any // relation of the caller to the target
				switch {
				case target.of == "lab":
					is = c.to
				case target.of == "webhook" && c.name == "host, own", target.of == c.entity && c.entity != "":
					is = api.Own
				case strings.HasPrefix(op.id, "lab-propose") && c.entity == s.host:
					is = api.Own // of the lab to be
				}
				if strings.HasPrefix(op.id, "key-issue") {
					if is = api.Any; entity == c.entity {
						is = api.Own
					}
				}
				want := listed && (relation == api.Any || relation == is && partys)
				if strings.HasPrefix(op.id, "lab-propose") {
					want = listed && (relation == api.Any || c.entity == s.host)
				}
				path := strings.ReplaceAll(op.path, target.kind, target.id)
				r := s.ask(c, op.method, path, string(text), "Idempotency-Key: "+uuid.NewString())
				asked++
				switch {
				case c.role == api.Anonymous:
					if r.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s as %s: %s", path, c.name, r.Status)
					}
				case (r.StatusCode != http.StatusForbidden) != want:
					t.Errorf("POST %s (%s) as %s, who is %s: %s, and the table says %t\n%.300s\n%s", path, op.id,
						c.name, is, r.Status, want, r.text, text)
				case r.StatusCode >= 500 && r.StatusCode != http.StatusServiceUnavailable:
					t.Errorf("POST %s as %s: %s", path, c.name, r.Status)
				}
			}
		}
	}
	if asked < 2000 {
		t.Errorf("only %d commands were sent", asked)
	}
}

// ofParty makes a command about an agreement, an item or a commitment on which it
// is the act of a party, and reports whether the party may send it: there is such a
// one or, of a partner's command about none of these, an agreement in force.
func (s *secrets) ofParty(of, party string, body map[string]any, act lab.Act, partner bool) (may bool) {
	r := s.get("/v1/labs/"+of, s.as(domain.Auditor))
	rows := func(part string) (all []map[string]any) {
		list, _ := r.at("document." + part).([]any)
		for _, row := range list {
			all = append(all, row.(map[string]any))
		}
		return all
	}
	idOf := func(row map[string]any, member string) string {
		ref, _ := row[member].(map[string]any)
		id, _ := ref["id"].(string)
		return id
	}
	theirs := func(part string, row map[string]any) bool {
		switch {
		case part == "agreements" || act == lab.AnyParty:
			return true
		case act == lab.Debtor:
			return idOf(row, "party") == party
		}
		counter := idOf(row, "counterparty")
		return counter == party || counter == "" && idOf(row, "party") != party
	}
	about, there := false, false
	for member, part := range map[string]string{"agreement": "agreements", "by": "agreements", "item": "rights",
		"commitment": "commitments"} {
		if _, ok := body[member]; !ok {
			continue
		}
		about = true
		all := rows(part)
		i := slices.IndexFunc(all, func(row map[string]any) bool { return theirs(part, row) })
		if there = i >= 0; !there {
			i = 0
		}
		if len(all) > 0 {
			body[member] = all[i]["id"]
		} else {
			there = !partner // the host is told that there is none
		}
	}
	if about || !partner {
		return !about || there
	}
	return slices.ContainsFunc(rows("agreements"), func(a map[string]any) bool { return a["in_force_from"] != nil })
}

// progressRE matches the progress of a record in an answer, which is public: revisions
// and positions.
var progressRE = regexp.MustCompile(`"(revision|position|updated|request_id)":"?[^,}"]*"?|jointlab/[^"]*`)

func TestHiddenChangesLeaveNoTrace(t *testing.T) {
	if testing.Short() {
		t.Skip("one request after the other")
	}
	w := newWorld(t)
	w.recordTables()
	s := &secrets{storied: incubated(w), labs: map[string]string{}}
	id := strings.TrimPrefix(s.at, "/v1/labs/")
	third := w.done("/v1/entities", w.as(domain.Officer), university("慕尼黑工业大学", "TU Munich", "DE")).str("id")
	party, stranger := s.as(domain.Partner, s.partner), s.as(domain.Host, s.home)
	host, authority, expert := s.token(domain.Host), s.as(domain.Authority), s.as(domain.Expert)
	operations, _ := s.operations()
	shown := func(token string) map[string]string {
		all := map[string]string{}
		for _, op := range operations {
			path := strings.NewReplacer("{lab}", id, "{agreement}", "A1").Replace(op.path)
			skip := []string{"lab-diff", "lab-impact", "get-delta", "audit-proof", "audit-consistency",
				"audit-checkpoint", "list-keys", "list-webhooks", "stream-status-events"}
			if op.method != http.MethodGet || strings.Contains(path, "{") || slices.Contains(skip, op.id) ||
				strings.HasSuffix(path, ".xlsx") {
				continue
			}
			q := url.Values{}
			for name, value := range map[string]string{"limit": "500", "ahead": "3660"} {
				if op.query[name] {
					q.Set(name, value)
				}
			}
			r := s.get(path+"?"+q.Encode(), token)
			all[path] = r.Status + progressRE.ReplaceAllString(r.text, "")
		}
		return all
	}
	unchanged := func(step string, record func(), tokens map[string]string) {
		t.Helper()
		before := map[string]map[string]string{}
		for name, token := range tokens {
			before[name] = shown(token)
		}
		record()
		for name, token := range tokens {
			for path, now := range shown(token) {
				if now != before[name][path] {
					t.Errorf("%s changes GET %s for %s:\n%s\n%s", step, path, name, before[name][path], now)
				}
			}
		}
	}
	const on = "2018-12-01"
	unchanged("a draft", func() {
		s.by(domain.Host, "draft-agreement", agreement(s.host, s.partner))
		s.by(domain.Host,
			"add-right",
			fmt.Sprintf(`{"agreement":"A2","kind":"responsibility","party":%q,"clause":"§5","text":%s,`+
				`"due":"2020-01-01"}`, s.host, text))
		s.by(domain.Host,
			"pledge-commitment",
			fmt.Sprintf(`{"party":%q,"source":"own","agreement":"A2","quantity":{"cash":{"amount":"7",`+
				`"currency":"CNY"}}}`, s.host))
		s.by(domain.Host,
			"schedule-instalments",
			`{"commitment":"F4","schedule":[{"due":"2020-06-30","quantity":{"cash":{"amount":"7","currency":"CNY"}}}]}`)
		s.by(domain.Host,
			"amend-agreement",
			fmt.Sprintf(`{"agreement":"A1","summary":%s,"accede":[{"entity":%q,"role":"partner"}],`+
				`"documents":[{"lang":"zh","digest":%q}]}`, text, third, digest))
		s.by(domain.Host, "sign-agreement", strings.Replace(signature(s.host, "2020-01-01"), `"A1"`,
			`"A1","amendment":1`, 1))
	}, map[string]string{"a stranger": stranger, "an expert": expert})
	unchanged("what is handed in", func() {
		var answers []string
		for _, id := range []string{"1.1", "1.2", "2.1", "2.2", "3.1", "3.2"} {
			answers = append(answers, fmt.Sprintf(`{"indicator":%q,"text":%s}`, id, text))
		}
		s.by(domain.Host, "complete-self-assessment",
			fmt.Sprintf(`{"on":%q,"system":"sample-1","answers":[%s],"document":%q}`, on, strings.Join(answers, ","),
				digest))
		s.by(domain.Host, "freeze-package", fmt.Sprintf(`{"on":%q,"document":%q}`, on, digest))
		s.by(domain.Host, "issue-recommendation", fmt.Sprintf(`{"on":%q,"issuer":%q,"number":"校科〔2017〕3号","document":%q}`, on, s.host, digest))
	}, map[string]string{"a stranger": stranger, "a party": party, "an expert": expert})
	s.by(domain.Host, "submit-application", fmt.Sprintf(`{"on":%q,"effect":%s,"document":%q}`, on, text, digest))
	s.by(domain.Agency, "pass-formal-check", `{"on":"`+on+`"}`)
	s.by(domain.Agency, "shortlist", `{"on":"`+on+`"}`)
	unchanged("what a review finds", func() {
		home, abroad := s.invitePanel(on)
		s.by(domain.Agency, "hold-site-argumentation",
			fmt.Sprintf(`{"on":%q,"present":[%q,%q],"minutes":%q}`, on, home, abroad, digest))
		s.by(domain.Agency, "record-opinion", opinionOf(abroad, on, text))
		s.dimensions(on)
	}, map[string]string{"the host": host, "an authority": authority, "a stranger": stranger, "a party": party,
		"an expert": expert})
}

func TestReviewFindingsHiddenUntilDecision(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := &secrets{storied: incubated(w), labs: map[string]string{}}
	s.apply("review", "submitters", "insiders", "insiders")
	// finding returns a rule's verdict in an answer: met, number of grounds, ready, what
	// is missing.
	finding := func(r response, list, rule string) string {
		t.Helper()
		found := ""
		steps := []any{r.body}
		if list == "steps" {
			steps = r.at("steps").([]any)
		}
		for _, step := range steps {
			step := step.(map[string]any)
			if list == "steps" && step["command"] != "approve-establishment" {
				continue
			}
			for _, f := range step["findings"].([]any) {
				if f := f.(map[string]any); f["rule"] == rule {
					proof, _ := f["proof"].([]any)
					found = fmt.Sprint(f["met"], len(proof), step["ready"])
					if missing, ok := f["missing"].([]any); ok {
						found += missing[0].(map[string]any)["en"].(string)
					}
				}
			}
		}
		return found
	}
	const withheld = "false 0 falsewhether it is met hangs on a review that is not open to you, and is not shown"
	for _, rule := range []string{"C28", "C32", "C68", "C69"} {
		if got := finding(s.get(s.at+"/readiness", s.token(domain.Agency)), "steps", rule); !strings.HasPrefix(got,
			"true") {
			t.Errorf("%s for the agency: %s", rule, got)
		}
		for _, token := range []string{s.token(domain.Host), s.token(domain.Partner), s.as(domain.Authority),
			s.as(domain.Expert)} {
			if got := finding(s.get(s.at+"/readiness", token), "steps", rule); got != withheld {
				t.Errorf("%s under review: %s", rule, got)
			}
		}
	}
	s.approve()
	event := s.get(s.at+"/history?type=lab.status.establishment-approved.v1", s.as(domain.Auditor)).str("items.0.id")
	for rule, want := range map[string][2]string{
		"C28": {"true 1 <nil>", "true 0 <nil>"}, "C32": {"true 3 <nil>",
			"true 0 <nil>"}, // experts and their opinions stay unnamed
		"C68": {"true 4 <nil>", "true 4 <nil>"}, "C69": {"true 1 <nil>", "true 1 <nil>"},
	} {
		for i, token := range []string{s.as(domain.Auditor), s.token(domain.Host)} {
			r := s.get(s.at+"/decisions/"+event, token)
			if got := finding(r, "", rule); got != want[i] || r.at("verdict") != true {
				t.Errorf("%s, decided: %s, want %s", rule, got, want[i])
			}
			if experts := strings.Contains(r.text, `"experts"`); experts != (i == 0) {
				t.Errorf("experts are shown: %t", experts)
			}
		}
	}
}
