// Package api is the register's HTTP side: commands, queries and the trail, as
// resources with an OpenAPI document made from the same tables that serve them.
//
// The token alone identifies the caller. One table (access.go) lists the operations of
// each role. What a caller can read follows from that table and from the
// confidentiality of each part of a lab's record (shown.go, and readers.go of the read
// model). Every refusal is a problem (RFC 9457) that names, in Chinese and English,
// each reason and what the sender can do. No request gets an answer of 500 or above
// unless the store does not answer.
package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

// Config holds the options of a Server. Its zero value is valid.
type Config struct {
	Version       string           // of the program, for the OpenAPI document
	Logger        *slog.Logger     // nil: the default logger
	AnonymousRead bool             // public data is served without a token; a bad token is refused all the same
	Patience      time.Duration    // bound on waiting for the read model; 0: 5 seconds
	Problems      func() []string  // returns why the store cannot be written to; nil: it always can
	Streams       eventstore.Store // the ledger's own store, with positions, for packs; nil: no packs are served
	Backup        *audit.Backup    // the auxiliary content of a backup; nil: no backups are served
	Log           *audit.Log       // the Merkle log over the ledger; nil: no proofs are served
	Behind        func() []string  // returns why NATS subscribers lag behind the ledger; nil: they never do
	Limits        Limits           // of one caller

	// Observe is called for every answer but streams. The route has its placeholders,
	// and is empty if no route matched. nil: not called.
	Observe func(method, route string, status int, took time.Duration)

	Webhooks *webhooks.Dispatcher // delivers to webhooks; nil: this node does not

	StreamsPerCaller int           // open streams of one caller; 0: 16
	Heartbeat        time.Duration // interval of heartbeats on a quiet stream; 0: 15 seconds
	StreamPatience   time.Duration // bound on one write to a stream's client; 0: 10 seconds

	Persons *jetstream.Persons // the keys of persons; nil: persons can be neither named nor read

	Documents     *jetstream.Documents // the document store; nil: documents are not served
	DocumentLimit int64                // largest document, in bytes; 0: DefaultDocumentLimit
	Spool         string               // folder of unfinished uploads; "": os.TempDir
}

// Server answers HTTP requests. It holds no state that cannot be read back from the
// store. It is safe for concurrent use.
type Server struct {
	store      eventstore.Store
	ledger     eventstore.Ledger
	model      *projections.Model
	verifier   *Verifier
	limiter    *limiter
	now        func() time.Time
	cfg        Config
	log        *slog.Logger
	labs       *eventstore.Aggregates[*lab.Lab, lab.Event]
	entities   *eventstore.Aggregates[*entity.Entity, entity.Event]
	programmes *eventstore.Aggregates[*programme.Programme, programme.Event]
	webhooks   *eventstore.Aggregates[*webhook.Webhook, webhook.Event]
	keys       *eventstore.Aggregates[*key.Key, key.Event]
	persons    *eventstore.Aggregates[*person.Person, person.Event]
	aggregates map[string]aggregate
	tails      tails
	cutOff     atomic.Uint64   // streams whose clients did not read
	streaming  context.Context // ends with EndStreams
	endStreams context.CancelFunc

	mux              *http.ServeMux
	api              huma.API
	registry         huma.Registry
	correctionSchema *huma.Schema
	voidSchema       *huma.Schema
	openapi          func() []byte
}

