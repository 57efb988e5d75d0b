package storetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy is an address that stays while the server behind it comes and goes. A
// server that listens again on a port it gave up may find it taken.
type Proxy struct {
	listener net.Listener

	mu    sync.Mutex
	to    string // address of the server; empty: it is away
	conns map[net.Conn]bool
	work  sync.WaitGroup
}

// NewProxy listens on a free port of this machine until the test ends.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, conns: map[net.Conn]bool{}}
	p.work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.carry(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.To("")
		p.work.Wait()
	})
	return p
}

// Addr returns the address that clients call.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// To leads new connections to a server and breaks those to the one before. To
// an empty address none is made.
func (p *Proxy) To(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = server
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) carry(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	if to == "" {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	stale := p.to != to
	if !stale {
		p.conns[client], p.conns[server] = true, true
	}
	p.mu.Unlock()
	if stale {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			client.Close()
			server.Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}
