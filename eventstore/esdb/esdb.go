// Package esdb keeps events in EventStoreDB: Store holds the streams, All is
// every event of every stream in the one order in which the server accepted
// them, for a relay to carry on to the ledger.
//
// The client library gives up for good when a discovery fails, ignores contexts
// while it discovers, panics when it is closed under a call, and reports of a lost
// answer only that something is unknown. So each call has a client to itself
// and a deadline; a client that failed is closed, with nothing in flight on it,
// and the next one is made after a pause; and an append whose outcome is not
// known is sent again with the same event ids until it is.
//
// One thing cannot be guarded against: the library ends the process when an
// event's time of creation is not a number. No server writes such an event.
package esdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jointlab/jointlab/eventstore"
)

var errClosed = errors.New("the store was closed")

var _ eventstore.Store = (*Store)(nil)

// Config is the server to use. Only URL must be set.
type Config struct {
	URL      string        // esdb://… or esdb+discover://…, with TLS unless it has tls=false
	Patience time.Duration // how long a call is tried before it fails; 0: 15 seconds
	Logger   *slog.Logger  // for the client library; nil: none
}

// Store keeps streams in EventStoreDB. It may be used by many goroutines at once.
type Store struct {
	clients  *clients
	patience time.Duration // how long a call is tried
	answer   time.Duration // how long one answer of the server is waited for
	quiet    time.Duration // how long a subscription may be silent before it is checked
}

// Open makes a store on the server that cfg.URL names. It refuses a URL that
// contradicts itself, and does not connect yet: a server that
// is away makes calls fail, with ErrUnavailable, until it is back.
func Open(cfg Config) (*Store, error) {
	config, err := configure(cfg)
	if err != nil {
		return nil, fmt.Errorf("esdb: open: %w", err)
	}
	s := &Store{clients: newClients(config), patience: cfg.Patience, answer: 5 * time.Second, quiet: 10 * time.Second}
	if s.patience == 0 {
		s.patience = 15 * time.Second
	}
	return s, nil
}

// Close ends every call and closes every connection. A call that is looking
// for the server is waited for, some seconds at most.
func (s *Store) Close() error {
	s.clients.close()
	return nil
}

// withPatience ends ctx after the store's patience, or when the store is closed,
// if it does not end before.
func (s *Store) withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, closed := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(s.clients.closing, func() { closed(errClosed) })
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, fmt.Errorf("no answer in %s; try again later, with the same events", s.patience))
	return ctx, func() {
		cancel()
		unwatch()
		closed(nil)
	}
}

// pause waits before the next try. It returns false when ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// unavailable wraps what went wrong last in ErrUnavailable, with the reason why
// it is not tried any longer.
func unavailable(ctx context.Context, doing string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (last: %w)", cause, err)
	}
	return fmt.Errorf("esdb: %s: %w: %w", doing, eventstore.ErrUnavailable, err)
}

// kinds are the streams that are the register's own. Others in the same
// database are ignored here.
var kinds = eventstore.Kinds()

// own is the stream of that name, if it is one of the register's.
func own(name string) (eventstore.Stream, bool) {
	s, err := eventstore.ParseStream(name)
	return s, err == nil && slices.Contains(kinds, s.Kind) && s.String() == name
}

func nameOf(s eventstore.Stream) (string, error) {
	if !slices.Contains(kinds, s.Kind) {
		return "", fmt.Errorf("esdb: %q is not a kind of stream the register keeps; the kinds are %s", s.Kind, strings.Join(kinds, ", "))
	}
	return s.String(), nil
}