// New returns a Server of the register in store, whose events are in ledger and are
// queried through model.
func New(store eventstore.Store, ledger eventstore.Ledger, model *projections.Model, verifier *Verifier,
	now func() time.Time, cfg Config) *Server {
	s := &Server{store: store, ledger: ledger, model: model, verifier: verifier, now: now, cfg: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.limiter = newLimiter(cfg.Limits, now)
	if s.cfg.Patience == 0 {
		s.cfg.Patience = 5 * time.Second
	}
	if s.cfg.DocumentLimit == 0 {
		s.cfg.DocumentLimit = DefaultDocumentLimit
	}
	if s.cfg.Behind == nil {
		s.cfg.Behind = func() []string { return nil }
	}
	s.cfg.StreamsPerCaller = cmp.Or(cfg.StreamsPerCaller, 16)
	s.cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 15*time.Second)
	s.cfg.StreamPatience = cmp.Or(cfg.StreamPatience, 10*time.Second)
	s.tails.reading = make(chan struct{}, readingAtOnce)
	s.streaming, s.endStreams = context.WithCancel(context.Background())
	if s.cfg.Problems == nil {
		s.cfg.Problems = func() []string { return nil }
	}
	s.labs = eventstore.NewAggregates[*lab.Lab, lab.Event](store, "lab", lab.New)
	s.entities = eventstore.NewAggregates[*entity.Entity, entity.Event](store, "entity", entity.New)
	s.programmes = eventstore.NewAggregates[*programme.Programme, programme.Event](store, "programme", programme.New)
	s.webhooks = eventstore.NewAggregates[*webhook.Webhook, webhook.Event](store, "webhook", webhook.New)
	s.keys = eventstore.NewAggregates[*key.Key, key.Event](store, "key", key.New)
	s.persons = eventstore.NewAggregates[*person.Person, person.Event](store, "person", person.New)
	s.aggregates = s.newAggregates()
	s.mux = http.NewServeMux()
	s.registerAll()
	return s
}

// EndStreams ends all streams, tells their clients to reconnect later, and refuses new
// ones. Other requests are not affected.
func (s *Server) EndStreams() { s.endStreams() }

// Streams returns the number of open streams, and the number cut off since the start
// because their clients did not read.
func (s *Server) Streams() (open int, cutOff uint64) { return s.tails.streams(), s.cutOff.Load() }

// sendBuffer bounds the kernel's buffer for a client that does not read, which would
// otherwise grow to megabytes.
const sendBuffer = 128 << 10

// HTTPServer returns an http.Server for s. It bounds the time of slow clients and the
// size of headers. A stream has a deadline for each write instead. Shutdown ends
// streams.
func (s *Server) HTTPServer(addr string) *http.Server {
	server := &http.Server{
		Addr: addr, Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if secured, ok := c.(*tls.Conn); ok {
				c = secured.NetConn()
			}
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(sendBuffer) // the kernel's default is acceptable
			}
			return ctx
		},
	}
	server.RegisterOnShutdown(s.EndStreams)
	return server
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// responseWriter records the status of an answer and whether it has begun. The
// goroutine that answers owns it.
type responseWriter struct {
	http.ResponseWriter
	status int
	route  string    // the pattern that matched, with its placeholders
	reads  *unsealer // opens personal data in the answer; nil: none is shown
}

func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if media := w.Header().Get("Content-Type"); media != "application/json" && media != "application/problem+json" {
		return w.ResponseWriter.Write(b)
	}
	// A JSON answer is one write, see jsonFormat. A refusal may repeat its input, so a
	// caller could have it open any person's seal.
	reads := w.reads
	if reads != nil && w.status >= 400 && !reads.any() {
		reads = nil
	}
	if _, err := w.ResponseWriter.Write(reads.inJSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers a request and logs it under an id that is also in the answer and
// in the events it records.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !saneID.MatchString(id) {
		id = rand.Text()
	}
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Authorization") // an answer depends on the caller
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	q := &request{id: id, url: r.URL}
	ctx, traced := traceRequest(r)
	r = r.WithContext(context.WithValue(ctx, requestKey{}, q))
	out, begun := &responseWriter{ResponseWriter: w}, time.Now()
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			q.err, q.also = fmt.Errorf("panic: %v", p), append(q.also, "stack", string(debug.Stack()))
		}
		broken := p != nil && (p == http.ErrAbortHandler || out.status != 0)
		if p != nil && !broken {
			problem := newProblem("internal", "", "")
			problem.RequestID, q.code = id, problem.Code
			s.write(out, problem)
		}
		if r.RemoteAddr != "" { // a request of this process shows no data to a person
			out.reads.log(out.route)
		}
		took := time.Since(begun)
		if s.cfg.Observe != nil && !q.stream {
			s.cfg.Observe(knownMethod(r.Method), out.route, out.status, took)
		}
		s.record(r, out, took)
		traced(out)
		if broken {
			panic(http.ErrAbortHandler) // the answer has begun, and only aborting it shows that it is incomplete
		}
	}()
	s.route(out, r)
}

