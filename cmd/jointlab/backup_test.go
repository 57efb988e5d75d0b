package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// bodies returns the events of the register kept in data up to a position. No
// server may have it open.
func bodies(t testing.TB, data string, to eventstore.Position) (all []string) {
	t.Helper()
	log, err := jetstream.Open(within(t), jetstream.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	err = log.Read(within(t), 0, to, func(events []eventstore.Recorded) error {
		for _, e := range events {
			all = append(all, fmt.Sprintf("%d %s %s %s", e.Position, e.Stream, e.ID, e.Body))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// packed returns a backup, verified and kept open while the test runs.
func packed(t testing.TB, name string) audit.Verified {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := verifyFile(f, audit.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// agrees checks that the log kept in data continues the one that c was signed for.
func agrees(t testing.TB, data string, c audit.Checkpoint) {
	t.Helper()
	log, err := openLog(settings{data: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.Agrees(c); err != nil {
		t.Errorf("%s: %v", data, err)
	}
	if _, key, _ := strings.Cut(string(c.Note), "— "); !strings.HasPrefix(key, c.Origin+" ") ||
		!strings.HasPrefix(log.Key(), c.Origin+"+") {
		t.Errorf("%s signs as %s, what was signed is of %s", data, log.Key(), c.Origin)
	}
}

// TestBackupUnderLoad restores each of several backups to the root it was taken at.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	backups := domaintest.Runs(2, 50)
	ctx, dir := within(t), t.TempDir()
	data, keys := filepath.Join(dir, "data"), filepath.Join(dir, "keys.json")
	server := startServer(t, data)
	officer, acked, host := server.client(t, data, "officer", ""), newAcknowledged(), demoEntity("backup host")
	if _, err := officer.send(ctx, "/v1/entities/"+host.String()+"/register", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")}); err != nil {
		t.Fatal(err)
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var load sync.WaitGroup
	for n := range 4 {
		path := "/v1/labs/" + uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "crash %d", n)).String()
		if _, err := officer.send(ctx, path+"/propose", "", lab.Propose{Names: name("演示", "Demo"), Host: host}); err != nil {
			t.Fatal(err)
		}
		load.Go(func() { write(loading, officer, n, 0, acked) })
	}
	var files []string
	for i := range backups {
		acked.await(ctx, t, acked.count()+100)
		files = append(files, filepath.Join(dir, fmt.Sprintf("%d.zip", i)))
		before := acked.count()
		output(t, "backup", "--server", server.url, "--token", officer.token, files[i])
		if got := packed(t, files[i]).Manifest; got.Events < before || int64(got.Events) != got.Size {
			t.Errorf(
				"%d commands were acknowledged before the backup, which holds %d events at a checkpoint of %d", before,
				got.Events, got.Size,
			)
		}
		// works beside the server
		output(t, "backup", "secrets", "--data", data, filepath.Join(dir, fmt.Sprintf("keys%d.json", i)))
	}
	acked.await(ctx, t, acked.count()+50)
	stop()
	load.Wait()
	server.stop(t)
	output(t, "backup", "secrets", "--data", data, keys)
	for i, file := range files {
		v, to := packed(t, file), filepath.Join(dir, fmt.Sprintf("restored %d", i))
		said := output(t, "restore", "--data", to, "--secrets", keys, file)
		if !strings.Contains(said, v.Checkpoint.Root.String()) {
			t.Errorf("the root is not that of the checkpoint:\n%s", said)
		}
		agrees(t, data, v.Checkpoint) // what the source has signed for that size
		agrees(t, to, v.Checkpoint)
		if was, is := bodies(t, data, v.Manifest.UpTo), bodies(t, to, v.Manifest.UpTo); !slices.Equal(was, is) {
			t.Errorf("backup %d: the events restored are not those of the source", i)
		}
		if got := ledger(t, to); len(got) != v.Manifest.Events {
			t.Errorf("backup %d: %d events are restored of %d", i, len(got), v.Manifest.Events)
		}
		if got := output(t, "audit", "check", "--data", to); !strings.Contains(
			got, fmt.Sprintf("the last checkpoint is of %d\n", v.Manifest.Size),
		) {
			t.Error(got)
		}
		healthy(t, "--data", to)
		again := startServer(t, to)
		officer.base = again.url // whose token is valid there
		// It is not ready until the stream of status events is derived anew.
		eventually(
			ctx, t, "the restored register is ready", func() bool { return officer.get(ctx, "/readyz", &struct{}{}) == nil },
		)
		healthy(t, "--server", again.url, "--token", officer.token, "--key", v.Key)
		a, err := officer.send(
			ctx, "/v1/labs/"+uuid.NewSHA1(demoSpace, []byte("crash 0")).String()+"/set-discipline", "",
			lab.SetDiscipline{Discipline: domain.T("", fmt.Sprint("after ", i))},
		)
		if err != nil || len(a.Events) != 1 {
			t.Fatalf("a command on what was restored: %+v, %v", a, err)
		}
		again.stop(t)
		agrees(t, to, v.Checkpoint) // also with what was added
		if got := output(t, "verify", "--data", to); !strings.Contains(got, " 0 differences") {
			t.Error(got)
		}
	}
}

func TestRestoreResumes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	known, more := map[string]int{}, make(chan struct{}, 1) // deliveries by event
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		known[r.Header.Get("webhook-id")]++
		select {
		case more <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(receiver.Close)
	delivered := func(n int) {
		t.Helper()
		for {
			mu.Lock()
			has := len(known)
			mu.Unlock()
			if has >= n {
				return
			}
			select {
			case <-more:
			case <-within(t).Done():
				t.Fatalf("%d events were delivered, of %d", has, n)
			}
		}
	}
	ctx, dir := within(t), t.TempDir()
	data, keys, file, to := filepath.Join(dir, "data"), filepath.Join(dir, "keys.json"), filepath.Join(dir, "backup.zip"), filepath.Join(dir, "restored")
	demonstrated(t, data)
	output(t, "subscriber", "create", "--data", data, "--name", "ministry")
	webhooks := []string{"--anonymous-read", "--webhook-allow-private", "--webhook-allow-http"}
	server := startServer(t, data, webhooks...)
	officer, ministry := server.client(t, data, "officer", ""), server.client(t, data, "ministry", "")
	signed, unsigned := paper(300_000), paper(1_000)
	for _, text := range [][]byte{signed, unsigned} {
		if err := officer.handIn(t, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	digest := eventstore.Digest(sha256.Sum256(signed))
	if _, err := officer.send(ctx, "/v1/labs/"+demoLab(5).String()+"/set-discipline", "",
		map[string]any{"discipline": map[string]string{"zh": "化学"}, "basis": map[string]string{"document": "示例校发〔0000〕9号", "digest": digest.String()}}); err != nil {
		t.Fatal(err)
	}
	hook, err := officer.send(ctx, "/v1/webhooks", "", map[string]string{"url": receiver.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(ctx, "/v1/webhooks/"+hook.ID+"/replay", "", map[string]int{"from": 1}); err != nil {
		t.Fatal(err)
	}
	events := strings.Count(server.read(t, "/v1/status-events?follow=false"), `"event":`)
	delivered(events)
	eventually(ctx, t, "the queue is empty", func() bool {
		return strings.Contains(server.ask(t, officer.token, "/v1/webhooks/"+hook.ID), `"lag":0`)
	})
	output(t, "backup", "--server", server.url, "--token", officer.token, file)
	output(t, "backup", "secrets", "--data", data, keys)
	server.stop(t)

	v := packed(t, file)
	if v.Contents != 1 {
		t.Errorf("the contents of %d documents are in the pack, one is referred to and held", v.Contents)
	}
	holdsNoSecret(t, file, data)
	if mode, err := os.Stat(keys); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", mode.Mode(), err)
	}
	output(t, "restore", "--data", to, "--secrets", keys, "--key", v.Key, file)
	again := startServer(t, to, webhooks...)
	for _, text := range [][]byte{signed, unsigned} {
		sum := sha256.Sum256(text)
		if got := again.ask(t, officer.token, "/v1/documents/sha256:"+hex.EncodeToString(sum[:])); got != string(text) {
			t.Errorf("a document of %d bytes came back as one of %d", len(text), len(got))
		}
	}
	mu.Lock()
	before := len(known)
	mu.Unlock()
	ministry.base = again.url
	if _, err := ministry.send(ctx, "/v1/labs/"+demoLab(9).String()+"/suspend", "", lab.Suspend{Grounds: domain.Grounds{Basis: domain.Basis{Document: "示例教技函〔0000〕9号"}}, On: domain.MustDate("2025-01-01"), Ground: domain.T("一方停止投入", "A party stopped")}); err != nil {
		t.Fatal(err)
	}
	delivered(before + 1)
	mu.Lock()
	for id, times := range known {
		if times != 1 {
			t.Errorf("event %s was delivered %d times", id, times)
		}
	}
	mu.Unlock()
	if got := strings.Count(again.read(t, "/v1/status-events?follow=false"), `"event":`); got != events+1 {
		t.Errorf("%d status events, where %d were before one was added", got, events)
	}
	again.stop(t)
	agrees(t, to, v.Checkpoint)
	if all, err := jetstream.Subscribers(to); err != nil || len(all) != 1 || all[0].Name != "ministry" {
		t.Errorf("subscribers: %+v, %v", all, err)
	}
}

// ask returns the body at a path of the server, read with a token.
func (s served) ask(t testing.TB, token, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(within(t), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, resp.Status, text, err)
	}
	return string(text)
}

// holdsNoSecret looks for the secrets in a data folder in every file of a backup.
func holdsNoSecret(t testing.TB, backup, data string) {
	t.Helper()
	z, err := zip.OpenReader(backup)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range secretFiles {
			key, err := os.ReadFile(filepath.Join(data, name))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(key)) {
				if line = strings.TrimSpace(line); len(line) > 30 && !strings.HasPrefix(line, "---") &&
					bytes.Contains(text, []byte(line)) {
					t.Errorf("%s of the backup holds %s", f.Name, name)
				}
			}
		}
	}
}

// demoBackup returns a data folder with the demo registry, and a backup of it.
func demoBackup(t *testing.T) (data, file, keys string) {
	t.Helper()
	dir := t.TempDir()
	data, file, keys = filepath.Join(dir, "data"), filepath.Join(dir, "backup.zip"), filepath.Join(dir, "keys.json")
	demonstrated(t, data)
	output(t, "backup", "--data", data, "--secrets", keys, file)
	return data, file, keys
}

func TestKilledRestoreRunsAgain(t *testing.T) {
	skipShort(t)
	t.Parallel()
	_, file, keys := demoBackup(t)
	to := filepath.Join(t.TempDir(), "restored")
	mark := filepath.Join(to, "restoring")
	for caught := false; !caught; {
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		cmd := run(t, "restore", "--data", to, "--secrets", keys, file)
		cmd.Stderr = nil
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for ended := within(t); ; {
			if _, err := os.Stat(filepath.Join(to, "jetstream", "$G", "streams", "JOINTLAB", "msgs", "1.blk")); err == nil ||
				ended.Err() != nil {
				break
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		_, err := os.Stat(mark)
		caught = err == nil // or it had come to its end already
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"}, {"verify"}, {"audit", "check"},
		{"backup", filepath.Join(t.TempDir(), "b.zip")},
	} {
		cmd := run(t, append(args, "--data", to)...)
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "run jointlab restore again") {
			t.Errorf("%v: %v, %s", args, err, said.String())
		}
	}
	output(t, "restore", "--data", to, "--secrets", keys, file)
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	agrees(t, to, packed(t, file).Checkpoint)
	startServer(t, to).stop(t)
}

func TestRestoreRejectsChangedBackup(t *testing.T) {
	skipShort(t)
	t.Parallel()
	_, file, keys := demoBackup(t)
	from, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for changed, want := range map[string]string{
		"events.ndjson": "audit: position 1: the event in the pack is not the one in the log", "beside/streams.ndjson": "beside/streams.ndjson is not what was signed",
		"beside/queues.ndjson": "beside/queues.ndjson is not what was signed", "beside/more": "files, and 3 were signed", "manifest.json": "",
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		put := func(name string, text []byte) {
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write(text)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range from.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if f.Name == changed {
				text = append(bytes.Replace(text, []byte("1"), []byte("2"), 1), ' ')
			}
			put(f.Name, text)
		}
		if changed == "beside/more" {
			put(changed, nil)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		other, to := filepath.Join(t.TempDir(), "other.zip"), filepath.Join(t.TempDir(), "restored")
		if err := os.WriteFile(other, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := run(t, "restore", "--data", to, "--secrets", keys, other)
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Run(); err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%s: %v, %s", changed, err, said.String())
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a folder was made: %v", changed, err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.zip")
	if err := os.WriteFile(cut, text[:len(text)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t, "restore", "--data", filepath.Join(t.TempDir(), "x"), cut).Run(); err == nil {
		t.Error("a backup that was cut off is restored")
	}
}

func TestBackupHTTPAccess(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := startServer(t, data)
	if _, err := server.client(t, data, "officer", "").send(within(t), "/v1/entities", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")}); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]int{
		"": 401, "ministry": 200, "officer": 200, "auditor": 200, "agency": 403, "authority": 403, "expert": 403,
	} {
		r, err := http.NewRequestWithContext(within(t), http.MethodGet, server.url+"/v1/backup", nil)
		if err != nil {
			t.Fatal(err)
		}
		if role != "" {
			r.Header.Set("Authorization", "Bearer "+server.client(t, data, role, "").token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want {
			t.Errorf("%q: %s %v", role, resp.Status, err)
		}
		if want != 200 && !json.Valid(text) {
			t.Errorf("%q: %s", role, text)
		}
	}
	server.stop(t)
}

func TestRestoreOntoCluster(t *testing.T) {
	skipShort(t)
	_, file, keys := demoBackup(t)
	dir := t.TempDir()
	to, again := filepath.Join(dir, "node"), filepath.Join(dir, "again.zip")
	where := []string{"--data", to, "--store", outsideNATS, "--nats-url", cluster(t), "--nats-replicas", "3"}
	eventually(within(t), t, "the cluster takes a backup in", func() bool {
		cmd := run(t, append([]string{"restore", "--secrets", keys, file}, where...)...)
		cmd.Stderr = nil
		return cmd.Run() == nil
	})
	healthy(t, where...)
	output(t, append([]string{"backup", again}, where...)...)
	was, is := packed(t, file), packed(t, again)
	if was.Manifest.Root != is.Manifest.Root || was.Manifest.Origin != is.Manifest.Origin ||
		was.Manifest.Events != is.Manifest.Events {
		t.Errorf("the cluster holds %+v, the backup %+v", is.Manifest, was.Manifest)
	}
	other := run(t, append([]string{
		"restore", "--secrets", keys, file,
	}, append(slices.Clone(where[2:]), "--data", filepath.Join(dir, "other"))...)...)
	var said strings.Builder
	other.Stderr = &said
	if err := other.Run(); err == nil || !strings.Contains(said.String(), "restore into an empty one") {
		t.Errorf("a second restore onto the same cluster: %v, %s", err, said.String())
	}
}

func TestBackupEventStoreDB(t *testing.T) {
	skipShort(t)
	t.Parallel()
	dir := t.TempDir()
	data, to := filepath.Join(dir, "data"), filepath.Join(dir, "restored")
	file, keys, url := filepath.Join(dir, "backup.zip"), filepath.Join(dir, "keys.json"), esdbtest.Start(t).URL()
	output(t, "migrate", "--data", demoFolder(t), "--to", url, "--new-data", data)
	server := startServer(t, data, "--store", eventStoreDB, "--esdb-url", url)
	output(t, "backup", "--server", server.url, "--token", server.client(t, data, "auditor", "").token, file)
	output(t, "backup", "secrets", "--data", data, keys)
	server.stop(t)
	said := output(t, "restore", "--data", to, "--secrets", keys, file)
	v := packed(t, file)
	if !strings.Contains(said, v.Checkpoint.Root.String()) || v.Manifest.Events < 200 {
		t.Errorf("a backup of %d events: %s", v.Manifest.Events, said)
	}
	agrees(t, to, v.Checkpoint)
	healthy(t, "--data", to)
}

func TestRestoreRejectsDamagedSecrets(t *testing.T) {
	skipShort(t)
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	demonstrated(t, data)
	file, keys := filepath.Join(t.TempDir(), "backup.zip"), filepath.Join(t.TempDir(), "keys.json")
	output(t, "backup", "--data", data, "--secrets", keys, file)
	whole, err := readSecrets(keys)
	if err != nil || len(whole.Files) != len(secretFiles) || len(whole.Persons) == 0 {
		t.Fatalf("the secrets hold %d keys, and of persons %d: %v", len(whole.Files), len(whole.Persons), err)
	}
	const another = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" // well formed, as person.key is
	damages := map[string][]string{jetstream.PersonKeyFile: {another}}
	for _, name := range secretFiles {
		damages[name] = append(damages[name], whole.Files[name][:len(whole.Files[name])/2], "")
	}
	for name, texts := range damages {
		for _, text := range texts {
			damaged := whole
			damaged.Files = maps.Clone(whole.Files)
			damaged.Files[name] = text
			written, err := json.Marshal(damaged)
			other, to := filepath.Join(t.TempDir(), "keys.json"), filepath.Join(t.TempDir(), "restored")
			if err := errors.Join(err, os.WriteFile(other, written, 0o600)); err != nil {
				t.Fatal(err)
			}
			if said := refused(
				t, "restore", "--data", to, "--secrets", other, file,
			); !strings.Contains(said, name+" in it is damaged") {
				t.Errorf("%s is %q: %s", name, text, said)
			}
			if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is %q: a folder was made: %v", name, text, err)
			}
		}
	}
	for text, want := range map[string]string{"nonsense": "wrong   person.key ", another: "wrong   persons "} {
		if err := os.WriteFile(filepath.Join(data, jetstream.PersonKeyFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, fails := diagnose(t, "--data", data); !fails || !strings.Contains(said, want) ||
			strings.Contains(said, "ok      person") {
			t.Errorf("person.key is %q:\n%s", text, said)
		}
	}
}
