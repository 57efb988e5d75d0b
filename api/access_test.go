package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// requestID is what two answers to one question differ in.
var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// said is an answer without what is its own.
func said(r response) string {
	h := r.Header.Clone()
	for _, own := range []string{"X-Request-Id", "Date", "Content-Length"} {
		h.Del(own)
	}
	var b strings.Builder
	b.WriteString(r.Status + "\n")
	h.Write(&b)
	return b.String() + requestID.ReplaceAllString(r.text, "")
}

func TestARefusalDoesNotSayWhetherThereIsSuchARecord(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	webhook := w.done("/v1/webhooks", w.as(domain.Host, host), `{"url":"http://127.0.0.1:1/"}`).str("id")
	other := uuid.NewString()
	for _, c := range []struct{ path, is, token, body string }{
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Host, other), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Director, other), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/set-discipline", lab, w.as(domain.Director), `{"discipline":{"zh":"x"}}`},
		{"/v1/labs/%/add-right", lab, w.as(domain.Partner, other), `{"agreement":"A1","kind":"right","party":"` + partner + `","clause":"§5","text":{"zh":"x"}}`},
		{"/v1/labs/%/sign-agreement", lab, w.as(domain.Partner, other), signature(other, "2024-01-01")},
		{"/v1/labs/%/sign-agreement", lab, w.as(domain.Partner, other), signature(partner, "2024-01-01")},
		{"/v1/labs/%/correct", lab, w.as(domain.Host, other), `{"event":"` + other + `","command":"propose","reason":"x","input":` + proposal(other) + `}`},
		{"/v1/entities/%/correct", partner, w.as(domain.Host, other), `{"event":"` + other + `","command":"register","reason":"x","input":` + foreignInstitute + `}`},
		{"/v1/entities/%/add-name", partner, w.as(domain.Host, other), `{"name":{"text":"x","lang":"en","kind":"alias"}}`},
		{"/v1/webhooks/%/pause", webhook, w.as(domain.Host, other), `{}`},
		{"/v1/webhooks/%/test", webhook, w.as(domain.Host, other), `{}`},
	} {
		for _, header := range []string{"X: y", "If-Match: \"0\"", "If-Match: \"9\"", "Idempotency-Key: once"} {
			there := w.post(strings.Replace(c.path, "%", c.is, 1), c.token, c.body, header)
			nowhere := w.post(strings.Replace(c.path, "%", uuid.NewString(), 1), c.token, c.body, header)
			if there.StatusCode != http.StatusForbidden || said(there) != said(nowhere) {
				t.Errorf("%s with %s:\n%s\nwhere there is none:\n%s", c.path, header, said(there), said(nowhere))
			}
		}
	}
	for _, path := range []string{"", "/deliveries", "/parked"} {
		for _, header := range []string{"X: y", "If-None-Match: *", "If-None-Match: \"0\""} {
			there := w.get("/v1/webhooks/"+webhook+path, w.as(domain.Partner, partner), header)
			nowhere := w.get("/v1/webhooks/"+uuid.NewString()+path, w.as(domain.Partner, partner), header)
			if there.StatusCode != http.StatusNotFound || said(there) != said(nowhere) {
				t.Errorf("GET webhook%s with %s:\n%s\nwhere there is none:\n%s", path, header, said(there), said(nowhere))
			}
		}
	}
}

func TestTheTableOfAccessIsServedInBothLanguages(t *testing.T) {
	w := newWorld(t)
	r := w.get("/v1/access", w.as(domain.Expert))
	if r.StatusCode != http.StatusOK || !strings.Contains(r.text, `"operation":"lab-sign-agreement","method":"POST","path":"/v1/labs/{lab}/sign-agreement","summary":"Sign an agreement or one of its amendments","role":"partner","role_text":{"zh":"合作单位"`) {
		t.Errorf("%s", r.text)
	}
	csv := w.get("/v1/access.csv", w.as(domain.Expert))
	if !strings.Contains(csv.text, "operation,method,path,summary,role,role_text_zh,role_text_en,relation,") || !strings.Contains(csv.text, "lab-rename,POST,/v1/labs/{lab}/rename,Give the lab a further name,director,") {
		t.Errorf("%s", csv.text[:500])
	}
}
