package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// checkLeaks fails the test if goroutines remain after all other cleanups.
func checkLeaks(t testing.TB) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, before)
	})
}

// transitions appends n status events to a new lab, atOnce in each append.
func (w *world) transitions(n, atOnce int) {
	stream := storetest.NewStream()
	var v eventstore.Version
	for batch := range slices.Chunk(storetest.StatusEvents(stream, n), atOnce) {
		var err error
		if v, err = w.log.Append(w.Context(), stream, v, batch); err != nil {
			w.Error(err)
			return
		}
	}
}

// message is a message of a stream in either format.
type message struct {
	position uint64
	event    string // "" for heartbeats
	end      string // code of the ending, in the last message
}

// form is a stream format as a client requests and reads it.
type form struct {
	accept string
	next   func(*bufio.Reader) (message, error)
}

var forms = map[string]form{
	"SSE": {"text/event-stream", func(r *bufio.Reader) (m message, err error) {
		kind := ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return m, err
			}
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch field {
			case "id":
				m.position, err = strconv.ParseUint(value, 10, 64)
			case "event":
				kind = value
			case "data":
				m.event = value
			case "":
				if strings.HasPrefix(line, ":") {
					continue
				}
				if kind == "end" {
					m.end, m.event = memberOf(m.event, "code"), ""
				} else if m.event != "" && memberOf(m.event, "type") != kind {
					err = fmt.Errorf("event: %s, data: %s", kind, m.event)
				}
				return m, err
			}
			if err != nil {
				return m, err
			}
		}
	}},
	"NDJSON": {"application/x-ndjson", func(r *bufio.Reader) (m message, err error) {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return m, err
		}
		var said struct {
			Position uint64
			Event    json.RawMessage
			End      struct{ Code string }
		}
		err = json.Unmarshal(line, &said)
		return message{said.Position, string(said.Event), said.End.Code}, err
	}},
}

// memberOf returns a member of a JSON object.
func memberOf(object, member string) string {
	var v map[string]any
	json.Unmarshal([]byte(object), &v)
	s, _ := v[member].(string)
	return s
}

// opened is a stream being read.
type opened struct {
	*http.Response
	reader *bufio.Reader
	form
}

func (w *world) open(ctx context.Context, f form, path string, headers ...string) (opened, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		return opened{}, err
	}
	req.Header.Set("Accept", f.accept)
	req.Header.Set("Authorization", "Bearer "+w.as(domain.Auditor))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return opened{}, err
	}
	return opened{res, bufio.NewReader(res.Body), f}, nil
}

func (o opened) read() (message, error) { return o.next(o.reader) }

// readAll returns the messages of a stream that does not follow.
func (w *world) readAll(f form, path string, headers ...string) (events []message) {
	w.Helper()
	o, err := w.open(w.Context(), f, path, headers...)
	if err != nil {
		w.Fatal(err)
	}
	defer o.Body.Close()
	if o.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(o.Body)
		w.Fatalf("GET %s: %s %s", path, o.Status, text)
	}
	for {
		m, err := o.read()
		if err != nil {
			w.Fatalf("GET %s: %v", path, err)
		}
		if m.end != "" {
			if m.end != "complete" {
				w.Errorf("GET %s ended: %s", path, m.end)
			}
			return events
		}
		if m.event != "" {
			events = append(events, m)
		}
	}
}

