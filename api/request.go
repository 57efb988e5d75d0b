package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// request is what becomes known of a request while it is answered. The log has
// one line of it, which says who asked for what and what came of it: never a
// token, a body, a query or a name.
type request struct {
	id     string // also the correlation id of the events it leads to
	url    *url.URL
	claims Claims // whom it speaks for, once that is known
	code   string // the kind of problem it is answered with
	err    error  // why, where the operator is to know
	also   []any  // more for the log
	stream bool   // the answer is a stream, which lasts as long as its client likes
}

type requestKey struct{}

// requestOf is the request being answered; it is never nil.
func requestOf(ctx context.Context) *request {
	if q, ok := ctx.Value(requestKey{}).(*request); ok {
		return q
	}
	return &request{}
}

func requestIDOf(ctx context.Context) string { return requestOf(ctx).id }

// logAttrs adds to what the log says of a request: pairs of a name and a value.
func logAttrs(ctx context.Context, also ...any) {
	q := requestOf(ctx)
	q.also = append(q.also, also...)
}

// record logs an answered request. What changed something, was refused for who
// asked it, or failed is always seen; the rest only where everything is, and so
// is what this process asks itself.
func (s *Server) record(r *http.Request, out *responseWriter, took time.Duration) {
	ctx := r.Context()
	q, level := requestOf(ctx), slog.LevelDebug
	switch {
	case q.err != nil && out.status < http.StatusBadRequest, out.status == http.StatusInternalServerError: // broken off, or our fault
		level = slog.LevelError
	case out.status > http.StatusInternalServerError:
		level = slog.LevelWarn
	case r.RemoteAddr == "":
	case out.status == http.StatusUnauthorized, out.status == http.StatusForbidden,
		out.status < http.StatusBadRequest && r.Method != http.MethodGet && r.Method != http.MethodHead:
		level = slog.LevelInfo
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		q.also = append(q.also, "trace_id", span.TraceID())
	}
	line := append([]any{"request_id", q.id, "subject", q.claims.Subject, "role", q.claims.Role, "method", r.Method, "route", out.route, "status", out.status, "took", took}, q.also...)
	if q.code != "" {
		line = append(line, "code", q.code)
	}
	if q.err != nil {
		line = append(line, "error", q.err)
	}
	s.log.Log(ctx, level, "request", line...)
}

// traceRequest begins a request's span, in the trace of whoever sent it where
// they say so (W3C Trace Context); ended ends it with what the answer was.
func traceRequest(r *http.Request) (_ context.Context, ended func(*responseWriter)) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := otel.Tracer("github.com/jointlab/jointlab/api").Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
	return ctx, func(out *responseWriter) {
		method := knownMethod(r.Method)
		span.SetName(strings.TrimSpace(method + " " + out.route))
		span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", out.route), attribute.Int("http.response.status_code", out.status))
		if out.status >= http.StatusInternalServerError {
			span.SetStatus(otelcodes.Error, http.StatusText(out.status))
		}
		span.End()
	}
}

// knownMethod is a request's method, or other: whatever callers send, there are
// few of them.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
		return method
	}
	return "other"
}
