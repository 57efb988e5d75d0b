package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/relay"
)

// statusStream fills the stream STATUS from the ledger while it runs, and admits
// subscribers where the server listens for them. mu guards the other fields.
type statusStream struct {
	mu    sync.Mutex
	relay *relay.Relay // nil until the stream is there
	err   error        // why there is no relay yet, or no longer
}

// statusBehind is how many events STATUS may lag behind the ledger without a problem.
const statusBehind = 1000

func (s *statusStream) run(
	ctx context.Context, log *jetstream.Ledger, cfg jetstream.StatusConfig, logger *slog.Logger,
) {
	target, err := log.StatusTarget(ctx, cfg)
	for ; err != nil && ctx.Err() == nil; target, err = log.StatusTarget(ctx, cfg) {
		logger.Error("the stream STATUS cannot be filled; it is tried again", "error", err)
		s.set(nil, err)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
	if ctx.Err() != nil {
		return
	}
	r := relay.New(log, target)
	s.set(r, nil)
	var admitting sync.WaitGroup
	defer admitting.Wait()
	if log.SubscribersAddr() != "" {
		admitting.Go(func() { log.AdmitSubscribers(ctx) })
	}
	if err := r.Run(ctx); err != nil && ctx.Err() == nil {
		logger.Error(
			"the relay to the stream STATUS has stopped; it and the ledger do not belong together, or one has lost events",
			"error", err,
		)
		s.set(r, fmt.Errorf("it has stopped: %w", err))
	}
}

func (s *statusStream) set(r *relay.Relay, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relay, s.err = r, err
}

// problems returns why subscribers do not get what the ledger holds.
func (s *statusStream) problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return []string{s.err.Error()}
	}
	if s.relay == nil {
		return nil // it is starting
	}
	switch at := s.relay.Status(); {
	case at.Err != nil:
		return []string{at.Err.Error()}
	case at.Head > at.Relayed+statusBehind:
		return []string{fmt.Sprintf("%d events behind", at.Head-at.Relayed)}
	}
	return nil
}

// lag returns how many events STATUS is behind the ledger, -1 where nothing fills it.
func (s *statusStream) lag() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.relay == nil || s.err != nil {
		return -1
	}
	at := s.relay.Status()
	return float64(at.Head - at.Relayed)
}

func subscriberCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscriber",
		Short: "Who may read status events over NATS · NATS 订阅者",
		Long: `A subscriber reads the stream STATUS on the port that serve --nats-listen opens,
through a durable pull consumer of its own name, and may do nothing else. It
signs in with an nkey, of which the data folder holds the public half only.

A server that runs on the folder takes up changes within a second or two. With an
outside NATS server the operator makes subscribers there: see the README.`,
	}
	cmd.AddCommand(subscriberCreate(), subscriberList(), subscriberRevoke())
	return cmd
}

func subscriberCreate() *cobra.Command {
	var data string
	var labs, to []string
	var after uint64
	var ackWait time.Duration
	s := jetstream.Subscriber{}
	cmd := &cobra.Command{
		Use:   "create --name NAME > NAME.nk",
		Short: "Add a subscriber and print its seed, once · 新增订阅者",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var ids []uuid.UUID
			for _, l := range labs {
				id, err := uuid.Parse(l)
				if err != nil {
					return fmt.Errorf("--lab %q is not the id of a lab", l)
				}
				ids = append(ids, id)
			}
			var statuses []lab.Status
			for _, t := range to {
				if !slices.Contains(lab.Statuses, lab.Status(t)) {
					return fmt.Errorf("--to-status %q is none of %v", t, lab.Statuses)
				}
				statuses = append(statuses, lab.Status(t))
			}
			if s.Window < 1 || ackWait < time.Millisecond {
				return errors.New("--window is at least 1, --ack-wait at least 1ms")
			}
			s.Subjects, s.After = jetstream.StatusSubjects(ids, statuses), eventstore.Position(after)
			s.AckWaitMS, s.Created = int(ackWait.Milliseconds()), time.Now().UTC()
			seed, err := jetstream.CreateSubscriber(data, s)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), seed)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", defaultData, "folder that holds the register")
	f.StringVar(&s.Name, "name", "", "of the subscriber and of its consumer: a–z, 0–9, - and _")
	f.StringSliceVar(&labs, "lab", nil, "status events of this lab only; several: give it again")
	f.StringSliceVar(&to, "to-status", nil, "status events that reach this status only; several: give it again")
	f.Uint64Var(&after, "after", 0, "only events later than this position of the ledger")
	f.IntVar(
		&s.Window, "window", 1,
		"events sent before one is acknowledged; with 1 they stay in order even when one is sent again",
	)
	f.DurationVar(&ackWait, "ack-wait", 30*time.Second, "after which an event that was not acknowledged is sent again")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// subscribersIn returns the subscribers of a folder, which may be made before the
