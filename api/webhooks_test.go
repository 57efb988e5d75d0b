package api_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

var webhookKey, _ = webhooks.ParseKey(strings.Repeat("A", 43) + "=")

// deliver runs the dispatcher until the test ends.
func (w *world) deliver() {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.deliverer.Run(ctx) })
	w.Cleanup(func() { stop(); running.Wait() })
}

// subscriber receives deliveries and answers each with the status of takes.
type subscriber struct {
	*httptest.Server
	got   chan *http.Request // with the body as Form["body"]
	takes func(*http.Request) int
}

func newSubscriber(t testing.TB, takes func(*http.Request) int) *subscriber {
	s := &subscriber{got: make(chan *http.Request, 1000), takes: takes}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Form = map[string][]string{"body": {string(body)}}
		status := s.takes(r)
		w.WriteHeader(status)
		if status/100 == 2 {
			s.got <- r
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) next(t testing.TB) *http.Request {
	t.Helper()
	select {
	case r := <-s.got:
		return r
	case <-time.After(5 * time.Minute):
		t.Fatal("nothing was delivered")
		return nil
	}
}

// signedWith reports whether a delivery has a valid signature of Standard Webhooks 1.0.
func signedWith(secret string, r *http.Request) bool {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Form.Get("body"))
	return strings.Contains(" "+r.Header.Get("webhook-signature")+" ",
		" v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+" ")
}

func ok(*http.Request) int { return http.StatusNoContent }

func TestWebhookDelivery(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t)
	w.deliver()
	host, partner := w.parties()
	h := w.as(domain.Host, host)
	s := newSubscriber(t, ok)
	made := w.done("/v1/webhooks", h, `{"url":"`+s.URL+`","filter":{"to":["INCUBATING"],"host":"`+host+`"},"description":{"zh":"校内系统"}}`, "Idempotency-Key: mine")
	at, secret := "/v1/webhooks/"+made.str("id"), made.str("secret")
	if made.StatusCode != http.StatusCreated || made.Header.Get("Location") != at ||
		!strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("%s %v %s", made.Status, made.Header, made.text)
	}
	if again := w.done("/v1/webhooks", h, `{"url":"`+s.URL+`","filter":{"to":["INCUBATING"],"host":"`+host+`"},"description":{"zh":"校内系统"}}`, "Idempotency-Key: mine"); again.str("secret") != secret || again.at("replayed") != true {
		t.Errorf("sent again: %s", again.text)
	}
	var tried response
	waitFor(t, func() bool {
		tried = w.post(at+"/test", h, `{}`)
		return tried.StatusCode != http.StatusServiceUnavailable
	})
	if r := s.next(t); tried.str("outcome") != "delivered" || tried.at("position") != nil || !signedWith(secret, r) ||
		!strings.Contains(r.Form.Get("body"), `"type":"webhook.test.v1"`) {
		t.Errorf("a test: %s %s", tried.text, r.Form.Get("body"))
	}
	lab := w.incubating(host, partner, "2023-06-01")
	r := s.next(t)
	if !signedWith(secret, r) || !strings.Contains(r.Form.Get("body"), `"source":"/labs/`+lab+`"`) ||
		!strings.Contains(r.Form.Get("body"), "lab.status.incubation-started.v1") {
		t.Errorf("%v %s", r.Header, r.Form.Get("body"))
	}
	if event := w.get("/v1/events/"+r.Header.Get("Jointlab-Position"), h); event.text != r.Form.Get("body") ||
		event.Header.Get("Event-Id") != r.Header.Get("Webhook-Id") {
		t.Errorf("delivered was\n%s\nthe ledger has\n%s", r.Form.Get("body"), event.text)
	}

	rotated := w.done(at+"/rotate-secret", h, `{"reason":"按期更换"}`).str("secret")
	w.incubating(host, partner, "2023-06-01")
	if r = s.next(t); rotated == secret || !signedWith(secret, r) || !signedWith(rotated, r) {
		t.Errorf("for a day both secrets hold: %v", r.Header)
	}

	var log response
	waitFor(t, func() bool {
		log = w.get(at+"/deliveries?limit=1", h)
		return log.str("items.0.event") == r.Header.Get("Webhook-Id")
	})
	if log.str("items.0.outcome") != "delivered" || log.at("items.0.status") != 204.0 || log.at("next") == nil ||
		log.str("items.0.detail.zh") == "" || log.at("items.1") != nil {
		t.Errorf("the log: %s", log.text)
	}
	if rest := w.get(at+"/deliveries?limit=2&before="+log.str("next"), h); rest.str("items.0.lab") != lab ||
		rest.str("items.1.event") != tried.str("event") || rest.at("next") != nil {
		t.Errorf("the next page: %s", rest.text)
	}
	if none := w.get(at+"/deliveries?failed=true", h); none.StatusCode != http.StatusOK ||
		len(none.at("items").([]any)) != 0 {
		t.Errorf("failed: %s", none.text)
	}
	if parked := w.get(at+"/parked", h); parked.StatusCode != http.StatusOK || parked.at("total") != 0.0 {
		t.Errorf("parked: %s", parked.text)
	}
	waitFor(t, func() bool { return w.get(at, h).at("lag") == 0.0 })
	if view := w.get(at, h); view.str("state") != "active" || view.at("generation") != 2.0 ||
		view.at("position") != float64(w.head()) || strings.Contains(view.text, "whsec_") {
		t.Errorf("%s", view.text)
	}
	if trail := w.get("/v1/events?webhook="+made.str("id"), h); trail.at("total") != 2.0 ||
		strings.Contains(trail.text, "whsec_") {
		t.Errorf("%s", trail.text)
	}
	w.done(at+"/pause", h, `{}`)
	if r := w.post(at+"/pause", h, `{}`); r.str("code") != "wrong-state" {
		t.Errorf("paused twice: %s", r.text)
	}
	third := w.incubating(host, partner, "2023-06-01")
	w.done(at+"/resume", h, `{}`)
	if r = s.next(t); !strings.Contains(r.Form.Get("body"), third) {
		t.Errorf("after the pause: %s", r.Form.Get("body"))
	}
	if r := w.post(at+"/replay", h, fmt.Sprintf(`{"from":%d}`,
		w.head()+1)); r.StatusCode != http.StatusUnprocessableEntity || r.str("errors.0.path") != "from" {
		t.Errorf("from nowhere: %s", r.text)
	}
	w.done(at+"/replay", h, `{"from":1}`)
	for range 3 {
		s.next(t)
	}
	w.done(at+"/remove", h, `{}`)
	waitFor(t, func() bool { return w.get(at, h).str("state") == "removed" })
	for state, want := range map[string]float64{"removed": 1, "active": 0} {
		if r := w.get("/v1/webhooks?state="+state, h); r.at("total") != want {
			t.Errorf("%s: %s", state, r.text)
		}
	}
}

