package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/projections"
)

// personal are words of the persons in labWithPersons, unique in the register.
var personal = []string{"诸葛孔明校长", "orcid:0000-0002-1825-0097", "Rektor Zweistein", "Vizepräsidentin"}

// labWithPersons returns an incubating lab whose agreement two known persons signed,
// one of them with an id.
func (w *world) labWithPersons(host, partner string) (lab string) {
	w.Helper()
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)
	lab = w.done("/v1/labs", h, proposal(host)).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", h, agreement(host, partner))
	w.done("/v1/labs/"+lab+"/sign-agreement", h, strings.Replace(signature(host, "2020-01-10"), `"name":"王校长"`, `"name":"诸葛孔明校长","id":"orcid:0000-0002-1825-0097"`, 1))
	w.done("/v1/labs/"+lab+"/sign-agreement", p, strings.Replace(signature(partner, "2020-01-12"), `"name":"王校长"`, `"name":"Rektor Zweistein","title":"Vizepräsidentin"`, 1))
	return lab
}

func shows(text string, words ...string) (n int) {
	for _, word := range words {
		if strings.Contains(text, word) {
			n++
		}
	}
	return n
}

func TestPersonNameVisibility(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.labWithPersons(host, partner)
	other := w.done("/v1/entities", w.as(domain.Officer), strings.NewReplacer("清华大学", "北京大学", "Tsinghua", "Peking", "12100000400000624D", "12100000400002259P").Replace(chineseUniversity)).str("id")
	paths := []string{"/v1/labs/" + lab, "/v1/labs/" + lab + "/history", "/v1/labs/" + lab + "/history.csv",
		"/v1/labs/" + lab + "/agreements"}
	for _, who := range []struct {
		token string
		may   bool
	}{
		{w.as(domain.Ministry), true}, {w.as(domain.Agency), true}, {w.as(domain.Officer), true},
		{w.as(domain.Auditor), true},
		{w.as(domain.Host, host), true}, {w.as(domain.Director, host), true}, {w.as(domain.Partner, partner), true},
		{w.as(domain.Host, other), false}, {w.as(domain.Partner, other), false}, {w.as(domain.Partner, host), true},
		{w.as(domain.Authority), false}, {w.as(domain.Expert), false},
	} {
		for _, path := range paths {
			r := w.get(path, who.token)
			names := shows(r.text, personal...)
			if r.StatusCode != http.StatusOK || (names > 0) != who.may || strings.Contains(r.text, "{sealed:") || !who.may && !strings.Contains(r.text, "〔不公开 withheld〕") {
				t.Errorf("%s, may read %v: %d of the words\n%s", path, who.may, names, r.text)
			}
		}
	}
	if n := strings.Count(w.logged.String(), `msg="personal data read"`); n != 8*len(paths) {
		t.Errorf("%d readings of personal data are logged, of %d", n, 8*len(paths))
	}
	if n := shows(w.logged.String(), personal...); n > 0 {
		t.Errorf("the log itself holds %d of the words", n)
	}
	all := w.get("/v1/events?changes=true", w.as(domain.Auditor)).text
	if n := shows(all, "诸葛孔明校长"); n != 1 {
		t.Error("an auditor does not read names in the trail of all events")
	}
	if all := w.get("/v1/events?changes=true", w.as(domain.Host, host)).text; shows(all, personal...) > 0 {
		t.Error("a party reads names in a trail that is of all labs")
	}
}

func TestRawEventsStaySealed(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.labWithPersons(host, partner)
	auditor := w.as(domain.Auditor)
	for _, path := range []string{"/v1/events.ndjson", "/v1/labs/" + lab + "/history.ndjson", "/v1/snapshots"} {
		r := w.get(path, auditor)
		if shows(r.text, personal...) > 0 || !strings.Contains(r.text, "{sealed:") {
			t.Errorf("%s: %s", path, r.text)
		}
	}
	stream := w.get("/v1/events?follow=false", auditor, "Accept: text/event-stream")
	if shows(stream.text, personal...) > 0 || !strings.Contains(stream.text, "{sealed:") {
		t.Errorf("stream: %s", stream.text)
	}
}

