package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/relay"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

const (
	defaultData = "jointlab-data"
	keyFile     = "token.key"
	modelFile   = "model.db"
)

// settings name where a register is kept. Nothing changes them once it is open.
type settings struct {
	data        string
	store       string
	esdbURL     string
	natsURL     string
	credentials string
	replicas    int
	origin      string
	random      io.Reader        // what keys of persons are made of; nil: crypto/rand
	listen      jetstream.Listen // for subscribers over NATS; serve alone listens
	listenCert  string           // file of the certificate that subscribers are shown
	listenKey   string
	reserve     int64          // MiB of the disk that embedded events leave free; 0: the usual
	makes       bool           // a register is made where the folder holds none
	command     *cobra.Command // that these are the flags of; nil: none
}

// The stores a register can be kept in.
const (
	embedded     = "embedded"     // JetStream in this process, in the data folder
	outsideNATS  = "nats"         // JetStream on an outside server or cluster
	eventStoreDB = "eventstoredb" // EventStoreDB, relayed to a JetStream ledger
)

func storeFlags(cmd *cobra.Command, s *settings) {
	s.command = cmd
	f := cmd.Flags()
	f.StringVar(&s.data, "data", defaultData, "folder that holds the register; each node has its own")
	f.StringVar(&s.store, "store", cmp.Or(s.store, embedded), "system of record: embedded, nats or eventstoredb")
	f.StringVar(&s.esdbURL, "esdb-url", "", "EventStoreDB to use with --store eventstoredb, e.g. esdb+discover://db:2113")
	f.StringVar(
		&s.natsURL, "nats-url", "",
		"NATS to use with --store nats, or for the ledger of eventstoredb: nats://a:4222,nats://b:4222",
	)
	f.StringVar(&s.credentials, "nats-credentials", "", "file of credentials for that NATS")
	f.StringVar(&s.origin, "log-origin", "", originHelp)
	f.IntVar(&s.replicas, "nats-replicas", 0, "on how many servers of that NATS each event is kept; 3 for a cluster")
}

// check refuses settings that contradict each other.
func (s settings) check() error {
	switch {
	case s.store != embedded && s.store != outsideNATS && s.store != eventStoreDB:
		return fmt.Errorf("--store %q is unknown; use %s, %s or %s", s.store, embedded, outsideNATS, eventStoreDB)
	case s.store == eventStoreDB && s.esdbURL == "":
		return errors.New("--store eventstoredb needs --esdb-url")
	case s.store != eventStoreDB && s.esdbURL != "":
		return errors.New("--esdb-url is given, but the store is not EventStoreDB; add --store eventstoredb")
	case s.store == outsideNATS && s.natsURL == "":
		return errors.New("--store nats needs --nats-url")
	case s.store == embedded && s.natsURL != "":
		return errors.New("--nats-url is given, but the store is embedded; add --store nats or --store eventstoredb")
	}
	return nil
}

// register is a register in this process: the store, the ledger, the read model
// that follows it, and the HTTP handler on top. openRegister sets the fields, and
// nothing changes them afterwards; each part guards its own state.
type register struct {
	settings
	now        func() time.Time
	db         *esdb.Store       // nil unless EventStoreDB is the system of record
	log        *jetstream.Ledger // the ledger, and the store unless db is
	relay      *relay.Relay      // from db onto the ledger; nil without db
	clockGuard *eventstore.ClockGuard
	status     statusStream
	model      *projections.Model
	merkleLog  *audit.Log // of log
	signer     *api.Signer
	handler    *api.Server

	stop      context.CancelFunc // ends what follows
	following sync.WaitGroup     // the relays and the followers
}

