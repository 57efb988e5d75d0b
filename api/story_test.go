package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

func TestEarlyApplicationIsRefused(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)

	created := w.done("/v1/labs", h, proposal(host))
	lab := created.str("id")
	if created.StatusCode != http.StatusCreated || created.Header.Get("Location") != "/v1/labs/"+lab ||
		created.Header.Get("ETag") != `"0"` {
		t.Errorf("created: %s %v", created.Status, created.Header)
	}
	if zh := created.str("events.0.sentence.zh"); !strings.Contains(zh, "环境国际合作联合实验室") || created.str("events.0.type") != "lab.record.proposed.v1" {
		t.Errorf("created: %s", created.text)
	}
	at := "/v1/labs/" + lab
	w.done(at+"/draft-agreement", h, agreement(host, partner))
	w.done(at+"/sign-agreement", h, signature(host, "2020-01-10"))
	if r := w.post(at+"/sign-agreement", h, signature(partner, "2020-01-12")); r.StatusCode != http.StatusForbidden {
		t.Errorf("the host signed for its partner: %s", r.text)
	}
	w.done(at+"/sign-agreement", p, signature(partner, "2020-01-12"))
	for _, party := range []string{host, partner} {
		for _, kind := range []string{"responsibility", "right", "interest"} {
			w.done(at+"/add-right", w.as(domain.Officer), fmt.Sprintf(`{"agreement":"A1","kind":%q,"party":%q,"clause":"§5","text":{"zh":"提供经费","en":"provides funds"},"due":"2024-01-31"}`, kind, party))
		}
	}
	for i, q := range []string{`{"cash":{"amount":"1200000","currency":"CNY"}}`,
		`{"cash":{"amount":"0.10","currency":"EUR"}}`, `{"cash":{"amount":"0.20","currency":"EUR"}}`,
		`{"premises_m2":"800"}`} {
		w.done(at+"/pledge-commitment", h, `{"party":"`+host+`","source":"own","agreement":"A1","quantity":`+q+`}`)
		w.done(at+"/firm-up-commitment", h, fmt.Sprintf(`{"commitment":"F%d","on":"2020-02-01","evidence":%q}`, i+1,
			digest))
	}
	w.done(at+"/receive-contribution", h,
		`{"commitment":"F1","on":"2020-03-01","quantity":{"cash":{"amount":"400000.50","currency":"CNY"}},`+
			`"evidence":"`+digest+`"}`)
	started := w.done(at+"/start-incubation", h, `{"on":"2023-06-01","reason":"协议已生效","basis":{"document":"校发〔2023〕8号"}}`)

	r := w.post(at+"/submit-application", h, `{"on":"2024-06-01","effect":{"zh":"成效"},"document":"`+digest+`"}`)
	if r.StatusCode != http.StatusConflict || r.str("code") != "rule-not-met" {
		t.Fatalf("application: %s %s", r.Status, r.text)
	}
	found := false
	for _, f := range r.at("findings").([]any) {
		f := f.(map[string]any)
		if f["rule"] == "C62" {
			found = f["quote"] == "在培育组建2年以上并取得明显成效的基础上" && f["earliest"] == "2025-06-01" && f["clause"] == "五(二)"
		}
	}
	if !found {
		t.Errorf("C62 is not quoted: %s", r.text)
	}

	view := w.get(at, w.as(domain.Auditor))
	if view.str("status") != "INCUBATING" || view.str("name.zh") != "环境国际合作联合实验室" || view.str("document.incubation_start") != "2023-06-01" {
		t.Errorf("lab: %s", view.text)
	}
	if view.Header.Get("ETag") != started.Header.Get("ETag") {
		t.Errorf("the lab is read at %s, the command ended at %s", view.Header.Get("ETag"), started.Header.Get("ETag"))
	}
	if r := w.get(at, h, "If-None-Match: "+view.Header.Get("ETag")); r.StatusCode != http.StatusNotModified ||
		r.text != "" {
		t.Errorf("unchanged: %s %s", r.Status, r.text)
	}
	if r := w.get(at+"/agreements/A1?on=2030-01-01", h); r.str("status") != "EXPIRED" || r.str("status_text.zh") != "已到期" {
		t.Errorf("agreement: %s", r.text)
	}
	if r := w.get(at+"/agreements", h); r.str("items.0.status") != "IN_FORCE" ||
		r.str("items.0.parties.1.entity.name.en") != "Jülich Research Centre" {
		t.Errorf("agreements: %s", r.text)
	}
	if r := w.get(at+"/rights?overdue_on=2024-02-01&kind=right&party="+partner, h); r.at("total") != 1.0 ||
		r.at("items.0.overdue") != true {
		t.Errorf("rights: %s", r.text)
	}
	r = w.get(at+"/commitments", h)
	if got := fmt.Sprint(r.at("totals")); !strings.Contains(got,
		"committed:1200000.00 currency:CNY delivered:400000.50 kind:cash") ||
		!strings.Contains(got, "committed:0.30 currency:EUR") || !strings.Contains(got, "committed:800") ||
		r.str("items.0.status") != "PARTIALLY_DELIVERED" {
		t.Errorf("commitments: %s", r.text)
	}
	if r := w.get("/v1/labs?q=环境&status=INCUBATING&status=DUE&party="+partner+"&sort=-updated", h); r.at("total") != 1.0 || r.str("items.0.id") != lab {
		t.Errorf("labs: %s", r.text)
	}
	for _, path := range []string{"/v1/agreements?party=" + partner, "/v1/rights?state=open",
		"/v1/commitments?currency=EUR", "/v1/entities?identifier=02nv7yv05&scheme=ROR", "/v1/entities/" + host,
		"/v1/entities/" + host + "/history", "/v1/events?lab=" + lab + "&facet=status"} {
		if r := w.get(path, h); r.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s %s", path, r.Status, r.text)
		}
	}

	history := w.get(at+"/history?limit=3", h)
	if history.str("items.0.type") != "lab.status.incubation-started.v1" || history.str("items.0.basis.document") != "校发〔2023〕8号" || history.str("items.0.actor.on_behalf_of") != host {
		t.Errorf("history: %s", history.text)
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(history.Header.Get("Link"), "<"), ">")
	if r := w.get(next, h); r.StatusCode != http.StatusOK || r.str("items.0.id") == history.str("items.0.id") ||
		len(r.at("items").([]any)) != 3 {
		t.Errorf("next page %s: %s", next, r.text)
	}
	raw := w.get(fmt.Sprintf("/v1/events/%v", history.at("items.0.position")), h)
	if raw.Header.Get("Content-Type") != "application/cloudevents+json" || raw.str("id") != history.str("items.0.id") ||
		raw.str("data.to") != "INCUBATING" {
		t.Errorf("event: %v %s", raw.Header, raw.text)
	}
	if r := w.get("/v1/events/100000", h); r.StatusCode != http.StatusNotFound {
		t.Errorf("an event beyond the head: %s", r.text)
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h := w.as(domain.Host, host)
	first := w.done("/v1/labs", h, proposal(host), "Idempotency-Key: lab 1")
	head := w.head()
	again := w.done("/v1/labs", h, strings.ReplaceAll(proposal(host), "\n\t\t", " "), "Idempotency-Key: lab 1")
	if again.str("id") != first.str("id") || again.at("replayed") != true || again.StatusCode != http.StatusCreated ||
		again.str("events.0.id") != first.str("events.0.id") ||
		again.str("events.0.sentence.en") != first.str("events.0.sentence.en") || w.head() != head {
		t.Errorf("again: %s\nfirst: %s", again.text, first.text)
	}
	if r := w.post("/v1/labs", h, strings.Replace(proposal(host), "ministry", "province", 1),
		"Idempotency-Key: lab 1"); r.StatusCode != 422 || r.str("code") != "idempotency-key-reused" ||
		w.head() != head {
		t.Errorf("reused: %s %s", r.Status, r.text)
	}
	at := "/v1/labs/" + first.str("id")
	// A retry gets its answer after the state has moved on.
	sent := func() response {
		return w.done(at+"/draft-agreement", h, agreement(host, partner), "Idempotency-Key: draft 1", `If-Match: "0"`)
	}
	drafted := sent()
	w.done(at+"/set-discipline", h, `{"discipline":{"zh":"环境科学"}}`)
	if r := sent(); r.at("replayed") != true || r.Header.Get("ETag") != drafted.Header.Get("ETag") {
		t.Errorf("retried: %s", r.text)
	}
	if r := w.post(at+"/set-discipline", h, `{"discipline":{"zh":"化学"}}`, "Idempotency-Key: draft 1"); r.str("code") != "idempotency-key-reused" {
		t.Errorf("another command: %s", r.text)
	}
	// One key on two aggregates is two commands, with ids of their own.
	other := w.done("/v1/labs", h, proposal(host)).str("id")
	if r := w.done("/v1/labs/"+other+"/draft-agreement", h, agreement(host, partner),
		"Idempotency-Key: draft 1"); r.at("replayed") != false || r.str("events.0.id") == drafted.str("events.0.id") {
		t.Errorf("another lab: %s", r.text)
	}
	// Another caller's key is another key.
	if r := w.done("/v1/labs", w.as(domain.Officer), proposal(host),
		"Idempotency-Key: lab 1"); r.str("id") == first.str("id") {
		t.Errorf("another caller: %s", r.text)
	}
}

