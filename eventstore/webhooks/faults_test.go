package webhooks_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

// log is the log of deliveries at an endpoint, the oldest first.
func (r *register) deliveries(d *webhooks.Dispatcher, id uuid.UUID) []webhooks.Attempt {
	r.Helper()
	all, next, err := d.Deliveries(r.Context(), id, webhooks.AttemptFilter{}, 0, 1000)
	if err != nil && !errors.Is(err, eventstore.ErrUnavailable) || next != 0 { // it may not run yet
		r.Fatal(next, err)
	}
	slices.Reverse(all)
	return all
}

// A receiver that fails, hangs, answers late, redirects, or returns 410: the
// delivery log reads right in each case, and nothing is lost.
func TestFailedDeliveriesAreLogged(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t, nil)
	certified := httptest.NewUnstartedServer(http.NotFoundHandler())
	certified.Config.ErrorLog = log.New(io.Discard, "", 0)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	t.Cleanup(func() {
		if n := len(elsewhere.deliveries()); n != 0 {
			t.Errorf("redirects were followed %d times", n)
		}
	})
	hanging := make(chan struct{})
	t.Cleanup(func() { close(hanging) })
	answers := func(status int, header ...string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, n int) bool {
			if n > 1 {
				w.WriteHeader(http.StatusNoContent)
				return true
			}
			for _, h := range header {
				name, value, _ := strings.Cut(h, ": ")
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, "不行\x00：please come back")
			return false
		}
	}
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request, n int) bool
		outcome webhooks.Outcome
		status  int
		text    string // kept of the answer
		wait    time.Duration
	}{
		"fails":              {answers(500, "Content-Type: text/plain; charset=utf-8"), webhooks.Refused, 500, "不行 ：please come back", 0},
		"fails with a page":  {answers(404, "Content-Type: application/octet-stream"), webhooks.Refused, 404, "", 0},
		"asks for time":      {answers(503, "Retry-After: 1", "Content-Type: text/plain"), webhooks.Refused, 503, "不行 ：please come back", time.Second},
		"redirects":          {answers(307, "Location: "+elsewhere.URL), webhooks.Redirected, 307, "", 0},
		"redirects for good": {answers(301, "Location: "+elsewhere.URL), webhooks.Redirected, 301, "", 0},
		"says it is gone":    {answers(410), webhooks.Gone, 410, "", 0},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request, n int) bool {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			return true
		}, webhooks.Unreachable, 0, "", 0},
		"hangs": {func(_ http.ResponseWriter, r *http.Request, n int) bool {
			if n == 1 {
				select {
				case <-hanging:
				case <-r.Context().Done():
				}
				return false
			}
			return true
		}, webhooks.Late, 0, "", 0},
		"answers late": {func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 1 {
				<-r.Context().Done() // the register has gone; the event was taken all the same
			}
			return true
		}, webhooks.Late, 0, "", 0},
		"never ends its answer": {func(w http.ResponseWriter, r *http.Request, n int) bool {
			if n == 1 {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}
			return true
		}, webhooks.Late, 0, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegister(t)
			cfg := usual()
			if cfg.MaxWait = 2 * time.Second; c.outcome == webhooks.Late {
				cfg.Timeout = 200 * time.Millisecond
			}
			d := r.dispatcher(cfg)
			r.run(d)
			receiver := newReceiver(t, c.answer)
			id := r.registered(receiver.URL)
			one, other := uuid.New(), uuid.New()
			first := r.moves(one)
			if c.outcome == webhooks.Gone {
				until(t, "the endpoint is disabled", func() bool { return r.state(id).State == webhook.Disabled })
				if n := len(receiver.deliveries()); n != 1 {
					t.Errorf("an endpoint that is gone was called %d times", n)
				}
				second, third := r.moves(other), r.moves(one)
				r.do(id, webhook.Resume{})
				receiver.takes(t, first, second, third)
			} else {
				receiver.takes(t, first)
				second, third := r.moves(other), r.moves(one)
				receiver.takes(t, first, second, third)
			}
			var logged []webhooks.Attempt
			until(t, "four attempts logged", func() bool {
				logged = r.deliveries(d, id)
				if len(logged) > 1 && c.outcome == webhooks.Late { // a busy machine may be late again
					logged = slices.Concat(logged[:1], slices.DeleteFunc(logged[1:], func(a webhooks.Attempt) bool { return a.Outcome == c.outcome }))
				}
				return len(logged) == 4
			})
			failed := logged[0]
			if failed.Outcome != c.outcome || failed.Status != c.status || failed.Answer != c.text || failed.Event != first.ID || failed.Lab != one ||
				failed.Attempt != 1 || failed.Position != 2 || failed.Parked || failed.Detail.Zh == "" || failed.Detail.En == "" {
				t.Errorf("%+v", failed)
			}
			if c.outcome != webhooks.Gone && (failed.Next.IsZero() || failed.Next.Sub(failed.At) < c.wait) {
				t.Errorf("next at %s, after %s", failed.Next, failed.At)
			}
			if c.outcome == webhooks.Late && failed.Took < cfg.Timeout.Milliseconds() {
				t.Errorf("late after %d ms", failed.Took)
			}
			for i, a := range logged[1:] {
				if a.Outcome != webhooks.Delivered || a.Status/100 != 2 || !a.Next.IsZero() {
					t.Errorf("%d: %+v", i, a)
				}
			}
			p, err := d.Progress(t.Context(), &webhook.Webhook{ID: id})
			if until(t, "all is settled", func() bool {
				p, err = d.Progress(t.Context(), &webhook.Webhook{ID: id})
				return p.Lag == 0 && len(p.HeldUp) == 0
			}); err != nil || p.Parked != 0 {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	t.Run("is for somebody else", func(t *testing.T) {
		t.Parallel()
		r := newRegister(t)
		d := r.dispatcher(usual())
		r.run(d)
		id := r.registered(certified.URL)
		r.moves(uuid.New())
		until(t, "an attempt", func() bool { return len(r.deliveries(d, id)) > 0 })
		if a := r.deliveries(d, id)[0]; a.Outcome != webhooks.Insecure || a.Status != 0 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		r := newRegister(t)
		d := r.dispatcher(usual())
		r.run(d)
		away := httptest.NewServer(http.NotFoundHandler())
		away.Close()
		id := r.registered(away.URL)
		r.moves(uuid.New())
		until(t, "an attempt", func() bool { return len(r.deliveries(d, id)) > 0 })
		if a := r.deliveries(d, id)[0]; a.Outcome != webhooks.Unreachable || a.Status != 0 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("is inside", func(t *testing.T) {
		t.Parallel()
		r := newRegister(t)
		inside := newReceiver(t, nil)
		cfg := usual()
		cfg.Policy.AllowPrivate = false
		d := r.dispatcher(cfg)
		r.run(d)
		byNumber, byName := r.registered(inside.URL), r.registered(strings.Replace(inside.URL, "127.0.0.1", "localhost", 1))
		r.moves(uuid.New())
		for _, id := range []uuid.UUID{byNumber, byName} {
			until(t, "an attempt", func() bool { return len(r.deliveries(d, id)) > 0 })
			if a := r.deliveries(d, id)[0]; a.Outcome != webhooks.Forbidden || a.Status != 0 {
				t.Errorf("%+v", a)
			}
		}
		if n := len(inside.deliveries()); n != 0 {
			t.Errorf("it was called %d times", n)
		}
	})
}

func TestHeldUpLabDelaysNoOther(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	one, other := uuid.New(), uuid.New()
	open := make(chan struct{})
	c := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) bool {
		select {
		case <-open:
		default:
			if req.Header.Get("Jointlab-Position") == "2" { // the first event of one
				w.WriteHeader(http.StatusBadRequest)
				return false
			}
		}
		return true
	})
	d := r.dispatcher(usual())
	r.run(d)
	id := r.registered(c.URL)
	a, b := r.moves(one), r.moves(one)
	x, y := r.moves(other), r.moves(other)
	c.takes(t, x, y)
	p, err := d.Progress(t.Context(), &webhook.Webhook{ID: id})
	if until(t, "two events wait", func() bool {
		p, err = d.Progress(t.Context(), &webhook.Webhook{ID: id})
		return len(p.HeldUp) == 1 && p.HeldUp[0].Waiting == 2 && p.HeldUp[0].Attempts > 1
	}); err != nil || p.HeldUp[0].Lab != one || p.HeldUp[0].Position != 2 || p.HeldUp[0].Outcome != webhooks.Refused || p.HeldUp[0].Status != 400 {
		t.Errorf("%+v, %v", p, err)
	}
	close(open)
	c.takes(t, x, y, a, b)
	until(t, "nothing is held up", func() bool { p, _ := d.Progress(t.Context(), &webhook.Webhook{ID: id}); return len(p.HeldUp) == 0 })
}

func TestParkAndReplay(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	lab, open := uuid.New(), make(chan struct{})
	c := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) bool {
		select {
		case <-open:
		default:
			if req.Header.Get("Jointlab-Position") == "2" {
				w.WriteHeader(http.StatusBadRequest)
				return false
			}
		}
		return true
	})
	cfg := usual()
	cfg.GiveUp = 50 * time.Millisecond
	d := r.dispatcher(cfg)
	stop := r.run(d)
	id := r.registered(c.URL)
	first, second, third := r.moves(lab), r.moves(lab), r.moves(lab)
	c.takes(t, second, third) // the lab's next ones go on
	var parked []webhooks.Parked
	until(t, "it is parked", func() bool { parked = d.Parked(id); return len(parked) == 1 })
	if p := parked[0]; p.Position != 2 || p.Lab != lab || p.Attempts < 2 || p.Outcome != webhooks.Refused || p.Status != 400 || p.Text.Zh == "" {
		t.Errorf("%+v", p)
	}
	logged := r.deliveries(d, id)
	if i := slices.IndexFunc(logged, func(a webhooks.Attempt) bool { return a.Parked }); i < 1 || logged[i].Event != first.ID || !logged[i].Next.IsZero() || logged[i].Attempt != parked[0].Attempts {
		t.Errorf("the log does not say that it was parked: %+v", logged)
	}
	if failed, _, err := d.Deliveries(t.Context(), id, webhooks.AttemptFilter{Failed: true}, 0, 1000); err != nil || len(failed) != parked[0].Attempts {
		t.Errorf("%d failed attempts are listed, %v", len(failed), err)
	}

	stop() // parked events outlast the process
	d = r.dispatcher(cfg)
	close(open)
	r.do(id, webhook.Replay{Parked: true})
	r.run(d)
	c.takes(t, second, third, first)
	until(t, "nothing is parked", func() bool { return len(d.Parked(id)) == 0 })

	r.do(id, webhook.Replay{From: 3})
	until(t, "two are sent again", func() bool {
		got := c.deliveries()
		last := got[max(0, len(got)-2):]
		return len(got) >= 5 && last[0].header.Get("Webhook-Id") == second.ID.String() && last[1].header.Get("Webhook-Id") == third.ID.String()
	})
}

