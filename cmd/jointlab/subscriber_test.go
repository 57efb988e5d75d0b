package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/eventstore/jetstream"
)

var reachable = regexp.MustCompile(`NATS · 订阅: (\S+)`)

func TestASubscriberMadeByTheOperatorReadsWhatTheHTTPStreamGives(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	seed := filepath.Join(t.TempDir(), "ministry.nk")
	if err := os.WriteFile(seed, []byte(output(t, "subscriber", "create", "--data", data, "--name", "ministry", "--ack-wait", "1s")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := run(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	server, nats := served{cmd: cmd}, ""
	for lines := bufio.NewScanner(out); nats == "" && lines.Scan(); {
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			server.url = m[1]
		} else if m := reachable.FindStringSubmatch(lines.Text()); m != nil {
			nats = "nats://" + m[1]
		}
	}
	go io.Copy(io.Discard, out)

	res, err := http.Get(server.url + "/v1/status-events?follow=false")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"event"`) {
			want = append(want, line)
		}
	}
	if len(want) < 20 {
		t.Fatalf("the demo has only %d status events", len(want))
	}
	eventually(within(t), t, "the subscriber is let in", func() bool {
		probe := run(t, "subscribe", "--nats-url", nats, "--name", "ministry", "--seed-file", seed, "--count", "1")
		probe.Stderr = nil
		first, err := probe.Output()
		if err == nil && string(first) != want[0] {
			t.Fatalf("first came %s, want %s", first, want[0])
		}
		return err == nil
	})
	got := output(t, "subscribe", "--nats-url", nats, "--name", "ministry", "--seed-file", seed, "--count", fmt.Sprint(len(want)-1))
	if got != strings.Join(want[1:], "") {
		t.Errorf("over NATS came\n%s\nover HTTP\n%s", got, strings.Join(want[1:], ""))
	}
	if list := output(t, "subscriber", "list", "--data", data); !strings.Contains(list, "ministry") || strings.Contains(list, strings.TrimSpace(string(must(os.ReadFile(seed))))) {
		t.Errorf("subscriber list: %s", list)
	}
	output(t, "subscriber", "revoke", "--data", data, "--name", "ministry")
	eventually(within(t), t, "the revoked subscriber is refused", func() bool {
		late := run(t, "subscribe", "--nats-url", nats, "--name", "ministry", "--seed-file", seed, "--count", "1")
		said := &strings.Builder{}
		late.Stderr = said
		return late.Run() != nil && strings.Contains(said.String(), "Authorization")
	})
	server.stop(t)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestReadinessSaysThatSubscribersDoNotGetWhatTheLedgerHolds(t *testing.T) {
	ask := func(r *register) string {
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	s := settings{store: embedded, data: t.TempDir()}
	r, err := openRegister(within(t), s, registerConfig{status: &jetstream.StatusConfig{Agreements: true}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(within(t), t, "the stream is filled", func() bool {
		r.status.mu.Lock()
		defer r.status.mu.Unlock()
		return r.status.relay != nil && r.status.relay.Status().CaughtUp()
	})
	if said := ask(r); !strings.HasPrefix(said, "200") {
		t.Errorf("all is well, and %s", said)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if r, err = openRegister(within(t), s, registerConfig{status: &jetstream.StatusConfig{}}); err != nil {
		t.Fatal(err)
	}
	defer r.close()
	eventually(within(t), t, "the reason is said", func() bool { return strings.Contains(ask(r), "same settings") })
	if said := ask(r); !strings.HasPrefix(said, "503") || !strings.Contains(said, `"path":"status"`) {
		t.Error(said)
	}
}
