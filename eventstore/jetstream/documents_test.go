package jetstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

// pages gives n bytes that do not repeat from chunk to chunk.
func pages(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i/chunkBytes + i>>8)
	}
	return b
}

func put(t *testing.T, d *Documents, body []byte) eventstore.Digest {
	t.Helper()
	digest := eventstore.Digest(sha256.Sum256(body))
	if before, err := d.Put(t.Context(), digest, "application/pdf", bytes.NewReader(body)); err != nil || before {
		t.Fatal(before, err)
	}
	return digest
}

func TestDocumentRoundTrip(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	d := l.Documents()
	unknown := eventstore.Digest{1}
	if _, err := d.Stat(t.Context(), unknown); !errors.Is(err, eventstore.ErrDocumentMissing) {
		t.Fatal(err)
	}
	for _, size := range []int{1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3*chunkBytes + 7} {
		body := pages(size)
		digest := put(t, d, body)
		if before, err := d.Put(t.Context(), digest, "application/pdf", bytes.NewReader(body)); err != nil || !before {
			t.Fatalf("%d bytes, again: %t, %v", size, before, err)
		}
		about, err := d.Stat(t.Context(), digest)
		if err != nil || about.Size != int64(size) || about.Type != "application/pdf" || about.Stored.IsZero() || about.Digest != digest {
			t.Fatalf("%+v, %v", about, err)
		}
		var got bytes.Buffer
		if err := d.Copy(t.Context(), digest, &got); err != nil || !bytes.Equal(got.Bytes(), body) {
			t.Fatalf("%d bytes: %d came back, %v", size, got.Len(), err)
		}
		bucket, err := l.js.ObjectStore(t.Context(), documentBucket)
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err := bucket.GetBytes(t.Context(), strings.TrimPrefix(digest.String(), "sha256:")); err != nil || !bytes.Equal(theirs, body) {
			t.Fatalf("%d bytes: the client's own object store gives %d: %v", size, len(theirs), err)
		}
	}
	digest := put(t, d, pages(50))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Documents().Check(t.Context(), digest); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
}