// recorded returns the events of the ledger as messages of a stream.
func (w *world) recorded(only func(eventstore.Header) bool) (events []message) {
	w.Helper()
	err := w.log.Read(w.Context(), 0, w.head(), func(batch []eventstore.Recorded) error {
		for _, e := range batch {
			o, err := eventstore.ParseHeader(e.Body)
			if err != nil {
				return err
			}
			if only(o) {
				events = append(events, message{uint64(e.Position), string(e.Body), ""})
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return events
}

func TestKilledSubscriberResumes(t *testing.T) {
	for name, f := range forms {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			w := newWorld(t, func(c *api.Config) { c.StreamsPerCaller = 1000 })
			kills := domaintest.Runs(100, 1000)
			events := 10 * kills
			writing := make(chan struct{})
			go func() {
				defer close(writing)
				for range events / 50 {
					w.transitions(50, 25)
				}
			}()
			defer func() { <-writing }()
			var got []message
			last, killed := uint64(0), 0
			for len(got) < events || killed < kills {
				ctx, kill := context.WithCancel(t.Context())
				lives := rand.IntN(2 * events / kills) // events until the client is killed
				if killed < kills && rand.IntN(4) == 0 {
					lives = events
					time.AfterFunc(time.Duration(rand.IntN(int(5*time.Millisecond))), kill)
				} else if killed >= kills {
					lives = events
				}
				o, err := w.open(ctx, f, "/v1/status-events", "Last-Event-ID: "+strconv.FormatUint(last, 10))
				for err == nil && lives > 0 && len(got) < events {
					var m message
					if m, err = o.read(); err != nil {
						break
					}
					if o.StatusCode != http.StatusOK || m.end != "" {
						t.Fatal(o.Status, m)
					}
					if last = m.position; m.event != "" {
						got = append(got, m)
						lives--
					}
				}
				if err != nil && ctx.Err() == nil {
					t.Fatal(err)
				}
				kill()
				if o.Response != nil {
					o.Body.Close()
				}
				killed++
			}
			<-writing
			want := w.recorded(func(eventstore.Header) bool { return true })
			if len(want) != events || !slices.Equal(got, want) {
				t.Errorf("killed %d times, the subscriber saw %d events, of %d in the ledger", killed, len(got),
					len(want))
			}
			t.Logf("killed %d times, %d events, each once and in the ledger's order", killed, len(got))
		})
	}
}

func TestStreamFilters(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	first := w.incubating(host, partner, "2020-02-01")
	second := w.done("/v1/labs", w.as(domain.Host, host), `{"level":"university","programme":"另一计划","host":"`+host+`","names":[{"text":"能源国际合作联合实验室","lang":"zh","kind":"official"}]}`).str("id")
	officer := w.as(domain.Officer)
	w.done("/v1/labs/"+second+"/withdraw", w.as(domain.Host, host), `{"on":"2024-01-02","ground":{"zh":"不再共建"}}`)
	started := w.get("/v1/events?type=lab.status.incubation-started.v1", officer).str("items.0.id")
	w.done("/v1/labs/"+first+"/correct", officer, `{"event":"`+started+`","command":"start-incubation","reason":"日期录入有误","input":{"on":"2020-02-02"}}`)
	status := func(labs ...string) func(eventstore.Header) bool {
		return func(o eventstore.Header) bool { return o.IsStatus() && slices.Contains(labs, o.Stream.ID.String()) }
	}
	none := func(eventstore.Header) bool { return false }
	for path, lets := range map[string]func(eventstore.Header) bool{
		"/v1/status-events?":                                               status(first, second),
		"/v1/status-events?lab=" + first:                                   status(first),
		"/v1/status-events?lab=" + first + "&lab=" + second:                status(first, second),
		"/v1/status-events?to=WITHDRAWN":                                   status(second),
		"/v1/status-events?to=WITHDRAWN&to=INCUBATING":                     status(first, second),
		"/v1/status-events?from=PROPOSED&to=INCUBATING":                    status(first),
		"/v1/status-events?host=" + host:                                   status(first, second),
		"/v1/status-events?host=" + partner:                                none,
		"/v1/status-events?party=" + partner:                               status(first),
		"/v1/status-events?level=university":                               status(second),
		"/v1/status-events?programme=%E5%8F%A6%E4%B8%80%E8%AE%A1%E5%88%92": status(second),
		"/v1/events?": func(eventstore.Header) bool { return true },
		"/v1/events?facet=agreement&facet=status": func(o eventstore.Header) bool {
			return slices.Contains([]string{"agreement", "status"}, eventstore.Facet(o.Type)) || o.IsStatus() // or corrects one
		},
		"/v1/events?kind=entity":       func(o eventstore.Header) bool { return o.Stream.Kind == "entity" },
		"/v1/events?entity=" + partner: func(o eventstore.Header) bool { return o.Stream.ID.String() == partner },
		"/v1/events?type=lab.record.proposed.v1&party=" + partner: func(o eventstore.Header) bool {
			return o.Type == "lab.record.proposed.v1" && o.Stream.ID.String() == first
		},
		"/v1/events?role=partner&on_behalf_of=" + partner: func(o eventstore.Header) bool {
			return o.Actor.Role == domain.Partner
		},
		"/v1/events?actor=officer@example.org": func(o eventstore.Header) bool {
			return o.Actor.Subject == "officer@example.org"
		},
		"/v1/events?level=ministry&kind=lab": func(o eventstore.Header) bool {
			return o.Stream.ID.String() == first
		},
	} {
		want := w.recorded(lets)
		for name, f := range forms {
			if got := w.readAll(f, path+"&follow=false"); !slices.Equal(got, want) {
				t.Errorf("%s over %s gave %d events, want %d", path, name, len(got), len(want))
			}
		}
	}
	if n := len(w.readAll(forms["SSE"], "/v1/status-events?follow=false&to=INCUBATING")); n != 2 {
		t.Errorf("%d events say that the lab is incubating, want the one and its correction", n)
	}
}

func TestStreamRefusals(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.StreamsPerCaller = 2 })
	w.parties()
	auditor := w.as(domain.Auditor)
	for _, c := range []struct {
		path, header, code string
		status             int
	}{
		{"/v1/status-events?after=3", "", "no-such-position", 416},
		{"/v1/events?after=3", "Accept: text/event-stream", "no-such-position", 416},
		{"/v1/status-events", "Last-Event-ID: 3", "no-such-position", 416},
		{"/v1/status-events?after=0", "Last-Event-ID: 4", "no-such-position", 416},
		{"/v1/status-events", "Last-Event-ID: two", "invalid-parameter", 400},
		{"/v1/status-events", "Last-Event-ID: -1", "invalid-parameter", 400},
		{"/v1/status-events?after=x", "", "invalid-parameter", 400},
		{"/v1/status-events?to=GONE", "", "invalid-parameter", 400},
		{"/v1/status-events?labs=x", "", "invalid-parameter", 400},
		{"/v1/events?order=oldest", "Accept: application/x-ndjson", "invalid-parameter", 400},
		{"/v1/events?up_to=1", "Accept: text/event-stream", "invalid-parameter", 400},
		{"/v1/events?level=ministry", "", "invalid-parameter", 400},
		{"/v1/events?follow=false", "Accept: application/json", "invalid-parameter", 400},
	} {
		headers := []string{}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		if r := w.get(c.path, auditor, headers...); r.StatusCode != c.status || r.str("code") != c.code {
			t.Errorf("%s with %q: %d %s", c.path, c.header, r.StatusCode, r.text)
		}
	}
	if r := w.get("/v1/status-events", ""); r.StatusCode != 401 {
		t.Errorf("without a token: %s", r.Status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		if o, err := w.open(ctx, forms["SSE"], "/v1/events"); err != nil || o.StatusCode != 200 {
			t.Fatal(err, o.Status)
		}
	}
	if r := w.get("/v1/status-events", auditor); r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("a third stream: %s", r.Status)
	}
	if o, err := w.open(ctx, forms["SSE"], "/v1/status-events",
		"Authorization: Bearer "+w.as(domain.Officer)); err != nil || o.StatusCode != 200 {
		t.Errorf("somebody else's first stream: %v %v", o.Status, err)
	}
}

