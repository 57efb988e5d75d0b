package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// requestID matches the part in which two answers to the same request differ.
var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// withoutID returns an answer without its request id.
func withoutID(r response) string {
	h := r.Header.Clone()
	for _, own := range []string{"X-Request-Id", "Date", "Content-Length"} {
		h.Del(own)
	}
	var b strings.Builder
	b.WriteString(r.Status + "\n")
	h.Write(&b)
	return b.String() + requestID.ReplaceAllString(r.text, "")
}

func TestRefusalHidesExistence(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	webhook := w.done("/v1/webhooks", w.as(domain.Host, host), `{"url":"http://127.0.0.1:1/"}`).str("id")
	other := uuid.NewString()
	for _, c := range []struct{ path, is, token, body string }{
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Host, other), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Director, other), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Director), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/add-right", lab, w.as(domain.Partner, other),
			`{"agreement":"A1","kind":"right","party":"` + partner + `","clause":"§5","text":{"zh":"x"}}`},
		{"/v1/labs/%/sign-agreement", lab, w.as(domain.Partner, other), signature(other, "2024-01-01")},
		{"/v1/labs/%/sign-agreement", lab, w.as(domain.Partner, other), signature(partner, "2024-01-01")},
		{"/v1/labs/%/correct", lab, w.as(domain.Host, other),
			`{"event":"` + other + `","command":"propose","reason":"x","input":` + proposal(other) + `}`},
		{"/v1/entities/%/correct", partner, w.as(domain.Host, other),
			`{"event":"` + other + `","command":"register","reason":"x","input":` + foreignInstitute + `}`},
		{"/v1/entities/%/add-name", partner, w.as(domain.Host, other),
			`{"name":{"text":"x","lang":"en","kind":"alias"}}`},
		{"/v1/webhooks/%/pause", webhook, w.as(domain.Host, other), `{}`},
		{"/v1/webhooks/%/test", webhook, w.as(domain.Host, other), `{}`},
	} {
		for _, header := range []string{"X: y", "If-Match: \"0\"", "If-Match: \"9\"", "Idempotency-Key: once"} {
			there := w.post(strings.Replace(c.path, "%", c.is, 1), c.token, c.body, header)
			nowhere := w.post(strings.Replace(c.path, "%", uuid.NewString(), 1), c.token, c.body, header)
			if there.StatusCode != http.StatusForbidden || withoutID(there) != withoutID(nowhere) {
				t.Errorf("%s with %s:\n%s\nwhere there is none:\n%s", c.path, header, withoutID(there),
					withoutID(nowhere))
			}
		}
	}
	for _, path := range []string{"", "/deliveries", "/parked"} {
		for _, header := range []string{"X: y", "If-None-Match: *", "If-None-Match: \"0\""} {
			there := w.get("/v1/webhooks/"+webhook+path, w.as(domain.Partner, partner), header)
			nowhere := w.get("/v1/webhooks/"+uuid.NewString()+path, w.as(domain.Partner, partner), header)
			if there.StatusCode != http.StatusNotFound || withoutID(there) != withoutID(nowhere) {
				t.Errorf("GET webhook%s with %s:\n%s\nwhere there is none:\n%s", path, header, withoutID(there),
					withoutID(nowhere))
			}
		}
	}
}

func TestAccessTableBilingual(t *testing.T) {
	w := newWorld(t)
	r := w.get("/v1/access", w.as(domain.Expert))
	if r.StatusCode != http.StatusOK || !strings.Contains(r.text, `"operation":"lab-sign-agreement","method":"POST","path":"/v1/labs/{lab}/sign-agreement","summary":"Sign an agreement or one of its amendments","role":"partner","role_text":{"zh":"合作单位"`) {
		t.Errorf("%s", r.text)
	}
	csv := w.get("/v1/access.csv", w.as(domain.Expert))
	if !strings.Contains(csv.text, "operation,method,path,summary,role,role_text_zh,role_text_en,relation,") ||
		!strings.Contains(csv.text, "lab-rename,POST,/v1/labs/{lab}/rename,Give the lab a further name,director,") {
		t.Errorf("%s", csv.text[:500])
	}
}

