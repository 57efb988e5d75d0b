package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestClientRetryAfter(t *testing.T) {
	var bodies []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if bodies = append(bodies, string(body)+r.Header.Get("Idempotency-Key")); len(bodies) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		io.WriteString(w, `{"id":"x"}`)
	}))
	defer srv.Close()
	a, err := client{srv.URL, srv.Client(), ""}.send(within(t), "/v1/labs", "key", map[string]string{"a": "b"})
	if err != nil || a.ID != "x" || len(bodies) != 3 || bodies[0] != bodies[2] || bodies[0] != `{"a":"b"}key` {
		t.Errorf("%+v, %v, %q", a, err, bodies)
	}
}
