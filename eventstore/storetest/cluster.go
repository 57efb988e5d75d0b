package storetest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster starts three NATS servers that replicate to each other, until the
// test ends. The URL names all of them.
func Cluster(t *testing.T) (nodes [3]*server.Server, all string) {
	t.Helper()
	var routesTo [3]*Proxy // a server has to know the others' addresses before they listen
	var routes []*url.URL
	for i := range routesTo {
		routesTo[i] = NewProxy(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: routesTo[i].Addr()})
	}
	var urls []string
	for i := range nodes {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(),
			Cluster: server.ClusterOpts{Name: "jointlab", Host: "127.0.0.1", Port: -1}, Routes: routes,
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
	for i, s := range nodes {
		for s.ClusterAddr() == nil {
			time.Sleep(time.Millisecond)
		}
		routesTo[i].To(s.ClusterAddr().String())
	}
	for _, s := range nodes {
		for !s.ReadyForConnections(time.Second) {
			t.Log("starting")
		}
		urls = append(urls, s.ClientURL())
	}
	return nodes, strings.Join(urls, ",")
}
