package jetstream

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// cluster starts three servers that replicate to each other.
func cluster(t *testing.T) (nodes [3]*server.Server) {
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
		nodes[i] = serve(t, &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "jointlab", Host: "127.0.0.1", Port: ports[i]}, Routes: routes,
		})
	}
	for _, node := range nodes {
		for !node.ReadyForConnections(time.Second) {
			t.Log("starting")
		}
	}
	return nodes
}

// serve runs a server outside of any log until the test ends.
func serve(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func TestContractOnAClusterThroughAServerThatDoesNotLead(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	nodes := cluster(t)
	var logs [3]*Log
	for i, node := range nodes {
		logs[i] = openOutside(t, Config{NATS: node.ClientURL(), Replicas: 3, Patience: time.Minute})
		logs[i].patience = 15 * time.Second
	}
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) {
		for i, node := range nodes {
			if !node.JetStreamIsStreamLeader("$G", streamName) {
				return logs[i], logs[i]
			}
		}
		t.Fatal("every server leads")
		return nil, nil
	})
}
