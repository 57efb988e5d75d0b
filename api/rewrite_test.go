package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// A void counts nowhere, and its number is not given again.
func TestVoid(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, p, o := w.as(domain.Host, host), w.as(domain.Partner, partner), w.as(domain.Officer)
	at := "/v1/labs/" + w.incubating(host, partner, "2020-02-01")
	pledge := `{"party":"` + host + `","source":"own","quantity":{"cash":{"amount":"500","currency":"CNY"}}}`
	pledged := w.done(at+"/pledge-commitment", h, pledge).str("events.0.id")
	money := `{"commitment":"F1","on":"2020-03-01","quantity":{"cash":{"amount":"500","currency":"CNY"}},` +
		`"evidence":"` + digest + `"}`
	received := w.done(at+"/receive-contribution", h, money).str("events.0.id")
	returned := w.done(at+"/return-contribution", h, strings.Replace(money, "03-01", "04-01", 1)).str("events.0.id")
	void := func(token, event string) response {
		return w.post(at+"/void", token, fmt.Sprintf(`{"event":%q,"reason":"登记错误"}`, event))
	}
	for name, c := range map[string]struct {
		token, event string
		status       int
		says         string
	}{
		"resting": {h, pledged, 409, received},
		"overdrawn": {h,
			received, 409, "contradicts later entries: on 2020-04-01 500.00 CNY was returned of commitment F1"},
		"another's": {p, received, 403, "recorded for your own legal entity"},
		"not there": {o, partner, 404, "there is no event"},
		"founds the lab": {o, w.get(at+"/history?limit=100",
			o).str("items." + last(w.get(at+"/history?limit=100", o)) + ".id"), 409, "founds the record"},
	} {
		if r := void(c.token, c.event); r.StatusCode != c.status || !strings.Contains(r.text, c.says) {
			t.Errorf("%s: %s %s", name, r.Status, r.text)
		}
	}
	correct := `{"event":"` + received + `","command":"receive-contribution","reason":"r",` +
		`"input":` + strings.Replace(money, "500", "50", 1) + `}`
	if r := w.post(at+"/correct", h, correct); r.StatusCode != http.StatusConflict ||
		!strings.Contains(r.str("detail"), "leaves -450.00 CNY") {
		t.Errorf("a receipt corrected below its return: %s", r.text)
	}
	for _, event := range []string{returned, received, pledged} {
		if r := void(h, event); r.StatusCode != http.StatusOK ||
			!strings.HasPrefix(r.str("events.0.sentence.en"), "Voided an earlier entry") {
			t.Fatalf("void: %s %s", r.Status, r.text)
		}
	}
	if r := void(h, pledged); r.StatusCode != http.StatusNotFound {
		t.Errorf("void twice: %s", r.text)
	}
	if r := w.get(at+"/commitments", o); r.at("total") != 0.0 {
		t.Errorf("what is void counts: %s", r.text)
	}
	w.done(at+"/pledge-commitment", h, pledge)
	if r := w.get(at+"/commitments", o); r.str("items.0.id") != "F2" {
		t.Errorf("a number is given twice: %s", r.text)
	}
}

// A status event that is void is told to those who follow the status.
func TestVoidStatus(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, o := w.as(domain.Host, host), w.as(domain.Officer)
	at := "/v1/labs/" + w.incubating(host, partner, "2020-02-01")
	withdrew := w.done(at+"/withdraw", h, `{"on":"2021-01-01","ground":{"zh":"误登","en":"by mistake"}}`).str("events.0.id")
	started := w.get(at+"/history?facet=status", o).str("items.1.id")
	if r := w.post(at+"/void", h, `{"event":"`+started+`","reason":"r"}`); r.StatusCode != http.StatusConflict ||
		!strings.Contains(r.text, withdrew) {
		t.Errorf("a step is void under the next: %s", r.text)
	}
	w.done(at+"/void", h, `{"event":"`+withdrew+`","reason":"误登"}`)
	if r := w.get(at, o); r.str("status") != "INCUBATING" {
		t.Errorf("lab: %s", r.text)
	}
	if r := w.get("/v1/labs?status=INCUBATING", o); r.at("total") != 1.0 {
		t.Errorf("labs: %s", r.text)
	}
	if r := w.get(at+"/history?facet=status", o); r.str("items.0.type") != "lab.record.voided.v1" || r.str("items.0.corrects") != withdrew {
		t.Errorf("the facet's history lacks its void: %s", r.text)
	}
}