// route calls the handler of a request. It answers with a problem where the mux would
// answer in plain text.
func (s *Server) route(w *responseWriter, r *http.Request) {
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		s.write(w, s.fail(r.Context(), badParameter("query", "查询字符串的编码有误；请按 URL 规则转义", "the query string is badly encoded; escape it as URLs ask")))
		return
	}
	handler, pattern := s.mux.Handler(r)
	// The mux would redirect a path with empty or dotted segments.
	if pattern != "" && !strings.Contains(r.URL.Path, "//") && !strings.Contains(r.URL.Path+"/", "/./") &&
		!strings.Contains(r.URL.Path+"/", "/../") {
		_, w.route, _ = strings.Cut(pattern, " ")
		s.mux.ServeHTTP(w, r)
		return
	}
	refused := refusal{header: http.Header{}}
	handler.ServeHTTP(&refused, r)
	p := newProblem("no-such-path", "没有地址 %s；请对照 /docs", "there is no %s here; compare it with /docs", clip(r.URL.Path))
	if refused.status == http.StatusMethodNotAllowed {
		allow := refused.header.Get("Allow")
		p = newProblem("method-not-allowed", "该地址不支持 %s；请使用 %s", "%s is not possible here; use %s", clip(r.Method), allow).with("Allow", allow)
	}
	s.write(w, s.fail(r.Context(), p))
}

func clip(s string) string {
	if r := []rune(strings.ToValidUTF8(s, "�")); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

// refusal captures the mux's own answer, whose body is dropped.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (r *refusal) WriteHeader(status int)      { r.status = status }

// register registers the handler of an operation, and answers every error as a problem.
func register[I, O any](s *Server, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	documentAccess(&op)
	op.Security = []map[string][]string{{"bearer": {}}}
	if s.cfg.AnonymousRead && slices.Contains(op.Metadata["roles"].([]domain.Role), Anonymous) {
		op.Security = append(op.Security, map[string][]string{})
	}
	var body *huma.Schema
	if takesJSON(&op) {
		body = op.RequestBody.Content["application/json"].Schema
	}
	if op.Errors == nil {
		op.Errors = []int{400, 401, 403, 404, 429, 500, 503}
	}
	answer, _ := reflect.TypeFor[O]().FieldByName("Body")
	whole := op.Method == http.MethodGet && (answer.Type == nil ||
		answer.Type.Kind() != reflect.Func) // else it is read while it is sent
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		if whole {
			bounded, cancel := s.cfg.Limits.inTime(ctx)
			defer cancel()
			ctx = bounded
		}
		out, err := handle(ctx, in)
		if err != nil {
			if errors.Is(context.Cause(ctx), errTooCostly) {
				err = s.cfg.Limits.tooCostly()
			}
			return nil, s.fail(ctx, err)
		}
		return out, nil
	})
	if body != nil { // huma documents a raw body as bytes
		op.RequestBody.Content["application/json"].Schema = body
	}
}

func takesJSON(op *huma.Operation) bool {
	return op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil
}

