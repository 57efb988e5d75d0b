package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/esdb"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/relay"
)

func compareCommand() *cobra.Command {
	where := settings{store: eventStoreDB}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare EventStoreDB with the ledger, event by event · 比对 EventStoreDB 与账本",
		Long: `compare reads EventStoreDB and the ledger relayed from it, and names the first
place where they differ, over all and in each aggregate: an event missing, extra,
in another place, or with a byte changed. It fails if there is one. Both should be
quiet: events not relayed yet are reported as missing. No server may have the data
folder open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, db, err := openLedger(cmd.Context(), where, nil)
			if err != nil {
				return err
			}
			defer log.Close()
			if db == nil {
				return errors.New("only --store eventstoredb has two stores to compare")
			}
			defer db.Close()
			report, err := relay.Compare(cmd.Context(), relay.Side{
				Name: "EventStoreDB", Events: db.All(),
			}, relay.Side{Name: "the ledger", Events: log})
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if report.First != nil {
				fmt.Fprintf(out, "first: %s\n", report.First)
			}
			for _, d := range report.Streams {
				fmt.Fprintf(out, "%s\n", d)
			}
			fmt.Fprintf(out, "EventStoreDB holds %d events, the ledger %d\n", report.Events[0], report.Events[1])
			if !report.Agree() {
				return errors.New("the two stores do not agree")
			}
			return nil
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

func migrateCommand() *cobra.Command {
	var from settings
	var to, data string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy a register into EventStoreDB · 将登记簿迁移到 EventStoreDB",
		Long: `migrate copies every event of an embedded or NATS register into EventStoreDB, with
its id, revision and bytes. It can be broken off and run again. Nobody may write
to either side meanwhile.

Afterwards serve with --store eventstoredb on the new data folder, where the ledger
is relayed anew, in the same order, with the same bytes. migrate puts there all that
stands beside the events: documents, the keys of persons, how far webhooks have
come, and the register's own keys but log.key: the new ledger begins a log of its
own. Subscribers over NATS are created anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.store == eventStoreDB || to == "" || data == "" {
				return errors.New(
					"give the register to copy with --data or --nats-url, the EventStoreDB to copy it to with --to esdb://…, and the data folder to go on with with --new-data",
				)
			}
			log, _, err := openLedger(cmd.Context(), from, nil)
			if err != nil {
				return err
			}
			defer log.Close()
			db, err := esdb.Open(esdb.Config{URL: to})
			if err != nil {
				return err
			}
			defer db.Close()
			p, moved := newProgress(cmd.ErrOrStderr()), 0
			err = relay.Migrate(cmd.Context(), log, db, db.All(), func(done, total int) {
				moved = done
				p.show("events", done, total)
			})
			p.done()
			if err != nil {
				return err
			}
			if err := moveAuxiliary(cmd.Context(), log, from.data, data); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "EventStoreDB holds all %d events, and %s what stands beside them\n", moved, data)
			return nil
		},
	}
	storeFlags(cmd, &from)
	cmd.Flags().StringVar(&to, "to", "", "EventStoreDB to copy to")
	cmd.Flags().StringVar(&data, "new-data", "", "data folder to serve on afterwards")
	return cmd
}

// moveAuxiliary copies what a register holds beside its events into the folder of
// its successor, with the keys that stay the same.
func moveAuxiliary(ctx context.Context, log *jetstream.Ledger, from, to string) error {
	next, err := jetstream.Open(ctx, jetstream.Config{Dir: to, Relayed: true})
	if err != nil {
		return err
	}
	defer next.Close()
	for _, name := range secretFiles {
		text, err := os.ReadFile(filepath.Join(from, name))
		if name == audit.KeyFile || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = eventstore.SecretFile(filepath.Join(to, name), func() ([]byte, error) { return text, nil })
		}
		if err != nil {
			return err
		}
	}
	return log.CopyAuxiliary(ctx, next)
}
