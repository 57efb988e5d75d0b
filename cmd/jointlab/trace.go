package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// traceTo sends the spans of the process to a collector, by OTLP over HTTP; flush
// sends the last of them. A collector that does not answer holds nothing up: its
// spans are dropped, and that is logged.
func traceTo(ctx context.Context, endpoint string, share float64, logger *slog.Logger) (flush func() error, err error) {
	to, err := url.Parse(endpoint)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf(
			"--trace-endpoint %q: give the address of an OpenTelemetry collector, such as http://127.0.0.1:4318", endpoint,
		)
	}
	if share < 0 || share > 1 {
		return nil, fmt.Errorf("--trace-share %v: give a part of all requests, from 0 to 1", share)
	}
	to.Path = cmp.Or(to.Path, "/v1/traces")
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to.String()))
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", endpoint, err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))),
		sdktrace.WithResource(
			resource.NewSchemaless(attribute.String("service.name", "jointlab"), attribute.String("service.version", version())),
		),
	)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("traces are not taken", "error", err) }))
	otel.SetTracerProvider(provider)
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("send the last traces: %w", err)
		}
		return nil
	}, nil
}
