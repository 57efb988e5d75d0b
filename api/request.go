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

// request collects the log attributes of a request while it is answered. Its line in
// the log has the caller, the route and the outcome, and never a token, a body, a
// query or a name. The goroutine that answers owns it.
type request struct {
	id     string // also the correlation id of the events it records
	url    *url.URL
	claims Claims // of the caller, once authenticated
	code   string // of the problem it is answered with
	err    error  // for the operator
	also   []any  // more log attributes
	stream bool   // the answer is a stream, which Config.Observe does not see
}

type requestKey struct{}

// requestOf returns the request being answered, never nil.
func requestOf(ctx context.Context) *request {
	if q, ok := ctx.Value(requestKey{}).(*request); ok {
		return q
	}
	return &request{}
}

func requestIDOf(ctx context.Context) string { return requestOf(ctx).id }

// logAttrs adds pairs of a name and a value to the log line of a request.
func logAttrs(ctx context.Context, also ...any) {
	q := requestOf(ctx)
	q.also = append(q.also, also...)
}

// record logs an answered request. Commands, refusals by role and failures have level
// info or above. Other requests, and those of this process itself, have level debug.
func (s *Server) record(r *http.Request, out *responseWriter, took time.Duration) {
	ctx := r.Context()
	q, level := requestOf(ctx), slog.LevelDebug
	switch {
	case q.err != nil && out.status < http.StatusBadRequest,
		out.status == http.StatusInternalServerError: // aborted, or the server's fault
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
	line := append([]any{"request_id", q.id, "subject", q.claims.Subject, "role", q.claims.Role, "method", r.Method,
		"route", out.route, "status", out.status, "took", took}, q.also...)
	if q.code != "" {
		line = append(line, "code", q.code)
	}
	if q.err != nil {
		line = append(line, "error", q.err)
	}
	s.log.Log(ctx, level, "request", line...)
}

// traceRequest returns a context with the span of a request, which continues the
// sender's trace (W3C Trace Context). ended ends the span with the answer's status.
func traceRequest(r *http.Request) (_ context.Context, ended func(*responseWriter)) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := otel.Tracer("github.com/jointlab/jointlab/api").Start(ctx, "request",
		trace.WithSpanKind(trace.SpanKindServer))
	return ctx, func(out *responseWriter) {
		method := knownMethod(r.Method)
		span.SetName(strings.TrimSpace(method + " " + out.route))
		span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", out.route),
			attribute.Int("http.response.status_code", out.status))
		if out.status >= http.StatusInternalServerError {
			span.SetStatus(otelcodes.Error, http.StatusText(out.status))
		}
		span.End()
	}
}

// knownMethod returns a request's method, or other, which bounds the number of labels.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
		return method
	}
	return "other"
}
