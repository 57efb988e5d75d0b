package projections

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// benchEvents returns how many events the ledger of a benchmark holds.
func benchEvents() int { return domaintest.Runs(100_000, 1_000_000) }

// life is twenty events of a lab, of about 600 bytes each.
func life(host, partner domain.EntityRef, i int) []domain.Event {
	events := []domain.Event{
		proposed(host, fmt.Sprintf("环境污染控制国际合作联合实验室%d", i), fmt.Sprintf("Joint Laboratory %d for Pollution Control", i)),
		draft("A1", lab.Substantive, host, partner),
		signs("A1", host, date("2020-01-02")),
		signs("A1", partner, date("2020-02-03")),
		lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed, To: lab.StatusIncubating,
			On: date("2020-03-01")}},
	}
	for n := range 6 {
		events = append(events, lab.RightAdded{
			Item: fmt.Sprintf("R%d", n+1), Kind: lab.ItemKinds[n%3], Agreement: "A1", Clause: "第5条", Party: []domain.EntityRef{host, partner}[n%2],
			Text: domain.T("提供实验室用房并承担日常运行", "provides the premises and bears the cost of running them"), Due: date("2024-06-30"),
		})
	}
	for n := range 3 {
		id := fmt.Sprintf("F%d", n+1)
		events = append(events,
			lab.CommitmentPledged{Commitment: id, Party: host, Source: lab.OwnFunds, Agreement: "A1", Purpose: domain.T("运行", "running costs"), Quantity: cash("1200000.00", "CNY")},
			lab.ContributionReceived{Commitment: id, Party: host,
				Contribution: lab.Contribution{No: 1, On: date("2021-05-06"), Quantity: cash("300000.00", "CNY"),
					Evidence: "sha256:x"}},
			lab.RightDischarged{Settlement: lab.Settlement{Item: "R1", Party: host, On: date("2022-03-04"),
				Evidence: "sha256:x"}},
		)
	}
	return events
}

// fill writes n events into a new ledger in dir, twenty a lab.
func fill(b *testing.B, dir string, n int) {
	b.Helper()
	fillWith(b, dir, n, 20)
}

func fillWith(b *testing.B, dir string, n, perLab int) {
	b.Helper()
	log, err := jetstream.Open(context.Background(), jetstream.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	host, partner := ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "Technische Universität Berlin")
	actor := domain.Actor{Subject: "officer", Role: domain.Officer, OnBehalfOf: host.ID}
	at, bytes := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), 0
	for done := 0; done < n; {
		s := labStream()
		var pending []eventstore.Pending
		for i, e := range life(host, partner, done)[:perLab] {
			at = at.Add(time.Second)
			p, err := eventstore.Encode(s, domain.Meta{ID: uuid.New(), Revision: uint64(i), Time: at, Actor: actor,
				Command: uuid.New(), Policy: lab.Policy}, e)
			if err != nil {
				b.Fatal(err)
			}
			pending, bytes = append(pending, p), bytes+len(p.Body)
		}
		if _, err := log.Append(context.Background(), s, eventstore.Version{}, pending); err != nil {
			b.Fatal(err)
		}
		done += len(pending)
	}
	b.Logf("%d events of %d bytes", n, bytes/n)
}

// bare reads the ledger with the engine's own ordered consumer and does nothing with it.
func bare(b *testing.B, dir string, n int) time.Duration {
	b.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "jointlab", DontListen: true, JetStream: true, StoreDir: dir,
		SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		b.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("the server does not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	js, err := natsjs.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	consumer, err := js.OrderedConsumer(context.Background(), "JOINTLAB", natsjs.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	done, seen := make(chan struct{}), 0
	consuming, err := consumer.Consume(func(m natsjs.Msg) {
		seen += int(binary.LittleEndian.Uint16(m.Data()) & 1) // the body is touched; 0x7b is odd
		if seen == n {
			close(done)
		}
	}, natsjs.PullMaxMessages(20_000), natsjs.PullThresholdMessages(10_000))
	if err != nil {
		b.Fatal(err)
	}
	<-done
	took := time.Since(start)
	consuming.Stop()
	<-consuming.Closed()
	return took
}

// BenchmarkRebuild builds the model of a ledger, beside a bare read of it, in
// turn on the same machine: their ratio varies less than either. JOINTLAB_TEST_LONG=1
// gives the figure for a million events.
func BenchmarkRebuild(b *testing.B) {
	dir, n := b.TempDir(), benchEvents()/20*20
	fill(b, dir, n)
	var read, built time.Duration
	for b.Loop() {
		read += bare(b, dir, n)
		log, err := jetstream.Open(context.Background(), jetstream.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		r, err := Rebuild(context.Background(), filepath.Join(b.TempDir(), fmt.Sprint(b.N)+".db"), log, log, nil)
		if err != nil || int(r.Position) != n {
			b.Fatal(r, err)
		}
		built += r.Took
		log.Close()
	}
	events := float64(n * b.N)
	b.ReportMetric(events/read.Seconds(), "bare/s")
	b.ReportMetric(events/built.Seconds(), "rebuilt/s")
	b.ReportMetric(read.Seconds()/built.Seconds(), "ratio")
}

// BenchmarkPast asks for a page of labs, and of items across labs, now and as
// of half-way, beside each other: the same ledger with twice the history of
// each lab shows whether the ledger or the rows cost the time.
func BenchmarkPast(b *testing.B) {
	for _, events := range []int{10, 20} {
		b.Run(fmt.Sprintf("1000 labs of %d events", events), func(b *testing.B) {
			dir, ctx := b.TempDir(), b.Context()
			fillWith(b, dir, 1000*events, events)
			log, err := jetstream.Open(ctx, jetstream.Config{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			m, err := Open(ctx, filepath.Join(b.TempDir(), "model.db"), log, log)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			then := Moment{Position: eventstore.Position(500 * events), Day: date("2021-01-01")}
			took := map[string]time.Duration{}
			ask := func(what string, question func() (int, error)) {
				start := time.Now()
				if total, err := question(); err != nil || total == 0 {
					b.Fatal(what, total, err)
				}
				took[what] += time.Since(start)
			}
			for b.Loop() {
				for when, at := range map[string]Moment{"now": {}, "then": then} {
					ask("labs "+when, func() (int, error) {
						p, err := m.Labs(ctx, LabsQuery{At: at,
							Status: []lab.Status{lab.StatusIncubating, lab.StatusProposed},
							Sort:   "name_zh",
							Today:  date("2024-01-01")})
						return p.Total, err
					})
					ask("rights "+when, func() (int, error) {
						p, err := m.Rights(ctx, RightsQuery{For: everything, At: at, Kind: lab.Right})
						return p.Total, err
					})
				}
			}
			for what, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), strings.ReplaceAll(what, " ", "-")+"-ms")
			}
		})
	}
}
