package api

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limits bound the load of one caller. The zero Limits sets no bounds.
type Limits struct {
	Rate       float64 // requests a second on average, at least 0; 0: no limit
	Burst      int     // requests at once after a pause
	Concurrent int     // requests in progress; 0: no limit

	// QueryTime bounds the time of a query that is answered in one piece; 0: 30 s.
	// Files and streams are sent while they are read, and may take longer.
	QueryTime time.Duration
}

// cost returns how much of its caller's Concurrent an answer uses: a quarter if it
// is made from all of the register rather than a page of rows, 1 otherwise.
func (l Limits) cost(op *huma.Operation, r *http.Request) int64 {
	if strings.Contains(op.Path, "{") || op.Method != http.MethodGet {
		return 1
	}
	asked := r.URL.Query()
	whole := strings.HasPrefix(op.Path, "/v1/reports/") || asked.Has("as_of") || asked.Has("effective_on")
	if !whole && op.Responses["200"] != nil { // a file
		_, json := op.Responses["200"].Content["application/json"]
		whole = !json
	}
	if whole {
		return int64(l.Concurrent+3) / 4
	}
	return 1
}

var errTooCostly = errors.New("api: the query takes too long")

// inTime returns ctx with the deadline of a query.
func (l Limits) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, cmp.Or(l.QueryTime, 30*time.Second), errTooCostly)
}

// tooCostly returns the problem of a query that took longer than QueryTime.
func (l Limits) tooCostly() *Problem {
	return newProblem("too-costly", "查询超过 %[1]s 仍未完成，已停止；请缩小范围：增加筛选条件、减小 limit，或改用快照（/v1/snapshots）自行计算", "the query took more than %[1]s and was given up; ask for less, with filters or a smaller limit, or work on a snapshot (/v1/snapshots)", cmp.Or(l.QueryTime, 30*time.Second))
}

// caller is the state of one caller. Its fields are safe for concurrent use.
type caller struct {
	bucket *rate.Limiter
	active atomic.Int64
}

// limiter enforces the limits. It forgets the least recent callers, so that their
// number cannot fill the memory.
type limiter struct {
	Limits
	now     func() time.Time
	callers *lru.Cache[string, *caller]
}

const rememberedCallers = 10_000

func newLimiter(l Limits, now func() time.Time) *limiter {
	callers, err := lru.New[string, *caller](rememberedCallers)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &limiter{l, now, callers}
}

// callerOf returns the caller that a request counts for: the token's subject or,
// without a token, the address. It is empty for a request within the process.
func callerOf(r *http.Request, claims Claims) string {
	if r.RemoteAddr == "" {
		return ""
	}
	if claims.Subject != "" {
		return "subject " + claims.Subject
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "address " + host
}

// enter admits a request of a cost in places. It returns the function to call when
// the request is answered, or nil and the time after which to retry.
func (l *limiter) enter(who string, places int64) (leave func(), wait time.Duration) {
	if who == "" || l.Rate <= 0 && l.Concurrent <= 0 {
		return func() {}, 0
	}
	c, ok := l.callers.Get(who)
	if !ok {
		limit := rate.Limit(l.Rate)
		if l.Rate <= 0 {
			limit = rate.Inf
		}
		c = &caller{bucket: rate.NewLimiter(limit, max(1, l.Burst))}
		if was, ok, _ := l.callers.PeekOrAdd(who, c); ok {
			c = was
		}
	}
	if n := c.active.Add(places); l.Concurrent > 0 && n > int64(l.Concurrent) {
		c.active.Add(-places)
		return nil, time.Second
	}
	now := l.now()
	if r := c.bucket.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait = r.DelayFrom(now)
		r.CancelAt(now)
		c.active.Add(-places)
		return nil, wait
	}
	return func() { c.active.Add(-places) }, 0
}

func tooMany(wait time.Duration) *Problem {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return newProblem("too-many-requests", "请在 %s 秒后再试", "try again in %s s", seconds).with("Retry-After", seconds)
}
