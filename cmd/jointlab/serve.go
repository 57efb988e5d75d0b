package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

// drainTime is how long requests may take to finish once the server is asked to stop.
const drainTime = 10 * time.Second

// serveOptions are what the flags of serve choose.
type serveOptions struct {
	where         settings
	listen        string
	metricsListen string
	logFormat     string
	logLevel      slog.Level
	demo          bool
	cfg           registerConfig
	mebibytes     int64 // that a document may have
	status        jetstream.StatusConfig
	deliver       webhooks.Config
}

func serveCommand() *cobra.Command {
	o := serveOptions{where: settings{makes: true}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the register: store, read models and HTTP in one process · 运行登记簿",
		Long: `serve runs the whole register in one process: an embedded NATS server with
JetStream that syncs each event to disk before it is acknowledged, the read
models, and the HTTP API. It stops on SIGINT or SIGTERM: requests finish, then
the followers, then the store.

--store nats keeps the ledger on an outside NATS server or cluster instead, whose
JetStream must run with sync_interval: always. --store eventstoredb makes
EventStoreDB the system of record; a relay carries each event, byte for byte and
in order, onto the JetStream ledger, embedded or outside. Any number of nodes may
run on the same store, each with a data folder of its own.

Every node fills the stream STATUS from the ledger for subscribers. With
--nats-listen the embedded server lets those in that jointlab subscriber create
made, over TLS where a certificate is given, and nobody else.

--oidc-issuer and --oidc-audience accept the tokens of an OpenID Connect provider
besides the register's own. The provider says in one claim which role the caller
has, and in another which legal entity the caller acts for.

Every node delivers events to the webhooks on record, and needs the same
webhook.key, which their secrets follow from: copy it to each node's data folder.

--demo fills an empty folder with an invented registry, prints a token for each
role, and lets anybody read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.mebibytes < 1 || o.mebibytes > 4096 {
				return fmt.Errorf("--document-limit %d: give 1 to 4096 MiB", o.mebibytes)
			}
			o.cfg.documentLimit = o.mebibytes << 20
			o.cfg.status, o.cfg.webhooks = &o.status, &o.deliver
			var err error
			if o.cfg.logger, err = logTo(cmd.ErrOrStderr(), o.logFormat, o.logLevel); err != nil {
				return err
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), o.where, o.listen, o.metricsListen, o.demo, o.cfg)
		},
	}
	o.flags(cmd)
	return cmd
}

// flags adds the flags of serve, which fill the options.
func (o *serveOptions) flags(cmd *cobra.Command) {
	storeFlags(cmd, &o.where)
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
	f.StringVar(
		&o.metricsListen, "metrics-listen", "",
		"address at which Prometheus reads /metrics, e.g. 127.0.0.1:9090; empty: nowhere",
	)
	f.StringVar(
		&o.cfg.traceEndpoint, "trace-endpoint", "",
		"OpenTelemetry collector to send traces of commands to, by OTLP over HTTP, e.g. http://127.0.0.1:4318; empty: nothing is traced",
	)
	f.Float64Var(
		&o.cfg.traceShare, "trace-share", 1,
		"part of all requests that is traced, from 0 to 1; callers that send a traceparent decide for themselves",
	)
	f.StringVar(&o.logFormat, "log-format", "text", "how the log is written to standard error: text or json")
	f.TextVar(
		&o.logLevel, "log-level", slog.LevelInfo,
		"least that is logged: debug (every request), info (changes, and refusals for who asked), warn or error",
	)
	f.StringVar(
		&o.cfg.witnesses, "witness-keys", "",
		"file of the verifier keys of witnesses whose cosignatures are taken in, a line each",
	)
	f.BoolVar(&o.demo, "demo", false, "load the invented demo registry and let anybody read")
	f.BoolVar(&o.cfg.anonymousRead, "anonymous-read", false, "let anybody read what is public without a token")
	f.StringVar(
		&o.cfg.cert, "tls-cert", "", "file of the certificate to serve HTTPS with, in PEM; read again when it changes",
	)
	f.StringVar(&o.cfg.key, "tls-key", "", "file of its key")
	f.Float64Var(
		&o.cfg.limits.Rate, "rate", 300, "requests a second that one caller may send in the long run; 0: any number",
	)
	f.IntVar(&o.cfg.limits.Burst, "burst", 1000, "requests that one caller may send at once, after a rest")
	f.IntVar(
		&o.cfg.limits.Concurrent, "concurrent", 128,
		"requests of one caller that are answered at one time, where an answer made from the whole register, as a report, a file or a list of the past, counts for a quarter of them; 0: any number",
	)
	f.DurationVar(
		&o.cfg.limits.QueryTime, "query-time", 30*time.Second,
		"how long an answer in one piece may take to find; files and streams may take longer",
	)
	f.Int64Var(
		&o.where.reserve, "disk-reserve", jetstream.DefaultReserve>>20,
		"MiB of the disk that must stay free; below that the embedded store refuses to write, and goes on by itself once there is room",
	)
	f.DurationVar(
		&o.cfg.tolerance, "clock-tolerance", eventstore.ClockTolerance,
		"how far the clock may stand behind the last recorded time before writing is refused; more only where it was wrong then",
	)
	f.StringVar(
		&o.cfg.provider.Issuer, "oidc-issuer", "", "OpenID Connect provider whose tokens are accepted as well: https://…",
	)
	f.StringVar(
		&o.cfg.provider.Audience, "oidc-audience", "",
		"what the provider's tokens must name: the register, as the provider knows it",
	)
	f.StringVar(
		&o.cfg.provider.RoleClaim, "oidc-role-claim", "role", "claim that says the role, as a text or a list",
	)
	f.StringVar(
		&o.cfg.provider.EntityClaim, "oidc-entity-claim", "ent", "claim that says the id of the legal entity acted for",
	)
	f.Int64Var(
		&o.mebibytes, "document-limit", api.DefaultDocumentLimit>>20, "how many MiB a document that is handed in may have",
	)
	f.StringVar(
		&o.where.listen.Addr, "nats-listen", "",
		"address on which subscribers reach the embedded NATS server, e.g. 0.0.0.0:4222; none unless given",
	)
	f.StringVar(&o.where.listenCert, "nats-tls-cert", "", "file in PEM with the certificate to show subscribers")
	f.StringVar(&o.where.listenKey, "nats-tls-key", "", "file in PEM with its key")
	f.BoolVar(
		&o.status.Agreements, "status-agreements", false,
		"agreement events on the stream STATUS as well; the same on all nodes, and for good",
	)
	f.BoolVar(
		&o.deliver.Policy.AllowPrivate, "webhook-allow-private", false,
		"deliver to webhooks on private, loopback and link-local addresses as well, on any port: whoever may register one can then have this machine call inside its network",
	)
	f.BoolVar(&o.deliver.Policy.AllowHTTP, "webhook-allow-http", false, "deliver to webhooks without TLS as well")
	f.IntVar(
		&o.cfg.streamsPerCaller, "streams-per-caller", 16, "how many HTTP streams of events one caller may have open",
	)
}

// logTo returns a logger that writes to w.
func logTo(w io.Writer, format string, level slog.Level) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is unknown; use text or json", format)
}

// serve runs the register until ctx ends, and then lets requests finish.
func serve(
	ctx context.Context, out io.Writer, where settings, listen, metricsListen string, demo bool, cfg registerConfig,
) (err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (choose another address with --listen)", listen, err)
	}
	defer listener.Close()
	cfg.anonymousRead = cfg.anonymousRead || demo
	secured, err := secure(listen, &where, cfg)
	if err != nil {
		return err
	}
	if metricsListen != "" {
		cfg.metrics = newMetrics()
		stop, err := serveMetrics(metricsListen, cfg.metrics, cfg.logger)
		if err != nil {
			return err
		}
		defer stop()
	}
	if cfg.traceEndpoint != "" {
		flush, err := traceTo(ctx, cfg.traceEndpoint, cfg.traceShare, cfg.logger)
		if err != nil {
			return err
		}
		defer func() {
			if err := flush(); err != nil {
				cfg.logger.Warn(err.Error())
			}
		}()
	}
	r, err := openRegister(ctx, where, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, p := range r.log.Problems() {
		cfg.logger.Error("writing is refused", "problem", p)
	}
	if demo {
		if err := loadDemo(ctx, r); err != nil {
			return fmt.Errorf("load the demo registry: %w", err)
		}
	}
	url := "http://" + listener.Addr().String()
	if secured != nil {
		url = "https://" + listener.Addr().String()
	}
	if err := welcome(out, r, url, where.data, demo); err != nil {
		return err
	}
	return answerRequests(ctx, r.handler.HTTPServer(listen), listener, secured, cfg.logger)
}

// secure returns the certificate to serve HTTPS with, nil for plain HTTP, and gives
// the listener for subscribers its own. It warns where others can read the traffic.
func secure(listen string, where *settings, cfg registerConfig) (secured *certificate, err error) {
	if cfg.cert != "" || cfg.key != "" {
		if secured, err = loadCertificate(cfg.cert, cfg.key, "--tls-cert and --tls-key", cfg.logger); err != nil {
			return nil, err
		}
	}
	if secured == nil && exposed(listen) {
		cfg.logger.Warn(
			"tokens and answers can be read on the way: serve HTTPS with --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that does",
			"listen", listen,
		)
	}
	if where.listenCert != "" || where.listenKey != "" {
		c, err := loadCertificate(where.listenCert, where.listenKey, "--nats-tls-cert and --nats-tls-key", cfg.logger)
		if err != nil {
			return nil, err
		}
		where.listen.TLS = c.config()
	}
	if where.listen.Addr != "" && where.listen.TLS == nil && exposed(where.listen.Addr) {
		cfg.logger.Warn(
			"what subscribers read can be read on the way: give --nats-tls-cert and --nats-tls-key", "nats-listen",
			where.listen.Addr,
		)
	}
	return secured, nil
}

// answerRequests serves HTTP until ctx ends, then lets requests finish within drainTime.
func answerRequests(
	ctx context.Context, server *http.Server, listener net.Listener, secured *certificate, logger *slog.Logger,
) error {
	stopped := make(chan error, 1)
	go func() {
		if secured == nil {
			stopped <- server.Serve(listener)
			return
		}
		server.TLSConfig = secured.config()
		stopped <- server.ServeTLS(listener, "", "")
	}()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	logger.Info("stopping: letting requests finish")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(draining); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("some requests did not finish within %s: %w", drainTime, err)
	}
	return nil
}

// exposed reports whether an address can be reached from other machines.
func exposed(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// serveMetrics serves metrics at an address of their own, which need not be open to
// users of the register. stop closes it.
func serveMetrics(listen string, m *metrics, logger *slog.Logger) (stop func() error, err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (choose another address with --metrics-listen)", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	logger.Info("metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	go server.Serve(listener)
	return server.Close, nil
}

// welcome prints where the register is and what to try.
func welcome(out io.Writer, r *register, url, data string, demo bool) error {
	fmt.Fprintf(out, "jointlab listens on %s · 监听地址\n  data · 数据: %s\n  docs · 文档: %s/docs\n", url, data, url)
	if addr := r.log.SubscribersAddr(); addr != "" {
		fmt.Fprintf(out, "  NATS · 订阅: %s\n", addr)
	}
	if !demo {
		fmt.Fprintf(out, "\nTry · 试一试:\n  jointlab import --data %s organisations.csv labs.csv   (before serving)\n  jointlab token create --data %s --role officer --subject you\n  curl -H \"Authorization: Bearer $TOKEN\" %s/v1/labs\n", data, data, url)
		return nil
	}
	fmt.Fprintf(out, "\nThe demo registry is invented · 演示数据纯属虚构\n\nTokens, valid for 8 hours · 令牌（8 小时有效）:\n")
	for _, role := range domain.Roles {
		claims := api.Claims{Subject: "demo-" + string(role), Role: role}
		if acts, ok := demoActs[role]; ok {
			claims.Entity = acts
		}
		token, err := r.signer.Issue(claims, 8*time.Hour)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-9s %s\n", role, token)
	}
	fmt.Fprintf(out, "\nTry · 试一试:\n  curl '%[1]s/v1/labs?status=DUE'\n  curl '%[1]s/v1/labs/%[2]s/history'\n  curl '%[1]s/v1/rights?overdue_on=%[3]s'\n", url, demoLab(9), domain.DateOf(time.Now()))
	return nil
}

func tokenCommand() *cobra.Command {
	var data, role, subject, entity string
	var ttl time.Duration
	create := &cobra.Command{
		Use:   "create",
		Short: "Make a token that speaks for somebody · 签发令牌",
		Long: `create prints a token signed with the key in the data folder. Whoever holds the
token acts as its subject, in its role, for its legal entity, until it expires.
The host and partner roles need --entity.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			claims := api.Claims{Subject: subject, Role: domain.Role(role)}
			if entity != "" {
				id, err := uuid.Parse(entity)
				if err != nil {
					return fmt.Errorf("--entity %q is not the id of a legal entity", entity)
				}
				claims.Entity = id
			}
			if err := os.MkdirAll(data, 0o700); err != nil {
				return err
			}
			key, err := api.LoadOrCreateKey(keyPath(data))
			if err != nil {
				return err
			}
			token, err := api.NewSigner(key, time.Now).Issue(claims, ttl)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	create.Flags().StringVar(&data, "data", defaultData, "folder that holds the register")
	create.Flags().StringVar(&role, "role", "", fmt.Sprintf("one of %v", domain.Roles))
	create.Flags().StringVar(&subject, "subject", "", "who acts: a stable identifier")
	create.Flags().StringVar(&entity, "entity", "", "id of the legal entity acted for")
	create.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long the token holds")
	cmd := &cobra.Command{Use: "token", Short: "Tokens · 令牌"}
	cmd.AddCommand(create)
	return cmd
}
