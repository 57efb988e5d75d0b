package relay

import (
	"testing"
	"time"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// TestRelaysOnCluster has two relays at two servers of a
// cluster, and the server that leads the ledger leave it.
func TestRelaysOnCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	nodes, urls := storetest.Cluster(t)
	store := openESDB(t, esdbtest.Start(t))
	ledgers := [2]*jetstream.Ledger{}
	for i := range ledgers {
		l, err := jetstream.Open(t.Context(), jetstream.Config{NATS: urls, Replicas: 3, Relayed: true, Patience: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if len(l.Problems()) > 0 {
			t.Fatal(l.Problems())
		}
		ledgers[i] = l
		run(t, New(store.All(), l.RelayTarget()))
	}
	const n = 1200
	write(t, store, n/2)
	reaches(t, ledgers[0], n/2)
	for _, node := range nodes {
		if node.JetStreamIsStreamLeader("$G", "JOINTLAB") {
			node.Shutdown()
			break
		}
	}
	write(t, store, n/2)
	reaches(t, ledgers[1], n)
	agree(t, store.All(), ledgers[1], n)
	s, events := storetest.NewStream(), storetest.Events(1)
	if _, err := store.Append(t.Context(), s, eventstore.Version{}, events); err != nil {
		t.Fatal(err)
	}
	reaches(t, ledgers[0], n+1)
}
