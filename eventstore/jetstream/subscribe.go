package jetstream

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/jointlab/jointlab/eventstore"
)

// Subscription is whose events to read, and where.
type Subscription struct {
	URL  string // nats://host:port or tls://host:port
	Name string // of the subscriber, and so of its consumer
	Seed string // of its nkey; "": connect without
	CA   string // file in PEM of who signed the server's certificate; "": the system's

	// Prefix of the JetStream API, where an outside server has it elsewhere for
	// this subscriber; "": $JS.API.
	Prefix string

	// After is the last position the subscriber has dealt with. What comes up to
	// it once more is acknowledged and not handed over again.
	After eventstore.Position
}

// Delivery is an event as a subscriber receives it.
type Delivery struct {
	ID         uuid.UUID
	Position   eventstore.Position // in the ledger
	Subject    string
	Body       []byte // the CloudEvents object, byte for byte
	Checkpoint []byte // the newest signed one when the event was relayed; nil: none
}

// Subscribe calls each with the subscriber's events, one at a time in the
// ledger's order, until ctx ends or each fails, and returns that error (nil for ErrEnough). An
// event is acknowledged after each has returned, and is done with when the
// server has confirmed that (a double acknowledgement); before, the server
// sends no other. So a subscriber that is killed gets the event again that it
// was busy with, and no other. Who keeps an event's position together with
// what it made of the event, and gives it as After when it starts again, deals
// with each event exactly once.
//
// This holds for a consumer with a window of 1, as CreateSubscriber's are
// unless told otherwise; with more, an event may come again after later ones,
// and each is called with it.
func Subscribe(ctx context.Context, s Subscription, each func(Delivery) error) error {
	wrap := func(err error) error {
		return fmt.Errorf("jetstream: subscribe as %s: %w", s.Name, err)
	}
	denied := make(chan error, 1)
	conn, err := s.connect(denied)
	if err != nil {
		return wrap(err)
	}
	defer conn.Close()
	js, err := natsjs.NewWithAPIPrefix(conn, cmp.Or(s.Prefix, "$JS.API"))
	if err != nil {
		return wrap(err)
	}
	consumer, err := js.Consumer(ctx, StatusStream, s.Name)
	if err != nil {
		return wrap(whyNot(ctx, conn, denied, err))
	}
	ordered := consumer.CachedInfo().Config.MaxAckPending == 1
	// A request for the next event may be lost; two silent seconds are enough to ask again.
	msgs, err := consumer.Messages(natsjs.PullMaxMessages(1), natsjs.PullExpiry(10*time.Second), natsjs.PullHeartbeat(time.Second), natsjs.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return wrap(err)
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(natsjs.NextContext(ctx))
		if err != nil {
			return wrap(whyNot(ctx, conn, denied, err))
		}
		d, err := delivered(m)
		if err != nil {
			return wrap(err)
		}
		enough := false
		if !ordered || d.Position > s.After {
			if err := each(d); errors.Is(err, ErrEnough) {
				enough = true
			} else if err != nil {
				return err
			}
			s.After = d.Position
		}
		// If the confirmation is lost, so may be the acknowledgement; then the
		// event comes again, and is passed over.
		if err := acknowledge(ctx, m); enough {
			return err
		}
	}
}

// ErrEnough ends Subscribe once the event it is returned for is acknowledged.
var ErrEnough = errors.New("enough")

func acknowledge(ctx context.Context, m natsjs.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return m.DoubleAck(ctx)
}

func (s Subscription) connect(denied chan<- error) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("jointlab subscribe"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				select {
				case denied <- err:
				default:
				}
			}
		}),
	}
	if s.Seed != "" {
		pair, err := nkeys.FromSeed([]byte(s.Seed))
		if err != nil {
			return nil, fmt.Errorf("the seed is not one that subscriber create printed: %w", err)
		}
		key, err := pair.PublicKey()
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(key, pair.Sign))
	}
	if s.CA != "" {
		options = append(options, nats.RootCAs(s.CA))
	}
	return nats.Connect(s.URL, options...)
}

// whyNot finds the reason behind an error: what is not allowed looks like a
// server that does not answer, and a revoked key like a closed connection.
func whyNot(ctx context.Context, conn *nats.Conn, denied <-chan error, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case why := <-denied:
		return fmt.Errorf("%w: %w", err, why)
	default:
	}
	if errors.Is(err, natsjs.ErrConsumerNotFound) || errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("there is no such subscriber, or the stream is not served; ask the register's operator: %w", err)
	}
	return errors.Join(err, conn.LastError())
}

func delivered(m natsjs.Msg) (d Delivery, err error) {
	header := m.Headers()
	position, ok := number(header, sourcePosition)
	if d.ID, err = eventID(header); err != nil || !ok {
		return d, fmt.Errorf("a message on %s is no event of the register's", m.Subject())
	}
	d.Position, d.Subject, d.Body = eventstore.Position(position), m.Subject(), m.Data()
	if text := header.Get(checkpointHeader); text != "" {
		if d.Checkpoint, err = base64.StdEncoding.DecodeString(text); err != nil {
			return d, fmt.Errorf("the checkpoint that came with position %d: %w", position, err)
		}
	}
	return d, nil
}
