package api_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

func TestACallerWhoAsksTooOftenWaitsAndOthersDoNot(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits = api.Limits{Rate: 0.5, Burst: 3}; c.AnonymousRead = true })
	auditor, officer := w.as(domain.Auditor), w.as(domain.Officer)
	status := func(token string) int { return w.get("/v1/clauses", token).StatusCode }
	for i := range 3 {
		if got := status(auditor); got != http.StatusOK {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	head := w.head()
	if r := w.get("/v1/clauses", auditor); r.StatusCode != 429 || r.str("code") != "too-many-requests" || r.Header.Get("Retry-After") != "2" {
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
	// Who guesses tokens is held up by where the guesses come from.
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

func TestACallerHasSoManyRequestsAtOneTime(t *testing.T) {
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
