package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// lines collects a log that is being written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ask sends a request, with headers of the form name: value, and returns the answer.
func ask(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

const inJSON = "Content-Type: application/json"

func TestLogHoldsNoSecret(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "answer-of-the-receiver")
	}))
	t.Cleanup(receiver.Close)
	data, log := t.TempDir(), &lines{}
	server := startServerTo(
		t, log, data, "--log-format", "json", "--log-level", "debug", "--webhook-allow-private", "--webhook-allow-http",
	)
	officer, auditor := server.client(t, data, "officer", "").token, server.client(t, data, "auditor", "").token
	bearer := "Authorization: Bearer "

	secrets := []string{officer, auditor, "answer-of-the-receiver", "机密大学", "forged-token", "a-password", "key-of-idempotence", "sesame", "text-of-the-document", "searched-for", "in-the-path", "王机密"}
	for _, c := range []struct {
		request, body string // a method and a path
		status        int
		headers       []string
	}{
		{"POST /v1/entities", `{"kind":"university","country":"CN","names":[{"text":"机密大学","lang":"zh","kind":"official"}],"identifiers":[{"scheme":"USCC","value":"12100000400000624D","source":"certificate"}]}`, 201,
			[]string{bearer + officer, "Idempotency-Key: key-of-idempotence", "X-Request-Id: the-change", inJSON}},
		{"POST /v1/entities", `{"kind":"机密大学"`, 400, []string{bearer + officer, inJSON}},
		{"POST /v1/entities", `{"kind":"机密大学"}`, 422, []string{bearer + officer, inJSON}},
		{"POST /v1/entities", `{}`, 403, []string{bearer + auditor, "X-Request-Id: the-refusal", inJSON}},
		{"GET /v1/labs?q=searched-for", ``, 401, []string{bearer + "forged-token", "X-Request-Id: the-stranger"}},
		{"GET /v1/labs", ``, 401, []string{bearer + officer[:len(officer)-6] + "AAAAAA"}},
		{"GET /v1/labs", ``, 401, []string{"Authorization: Basic a-password"}},
		{"GET /v1/labs?q=searched-for", ``, 200, []string{bearer + auditor, "X-Request-Id: the-query"}},
		{"GET /v1/labs?nonsense=searched-for", ``, 400, []string{bearer + auditor}},
		{"GET /v1/in-the-path", ``, 404, []string{bearer + auditor}},
		{"PUT /v1/documents", "%PDF-1.7\ntext-of-the-document\n%%EOF\n", 201, []string{
			bearer + officer, "Content-Type: application/pdf", "X-Request-Id: the-document",
		}},
		{"POST /v1/webhooks", `{"url":"` + receiver.URL + `/?key=sesame"}`, 201, []string{bearer + officer, inJSON}},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		status, text := ask(t, method, server.url+path, c.body, c.headers...)
		if status != c.status {
			t.Errorf("%s: %d %s", c.request, status, text)
		}
		var made struct{ ID, Secret string }
		if json.Unmarshal([]byte(text), &made); made.Secret != "" {
			secrets = append(secrets, made.Secret, strings.TrimPrefix(made.Secret, "whsec_"))
			at := server.url + "/v1/webhooks/" + made.ID
			if status, text := ask(t, "POST", at+"/test", `{}`, bearer+officer, inJSON); status != 200 ||
				!strings.Contains(text, `"refused"`) {
				t.Errorf("the webhook's test: %d %s", status, text)
			}
			_, text := ask(t, "POST", at+"/rotate-secret", `{}`, bearer+officer, inJSON)
			if json.Unmarshal([]byte(text), &made); made.Secret == secrets[len(secrets)-2] {
				t.Errorf("the secret was not rotated: %s", text)
			}
			secrets = append(secrets, made.Secret)
		}
	}
	if _, text := ask(
		t, "GET", server.url+"/v1/events?correlation=the-change", "", bearer+auditor,
	); !strings.Contains(text, "entity.registered.v1") {
		t.Errorf("no event has the id that the log has: %s", text)
	}
	server.stop(t)

	for _, secret := range secrets {
		if secret == "" || strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	type line struct {
		Level, Msg, Subject, Role, Method, Route, Code, Error string

		RequestID string `json:"request_id"`
		Status    int
		Took      time.Duration
	}
	seen := map[string][]line{}
	for text := range strings.Lines(log.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if l.Msg == "request" {
			seen[l.RequestID] = append(seen[l.RequestID], l)
		}
	}
	for id, want := range map[string]line{
		"the-change":   {Level: "INFO", Subject: "test-officer", Role: "officer", Method: "POST", Route: "/v1/entities", Status: 201},
		"the-refusal":  {Level: "INFO", Subject: "test-auditor", Role: "auditor", Method: "POST", Route: "/v1/entities", Status: 403, Code: "forbidden"},
		"the-stranger": {Level: "INFO", Method: "GET", Route: "/v1/labs", Status: 401, Code: "unauthenticated"},
		"the-query":    {Level: "DEBUG", Subject: "test-auditor", Role: "auditor", Method: "GET", Route: "/v1/labs", Status: 200},
		"the-document": {Level: "INFO", Subject: "test-officer", Role: "officer", Method: "PUT", Route: "/v1/documents", Status: 201},
	} {
		if len(seen[id]) != 1 {
			t.Errorf("%s: %d lines", id, len(seen[id]))
			continue
		}
		got := seen[id][0]
		if got.Took <= 0 || (got.Error == "") == (want.Status == 401) {
			t.Errorf("%s: %+v", id, got)
		}
		want.Msg, want.RequestID, want.Took, want.Error = "request", id, got.Took, got.Error
		if got != want {
			t.Errorf("%s: %+v, not %+v", id, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-open:
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(receiver.Close)
	data, log := t.TempDir(), &lines{}
	demonstrated(t, data)
	server := startServerTo(
		t, log, data, "--anonymous-read", "--metrics-listen", "127.0.0.1:0", "--webhook-allow-private",
		"--webhook-allow-http",
	)
	at := regexp.MustCompile(`url=(http\S+/metrics)`).FindStringSubmatch(log.String())
	if at == nil {
		t.Fatalf("the log does not say where the metrics are: %s", log)
	}
	officer := "Authorization: Bearer " + server.client(t, data, "officer", "").token
	auditor := "Authorization: Bearer " + server.client(t, data, "auditor", "").token
	entity := uuid.NewString()
	ask(t, "POST", server.url+"/v1/entities/"+entity+"/close-entity", `{"on":"2024"}`, officer, inJSON)
	ask(t, "POST", server.url+"/v1/entities", `{}`, auditor, inJSON)
	ask(t, "GET", server.url+"/v1/labs", "", "Authorization: Bearer nonsense")
	ask(t, "GET", server.url+"/no/such/path/"+entity, "")
	ask(t, "FROBNICATE", server.url+"/v1/labs", "")
	var made struct{ ID string }
	_, text := ask(t, "POST", server.url+"/v1/webhooks", `{"url":"`+receiver.URL+`"}`, officer, inJSON)
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.ID == "" {
		t.Fatalf("%v: %s", err, text)
	}
	ask(t, "POST", server.url+"/v1/webhooks/"+made.ID+"/replay", `{"from":1}`, officer, inJSON)
	stream, err := http.Get(server.url + "/v1/status-events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	// found waits until each of the lines is there, as patterns.
	found := func(patterns ...string) (text string) {
		t.Helper()
		missing := patterns
		t.Cleanup(func() {
			if len(missing) > 0 {
				t.Logf("%q are not among\n%s", missing, text)
			}
		})
		eventually(within(t), t, "the metrics are as expected", func() bool {
			_, text = ask(t, "GET", at[1], "")
			missing = slices.DeleteFunc(slices.Clone(patterns), func(p string) bool {
				return regexp.MustCompile(`(?m)^` + p + `$`).MatchString(text)
			})
			return len(missing) == 0
		})
		return text
	}
	some := `[1-9]\d*`
	text = found(`jointlab_append_seconds_count\{outcome="ok"\} `+some, `jointlab_ledger_head `+some, `jointlab_projection_position `+some, `jointlab_projection_lag 0`,
		`jointlab_status_lag 0`, `jointlab_problems 0`, `jointlab_streams_open 1`, `jointlab_streams_cut_off_total 0`,
		`jointlab_refused_total\{reason="unauthenticated"\} 1`, `jointlab_refused_total\{reason="forbidden"\} 1`, `jointlab_refused_total\{reason="too-many"\} 0`,
		`jointlab_webhook_held_up `+some, `jointlab_webhook_parked 0`, `jointlab_webhook_queue \d+`,
		`jointlab_webhook_attempts_total\{outcome="refused"\} `+some, `jointlab_webhook_attempts_total\{outcome="delivered"\} 0`,
		`jointlab_checkpoint_age_seconds [\d.e-]+`, `jointlab_checkpoint_lag 0`,
		`jointlab_http_request_seconds_count\{method="POST",route="/v1/entities/\{entity\}/close-entity",status="404"\} 1`,
		`jointlab_http_request_seconds_count\{method="GET",route="",status="404"\} 1`, `jointlab_http_request_seconds_count\{method="other",route="",status="405"\} 1`)
	for _, not := range []string{entity, "FROBNICATE", `route="/v1/status-events"`} {
		if strings.Contains(text, not) {
			t.Errorf("the metrics have %s", not)
		}
	}
	explained := regexp.MustCompile(`(?m)^  (jointlab_\w+)`).FindAllStringSubmatch(output(t, "help", "metrics"), -1)
	read := regexp.MustCompile(`(?m)^# TYPE (jointlab_\w+)`).FindAllStringSubmatch(text, -1)
	names := func(all [][]string) (names []string) {
		for _, m := range all {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	onlyWithEventStoreDB := "jointlab_relay_lag"
	if want := slices.DeleteFunc(
		names(explained), func(n string) bool { return n == onlyWithEventStoreDB },
	); !slices.Equal(want, names(read)) {
		t.Errorf("explained are %v, read %v", want, names(read))
	}
	close(open)
	found(
		`jointlab_webhook_held_up 0`, `jointlab_webhook_queue 0`,
		`jointlab_webhook_attempts_total\{outcome="delivered"\} `+some,
	)
	stream.Body.Close()
	text = found(`jointlab_streams_open 0`)
	if strings.Contains(text, fmt.Sprintf("route=%q", "/v1/status-events")) {
		t.Error("a stream's life counts as time to answer")
	}
	server.stop(t)
}
