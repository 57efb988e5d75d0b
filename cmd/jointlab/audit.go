package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove that nothing in the ledger was changed · 证明账本未被改动",
		Long: `Every event is an entry of a Merkle log, whose checkpoints are signed with the key
in log.key. Keep the verifier key (jointlab audit key), and checkpoints from time
to time, where the operators of this register cannot change them: whoever has
them can prove what was in the ledger then.`,
	}
	cmd.AddCommand(
		auditKeyCommand(), auditCheckpointCommand(), auditCheckCommand(), auditRebuildCommand(), auditExportCommand(),
		auditVerifyCommand(),
	)
	return cmd
}

func auditKeyCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the key that verifies checkpoints · 显示验证检查点的公钥",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := openLog(where)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), log.Key())
			return log.Close()
		},
	}
	dataFlags(cmd, &where)
	return cmd
}

func auditCheckpointCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the last signed checkpoint · 显示最近的检查点",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := openLog(where)
			if err != nil {
				return err
			}
			defer log.Close()
			c, ok := log.Published()
			if !ok {
				return errors.Join(
					errors.New("there is no checkpoint yet that agrees with the tree; one is signed while the register is served"),
					problems(log),
				)
			}
			_, err = cmd.OutOrStdout().Write(c.Note)
			return err
		},
	}
	dataFlags(cmd, &where)
	return cmd
}

func auditCheckCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare the whole ledger with its signed checkpoints · 对照检查点核对账本",
		Long: `check reads every event of the ledger and compares it with the log, and the root
that follows from the events with the last signed checkpoint. It names the first
position at fault. No server may have the folder open; a server does the same
each time it starts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLog(cmd.Context(), where, func(log *audit.Log) error {
				p := newProgress(cmd.ErrOrStderr())
				events, err := log.Check(cmd.Context(), func(done, total int64) { p.show("events", int(done), int(total)) })
				p.done()
				if err != nil {
					return err
				}
				c, _ := log.Checkpoint()
				fmt.Fprintf(
					cmd.OutOrStdout(), "%d events are as they were taken into the log; the last checkpoint is of %d\n", events,
					c.Size,
				)
				return nil
			})
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

func auditRebuildCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the log's tree anew from the ledger · 由账本重建日志",
		Long: `rebuild makes the files of the Merkle tree anew. The root is the same, or nothing
is changed and the command fails. No server may have the folder open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLog(cmd.Context(), where, func(log *audit.Log) error {
				p := newProgress(cmd.ErrOrStderr())
				events, err := log.Rebuild(cmd.Context(), func(done, total int64) { p.show("events", int(done), int(total)) })
				p.done()
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d events\n", events)
				return nil
			})
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

// dataFlags are the flags of commands that need no ledger and so work beside a server.
func dataFlags(cmd *cobra.Command, s *settings) {
	cmd.Flags().StringVar(&s.data, "data", defaultData, "folder that holds the register")
	cmd.Flags().StringVar(&s.origin, "log-origin", "", "name that the audit log must have; any if not given")
}

const originHelp = "name of the audit log, when its key is first made: one nobody else will ever use, such as register.example.org/log; made up if not given"

// openLog returns the log, opened without its ledger. It makes no key: that would be
// the key of an empty log, which no reader should trust.
func openLog(s settings) (*audit.Log, error) {
	if _, err := os.Stat(filepath.Join(s.data, audit.KeyFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(
			"there is no %s in %s; name the register's folder with --data (jointlab serve and jointlab import make the key), or put the file back from what jointlab backup secrets wrote",
			audit.KeyFile, s.data,
		)
	}
	return audit.Open(audit.Config{Dir: s.data, Origin: s.origin})
}

// withLog opens the ledger and its log, for use by itself.
func withLog(ctx context.Context, s settings, use func(*audit.Log) error) (err error) {
	ledger, db, err := openLedger(ctx, s, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if db != nil {
		defer db.Close()
	}
	log, err := openLogOf(ledger, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return use(log)
}

// openLogOf returns the log of a ledger, opened.
func openLogOf(ledger *jetstream.Ledger, s settings) (*audit.Log, error) {
	return audit.Open(audit.Config{
		Dir:    s.data,
		Origin: s.origin,
		Ledger: ledger,
		Board:  ledger.Checkpoints(),
		Alone:  s.natsURL == "",
	})
}

// problems returns those of a log as an error.
func problems(log *audit.Log) (err error) {
	for _, p := range log.Problems() {
		err = errors.Join(err, errors.New(p))
	}
	return err
}

// readWitnesses returns the keys in the file of witnesses; none where file is empty.
func readWitnesses(file string) ([]note.Verifier, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read witness keys: %w", err)
	}
	witnesses, err := audit.ParseWitnesses(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return witnesses, nil
}