type registerConfig struct {
	anonymousRead bool
	witnesses     string // file of the keys of witnesses whose cosignatures are taken in; "": none are
	limits        api.Limits
	metrics       *metrics           // nil: nobody reads them
	traceEndpoint string             // of a collector; "": nothing is traced
	traceShare    float64            // of all requests
	cert, key     string             // files of the server's certificate; "": plain HTTP
	provider      api.ProviderConfig // whose tokens are accepted as well; without an issuer: nobody's
	documentLimit int64              // bytes; 0: the usual
	logger        *slog.Logger
	now           func() time.Time // nil: the machine's clock
	tolerance     time.Duration    // how far the clock may stand behind what was recorded; 0: eventstore.ClockTolerance

	status           *jetstream.StatusConfig // what the stream STATUS is filled with; nil: it is left as it is
	webhooks         *webhooks.Config        // how events are delivered to webhooks; nil: they are not
	streamsPerCaller int
}

// inUseHint returns what to do where a server has the folder open.
func (s settings) inUseHint() string {
	switch {
	case s.command == nil || s.command.Name() == "serve":
		return ""
	case s.command.Flags().Lookup("server") != nil:
		return fmt.Sprintf(
			"\n(a server that runs on it can do this itself: give its address, %s --server http://…)", s.command.CommandPath(),
		)
	}
	return fmt.Sprintf("\n(%s cannot ask a server: where one runs on the folder, stop it first)", s.command.CommandPath())
}

// noRegister returns the error for a folder without a register. Most often its
// name is mistyped, and an empty register made there would pass every check.
func noRegister(data string) error {
	return fmt.Errorf(
		"%s holds no register; name the folder of one with --data (jointlab serve and jointlab import make one)", data,
	)
}

// openLedger opens the ledger, and EventStoreDB where that is the system of
// record. The caller closes both.
func openLedger(ctx context.Context, s settings, logger *slog.Logger) (*jetstream.Ledger, *esdb.Store, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	if s.natsURL == "" && !s.makes && !jetstream.Holds(s.data) {
		return nil, nil, noRegister(s.data)
	}
	log, err := jetstream.Open(ctx, jetstream.Config{
		Dir: s.data, Random: s.random, Logger: logger, NATS: s.natsURL, Credentials: s.credentials, Replicas: s.replicas,
		Relayed: s.store == eventStoreDB, Listen: s.listen, Reserve: s.reserve << 20,
	})
	if errors.Is(err, jetstream.ErrInUse) {
		return nil, nil, fmt.Errorf("%w%s", err, s.inUseHint())
	}
	if err != nil || s.store != eventStoreDB {
		return log, nil, err
	}
	db, err := esdb.Open(esdb.Config{URL: s.esdbURL, Logger: logger})
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return log, db, nil
}

