package api_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

const pdf = "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"

func digestIs(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// zipped returns a ZIP file with entries of those names.
func zipped(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		f, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("<x/>"))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDocumentRoundTrip(t *testing.T) {
	w := newWorld(t)
	host, _ := w.parties()
	h, auditor := w.as(domain.Host, host), w.as(domain.Auditor)
	r := w.send(http.MethodPut, "/v1/documents", h, pdf)
	at := "/v1/documents/" + digestIs(pdf)
	if r.StatusCode != 201 || r.Header.Get("Location") != at || r.str("digest") != digestIs(pdf) ||
		r.str("type") != "application/pdf" ||
		r.at("size") != float64(len(pdf)) || r.at("held") != false {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	if r := w.send(http.MethodPut, at, h, pdf); r.StatusCode != 200 || r.at("held") != true {
		t.Errorf("again: %s %s", r.Status, r.text)
	}
	for method, body := range map[string]string{http.MethodGet: pdf, http.MethodHead: ""} {
		r := w.send(method, at, auditor, "")
		for name, want := range map[string]string{
			"Content-Type": "application/pdf", "Content-Length": fmt.Sprint(len(pdf)),
			"X-Content-Type-Options": "nosniff", "ETag": `"` + digestIs(pdf) + `"`,
			"Content-Disposition":     `attachment; filename="` + strings.TrimPrefix(digestIs(pdf), "sha256:") + `"`,
			"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
		if r.StatusCode != 200 || r.text != body {
			t.Errorf("%s: %s %q", method, r.Status, r.text)
		}
	}
	if r := w.get(at, auditor, `If-None-Match: "`+digestIs(pdf)+`"`); r.StatusCode != 304 || r.text != "" {
		t.Errorf("%s %q", r.Status, r.text)
	}
	if left, err := os.ReadDir(w.spool); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestDocumentMediaTypes(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.DocumentLimit = 100_000 })
	officer := w.as(domain.Officer)
	sum := sha256.Sum256([]byte(pdf))
	stated := base64.StdEncoding.EncodeToString(sum[:])
	for what, test := range map[string]struct {
		body   string
		header string
		status int
		want   string // type or code
	}{
		"stated, RFC 9530": {pdf, "Content-Digest: sha-512=:AAAA:, sha-256=:" + stated + ":", 201,
			"application/pdf"},
		"stated, RFC 3230":           {pdf, "Digest: SHA-256=" + stated, 200, "application/pdf"},
		"stated otherwise":           {pdf + "x", "Repr-Digest: sha-256=:" + stated + ":", 422, "digest-mismatch"},
		"stated badly":               {pdf, "Content-Digest: sha-256=:x:", 400, "invalid-parameter"},
		"by another algorithm alone": {pdf, "Content-Digest: sha-512=:AAAA:", 400, "invalid-parameter"},
		"called a page":              {"%PDF-1.4 second", "Content-Type: text/html", 201, "application/pdf"},
		"compressed":                 {pdf, "Content-Encoding: gzip", 400, "invalid-parameter"},
		"PNG":                        {"\x89PNG\r\n\x1a\n", "", 201, "image/png"},
		"JPEG":                       {"\xff\xd8\xff\xe0", "", 201, "image/jpeg"},
		"TIFF":                       {"II*\x00rest", "", 201, "image/tiff"},
		"Chinese text":               {strings.Repeat("共建协议，甲乙双方。", 200), "", 201, "text/plain"},
		"XML":                        {`<?xml version="1.0"?><agreement/>`, "", 201, "text/xml"},
		"OFD":                        {zipped(t, "OFD.xml", "Doc_0/Document.xml"), "", 201, "application/ofd"},
		"DOCX": {zipped(t, "[Content_Types].xml", "word/document.xml"), "", 201,
			"application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"a document with macros": {zipped(t, "word/document.xml", "word/vbaProject.bin"), "", 415,
			"document-type-refused"},
		"an archive of anything": {zipped(t, "a.exe"), "", 415, "document-type-refused"},
		"a page": {"<!doctype html><p>x", "Content-Type: application/pdf", 415,
			"document-type-refused"},
		"a page further down": {"hello <script>alert(1)</script>", "", 415, "document-type-refused"},
		"SVG": {`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "", 415,
			"document-type-refused"},
		"a program":                   {"\x7fELF\x02\x01\x01", "", 415, "document-type-refused"},
		"a Windows program":           {"MZ\x90\x00\x03", "", 415, "document-type-refused"},
		"a script":                    {"#!/bin/sh\nrm -rf /\n", "", 415, "document-type-refused"},
		"text in another encoding":    {"\xb9\xb2\xbd\xa8\xd0\xad\xd2\xe9", "", 415, "document-type-refused"},
		"nothing":                     {"", "", 400, "malformed-body"},
		"as large as is taken":        {pdf + strings.Repeat(" ", 100_000-len(pdf)), "", 201, "application/pdf"},
		"larger, and it is said":      {pdf + strings.Repeat(" ", 100_001-len(pdf)), "", 413, "document-too-large"},
		"larger, and nothing is said": {pdf + strings.Repeat(" ", 200_000), "chunked", 413, "document-too-large"},
	} {
		req, err := http.NewRequest(http.MethodPut, w.url+"/v1/documents", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if test.header == "chunked" {
			req.ContentLength, req.Body = -1, io.NopCloser(strings.NewReader(test.body))
		} else if name, value, ok := strings.Cut(test.header, ": "); ok {
			req.Header.Set(name, value)
		}
		req.Header.Set("Authorization", "Bearer "+officer)
		r := w.do(req)
		// Tests run in any order: one of two uploads of the same bytes finds the other's.
		if r.StatusCode != test.status && !(r.StatusCode <= 201 && test.status <= 201) ||
			r.str("type") != test.want && r.str("code") != test.want {
			t.Errorf("%s: %s %s", what, r.Status, r.text)
		}
		if r.StatusCode > 201 && w.get("/v1/documents/"+digestIs(test.body), officer).StatusCode == 200 &&
			test.body != pdf {
			t.Errorf("%s was refused and is held", what)
		}
	}
	if r := w.send(http.MethodPut, "/v1/documents/"+digestIs("another"), officer,
		pdf); r.str("code") != "digest-mismatch" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	for who, status := range map[string]int{"": 401, w.as(domain.Auditor): 403} {
		if r := w.send(http.MethodPut, "/v1/documents", who, pdf); r.StatusCode != status {
			t.Errorf("%s %s", r.Status, r.text)
		}
	}
	if r := w.get("/v1/documents/"+digestIs("nothing"), officer); r.StatusCode != 404 ||
		r.str("code") != "document-missing" {
		t.Errorf("%s %s", r.Status, r.text)
	}
}

func TestAbortedUploadLeavesNothing(t *testing.T) {
	w := newWorld(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c,
		"PUT /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 500000\r\n\r\n%s",
		w.as(domain.Officer), pdf)
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(5 * time.Minute))
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "upload-broken-off") {
		t.Fatalf("%s %v", answer, err)
	}
	c.Close()
	if left, err := os.ReadDir(w.spool); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if r := w.get("/v1/documents/"+digestIs(pdf), w.as(domain.Officer)); r.StatusCode != 404 {
		t.Errorf("%s %s", r.Status, r.text)
	}
}

func TestAbortedDownloadIsNoError(t *testing.T) {
	said := &logged{}
	w := newWorld(t, func(c *api.Config) {
		c.Logger = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	officer, large := w.as(domain.Officer), pdf+strings.Repeat(" ", 16<<20)
	if r := w.send(http.MethodPut, "/v1/documents", officer, large); r.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	srv := httptest.NewServer(w.server)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /v1/documents/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", digestIs(large),
		officer)
	if _, err := io.ReadFull(c, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	srv.Close() // once all requests have ended
	if log := said.String(); !strings.Contains(log, "broken_off") || strings.Contains(log, "level=ERROR") {
		t.Error(log)
	}
}

// outsideNATS runs a separate NATS server, so that a test can damage its buckets.
func outsideNATS(t *testing.T) (url string, bucket func(string) natsjs.ObjectStore) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true,
		StoreDir: t.TempDir(), NoSigs: true, NoLog: true, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(5 * time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); s.Shutdown(); s.WaitForShutdown() })
	js, err := natsjs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return s.ClientURL(), func(name string) natsjs.ObjectStore {
		b, err := js.ObjectStore(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestDamagedDocumentsReported(t *testing.T) {
	url, bucketOf := outsideNATS(t)
	w := newWorldOn(t, url)
	lab, host := correctedLab(w) // refers to digest
	auditor, h := w.as(domain.Auditor), w.as(domain.Host, host)
	for _, body := range []string{pdf, pdf + "2"} {
		w.send(http.MethodPut, "/v1/documents", h, body)
		w.done("/v1/labs/"+lab+"/set-discipline", h, `{"discipline":{"zh":"学科`+fmt.Sprint(len(body))+`"},"basis":{"document":"校发〔2024〕4号","digest":"`+digestIs(body)+`"}}`)
	}
	changed := digestIs(pdf + "2")
	if _, err := bucketOf("jointlab-documents").PutBytes(context.Background(), strings.TrimPrefix(changed, "sha256:"),
		[]byte("forged")); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{digest: "missing", digestIs(pdf): "held", changed: "changed"}
	for _, state := range []string{"held", "missing", "changed"} {
		r := w.get("/v1/documents?state="+state, auditor)
		if r.StatusCode != 200 || r.at("examined") != 3.0 || states[r.str("items.0.digest")] != state ||
			r.str("items.0.state") != state || r.at("items.1") != nil {
			t.Errorf("%s: %s", state, r.text)
		}
		events := w.get("/v1/events?limit=500&order=oldest&basis="+r.str("items.0.digest"), auditor)
		if events.at("total") != r.at("items.0.events") || events.at("items.0.position") != r.at("items.0.first.0") {
			t.Errorf("%s: %s\n%s", state, r.text, events.text)
		}
	}
	seen, path := map[string]string{}, "/v1/documents?limit=1"
	for cursor := ""; ; {
		r := w.get(path+cursor, auditor)
		seen[r.str("items.0.digest")] = r.str("items.0.state")
		if r.str("next") == "" {
			break
		}
		cursor = "&cursor=" + r.str("next")
	}
	if len(seen) != 3 || seen[digest] != "missing" || seen[changed] != "changed" {
		t.Errorf("page by page: %v", seen)
	}
	if r := w.get("/v1/documents/"+changed, auditor); r.StatusCode != 409 || r.str("code") != "document-changed" ||
		r.Header.Get("ETag") != "" {
		t.Errorf("%s %s %v", r.Status, r.text, r.Header)
	}
	history := w.get("/v1/labs/"+lab+"/history?type=lab.record.discipline-set.v1&order=oldest", auditor)
	if history.at("items.0.basis_held") != false || history.at("items.1.basis_held") != true {
		t.Errorf("%s", history.text)
	}
	if r := w.send(http.MethodPut, "/v1/documents", h, pdf+"2"); r.StatusCode != 201 ||
		w.get("/v1/documents/"+changed, auditor).text != pdf+"2" {
		t.Errorf("the genuine document does not mend it: %s", r.text)
	}
}
