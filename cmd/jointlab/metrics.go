package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jointlab/jointlab/eventstore"
)

// metrics are what an operator's Prometheus reads: how the register is used and
// how far each part is behind. They name no person, lab or legal entity.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	appends  *prometheus.HistogramVec
}

// seconds are the bounds of histograms, from a fast append to a lost patience.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jointlab_http_request_seconds", Help: "Time to answer a request, by route and status.", Buckets: seconds,
		}, []string{"method", "route", "status"}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jointlab_append_seconds", Help: "Time to append a command's events, by outcome: ok, conflict, unavailable or refused.", Buckets: seconds,
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.appends, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauge registers a value that is asked for when it is read.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// watch registers the gauges of an open register.
func (m *metrics) watch(r *register) {
	m.gauge("jointlab_projection_position", "Position up to which the read model holds the ledger.", func() float64 { return float64(r.model.Position()) })
	m.gauge("jointlab_ledger_head", "Position of the ledger's last event; -1 while the ledger does not answer.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		head, err := r.log.Head(ctx)
		if err != nil {
			return -1
		}
		return float64(head)
	})
	m.gauge("jointlab_problems", "Reasons why the register may not be written to or is behind; 0: none.", func() float64 { return float64(len(r.problems()) + len(r.status.problems())) })
	m.gauge("jointlab_status_lag", "Positions of the ledger that the stream STATUS is behind; -1 while it is not filled.", r.status.lag)
	if r.relay != nil {
		m.gauge("jointlab_relay_lag", "Positions of EventStoreDB's log that the relay is behind.", func() float64 {
			s := r.relay.Status()
			return float64(s.Head - s.Relayed)
		})
	}
}

// observe counts an answered request. Routes are those of the table, so their
// number is bounded whatever callers send.
func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, Timeout: 10 * time.Second})
}

// measured is a store whose appends are timed.
type measured struct {
	eventstore.Store
	appends *prometheus.HistogramVec
}

func (s measured) Append(ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending) (eventstore.Version, error) {
	begun := time.Now()
	v, err := s.Store.Append(ctx, stream, at, events)
	outcome := "refused"
	switch {
	case err == nil:
		outcome = "ok"
	case errors.Is(err, eventstore.ErrConflict):
		outcome = "conflict"
	case errors.Is(err, eventstore.ErrUnavailable):
		outcome = "unavailable"
	}
	s.appends.WithLabelValues(outcome).Observe(time.Since(begun).Seconds())
	return v, err
}
