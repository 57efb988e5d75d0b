package eventstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A command is one trace from its request to the receivers of its events. What
// is done with an event later, by whichever node, joins the trace by the event's
// CloudEvents extension traceparent (Distributed Tracing, W3C Trace Context),
// which an event has only where its command was traced.
//
// Spans name operations, streams and positions; never the content of a record or whom
// it names.

// tracer makes none but empty spans until the process has a provider.
var tracer = otel.Tracer("github.com/jointlab/jointlab")

// traceparent is the member of an event and the header of a request.
const traceparent = "traceparent"

// Span begins a step of the trace that ctx is in. end ends it, as one that failed
// where err is not nil.
func Span(ctx context.Context, name string, about ...attribute.KeyValue) (_ context.Context, end func(err error)) {
	ctx, span := tracer.Start(ctx, name, trace.WithAttributes(about...))
	return ctx, func(err error) {
		if err != nil { // its text may name a person
			span.SetStatus(codes.Error, fmt.Sprintf("%T", err))
		}
		span.End()
	}
}

// TraceParent returns where ctx is in its trace, as the traceparent of W3C Trace
// Context; empty where it is in none that is recorded.
func TraceParent(ctx context.Context) string {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// followed is for how long after it was recorded what is done with an event
// belongs to its trace. A read model that is built anew is no part of any.
const followed = time.Hour

// SpanOf begins a step in the trace of the command that led to an event. Where
// there is none, or it is long ago, the span is empty.
func SpanOf(ctx context.Context, name string, e Recorded, about ...attribute.KeyValue) (_ context.Context, end func(err error)) {
	parent := traceOf(e.Body)
	if parent == "" {
		return ctx, func(error) {}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: parent})
	return Span(ctx, name, append(about, attribute.String("jointlab.stream", e.Stream.String()), attribute.Int64("jointlab.position", int64(e.Position)))...)
}

// traceOf returns the traceparent of an event recorded not long ago.
func traceOf(body []byte) string {
	if !bytes.Contains(body, []byte(`"`+traceparent+`":"`)) {
		return ""
	}
	var e envelope
	err := json.Unmarshal(body, &e)
	if at, err2 := time.Parse(recordedTime, e.Time); err != nil || err2 != nil || time.Since(at) > followed {
		return ""
	}
	return e.TraceParent
}
