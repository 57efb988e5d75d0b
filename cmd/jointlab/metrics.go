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
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

// metrics are the register's for Prometheus: how it is used and how far each part is
// behind. They name no person, lab or legal entity.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	appends  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	attempts *prometheus.CounterVec
}

// metricsHelp explains what there is to read; a test holds it to what is read.
const metricsHelp = `serve --metrics-listen 127.0.0.1:9090 shows these at /metrics, with those of Go and
of the process. None names a person, a laboratory or a legal entity.

  jointlab_http_request_seconds      time to answer, by method, route and status;
                                     streams of events do not count
  jointlab_refused_total             requests refused for who sent them, by reason:
                                     unauthenticated (401), forbidden (403), too-many (429)
  jointlab_streams_open              streams of events that are open over HTTP
  jointlab_streams_cut_off_total     streams ended because their clients did not read
  jointlab_append_seconds            time to append a command's events, by outcome: ok,
                                     conflict, unavailable or refused
  jointlab_ledger_head               position of the ledger's last event; -1: no answer
  jointlab_projection_position       position up to which the read model holds the ledger
  jointlab_projection_lag            positions by which it is behind; -1: no answer
  jointlab_relay_lag                 positions of EventStoreDB's log that the relay to the
                                     ledger is behind; only with that store
  jointlab_status_lag                positions that the stream STATUS is behind; -1: it is
                                     not filled
  jointlab_webhook_queue             events of laboratories that active webhooks have still
                                     to look at; -1: no answer
  jointlab_webhook_held_up           events that wait for a first one to be taken
  jointlab_webhook_parked            events that were given up, until they are replayed
  jointlab_webhook_attempts_total    attempts to deliver, by outcome; all but delivered failed
  jointlab_checkpoint_age_seconds    since the newest signed checkpoint; -1: there is none
  jointlab_checkpoint_lag            events that no signed checkpoint covers yet; alert on
                                     age where this is not 0; -1: no answer
  jointlab_problems                  reasons why the register may not be written to or is
                                     behind; 0: none`

func metricsTopic() *cobra.Command {
	return &cobra.Command{Use: "metrics", Short: "What Prometheus can read · 监控指标", Long: metricsHelp}
}

// seconds are the bounds of histograms, from a fast append to a lost patience.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20}

// reasons are the labels of refusals that depend on the sender.
var reasons = map[int]string{
	http.StatusUnauthorized: "unauthenticated", http.StatusForbidden: "forbidden",
	http.StatusTooManyRequests: "too-many",
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jointlab_http_request_seconds", Help: "Time to answer a request, by route and status.", Buckets: seconds,
		}, []string{"method", "route", "status"}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jointlab_append_seconds",
			Help: "Time to append a command's events, by outcome: ok, conflict, unavailable or refused.", Buckets: seconds,
		}, []string{"outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jointlab_refused_total", Help: "Requests refused for who sent them, by reason.",
		}, []string{"reason"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jointlab_webhook_attempts_total", Help: "Attempts to deliver an event to a webhook, by outcome.",
		}, []string{"outcome"}),
	}
	for _, reason := range reasons { // so that each is there to be watched before it happens
		m.refused.WithLabelValues(reason)
	}
	for _, o := range webhooks.Outcomes {
		m.attempts.WithLabelValues(string(o))
	}
	m.registry.MustRegister(
		m.requests, m.appends, m.refused, m.attempts, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// gauge registers a value that is computed when metrics are read.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// watch registers the values of an open register.
func (m *metrics) watch(r *register, deliveries *webhooks.Dispatcher) {
	behind := func(reached func() float64) func() float64 {
		return func() float64 {
			at := reached() // before the head, so that it is not ahead of it
			head := r.head()
			return max(head-at, min(head, 0))
		}
	}
	projected := func() float64 { return float64(r.model.Position()) }
	m.gauge("jointlab_projection_position", "Position up to which the read model holds the ledger.", projected)
	m.gauge(
		"jointlab_projection_lag",
		"Positions that the read model is behind the ledger; -1 while the ledger does not answer.", behind(projected),
	)
	m.gauge("jointlab_ledger_head", "Position of the ledger's last event; -1 while the ledger does not answer.", r.head)
	m.gauge(
		"jointlab_problems", "Reasons why the register may not be written to or is behind; 0: none.",
		func() float64 { return float64(len(r.problems()) + len(r.status.problems())) },
	)
	m.gauge(
		"jointlab_status_lag", "Positions of the ledger that the stream STATUS is behind; -1 while it is not filled.",
		r.status.lag,
	)
	if r.relay != nil {
		m.gauge("jointlab_relay_lag", "Positions of EventStoreDB's log that the relay is behind.", func() float64 {
			s := r.relay.Status()
			return float64(s.Head - s.Relayed)
		})
	}
	m.gauge("jointlab_checkpoint_age_seconds", "Seconds since the newest signed checkpoint; -1: there is none.", func() float64 {
		at := r.merkleLog.Learned()
		if at.IsZero() {
			return -1
		}
		return time.Since(at).Seconds()
	})
	m.gauge("jointlab_checkpoint_lag", "Events that no signed checkpoint covers yet; -1 while the ledger does not answer.", behind(func() float64 {
		c, _ := r.merkleLog.Published()
		return float64(c.Size)
	}))
	m.gauge("jointlab_streams_open", "Streams of events that are open over HTTP.", func() float64 {
		open, _ := r.handler.Streams()
		return float64(open)
	})
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "jointlab_streams_cut_off_total", Help: "Streams of events ended because their clients did not read.",
	}, func() float64 {
		_, cutOff := r.handler.Streams()
		return float64(cutOff)
	}))
	if deliveries != nil {
		m.registry.MustRegister(&queues{r.model, deliveries})
	}
}

