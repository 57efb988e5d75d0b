package jetstream

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/jointlab/jointlab/eventstore"
)

// subscriberAuth admits subscribers, and no one else, at the embedded server's port.
//
// Permissions alone would not keep them apart. A pull request names the subject
// that the server is to answer on, and the server does not ask whether the one
// who sent it may publish there: with the ledger in the same account, a
// subscriber could have an event written into it, or an empty answer sent to
// the API that deletes another's consumer. So each subscriber has an account of
// its own, in which there is nothing. What it may ask for, and that is its own
// consumer, is a service imported from the register's account; the subject to
// answer on is then looked up in its own account.
type subscriberAuth struct {
	mu       sync.Mutex
	admitted map[string]*server.User // by public key
}

// Check authenticates a connection. One that comes through the process itself,
// by a pipe, is the register.
func (d *subscriberAuth) Check(c server.ClientAuthentication) bool {
	if from := c.RemoteAddress(); from != nil && from.Network() == "pipe" {
		return true
	}
	said := c.GetOpts()
	d.mu.Lock()
	user, ok := d.admitted[said.Nkey]
	d.mu.Unlock()
	if !ok {
		return false
	}
	key, err := nkeys.FromPublicKey(said.Nkey)
	if err != nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(said.Sig)
	if err != nil || key.Verify(c.GetNonce(), sig) != nil {
		return false
	}
	c.RegisterUser(user)
	return true
}

// Listen is the address at which subscribers reach the embedded server.
type Listen struct {
	Addr string      // host:port; port 0: any
	TLS  *tls.Config // nil: without
}

func (l Listen) configure(o *server.Options, d *subscriberAuth) error {
	host, port, err := net.SplitHostPort(l.Addr)
	if err == nil {
		o.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return fmt.Errorf("listen for subscribers on %q: give host:port, such as 0.0.0.0:4222: %w", l.Addr, err)
	}
	if o.Host, o.DontListen = host, false; o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	o.CustomClientAuthentication, o.AlwaysEnableNonce, o.MaxConn = d, true, 1024
	if l.TLS != nil {
		o.TLSConfig, o.TLSTimeout = l.TLS, 5
	}
	return nil
}

// SubscribersAddr is where subscribers reach the embedded server; "" where it
// does not listen.
func (l *Ledger) SubscribersAddr() string {
	if l.server == nil || l.server.auth == nil {
		return ""
	}
	return l.server.server.Addr().String()
}

// services are what a subscriber may ask of the register's account.
func services(name string) map[string]server.ServiceRespType {
	return map[string]server.ServiceRespType{
		"$JS.API.CONSUMER.MSG.NEXT." + StatusStream + "." + name: server.Streamed,
		"$JS.API.CONSUMER.INFO." + StatusStream + "." + name:     server.Singleton,
		"$JS.API.STREAM.INFO." + StatusStream:                    server.Singleton,
		"$JS.ACK." + StatusStream + "." + name + ".>":            server.Singleton,
	}
}

func (e *embedded) admit(s Subscriber) (*server.User, error) {
	account, isNew := e.server.LookupOrRegisterAccount("subscriber-" + s.Name)
	user := &server.User{Username: s.Name, Account: account, Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}}
	register := e.server.GlobalAccount()
	for subject, answers := range services(s.Name) {
		user.Permissions.Publish.Allow = append(user.Permissions.Publish.Allow, subject)
		if !isNew {
			continue // it had them before
		}
		if err := register.AddServiceExportWithResponse(subject, answers, []*server.Account{account}); err != nil {
			return nil, fmt.Errorf("export %s: %w", subject, err)
		}
		if err := account.AddServiceImport(register, subject, subject); err != nil {
			return nil, fmt.Errorf("import %s: %w", subject, err)
		}
	}
	return user, nil
}

// setAdmitted replaces the users admitted and disconnects those who no longer are.
func (e *embedded) setAdmitted(users map[string]*server.User) error {
	e.auth.mu.Lock()
	before := e.auth.admitted
	e.auth.admitted = users
	e.auth.mu.Unlock()
	for key, user := range before {
		if users[key] != nil {
			continue
		}
		conns, err := e.server.Connz(&server.ConnzOptions{Account: user.Account.Name, Limit: 1024})
		if err != nil {
			return err
		}
		for _, c := range conns.Conns {
			_ = e.server.DisconnectClientByID(c.Cid) // it may have gone by itself
		}
	}
	return nil
}