func TestIfMatchStale(t *testing.T) {
	w := newWorld(t)
	host, _ := w.parties()
	h := w.as(domain.Host, host)
	at := "/v1/labs/" + w.done("/v1/labs", h, proposal(host)).str("id")
	w.done(at+"/set-discipline", h, `{"discipline":{"zh":"环境科学"}}`, `If-Match: "0"`)
	head := w.head()
	r := w.post(at+"/set-discipline", h, `{"discipline":{"zh":"化学"}}`, `If-Match: "0"`)
	if r.StatusCode != http.StatusPreconditionFailed || !strings.Contains(r.str("detail"), "revision 0") ||
		!strings.Contains(r.str("detail"), "revision 1") || w.head() != head {
		t.Errorf("stale: %s %s", r.Status, r.text)
	}
	for _, malformed := range []string{"0", `W/"0"`, `"x"`, `"-1"`, `"00"`, `"18446744073709551615"`} {
		if r := w.post(at+"/set-discipline", h, `{"discipline":{"zh":"化学"}}`, `If-Match: `+malformed); r.StatusCode != http.StatusBadRequest {
			t.Errorf("If-Match %s: %s %s", malformed, r.Status, r.text)
		}
	}
	w.done(at+"/set-discipline", h, `{"discipline":{"zh":"化学"}}`, `If-Match: *`)
	if r := w.done(at+"/set-discipline", h, `{"discipline":{"zh":"物理"}}`, "Prefer: respond-async"); r.Header.Get("Preference-Applied") != "respond-async" {
		t.Errorf("async: %v", r.Header)
	}
}

