package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// serve runs a server outside of any ledger until the test ends.
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

// TestCluster runs what differs on three servers, on the same three: to start
// them takes longer than most of it. The last test stops a server.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	nodes, _ := storetest.Cluster(t)
	var ledgers [3]*Ledger
	for i, node := range nodes {
		ledgers[i] = openOutside(t, Config{NATS: node.ClientURL(), Replicas: 3, Patience: time.Minute})
	}
	t.Run("contract on a follower", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) {
			for i, node := range nodes {
				if !node.JetStreamIsStreamLeader("$G", streamName) {
					return ledgers[i], ledgers[i]
				}
			}
			t.Fatal("every server leads")
			return nil, nil
		})
	})
	t.Run("outbox", func(t *testing.T) { outbox(t, ledgers[0], ledgers[1]) })
	t.Run("documents", func(t *testing.T) { documentsOnCluster(t, ledgers) })
	t.Run("persons", func(t *testing.T) { personsOnCluster(t, nodes, ledgers) })
}