func TestPauseAndRemove(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	c := newReceiver(t, func(w http.ResponseWriter, req *http.Request, n int) bool {
		if n == 1 {
			w.WriteHeader(http.StatusTeapot)
		}
		return n > 1
	})
	cfg := usual()
	cfg.MinWait, cfg.MaxWait = time.Hour, time.Hour
	d := r.dispatcher(cfg)
	r.run(d)
	id := r.registered(c.URL)
	lab := uuid.New()
	r.moves(lab)
	held := func() int { p, _ := d.Progress(t.Context(), &webhook.Webhook{ID: id}); return len(p.HeldUp) }
	until(t, "it is held up", func() bool { return held() == 1 })
	r.do(id, webhook.Pause{})
	second := r.moves(uuid.New())
	r.do(id, webhook.Resume{})
	c.takes(t, second)
	r.do(id, webhook.Remove{})
	until(t, "nothing is held", func() bool { return held() == 0 })
	until(t, "the queue is gone", func() bool {
		p, lag, err := r.outbox.Progress(t.Context(), id, 0)
		return p == 0 && lag == 0 && err == nil
	})
	until(t, "the records are gone", func() bool {
		entry, err := r.outbox.Entry(t.Context(), id.String()+"."+lab.String())
		return err == nil && len(entry.Value) == 0
	})
}

func TestUnreadableEventIsDropped(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	one := uuid.New()
	var closed atomic.Bool
	r.hidden = func(owner domain.Actor, event eventstore.Header) bool {
		return closed.Load() && owner == officer && event.To == lab.StatusSuspended
	}
	c := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) bool {
		if closed.Swap(true) {
			return true
		}
		w.WriteHeader(http.StatusBadRequest) // and from now on its owner may not read it
		return false
	})
	d := r.dispatcher(usual())
	r.run(d)
	id := r.registered(c.URL)
	r.moves(one)
	b := r.happens(one, lab.Resumed{Transition: lab.Transition{From: lab.StatusSuspended, To: lab.StatusOperating}})
	c.takes(t, b)
	until(t, "nothing is held up", func() bool {
		p, err := d.Progress(t.Context(), &webhook.Webhook{ID: id})
		return err == nil && len(p.HeldUp) == 0
	})
	if n := len(c.deliveries()); n != 2 {
		t.Errorf("%d were sent", n)
	}
}
