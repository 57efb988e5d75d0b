package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// paper returns a document of n bytes.
func paper(n int) []byte {
	b := bytes.Repeat([]byte("%PDF-1.7 a line of a signed text\n"), n/33+1)
	return append(b[:n-8], []byte(fmt.Sprintf("%08d", n))...)
}

// handIn uploads the document that body reads.
func (c client) handIn(t testing.TB, body io.Reader) error {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodPut, c.base+"/v1/documents", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s %s %w", res.Status, text, err)
	}
	return nil
}

func TestVerifyDocuments(t *testing.T) {
	skipShort(t)
	t.Parallel()
	data := t.TempDir()
	demonstrated(t, data)
	s := startServer(t, data)
	officer := s.client(t, data, "officer", "")
	text := paper(300_000)
	digest := eventstore.Digest(sha256.Sum256(text))
	if err := officer.handIn(t, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(within(t), "/v1/labs/"+demoLab(5).String()+"/set-discipline", "",
		map[string]any{"discipline": map[string]string{"zh": "化学"}, "basis": map[string]string{"document": "示例校发〔0000〕9号", "digest": digest.String()}}); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	if report := output(t, "verify", "--data", data); !strings.Contains(report, "1 documents held") ||
		!strings.Contains(report, "not handed in") || strings.Contains(report, digest.String()) {
		t.Errorf("one document is held, those of the demo registry are not:\n%s", report)
	}
	tamper(t, data, digest)
	out, err := run(t, "verify", "--data", data).Output()
	if err == nil || !strings.Contains(string(out), "document "+digest.String()+": CHANGED; 1 events refer to it") ||
		!strings.Contains(string(out), " 0 differences") {
		t.Errorf("%v\n%s", err, out)
	}
}

// tamper puts other bytes in a document's place, past the register.
func tamper(t *testing.T, data string, digest eventstore.Digest) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   data,
		NoSigs:     true,
		NoLog:      true,
		SyncAlways: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(hang) {
		t.Fatal("the store does not open")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.Timeout(hang))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := natsjs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.ObjectStore(within(t), "jointlab-documents")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutBytes(within(t), hex.EncodeToString(digest[:]), []byte("%PDF-1.7 another text")); err != nil {
		t.Fatal(err)
	}
}

// killing ends the server once so many bytes were read from it.
type killing struct {
	io.Reader
	left int
	kill func()
}

func (k *killing) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	if k.left -= n; k.left <= 0 {
		k.kill()
	}
	return n, err
}

func TestKillDuringUpload(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	const size = 4 << 20
	var digests []eventstore.Digest
	for i, after := range []int{1, size / 2, size - 1, size} { // the last while it is being stored
		s := startServer(t, data)
		text := paper(size + i)
		digests = append(digests, eventstore.Digest(sha256.Sum256(text)))
		err := s.client(t, data, "officer", "").handIn(t, &killing{bytes.NewReader(text), after, s.kill})
		if err == nil {
			t.Fatal("the server answered after it was killed")
		}
	}
	left, err := filepath.Glob(filepath.Join(data, "upload-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	log, err := jetstream.Open(within(t), jetstream.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for i, digest := range digests {
		if err := log.Documents().Check(context.Background(), digest); err != nil &&
			!errors.Is(err, eventstore.ErrDocumentMissing) {
			t.Errorf("document %d: %v", i, err)
		}
		if _, err := log.Documents().Put(within(t), digest, "application/pdf", bytes.NewReader(paper(size+i))); err != nil {
			t.Errorf("document %d cannot be handed in again: %v", i, err)
		}
	}
	if info, err := os.Stat(filepath.Join(data, "documents-kept")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info, err)
	}
}

func TestPackWithDocuments(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	demonstrated(t, data)
	s := startServer(t, data)
	officer := s.client(t, data, "officer", "")
	text := paper(300_000)
	digest := eventstore.Digest(sha256.Sum256(text)).String()
	if err := officer.handIn(t, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(within(t), "/v1/labs/"+demoLab(5).String()+"/set-discipline", "", lab.SetDiscipline{
		Grounds: domain.Grounds{Reason: "as signed", Basis: domain.Basis{Document: "1号", Digest: digest}}, Discipline: domain.T("地震工程", "Earthquake engineering"),
	}); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	for _, c := range []struct {
		flags []string
		want  string
	}{{nil, "the contents of 0 are here"}, {[]string{"--documents"}, "the contents of 1 are here"}} {
		pack := filepath.Join(t.TempDir(), "lab.zip")
		output(t, append([]string{"audit", "export", "--data", data, "--lab", demoLab(5).String(), pack}, c.flags...)...)
		if said := output(t, "audit", "verify", pack); !strings.Contains(said, c.want) {
			t.Errorf("%v: %s", c.flags, said)
		}
	}
}
