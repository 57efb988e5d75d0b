package relay

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// TestRelaysOnAClusterCopyEachEventOnce has two relays at two servers of a
// cluster, and the server that leads the ledger leave it.
func TestRelaysOnAClusterCopyEachEventOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	nodes, urls := startCluster(t)
	store := openESDB(t, esdbtest.Start(t))
	ledgers := [2]*jetstream.Log{}
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

func startCluster(t *testing.T) (nodes [3]*server.Server, urls string) {
	t.Helper()
	var ports [3]int
	var routes []*url.URL
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = listener.Addr().(*net.TCPAddr).Port
		routes = append(routes, &url.URL{Scheme: "nats", Host: listener.Addr().String()})
		listener.Close()
	}
	for i := range nodes {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "jointlab", Host: "127.0.0.1", Port: ports[i]}, Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		nodes[i] = s
	}
	for _, s := range nodes {
		for !s.ReadyForConnections(time.Second) {
			t.Log("starting")
		}
		urls += "," + s.ClientURL()
	}
	return nodes, urls[1:]
}
