package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

var reachable = regexp.MustCompile(`NATS · 订阅: (\S+)`)

func TestSubscriberReadsStatusEvents(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	demonstrated(t, data)
	seed := filepath.Join(t.TempDir(), "ministry.nk")
	if err := os.WriteFile(
		seed, []byte(output(t, "subscriber", "create", "--data", data, "--name", "ministry", "--ack-wait", "1s")), 0o600,
	); err != nil {
		t.Fatal(err)
	}
	cmd := run(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--anonymous-read")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	register, address := served{cmd: cmd}, ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			register.url = m[1]
		} else if m := reachable.FindStringSubmatch(lines.Text()); m != nil {
			address = "nats://" + m[1]
		}
	}
	go io.Copy(io.Discard, out)

	res, err := http.Get(register.url + "/v1/status-events?follow=false")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"event"`) {
			want = append(want, line)
		}
	}
	if len(want) < 20 {
		t.Fatalf("the demo has only %d status events", len(want))
	}
	eventually(within(t), t, "the subscriber is let in", func() bool {
		probe := run(t, "subscribe", "--nats-url", address, "--name", "ministry", "--seed-file", seed, "--count", "1")
		probe.Stderr = nil
		first, err := probe.Output()
		if err == nil && string(first) != want[0] {
			t.Fatalf("first came %s, want %s", first, want[0])
		}
		return err == nil
	})
	got := output(
		t, "subscribe", "--nats-url", address, "--name", "ministry", "--seed-file", seed, "--count",
		fmt.Sprint(len(want)-1),
	)
	if got != strings.Join(want[1:], "") {
		t.Errorf("over NATS came\n%s\nover HTTP\n%s", got, strings.Join(want[1:], ""))
	}
	if list := output(t, "subscriber", "list", "--data", data); !strings.Contains(list, "ministry") ||
		strings.Contains(list, strings.TrimSpace(string(must(os.ReadFile(seed))))) {
		t.Errorf("subscriber list: %s", list)
	}
	output(t, "subscriber", "revoke", "--data", data, "--name", "ministry")
	eventually(within(t), t, "the revoked subscriber is refused", func() bool {
		late := run(t, "subscribe", "--nats-url", address, "--name", "ministry", "--seed-file", seed, "--count", "1")
		said := &strings.Builder{}
		late.Stderr = said
		return late.Run() != nil && strings.Contains(said.String(), "Authorization")
	})
	register.stop(t)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestReadinessOfStatusStream(t *testing.T) {
	ask := func(r *register) string {
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	s := settings{store: embedded, data: t.TempDir(), makes: true}
	r, err := openRegister(within(t), s, registerConfig{status: &jetstream.StatusConfig{Agreements: true}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(within(t), t, "the stream is filled", func() bool {
		r.status.mu.Lock()
		defer r.status.mu.Unlock()
		if r.status.relay == nil {
			return false
		}
		s := r.status.relay.Status()
		return s.Err == nil && !s.Asked.IsZero() && s.Relayed >= s.Head
	})
	if said := ask(r); !strings.HasPrefix(said, "200") {
		t.Errorf("all is well, and %s", said)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if r, err = openRegister(within(t), s, registerConfig{status: &jetstream.StatusConfig{}}); err != nil {
		t.Fatal(err)
	}
	defer r.close()
	eventually(within(t), t, "the reason is said", func() bool { return strings.Contains(ask(r), "same settings") })
	if said := ask(r); !strings.HasPrefix(said, "503") || !strings.Contains(said, `"path":"status"`) {
		t.Error(said)
	}
}

func TestOutsideServerExample(t *testing.T) {
	elsewhere := t.TempDir() // where the seed is made; nothing serves from it
	seed := strings.TrimSpace(output(t, "subscriber", "create", "--data", elsewhere, "--name", "ministry"))
	pair := must(nkeys.FromSeed([]byte(seed)))
	t.Setenv("STORE", t.TempDir())
	t.Setenv("PASSWORD", "secret")
	t.Setenv("MINISTRY_KEY", must(pair.PublicKey()))
	options := must(server.ProcessConfigFile("testdata/nats-subscribers.conf"))
	options.NoSigs, options.NoLog = true, true
	outside := must(server.NewServer(options))
	go outside.Start()
	t.Cleanup(func() { outside.Shutdown(); outside.WaitForShutdown() })
	if !outside.ReadyForConnections(hang) {
		t.Fatal("the server does not start")
	}
	addr := outside.Addr().String()
	r, err := openRegister(within(t), settings{
		store: outsideNATS, data: t.TempDir(), natsURL: "nats://register:secret@" + addr,
	}, registerConfig{status: &jetstream.StatusConfig{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	eventually(within(t), t, "the stream is there", func() bool { return r.status.lag() == 0 })
	operator := must(nats.Connect("nats://register:secret@"+addr, nats.Timeout(hang)))
	defer operator.Close()
	js := must(natsjs.New(operator))
	must(js.CreateConsumer(t.Context(), jetstream.StatusStream, natsjs.ConsumerConfig{
		Durable: "ministry", AckPolicy: natsjs.AckExplicitPolicy, MaxAckPending: 1,
	}))

	lab := storetest.NewStream()
	if _, err := r.log.Append(t.Context(), lab, eventstore.Version{}, storetest.StatusEvents(lab, 3)); err != nil {
		t.Fatal(err)
	}
	var got []eventstore.Position
	err = jetstream.Subscribe(t.Context(), jetstream.Subscription{
		URL: "nats://" + addr, Name: "ministry", Seed: seed, Prefix: "register",
	}, func(d jetstream.Delivery) error {
		if got = append(got, d.Position); len(got) == 3 {
			return jetstream.ErrEnough
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []eventstore.Position{1, 2, 3}) {
		t.Errorf("%v %v", got, err)
	}
	denied := make(chan error, 1)
	ministry := must(nats.Connect(
		"nats://"+addr, nats.Timeout(hang), nats.Nkey(must(pair.PublicKey()), pair.Sign),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }),
	))
	defer ministry.Close()
	for _, subject := range []string{
		"$JS.API.INFO", "register.STREAM.DELETE.STATUS", "$JS.API.STREAM.MSG.GET.JOINTLAB",
		"$JS.API.CONSUMER.CREATE.STATUS.ministry", "jointlab.ledger.lab." + lab.ID.String(), "$SYS.REQ.SERVER.PING",
	} {
		if err := ministry.Publish(subject, nil); err != nil {
			t.Error(err)
		}
		select {
		case err := <-denied:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", subject, err)
			}
		case <-within(t).Done():
			t.Errorf("%s is not refused", subject)
		}
	}
}
