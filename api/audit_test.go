package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/audit/audittest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
	"github.com/jointlab/jointlab/projections"
)

// logServer serves the log of a ledger with that number of public, empty events.
func logServer(t *testing.T, events int) (url string, log *audit.Log) {
	t.Helper()
	dir := t.TempDir()
	ledger, err := jetstream.Open(t.Context(), jetstream.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for left := events; left > 0; left -= 1000 {
		var some []eventstore.Pending
		for i := range min(left, 1000) {
			some = append(some, eventstore.Pending{ID: uuid.New(), Type: "t",
				Body: fmt.Appendf(nil,
					`{"n":%d,"source":"/entities/00000000-0000-0000-0000-000000000000","type":"entity.registered.v1"}`,
					left-i)})
		}
		if _, err := ledger.Append(t.Context(), storetest.NewStream(), eventstore.Version{}, some); err != nil {
			t.Fatal(err)
		}
	}
	if log, err = audit.Open(audit.Config{Dir: dir, Ledger: ledger, Origin: "register.example.org/log",
		Alone: true}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); log.Run(ctx) }()
	server := api.New(ledger, ledger, &projections.Model{}, api.NewVerifier(), time.Now,
		api.Config{Log: log, AnonymousRead: true})
	srv := httptest.NewServer(server)
	t.Cleanup(func() {
		srv.Close()
		stop()
		<-ended
		log.Close()
		ledger.Close()
	})
	if _, err := log.Wait(t.Context(), int64(events)); err != nil {
		t.Fatal(err)
	}
	return srv.URL, log
}

func unhex(t *testing.T, s string) (h audittest.Hash) {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		t.Fatalf("%q is no hash", s)
	}
	return audittest.Hash(b)
}

