package jetstream

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// network carries connections to a server, and can lose what clients send, or
// what the server answers from the moment that a client has sent something.
type network struct {
	to    string
	l     net.Listener
	deaf  atomic.Bool
	heard chan struct{} // while deaf: something was lost
	last  atomic.Pointer[lastWords]
	mute  atomic.Bool
	mu    sync.Mutex
	conns []net.Conn
}

// lastWords are what clients are heard with, and never answered.
type lastWords struct {
	words []byte
	said  func()
}

// voice is a client's connection, with the server's answers.
type voice struct {
	net.Conn
	n *network
}

func (v voice) Write(b []byte) (int, error) {
	if v.n.mute.Load() {
		return len(b), nil
	}
	return v.Conn.Write(b)
}

// between puts a network before the server at a NATS URL, and returns the URL
// to use instead.
func between(t *testing.T, natsURL string) (*network, string) {
	t.Helper()
	u, err := url.Parse(natsURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{to: u.Host, l: l, heard: make(chan struct{}, 1)}
	t.Cleanup(func() { l.Close(); n.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", n.to)
			if err != nil {
				client.Close()
				continue
			}
			n.mu.Lock()
			n.conns = append(n.conns, client, server)
			n.mu.Unlock()
			go io.Copy(voice{client, n}, server)
			go n.carry(server, client)
		}
	}()
	u.Host = l.Addr().String()
	return n, u.String()
}

func (n *network) carry(server, client net.Conn) {
	b := make([]byte, 32<<10)
	for {
		k, err := client.Read(b)
		if err != nil {
			server.Close()
			return
		}
		if n.deaf.Load() {
			select {
			case n.heard <- struct{}{}:
			default:
			}
			continue
		}
		last := n.last.Load()
		is := last != nil && bytes.Contains(b[:k], last.words)
		if is {
			n.mute.Store(true)
		}
		if _, err := server.Write(b[:k]); err != nil {
			client.Close()
			return
		}
		if is {
			last.said()
		}
	}
}

// cut ends every connection; clients connect again.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

func TestLostRequestIsRetried(t *testing.T) {
	n, url := between(t, single(t, t.TempDir()))
	l := openOutside(t, Config{NATS: url, Dir: t.TempDir()})
	l.answer = 200 * time.Millisecond
	for range 3 {
		mustAppend(t, l, storetest.NewStream(), eventstore.Version{}, storetest.Events(pageEvents/2))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // far longer than an answer takes
	defer cancel()
	for what, ask := range map[string]func() error{
		"head":   func() error { _, err := l.Head(ctx); return err },
		"read":   func() error { return l.Read(ctx, 0, 1, func([]eventstore.Recorded) error { return nil }) },
		"follow": func() error { return l.Read(ctx, 0, pageEvents+1, func([]eventstore.Recorded) error { return nil }) },
		"load":   func() error { _, _, err := l.Load(ctx, storetest.NewStream(), eventstore.Version{}); return err },
	} {
		n.deaf.Store(true)
		select {
		case <-n.heard:
		default:
		}
		done := make(chan error, 1)
		go func() { done <- ask() }()
		<-n.heard
		n.deaf.Store(false)
		n.cut() // as when a partition ends
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s waits for an answer to a request that was lost", what)
		}
	}
}