func TestHeartbeatAdvancesPosition(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Heartbeat = 10 * time.Millisecond })
	for name, f := range forms {
		ctx, cancel := context.WithCancel(t.Context())
		o, err := w.open(ctx, f, "/v1/status-events?to=REVOKED")
		if err != nil {
			t.Fatal(err)
		}
		w.transitions(5, 5)
		for head := uint64(w.head()); ; {
			m, err := o.read()
			if err != nil || m.event != "" {
				t.Fatal(name, m, err)
			}
			if m.position == head {
				break
			}
		}
		cancel()
		o.Body.Close()
	}
}

func TestLiveStreamOrder(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t)
	o, err := w.open(t.Context(), forms["NDJSON"], "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	for range 8 {
		go w.transitions(100, 1)
	}
	for last := uint64(0); last < 800; {
		m, err := o.read()
		if err != nil {
			t.Fatal(err)
		}
		if m.event == "" {
			continue
		}
		if m.position != last+1 {
			t.Fatalf("position %d came after %d", m.position, last)
		}
		if last = m.position; last > uint64(w.head()) {
			t.Fatalf("position %d was delivered before the ledger held it", last)
		}
	}
}

func TestStreamEndsOnShutdown(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := w.server.HTTPServer("")
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	w.url = "http://" + listener.Addr().String()
	var streams []opened
	for _, f := range forms {
		o, err := w.open(t.Context(), f, "/v1/status-events")
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("streams keep the server from stopping: %v", err)
	}
	<-served
	for _, o := range streams {
		var m message
		for err = nil; err == nil && m.end == ""; {
			m, err = o.read()
		}
		if m.end != "server-stopping" {
			t.Errorf("the stream ended with %+v, %v", m, err)
		}
		if _, err := o.read(); !errors.Is(err, io.EOF) {
			t.Errorf("after its end the stream goes on: %v", err)
		}
		o.Body.Close()
	}
}

