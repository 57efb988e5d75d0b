package main

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/eventstore"
)

func TestClockStepsBack(t *testing.T) {
	ctx, data := within(t), t.TempDir()
	var clock atomic.Int64
	begin := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	set := func(d time.Duration) { clock.Store(begin.Add(d).UnixNano()) }
	set(0)
	cfg := registerConfig{now: func() time.Time { return time.Unix(0, clock.Load()) }, anonymousRead: true}
	r, err := openRegister(ctx, settings{data: data, store: embedded, makes: true}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	set(-200 * 24 * time.Hour) // so that it is valid then as well
	token, err := r.signer.Issue(api.Claims{Subject: "test", Role: domain.Officer}, 10_000*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	set(0)
	register := func(i string) error {
		_, err := inProcess(r.handler, token).send(ctx, "/v1/entities/"+uuid.NewSHA1(demoSpace, []byte(i)).String()+"/register", "key "+i, entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学"+i, "Fictional University "+i)})
		return err
	}
	refused := func(i string) {
		t.Helper()
		var p *problem
		if err := register(i); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable ||
			p.Code != "writing-refused" || !strings.Contains(p.Detail, "set the clock") {
			t.Errorf("%s: %v", i, err)
		}
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil)
		r.handler.ServeHTTP(w, req)
		if w.status != http.StatusServiceUnavailable || !strings.Contains(w.body.String(), "set the clock") || !strings.Contains(w.body.String(), "校准时钟") {
			t.Errorf("readyz: %d %s", w.status, w.body.String())
		}
		if err := inProcess(r.handler, token).get(ctx, "/v1/entities", &struct{}{}); err != nil {
			t.Errorf("reading: %v", err)
		}
	}
	accepted := func(i string) {
		t.Helper()
		if err := register(i); err != nil {
			t.Errorf("%s: %v", i, err)
		}
	}
	accepted("a")
	set(-4 * time.Second) // as the clocks of two nodes may differ
	accepted("b")
	set(-6 * time.Second)
	refused("c")
	set(-100 * 24 * time.Hour)
	refused("c")
	accepted("a") // an answer that was given is given again
	set(time.Second)
	accepted("c")
	if err := r.caughtUp(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}

	set(-time.Minute) // while nobody served
	if r, err = openRegister(ctx, settings{data: data, store: embedded}, cfg); err != nil {
		t.Fatal(err)
	}
	refused("d")
	set(time.Hour)
	accepted("d")
	if err := r.close(); err != nil {
		t.Fatal(err)
	}

	set(0) // it was an hour ahead, and the operator allows that
	cfg.tolerance = 2 * time.Hour
	if r, err = openRegister(ctx, settings{data: data, store: embedded}, cfg); err != nil {
		t.Fatal(err)
	}
	accepted("e")
	var last time.Time
	err = r.log.Read(ctx, 0, 5, func(events []eventstore.Recorded) error {
		for _, e := range events {
			d, err := eventstore.Decode(e.Body)
			if err != nil {
				return err
			}
			if e.Position < 5 && last.Sub(d.Meta.Time) > eventstore.ClockTolerance {
				t.Errorf("position %d was recorded at %s, after one at %s", e.Position, d.Meta.Time, last)
			}
			last = d.Meta.Time
		}
		return nil
	})
	if err := errors.Join(err, r.close()); err != nil {
		t.Fatal(err)
	}
}