func TestEveryEventTypeHasClass(t *testing.T) {
	for name, e := range eventstore.Types() {
		event, of := e.(lab.Event)
		if _, corrects := domain.AsRewrite(e); !of || corrects {
			continue
		}
		class, documents := lab.ConfidenceOf(event)
		if class.Text().IsZero() || class.ReadBy().IsZero() || documents.Text().IsZero() {
			t.Errorf("%s: its class has no words in domain/lab/confidentiality.go", name)
		}
	}
	w := newWorld(t)
	r := w.get("/v1/access/events", w.as(domain.Expert))
	if r.at("total") != float64(len(eventstore.Types())) || !strings.Contains(r.text, `"type":"lab.review.opinion-recorded.v1","facet":"review","class":"opinion","class_text":{"zh":"专家意见"`) {
		t.Errorf("%s", r.text)
	}
}

// newDraft returns a lab with one agreement in force and one draft.
func newDraft(w *world) (lab, host, partner string) {
	host, partner = w.parties()
	lab = w.incubating(host, partner, "2023-06-01")
	w.done("/v1/labs/"+lab+"/draft-agreement", w.as(domain.Host, host), agreement(host, partner))
	return lab, host, partner
}

func TestHiddenReadsAsNotFound(t *testing.T) {
	w := newWorld(t)
	lab, host, partner := newDraft(w)
	draft := w.head()
	event := w.get(fmt.Sprintf("/v1/events/%d", draft), w.as(domain.Auditor)).str("id")
	at := "/v1/labs/" + lab
	for _, stranger := range []string{w.as(domain.Host, partner), w.as(domain.Partner, uuid.NewString()),
		w.as(domain.Director), w.as(domain.Expert)} {
		for _, c := range []struct{ is, not string }{
			{at + "/agreements/A2", at + "/agreements/A3"},
			{at + "/agreements/A2?on=2024-01-01", at + "/agreements/A3?on=2024-01-01"},
			{at + fmt.Sprintf("/agreements/A2?as_of=%d", draft), at + fmt.Sprintf("/agreements/A3?as_of=%d", draft)},
			{at + "/agreements/A2/impact?from=5&to=5", at + "/agreements/A3/impact?from=5&to=5"},
			{at + "/decisions/" + event, at + "/decisions/" + uuid.NewString()},
			{"/v1/events?event=" + event, "/v1/events?event=" + uuid.NewString()},
			{fmt.Sprintf("/v1/events/%d", draft), fmt.Sprintf("/v1/events/%d", draft+1)},
		} {
			for _, header := range []string{"X: y", "If-None-Match: *", "If-None-Match: \"5\""} {
				there, nowhere := w.get(c.is, stranger, header), w.get(c.not, stranger, header)
				same := strings.NewReplacer("A3", "A2", fmt.Sprintf("position %d", draft+1), fmt.Sprintf("position %d", draft), fmt.Sprintf("位置 %d", draft+1), fmt.Sprintf("位置 %d", draft))
				if withoutID(there) != same.Replace(withoutID(nowhere)) ||
					there.StatusCode != http.StatusNotFound && !strings.Contains(c.is, "?event=") ||
					there.Header.Get("ETag") != "" {
					t.Errorf("GET %s with %s:\n%s\nwhere there is none:\n%s", c.is, header, withoutID(there),
						withoutID(nowhere))
				}
			}
		}
	}
	for _, one := range []string{w.as(domain.Host, host), w.as(domain.Director, host), w.as(domain.Partner, partner),
		w.as(domain.Authority)} {
		if r := w.get(at+"/agreements/A2", one); r.StatusCode != http.StatusOK {
			t.Errorf("%s %s", r.Status, r.text)
		}
	}
}

