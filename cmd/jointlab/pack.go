package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

func packTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "pack",
		Short: "What is in a pack, for a second verifier · 审计包的格式",
		Long:  audit.PackFormat,
	}
}

func auditExportCommand() *cobra.Command {
	var where settings
	var labID, entityID, since, until string
	var documents bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a pack that anybody can verify without this register · 导出审计包",
		Long: `export writes one file with the events of a lab (--lab), of a legal entity
(--entity), of everything recorded in a period (--since and --until), or of the
whole registry, with the proofs that they are in the signed log, the policies and
rules that decisions were taken by, and the states that follow; with --documents,
the contents of the documents that events refer to as well. jointlab audit verify
checks it anywhere. See jointlab help pack.

A lab's pack holds its programme's events too. A period's holds each stream in
which something was recorded, whole, up to the period's end. No server may have
the folder open.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, err := scopeOf(labID, entityID, since, until)
			if err != nil {
				return err
			}
			p := newProgress(cmd.ErrOrStderr())
			m, err := export(cmd.Context(), where, args[0], scope, documents, p)
			p.done()
			if err != nil {
				return err
			}
			fmt.Fprintf(
				cmd.OutOrStdout(), "%s: %s, %d events of %d streams, under the checkpoint of %d events\n", args[0], m.Scope,
				m.Events, m.Streams, m.Size,
			)
			return nil
		},
	}
	storeFlags(cmd, &where)
	cmd.Flags().StringVar(&labID, "lab", "", "id of the lab to export")
	cmd.Flags().StringVar(&entityID, "entity", "", "id of the legal entity to export")
	cmd.Flags().StringVar(&since, "since", "", "first day, in China, on which something was recorded")
	cmd.Flags().StringVar(&until, "until", "", "last day; with --since")
	cmd.Flags().BoolVar(
		&documents, "documents", false,
		"put the contents of the documents that events refer to in as well, where they are held",
	)
	return cmd
}

// export writes a pack to a new file.
func export(
	ctx context.Context, where settings, file string, scope audit.Scope, documents bool, p *progress,
) (m audit.Manifest, err error) {
	ledger, db, err := openLedger(ctx, where, nil)
	if err != nil {
		return m, err
	}
	defer ledger.Close()
	if db != nil {
		defer db.Close()
	}
	log, err := openLogOf(ledger, where)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := log.Advance(ctx); err != nil {
		return m, err
	}
	how := audit.Export{
		Scope:    scope,
		Store:    ledger,
		Now:      time.Now(),
		By:       version(),
		Progress: func(done, total int64) { p.show("events", int(done), int(total)) },
	}
	if documents {
		how.Document = func(digest string) (io.ReadCloser, error) {
			d, err := eventstore.ParseDigest(digest)
			if err != nil {
				return nil, err
			}
			return ledger.Documents().Open(ctx, d)
		}
	}
	err = writeNew(file, func(f *os.File) (err error) {
		m, err = log.Export(ctx, f, how)
		return err
	})
	return m, err
}

// scopeOf returns what a pack is to hold. At most one of a lab, a legal entity and
// a period may be given.
func scopeOf(labID, entityID, since, until string) (s audit.Scope, err error) {
	given := 0
	for _, g := range []bool{labID != "", entityID != "", since != "" || until != ""} {
		if g {
			given++
		}
	}
	if given > 1 || (since == "") != (until == "") {
		return s, errors.New("give --lab, or --entity, or both --since and --until, or none of them for the whole registry")
	}
	for text, id := range map[string]*uuid.UUID{labID: &s.Lab, entityID: &s.Entity} {
		if text != "" {
			if *id, err = uuid.Parse(text); err != nil {
				return s, fmt.Errorf("%q is no id: %w", text, err)
			}
		}
	}
	if since != "" {
		var err2 error
		s.From, err = domain.ParseDate(since)
		s.To, err2 = domain.ParseDate(until)
		if err = errors.Join(err, err2); err == nil && s.To.Before(s.From) {
			err = errors.New("--until is before --since")
		}
	}
	return s, err
}

func auditVerifyCommand() *cobra.Command {
	var key, witnessKeys string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a pack, without a server and without a network · 核验审计包",
		Long: `verify checks everything in a pack: the signatures, that each event is byte for
byte the one in the signed log, that each stream is whole, that folding its events
gives the state claimed, and that each step of a lab follows from the rules. It
names the first thing that is wrong, with its position in the ledger.

Give the log's verifier key that you had before with --key. Without it the key in
the pack is believed, and a pack that somebody else signed passes as theirs.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trust := audit.Trust{Key: key}
			var err error
			if trust.Witnesses, err = readWitnesses(witnessKeys); err != nil {
				return err
			}
			pack, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer pack.Close()
			info, err := pack.Stat()
			if err != nil {
				return err
			}
			p := newProgress(cmd.ErrOrStderr())
			trust.Progress = func(done, total int64) { p.show("events", int(done), int(total)) }
			v, err := audit.Verify(pack, info.Size(), trust)
			p.done()
			if err != nil {
				return err
			}
			m, out := v.Manifest, cmd.OutOrStdout()
			fmt.Fprintf(
				out, "%s: %d events of %d streams, under the checkpoint of %d events\n", m.Scope, m.Events, m.Streams, m.Size,
			)
			fmt.Fprintf(out, "every event is in the log, every state follows, and so does each of %d decisions\n", v.Decisions)
			if v.Questioned > 0 {
				fmt.Fprintf(out, "%d decisions are recorded as not meeting their rules on what is known since; see decision-questioned in the events\n", v.Questioned)
			}
			fmt.Fprintf(out, "%d documents are referred to; the contents of %d are here\n", m.Documents, v.Contents)
			if v.OtherRules {
				fmt.Fprintf(
					out,
					"the pack was made by %s, whose rules or tables are not those of this program; decisions were judged by this program's\n",
					m.By,
				)
			}
			var by []string
			for _, s := range v.Checkpoint.By {
				if s.Name != m.Origin {
					by = append(by, s.Name)
				}
			}
			if len(by) > 0 {
				fmt.Fprintln(out, "cosigned by", strings.Join(by, ", "))
			}
			if key == "" {
				fmt.Fprintf(
					out, "no --key was given, so the key in the pack was believed; compare it with the one you had before:\n%s\n",
					v.Key,
				)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the log's verifier key, as jointlab audit key prints it")
	cmd.Flags().StringVar(
		&witnessKeys, "witness-keys", "", "file of the verifier keys of witnesses whose cosignatures to check, a line each",
	)
	return cmd
}
