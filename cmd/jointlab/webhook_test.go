package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestWebhookSurvivesKill kills the server while it waits for the answer to a
// delivery. Only events delivered before may come again.
func TestWebhookSurvivesKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a delivery that a kill interrupts is repeated after half a minute")
	}
	var mu sync.Mutex
	var secret string
	got, known := map[string][]string{}, map[string]bool{} // ids by source
	reached, killed := make(chan struct{}), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if len(known) == 3 {
			select {
			case <-killed:
			default:
				close(reached)
				<-killed // the server dies while it waits for an answer
				return
			}
		}
		var e struct{ ID, Source string }
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		if err := json.Unmarshal(body, &e); err != nil || e.ID != r.Header.Get("webhook-id") ||
			r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%v: %s", err, body)
		}
		if !known[e.ID] {
			known[e.ID] = true
			got[e.Source] = append(got[e.Source], e.ID)
		}
	}))
	t.Cleanup(receiver.Close)

	data := filepath.Join(t.TempDir(), "data")
	demonstrated(t, data)
	start := func() served {
		return startServer(t, data, "--webhook-allow-private", "--webhook-allow-http")
	}
	server := start()
	token := strings.TrimSpace(output(t, "token", "create", "--data", data, "--role", "agency", "--subject", "us"))
	ask := func(method, path, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t), method, server.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s %s %v", method, path, res.Status, text, err)
		}
		return text
	}
	var made struct{ ID, Secret string }
	mu.Lock()
	if err := json.Unmarshal(ask("POST", "/v1/webhooks", `{"url":"`+receiver.URL+`"}`), &made); err != nil {
		t.Fatal(err)
	}
	secret = made.Secret
	mu.Unlock()
	if again := strings.TrimSpace(output(t, "webhook", "secret", "--data", data, "--id", made.ID)); again != made.Secret {
		t.Errorf("the secret was %s and is %s", made.Secret, again)
	}
	ask("POST", "/v1/webhooks/"+made.ID+"/replay", `{"from":1}`)
	select {
	case <-reached:
	case <-within(t).Done():
		t.Fatal("nothing is delivered")
	}
	server.kill()
	close(killed)
	server = start()

	want, events := map[string][]string{}, 0
	for lines := bufio.NewScanner(bytes.NewReader(ask("GET", "/v1/status-events?follow=false", ""))); lines.Scan(); {
		var line struct{ Event struct{ ID, Source string } }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Event.ID != "" {
			want[line.Event.Source] = append(want[line.Event.Source], line.Event.ID)
			events++
		}
	}
	eventually(within(t), t, fmt.Sprintf("%d events are delivered", events), func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(known) == events
	})
	mu.Lock()
	defer mu.Unlock()
	for source, ids := range want {
		if !slices.Equal(got[source], ids) {
			t.Errorf("%s: delivered %v, in the ledger %v", source, got[source], ids)
		}
	}
	server.stop(t)
}