func TestHiddenEventsNotListed(t *testing.T) {
	w := newWorld(t)
	lab, host, _ := newDraft(w)
	third := w.done("/v1/entities", w.as(domain.Officer), university("慕尼黑工业大学", "TU Munich", "DE")).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", w.as(domain.Host, host), agreement(host, third))
	mine, stranger := w.as(domain.Host, host), w.as(domain.Host, third)
	for path, want := range map[string][2]float64{
		"/v1/agreements":                             {3, 1},
		"/v1/agreements?status=DRAFT":                {2, 0},
		"/v1/agreements?party=" + third:              {1, 0},
		"/v1/labs?party=" + third:                    {1, 0},
		"/v1/labs?q=Munich":                          {0, 0}, // a search finds no draft
		"/v1/labs?q=J%C3%BClich":                     {1, 1},
		"/v1/labs/" + lab + "/agreements":            {3, 1},
		"/v1/labs/" + lab + "/history":               {7, 5},
		"/v1/events?type=lab.agreement.drafted.v1":   {3, 1},
		"/v1/events?legal_entity=" + third:           {2, 1}, // it was registered
		"/v1/events?lab=" + lab + "&facet=agreement": {5, 3},
	} {
		for i, token := range []string{mine, stranger} {
			if r := w.get(path, token); r.at("total") != want[i] {
				t.Errorf("GET %s, caller %d: %v, want %v", path, i, r.at("total"), want[i])
			}
		}
	}
	r := w.get("/v1/agreements?limit=1", stranger)
	if r.str("next") != "" || len(r.at("items").([]any)) != 1 {
		t.Errorf("a page says that there is more: %s", r.text)
	}
	// A party that is to accede sees the agreement, and is found by those who may see it.
	w.done("/v1/labs/"+lab+"/amend-agreement", mine, `{"agreement":"A1","summary":{"zh":"加入"},"accede":[{"entity":"`+third+`","role":"partner"}],"documents":[{"lang":"zh","digest":"`+digest+`"}]}`)
	if r := w.get("/v1/labs/"+lab+"/agreements/A1", w.as(domain.Partner, third)); r.at("amendments.0.no") != 1.0 {
		t.Errorf("%s", r.text)
	}
	if r := w.get("/v1/labs/"+lab+"/agreements/A1", stranger); r.StatusCode != http.StatusOK ||
		r.at("amendments") != nil {
		t.Errorf("%s", r.text)
	}
}

func TestDocumentReaders(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h := w.as(domain.Host, host)
	text := "%PDF-1.7 an agreement"
	is := digestIs(text)
	if r := w.send(http.MethodPut, "/v1/documents", h, text); r.StatusCode != http.StatusCreated {
		t.Fatal(r.text)
	}
	lab := w.done("/v1/labs", h, proposal(host)).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", h, strings.Replace(agreement(host, partner), digest, is, 1))
	stranger := w.as(domain.Host, partner)
	none := "/v1/documents/" + digestIs("nothing")
	for _, header := range []string{"X: y", "If-None-Match: \"" + is + "\""} {
		there, nowhere := w.get("/v1/documents/"+is, stranger, header), w.get(none, stranger, header)
		if there.StatusCode != http.StatusNotFound || withoutID(there) != withoutID(nowhere) {
			t.Errorf("with %s:\n%s\nwhere there is none:\n%s", header, withoutID(there), withoutID(nowhere))
		}
	}
	if r := w.get("/v1/documents", stranger); strings.Contains(r.text, is) {
		t.Errorf("a document of a draft is listed: %s", r.text)
	}
	for _, token := range []string{h, w.as(domain.Partner, partner), w.as(domain.Auditor), w.as(domain.Authority)} {
		if r := w.get("/v1/documents/"+is, token); r.text != text {
			t.Errorf("%s %s", r.Status, r.text)
		}
	}
	for party, token := range map[string]string{host: h, partner: w.as(domain.Partner, partner)} {
		w.done("/v1/labs/"+lab+"/sign-agreement", token, strings.Replace(signature(party, "2024-01-10"), digest, is, 1))
	}
	if r := w.get("/v1/documents/"+is, stranger); r.text != text {
		t.Errorf("once it is in force: %s %s", r.Status, r.text)
	}
}

