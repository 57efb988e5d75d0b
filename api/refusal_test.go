package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

func TestBadInputChangesNothing(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, o := w.as(domain.Host, host), w.as(domain.Officer)
	lab := w.incubating(host, partner, "2023-06-01")
	at := "/v1/labs/" + lab
	w.done(at+"/pledge-commitment", h, `{"party":"`+host+`","source":"own","quantity":{"cash":{"amount":"10","currency":"CNY"}}}`)
	head := w.head()

	pledge := func(quantity string) string {
		return `{"party":"` + host + `","source":"own","quantity":` + quantity + `}`
	}
	for _, c := range []struct {
		name, path, body string
		status           int
		code, field, say string // the first field at fault, and part of the English detail
	}{
		{"no body", "/v1/labs", ``, 400, "malformed-body", "", "send a JSON object"},
		{"not JSON", "/v1/labs", `{"level":`, 400, "malformed-body", "", "byte"},
		{"two values", "/v1/labs", proposal(host) + `{}`, 400, "malformed-body", "", "byte"},
		{"a name twice", "/v1/labs", `{"level":"ministry","level":"province"}`, 400, "malformed-body", "", "twice"},
		{"a name twice, deep", "/v1/labs", `{"names":[{"text":"a","text":"b"}]}`, 400, "malformed-body", "", "names[0].text"},
		{"invalid UTF-8", "/v1/labs", "{\"level\":\"\xff\"}", 400, "malformed-body", "", "UTF-8"},
		{"too deep", "/v1/labs", strings.Repeat("[", 20000), 400, "malformed-body", "", "byte"},
		{"not an object", "/v1/labs", `[]`, 422, "invalid-input", "", "object"},
		{"nothing given", "/v1/labs", `{}`, 422, "invalid-input", "host", "give host"},
		{"unknown member", at + "/start-incubation", `{"on":"2024-01-01","when":"now"}`, 422, "invalid-input", "when", "spelling"},
		{"wrong case", at + "/start-incubation", `{"On":"2024-01-01"}`, 422, "invalid-input", "On", "spelling"},
		{"wrong type", "/v1/labs", strings.Replace(proposal(host), `"ministry"`, `7`, 1), 422, "invalid-input", "level", "string"},
		{"null", at + "/start-incubation", `{"on":null}`, 422, "invalid-input", "on", "string"},
		{"not one of", "/v1/labs", strings.Replace(proposal(host), `"ministry"`, `"galaxy"`, 1), 422, "invalid-input", "level", "ministry, province, university"},
		{"bad uuid", "/v1/labs", strings.Replace(proposal(host), host, "abc", 1), 422, "invalid-input", "host", "UUID"},
		{"bad date", at + "/start-incubation", `{"on":"yesterday"}`, 422, "invalid-input", "on", "YYYY-MM-DD"},
		{"impossible date", at + "/start-incubation", `{"on":"2023-02-30"}`, 422, "invalid-input", "on", "YYYY-MM-DD"},
		{"year zero", at + "/start-incubation", `{"on":"0000-01-01"}`, 422, "invalid-input", "on", "YYYY-MM-DD"},
		{"impossible month", at + "/assert-fact", `{"kind":"note","on":"2023-13","basis":{"source":"s"}}`, 422, "invalid-input", "on", "YYYY-MM"},
		{"in the future", at + "/set-discipline", `{"discipline":{}}`, 422, "invalid-input", "discipline", "Chinese or English"},
		{"unknown currency", at + "/pledge-commitment", pledge(`{"cash":{"amount":"1","currency":"ZZZ"}}`), 422, "invalid-input", "quantity.cash.currency", "ISO 4217"},
		{"not a currency for payments", at + "/pledge-commitment", pledge(`{"cash":{"amount":"1","currency":"XAU"}}`), 422, "invalid-input", "quantity.cash.currency", "CNY"},
		{"too many decimals", at + "/pledge-commitment", pledge(`{"cash":{"amount":"1.5","currency":"JPY"}}`), 422, "invalid-input", "quantity.cash.amount", "decimals"},
		{"a negative amount", at + "/pledge-commitment", pledge(`{"cash":{"amount":"-1","currency":"CNY"}}`), 422, "invalid-input", "quantity.cash.amount", "more than zero"},
		{"an exponent", at + "/pledge-commitment", pledge(`{"cash":{"amount":"1e3","currency":"CNY"}}`), 422, "invalid-input", "quantity.cash.amount", "plain digits"},
		{"too many digits", at + "/pledge-commitment", pledge(`{"cash":{"amount":"` + strings.Repeat("9", 29) + `.99","currency":"CNY"}}`), 422, "invalid-input", "quantity.cash.amount", "30"},
		{"a number for an amount", at + "/pledge-commitment", pledge(`{"cash":{"amount":1,"currency":"CNY"}}`), 422, "invalid-input", "quantity.cash.amount", "string"},
		{"two kinds", at + "/pledge-commitment", pledge(`{"cash":{"amount":"1","currency":"CNY"},"premises_m2":"1"}`), 422, "invalid-input", "quantity", "exactly one"},
		{"bad digest", at + "/firm-up-commitment", `{"commitment":"F1","on":"2024-01-01","evidence":"sha1:x"}`, 422, "invalid-input", "evidence", "sha256:"},
		{"bad USCC", "/v1/entities", strings.Replace(chineseUniversity, "624D", "624E", 1), 422, "invalid-input", "identifiers[0].value", "check character"},
		{"unknown party", at + "/draft-agreement", agreement(host, uuid.NewString()), 422, "invalid-input", "parties[1].entity", "register it first"},
		{"a long text", at + "/set-discipline", `{"discipline":{"zh":"` + strings.Repeat("长", 4001) + `"}}`, 422, "invalid-input", "discipline.zh", "4000"},
		{"a long basis", at + "/set-discipline", `{"discipline":{"zh":"x"},"basis":{"document":"` + strings.Repeat("长", 4001) + `"}}`, 422, "invalid-input", "basis.document", "4000"},
		{"an unknown lab", "/v1/labs/" + uuid.NewString() + "/set-discipline", `{"discipline":{"zh":"x"}}`, 404, "not-found", "", "propose it first"},
		{"an unknown entity", "/v1/entities/" + uuid.NewString() + "/close-entity", `{"on":"2024"}`, 404, "not-found", "", "register it first"},
		{"an unknown commitment", at + "/firm-up-commitment", `{"commitment":"F9","on":"2024-01-01","evidence":"` + digest + `"}`, 404, "not-found", "", "F9"},
		{"registered already", at + "/propose", proposal(host), 409, "already-exists", "", "already"},
		{"not from this state", at + "/resubmit-application", `{"on":"2024-01-01","answer":{"zh":"x"},"document":"` + digest + `"}`, 409, "wrong-state", "", "incubating"},
		{"not a uuid in the path", "/v1/labs/1/set-discipline", `{"discipline":{"zh":"x"}}`, 400, "invalid-parameter", "path.lab", "UUID"},
		{"no such command", at + "/frobnicate", `{}`, 404, "no-such-path", "", "/docs"},
		{"a query parameter", at + "/set-discipline?dry_run=1", `{"discipline":{"zh":"x"}}`, 400, "invalid-parameter", "query.dry_run", "spelling"},
		{"too large", at + "/set-discipline", `{"discipline":{"zh":"` + strings.Repeat("x", 1<<20) + `"}}`, 413, "body-too-large", "", "1 MiB"},
	} {
		token := h
		if strings.HasPrefix(c.path, "/v1/entities") || strings.HasSuffix(c.path, "assert-fact") || c.name == "an unknown lab" {
			token = o
		}
		r := w.post(c.path, token, c.body)
		said := r.str("detail") + " " + r.str("errors.0.message.en")
		zh := r.str("detail_zh") + r.str("errors.0.message.zh")
		if r.StatusCode != c.status || r.str("code") != c.code || r.str("errors.0.path") != c.field || !strings.Contains(said, c.say) || zh == "" {
			t.Errorf("%s: %s %.900s", c.name, r.Status, r.text)
		}
		if r.Header.Get("Content-Type") != "application/problem+json" || r.str("request_id") == "" || r.str("request_id") != r.Header.Get("X-Request-Id") {
			t.Errorf("%s: %v %.300s", c.name, r.Header, r.text)
		}
	}
	for _, header := range []string{"Idempotency-Key: " + strings.Repeat("k", 201), "Idempotency-Key: 键", "Content-Type: text/plain", "Content-Type: application/json; charset=gbk"} {
		if r := w.post(at+"/set-discipline", h, `{"discipline":{"zh":"x"}}`, header); r.StatusCode != 400 && r.StatusCode != 415 {
			t.Errorf("%s: %s %s", header, r.Status, r.text)
		}
	}
	if w.head() != head {
		t.Errorf("the ledger went from %d to %d", head, w.head())
	}
}