// waitFor polls for a condition that nothing signals.
func waitFor(t testing.TB, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}

func TestWebhookAccess(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.AnonymousRead = true })
	w.deliver()
	host, partner := w.parties()
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)
	at := "/v1/webhooks/" + w.done("/v1/webhooks", h, `{"url":"http://127.0.0.1:9/x"}`).str("id")
	for path, want := range map[string][4]int{ // host, partner, auditor, anonymous
		at:                 {200, 404, 200, 401},
		at + "/deliveries": {200, 404, 200, 401},
		at + "/parked":     {200, 404, 200, 401},
		"/v1/webhooks":     {200, 200, 200, 401},
		"/v1/webhooks/00000000-0000-0000-0000-000000000001": {404, 404, 404, 401},
	} {
		for i, token := range []string{h, p, w.as(domain.Auditor), ""} {
			waitFor(t, func() bool {
				return w.get(path,
					token).StatusCode != http.StatusServiceUnavailable
			}) // until it runs
			if r := w.get(path, token); r.StatusCode != want[i] {
				t.Errorf("%s, caller %d: %s %s", path, i, r.Status, r.text)
			}
		}
	}
	if mine, theirs := w.get("/v1/webhooks", h), w.get("/v1/webhooks", p); mine.at("total") != 1.0 ||
		theirs.at("total") != 0.0 {
		t.Errorf("%s\n%s", mine.text, theirs.text)
	}
	for _, command := range []string{"change", "test", "pause", "rotate-secret", "replay", "remove"} {
		body := map[string]string{"change": `{"url":"http://127.0.0.1:9/y"}`, "replay": `{"parked":true}`}[command]
		if body == "" {
			body = `{}`
		}
		for _, token := range []string{p, w.as(domain.Auditor), w.as(domain.Expert), w.as(domain.Host, partner)} {
			if r := w.post(at+"/"+command, token, body); r.StatusCode != http.StatusForbidden || r.at("secret") != nil {
				t.Errorf("%s: %s %s", command, r.Status, r.text)
			}
		}
		w.done(at+"/"+command, w.as(domain.Officer), body)
	}
}

