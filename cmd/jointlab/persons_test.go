package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// search returns the files below dir that hold a text.
func search(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	searched := 0
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if searched++; bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	}); err != nil || searched < 10 {
		t.Fatalf("%d files, %v", searched, err)
	}
	return found
}

func TestErasedPersonLeavesNoTrace(t *testing.T) {
	skipShort(t)
	t.Parallel()
	ctx, dir := within(t), t.TempDir()
	data, keys, file, to := filepath.Join(dir, "data"), filepath.Join(dir, "keys.json"), filepath.Join(dir, "backup.zip"), filepath.Join(dir, "restored")
	demonstrated(t, data)
	server := startServer(t, data)
	officer := server.client(t, data, "officer", "")
	const name, orcid = "Ödön von Unwiederbringlich", "orcid:0000-0002-1694-233X"
	at := "/v1/labs/" + demoLab(9).String()
	if _, err := officer.send(ctx, at+"/appoint-member", "", lab.AppointMember{
		Kind: lab.TeamLeader, Person: domain.Person{ID: orcid, Name: name}, Affiliation: demoActs[domain.Host],
		Term: domain.Period{From: domain.MustDate("2024-01-01")}, TeamSize: 3,
	}); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the officer reads the name", func() bool {
		got := server.ask(t, officer.token, at)
		return strings.Contains(got, name) && strings.Contains(got, orcid)
	})
	if found := search(t, data, name); len(found) > 0 {
		t.Error("before the erasure the name is in", found)
	}
	output(t, "backup", "--server", server.url, "--token", officer.token, file)
	output(t, "backup", "secrets", "--data", data, keys)

	person, err := officer.send(ctx, "/v1/persons/find", "", map[string]string{"id": orcid})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(ctx, "/v1/persons/"+person.ID+"/erase", "", map[string]string{
		"reason": "asked for by letter",
	}); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the officer reads that the person was erased", func() bool {
		got := server.ask(t, officer.token, at)
		return !strings.Contains(got, name) && strings.Contains(got, "〔已删除 erased〕")
	})
	running := search(t, data, name)
	server.stop(t)
	if found := append(running, search(t, data, name)...); len(found) > 0 {
		t.Error("after the erasure the name is in", found)
	}
	for _, check := range [][]string{{"verify", "--data", data}, {"audit", "check", "--data", data}} {
		output(t, check...)
	}

	// No backup holds the key: with today's secrets, the one from before names nobody.
	newer, third := filepath.Join(dir, "newer.json"), filepath.Join(dir, "third")
	output(t, "backup", "secrets", "--data", data, newer)
	output(t, "restore", "--data", third, "--secrets", newer, file)
	erased := startServer(t, third)
	if got := erased.ask(t, officer.token, at); strings.Contains(got, name) || !strings.Contains(got, "〔暂不可读 unreadable now〕") {
		t.Errorf("a backup from before the erasure, with the keys of after it: %s", got)
	}
	erased.stop(t)

	// What a backup from before still holds can be read with the keys of then, and not without.
	v := packed(t, file)
	output(t, "restore", "--data", to, "--secrets", keys, "--key", v.Key, file)
	again := startServer(t, to)
	if got := again.ask(t, officer.token, at); !strings.Contains(got, name) {
		t.Error("a backup with its keys does not bring names back")
	}
	again.stop(t)
	if err := os.Remove(filepath.Join(to, "person.key")); err != nil {
		t.Fatal(err)
	}
	without := startServer(t, to)
	if got := without.ask(t, officer.token, at); strings.Contains(got, name) || !strings.Contains(got, "〔暂不可读 unreadable now〕") {
		t.Errorf("without person.key: %s", got)
	}
	officer.base = without.url
	if _, err := officer.send(ctx, at+"/appoint-member", "", lab.AppointMember{
		Kind: lab.TeamLeader, Person: domain.Person{Name: "某人"}, Affiliation: demoActs[domain.Host], Term: domain.Period{From: domain.MustDate("2024-01-01")}, TeamSize: 3,
	}); err == nil || !strings.Contains(err.Error(), "unavailable") {
		t.Errorf("somebody is named without a key to seal with: %v", err)
	}
	without.stop(t)
	if _, err := os.Stat(filepath.Join(to, "person.key")); err == nil {
		t.Error("another person.key was made, though persons are sealed with the one that is missing")
	}
}
