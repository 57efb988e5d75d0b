package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

// today is the instant at which the tests take place.
var today = time.Date(2024, 6, 3, 4, 0, 0, 0, time.UTC)

func clock() time.Time { return today }

// TestMain lets the heap grow, since each test starts a short-lived server.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// world is a server on a real store, reached over HTTP.
type world struct {
	testing.TB
	url      string
	server   *api.Server
	key      ed25519.PrivateKey
	signer   *api.Signer
	verifier *api.Verifier
	log      *jetstream.Ledger
	model    *projections.Model
	ahead    atomic.Int64 // offset of the server's clock from today, in nanoseconds
	logged   *logged
	dir      string // of the data
	spool    string // of unfinished uploads
	proof    *audit.Log

	deliverer *webhooks.Dispatcher // to webhooks; deliver runs it

	config   string    // the options that the OpenAPI document depends on; "": unknown
	reading  sync.Once // by asDocumented, of contract
	contract *contract
}

// clock returns the time of the server, by which tokens are issued, too.
func (w *world) clock() time.Time { return clock().Add(time.Duration(w.ahead.Load())) }

// logged is the log of the server so far.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text.Bytes())
}

func (l *logged) String() string { return string(l.bytes()) }

func newWorld(t testing.TB, change ...func(*api.Config)) *world {
	t.Helper()
	return newWorldOn(t, "", change...)
}

// newWorldOn returns a world whose ledger is on an external NATS server.
func newWorldOn(t testing.TB, url string, change ...func(*api.Config)) *world {
	t.Helper()
	dir, spool := t.TempDir(), t.TempDir()
	log, err := jetstream.Open(t.Context(), jetstream.Config{Dir: filepath.Join(dir, "store"), NATS: url})
	if err != nil {
		t.Fatal(err)
	}
	model, err := projections.Open(t.Context(), filepath.Join(dir, "model.db"), log, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); model.Run(ctx) }()

	proof, err := audit.Open(audit.Config{Dir: dir, Ledger: log, Alone: true, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	proved := make(chan struct{})
	go func() { defer close(proved); proof.Run(ctx) }()

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, key: private, verifier: api.NewVerifier(public), log: log, model: model, proof: proof,
		logged: &logged{}, dir: dir, spool: spool}
	w.signer = api.NewSigner(private, w.clock)
	cfg := api.Config{Logger: slog.New(slog.NewTextHandler(w.logged, nil)), Patience: 20 * time.Second,
		Documents: log.Documents(),
		Persons:   log.Persons(),
		Spool:     spool,
		Log:       proof,
		Streams:   log,
		Backup:    log.Backup()}
	begun := time.Now()
	w.deliverer = webhooks.New(log, log, webhooks.Registry{Facts: model.LabFacts, Sees: model.CanRead}, webhookKey,
		webhooks.Config{
			Policy:  webhooks.Policy{AllowHTTP: true, AllowPrivate: true},
			MinWait: 10 * time.Millisecond,
			MaxWait: time.Second,
			Logger:  cfg.Logger,
			Now:     func() time.Time { return today.Add(time.Since(begun)) },
		})
	cfg.Webhooks = w.deliverer
	for _, c := range change {
		c(&cfg)
	}
	w.config = fmt.Sprintf("version %q, open %t, documents %t of %d", cfg.Version, cfg.AnonymousRead,
		cfg.Documents != nil, cfg.DocumentLimit)
	w.server = api.New(log, log, model, w.verifier, w.clock, cfg)
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = w.server.HTTPServer("")
	srv.Start()
	w.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		stop()
		<-stopped
		<-proved
		if err := proof.Close(); err != nil {
			t.Error(err)
		}
		if err := model.Close(); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// as returns a token for a role, acting for an entity if one is given.
func (w *world) as(role domain.Role, entity ...string) string {
	w.Helper()
	c := api.Claims{Subject: string(role) + "@example.org", Role: role}
	if len(entity) > 0 {
		c.Entity = uuid.MustParse(entity[0])
	}
	token, err := w.signer.Issue(c, time.Hour)
	if err != nil {
		w.Fatal(err)
	}
	return token
}

func (w *world) head() eventstore.Position {
	w.Helper()
	head, err := w.log.Head(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return head
}

// response is an answer with its body.
type response struct {
	*http.Response
	text string
	body map[string]any
}

// at returns the value at a path of member names and indices: items.0.id.
func (r response) at(path string) any {
	var v any = r.body
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i := int(step[0] - '0')
			if len(step) != 1 || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r response) str(path string) string { s, _ := r.at(path).(string); return s }

// send makes a request and returns the answer; headers are name: value.
func (w *world) send(method, path, token, body string, headers ...string) response {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return w.do(req)
}

// do sends a request and returns the answer, which must conform to the OpenAPI
// document.
func (w *world) do(req *http.Request) response {
	w.Helper()
	r := w.fetch(req)
	w.asDocumented(req, r)
	return r
}

func (w *world) fetch(req *http.Request) response {
	w.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	r := response{Response: res, text: string(text)}
	if media := res.Header.Get("Content-Type"); strings.Contains(media, "json") && media != "application/x-ndjson" {
		if err := json.Unmarshal(text, &r.body); err != nil {
			w.Fatalf("%s %s: %v in %s", req.Method, req.URL.Path, err, text)
		}
	}
	return r
}

// contract is an OpenAPI document with a router that finds operations.
type contract struct {
	document *openapi3.T
	routes   *http.ServeMux
}

// contracts caches contracts by configuration and by text, since they are slow to make.
var contracts sync.Map // string to *contract

// answered counts the answers by test, operation and status. Only the first few are
// validated, since that is slow, too.
var answered sync.Map

const manyAnswers = 25

// asDocumented fails the test unless an answer conforms to the OpenAPI document.
func (w *world) asDocumented(req *http.Request, r response) {
	w.Helper()
	w.reading.Do(func() {
		if known, ok := contracts.Load(w.config); ok && w.config != "" {
			w.contract = known.(*contract)
			return
		}
		defer func() { contracts.Store(w.config, w.contract) }()
		asking, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.url+"/openapi.json", nil)
		if err != nil {
			w.Fatal(err)
		}
		text := w.fetch(asking).text
		if known, ok := contracts.Load(text); ok {
			w.contract = known.(*contract)
			return
		}
		w.contract = &contract{routes: http.NewServeMux()}
		if w.contract.document, err = openapi3.NewLoader().LoadFromData([]byte(text)); err != nil {
			w.Fatal(err)
		}
		for path, item := range w.contract.document.Paths.Map() {
			for method := range item.Operations() {
				w.contract.routes.HandleFunc(method+" "+path, func(http.ResponseWriter, *http.Request) {})
			}
		}
		contracts.Store(text, w.contract)
	})
	_, pattern := w.contract.routes.Handler(req)
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || req.Method != method {
		return // not in the document
	}
	seen, _ := answered.LoadOrStore(fmt.Sprint(w.Name(), pattern, r.StatusCode), new(atomic.Int32))
	if seen.(*atomic.Int32).Add(1) > manyAnswers {
		return
	}
	if fault := undocumented(w.contract.document, method, path, r.Response, []byte(r.text)); fault != "" {
		w.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, r.Status, fault)
	}
}

