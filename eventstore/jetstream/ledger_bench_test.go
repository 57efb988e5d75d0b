package jetstream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// BenchmarkLogUpkeep carries commands from 16 clients to a register whose log
// follows and signs, and to one without a log, in turns. Its "cost-%" is by how
// much the first takes longer.
func BenchmarkLogUpkeep(b *testing.B) {
	const clients, turns = 16, 20
	fact := lab.AssertFact{
		Grounds: domain.Grounds{Basis: domain.Basis{Source: "benchmark"}}, Kind: "note", Text: domain.T(strings.Repeat("实验室", 20), ""),
	}
	host := domain.EntityRef{ID: uuid.New(), Kind: "university", Country: "CN", Side: domain.Chinese, Name: domain.T("示例大学", "")}
	request := func() eventstore.Request {
		return eventstore.Request{
			Actor: domain.Actor{Subject: "bench", Role: domain.Officer}, Now: time.Now(), Command: uuid.New(), Policy: lab.Policy,
			Entities: map[uuid.UUID]domain.EntityRef{host.ID: host},
		}
	}
	var took [2]time.Duration
	var registers [2]func(n int) time.Duration
	for i := range registers {
		dir := b.TempDir()
		l := open(b, dir)
		labs := eventstore.NewAggregates[*lab.Lab, lab.Event](l, "lab", lab.New)
		var ids []uuid.UUID
		for range clients {
			ids = append(ids, uuid.New())
			if _, err := labs.Do(b.Context(), ids[len(ids)-1], lab.Propose{Names: []domain.Name{{Text: "示例", Lang: "zh", Kind: domain.Official}}, Host: host.ID}, request()); err != nil {
				b.Fatal(err)
			}
		}
		registers[i] = func(n int) time.Duration {
			next := 0
			start := time.Now()
			shareOf(b, n, clients, func() func() error {
				id := ids[next]
				next++
				return func() error {
					_, err := labs.Do(b.Context(), id, fact, request())
					return err
				}
			})
			return time.Since(start)
		}
		if i == 0 {
			continue
		}
		log, err := audit.Open(audit.Config{Dir: dir, Ledger: l, Board: l.Checkpoints(), Alone: true})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); log.Run(ctx) }()
		b.Cleanup(func() { stop(); <-ended; log.Close() })
		if _, err := log.Wait(b.Context(), clients); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for turn := range turns {
		for i := range registers {
			i = (i + turn) % 2 // neither is always the first
			took[i] += registers[i](max(1, b.N/turns/2))
		}
	}
	b.ReportMetric(100*(took[1].Seconds()/took[0].Seconds()-1), "cost-%")
}
