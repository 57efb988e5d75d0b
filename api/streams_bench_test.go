package api_test

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// BenchmarkStreams has 990 clients follow the status events over SSE, alternately alone
// and with ten more that request the full history and never read it. It reports the
// 99th percentile of the delay from append to arrival in both cases, their ratio, and
// the memory of the process, clients included.
func BenchmarkStreams(b *testing.B) {
	const clients, stalled, events, rounds = 1000, 10, 25, 6
	w := newWorld(b, func(c *api.Config) { c.StreamsPerCaller = 2 * clients })
	for range 100 { // 4 MB, more than sockets hold
		w.transitions(50, 50)
	}
	token := w.as(domain.Auditor)
	dial := func(after eventstore.Position) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(conn,
			"GET /v1/status-events?after=%d HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: "+
				"Bearer %s\r\n\r\n", after, token)
		return conn
	}
	type arrival struct {
		position uint64
		at       time.Time
	}
	arrivals := make(chan arrival, clients)
	read := func(conn net.Conn) {
		for r := bufio.NewReaderSize(conn, 2048); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				p, _ := strconv.ParseUint(strings.TrimSpace(id), 10, 64)
				arrivals <- arrival{p, time.Now()}
			}
		}
	}
	head := w.head()
	for range clients - stalled {
		conn := dial(head)
		defer conn.Close()
		go read(conn)
	}
	for range clients - stalled {
		<-arrivals // the first beat: it follows
	}
	// round appends events of a new lab, each once the one before has arrived everywhere.
	round := func(delays []time.Duration) []time.Duration {
		stream, v := storetest.NewStream(), eventstore.Version{}
		for _, e := range storetest.StatusEvents(stream, events) {
			begun := time.Now()
			var err error
			if v, err = w.log.Append(b.Context(), stream, v, []eventstore.Pending{e}); err != nil {
				b.Fatal(err)
			}
			head++
			for range clients - stalled {
				a := <-arrivals
				for a.position != uint64(head) {
					a = <-arrivals // a heartbeat
				}
				delays = append(delays, a.at.Sub(begun))
			}
		}
		return delays
	}
	held := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse+m.StackInuse) / 1e6
	}
	var delays [2][]time.Duration // without those that stall, and with
	var memory [2]float64
	round(nil) // warms up
	b.ResetTimer()
	for range b.N {
		for i := range 2*rounds - 1 {
			var conns []net.Conn
			if i%2 == 1 {
				for range stalled {
					conn := dial(0)
					conn.(*net.TCPConn).SetReadBuffer(4096)
					conns = append(conns, conn)
				}
				time.Sleep(time.Second) // until the sockets are full
			}
			delays[i%2] = round(delays[i%2])
			memory[i%2] = max(memory[i%2], held())
			for _, c := range conns {
				c.Close()
			}
		}
	}
	b.StopTimer()
	p99 := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)*99/100]) / float64(time.Millisecond)
	}
	without, with := p99(delays[0]), p99(delays[1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(without, "p99-ms")
	b.ReportMetric(with, "p99-stalled-ms")
	b.ReportMetric(with/without, "ratio")
	b.ReportMetric(memory[0], "MB")
	b.ReportMetric(memory[1], "MB-stalled")
}
