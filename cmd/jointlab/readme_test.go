package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a command of the README and the output printed there.
type step struct{ command, prints string }

// tour returns the steps in the console blocks of a section of the README.
func tour(t *testing.T, section string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("the README has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for i, block := range strings.Split(rest, "```") {
		body, isConsole := strings.CutPrefix(block, "console\n")
		if i%2 == 0 || !isConsole {
			continue
		}
		for line := range strings.Lines(body) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: strings.TrimSpace(command)})
			} else {
				steps[len(steps)-1].prints += line
			}
		}
	}
	return steps
}

// matches reports whether got is what the README prints, where … matches anything.
func matches(prints, got string) bool {
	parts := strings.Split(strings.TrimSpace(prints), "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "\\s*$").MatchString(strings.TrimSpace(got))
}

func TestREADMETour(t *testing.T) {
	skipShort(t)
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "cmd", "jointlab"), 0o700); err != nil {
		t.Fatal(err)
	}
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testdata, filepath.Join(folder, "cmd", "jointlab", "testdata")); err != nil {
		t.Fatal(err)
	}
	demonstrated(t, filepath.Join(folder, defaultData))
	server := startServer(t, filepath.Join(folder, defaultData), "--anonymous-read")
	var script strings.Builder
	steps := tour(t, "Five minutes")
	if len(steps) < 8 {
		t.Fatalf("the tour has only %d steps", len(steps))
	}
	const end = "=-=-= end of step"
	for _, s := range steps {
		s.command = strings.ReplaceAll(s.command, "http://127.0.0.1:8080", server.url)
		s.command = strings.ReplaceAll(s.command, "go run ./cmd/jointlab", "jointlab")
		script.WriteString(s.command + "\necho '" + end + "'\n")
	}
	shell := exec.Command("bash", "-c", script.String())
	shell.Dir = folder
	var errs bytes.Buffer
	shell.Stderr = &errs
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	for i, got := range strings.Split(strings.TrimSuffix(strings.TrimSpace(string(out)), end), end) {
		if i < len(steps) && !matches(steps[i].prints, got) {
			t.Errorf("$ %s\nprinted\n%s\nthe README says\n%s", steps[i].command, got, steps[i].prints)
		}
	}
	if errs.Len() > 0 {
		t.Errorf("the tour wrote errors: %s", errs.String())
	}
	server.stop(t)
}