// keyOf marks a consumer as a subscriber's, with the key it was made for.
const keyOf = "jointlab-subscriber"

// AdmitSubscribers lets in the subscribers named in the data folder, each with
// its consumer of the stream STATUS, which must be there. It looks at the file
// again every second until ctx ends: who is added may connect, who is removed
// is disconnected and its consumer is gone. What goes wrong is logged and tried
// again.
func (l *Ledger) AdmitSubscribers(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen os.FileInfo
	for {
		now, err := os.Stat(subscribersFile(l.server.dir))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if changed := seen == nil || now == nil || !os.SameFile(seen, now) || !now.ModTime().Equal(seen.ModTime()); err == nil && changed {
			seen = nil
			if err = l.admitAll(ctx); err == nil {
				seen = now
			}
		}
		if err != nil && ctx.Err() == nil {
			l.logger.Error("subscribers are not as the file says; it is tried again", "file", subscribersFile(l.server.dir), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *Ledger) admitAll(ctx context.Context) error {
	subscribers, err := Subscribers(l.server.dir)
	if err != nil {
		return err
	}
	stream, err := l.js.Stream(ctx, StatusStream)
	if err != nil {
		return err
	}
	have := map[string]natsjs.ConsumerConfig{}
	consumers := stream.ListConsumers(ctx)
	for c := range consumers.Info() {
		if c.Config.Metadata[keyOf] != "" {
			have[c.Name] = c.Config
		}
	}
	if err := consumers.Err(); err != nil {
		return err
	}
	users := map[string]*server.User{}
	for _, s := range subscribers {
		if was, ok := have[s.Name]; !ok || was.Metadata[keyOf] != s.Key {
			if err := l.makeConsumer(ctx, stream, s, ok); err != nil {
				return fmt.Errorf("subscriber %s: %w", s.Name, err)
			}
		}
		delete(have, s.Name)
		if users[s.Key], err = l.server.admit(s); err != nil {
			return fmt.Errorf("subscriber %s: %w", s.Name, err)
		}
	}
	if err := l.server.setAdmitted(users); err != nil {
		return err
	}
	for name := range have {
		if err := stream.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, natsjs.ErrConsumerNotFound) {
			return fmt.Errorf("remove the consumer of %s: %w", name, err)
		}
	}
	return nil
}

// statusReached fails while STATUS is being filled and may still come to hold
// events up to a position, as in a register that was restored.
func (l *Ledger) statusReached(ctx context.Context, after eventstore.Position) error {
	last, err := (&Target{ledger: l, stream: StatusStream}).Last(ctx)
	if err != nil || last.Source >= after {
		return err
	}
	lag, err := l.StatusLag(ctx)
	if err == nil && lag > 0 {
		err = fmt.Errorf("stream %s is still being filled, and %d events behind", StatusStream, lag)
	}
	return err
}

// makeConsumer makes the durable pull consumer of a new subscriber, in place of
// one that a former subscriber of the same name had.
func (l *Ledger) makeConsumer(ctx context.Context, stream natsjs.Stream, s Subscriber, replace bool) error {
	if replace {
		if err := stream.DeleteConsumer(ctx, s.Name); err != nil {
			return err
		}
	}
	config := natsjs.ConsumerConfig{
		Durable: s.Name, Description: "jointlab: a subscriber's", AckPolicy: natsjs.AckExplicitPolicy, DeliverPolicy: natsjs.DeliverAllPolicy,
		AckWait: time.Duration(s.AckWaitMS) * time.Millisecond, MaxAckPending: s.Window, FilterSubjects: s.Subjects, Metadata: map[string]string{keyOf: s.Key},
	}
	if s.After > 0 {
		if err := l.statusReached(ctx, s.After); err != nil {
			return err
		}
		seq, err := firstAfter(ctx, stream, s.After)
		if err != nil {
			return err
		}
		config.DeliverPolicy, config.OptStartSeq = natsjs.DeliverByStartSequencePolicy, seq
	}
	_, err := stream.CreateConsumer(ctx, config)
	return err
}