func TestIndependentVerifierAcceptsLog(t *testing.T) {
	const events = 66_000 // tiles of three levels
	url, _ := logServer(t, events)
	w := &world{TB: t, url: url}
	key, err := audittest.ParseKey(w.get("/v1/audit/key", "").str("key"))
	if err != nil {
		t.Fatal(err)
	}
	c, by, err := audittest.OpenCheckpoint([]byte(w.get("/log/checkpoint", "").text), key)
	if err != nil || c.Size != events || c.Origin != "register.example.org/log" || len(by) != 1 {
		t.Fatal(c, by, err)
	}
	if err := audittest.CheckTiles(c.Size, c.Root, func(path string) ([]byte, error) {
		res, err := http.Get(url + "/log/" + path)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		immutable := strings.Contains(res.Header.Get("Cache-Control"), "immutable")
		if res.StatusCode != http.StatusOK || immutable == strings.Contains(path, ".p/") {
			return nil, fmt.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
		return io.ReadAll(res.Body)
	}); err != nil {
		t.Error(err)
	}
	for _, at := range []int64{1, 2, 255, 256, 257, 65_536, 65_537, 65_999, 66_000} {
		for _, size := range []int64{at, at + 1, 65_536, events} {
			if size < at || size > events {
				continue
			}
			r := w.get(fmt.Sprintf("/v1/audit/proof?position=%d&size=%d", at, size), "")
			if r.StatusCode != http.StatusOK {
				t.Fatal(r.Status, r.text)
			}
			body := sha256.Sum256([]byte(w.get(fmt.Sprintf("/v1/events/%d", at), "").text))
			if unhex(t, r.str("entry")) != body {
				t.Fatalf("the entry of position %d is not the hash of its bytes", at)
			}
			leaf, root := audittest.LeafHash(body), unhex(t, r.str("root"))
			var path []audittest.Hash
			var also [][]byte
			sum := leaf
			for _, step := range r.at("path").([]any) {
				if left, ok := step.(map[string]any)["left"].(string); ok {
					path = append(path, unhex(t, left))
					sum = audittest.NodeHash(unhex(t, left), sum)
				} else {
					right := step.(map[string]any)["right"].(string)
					path = append(path, unhex(t, right))
					sum = audittest.NodeHash(sum, unhex(t, right))
				}
				also = append(also, path[len(path)-1][:])
			}
			if !audittest.Included(leaf, at-1, size, path, root) || sum != root || size == events && root != c.Root {
				t.Errorf("position %d in %d is not proved: %s", at, size, r.text)
			}
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(at-1), uint64(size), leaf[:], also,
				root[:]); err != nil {
				t.Errorf("position %d in %d: %v", at, size, err)
			}
			if r = w.get(fmt.Sprintf("/v1/audit/consistency?from=%d&to=%d", at, size),
				""); r.StatusCode != http.StatusOK {
				t.Fatal(r.Status, r.text)
			}
			path, also = nil, nil
			for _, h := range r.at("path").([]any) {
				path = append(path, unhex(t, h.(string)))
				also = append(also, path[len(path)-1][:])
			}
			from, to := unhex(t, r.str("from_root")), unhex(t, r.str("to_root"))
			if !audittest.Consistent(at, size, from, to, path) || to != root {
				t.Errorf("%d to %d is not proved: %s", at, size, r.text)
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(at), uint64(size), also, from[:],
				to[:]); err != nil {
				t.Errorf("%d to %d: %v", at, size, err)
			}
		}
	}
	for _, path := range []string{
		"0/258", "0/257.p/209", "0/257", "1/001", "1/001.p/2", "3/000", "entries/258", "0/0", "0/000.p/0",
		"0/000.p/256", "00/000", "0/x000/000", "0/000.p/01", "-1/000", "0/000/", "64/000",
	} {
		if r := w.get("/log/tile/"+path, ""); r.StatusCode != http.StatusNotFound || r.str("code") != "not-found" {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
	if r := w.get("/log/tile/0/257.p/7", ""); r.StatusCode != http.StatusOK || len(r.text) != 7*32 {
		t.Errorf("an earlier partial tile: %s", r.Status)
	}
}

func TestProofBeyondLogIsRefused(t *testing.T) {
	url, _ := logServer(t, 5)
	w := &world{TB: t, url: url}
	for path, status := range map[string]int{
		"/v1/audit/proof?position=6":            404,
		"/v1/audit/proof?position=2&size=6":     404,
		"/v1/audit/proof?position=4&size=3":     404,
		"/v1/audit/consistency?from=1&to=6":     404,
		"/v1/audit/consistency?from=4&to=3":     404,
		"/v1/audit/proof":                       400,
		"/v1/audit/proof?position=0":            400,
		"/v1/audit/proof?position=1&size=0":     400,
		"/v1/audit/consistency?from=-1":         400,
		"/v1/audit/proof?position=1&sise=2":     400,
		"/v1/audit/consistency?from=0&to=5":     200,
		"/v1/audit/consistency?from=5":          200,
		"/v1/audit/checkpoint":                  200,
		"/v1/audit/proof?position=5&size=5":     200,
		"/v1/audit/proof?position=1&position=1": 400,
	} {
		r := w.get(path, "")
		if r.StatusCode != status || status >= 400 &&
			(r.str("detail") == "" || r.str("detail_zh") == "" || r.str("detail") == r.str("detail_zh")) {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
}

func TestProofAfterAppend(t *testing.T) {
	w := newWorld(t)
	w.parties()
	auditor := w.as(domain.Auditor)
	for range 20 {
		w.done("/v1/entities", w.as(domain.Officer), `{"kind":"university","country":"CN","names":[{"text":"示例大学","lang":"zh","kind":"official"}]}`)
		at := uint64(w.head())
		if r := w.get(fmt.Sprintf("/v1/audit/proof?position=%d", at), auditor); r.StatusCode != http.StatusOK ||
			r.at("position") != float64(at) {
			t.Fatal(r.Status, r.text)
		}
	}
	if r := w.get("/v1/audit/checkpoint", ""); r.StatusCode != http.StatusUnauthorized {
		t.Error(r.Status)
	}
	if r := w.get("/log/checkpoint", ""); r.StatusCode != http.StatusOK {
		t.Error("the log is not open to all: ", r.Status)
	}
}

func TestWitnessesCosignOverHTTP(t *testing.T) {
	witness, vkey := audittest.NewWitness("witness.example.org")
	known, err := audit.ParseWitnesses(vkey)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *api.Config) {
		log, err := audit.Open(audit.Config{Dir: t.TempDir(), Ledger: &emptyLedger{}, Witnesses: known})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); log.Run(ctx) }()
		t.Cleanup(func() { stop(); <-ended; log.Close() })
		c.Log, c.AnonymousRead = log, true
	})
	note := w.get("/log/checkpoint", "").text
	if r := w.post("/log/cosignatures", "", note); r.StatusCode != http.StatusUnprocessableEntity ||
		r.str("code") != "invalid-input" {
		t.Error(r.Status, r.text)
	}
	if r := w.post("/log/cosignatures", "", strings.Repeat(note,
		2000)); r.StatusCode != http.StatusUnprocessableEntity {
		t.Error(r.Status, r.text)
	}
	if r := w.post("/log/cosignatures", "", string(witness.Cosign([]byte(note),
		1700000000))); r.StatusCode != http.StatusNoContent {
		t.Error(r.Status, r.text)
	}
	logKey, err := audittest.ParseKey(w.get("/v1/audit/key", "").str("key"))
	if err != nil {
		t.Fatal(err)
	}
	witnessKey, err := audittest.ParseKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	shown := w.get("/log/checkpoint", "").text
	if _, by, err := audittest.OpenCheckpoint([]byte(shown), logKey, witnessKey); err != nil || len(by) != 2 {
		t.Error(by, err, shown)
	}
	if r := w.get("/v1/audit/checkpoint", ""); r.str("note") != shown || r.str("cosigned.note") != shown {
		t.Error(r.text)
	}
}