func TestStreamEndsWithToken(t *testing.T) {
	w := newWorld(t)
	token, err := w.signer.Issue(api.Claims{Subject: "x", Role: domain.Auditor}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	o, err := w.open(t.Context(), forms["SSE"], "/v1/status-events", "Authorization: Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	var m message
	for err == nil && m.end == "" {
		m, err = o.read()
	}
	if m.end != "token-expired" {
		t.Errorf("%+v %v", m, err)
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	checkLeaks(t)
	w := newWorld(t, func(c *api.Config) { c.StreamPatience = 50 * time.Millisecond })
	for range 150 { // more than the socket buffers hold
		w.transitions(50, 50)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn,
		"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nAuthorization: Bearer %s\r\n\r\n",
		w.as(domain.Auditor))
	deadline := time.Now().Add(5 * time.Minute)
	for !bytes.Contains(w.logged.bytes(), []byte("cut off")) {
		if time.Now().After(deadline) {
			t.Fatal("a client that does not read is not cut off")
		}
		time.Sleep(5 * time.Millisecond)
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	received, err := io.ReadAll(conn)
	if err == nil && bytes.HasSuffix(received, []byte("0\r\n\r\n")) {
		t.Error("what was cut off passes for whole")
	}
	all := w.recorded(func(eventstore.Header) bool { return true })
	// The client resumes in the middle, and again at each further cut-off.
	got := slices.Clone(all[:len(all)/2])
	for done := false; !done; {
		o, err := w.open(t.Context(), forms["NDJSON"],
			fmt.Sprintf("/v1/events?follow=false&after=%d", got[len(got)-1].position))
		for err == nil && !done {
			var m message
			if m, err = o.read(); m.event != "" {
				got = append(got, m)
			}
			done = m.end == "complete"
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		o.Body.Close()
	}
	if !slices.Equal(got, all) {
		t.Errorf("resumed, it has %d events of %d", len(got), len(all))
	}
}