func last(history response) string { return fmt.Sprint(len(history.at("items").([]any)) - 1) }

// What has been signed, and what another recorded, is not restated by one party.
func TestMayRewrite(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h, p, o := w.as(domain.Host, host), w.as(domain.Partner, partner), w.as(domain.Officer)
	lab := w.done("/v1/labs", h, proposal(host)).str("id")
	at := "/v1/labs/" + lab
	drafted := w.done(at+"/draft-agreement", h, agreement(host, partner)).str("events.0.id")
	right := `{"agreement":"A1","kind":"responsibility","party":"` + partner + `","clause":"§5","text":{"zh":"提供经费","en":"provides funds"},"due":"2024-01-31"}`
	added := w.done(at+"/add-right", h, right).str("events.0.id")
	pledge := `{"party":"` + partner + `","agreement":"A1","source":"foreign","quantity":{"cash":{"amount":"100",` +
		`"currency":"GBP"}}}`
	pledged := w.done(at+"/pledge-commitment", p, pledge).str("events.0.id")
	correct := func(token, event, command, input, more string) response {
		return w.post(at+"/correct", token, fmt.Sprintf(`{"event":%q,"command":%q,"reason":"r","input":%s%s}`, event,
			command, input, more))
	}
	longer := func(years string) string { return strings.Replace(agreement(host, partner), "2029-12-31", years, 1) }
	if agreement(host, partner) == longer("x") {
		t.Fatalf("the agreement has another term: %s", agreement(host, partner))
	}
	if r := correct(h, drafted, "draft-agreement", longer("2028-12-31"), ""); r.StatusCode != http.StatusOK {
		t.Errorf("before the first signature: %s", r.text)
	}
	signed := w.done(at+"/sign-agreement", p, signature(partner, "2020-01-12")).str("events.0.id")
	third := w.done("/v1/entities", o, strings.NewReplacer("Jülich Research Centre", "Third Institute", "02nv7yv05",
		"041nas322").Replace(foreignInstitute)).str("id")
	basis := `,"basis":{"digest":"` + digest + `"}`
	for name, c := range map[string]struct {
		r      response
		status int
		says   string
	}{
		"a term that is signed": {correct(h, drafted, "draft-agreement", longer("2099-12-31"), ""), 403,
			"propose an amendment"},
		"a duty that is signed": {correct(h, added, "add-right", strings.Replace(right, "2024", "2034", 1),
			basis), 403, "propose an amendment"},
		"another's pledge": {correct(h, pledged, "pledge-commitment",
			strings.Replace(pledge, "100", "1000000", 1), ""), 403, "act for another"},
		"another's signature": {correct(h, signed, "sign-agreement", signature(partner, "2020-01-13"), ""),
			403, ""},
		"without the document": {correct(o, drafted, "draft-agreement", longer("2026-12-31"), ""), 422,
			"basis.digest"},
		"an item that is signed, void": {w.post(at+"/void", h, `{"event":"`+added+`","reason":"r"}`), 403,
			"propose an amendment"},
		"a signatory that is no party": {correct(o, drafted, "draft-agreement",
			strings.ReplaceAll(longer("2026-12-31"), partner, third), basis), 409, signed},
		"with the document":             {correct(o, drafted, "draft-agreement", longer("2026-12-31"), basis), 200, ""},
		"the register's own name of it": {correct(h, drafted, "draft-agreement", strings.Replace(longer("2026-12-31"), "协议", "合作协议", 1), ""), 200, ""},
	} {
		if c.r.StatusCode != c.status || !strings.Contains(c.r.text, c.says) {
			t.Errorf("%s: %s %s", name, c.r.Status, c.r.text)
		}
	}
}