// head returns the position of the ledger's last event, -1 while it does not answer.
func (r *register) head() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	head, err := r.log.Head(ctx)
	if err != nil {
		return -1
	}
	return float64(head)
}

// queues collects what waits for webhooks, over all that are active.
type queues struct {
	model      *projections.Model
	deliveries *webhooks.Dispatcher
}

var (
	queueDesc = prometheus.NewDesc(
		"jointlab_webhook_queue",
		"Events of labs that active webhooks have still to look at; -1 while the queues do not answer.", nil, nil,
	)
	heldDesc   = prometheus.NewDesc("jointlab_webhook_held_up", "Events that wait for a first one to be taken.", nil, nil)
	parkedDesc = prometheus.NewDesc(
		"jointlab_webhook_parked", "Events that were given up, until they are replayed.", nil, nil,
	)
)

// Describe implements prometheus.Collector.
func (q *queues) Describe(to chan<- *prometheus.Desc) {
	to <- queueDesc
	to <- heldDesc
	to <- parkedDesc
}

// Collect implements prometheus.Collector.
func (q *queues) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var queued, held, parked float64
	for cursor := ""; ; {
		page, err := q.model.Webhooks(ctx, projections.WebhooksQuery{
			Paging: projections.Paging{Limit: 500, Cursor: cursor}, State: []webhook.State{webhook.Active},
		})
		for _, row := range page.Items {
			var p webhooks.Progress
			if p, err = q.deliveries.Progress(ctx, row.Webhook); err != nil {
				break
			}
			queued, parked = queued+float64(p.Lag), parked+float64(p.Parked)
			for _, h := range p.HeldUp {
				held += float64(h.Waiting)
			}
		}
		if err != nil {
			queued, held, parked = -1, -1, -1
		}
		if cursor = page.Next; err != nil || cursor == "" {
			break
		}
	}
	for desc, value := range map[*prometheus.Desc]float64{queueDesc: queued, heldDesc: held, parkedDesc: parked} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}

// observe counts an answered request. Methods and routes are few, whatever callers
// send.
func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
	if reason, ok := reasons[status]; ok {
		m.refused.WithLabelValues(reason).Inc()
	}
}

// delivered counts an attempt to deliver an event.
func (m *metrics) delivered(o webhooks.Outcome) { m.attempts.WithLabelValues(string(o)).Inc() }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, Timeout: 10 * time.Second})
}

// measured is a store whose appends are timed.
type measured struct {
	eventstore.Store
	appends *prometheus.HistogramVec
}

func (s measured) Append(
	ctx context.Context, stream eventstore.Stream, at eventstore.Version, events []eventstore.Pending,
) (eventstore.Version, error) {
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