// register is. It is an error only where there is neither.
func subscribersIn(data string) ([]jetstream.Subscriber, error) {
	all, err := jetstream.Subscribers(data)
	if err == nil && len(all) == 0 && !jetstream.Holds(data) {
		err = noRegister(data)
	}
	return all, err
}

func subscriberList() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List subscribers · 列出订阅者",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := subscribersIn(data)
			if err != nil {
				return err
			}
			for _, s := range all {
				chosen := strings.Join(s.Subjects, " ")
				if chosen == "" {
					chosen = "everything"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  since %s  %s\n", s.Name, s.Key, s.Created.Format(time.RFC3339), chosen)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData, "folder that holds the register")
	return cmd
}

func subscriberRevoke() *cobra.Command {
	var data, name string
	cmd := &cobra.Command{
		Use:   "revoke --name NAME",
		Short: "Disconnect a subscriber and forget how far it had come · 撤销订阅者",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := subscribersIn(data); err != nil {
				return err
			}
			return jetstream.RevokeSubscriber(data, name)
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData, "folder that holds the register")
	cmd.Flags().StringVar(&name, "name", "", "of the subscriber")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

func subscribeCommand() *cobra.Command {
	var s jetstream.Subscription
	var seedFile string
	var after uint64
	var count int
	cmd := &cobra.Command{
		Use:   "subscribe --name NAME --seed-file NAME.nk",
		Short: "Print status events as they come, over NATS · 订阅状态事件",
		Long: `subscribe reads as the subscriber NAME and prints a line {"position":…,"event":…}
for each event, the event byte for byte. An event is printed, then acknowledged,
and the next is asked for when the server has confirmed that. Started again, it
goes on after the last event confirmed; an event that was printed when it was
killed is printed again, unless --after names its position.

It is an example as well: eventstore/jetstream/subscribe.go.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if seedFile != "" {
				seed, err := os.ReadFile(seedFile)
				if err != nil {
					return fmt.Errorf("read seed: %w", err)
				}
				s.Seed = strings.TrimSpace(string(seed))
			}
			s.After = eventstore.Position(after)
			out := bufio.NewWriter(cmd.OutOrStdout())
			printed := 0
			err := jetstream.Subscribe(cmd.Context(), s, func(d jetstream.Delivery) error {
				fmt.Fprintf(out, "{\"position\":%d,\"event\":%s}\n", d.Position, d.Body)
				if err := out.Flush(); err != nil {
					return err
				}
				if printed++; printed == count {
					return jetstream.ErrEnough
				}
				return nil
			})
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.URL, "nats-url", "nats://127.0.0.1:4222", "where the register, or its NATS, listens for subscribers")
	f.StringVar(&s.Name, "name", "", "of the subscriber")
	f.StringVar(&seedFile, "seed-file", "", "file with what subscriber create printed")
	f.StringVar(&s.CA, "nats-tls-ca", "", "file in PEM of who signed the server's certificate; the system's unless given")
	f.StringVar(
		&s.Prefix, "nats-api-prefix", "",
		"prefix of the JetStream API, where an outside server gives the subscriber another; $JS.API unless given",
	)
	f.Uint64Var(&after, "after", 0, "pass over events up to this position")
	f.IntVar(&count, "count", 0, "stop after so many events; 0: never")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}
