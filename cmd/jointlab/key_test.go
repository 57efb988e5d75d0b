package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestKeyCommands(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	startServer(t, data).stop(t)
	first := strings.TrimSpace(output(t, "key", "create", "--data", data, "--name", "审计系统", "--service", "audit", "--role", "auditor"))
	if !regexp.MustCompile(`^jlk_[0-9a-f]{32}_[0-9a-f]{64}$`).MatchString(first) {
		t.Fatalf("printed %q", first)
	}
	server := startServer(t, data)
	status := func(key string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t), http.MethodGet, server.url+"/v1/labs", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	token := strings.TrimSpace(output(t, "token", "create", "--data", data, "--role", "ministry", "--subject", "us"))
	second := strings.TrimSpace(output(
		t, "key", "create", "--server", server.url, "--token", token, "--name", "sync", "--service", "sync", "--role",
		"officer", "--days", "400",
	))
	if a, b := status(first), status(second); a != http.StatusOK || b != http.StatusOK {
		t.Errorf("the keys give %d and %d", a, b)
	}
	output(t, "key", "revoke", "--server", server.url, "--token", second, "--id", first[4:36], "--reason", "superseded")
	if a, b := status(first), status(second); a != http.StatusUnauthorized || b != http.StatusOK {
		t.Errorf("the first revoked, the keys give %d and %d", a, b)
	}
	overNet := output(t, "key", "list", "--server", server.url, "--token", second)
	server.stop(t)
	listed := output(t, "key", "list", "--data", data)
	if !regexp.MustCompile(`(?m)^\S{36}  revoked  auditor    until \d{4}-\d\d-\d\d  service:audit  审计系统\n\S{36}  active   officer    until \d{4}-\d\d-\d\d  service:sync  sync\n$`).MatchString(listed) || overNet != listed {
		t.Errorf("%s\n%s", overNet, listed)
	}
	refused := run(t, "key", "create", "--data", data, "--name", "x", "--service", "x", "--role", "host")
	var said strings.Builder
	refused.Stderr = &said
	if out, err := refused.Output(); err == nil || len(out) > 0 ||
		!strings.Contains(said.String(), "must act for a legal entity") {
		t.Errorf("a host for nobody: %v %s %s", err, out, &said)
	}
}
