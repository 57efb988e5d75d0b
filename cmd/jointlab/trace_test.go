package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
)

// collected are the spans of one trace that a collector received. mu guards the
// names and parents.
type collected struct {
	mu    sync.Mutex
	more  *sync.Cond
	trace string
	names map[string]string   // by id
	above map[string][]string // names to the ids of their parents
}

func collect(trace string) *collected {
	c := &collected{trace: trace, names: map[string]string{}, above: map[string][]string{}}
	c.more = sync.NewCond(&c.mu)
	return c
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent tracepb.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range sent.ResourceSpans {
		for _, by := range of.ScopeSpans {
			for _, span := range by.Spans {
				if hex.EncodeToString(span.TraceId) == c.trace {
					c.names[hex.EncodeToString(span.SpanId)] = span.Name
					c.above[span.Name] = append(c.above[span.Name], hex.EncodeToString(span.ParentSpanId))
				}
			}
		}
	}
	c.more.Broadcast()
}

// until waits until there are spans of all these names.
func (c *collected) until(t *testing.T, names ...string) {
	t.Helper()
	ctx := within(t)
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.more.Broadcast()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for slices.ContainsFunc(names, func(name string) bool { return len(c.above[name]) == 0 }) {
		if ctx.Err() != nil {
			t.Fatalf("there are spans of %v, not of all %v", slices.Sorted(maps.Keys(c.above)), names)
		}
		c.more.Wait()
	}
}

func TestTraceOfCommand(t *testing.T) {
	const trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	spans := collect(trace)
	collector := httptest.NewServer(spans)
	t.Cleanup(collector.Close)
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get("Traceparent")
	}))
	t.Cleanup(receiver.Close)

	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	data := t.TempDir()
	server := startServer(
		t, data, "--trace-endpoint", collector.URL, "--trace-share", "0", "--anonymous-read", "--webhook-allow-private",
		"--webhook-allow-http",
	)
	officer := server.client(t, data, "officer", "")
	host := demoEntity("traced host")
	at := "/v1/labs/" + demoEntity("traced lab").String()
	if _, err := officer.send(within(t), "/v1/entities/"+host.String()+"/register", "", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")}); err != nil {
		t.Fatal(err)
	}
	if _, err := officer.send(within(t), at+"/propose", "", lab.Propose{Names: name("演示", "Demo"), Host: host}); err != nil {
		t.Fatal(err)
	}
	bearer := "Authorization: Bearer " + officer.token
	if status, text := ask(
		t, "POST", server.url+"/v1/webhooks", `{"url":"`+receiver.URL+`"}`, bearer, inJSON,
	); status != http.StatusCreated {
		t.Fatal(text)
	}
	stream, err := http.Get(server.url + "/v1/status-events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Body.Close() })

	status, text := ask(
		t, "POST", server.url+at+"/record-history", `{"status":"OPERATING","basis":{"source":"a letter"}}`, bearer, inJSON,
		"traceparent: 00-"+trace+"-"+caller+"-01",
	)
	if status != http.StatusOK {
		t.Fatal(text)
	}
	request := "POST /v1/labs/{lab}/record-history"
	spans.until(t, request, "load lab", "handle lab", "decide", "append", "fold", "publish", "push", "deliver")

	spans.mu.Lock()
	defer spans.mu.Unlock()
	spans.names[caller] = "the caller"
	for name, under := range map[string]string{
		request: "the caller", "load lab": request, "load programme": request, "handle lab": request, "decide": "handle lab", "append": "handle lab",
		"fold": "append", "publish": "append", "push": "append", "deliver": "append",
	} {
		for _, id := range spans.above[name] {
			if spans.names[id] != under {
				t.Errorf("%q stands under %q, not %q", name, spans.names[id], under)
			}
		}
	}
	parent := <-told
	parts := strings.Split(parent, "-")
	if len(parts) != 4 || parts[1] != trace || spans.names[parts[2]] != "deliver" {
		t.Errorf("the webhook is sent traceparent %q, which is %q", parent, spans.names[parts[min(2, len(parts)-1)]])
	}
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		var line struct {
			Event struct{ Type, Traceparent string }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		event := line.Event
		if event.Type == "" {
			continue
		}
		if parts := strings.Split(event.Traceparent, "-"); len(parts) != 4 || parts[1] != trace ||
			spans.names[parts[2]] != "append" {
			t.Errorf("%s says traceparent %q", event.Type, event.Traceparent)
		}
		break
	}
}