func TestErasedPersonIsUnreadable(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.labWithPersons(host, partner)
	officer, h := w.as(domain.Officer), w.as(domain.Host, host)
	before := w.get("/v1/events.ndjson", officer).text
	found := w.post("/v1/persons/find", officer, `{"id":"orcid:0000-0002-1825-0097"}`)
	ref := found.str("id")
	if found.StatusCode != http.StatusOK || found.at("entries") != 1.0 ||
		found.str("first.0.type") != "lab.agreement.signed.v1" || ref == "" {
		t.Fatalf("%s %s", found.Status, found.text)
	}
	if r := w.get("/v1/labs/"+lab+"/history", officer); !strings.Contains(r.text, ref) &&
		!strings.Contains(w.get("/v1/labs/"+lab, officer).text, ref) {
		t.Error("nothing says which number the person has")
	}
	for _, refused := range []struct {
		token, body string
		status      int
	}{{h, `{"reason":"asked for"}`, 403}, {w.as(domain.Auditor), `{"reason":"asked for"}`, 403}, {officer, `{}`, 422}} {
		if r := w.post("/v1/persons/"+ref+"/erase", refused.token, refused.body); r.StatusCode != refused.status {
			t.Errorf("%s %s", r.Status, r.text)
		}
	}
	erase := func() response {
		return w.post("/v1/persons/"+ref+"/erase", officer, `{"reason":"asked for by letter of 2024-06-01"}`,
			"Idempotency-Key: letter-1")
	}
	held := w.get("/v1/labs/"+lab, officer).Header.Get("ETag")
	if r := erase(); r.StatusCode != http.StatusOK || r.at("replayed") != false {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	if r := w.get("/v1/labs/"+lab, officer, "If-None-Match: "+held); r.StatusCode != http.StatusOK || !strings.Contains(r.text, "〔已删除 erased〕") {
		t.Errorf("the name that a client holds is called the newest: %s %s", r.Status, r.text)
	}
	if r := erase(); r.StatusCode != http.StatusOK || r.at("replayed") != true {
		t.Errorf("sent again: %s %s", r.Status, r.text)
	}
	for _, path := range []string{"/v1/labs/" + lab, "/v1/labs/" + lab + "/history", "/v1/events?changes=true"} {
		r := w.get(path, officer)
		if shows(r.text, "诸葛孔明校长", "orcid:0000") > 0 || !strings.Contains(r.text, "〔已删除 erased〕") || !strings.Contains(r.text, "Rektor Zweistein") {
			t.Errorf("%s: %s", path, r.text)
		}
	}
	after := w.get("/v1/events.ndjson", officer).text
	if !strings.HasPrefix(after, before) || !strings.Contains(after[len(before):], `"person.erased.v1"`) {
		t.Error("events have changed, or the erasure is no event")
	}
	if report, err := projections.Verify(t.Context(), w.log, w.log, w.model); err != nil ||
		len(report.Differences) > 0 {
		t.Errorf("%+v %v", report, err)
	}
	gone := w.get("/v1/persons/"+ref, officer)
	if gone.str("erased.by") != "officer@example.org" || gone.at("entries") != 1.0 {
		t.Errorf("%s", gone.text)
	}
	if r := w.post("/v1/persons/find", officer, `{"id":"orcid:0000-0002-1825-0097"}`); r.StatusCode != 404 {
		t.Errorf("an erased person is found: %s", r.text)
	}
	if r := w.post("/v1/persons/"+ref+"/erase", officer, `{"reason":"again"}`); r.StatusCode != 409 {
		t.Errorf("erased twice: %s", r.text)
	}
	if r := w.post("/v1/persons/"+host+"/erase", officer, `{"reason":"no person"}`); r.StatusCode != 404 {
		t.Errorf("a legal entity was erased as a person: %s", r.text)
	}
	member := `{"kind":"principal-investigator","person":{"name":"诸葛孔明校长","ref":"` + ref + `"},"affiliation":"` + host + `","term":{"from":"2021-01-01"}}`
	if r := w.post("/v1/labs/"+lab+"/appoint-member", h, member); r.StatusCode != 422 ||
		r.str("errors.0.path") != "person.ref" {
		t.Errorf("somebody is named by an erased number: %s", r.text)
	}
}

func TestNoPlaintextOnDisk(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.labWithPersons(host, partner)
	w.done("/v1/labs/"+lab+"/correct", w.as(domain.Officer),
		`{"reason":"misspelt","event":"`+w.get("/v1/labs/"+lab+"/history?type=lab.agreement.signed.v1&order=oldest",
			w.as(domain.Officer)).str("items.0.id")+`",
		"command":"sign-agreement","input":`+strings.Replace(signature(host, "2020-01-11"), `"name":"王校长"`, `"name":"诸葛孔明校长","id":"orcid:0000-0002-1825-0097"`, 1)+`}`)
	searched := 0
	if err := filepath.WalkDir(w.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		searched++
		for _, word := range personal {
			if strings.Contains(string(content), word) {
				t.Errorf("%s holds %q", path, word)
			}
		}
		return err
	}); err != nil || searched < 5 {
		t.Fatalf("%d files, %v", searched, err)
	}
}