func TestPrivateAddressIsRefused(t *testing.T) {
	w := newWorld(t, func(c *api.Config) {
		c.Webhooks = webhooks.New(nil, nil, webhooks.Registry{}, webhookKey, webhooks.Config{})
	})
	for _, url := range []string{"http://example.org/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data",
		"https://[::1]/", "https://example.org:22/", "https://u:p@example.org/", "nonsense"} {
		r := w.post("/v1/webhooks", w.as(domain.Officer), `{"url":"`+url+`"}`)
		if r.StatusCode != http.StatusUnprocessableEntity || r.str("errors.0.path") != "url" ||
			r.str("errors.0.message.zh") == "" {
			t.Errorf("%s: %s %s", url, r.Status, r.text)
		}
	}
	if w.head() != 0 {
		t.Error("something was recorded")
	}
}

func TestWebhookLimit(t *testing.T) {
	w := newWorld(t)
	agency := w.as(domain.Agency)
	var last string
	for i := range 50 {
		last = w.done("/v1/webhooks", agency, fmt.Sprintf(`{"url":"http://127.0.0.1:9/%d"}`, i)).str("id")
	}
	if r := w.post("/v1/webhooks", agency, `{"url":"http://127.0.0.1:9/more"}`); r.str("code") != "wrong-state" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	w.done("/v1/webhooks", w.as(domain.Authority), `{"url":"http://127.0.0.1:9/another"}`)
	w.done("/v1/webhooks/"+last+"/remove", agency, `{}`)
	w.done("/v1/webhooks", agency, `{"url":"http://127.0.0.1:9/more"}`)
}

func TestFailingReceivers(t *testing.T) {
	w := newWorld(t)
	w.deliver()
	host, partner := w.parties()
	s := newSubscriber(t, func(*http.Request) int { return http.StatusInternalServerError })
	at := "/v1/webhooks/" + w.done("/v1/webhooks", w.as(domain.Officer), `{"url":"`+s.URL+`"}`).str("id")
	lab := w.incubating(host, partner, "2023-06-01")
	auditor := w.as(domain.Auditor)
	waitFor(t, func() bool { return w.get(at, auditor).at("held_up.0.attempts") != nil })
	if r := w.get(at, auditor); r.str("held_up.0.lab") != lab || r.str("held_up.0.outcome") != "refused" || r.str("held_up.0.text.zh") != "对方拒收" {
		t.Errorf("%s", r.text)
	}
	if r := w.get("/readyz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := w.get(at+"/deliveries?outcome=refused&lab="+lab, auditor); r.at("items.0.status") != 500.0 ||
		r.str("items.0.next") == "" {
		t.Errorf("%s", r.text)
	}
}
