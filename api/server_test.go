package api

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/projections"
)

func TestPanicFailsOnlyItsRequest(t *testing.T) {
	s := newDocServer(t)
	var logged bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&logged, nil))
	s.mux.HandleFunc("GET /before", func(http.ResponseWriter, *http.Request) { panic("a secret") })
	s.mux.HandleFunc("GET /midway", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(http.Flusher).Flush()
		panic("a secret")
	})
	srv := httptest.NewServer(s)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/before")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 500 || !strings.Contains(string(body), `"code":"internal"`) ||
		strings.Contains(string(body), "secret") {
		t.Errorf("%s %s %v", res.Status, body, err)
	}
	if id := res.Header.Get("X-Request-Id"); id == "" || !strings.Contains(logged.String(), id) {
		t.Errorf("request %q is not in the log: %s", id, &logged)
	}
	res, err = http.Get(srv.URL + "/midway")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("an answer broken off passes for whole: %s", body)
	}
}

func TestCommandWithStaleReadModel(t *testing.T) {
	dir := t.TempDir()
	log, err := jetstream.Open(t.Context(), jetstream.Config{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	model, err := projections.Open(t.Context(), filepath.Join(dir, "model.db"), log, log) // and never run
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(log, log, model, NewVerifier(public), time.Now, Config{Patience: time.Millisecond})
	token, err := NewSigner(private, time.Now).Issue(Claims{Subject: "o", Role: domain.Officer}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/entities", strings.NewReader(`{"kind":"university","country":"CN","names":[{"text":"北京大学","lang":"zh","kind":"official"}]}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusCreated || w.Header().Get("Read-Model") != "behind" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
