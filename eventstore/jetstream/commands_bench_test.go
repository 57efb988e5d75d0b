package jetstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// BenchmarkCommands carries commands from their stream to their event, each
// client on a lab of its own, beside a bare publish of the same bytes with the
// same durability, in one run on one server. Its "ratio" is commands a second
// over bare publishes a second.
func BenchmarkCommands(b *testing.B) {
	l := open(b, b.TempDir())
	labs := eventstore.NewAggregates[*lab.Lab, lab.Event](l, "lab", lab.New)
	ctx := b.Context()
	request := func() eventstore.Request {
		return eventstore.Request{
			Actor: domain.Actor{Subject: "bench", Role: domain.Officer}, Now: time.Now(), Command: uuid.New(), Policy: lab.Policy,
		}
	}
	fact := lab.AssertFact{
		Grounds: domain.Grounds{Basis: domain.Basis{Source: "benchmark"}}, Kind: "note", Text: domain.T(strings.Repeat("实验室", 20), ""),
	}
	propose := func() uuid.UUID {
		id, host := uuid.New(), uuid.New()
		r := request()
		r.Entities = map[uuid.UUID]domain.EntityRef{host: {ID: host, Kind: "university", Country: "CN", Side: domain.Chinese, Name: domain.T("示例大学", "")}}
		if _, err := labs.Do(ctx, id, lab.Propose{Names: []domain.Name{{Text: "示例", Lang: "zh", Kind: domain.Official}}, Host: host}, r); err != nil {
			b.Fatal(err)
		}
		return id
	}
	first := propose()
	if _, err := labs.Do(ctx, first, fact, request()); err != nil {
		b.Fatal(err)
	}
	recorded, _, err := l.Load(ctx, eventstore.Stream{Kind: "lab", ID: first}, eventstore.Version{})
	if err != nil {
		b.Fatal(err)
	}
	same := recorded[1].Body // the bytes every command below writes, but for ids and times
	for _, clients := range []int{1, 16, 64} {
		var bare float64
		b.Run(fmt.Sprintf("bare/%d", clients), func(b *testing.B) {
			share(b, clients, func() func() error {
				subject := subjectPrefix + storetest.NewStream().String()
				return func() error {
					_, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: same, Header: nats.Header{natsjs.MsgIDHeader: {uuid.NewString()}}})
					return err
				}
			})
			bare = float64(b.N) / b.Elapsed().Seconds()
		})
		b.Run(fmt.Sprintf("commands/%d", clients), func(b *testing.B) {
			share(b, clients, func() func() error {
				id := propose()
				return func() error {
					_, err := labs.Do(ctx, id, fact, request())
					return err
				}
			})
			if bare > 0 {
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/bare, "ratio")
			}
		})
	}
}
