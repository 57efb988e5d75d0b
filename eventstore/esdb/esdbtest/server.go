// Package esdbtest is an EventStoreDB for tests: a gRPC server in this process
// that speaks the client library's own protocol and behaves as the real server
// was read to do, in what the adapter depends on. It keeps its events in
// memory, also while it is away, and fails on command.
//
// As the real one: appends are idempotent by the ids at the exact positions;
// $all has gaps, events of the system and of others; reads of it are inclusive
// forwards and exclusive backwards, and only from where a record begins; a node
// that does not lead refuses what asks for the leader and passes the rest on;
// clients that ping too often are cut off.
//
// Not as the real one: there is no scavenging, there are no links and no filters
// but prefixes, the nodes of a cluster are one, and there are no users and no TLS
// but what a test gives it.
package esdbtest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/jointlab/jointlab/eventstore/storetest"
)

// Server is a cluster of a leader and a follower with one log. Tests that want
// a single node use the leader alone.
type Server struct {
	log     *log
	nodes   [2]*node
	options []grpc.ServerOption

	mu     sync.Mutex
	faults func(Op) Fault
	drop   chan struct{} // closed, and made anew, to drop subscriptions
}

// node is one of the two, at an address it keeps.
type node struct {
	streams.UnimplementedStreamsServer
	serverfeatures.UnimplementedServerFeaturesServer

	server  *Server
	leads   bool
	proxy   *storetest.Proxy
	address string       // the proxy's
	grpc    *grpc.Server // nil while away
}

// Start runs a server until the test ends. Options may give it TLS, and users.
func Start(t testing.TB, options ...grpc.ServerOption) *Server {
	t.Helper()
	s := &Server{log: newLog(), drop: make(chan struct{}), options: options}
	for i := range s.nodes {
		proxy := storetest.NewProxy(t)
		s.nodes[i] = &node{server: s, leads: i == 0, proxy: proxy, address: proxy.Addr()}
		if err := s.nodes[i].listen(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.Away)
	return s
}

// URL names the leader.
func (s *Server) URL() string { return "esdb://" + s.nodes[0].address + "?tls=false" }

// Address is the leader's, host and port.
func (s *Server) Address() string { return s.nodes[0].address }

// FollowerURL names a node that does not lead.
func (s *Server) FollowerURL() string { return "esdb://" + s.nodes[1].address + "?tls=false" }

// ClusterURL names both as gossip seeds.
func (s *Server) ClusterURL() string {
	return "esdb://" + s.nodes[1].address + "," + s.nodes[0].address + "?tls=false"
}

// Away cuts every connection and refuses new ones, until Back.
func (s *Server) Away() {
	for _, n := range s.nodes {
		if n.grpc != nil {
			n.proxy.To("")
			n.grpc.Stop()
			n.grpc = nil
		}
	}
}

// Back listens again, at the same addresses, with every event it had.
func (s *Server) Back(t testing.TB) {
	t.Helper()
	for _, n := range s.nodes {
		if err := n.listen(); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *node) listen() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n.grpc = grpc.NewServer(append(n.server.options,
		// As Kestrel does: the default of this library would cut off an idle subscription.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(16<<20),
	)...)
	streams.RegisterStreamsServer(n.grpc, n)
	gossip.RegisterGossipServer(n.grpc, gossiper{server: n.server})
	serverfeatures.RegisterServerFeaturesServer(n.grpc, n)
	go n.grpc.Serve(listener) //nolint:errcheck // ends when the node goes away
	n.proxy.To(listener.Addr().String())
	return nil
}

func (n *node) endpoint() (host string, port uint32) {
	host, p, _ := net.SplitHostPort(n.address)
	number, _ := strconv.ParseUint(p, 10, 16)
	return host, uint32(number)
}

// GetSupportedMethods is the first thing a client asks.
func (n *node) GetSupportedMethods(ctx context.Context, _ *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	if err := n.fail(ctx, Connect); err != nil {
		return nil, err
	}
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: "23.10.7"}, nil
}

// Read tells a client with several seeds who leads.
func (g gossiper) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	var info gossip.ClusterInfo
	for _, n := range g.server.nodes {
		host, port := n.endpoint()
		state := gossip.MemberInfo_Follower
		if n.leads {
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, &gossip.MemberInfo{State: state, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: host, Port: port}})
	}
	return &info, nil
}

// gossiper is apart from node as both have a Read.
type gossiper struct {
	gossip.UnimplementedGossipServer
	server *Server
}