// TestPartyActsForItself has a host name an unasked legal entity in a draft, which
// then tries the commands of parties.
func TestPartyActsForItself(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := "/v1/labs/" + w.incubating(host, partner, "2023-06-01")
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)
	third := w.done("/v1/entities", w.as(domain.Officer),
		strings.NewReplacer("Jülich Research Centre", "Third Institute", "02nv7yv05", "041nas322", `"DE"`,
			`"FR"`).Replace(foreignInstitute)).str("id")
	w.done(lab+"/pledge-commitment", p, `{"party":"`+partner+
		`","source":"own","quantity":{"cash":{"amount":"50","currency":"EUR"}}}`)
	w.done(lab+"/draft-agreement", h, strings.Replace(agreement(host, third), `"parties":[`,
		`"parties":[{"entity":"`+partner+`","role":"partner"},`, 1))
	named := w.as(domain.Partner, third)
	refused := func(token, command, body string) {
		t.Helper()
		if r := w.post(lab+"/"+command, token, body); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s: %s %s", command, body, r.Status, r.text)
		}
	}
	ground := `"ground":{"zh":"x"}`
	refused(named, "withdraw-party", `{"agreement":"A1","party":"`+partner+`","on":"2024-01-01","notice":"`+digest+`"}`)
	refused(named, "terminate-agreement", `{"agreement":"A1","on":"2024-01-01",`+ground+`}`)
	refused(named, "cancel-commitment", `{"commitment":"F1","on":"2024-01-01",`+ground+`}`)
	refused(named, "pledge-commitment", `{"party":"`+host+
		`","source":"own","agreement":"A2","quantity":{"cash":{"amount":"9","currency":"CNY"}}}`)
	refused(named, "draft-agreement", agreement(host, third))
	refused(named, "terminate-agreement", `{"agreement":"A9","on":"2024-01-01",`+ground+`}`)
	refused(p, "withdraw-party", `{"agreement":"A1","party":"`+host+`","on":"2024-01-01","notice":"`+digest+`"}`)
	refused(p, "sign-agreement", signature(host, "2024-01-10"))
	if r := w.get(lab+"/agreements/A2", named); r.StatusCode != http.StatusOK {
		t.Errorf("who is to sign a draft does not see it: %s", r.text)
	}
	for party, token := range map[string]string{third: named, host: h, partner: p} {
		w.done(lab+"/sign-agreement", token, strings.Replace(signature(party, "2024-01-10"), "A1", "A2", 1))
	}
	w.done(lab+"/draft-agreement", named, agreement(host, third))

	w.done(lab+"/terminate-agreement", named, `{"agreement":"A3","on":"2024-02-01",`+ground+`}`)
	leave := `{"agreement":"A2","party":"` + third + `","on":"2024-02-01","notice":"` + digest + `"}`
	left := w.done(lab+"/withdraw-party", named, leave, "Idempotency-Key: leaving")
	if again := w.done(lab+"/withdraw-party", named, leave,
		"Idempotency-Key: leaving"); again.str("events.0.id") != left.str("events.0.id") ||
		again.at("replayed") != true {
		t.Errorf("who has left is not told what came of it: %s", again.text)
	}
	refused(named, "withdraw-party", leave)
	refused(named, "terminate-agreement", `{"agreement":"A2","on":"2024-03-01",`+ground+`}`)
	refused(named, "pledge-commitment", `{"party":"`+third+
		`","source":"own","quantity":{"cash":{"amount":"9","currency":"CNY"}}}`)
	w.done(lab+"/draft-agreement", h, agreement(host, partner))
	w.done(lab+"/amend-agreement", h, `{"agreement":"A2","summary":{"zh":"后来的修订"},"documents":[{"lang":"zh","digest":"`+digest+`"}]}`)
	for _, path := range []string{lab + "/agreements/A4", "/v1/agreements?limit=100", lab + "/history?limit=100",
		"/v1/agreements?limit=100&effective_on=2024-01-31", lab + "/agreements?effective_on=2024-01-31"} {
		if r := w.get(path, named); strings.Contains(r.text, `"A4"`) || strings.Contains(r.text, "后来的修订") {
			t.Errorf("who has left sees what was drafted later at %s: %s", path, r.text)
		}
	}
	if r := w.get("/v1/labs?party="+third, named); r.at("total") != 1.0 {
		t.Errorf("who has left does not find the lab it was a party of: %s", r.text)
	}
}

