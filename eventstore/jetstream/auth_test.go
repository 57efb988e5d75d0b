package jetstream

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// openListening opens a ledger that listens, with ten status events on STATUS, and lets
// the named subscribers in. It returns their seeds.
func openListening(t testing.TB, dir string, listen Listen, names ...string) (l *Ledger, seeds map[string]string) {
	t.Helper()
	l, err := Open(t.Context(), Config{Dir: dir, Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	target, err := l.StatusTarget(t.Context(), StatusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	fillStatus(t, l, target, 10)
	seeds = map[string]string{}
	for _, name := range names {
		if seeds[name], err = CreateSubscriber(dir, Subscriber{Name: name, Window: 1, AckWaitMS: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.admitAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	admitting := make(chan struct{})
	go func() { defer close(admitting); l.AdmitSubscribers(ctx) }()
	t.Cleanup(func() { stop(); <-admitting })
	return l, seeds
}

// fillStatus appends n status events to the ledger and relays them.
func fillStatus(t testing.TB, l *Ledger, target *Target, n int) {
	t.Helper()
	s := storetest.NewStream()
	mark, err := target.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, s, eventstore.Version{}, storetest.StatusEvents(s, n))
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Read(t.Context(), mark.Source, head, func(events []eventstore.Recorded) error {
		mark, err = target.Publish(t.Context(), mark, events)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// dial connects as the owner of a seed, anonymously with "".
func dial(t testing.TB, l *Ledger, seed string, options ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	if seed != "" {
		pair, err := nkeys.FromSeed([]byte(seed))
		if err != nil {
			t.Fatal(err)
		}
		key, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, nats.Nkey(key, pair.Sign))
	}
	conn, err := nats.Connect("nats://"+l.SubscribersAddr(), append(options, nats.NoReconnect())...)
	if err == nil {
		t.Cleanup(conn.Close)
	}
	return conn, err
}

// state is all that a subscriber must not be able to change.
func state(t testing.TB, l *Ledger) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{streamName, StatusStream} {
		stream, err := l.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		info := stream.CachedInfo()
		fmt.Fprintf(&b, "%s: %+v, messages %d–%d\n", name, info.Config, info.State.FirstSeq, info.State.LastSeq)
		var consumers []string
		list := stream.ListConsumers(t.Context())
		for c := range list.Info() {
			if c.Name != "mine" {
				consumers = append(consumers, fmt.Sprintf("%s %v delivered %v floor %v paused %v\n", c.Name, c.Config, c.Delivered.Consumer, c.AckFloor.Stream, c.Paused))
			}
		}
		slices.Sort(consumers)
		fmt.Fprintln(&b, consumers)
	}
	return b.String()
}

func TestSubscriberPermissions(t *testing.T) {
	l, seeds := openListening(t, t.TempDir(), Listen{Addr: "127.0.0.1:0"}, "mine", "other")
	denied := make(chan error, 100)
	conn, err := dial(t, l, seeds["mine"], nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	if err != nil {
		t.Fatal(err)
	}
	// Another subscriber is in the middle of an event.
	otherConn, err := dial(t, l, seeds["other"])
	if err != nil {
		t.Fatal(err)
	}
	otherJS, _ := natsjs.New(otherConn)
	other, err := otherJS.Consumer(t.Context(), StatusStream, "other")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.Next()
	if err != nil {
		t.Fatal(err)
	}

	const lab = "11111111-1111-1111-1111-111111111111"
	allowed := map[string]string{
		"$JS.API.STREAM.INFO.STATUS":            "",
		"$JS.API.CONSUMER.INFO.STATUS.mine":     "",
		"$JS.API.CONSUMER.MSG.NEXT.STATUS.mine": `{"batch":1,"no_wait":true}`,
	}
	refused := []string{
		"$JS.API.INFO", "$JS.API.>", "$JS.API.ACCOUNT.PURGE.$G",
		"$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.JOINTLAB",
		"$JS.API.STREAM.CREATE.mine", "$JS.API.STREAM.CREATE.STATUS", "$JS.API.STREAM.UPDATE.STATUS", "$JS.API.STREAM.UPDATE.JOINTLAB",
		"$JS.API.STREAM.DELETE.STATUS", "$JS.API.STREAM.DELETE.JOINTLAB", "$JS.API.STREAM.PURGE.STATUS", "$JS.API.STREAM.PURGE.JOINTLAB",
		"$JS.API.STREAM.MSG.GET.STATUS", "$JS.API.STREAM.MSG.GET.JOINTLAB", "$JS.API.STREAM.MSG.DELETE.STATUS", "$JS.API.STREAM.MSG.DELETE.JOINTLAB",
		"$JS.API.STREAM.SNAPSHOT.STATUS", "$JS.API.STREAM.SNAPSHOT.JOINTLAB", "$JS.API.STREAM.RESTORE.JOINTLAB",
		"$JS.API.STREAM.PEER.REMOVE.STATUS", "$JS.API.STREAM.LEADER.STEPDOWN.STATUS", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE",
		"$JS.API.DIRECT.GET.STATUS", "$JS.API.DIRECT.GET.JOINTLAB", "$JS.API.DIRECT.GET.JOINTLAB.jointlab.ledger.lab." + lab,
		"$JS.API.CONSUMER.NAMES.STATUS", "$JS.API.CONSUMER.LIST.STATUS", "$JS.API.CONSUMER.NAMES.JOINTLAB", "$JS.API.CONSUMER.LIST.JOINTLAB",
		"$JS.API.CONSUMER.INFO.STATUS.other", "$JS.API.CONSUMER.INFO.JOINTLAB.mine",
		"$JS.API.CONSUMER.CREATE.STATUS", "$JS.API.CONSUMER.CREATE.STATUS.mine", "$JS.API.CONSUMER.CREATE.STATUS.mine.jointlab.status.>",
		"$JS.API.CONSUMER.CREATE.STATUS.new", "$JS.API.CONSUMER.CREATE.JOINTLAB.mine", "$JS.API.CONSUMER.CREATE.JOINTLAB.mine.jointlab.ledger.>",
		"$JS.API.CONSUMER.DURABLE.CREATE.STATUS.mine", "$JS.API.CONSUMER.DURABLE.CREATE.JOINTLAB.mine",
		"$JS.API.CONSUMER.DELETE.STATUS.mine", "$JS.API.CONSUMER.DELETE.STATUS.other", "$JS.API.CONSUMER.PAUSE.STATUS.mine", "$JS.API.CONSUMER.PAUSE.STATUS.other",
		"$JS.API.CONSUMER.RESET.STATUS.other", "$JS.API.CONSUMER.UNPIN.STATUS.other", "$JS.API.CONSUMER.LEADER.STEPDOWN.STATUS.other",
		"$JS.API.CONSUMER.MSG.NEXT.STATUS.other", "$JS.API.CONSUMER.MSG.NEXT.STATUS.*", "$JS.API.CONSUMER.MSG.NEXT.JOINTLAB.mine",
		theirs.Reply(), "$JS.ACK.JOINTLAB.mine.1.1.1.1.0", "$JS.FC.STATUS.other.x", "$JS.EVENT.ADVISORY.API",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.USER.INFO", "$SYS.ACCOUNT.$G.CONNECT",
		"$KV.any.key", "$O.any.C.x", "jointlab.ledger.lab." + lab, "jointlab.status." + lab + ".OPERATING", "jointlab.agreement." + lab + ".signed", "any.other.subject",
		"_INBOX.other.x", "_INBOX_other.x", "_R_.x", "_GR_.x",
	}
	before := state(t, l)
	// ask is answered, or told that it may not: both come of themselves.
	ask := func(subject, body string) (m *nats.Msg, err error) {
		answers := make(chan *nats.Msg, 1)
		inbox := conn.NewInbox()
		sub, err := conn.ChanSubscribe(inbox, answers)
		if err != nil {
			return nil, err
		}
		defer sub.Unsubscribe()
		if err := conn.PublishRequest(subject, inbox, []byte(body)); err != nil {
			return nil, err
		}
		select {
		case m := <-answers:
			return m, nil
		case err := <-denied:
			return nil, err
		case <-time.After(10 * time.Second):
			return nil, errors.New("no answer")
		}
	}
	for subject, body := range allowed {
		if m, err := ask(subject, body); err != nil || strings.Contains(string(m.Data), `"error"`) {
			t.Errorf("%s is refused: %v", subject, err)
		}
	}
	for _, subject := range refused {
		for _, body := range []string{"", `{"stream_name":"STATUS","config":{"durable_name":"mine","ack_policy":"explicit"}}`, "+TERM"} {
			if m, err := ask(subject, body); !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s is not refused: %v, %v", subject, m, err)
			}
		}
	}
	for _, subject := range []string{
		">", "*", "jointlab.>", "jointlab.ledger.>", "jointlab.status.>", "$JS.>", "$JS.API.>", "$JS.EVENT.>", "$JS.EVENT.ADVISORY.CONSUMER.>", "$JS.ACK.>", "$SYS.>",
		"$KV.>", "$O.>", "_INBOX_other.>", "_R_.>", "_GR_.>",
	} {
		if _, err := conn.SubscribeSync(subject); err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		select {
		case err := <-denied:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("subscribing to %s: %v", subject, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("subscribing to %s is not refused", subject)
		}
	}
	// The subject to answer on is the subscriber's to choose, and the server
	// does not ask whether it may publish there.
	for _, reply := range []string{
		"jointlab.ledger.lab." + lab, "jointlab.status." + lab + ".OPERATING", "$JS.API.CONSUMER.DELETE.STATUS.other", "$JS.API.CONSUMER.MSG.NEXT.STATUS.other",
		"$JS.API.STREAM.DELETE.STATUS", "$JS.API.STREAM.PURGE.STATUS", theirs.Reply(),
	} {
		for subject, body := range allowed {
			if err := conn.PublishRequest(subject, reply, []byte(body)); err != nil {
				t.Error(err)
			}
		}
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // longer than the acknowledgement is waited for: silence has no signal
	if after := state(t, l); after != before {
		t.Errorf("a subscriber changed what is not its own:\n%s\nbefore:\n%s", after, before)
	}
	if err := theirs.DoubleAck(t.Context()); err != nil {
		t.Errorf("the other subscriber cannot go on: %v", err)
	}
}

func TestUnlistedKeyIsRefused(t *testing.T) {
	l, seeds := openListening(t, t.TempDir(), Listen{Addr: "127.0.0.1:0"}, "mine")
	stranger, _ := nkeys.CreateUser()
	seed, _ := stranger.Seed()
	if _, err := dial(t, l, string(seed)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("an unknown key: %v", err)
	}
	for what, options := range map[string][]nats.Option{
		"nobody": nil, "a user": {nats.UserInfo("mine", "x")}, "a system user": {nats.UserInfo("sys", "sys")}, "a token": {nats.Token("x")},
	} {
		if _, err := dial(t, l, "", options...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", what, err)
		}
	}
	pair, _ := nkeys.FromSeed([]byte(seeds["mine"]))
	key, _ := pair.PublicKey()
	if _, err := dial(t, l, "", nats.Nkey(key, stranger.Sign)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a known key without its seed: %v", err)
	}
	for range 3 {
		conn, err := net.Dial("tcp", l.SubscribersAddr())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("GET / HTTP/1.1\r\n\r\n\x00\xff CONNECT {\r\nPUB jointlab.ledger.x 1\r\nx\r\n"))
		io.ReadAll(conn)
		conn.Close()
	}
	s := storetest.NewStream()
	if _, err := l.Append(t.Context(), s, eventstore.Version{}, storetest.Events(1)); err != nil {
		t.Errorf("what strangers did keeps the register from writing: %v", err)
	}
}

func TestSubscriberAddAndRevoke(t *testing.T) {
	dir := t.TempDir()
	l, seeds := openListening(t, dir, Listen{Addr: "127.0.0.1:0"}, "mine")
	if _, err := CreateSubscriber(dir, Subscriber{Name: "mine", Window: 1}); !errors.Is(err, ErrSubscriberExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	seed, err := CreateSubscriber(dir, Subscriber{Name: "late", Window: 1, AckWaitMS: 1000, After: 7})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new subscriber is let in", func() bool {
		conn, err := dial(t, l, seed)
		return err == nil && conn.IsConnected()
	})
	enough := errors.New("enough")
	var got []eventstore.Position
	err = Subscribe(t.Context(), Subscription{URL: "nats://" + l.SubscribersAddr(), Name: "late", Seed: seed}, func(d Delivery) error {
		if got = append(got, d.Position); len(got) == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Equal(got, []eventstore.Position{8, 9, 10}) {
		t.Errorf("after position 7 came %v, %v", got, err)
	}
	conn, err := dial(t, l, seeds["mine"])
	if err != nil {
		t.Fatal(err)
	}
	if err := RevokeSubscriber(dir, "mine"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the revoked subscriber is disconnected", conn.IsClosed)
	if _, err := dial(t, l, seeds["mine"]); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked subscriber: %v", err)
	}
	eventually(t, "its consumer is gone", func() bool {
		_, err := l.js.Consumer(t.Context(), StatusStream, "mine")
		return errors.Is(err, natsjs.ErrConsumerNotFound)
	})
	if err := RevokeSubscriber(dir, "mine"); !errors.Is(err, ErrNoSubscriber) {
		t.Errorf("revoked twice: %v", err)
	}
	again, err := CreateSubscriber(dir, Subscriber{Name: "mine", Window: 1, AckWaitMS: 1000})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a subscriber of the same name is let in", func() bool {
		_, err := dial(t, l, again)
		return err == nil
	})
	if _, err := dial(t, l, seeds["mine"]); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with the seed of the one before: %v", err)
	}
}

func TestSubscribersOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(t, cert, key)
	l, seeds := openListening(t, filepath.Join(dir, "data"), Listen{Addr: "127.0.0.1:0", TLS: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}}}, "mine")
	if _, err := dial(t, l, seeds["mine"]); err == nil || errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client that does not know who signed the certificate: %v", err)
	}
	enough := errors.New("enough")
	s := Subscription{URL: "tls://" + l.SubscribersAddr(), Name: "mine", Seed: seeds["mine"], CA: cert}
	for _, which := range []string{"the first", "a renewed"} {
		if err := Subscribe(t.Context(), s, func(Delivery) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("with %s certificate: %v", which, err)
		}
		certify(t, cert, key)
	}
}

// certify writes a certificate for 127.0.0.1 that signs itself, and its key.
func certify(t testing.TB, cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually polls until is reports true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for guard := time.Now().Add(3 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(guard) {
			t.Fatalf("%s: not in three minutes", what)
		}
	}
}