func TestSealIsBoundToPlace(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.labWithPersons(host, partner)
	officer, h := w.as(domain.Officer), w.as(domain.Host, host)
	raw := w.get("/v1/labs/"+lab+"/history.ndjson", officer).text
	seal := raw[strings.Index(raw, "{sealed:"):]
	seal = seal[:strings.Index(seal, "}")+1]
	for _, body := range []string{
		`{"name":{"text":"` + seal + `","lang":"zh","kind":"alias"}}`,
		`{"name":{"text":"\u007bsealed:x","lang":"zh","kind":"alias"}}`,
		`{"` + seal + `":1}`,
	} {
		if r := w.post("/v1/labs/"+lab+"/rename", h, body); r.StatusCode != 422 || shows(r.text, personal...) > 0 {
			t.Errorf("%s %s", r.Status, r.text)
		}
	}
	for _, path := range []string{"/v1/labs/" + lab + "?" + seal + "=1", "/v1/" + seal} {
		if r := w.get(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(path), h); shows(r.text, personal...) > 0 {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}

func TestPersonCommandRetry(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	h := w.as(domain.Host, host)
	lab := w.done("/v1/labs", h, proposal(host)).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", h, agreement(host, partner))
	first := w.done("/v1/labs/"+lab+"/sign-agreement", h, signature(host, "2020-01-10"), "Idempotency-Key: k1")
	again := w.done("/v1/labs/"+lab+"/sign-agreement", h, signature(host, "2020-01-10"), "Idempotency-Key: k1")
	if again.at("replayed") != true || again.str("events.0.id") != first.str("events.0.id") {
		t.Errorf("%s", again.text)
	}
	other := strings.Replace(signature(host, "2020-01-10"), "王校长", "李校长", 1)
	if r := w.post("/v1/labs/"+lab+"/sign-agreement", h, other, "Idempotency-Key: k1"); r.StatusCode != 422 ||
		r.str("code") != "idempotency-key-reused" {
		t.Errorf("another name under the same key: %s", r.text)
	}
	// A reader of the event must not be able to guess names by its digest.
	body := jsontext.Value(signature(host, "2020-01-10"))
	if err := body.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	guessed := sha256.Sum256([]byte("POST /v1/labs/" + lab + "/sign-agreement\n" + string(body)))
	event := w.get("/v1/labs/"+lab+"/history.ndjson?type=lab.agreement.signed.v1", h).text
	if !strings.Contains(event, `"commanddigest":"sha256:`) || strings.Contains(event, hex.EncodeToString(guessed[:])) {
		t.Error("the digest follows from the body alone: ", event)
	}
}