// A decision whose ground is corrected away is shown as such everywhere, until a
// further correction settles it.
func TestHindsight(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	o := w.as(domain.Officer)
	s.submit("2017-02-01")
	event := func(kind string) string {
		return w.get("/v1/events?lab="+strings.TrimPrefix(s.at, "/v1/labs/")+"&type=lab."+kind, o).str("items.0.id")
	}
	started, submitted := event("status.incubation-started.v1"), event("status.application-submitted.v1")
	correct := func(on, more string) response {
		return w.post(s.at+"/correct", s.token(domain.Host),
			fmt.Sprintf(`{"event":%q,"command":"start-incubation","reason":"日期抄错","input":{"on":%q}%s}`, started, on, more))
	}
	shown := func() string { // in readiness, in the watches, and by the second verdict
		ready, watches := w.get(s.at+"/readiness", o), w.get(s.at+"/watches", o)
		file := w.get(s.at+"/decisions/"+submitted, o)
		list := w.get("/v1/watches", o)
		pack := w.get("/v1/audit/pack?lab="+strings.TrimPrefix(s.at, "/v1/labs/"), w.as(domain.Auditor))
		v, err := audit.Verify(strings.NewReader(pack.text), int64(len(pack.text)), audit.Trust{Key: w.proof.Key()})
		if err != nil {
			t.Errorf("pack: %v", err)
		}
		return fmt.Sprint(v.Questioned, " ", ready.str("unsupported.0.decision") == submitted,
			strings.Contains(watches.text, "decision-unsupported"),
			strings.Contains(list.text, "decision-unsupported"), file.at("verdict"), file.at("now.verdict"))
	}
	if got := shown(); got != "0 false false false true true" {
		t.Errorf("before: %s", got)
	}
	r := correct("2016-01-01", "")
	if r.StatusCode != http.StatusConflict || r.str("decisions.0") != submitted || r.str("findings.0.rule") != "C62" ||
		!strings.Contains(r.str("detail"), submitted) {
		t.Errorf("not acknowledged: %s %s", r.Status, r.text)
	}
	if r := correct("2015-01-15", ""); r.StatusCode != http.StatusOK || r.at("unsupported") != nil {
		t.Errorf("a correction that leaves two years: %s", r.text)
	}
	r = correct("2016-01-01", `,"acknowledge":["`+submitted+`"]`)
	if r.StatusCode != http.StatusOK || r.str("unsupported.0.decision") != submitted ||
		r.str("unsupported.0.unmet.0") != "C62" ||
		r.str("events.1.type") != "lab.record.decision-questioned.v1" {
		t.Errorf("acknowledged: %s %s", r.Status, r.text)
	}
	if got := shown(); got != "1 true true true true false" {
		t.Errorf("in question: %s", got)
	}
	if r := w.get(s.at+"/history?facet=record&limit=1",
		o); r.str("items.0.type") != "lab.record.decision-questioned.v1" {
		t.Errorf("history: %s", r.text)
	}
	if r := correct("2015-01-20", ""); r.StatusCode != http.StatusOK ||
		r.str("events.1.type") != "lab.record.decision-settled.v1" {
		t.Errorf("settled: %s %s", r.Status, r.text)
	}
	if got := shown(); got != "0 false false false true true" {
		t.Errorf("settled: %s", got)
	}
}

// A late entry is judged as a correction is: an agreement that ended before
// incubation began.
func TestLateEntry(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	o := w.as(domain.Officer)
	at := "/v1/labs/" + w.incubating(host, partner, "2020-02-01")
	started := w.get(at+"/history?facet=status", o).str("items.0.id")
	end := func(more string) response {
		return w.post(at+"/terminate-agreement", o, `{"agreement":"A1","on":"2020-01-20","ground":{"zh":"终止","en":"ended"}`+more+`}`)
	}
	if r := end(""); r.StatusCode != http.StatusConflict || r.str("decisions.0") != started ||
		r.str("findings.0.rule") != "C57" {
		t.Errorf("not acknowledged: %s %s", r.Status, r.text)
	}
	r := end(`,"acknowledge":["` + started + `"]`)
	if r.StatusCode != http.StatusOK || r.str("unsupported.0.decision") != started {
		t.Errorf("acknowledged: %s %s", r.Status, r.text)
	}
	w.done(at+"/void", o, `{"event":"`+r.str("events.0.id")+`","reason":"误登"}`)
	if r := w.get(at+"/readiness", o); r.at("unsupported") != nil {
		t.Errorf("the void does not settle it: %s", r.text)
	}
}