func TestDamagedDocumentIsReplaced(t *testing.T) {
	l := open(t, t.TempDir())
	d, body := l.Documents(), pages(3*chunkBytes)
	ctx := t.Context()
	bucket := func() natsjs.ObjectStore {
		b, err := l.js.ObjectStore(ctx, documentBucket)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	digest := put(t, d, body)
	name := strings.TrimPrefix(digest.String(), "sha256:")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, test := range map[string]struct {
		tamper func()
		want   error
	}{
		"other bytes under its name": {func() { _, err := bucket().PutBytes(ctx, name, pages(100)); must(err) }, eventstore.ErrDocumentChanged},
		"a part deleted": {func() {
			_, e, err := d.find(ctx, digest, false)
			must(err)
			m, err := d.chunk(ctx, d.stream, documentChunks+e.info.NUID, 1)
			must(err)
			must(d.stream.DeleteMsg(ctx, m.Sequence))
		}, eventstore.ErrDocumentChanged},
		"a part replaced": {func() {
			_, e, err := d.find(ctx, digest, false)
			must(err)
			m, err := d.chunk(ctx, d.stream, documentChunks+e.info.NUID, 1)
			must(err)
			must(d.stream.DeleteMsg(ctx, m.Sequence))
			m.Data[7] ^= 1
			_, err = l.js.Publish(ctx, documentChunks+e.info.NUID, m.Data)
			must(err)
		}, eventstore.ErrDocumentChanged},
		"all parts deleted": {func() {
			_, e, err := d.find(ctx, digest, false)
			must(err)
			must(d.stream.Purge(ctx, natsjs.WithPurgeSubject(documentChunks+e.info.NUID)))
		}, eventstore.ErrDocumentChanged},
		"an entry that is no JSON": {func() { _, err := l.js.Publish(ctx, metaSubject(digest), []byte("{")); must(err) }, eventstore.ErrDocumentChanged},
		"deleted":                  {func() { must(bucket().Delete(ctx, name)) }, eventstore.ErrDocumentMissing},
		"its entry gone":           {func() { must(d.stream.Purge(ctx, natsjs.WithPurgeSubject(metaSubject(digest)))) }, eventstore.ErrDocumentMissing},
	} {
		must(d.Check(ctx, digest))
		test.tamper()
		if err := d.Check(ctx, digest); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
		if before, err := d.Put(ctx, digest, "application/pdf", bytes.NewReader(body)); err != nil || before {
			t.Fatalf("%s: putting it in again: %t, %v", what, before, err)
		}
	}
	if info, err := d.stream.Info(ctx, natsjs.WithSubjectFilter(documentChunks+">")); err != nil || len(info.State.Subjects) != 1 {
		t.Errorf("parts of what was replaced are left: %v, %v", info.State.Subjects, err)
	}
}

func TestFailedUploadLeavesNothing(t *testing.T) {
	l := open(t, t.TempDir())
	d, body := l.Documents(), pages(5*chunkBytes)
	digest, broken := eventstore.Digest(sha256.Sum256(body)), errors.New("the line went dead")
	for what, r := range map[string]io.Reader{
		"an upload broken off": io.MultiReader(bytes.NewReader(body[:4*chunkBytes+1]), iotest.ErrReader(broken)),
		"other bytes":          bytes.NewReader(pages(chunkBytes + 1)),
		"too few":              bytes.NewReader(body[1:]),
	} {
		if _, err := d.Put(t.Context(), digest, "application/pdf", r); err == nil {
			t.Fatalf("%s is taken", what)
		}
		if _, err := d.Stat(t.Context(), digest); !errors.Is(err, eventstore.ErrDocumentMissing) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if info, err := d.stream.Info(t.Context()); err != nil || info.State.Msgs != 0 {
		t.Errorf("%d messages are left: %v", info.State.Msgs, err)
	}
}

func TestConcurrentUploadsKeepOne(t *testing.T) {
	l := open(t, t.TempDir())
	d, body := l.Documents(), pages(2*chunkBytes)
	digest := eventstore.Digest(sha256.Sum256(body))
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { _, errs[i] = d.Put(context.Background(), digest, "application/pdf", bytes.NewReader(body)) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := d.Check(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	if info, err := d.stream.Info(t.Context()); err != nil || info.State.Msgs != 3 {
		t.Errorf("one entry and two parts are %d messages: %v", info.State.Msgs, err)
	}
}

func TestMissingDocumentsStream(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	digest := put(t, l.Documents(), pages(10))
	stream := l.server.streamDir(documentStream)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []func() error{
		func() error { return os.Remove(filepath.Join(stream, "meta.inf")) }, // the engine no longer knows it
		func() error { return os.RemoveAll(stream) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir)
		if problems := l.Problems(); len(problems) > 0 {
			t.Error(problems)
		}
		_, err := l.Documents().Put(t.Context(), digest, "application/pdf", bytes.NewReader(pages(10)))
		if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("put: %v", err)
		}
		if _, err := l.Documents().Stat(t.Context(), digest); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("stat: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeDocumentStreams looks at what is reachable while 64 MiB are
// put in and read: the engine's caches of a few blocks, which it lets go of.
func TestLargeDocumentStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 64 MiB")
	}
	const size = 64 << 20
	d := open(t, t.TempDir()).Documents()
	put(t, d, pages(1)) // whatever is made once
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	sample := func(calls int) {
		if calls%64 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(m.HeapAlloc, before.HeapAlloc))
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, &counted{left: size}); err != nil {
		t.Fatal(err)
	}
	digest := eventstore.Digest(h.Sum(nil))
	if _, err := d.Put(t.Context(), digest, "application/pdf", &counted{left: size, sample: sample}); err != nil {
		t.Fatal(err)
	}
	if err := d.Copy(t.Context(), digest, &counted{sample: sample}); err != nil {
		t.Fatal(err)
	}
	t.Logf("at most %d bytes of %d", most, size)
	if most == 0 || most > size*3/4 {
		t.Errorf("a document of %d bytes takes %d", size, most)
	}
}

// counted is so many bytes, made as they are read; it also counts writes.
type counted struct {
	left   int
	calls  int
	sample func(int)
}

func (c *counted) step() {
	if c.calls++; c.sample != nil {
		c.sample(c.calls)
	}
}

func (c *counted) Read(p []byte) (int, error) {
	c.step()
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), c.left)
	for i := range n {
		p[i] = byte(c.left - i)
	}
	c.left -= n
	return n, nil
}

func (c *counted) Write(p []byte) (int, error) { c.step(); return len(p), nil }

func documentsOnCluster(t *testing.T, ledgers [3]*Ledger) {
	for n := range 12 {
		digest := put(t, ledgers[n%3].Documents(), pages(2*chunkBytes+n))
		for i := range ledgers {
			if err := ledgers[i].Documents().Check(t.Context(), digest); err != nil {
				t.Fatalf("put in through server %d, read through %d: %v", n%3, i, err)
			}
		}
	}
	if info, err := ledgers[0].js.Stream(t.Context(), documentStream); err != nil || info.CachedInfo().Config.Replicas != 3 {
		t.Errorf("documents are not kept on three servers: %v", err)
	}
}

func TestAbortedUploadIsListed(t *testing.T) {
	server := single(t, t.TempDir())
	direct := openOutside(t, Config{NATS: server})
	text := strings.Repeat("共建协议", 100_000)
	digest := eventstore.Digest(sha256.Sum256([]byte(text)))
	uploading, leave := context.WithCancel(t.Context())
	n, url := between(t, server)
	n.last.Store(&lastWords{[]byte(metaSubject(digest) + " "), leave})
	through := openOutside(t, Config{NATS: url})
	if _, err := through.Documents().Put(uploading, digest, "text/plain", strings.NewReader(text)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatal("its outcome is known:", err)
	}
	eventually(t, "the document is listed", func() bool {
		_, err := direct.Documents().Stat(t.Context(), digest)
		return !errors.Is(err, eventstore.ErrDocumentMissing)
	})
	if err := direct.Documents().Check(t.Context(), digest); err != nil {
		t.Error(err)
	}
}
