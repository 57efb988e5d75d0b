package api

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limits keep one caller from taking what all share. The zero Limits sets none.
type Limits struct {
	Rate       float64 // requests a second, in the long run; 0: any number
	Burst      int     // requests at once, after a rest
	Concurrent int     // requests that are being answered at one time; 0: any number
}

// caller is what is known of one caller's recent requests.
type caller struct {
	bucket *rate.Limiter
	active atomic.Int64
}

// limiter holds callers to the limits. It forgets who has not called for long,
// so that many callers cannot fill the memory.
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

// callerOf is who a request counts for: whom its token speaks for or, without
// one, where it comes from. It is empty for what did not come over a network.
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

// enter admits a request, and the function returned must be called when it is
// answered; or it says after how long it would be admitted.
func (l *limiter) enter(who string) (leave func(), wait time.Duration) {
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
	if n := c.active.Add(1); l.Concurrent > 0 && n > int64(l.Concurrent) {
		c.active.Add(-1)
		return nil, time.Second
	}
	now := l.now()
	if r := c.bucket.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait = r.DelayFrom(now)
		r.CancelAt(now)
		c.active.Add(-1)
		return nil, wait
	}
	return func() { c.active.Add(-1) }, 0
}

func tooMany(wait time.Duration) *Problem {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return newProblem("too-many-requests", "请在 %s 秒后再试", "try again in %s s", seconds).with("Retry-After", seconds)
}
