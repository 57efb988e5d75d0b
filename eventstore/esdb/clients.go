package esdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	atOnce   = 16 // calls, and so connections, at the same time; more wait
	maxPause = 2 * time.Second
)

// clients lends clients of the library, each to one call at a time. So a
// client that failed has nothing in flight and can be closed, and the loss of
// one call's client is no other call's.
type clients struct {
	config  *client.Configuration
	slots   chan struct{}
	closing context.Context // ends when close is called
	end     context.CancelCauseFunc
	running sync.WaitGroup // clients that are lent

	mu     sync.Mutex
	idle   []*client.Client
	failed int       // clients that lost the server, one after another
	next   time.Time // when the next client may be made
}

func newClients(config *client.Configuration) *clients {
	c := &clients{config: config, slots: make(chan struct{}, atOnce)}
	c.closing, c.end = context.WithCancelCause(context.Background())
	return c
}

// lend runs call with a client of its own, for as long as answer, and
// returns what call returns. It does not wait for call when ctx ends: the
// library heeds no context while it looks for the server.
func lend[T any](ctx context.Context, c *clients, answer time.Duration, call func(context.Context, *client.Client) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeoutCause(ctx, answer, fmt.Errorf("the server did not answer in %s", answer))
	defer cancel()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	one, err := c.acquire(ctx)
	if err != nil {
		<-c.slots
		return none, err
	}
	done := make(chan result, 1)
	go func() {
		var r result
		err := guard(func() (err error) {
			r.value, err = call(leaderOnly(ctx), one)
			return err
		})
		r.err = err
		c.release(one, err)
		<-c.slots
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// leaderOnly asks that a node that does not lead refuses rather than answer
// with what it has so far. The library means to send this, but does not.
func leaderOnly(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// guard turns a panic of the library into an error.
func guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the client library failed: %v", p)
		}
	}()
	return call()
}

// acquire returns a client for the caller alone, to be given back. It waits while
// the server has only just been lost.
func (c *clients) acquire(ctx context.Context) (*client.Client, error) {
	for {
		c.mu.Lock()
		if c.closing.Err() != nil {
			c.mu.Unlock()
			return nil, errClosed
		}
		wait := time.Until(c.next)
		if n := len(c.idle); n > 0 || wait <= 0 {
			c.running.Add(1)
			defer c.mu.Unlock()
			if n > 0 {
				one := c.idle[n-1]
				c.idle = c.idle[:n-1]
				return one, nil
			}
			one, err := client.NewClient(c.config) // connects when it is first used
			if err != nil {
				c.running.Done()
			}
			return one, err
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// release keeps a client that is in order and closes one that may not be. Once
// the server is lost, the idle clients are closed too, and the next client is
// made after a pause that grows.
func (c *clients) release(one *client.Client, err error) {
	defer c.running.Done()
	c.mu.Lock()
	drop := []*client.Client{one}
	switch {
	case c.closing.Err() != nil:
	case err == nil, isAnswer(err):
		c.failed, drop = 0, nil
		c.idle = append(c.idle, one)
	case errors.Is(err, context.Canceled), status.Code(err) == codes.Canceled: // nobody waits for it any more
	default:
		drop = append(drop, c.idle...)
		c.idle = nil
		c.next = time.Now().Add(min(maxPause, 25*time.Millisecond<<min(c.failed, 10)))
		c.failed++
	}
	c.mu.Unlock()
	closeAll(drop)
}

func closeAll(clients []*client.Client) {
	for _, one := range clients {
		_ = one.Close() // never fails
	}
}

func (c *clients) close() {
	c.mu.Lock() // so that no client is taken after this
	c.end(errClosed)
	c.mu.Unlock()
	c.running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	closeAll(c.idle)
	c.idle = nil
}

// isCode also looks into errors the library wraps.
func isCode(err error, codes ...client.ErrorCode) bool {
	var e *client.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code() == c {
			return true
		}
	}
	return false
}

// isAnswer reports whether the server answered, so that the connection is in order. A
// client told that its node does not lead is connecting to the one that does.
func isAnswer(err error) bool {
	return isCode(err, client.ErrorCodeWrongExpectedVersion, client.ErrorCodeStreamDeleted, client.ErrorCodeResourceNotFound,
		client.ErrorCodeNotLeader, client.ErrorAborted, client.ErrorCodeAccessDenied)
}
