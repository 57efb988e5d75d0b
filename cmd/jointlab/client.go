package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// client sends requests to a register: to another process over the network, or to
// a handler in this one.
type client struct {
	base  string // http://host:port, without a slash at the end
	http  *http.Client
	token string
}

// inProcess returns a client of a handler in this process.
func inProcess(h http.Handler, token string) client {
	return client{"http://jointlab", &http.Client{Transport: direct{h}}, token}
}

// clientOf returns a client of the server at an address or, where none is given, of
// the register in a folder, which stays open until done is called.
func clientOf(
	ctx context.Context, where settings, server, token string, role domain.Role, subject string,
) (c client, done func() error, err error) {
	if server != "" {
		return client{strings.TrimSuffix(server, "/"), httpClient(), token}, func() error { return nil }, nil
	}
	r, err := openRegister(ctx, where, registerConfig{})
	if err != nil {
		return c, nil, err
	}
	if err = r.caughtUp(ctx); err == nil {
		c, err = r.actingAs(role, subject, uuid.Nil)
	}
	if err != nil {
		return c, nil, errors.Join(err, r.close())
	}
	return c, r.close, nil
}

// direct answers requests by calling a handler.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Status   int                 `json:"status"`
	Title    string              `json:"title"`
	Detail   string              `json:"detail"`
	Code     string              `json:"code"`
	Errors   []domain.FieldError `json:"errors"`
	Findings []domain.Finding    `json:"findings"`
}

func (p *problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s", e.Path, e.Message.English())
	}
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "; %s", f.Rule)
		if f.Quote != "" {
			fmt.Fprintf(&b, "「%s」", f.Quote)
		}
		for _, m := range f.Missing {
			b.WriteString(" " + m.English())
		}
	}
	return b.String()
}

// answer is the body of the answer to a command that was carried out.
type answer struct {
	ID       string `json:"id"`
	Revision uint64 `json:"revision"`
	Replayed bool   `json:"replayed"`
	Secret   string `json:"secret"`
	Events   []struct {
		ID uuid.UUID `json:"id"`
	} `json:"events"`
}

// send sends a command. The same key never carries it out twice. It does not
// wait for the read model.
func (c client) send(ctx context.Context, path, key string, command any) (answer, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Prefer", "respond-async")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("X-Request-Id", key) // which the event keeps as its correlation id
	}
	var a answer
	return a, c.do(r, &a)
}

// get reads a resource into out.
func (c client) get(ctx context.Context, path string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	return c.do(r, out)
}

// answered sends a request until the server no longer asks to wait, and returns its
// answer.
func (c client) answered(r *http.Request) (*http.Response, []byte, error) {
	for {
		resp, err := c.http.Do(r)
		if err != nil {
			return nil, nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, body, err
		}
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			return resp, body, nil
		}
		select {
		case <-r.Context().Done():
			return nil, nil, r.Context().Err()
		case <-time.After(time.Duration(seconds) * time.Second):
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, nil, err
			}
		}
	}
}

func (c client) do(r *http.Request, out any) error {
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, body, err := c.answered(r)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		p := &problem{Status: resp.StatusCode, Detail: resp.Status}
		if err := json.Unmarshal(body, p); err != nil {
			return fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, resp.Status)
		}
		return p
	}
	return json.Unmarshal(body, out)
}
