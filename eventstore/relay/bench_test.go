package relay

import (
	"testing"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// BenchmarkCatchUp is events a second from $all, of the double, to an embedded
// ledger that syncs each batch.
func BenchmarkCatchUp(b *testing.B) {
	const n = 20_000
	store, err := esdb.Open(esdb.Config{URL: esdbtest.Start(b).URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	for range n / 500 {
		if _, err := store.Append(b.Context(), storetest.NewStream(), eventstore.Version{}, storetest.Events(500)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		ledger, err := jetstream.Open(b.Context(), jetstream.Config{Dir: b.TempDir(), Relayed: true})
		if err != nil {
			b.Fatal(err)
		}
		stop := run(b, New(store.All(), ledger.RelayTarget()))
		reaches(b, ledger, n)
		stop()
		ledger.Close()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLive is one append to the double and its arrival in the ledger.
func BenchmarkLive(b *testing.B) {
	store, err := esdb.Open(esdb.Config{URL: esdbtest.Start(b).URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	ledger, err := jetstream.Open(b.Context(), jetstream.Config{Dir: b.TempDir(), Relayed: true})
	if err != nil {
		b.Fatal(err)
	}
	defer ledger.Close()
	stop := run(b, New(store.All(), ledger.RelayTarget()))
	defer stop()
	stream, version := storetest.NewStream(), eventstore.Version{}
	arrived := make(chan int, 1000)
	go ledger.Follow(b.Context(), 0, func(events []eventstore.Recorded) error { //nolint:errcheck // ends with the benchmark
		arrived <- len(events)
		return nil
	})
	for b.Loop() {
		if version, err = store.Append(b.Context(), stream, version, storetest.Events(1)); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
