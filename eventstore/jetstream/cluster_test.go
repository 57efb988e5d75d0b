package jetstream

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// cluster starts three servers that replicate to each other.
func cluster(t *testing.T) (nodes [3]*embedded) {
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
		dir := t.TempDir()
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: dir, SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "jointlab", Host: "127.0.0.1", Port: ports[i]}, Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		go s.Start()
		nodes[i] = &embedded{dir: dir, lock: flock.New(filepath.Join(dir, "lock")), server: s, log: newServerLog(nil)}
	}
	return nodes
}

func TestContractOnAClusterThroughAServerThatDoesNotLead(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nodes := cluster(t)
	var logs [3]*Log
	for i, node := range nodes {
		logs[i] = newLog(Config{Dir: node.dir}, node, 3)
		t.Cleanup(func() { logs[i].Close() })
		for !node.server.ReadyForConnections(time.Second) {
			t.Log("starting")
		}
		if err := logs[i].connect(node.connect); err != nil {
			t.Fatal(err)
		}
		for !begun(t, logs[i]) {
			if ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
		}
	}
	storetest.Run(t, func(t *testing.T) (eventstore.Store, eventstore.Ledger) {
		for i, node := range nodes {
			if !node.server.JetStreamIsStreamLeader("$G", streamName) {
				return logs[i], logs[i]
			}
		}
		t.Fatal("every server leads")
		return nil, nil
	})
}

// begun tries to begin. While the servers have no leader there is no answer.
func begun(t *testing.T, l *Log) bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return l.begin(ctx) == nil
}