func TestCorrectionNeedsReason(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, o := w.as(domain.Host, host), w.as(domain.Officer)
	lab := w.incubating(host, partner, "2023-06-01")
	at := "/v1/labs/" + lab
	wrong := w.get(at+"/history?facet=status", o).str("items.0.id")
	body := func(event, command, input, reason string) string {
		return fmt.Sprintf(`{"event":%q,"command":%q,"input":%s,"reason":%q}`, event, command, input, reason)
	}
	head := w.head()
	for name, c := range map[string]struct {
		token, body string
		status      int
		path        string
	}{
		"no reason":       {o, body(wrong, "start-incubation", `{"on":"2022-06-01"}`, " "), 422, "reason"},
		"no such command": {o, body(wrong, "begin", `{}`, "r"), 422, "command"},
		"bad input":       {o, body(wrong, "start-incubation", `{"on":"2022-06-31"}`, "r"), 422, "input.on"},
		"unknown member":  {o, body(wrong, "start-incubation", `{"on":"2022-06-01","to":"x"}`, "r"), 422, "input.to"},
		"another command": {o, body(wrong, "set-discipline", `{"discipline":{"zh":"x"}}`, "r"), 422, ""},
		"no such event":   {o, body(uuid.NewString(), "start-incubation", `{"on":"2022-06-01"}`, "r"), 404, ""},
		"the same":        {o, body(wrong, "start-incubation", `{"on":"2023-06-01"}`, "r"), 422, ""},
		"a rule not met":  {o, body(wrong, "start-incubation", `{"on":"2020-01-01"}`, "r"), 409, ""},
		"not its role":    {w.as(domain.Agency), body(wrong, "start-incubation", `{"on":"2022-06-01"}`, "r"), 403, ""},
		"another's lab": {w.as(domain.Host, partner), body(wrong, "start-incubation", `{"on":"2022-06-01"}`, "r"),
			403, ""},
	} {
		r := w.post(at+"/correct", c.token, c.body)
		if r.StatusCode != c.status || r.str("errors.0.path") != c.path {
			t.Errorf("%s: %s %s", name, r.Status, r.text)
		}
	}
	if w.head() != head {
		t.Error("a refused correction was written")
	}
	r := w.done(at+"/correct", h, body(wrong, "start-incubation", `{"on":"2022-06-01"}`, "日期抄错"))
	if r.str("events.0.type") != "lab.record.corrected.v1" || !strings.HasPrefix(r.str("events.0.sentence.zh"), "更正") {
		t.Errorf("corrected: %s", r.text)
	}
	if r := w.get(at, o); r.str("document.incubation_start") != "2022-06-01" {
		t.Errorf("lab: %s", r.text)
	}
	if r := w.get(at+"/history?facet=status", o); r.str("items.0.corrects") != wrong ||
		r.str("items.1.id") != wrong || r.str("items.1.corrected_by.0") == "" {
		t.Errorf("history: %s", r.text)
	}
	w.done("/v1/entities/"+host+"/correct", o, fmt.Sprintf(`{"event":%q,"command":"register","reason":"r","input":%s}`,
		w.get("/v1/entities/"+host+"/history", o).str("items.0.id"),
		strings.Replace(chineseUniversity, "Tsinghua University", "Tsing Hua University", 1)))
	if r := w.get("/v1/entities/"+host, o); r.str("name.en") != "Tsing Hua University" {
		t.Errorf("entity: %s", r.text)
	}
}
