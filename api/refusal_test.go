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
	w.done(at+"/pledge-commitment", h, `{"party":"`+host+
		`","source":"own","quantity":{"cash":{"amount":"10","currency":"CNY"}}}`)
	head := w.head()

	pledge := func(quantity string) string {
		return `{"party":"` + host + `","source":"own","quantity":` + quantity + `}`
	}
	for _, c := range []struct {
		name, path, body string
		status           int
		code, field, say string // the first field at fault, and part of the English detail
	}{
		{name: "no body", path: "/v1/labs", body: ``, status: 400, code: "malformed-body", say: "send a JSON object"},
		{name: "not JSON", path: "/v1/labs", body: `{"level":`, status: 400, code: "malformed-body", say: "byte"},
		{
			name: "two values", path: "/v1/labs", body: proposal(host) + `{}`, status: 400,
			code: "malformed-body", say: "byte",
		},
		{
			name: "a name twice", path: "/v1/labs", body: `{"level":"ministry","level":"province"}`,
			status: 400, code: "malformed-body", say: "twice",
		},
		{
			name: "a name twice, deep", path: "/v1/labs",
			body: `{"names":[{"text":"a","text":"b"}]}`, status: 400, code: "malformed-body",
			say: "names[0].text",
		},
		{
			name: "invalid UTF-8", path: "/v1/labs", body: "{\"level\":\"\xff\"}", status: 400,
			code: "malformed-body", say: "UTF-8",
		},
		{
			name: "too deep", path: "/v1/labs", body: strings.Repeat("[", 20000), status: 400,
			code: "malformed-body", say: "byte",
		},
		{name: "not an object", path: "/v1/labs", body: `[]`, status: 422, code: "invalid-input", say: "object"},
		{
			name: "nothing given", path: "/v1/labs", body: `{}`, status: 422, code: "invalid-input",
			field: "host", say: "give host",
		},
		{
			name: "unknown member", path: at + "/start-incubation",
			body: `{"on":"2024-01-01","when":"now"}`, status: 422, code: "invalid-input",
			field: "when", say: "spelling",
		},
		{
			name: "wrong case", path: at + "/start-incubation", body: `{"On":"2024-01-01"}`,
			status: 422, code: "invalid-input", field: "On", say: "spelling",
		},
		{
			name: "wrong type", path: "/v1/labs",
			body: strings.Replace(proposal(host), `"ministry"`, `7`, 1), status: 422,
			code: "invalid-input", field: "level", say: "string",
		},
		{
			name: "null", path: at + "/start-incubation", body: `{"on":null}`, status: 422,
			code: "invalid-input", field: "on", say: "string",
		},
		{
			name: "not one of", path: "/v1/labs",
			body: strings.Replace(proposal(host), `"ministry"`, `"galaxy"`, 1), status: 422,
			code: "invalid-input", field: "level", say: "ministry, province, university",
		},
		{
			name: "bad uuid", path: "/v1/labs",
			body: strings.Replace(proposal(host), host, "abc", 1), status: 422,
			code: "invalid-input", field: "host", say: "UUID",
		},
		{
			name: "bad date", path: at + "/start-incubation", body: `{"on":"yesterday"}`,
			status: 422, code: "invalid-input", field: "on", say: "YYYY-MM-DD",
		},
		{
			name: "impossible date", path: at + "/start-incubation", body: `{"on":"2023-02-30"}`,
			status: 422, code: "invalid-input", field: "on", say: "YYYY-MM-DD",
		},
		{
			name: "year zero", path: at + "/start-incubation", body: `{"on":"0000-01-01"}`,
			status: 422, code: "invalid-input", field: "on", say: "YYYY-MM-DD",
		},
		{
			name: "impossible month", path: at + "/assert-fact",
			body: `{"kind":"note","on":"2023-13","basis":{"source":"s"}}`, status: 422,
			code: "invalid-input", field: "on", say: "YYYY-MM",
		},
		{
			name: "in the future", path: at + "/set-discipline", body: `{"discipline":{}}`,
			status: 422, code: "invalid-input", field: "discipline", say: "Chinese or English",
		},
		{
			name: "unknown currency", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"1","currency":"ZZZ"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.currency", say: "ISO 4217",
		},
		{
			name: "not a currency for payments", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"1","currency":"XAU"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.currency", say: "CNY",
		},
		{
			name: "too many decimals", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"1.5","currency":"JPY"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.amount", say: "decimals",
		},
		{
			name: "a negative amount", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"-1","currency":"CNY"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.amount", say: "more than zero",
		},
		{
			name: "an exponent", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"1e3","currency":"CNY"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.amount", say: "plain digits",
		},
		{
			name: "too many digits", path: at + "/pledge-commitment",
			body:   pledge(`{"cash":{"amount":"` + strings.Repeat("9", 29) + `.99","currency":"CNY"}}`),
			status: 422, code: "invalid-input", field: "quantity.cash.amount", say: "30",
		},
		{
			name: "a number for an amount", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":1,"currency":"CNY"}}`), status: 422,
			code: "invalid-input", field: "quantity.cash.amount", say: "string",
		},
		{
			name: "two kinds", path: at + "/pledge-commitment",
			body: pledge(`{"cash":{"amount":"1","currency":"CNY"},"premises_m2":"1"}`), status: 422,
			code: "invalid-input", field: "quantity", say: "exactly one",
		},
		{
			name: "bad digest", path: at + "/firm-up-commitment",
			body: `{"commitment":"F1","on":"2024-01-01","evidence":"sha1:x"}`, status: 422,
			code: "invalid-input", field: "evidence", say: "sha256:",
		},
		{
			name: "bad USCC", path: "/v1/entities",
			body: strings.Replace(chineseUniversity, "624D", "624E", 1), status: 422,
			code: "invalid-input", field: "identifiers[0].value", say: "check character",
		},
		{
			name: "unknown party", path: at + "/draft-agreement",
			body: agreement(host, uuid.NewString()), status: 422, code: "invalid-input",
			field: "parties[1].entity", say: "register it first",
		},
		{name: "a long text", path: at + "/set-discipline", body: `{"discipline":{"zh":"` + strings.Repeat("长", 4001) + `"}}`, status: 422, code: "invalid-input", field: "discipline.zh", say: "4000"},
		{name: "a long basis", path: at + "/set-discipline", body: `{"discipline":{"zh":"x"},"basis":{"document":"` + strings.Repeat("长", 4001) + `"}}`, status: 422, code: "invalid-input", field: "basis.document", say: "4000"},
		{
			name: "an unknown lab", path: "/v1/labs/" + uuid.NewString() + "/set-discipline",
			body: `{"discipline":{"zh":"x"}}`, status: 404, code: "not-found",
			say: "propose it first",
		},
		{
			name: "an unknown entity", path: "/v1/entities/" + uuid.NewString() + "/close-entity",
			body: `{"on":"2024"}`, status: 404, code: "not-found", say: "register it first",
		},
		{
			name: "an unknown commitment", path: at + "/firm-up-commitment",
			body: `{"commitment":"F9","on":"2024-01-01","evidence":"` + digest + `"}`, status: 404,
			code: "not-found", say: "F9",
		},
		{
			name: "registered already", path: at + "/propose", body: proposal(host), status: 409,
			code: "already-exists", say: "already",
		},
		{
			name: "not from this state", path: at + "/resubmit-application",
			body:   `{"on":"2024-01-01","answer":{"zh":"x"},"document":"` + digest + `"}`,
			status: 409, code: "wrong-state", say: "incubating",
		},
		{
			name: "not a uuid in the path", path: "/v1/labs/1/set-discipline",
			body: `{"discipline":{"zh":"x"}}`, status: 400, code: "invalid-parameter",
			field: "path.lab", say: "UUID",
		},
		{
			name: "no such command", path: at + "/frobnicate", body: `{}`, status: 404,
			code: "no-such-path", say: "/docs",
		},
		{
			name: "a query parameter", path: at + "/set-discipline?dry_run=1",
			body: `{"discipline":{"zh":"x"}}`, status: 400, code: "invalid-parameter",
			field: "query.dry_run", say: "spelling",
		},
		{
			name: "too large", path: at + "/set-discipline",
			body: `{"discipline":{"zh":"` + strings.Repeat("x", 1<<20) + `"}}`, status: 413,
			code: "body-too-large", say: "1 MiB",
		},
	} {
		token := h
		if strings.HasPrefix(c.path, "/v1/entities") || strings.HasSuffix(c.path, "assert-fact") ||
			c.name == "an unknown lab" {
			token = o
		}
		r := w.post(c.path, token, c.body)
		said := r.str("detail") + " " + r.str("errors.0.message.en")
		zh := r.str("detail_zh") + r.str("errors.0.message.zh")
		if r.StatusCode != c.status || r.str("code") != c.code || r.str("errors.0.path") != c.field ||
			!strings.Contains(said, c.say) || zh == "" {
			t.Errorf("%s: %s %.900s", c.name, r.Status, r.text)
		}
		if r.Header.Get("Content-Type") != "application/problem+json" || r.str("request_id") == "" ||
			r.str("request_id") != r.Header.Get("X-Request-Id") {
			t.Errorf("%s: %v %.300s", c.name, r.Header, r.text)
		}
	}
	for _, header := range []string{"Idempotency-Key: " + strings.Repeat("k", 201), "Idempotency-Key: 键", "Content-Type: text/plain", "Content-Type: application/json; charset=gbk"} {
		if r := w.post(at+"/set-discipline", h, `{"discipline":{"zh":"x"}}`, header); r.StatusCode != 400 &&
			r.StatusCode != 415 {
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
		if r.StatusCode != status || r.Header.Get("Content-Type") != "application/problem+json" ||
			(r.str("detail_zh")+r.str("errors.0.message.zh")) == "" {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
	if r := w.send(http.MethodDelete, "/v1/labs", token, ""); r.StatusCode != http.StatusMethodNotAllowed ||
		!strings.Contains(r.Header.Get("Allow"), "POST") || r.str("code") != "method-not-allowed" {
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
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != content ||
			r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") ||
			r.Header.Get("X-Request-Id") != "abc-1" {
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
	if r := w.get("/readyz", ""); r.StatusCode != http.StatusServiceUnavailable ||
		!strings.Contains(r.text, "the disk is full") {
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
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" ||
		!strings.Contains(r.str("detail"), "same Idempotency-Key") {
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
