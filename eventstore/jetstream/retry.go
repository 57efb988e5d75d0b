package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// oldestServer is the first version without known losses.
var oldestServer = []int{2, 15, 2}

// dialOutside returns a function that connects to a server run elsewhere. Whether it syncs each
// event to disk before it acknowledges it is in its own configuration
// (sync_interval: always), and cannot be seen from here.
func dialOutside(cfg Config) func(name string) (*nats.Conn, error) {
	return func(name string) (*nats.Conn, error) {
		options := connection("jointlab "+name, 250*time.Millisecond)
		if cfg.Credentials != "" {
			options = append(options, nats.UserCredentials(cfg.Credentials))
		}
		return nats.Connect(cfg.NATS, options...)
	}
}

// beginRetrying begins as soon as the servers answer: a cluster that has just
// started has no leader yet.
func (l *Ledger) beginRetrying(ctx context.Context) error {
	err := l.retry(ctx, l.begin)
	if transient(err) {
		err = fmt.Errorf("the stream cannot be opened; see that JetStream runs on the server, the user may use it, and the cluster has a leader: %w", err)
	}
	return err
}

// retry asks again while there is no answer, up to the log's patience. A
// request may be lost on the way, to a server that has just ended or is cut
// off, without a notice; ask must do no harm when it is done twice.
func (l *Ledger) retry(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := l.withPatience(ctx)
	defer cancel()
	for {
		once, stop := context.WithTimeout(ctx, l.answer)
		err := ask(once)
		stop()
		if !transient(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// transient reports whether an error may be gone when one asks again: silence,
// a connection that is being made anew, a cluster without a leader.
func transient(err error) bool {
	for _, passing := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, natsjs.ErrNoStreamResponse, nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting, nats.ErrDisconnected} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var answer *natsjs.APIError
	return errors.As(err, &answer) && answer.Code >= 500
}

// atLeast compares a version n.n.n, whatever follows it.
func atLeast(version string, want []int) bool {
	have := make([]int, 3)
	n, _ := fmt.Sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2])
	return n == 3 && slices.Compare(have, want) >= 0
}