func TestCorrectionRequiresOriginalRecorder(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := "/v1/labs/" + w.incubating(host, partner, "2023-06-01")
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)
	w.done(lab+"/pledge-commitment", h, `{"party":"`+host+
		`","source":"own","quantity":{"cash":{"amount":"50","currency":"CNY"}}}`)
	w.done(lab+"/draft-agreement", h, agreement(host, partner))
	w.done(lab+"/sign-agreement", p, strings.Replace(signature(partner, "2024-01-10"), "A1", "A2", 1))
	w.done(lab+"/sign-agreement", h, strings.Replace(signature(host, "2024-01-11"), "A1", "A2", 1))
	signed := func(by string, item string) string { // the latest is item 0
		return w.get("/v1/events?type=lab.agreement.signed.v1&actor="+by+"@example.org", h).str("items." + item + ".id")
	}
	for _, c := range []struct {
		token, event, command, input string
		status                       int
	}{
		{
			token: p, event: signed("host", "1"), command: "sign-agreement",
			input: signature(partner, "2020-01-11"), status: 403,
		},
		{
			token: p, event: w.get("/v1/events?type=lab.funding.pledged.v1", h).str("items.0.id"),
			command: "pledge-commitment",
			input:   `{"party":"` + partner + `","source":"own","quantity":{"cash":{"amount":"9","currency":"EUR"}}}`,
			status:  403,
		},
		{
			token: h, event: signed("partner", "0"), command: "sign-agreement",
			input: strings.Replace(signature(host, "2024-01-09"), "A1", "A2", 1), status: 403,
		},
		{
			token: p, event: signed("partner", "0"), command: "sign-agreement",
			input: strings.Replace(signature(partner, "2024-01-09"), "A1", "A2", 1), status: 200,
		},
	} {
		if c.event == "" {
			t.Fatal("no event to correct")
		}
		r := w.post(lab+"/correct", c.token, fmt.Sprintf(`{"event":%q,"command":%q,"reason":"x","input":%s}`, c.event,
			c.command, c.input))
		if r.StatusCode != c.status {
			t.Errorf("%s %s: %s %s", c.command, c.input, r.Status, r.text)
		}
	}
}

// TestReferenceGrantsNoAccess has a host name the digest of another lab's draft in
// public records of its own.
func TestReferenceGrantsNoAccess(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	second := w.done("/v1/entities", w.as(domain.Officer), strings.NewReplacer("清华大学", "复旦大学", "Tsinghua University", "Fudan University", "12100000400000624D", "12100000425006117P").Replace(chineseUniversity)).str("id")
	h, other := w.as(domain.Host, host), w.as(domain.Host, second)
	text := "%PDF-1.7 what nobody else is to read"
	is := digestIs(text)
	if r := w.send(http.MethodPut, "/v1/documents", h, text); r.StatusCode != http.StatusCreated {
		t.Fatal(r.text)
	}
	lab := w.done("/v1/labs", h, proposal(host)).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", h, strings.Replace(agreement(host, partner), digest, is, 1))
	theirs := w.done("/v1/labs", other, proposal(second)).str("id")
	named := w.done("/v1/labs/"+theirs+"/set-discipline", other, `{"discipline":{"zh":"物理"},"basis":{"document":"x","digest":"`+is+`"}}`)
	for who, token := range map[string]string{"whoever named it": other, "a stranger": w.as(domain.Expert)} {
		if r := w.get("/v1/documents/"+is, token); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", who, r.Status)
		}
		if r := w.get("/v1/documents", token); strings.Contains(r.text, is) {
			t.Errorf("%s finds it listed: %s", who, r.text)
		}
		if r := w.get("/v1/events?limit=1&event="+named.str("events.0.id"), token); r.at("items.0.basis_held") != nil ||
			r.str("items.0.basis.digest") != is {
			t.Errorf("%s is told whether it is held: %s", who, r.text)
		}
	}
	w.done("/v1/labs/"+theirs+"/set-discipline", w.as(domain.Officer), `{"discipline":{"zh":"化学"},"reason":"x","basis":{"document":"x","digest":"`+is+`"}}`)
	if r := w.get("/v1/documents/"+is, w.as(domain.Expert)); r.text != text {
		t.Errorf("an officer who rests on it makes it public: %s %s", r.Status, r.text)
	}
}