// guard refuses, before the body is read, a request without a valid token, without a
// role for the operation, or with unknown parameters.
func (s *Server) guard(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	op := ctx.Operation()
	refuse := func(p *Problem) { s.write(w, s.fail(r.Context(), p)) }
	if fields := checkParameters(op, r); len(fields) > 0 {
		p := newProblem("invalid-parameter", "有 %d 个参数有误", "parameters at fault: %d", len(fields))
		p.Errors = fields
		refuse(p)
		return
	}
	claims, leave, p := s.identify(r, s.limiter.cost(op, r))
	if p != nil {
		refuse(p)
		return
	}
	leave = sync.OnceFunc(leave)
	defer leave()
	ctx = huma.WithValue(ctx, leaveKey{}, leave)
	if claims != (Claims{}) {
		ctx = huma.WithValue(ctx, claimsKey{}, claims)
	}
	if p := s.authorizeRole(op, claims); p != nil {
		refuse(p)
		return
	}
	if takesJSON(op) {
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/json" ||
			(params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
			refuse(newProblem("unsupported-media-type", "请以 Content-Type: application/json 发送正文", "send the body as Content-Type: application/json"))
			return
		}
	}
	// An erased name changes the answer and not the revision. Documents hold no such
	// names, and anonymous callers see none.
	if r.Header.Get("If-None-Match") != "" && claims.Role != "" && !strings.HasPrefix(op.Path, "/v1/documents") {
		if gone, err := s.model.Erased(r.Context()); err != nil || len(gone) > 0 {
			r.Header.Del("If-None-Match")
		}
	}
	reads := &unsealer{s: s, ctx: r.Context(), claims: claims}
	reads.lab, _ = uuid.Parse(ctx.Param("lab"))
	if out, ok := w.(*responseWriter); ok {
		out.reads = reads
	}
	next(huma.WithValue(ctx, unsealerKey{}, reads))
}

// leaveKey is the context key of the function that leaves the caller's limits.
type leaveKey struct{}

// identify returns the claims of a request, zero without a token, and admits it at a
// cost in places within the caller's limits. leave must be called when it is answered.
// A bad token counts for its address.
func (s *Server) identify(r *http.Request, places int64) (claims Claims, leave func(), p *Problem) {
	var invalid error
	if header := r.Header.Get("Authorization"); header != "" {
		claims, invalid = s.authenticate(r.Context(), header)
	}
	if invalid != nil {
		claims = Claims{}
	}
	requestOf(r.Context()).claims = claims
	leave, wait := s.limiter.enter(callerOf(r, claims), places)
	switch {
	case wait > 0:
		return claims, nil, tooMany(wait)
	case invalid == nil:
		return claims, leave, nil
	}
	leave()
	requestOf(r.Context()).err = errors.New(clip(invalid.Error()))
	if errors.Is(invalid, errStoreAway) {
		return claims, nil, newProblem("store-unavailable", "存储暂不可用，无法核验密钥；请稍后重试", "the store does not answer, so the key cannot be checked; try again shortly").with("Retry-After", "5")
	}
	if errors.Is(invalid, errProviderAway) {
		return claims, nil, newProblem("provider-unavailable", "身份提供方没有应答，无法核验令牌", "the identity provider does not answer, so the token cannot be checked").with("Retry-After", "5")
	}
	return claims, nil, newProblem("unauthenticated", "令牌无效或已过期；请换用有效令牌", "the token is not valid, or no longer; get a new one and send it as Authorization: Bearer <token>").
		with("WWW-Authenticate", `Bearer realm="jointlab", error="invalid_token"`)
}

// checkParameters returns an error for each query parameter that is unknown, empty or
// repeated, and for each repeated header.
func checkParameters(op *huma.Operation, r *http.Request) []domain.FieldError {
	var errs []error
	say := func(at, message string) { errs = append(errs, &huma.ErrorDetail{Location: at, Message: message}) }
	for name, values := range r.URL.Query() {
		i := slices.IndexFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		switch {
		case i < 0:
			say("query."+clip(name), "unknown query parameter")
		case slices.Contains(values, ""):
			say("query."+name, "empty query parameter")
		case len(values) > 1 && op.Parameters[i].Schema.Type != "array":
			say("query."+name, "repeated query parameter")
		}
	}
	for _, name := range []string{"Authorization", "If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"} {
		if values := r.Header.Values(name); len(values) > 1 || len(values) == 1 && values[0] == "" {
			say("header."+name, "repeated or empty header")
		}
	}
	return fieldErrors(errs)
}
