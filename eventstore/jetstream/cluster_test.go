package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

func cluster(t *testing.T) [3]*server.Server {
	t.Helper()
	nodes, _ := storetest.Cluster(t)
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

func TestContractOnFollower(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	nodes := cluster(t)
	var logs [3]*Ledger
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
