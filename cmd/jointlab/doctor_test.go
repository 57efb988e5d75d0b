package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/eventstore"
)

// diagnose returns what doctor prints, and whether it fails.
func diagnose(t testing.TB, args ...string) (said string, fails bool) {
	t.Helper()
	cmd := run(t, append([]string{"doctor"}, args...)...)
	cmd.Stderr = nil
	out, err := cmd.Output()
	return string(out), err != nil
}

// healthy checks that doctor finds nothing wrong.
func healthy(t testing.TB, args ...string) {
	t.Helper()
	if said, fails := diagnose(t, args...); fails || strings.Contains(said, "wrong  ") ||
		!strings.Contains(said, "ok      log ") {
		t.Errorf("doctor %v:\n%s", args, said)
	}
}

func TestDoctor(t *testing.T) {
	skipShort(t)
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "data")
	demonstrated(t, whole)
	s := startServer(t, whole)
	officer := s.client(t, whole, "officer", "")
	text := paper(10_000)
	digest := eventstore.Digest(sha256.Sum256(text))
	if err := officer.handIn(t, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(within(t), "/v1/labs/"+demoLab(5).String()+"/set-discipline", "",
		map[string]any{"discipline": map[string]string{"zh": "化学"}, "basis": map[string]string{"document": "示例校发〔0000〕9号", "digest": digest.String()}}); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	register := func(data string, now func() time.Time) {
		t.Helper()
		r, err := openRegister(within(t), settings{data: data, store: embedded}, registerConfig{
			now: now, tolerance: time.Hour * 100,
		})
		if err != nil {
			t.Fatal(err)
		}
		token, err := r.signer.Issue(api.Claims{Subject: "test", Role: domain.Officer}, time.Hour)
		if err == nil {
			_, err = inProcess(r.handler, token).send(within(t), "/v1/entities", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("另一虚构大学", "Another Fictional University")})
		}
		if err := errors.Join(err, r.caughtUp(within(t)), r.close()); err != nil {
			t.Fatal(err)
		}
	}
	register(whole, time.Now)
	healthy(t, "--data", whole)
	if said, fails := diagnose(t, "--data", whole, "--json"); fails || !strings.Contains(said, `"wrong": 0`) {
		t.Error(said)
	}
	for want, damage := range map[string]func(dir string) error{
		`wrong   folder      .*没有文件夹.* · there is no folder`:                        os.RemoveAll,
		`warning folder      .*run chmod 700`:                                       func(dir string) error { return os.Chmod(dir, 0o755) },
		`wrong   token\.key   .*run chmod 600`:                                      func(dir string) error { return os.Chmod(keyPath(dir), 0o644) },
		`wrong   token\.key   .*is not a PEM file`:                                  func(dir string) error { return os.WriteFile(keyPath(dir), []byte("nonsense"), 0o600) },
		`wrong   log\.key     .*it is missing, and checkpoints were signed with it`: func(dir string) error { return os.Remove(filepath.Join(dir, "log.key")) },
		`wrong   log         .*put the right key back`: func(dir string) error {
			other := t.TempDir()
			startServer(t, other).stop(t)
			key, err := os.ReadFile(filepath.Join(other, "log.key"))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "log.key"), key, 0o600))
		},
		`wrong   persons     .*nobody named in the register can be read`: func(dir string) error {
			return os.Remove(filepath.Join(dir, "person.key"))
		},
		`warning webhook\.key `: func(dir string) error { return os.Remove(filepath.Join(dir, "webhook.key")) },
		`wrong   ledger      .*the end is missing`: func(dir string) error {
			return errors.Join(
				os.RemoveAll(filepath.Join(dir, "jetstream")),
				os.CopyFS(filepath.Join(dir, "jetstream"), os.DirFS(filepath.Join(older, "jetstream"))),
			)
		},
		`wrong   ledger      .*run jointlab restore again`: func(dir string) error {
			return os.WriteFile(
				filepath.Join(dir, "restoring"), nil, 0o600,
			)
		},
		`wrong   model       .*run jointlab rebuild`: func(dir string) error {
			db, err := sql.Open("sqlite", filepath.Join(dir, modelFile))
			if err != nil {
				return err
			}
			_, err = db.Exec(`DELETE FROM identifiers`)
			return errors.Join(err, db.Close())
		},
		`warning model       .*there is no read model`: func(dir string) error {
			return os.Remove(
				filepath.Join(dir, modelFile),
			)
		},
		`wrong   documents   1 .*1 have changed`: func(dir string) error {
			tamper(t, dir, digest)
			return nil
		},
		`wrong   clock       .*before what was last recorded.*set it`: func(dir string) error {
			register(dir, func() time.Time { return time.Now().Add(30 * time.Minute) })
			return nil
		},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		duplicate(t, whole, dir)
		if err := damage(dir); err != nil {
			t.Fatal(want, err)
		}
		said, fails := diagnose(t, "--data", dir)
		if !regexp.MustCompile(`(?m)^` + want).MatchString(said) {
			t.Errorf("want %s, in\n%s", want, said)
		}
		if fails != strings.HasPrefix(want, "wrong") {
			t.Errorf("%s: it fails: %v\n%s", want, fails, said)
		}
	}
}

func TestDoctorOfServer(t *testing.T) {
	for want, answer := range map[string]func(w http.ResponseWriter){
		`wrong   clock       .*differs from this machine's by (1h|59m)`: func(w http.ResponseWriter) {
			w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			w.Write([]byte(`{"ready":true,"position":7}`))
		},
		`wrong   store       磁盘将满 · the disk is nearly full`: func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"errors":[{"path":"store","message":{"zh":"磁盘将满","en":"the disk is nearly full"}}]}`))
		},
		`wrong   server      .*502`: func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				answer(w)
				return
			}
			http.NotFound(w, r)
		}))
		said, fails := diagnose(t, "--server", srv.URL)
		srv.Close()
		if !fails || !regexp.MustCompile(`(?m)^`+want).MatchString(said) {
			t.Errorf("want %s, in\n%s", want, said)
		}
	}
}