// emptyLedger is a ledger without events.
type emptyLedger struct{}

func (emptyLedger) Head(context.Context) (eventstore.Position, error) { return 0, nil }

func (emptyLedger) Follow(ctx context.Context, _ eventstore.Position, _ func([]eventstore.Recorded) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func (emptyLedger) Read(context.Context, eventstore.Position, eventstore.Position,
	func([]eventstore.Recorded) error) error {
	return nil
}

func TestReadyzReportsUnsignedLog(t *testing.T) {
	w := newWorld(t)
	w.parties()
	head := int64(w.head())
	if _, err := w.proof.Wait(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if r := w.get("/readyz", ""); r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, r.text)
	}
	// The same log over a ledger that has lost all events: the checkpoint stays.
	dir := t.TempDir()
	log, err := audit.Open(audit.Config{Dir: dir, Ledger: w.log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	if _, err := log.Wait(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	stop()
	<-ended
	log.Close()
	if log, err = audit.Open(audit.Config{Dir: dir, Ledger: emptyLedger{}}); err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.Run(t.Context()); err == nil {
		t.Fatal("it goes on")
	}
	other := newWorld(t, func(c *api.Config) { c.Log = log })
	r := other.get("/readyz", "")
	if r.StatusCode != http.StatusServiceUnavailable || r.str("errors.0.path") != "log" ||
		!strings.Contains(r.text, "position 1") {
		t.Error(r.Status, r.text)
	}
	if r := other.get("/log/checkpoint", ""); r.StatusCode != http.StatusOK {
		t.Error("reading has stopped too: ", r.Status)
	}
}

func TestPackVerifiesOffline(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-06-01")
	auditor := w.as(domain.Auditor)
	id := strings.TrimPrefix(s.at, "/v1/labs/")
	for _, path := range []string{"/v1/audit/pack", "/v1/audit/pack?lab=" + id,
		"/v1/audit/pack?from=2024-06-01&to=2024-06-30&documents=true"} {
		r := w.get(path, auditor)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%s: %s %s", path, r.Status, r.text)
		}
		v, err := audit.Verify(strings.NewReader(r.text), int64(len(r.text)), audit.Trust{Key: w.proof.Key()})
		if err != nil || v.Manifest.Events == 0 {
			t.Errorf("%s: %v, %+v", path, err, v)
		}
	}
	for path, status := range map[string]int{"/v1/audit/pack": 403, "/v1/audit/pack?from=2024-06-01&to=2024-06-30": 403,
		"/v1/audit/pack?lab=" + id: 200} {
		if r := w.get(path, w.as(domain.Agency)); r.StatusCode != status {
			t.Errorf("%s for an agency: %s, want %d: keys and webhooks are not for it", path, r.Status, status)
		}
	}
	for _, path := range []string{"/v1/audit/pack?lab=" + id + "&from=2024-06-01&to=2024-06-30",
		"/v1/audit/pack?from=2024-06-01", "/v1/audit/pack?from=2024-06-02&to=2024-06-01"} {
		if r := w.get(path, auditor); r.StatusCode != 400 || r.str("detail_zh") == "" {
			t.Errorf("%s: %s %s", path, r.Status, r.text)
		}
	}
	if r := w.get("/v1/audit/pack?from=1999-01-01&to=1999-12-31", auditor); r.StatusCode != 404 ||
		!strings.Contains(r.text, "nothing was recorded from 1999-01-01 to 1999-12-31") {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := w.get("/v1/audit/pack?lab="+uuid.NewString(), auditor); r.StatusCode != 404 {
		t.Errorf("a lab nobody knows: %s", r.Status)
	}
}