func TestStreamSkipsHiddenEvents(t *testing.T) {
	w := newWorld(t)
	lab, host, partner := newDraft(w)
	head := w.head()
	lines := func(token string) string {
		return w.get("/v1/events?follow=false&lab="+lab, token, "Accept: application/x-ndjson").text
	}
	if all := lines(w.as(domain.Host, host)); strings.Count(all, "lab.agreement.drafted.v1") != 2 {
		t.Errorf("the host: %s", all)
	}
	got := lines(w.as(domain.Host, partner))
	if strings.Count(got, "lab.agreement.drafted.v1") != 1 ||
		!strings.Contains(got, fmt.Sprintf(`{"position":%d,"end"`, head)) {
		t.Errorf("a stranger: %s", got)
	}
}

func TestWebhookSendsVisibleEvents(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t)
	w.deliver()
	host, partner := w.parties()
	theirs, mine := newSubscriber(t, ok), newSubscriber(t, ok)
	for s, token := range map[*subscriber]string{mine: w.as(domain.Host, host), theirs: w.as(domain.Host, partner)} {
		w.done("/v1/webhooks", token, `{"url":"`+s.URL+`","filter":{"facets":["agreement","status"]}}`)
	}
	lab := w.incubating(host, partner, "2023-06-01")
	w.done("/v1/labs/"+lab+"/draft-agreement", w.as(domain.Host, host), agreement(host, partner))
	w.done("/v1/labs/"+lab+"/classify-agreement", w.as(domain.Officer), `{"agreement":"A1","class":"framework"}`)
	for s, want := range map[*subscriber][]string{
		mine: {`"agreement":"A1"`, "agreement.signed", "agreement.signed", "incubation-started", `"agreement":"A2"`,
			"agreement.classified"},
		theirs: {"agreement.classified"},
	} {
		for _, text := range want {
			for {
				r := s.next(t)
				body := r.Form.Get("body")
				if s == theirs && strings.Contains(body, `"agreement":"A2"`) {
					t.Errorf("a stranger is sent a draft: %s", body)
				}
				if strings.Contains(body, text) {
					break
				}
				if s == mine {
					t.Fatalf("%s came where %s was due", body, text)
				}
			}
		}
	}
}

func TestFollowingStreamAuthorizes(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	after := w.head()
	streams := map[string]opened{}
	for name, token := range map[string]string{"the host": w.as(domain.Host, host),
		"a stranger": w.as(domain.Host, partner)} {
		for form, f := range forms {
			o, err := w.open(t.Context(), f, fmt.Sprintf("/v1/events?after=%d", after), "Authorization: Bearer "+token)
			if err != nil {
				t.Fatal(err)
			}
			defer o.Body.Close()
			if m, err := o.read(); err != nil || m.position != uint64(after) {
				t.Fatal(m, err)
			}
			streams[name+", "+form] = o
		}
	}
	w.done("/v1/labs/"+lab+"/draft-agreement", w.as(domain.Host, host), agreement(host, partner))
	w.done("/v1/labs/"+lab+"/set-discipline", w.as(domain.Officer), `{"discipline":{"zh":"环境"}}`)
	for name, o := range streams {
		var got []string
		for len(got) == 0 || got[len(got)-1] != "lab.record.discipline-set.v1" {
			m, err := o.read()
			if err != nil {
				t.Fatal(name, err)
			}
			if m.event != "" {
				got = append(got, memberOf(m.event, "type"))
			}
		}
		if want := map[bool]int{true: 2, false: 1}[strings.HasPrefix(name, "the host")]; len(got) != want {
			t.Errorf("%s is sent %v", name, got)
		}
	}
}