func (w *world) post(path, token, body string, headers ...string) response {
	w.Helper()
	return w.send(http.MethodPost, path, token, body, headers...)
}

func (w *world) get(path, token string, headers ...string) response {
	w.Helper()
	return w.send(http.MethodGet, path, token, "", headers...)
}

// done posts a command that must succeed and returns the answer.
func (w *world) done(path, token, body string, headers ...string) response {
	w.Helper()
	r := w.post(path, token, body, headers...)
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusCreated {
		w.Fatalf("POST %s: %s\n%s", path, r.Status, r.text)
	}
	return r
}

// digest is the digest of a document that does not exist.
const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

const chineseUniversity = `{"kind":"university","country":"CN",
	"names":[{"text":"清华大学","lang":"zh","kind":"official"},{"text":"Tsinghua University","lang":"en","kind":"official"}],
	"identifiers":[{"scheme":"USCC","value":"12100000400000624D","source":"certificate"}]}`

const foreignInstitute = `{"kind":"research-institute","country":"DE",
	"names":[{"text":"Forschungszentrum Jülich","lang":"de","kind":"official"},
		{"text":"Jülich Research Centre","lang":"en","kind":"official"}],
	"identifiers":[{"scheme":"ROR","value":"https://ror.org/02nv7yv05","source":"ror.org"}]}`

// parties registers a host and a partner and returns their ids.
func (w *world) parties() (host, partner string) {
	w.Helper()
	officer := w.as(domain.Officer)
	return w.done("/v1/entities", officer, chineseUniversity).str("id"),
		w.done("/v1/entities", officer, foreignInstitute).str("id")
}

func proposal(host string) string {
	return `{"level":"ministry","host":"` + host + `","names":[
		{"text":"环境国际合作联合实验室","lang":"zh","kind":"official"},
		{"text":"Joint International Research Laboratory of the Environment","lang":"en","kind":"official"}]}`
}

func agreement(host, partner string) string {
	return `{"title":{"zh":"共建协议","en":"Agreement"},"class":"substantive","term":{"from":"2020-01-01","to":"2029-12-31"},
		"parties":[{"entity":"` + host + `","role":"host"},{"entity":"` + partner + `","role":"partner"}],
		"documents":[{"lang":"zh","digest":"` + digest + `"}]}`
}

func signature(party, on string) string {
	return `{"agreement":"A1","party":"` + party + `","representative":{"name":"王校长"},"on":"` + on + `","document":"` + digest + `"}`
}

// incubating returns a lab with a signed agreement whose incubation began on a day.
func (w *world) incubating(host, partner, on string) (lab string) {
	w.Helper()
	h, p := w.as(domain.Host, host), w.as(domain.Partner, partner)
	lab = w.done("/v1/labs", h, proposal(host)).str("id")
	w.done("/v1/labs/"+lab+"/draft-agreement", h, agreement(host, partner))
	w.done("/v1/labs/"+lab+"/sign-agreement", h, signature(host, "2020-01-10"))
	w.done("/v1/labs/"+lab+"/sign-agreement", p, signature(partner, "2020-01-12"))
	w.done("/v1/labs/"+lab+"/start-incubation", h, `{"on":"`+on+`"}`)
	return lab
}