func TestUnknownQueryParametersAreRejected(t *testing.T) {
	w := newWorld(t)
	token := w.as(domain.Auditor)
	for path, status := range map[string]int{
		"/v1/labs?stauts=DUE":                       400,
		"/v1/labs?status=due":                       400,
		"/v1/labs?status=DUE,OPERATING":             400,
		"/v1/labs?limit=":                           400,
		"/v1/labs?limit=0":                          400,
		"/v1/labs?limit=501":                        400,
		"/v1/labs?limit=x":                          400,
		"/v1/labs?limit=1&limit=2":                  400,
		"/v1/labs?host=x":                           400,
		"/v1/labs?on=2023-02-30":                    400,
		"/v1/labs?sort=size":                        400,
		"/v1/labs?cursor=bogus":                     400,
		"/v1/labs?q=%zz":                            400,
		"/v1/labs?q=a;b":                            400,
		"/v1/entities?identifier=x":                 400,
		"/v1/entities?country=Germany":              400,
		"/v1/events?from=yesterday":                 400,
		"/v1/events/0":                              400,
		"/v1/events/x":                              400,
		"/v1/events/-1":                             400,
		"/v1/events/1":                              404,
		"/v1/labs/x":                                400,
		"/v1/labs/" + uuid.NewString():              404,
		"/v1/entities/" + uuid.NewString():          404,
		"/v1/labs/" + uuid.NewString() + "/history": 404,
		"/v1/nothing":                               404,
	} {
		r := w.get(path, token)
		if r.StatusCode != status || r.Header.Get("Content-Type") != "application/problem+json" || (r.str("detail_zh")+r.str("errors.0.message.zh")) == "" {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
	if r := w.send(http.MethodDelete, "/v1/labs", token, ""); r.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(r.Header.Get("Allow"), "POST") || r.str("code") != "method-not-allowed" {
		t.Errorf("DELETE: %s %v %s", r.Status, r.Header, r.text)
	}
	if r := w.get("/v1/labs?q=nothing", token); r.text != `{"items":[],"total":0}` {
		t.Errorf("an empty list: %s", r.text)
	}
}

func TestPublicEndpointsLeakNothing(t *testing.T) {
	var problems []string
	w := newWorld(t, func(c *api.Config) { c.Problems = func() []string { return problems } })
	for path, content := range map[string]string{
		"/healthz": "application/json", "/readyz": "application/json", "/openapi.json": "application/openapi+json",
		"/docs": "text/html; charset=utf-8", "/docs/reference.js": "text/javascript; charset=utf-8",
		"/docs/swagger-ui-bundle.js": "application/javascript", "/docs/swagger-ui.css": "text/css; charset=utf-8",
		"/problems": "text/html; charset=utf-8", "/problems/rule-not-met": "text/html; charset=utf-8",
	} {
		r := w.get(path, "nonsense", "X-Request-Id: abc-1")
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != content || r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") || r.Header.Get("X-Request-Id") != "abc-1" {
			t.Errorf("%s: %s %v", path, r.Status, r.Header)
		}
		if strings.HasPrefix(content, "text/html") && strings.Contains(r.text, "http") {
			t.Errorf("%s reaches out: %s", path, r.text)
		}
	}
	if r := w.get("/healthz", "", "X-Request-Id: bad id\tx"); r.Header.Get("X-Request-Id") == "bad id\tx" {
		t.Error("an insane request id is repeated")
	}
	if r := w.get("/healthz", "", "Origin: https://example.org"); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other origins may read answers")
	}
	problems = []string{"the disk is full"}
	if r := w.get("/readyz", ""); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(r.text, "the disk is full") {
		t.Errorf("readyz: %s %s", r.Status, r.text)
	}
}

func TestStoreUnavailable(t *testing.T) {
	w := newWorld(t)
	host, _ := w.parties()
	token := w.as(domain.Officer)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	r := w.post("/v1/entities/"+host+"/close-entity", token, `{"on":"2024"}`)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !strings.Contains(r.str("detail"), "same Idempotency-Key") {
		t.Errorf("%s %v %s", r.Status, r.Header, r.text)
	}
	if !strings.Contains(w.logged.String(), r.str("request_id")) {
		t.Errorf("not logged: %s", w.logged)
	}
	if r := w.get("/readyz", ""); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz: %s %s", r.Status, r.text)
	}
	if r := w.get("/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", fmt.Sprint(r.Status))
	}
}