// openRegister opens a register, or makes an empty one where there is none and
// the settings allow it. The caller closes it.
func openRegister(ctx context.Context, s settings, cfg registerConfig) (_ *register, err error) {
	if cfg.logger == nil {
		cfg.logger = slog.New(slog.DiscardHandler)
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	log, db, err := openLedger(ctx, s, cfg.logger)
	if err != nil {
		return nil, err
	}
	r := &register{settings: s, now: cfg.now, log: log, db: db, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	key, err := api.LoadOrCreateKey(keyPath(s.data))
	if err != nil {
		return nil, err
	}
	r.signer = api.NewSigner(key, cfg.now)
	verifier := api.NewVerifier(key.Public().(ed25519.PublicKey))
	if cfg.provider.Issuer != "" {
		provider, err := api.NewProvider(cfg.provider)
		if err != nil {
			return nil, err
		}
		verifier.Trust(provider)
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	if err := r.startModel(ctx, following, cfg.logger); err != nil {
		return nil, err
	}
	if err := r.startMerkleLog(following, cfg); err != nil {
		return nil, err
	}
	if db != nil {
		r.startRelay(following, cfg.logger)
	}
	if err := r.startAPI(following, verifier, cfg); err != nil {
		return nil, err
	}
	return r, nil
}

// startModel opens the read model and has it follow the ledger.
func (r *register) startModel(ctx, following context.Context, logger *slog.Logger) (err error) {
	// The read model loads streams from the ledger too: it holds whatever the
	// model has come to, whichever store they were written to.
	if r.model, err = projections.Open(ctx, filepath.Join(r.data, modelFile), r.log, r.log); err != nil {
		return err
	}
	r.following.Go(func() {
		if err := r.model.Run(following); err != nil && following.Err() == nil {
			logger.Error("the read model has stopped; it serves what it holds", "error", err)
		}
	})
	if err := r.log.Persons().Check(ctx); err != nil {
		logger.Error("names of persons can be neither taken in nor read", "error", err)
	}
	r.following.Go(func() { sweepErased(following, r.model, r.log.Persons(), logger) })
	return nil
}

// startMerkleLog opens the Merkle log of the ledger and has it follow and sign.
func (r *register) startMerkleLog(following context.Context, cfg registerConfig) error {
	witnesses, err := readWitnesses(cfg.witnesses)
	if err != nil {
		return err
	}
	r.merkleLog, err = audit.Open(audit.Config{
		Dir:       r.data,
		Origin:    r.origin,
		Ledger:    r.log,
		Board:     r.log.Checkpoints(),
		Alone:     r.natsURL == "",
		Witnesses: witnesses,
		Logger:    cfg.logger,
	})
	if err != nil {
		return err
	}
	r.following.Go(func() { r.merkleLog.Run(following) }) // it logs why it ends; Problems reports it
	return nil
}

// startRelay carries events from EventStoreDB onto the ledger.
func (r *register) startRelay(following context.Context, logger *slog.Logger) {
	r.relay = relay.New(r.db.All(), r.log.RelayTarget())
	r.following.Go(func() {
		if err := r.relay.Run(following); err != nil && following.Err() == nil {
			logger.Error(
				"the relay has stopped; the ledger and EventStoreDB do not belong together, or one has lost events (see jointlab compare)",
				"error", err,
			)
		}
	})
}

// startAPI makes the HTTP handler, and starts what delivers events: to webhooks
// and to the stream STATUS.
func (r *register) startAPI(following context.Context, verifier *api.Verifier, cfg registerConfig) (err error) {
	answering := api.Config{
		AnonymousRead:    cfg.anonymousRead,
		Logger:           cfg.logger,
		Problems:         r.problems,
		Version:          version(),
		Limits:           cfg.limits,
		Documents:        r.log.Documents(),
		Persons:          r.log.Persons(),
		DocumentLimit:    cfg.documentLimit,
		Spool:            r.data,
		Log:              r.merkleLog,
		Streams:          r.log,
		Backup:           r.log.Backup(),
		Behind:           r.status.problems,
		StreamsPerCaller: cfg.streamsPerCaller,
	}
	var store eventstore.Store = r.log
	if r.db != nil {
		store = r.db
	}
	if cfg.metrics != nil {
		store, answering.Observe = measured{store, cfg.metrics.appends}, cfg.metrics.observe
	}
	r.clockGuard = eventstore.NewClockGuard(
		store, cfg.now, r.model.Recorded, cmp.Or(cfg.tolerance, eventstore.ClockTolerance),
	)
	if answering.Webhooks, err = r.dispatcher(cfg); err != nil {
		return err
	}
	r.handler = api.New(r.clockGuard, r.log, r.model, verifier, cfg.now, answering)
	if cfg.metrics != nil {
		cfg.metrics.watch(r, answering.Webhooks)
	}
	if cfg.status != nil {
		status := *cfg.status
		status.Checkpoint = r.checkpoint
		r.following.Go(func() { r.status.run(following, r.log, status, cfg.logger) })
	}
	if answering.Webhooks != nil {
		r.following.Go(func() { answering.Webhooks.Run(following) })
	}
	return nil
}

// factsPatience is how long a delivery waits for the read model to hold an event,
// where that decides whether the filter matches and the owner may read it.
const factsPatience = 5 * time.Second

// dispatcher returns what delivers events to webhooks, or nil where nothing is to.
func (r *register) dispatcher(cfg registerConfig) (*webhooks.Dispatcher, error) {
	if cfg.webhooks == nil {
		return nil, nil
	}
	key, err := webhooks.LoadOrCreateKey(filepath.Join(r.data, webhooks.KeyFile))
	if err != nil {
		return nil, err
	}
	known := webhooks.Registry{
		Facts: func(ctx context.Context, lab uuid.UUID, events uint64) (eventstore.LabFacts, error) {
			ctx, cancel := context.WithTimeout(ctx, factsPatience)
			defer cancel()
			return r.model.LabFacts(ctx, lab, events)
		},
		Sees: func(ctx context.Context, owner domain.Actor, event eventstore.Header, p eventstore.Position) (bool, error) {
			ctx, cancel := context.WithTimeout(ctx, factsPatience)
			defer cancel()
			return r.model.CanRead(ctx, owner, event, p)
		},
	}
	how := *cfg.webhooks
	how.Logger, how.Now, how.Checkpoint = cfg.logger, cfg.now, r.checkpoint
	if cfg.metrics != nil {
		how.Observe = cfg.metrics.delivered
	}
	return webhooks.New(r.log, r.clockGuard, known, key, how), nil
}

// checkpoint returns the newest signed checkpoint, for those that events are
// pushed to: with the positions they get, two of them can tell whether they see one
// history. It is empty while there is none.
func (r *register) checkpoint() []byte {
	c, _ := r.merkleLog.Published()
	return c.Note
}

// problems returns why the register may not be written to, or is behind.
func (r *register) problems() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var problems []string
	var refused *eventstore.RefusedError
	for _, refusal := range []func(context.Context) error{
		func(context.Context) error { return r.log.Refusal() }, r.clockGuard.Behind,
	} {
		if errors.As(refusal(ctx), &refused) {
			problems = append(problems, refused.Why.Chinese()+" · "+refused.Why.English())
		}
	}
	if r.relay != nil {
		if s := r.relay.Status(); s.Err != nil {
			problems = append(problems, "relay from EventStoreDB: "+s.Err.Error())
		}
	}
	return problems
}

// caughtUp waits until the ledger holds every event of EventStoreDB, where that
// is the store, and the read model every event of the ledger.
func (r *register) caughtUp(ctx context.Context) error {
	if r.db != nil {
		if err := r.relayed(ctx); err != nil {
			return err
		}
	}
	head, err := r.log.Head(ctx)
	if err != nil || head == 0 {
		return err
	}
	last, err := r.log.At(ctx, head)
	if err != nil {
		return err
	}
	d, err := eventstore.Decode(last.Body)
	if err != nil {
		return err
	}
	return r.model.Wait(ctx, last.Stream, d.Meta.Revision+1)
}

// relayed waits until the ledger holds the last event that EventStoreDB holds now.
func (r *register) relayed(ctx context.Context) error {
	all := r.db.All()
	head, err := all.Head(ctx)
	if err != nil || head == 0 {
		return err
	}
	last, err := all.At(ctx, head)
	if err != nil {
		return err
	}
	for e, err := range eventstore.Follow(ctx, r.log, 0) {
		if err != nil || e.ID == last.ID {
			return err
		}
	}
	return nil
}

// close stops the relays and the followers, then closes what they wrote and the stores.
func (r *register) close() error {
	r.stop()
	r.following.Wait()
	var err error
	if r.model != nil {
		err = r.model.Close()
	}
	if r.merkleLog != nil {
		err = errors.Join(err, r.merkleLog.Close())
	}
	if r.db != nil {
		err = errors.Join(err, r.db.Close())
	}
	return errors.Join(err, r.log.Close())
}

// actingAs returns a client of this register with a short-lived token of its own.
func (r *register) actingAs(role domain.Role, subject string, entity uuid.UUID) (client, error) {
	token, err := r.signer.Issue(api.Claims{Subject: subject, Role: role, Entity: entity}, time.Hour)
	return inProcess(r.handler, token), err
}

// httpClient returns a client for the register of another process.
func httpClient() *http.Client { return &http.Client{Timeout: 30 * time.Second} }
