package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// natsd runs one NATS server of a cluster, as a process of its own. The arguments
// are its name, its address for clients, that for the cluster, the folder, and all
// addresses for the cluster.
func natsd() {
	options := clusterOptions(os.Args[1], os.Args[3], os.Args[4], os.Args[5:])
	options.Host, options.Port = hostPort(os.Args[2])
	s, err := server.NewServer(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	s.WaitForShutdown()
}

// process is one that is killed and started again.
type process struct {
	start func() *exec.Cmd // returns once it serves
	cmd   *exec.Cmd
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// clusterOptions returns the options of a server of a cluster of the tests. Its
// port for clients is free to choose.
func clusterOptions(name, route, dir string, routes []string) *server.Options {
	host, port := hostPort(route)
	o := &server.Options{
		ServerName: name,
		Host:       "127.0.0.1",
		Port:       -1,
		NoLog:      true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   dir,
		SyncAlways: true,
		Cluster:    server.ClusterOpts{Name: "jointlab", Host: host, Port: port},
	}
	for _, r := range routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: r})
	}
	return o
}

// hostPort returns the parts of an address that ownPorts gave.
func hostPort(address string) (string, int) {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return host, n
}

// ownPorts returns n addresses to listen on, also again and again. They are on a
// loopback address drawn for the test, where that can be had, so that no other
// process takes a port while nothing listens on it.
func ownPorts(t *testing.T, n int) (addresses []string) {
	t.Helper()
	host := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	for range n {
		l, err := net.Listen("tcp", host)
		if err != nil {
			host = "127.0.0.1:0"
			l, err = net.Listen("tcp", host)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses
}

// eventually polls until right reports true.
func eventually(ctx context.Context, t *testing.T, what string, right func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !right() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// downTime is for how long a killed process stays away where nothing goes on
// without it.
const downTime = 3 * time.Second

// TestClusterKillsLoseNothing kills each process of a cluster in turn.
func TestClusterKillsLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("six processes are started and killed")
	}
	t.Parallel()
	rounds := domaintest.Runs(6, 100)
	ctx, cancel := context.WithTimeout(context.Background(), hang+time.Duration(rounds)*time.Minute)
	defer cancel()

	listening := ownPorts(t, 6)
	clients, routes := listening[:3], listening[3:]
	var all []*process
	var addresses []string
	for i := range 3 {
		args, client := append([]string{fmt.Sprintf("n%d", i), clients[i], routes[i], t.TempDir()}, routes...), clients[i]
		addresses = append(addresses, "nats://"+client)
		all = append(all, &process{start: func() *exec.Cmd {
			path, err := exec.LookPath("natsd")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(path, args...)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(ctx, t, "a NATS server listens", func() bool {
				c, err := net.Dial("tcp", client)
				if err == nil {
					c.Close()
				}
				return err == nil
			})
			return cmd
		}})
	}
	where := []string{"--store", outsideNATS, "--nats-url", strings.Join(addresses, ","), "--nats-replicas", "3"}
	var folders [3]string
	var urls [3]atomic.Pointer[string]
	for i := range folders {
		folders[i] = t.TempDir()
		if i > 0 { // the nodes of one register share the key that signs tokens
			key, err := os.ReadFile(keyPath(folders[0]))
			if err == nil {
				err = os.WriteFile(keyPath(folders[i]), key, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else {
			output(t, "token", "create", "--data", folders[0], "--role", "officer", "--subject", "first")
		}
		all = append(all, &process{start: func() *exec.Cmd {
			s := startServer(t, folders[i], where...)
			urls[i].Store(&s.url)
			return s.cmd
		}})
	}
	for i, p := range all {
		if i == 3 {
			eventually(ctx, t, "the NATS cluster takes streams", func() bool {
				log, err := jetstream.Open(ctx, jetstream.Config{NATS: strings.Join(addresses, ","), Replicas: 3})
				return err == nil && log.Close() == nil
			})
		}
		p.cmd = p.start()
		t.Cleanup(p.kill)
	}

	token := served{url: *urls[0].Load()}.client(t, folders[0], "officer", "").token
	node := func() client {
		return client{*urls[rand.IntN(3)].Load(), &http.Client{Timeout: time.Minute}, token}
	}
	// send sends a command to one node after another, under one key, until one answers.
	send := func(ctx context.Context, path, key string, command any) (answer, error) {
		for {
			a, err := node().send(ctx, path, key, command)
			var said *problem
			if err == nil || ctx.Err() != nil || errors.As(err, &said) && said.Status < 500 {
				return a, err
			}
		}
	}
	host := demoEntity("kill host")
	acked := newAcknowledged()
	a, err := send(ctx, "/v1/entities/"+host.String()+"/register", "host", entity.Register{Kind: entity.University, Country: "CN", Names: name("虚构大学", "Fictional University")})
	if err != nil {
		t.Fatal(err)
	}
	acked.add(a.Events)
	loading, stop := context.WithCancel(ctx)
	var load sync.WaitGroup
	var labs []string
	for n := range writers {
		path := "/v1/labs/" + uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "kill %d", n)).String()
		labs = append(labs, path)
		if a, err = send(ctx, path+"/propose", fmt.Sprintf("lab-%d", n), lab.Propose{Names: name("演示", "Demo"), Host: host}); err != nil {
			t.Fatal(err)
		}
		acked.add(a.Events)
		load.Go(func() {
			for i := 0; loading.Err() == nil; i++ {
				a, err := send(ctx, path+"/assert-fact", fmt.Sprintf("fact-%d-%d", n, i), lab.AssertFact{
					Grounds: domain.Grounds{Basis: domain.Basis{Source: "kill test"}}, Kind: "note",
					Text: domain.T("", fmt.Sprintf("fact %d", i)),
				})
				if err != nil {
					t.Errorf("client %d, command %d: %v", n, i, err)
					return
				}
				acked.add(a.Events)
			}
		})
	}
	waited := 0
	for round := range rounds {
		p := all[round%len(all)]
		p.kill()
		// Two of three are enough to go on, unless one of them has not caught up
		// since it was killed: then the cluster waits for the third.
		without, enough := context.WithTimeout(ctx, downTime)
		if !acked.reach(without, acked.count()+1+rand.IntN(20)) {
			waited++
		}
		enough()
		p.cmd = p.start()
		acked.await(ctx, t, acked.count()+1+rand.IntN(20))
		if t.Failed() {
			break
		}
	}
	stop()
	load.Wait()

	log, err := jetstream.Open(ctx, jetstream.Config{NATS: strings.Join(addresses, ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	head, err := log.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	there, commands, next := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, map[eventstore.Stream]uint64{}
	err = log.Read(ctx, 0, head, func(events []eventstore.Recorded) error {
		for _, e := range events {
			d, err := eventstore.Decode(e.Body)
			if err != nil {
				return err
			}
			if commands[d.Meta.Command] || there[e.ID] {
				t.Errorf("position %d: command %s was carried out twice", e.Position, d.Meta.Command)
			}
			if d.Meta.Revision != next[e.Stream] {
				t.Errorf("position %d: %s has revision %d after %d events", e.Position, e.Stream, d.Meta.Revision, next[e.Stream])
			}
			there[e.ID], commands[d.Meta.Command], next[e.Stream] = true, true, next[e.Stream]+1
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != int(head) {
		t.Errorf("the ledger ends at %d and gave %d events", head, len(there))
	}
	if !maps.Equal(there, acked.events) { // each client has waited for the answer to its last command
		t.Errorf("%d events were acknowledged, and %d others are in the ledger", acked.count(), len(there))
		for id := range acked.events {
			if !there[id] {
				t.Errorf("event %s was acknowledged and is gone", id)
			}
		}
	}
	for i := range urls {
		c := client{*urls[i].Load(), &http.Client{Timeout: time.Minute}, token}
		var said struct {
			Position uint64 `json:"position"`
		}
		eventually(ctx, t, "a node has caught up", func() bool {
			if err = c.get(ctx, "/readyz", &said); ctx.Err() != nil {
				t.Logf("node %d is at %d of %d: %v", i, said.Position, head, err)
			}
			return err == nil && said.Position == uint64(head)
		})
	}
	said := map[string]string{}
	for i := range urls {
		for _, path := range append(labs, "/v1/labs", "/v1/entities", "/v1/events?limit=500") {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, *urls[i].Load()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body := readAll(t, resp)
			if i == 0 {
				said[path] = body
			} else if said[path] != body {
				t.Errorf("node %d says of %s\n%s\nand the first node\n%s", i, path, body, said[path])
			}
		}
	}
	for i, p := range all[3:] {
		p.kill()
		if out := output(t, append([]string{
			"verify", "--data", folders[i],
		}, where...)...); !strings.Contains(out, " 0 differences") {
			t.Errorf("node %d: %s", i, out)
		}
	}
	t.Logf(
		"%d kills, of which %d held up commands until the process was back; %d events acknowledged, %d in the ledger",
		rounds, waited, acked.count(), head,
	)
}

func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", r.Status, err)
	}
	return string(body)
}
