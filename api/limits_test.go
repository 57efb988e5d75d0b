package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

func TestRateLimitPerCaller(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{Rate: 0.5, Burst: 3}; c.AnonymousRead = true })
	auditor, officer := w.as(domain.Auditor), w.as(domain.Officer)
	status := func(token string) int { return w.get("/v1/clauses", token).StatusCode }
	for i := range 3 {
		if got := status(auditor); got != http.StatusOK {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	head := w.head()
	if r := w.get("/v1/clauses", auditor); r.StatusCode != 429 || r.str("code") != "too-many-requests" ||
		r.Header.Get("Retry-After") != "2" {
		t.Errorf("%s %s, Retry-After %s", r.Status, r.text, r.Header.Get("Retry-After"))
	}
	for _, other := range []string{officer, "", "a bad token"} {
		if got := status(other); got == 429 {
			t.Errorf("somebody else waits as well: %q", other)
		}
	}
	for range 5 {
		w.post("/v1/entities", officer, chineseUniversity)
	}
	if w.head() > head+2 {
		t.Error("a command was carried out that should have waited")
	}
	w.ahead.Store(int64(2 * time.Second))
	if got := status(auditor); got != http.StatusOK {
		t.Errorf("after Retry-After: %d", got)
	}
	if got := status(auditor); got != 429 {
		t.Errorf("at once again: %d", got)
	}
	// Guesses of tokens are limited by address.
	for range 4 {
		w.get("/v1/clauses", "guess")
	}
	if got := status("guess"); got != 429 {
		t.Errorf("guessing on: %d", got)
	}
	if r := w.send(http.MethodGet, "/healthz", "", ""); r.StatusCode != http.StatusOK {
		t.Errorf("the operator's own question: %s", r.Status)
	}
}

func TestConcurrencyLimit(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{Concurrent: 2} })
	auditor := w.as(domain.Auditor)
	var refused, served atomic.Int64
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			switch r := w.get("/v1/clauses", auditor); r.StatusCode {
			case http.StatusOK:
				served.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Error(r.Status)
			}
		})
	}
	all.Wait()
	if served.Load() == 0 || served.Load()+refused.Load() != 60 {
		t.Errorf("%d served, %d refused", served.Load(), refused.Load())
	}
	if r := w.get("/v1/clauses", auditor); r.StatusCode != http.StatusOK {
		t.Errorf("when all is quiet again: %s", r.Status)
	}
}

// TestHeavyQueriesCostMore occupies all but one place with stalled uploads.
func TestHeavyQueriesCostMore(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{Concurrent: 5} })
	officer := w.as(domain.Officer)
	w.done("/v1/entities", officer, chineseUniversity)
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for range 4 {
		begun := make(chan struct{})
		body, stop := io.Pipe()
		context.AfterFunc(ctx, func() { stop.CloseWithError(context.Canceled) })
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx,
			&httptrace.ClientTrace{Got100Continue: func() { close(begun) }}), http.MethodPut, w.url+"/v1/documents",
			body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+officer)
		req.Header.Set("Expect", "100-continue")
		sending.Go(func() {
			client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
			if res, err := client.Do(req); err == nil {
				res.Body.Close()
			}
		})
		<-begun // its handler runs
	}
	for path, want := range map[string]int{
		"/v1/labs": 200, "/v1/labs?as_of=1": 429, "/v1/reports/decisions": 429, "/v1/events.csv": 429,
		"/v1/entities?limit=500": 200,
	} {
		if r := w.get(path, officer); r.StatusCode != want {
			t.Errorf("%s: %s", path, r.Status)
		}
		if r := w.get(path, w.as(domain.Auditor)); r.StatusCode != 200 {
			t.Errorf("%s, for somebody else: %s", path, r.Status)
		}
	}
	cancel()
	sending.Wait()
}

func TestQueryTimeout(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{QueryTime: 1} })
	officer := w.as(domain.Officer)
	id := w.done("/v1/entities", officer, chineseUniversity).str("id")
	for _, path := range []string{"/v1/labs", "/v1/entities/" + id, "/v1/reports/decisions",
		"/v1/labs?effective_on=2020-01-01"} {
		if r := w.get(path, officer); r.StatusCode != 503 || r.str("code") != "too-costly" ||
			!strings.Contains(r.text, "/v1/snapshots") {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
	if r := w.get("/v1/events.ndjson", officer); r.StatusCode != 200 || !strings.Contains(r.text, id) {
		t.Errorf("a file: %s %s", r.Status, r.text)
	}
}
