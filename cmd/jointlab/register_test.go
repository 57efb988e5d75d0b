package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refused returns what jointlab prints to standard error; it must fail.
func refused(t testing.TB, args ...string) string {
	t.Helper()
	cmd := run(t, args...)
	var said strings.Builder
	cmd.Stderr = &said
	if out, err := cmd.Output(); err == nil {
		t.Errorf("jointlab %s does it, and prints %s", strings.Join(args, " "), out)
	}
	return said.String()
}

func TestCommandsCreateNoRegister(t *testing.T) {
	skipShort(t)
	dir := t.TempDir()
	missing, empty, written := filepath.Join(dir, "missing"), filepath.Join(dir, "empty"), filepath.Join(dir, "written")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	lab := demoLab(5).String()
	for _, args := range [][]string{
		{"verify"}, {"rebuild"}, {"replay", "--lab", lab}, {"backup", written}, {"backup", "secrets", written},
		{"audit", "key"}, {"audit", "checkpoint"}, {"audit", "check"}, {"audit", "rebuild"}, {"audit", "export", written},
		{"key", "list"}, {"key", "revoke", "--id", lab}, {"key", "create", "--name", "sync", "--service", "sync", "--role", "auditor"},
		{"subscriber", "list"}, {"subscriber", "revoke", "--name", "ministry"}, {"webhook", "secret", "--id", lab},
		{"compare", "--esdb-url", "esdb://127.0.0.1:1?tls=false"},
		{"migrate", "--to", "esdb://127.0.0.1:1?tls=false", "--new-data", written},
	} {
		for _, data := range []string{missing, empty} {
			if said := refused(t, append(args, "--data", data)...); !strings.Contains(said, data) {
				t.Errorf("jointlab %v does not name the folder: %s", args, said)
			} else if args[0] != "webhook" && !strings.Contains(said, "--data") {
				t.Errorf("jointlab %v does not say what to do: %s", args, said)
			}
		}
	}
	if said, fails := diagnose(t, "--data", empty); !fails || !strings.Contains(said, empty+" holds no register") {
		t.Errorf("doctor: %s", said)
	}
	for _, name := range []string{missing, written} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made: %v", name, err)
		}
	}
	if made, err := os.ReadDir(empty); err != nil || len(made) > 0 {
		t.Errorf("in the empty folder are now %v, %v", made, err)
	}
}

func TestTokenBeforeRegister(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	output(t, "token", "create", "--data", data, "--role", "officer", "--subject", "us")
	output(t, "subscriber", "create", "--data", data, "--name", "ministry")
	if listed := output(t, "subscriber", "list", "--data", data); !strings.Contains(listed, "ministry") {
		t.Errorf("the list is %q", listed)
	}
	if said := refused(t, "verify", "--data", data); !strings.Contains(said, "holds no register") {
		t.Error(said)
	}
	startServer(t, data).stop(t)
	output(t, "verify", "--data", data)
}
