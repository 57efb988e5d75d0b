package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/projections"
)

func keyPath(data string) string { return filepath.Join(data, keyFile) }

func verifyCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Fold the whole ledger and compare with the read model · 核对读模型与事件",
		Long: `verify folds every event of the ledger anew and compares the result with what the
read model holds. It reads every document that events refer to and hashes it. It
names each difference and each document that has changed, and fails if there is
one; a document that was never handed in is named too. No server may have the
folder open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := openRegister(cmd.Context(), where, registerConfig{})
			if err != nil {
				return err
			}
			defer r.close()
			if err := r.caughtUp(cmd.Context()); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, p := range r.log.Problems() {
				fmt.Fprintln(out, "ledger:", p)
			}
			report, err := projections.Verify(cmd.Context(), r.log, r.log, r.model)
			if err != nil {
				return err
			}
			printReport(out, report)
			_, _, changed, err := verifyDocuments(cmd.Context(), out, r.model, r.log.Documents())
			if err != nil {
				return err
			}
			if changed > 0 {
				return fmt.Errorf("documents that have changed: %d; find out why, and hand in the genuine ones again", changed)
			}
			if len(report.Differences) > 0 || len(r.log.Problems()) > 0 {
				return errors.New(
					"the register does not hold what it should; see above (jointlab rebuild makes the read model anew)",
				)
			}
			return nil
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

// verifyDocuments reads every document that events refer to, and returns how
// many are there, are not, and are not what they should be.
func verifyDocuments(
	ctx context.Context, out io.Writer, model *projections.Model, documents *jetstream.Documents,
) (held, missing, changed int, err error) {
	var from eventstore.Digest
	for more := true; more; {
		found, err := model.References(ctx, domain.Actor{Role: domain.Auditor}, from, 500)
		if err != nil {
			return held, missing, changed, err
		}
		for _, ref := range found {
			switch err := documents.Check(ctx, ref.Digest); {
			case err == nil:
				held++
			case errors.Is(err, eventstore.ErrDocumentMissing):
				missing++
				fmt.Fprintf(
					out, "document %s: not handed in; %d events refer to it, the first at position %d\n", ref.Digest, ref.Events,
					ref.First[0],
				)
			case errors.Is(err, eventstore.ErrDocumentChanged):
				changed++
				fmt.Fprintf(
					out, "document %s: CHANGED; %d events refer to it, the first at position %d: %v\n", ref.Digest, ref.Events,
					ref.First[0], err,
				)
			default:
				return held, missing, changed, err
			}
		}
		if more = len(found) == 500; more {
			from = found[499].Digest.Next()
		}
	}
	if held+missing+changed > 0 {
		fmt.Fprintf(out, "%d documents held, %d not handed in, %d changed\n", held, missing, changed)
	}
	return held, missing, changed, nil
}

func rebuildCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the read model anew from the ledger · 由事件重建读模型",
		Long: `rebuild folds the whole ledger into a new read model, compares it with the old
one, reports every difference, and puts the new one in its place. No server may
have the folder open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, db, err := openLedger(cmd.Context(), where, nil)
			if err != nil {
				return err
			}
			defer log.Close()
			if db != nil {
				defer db.Close()
			}
			p := newProgress(cmd.ErrOrStderr())
			report, err := projections.Rebuild(cmd.Context(), filepath.Join(where.data, modelFile), log, log, func(done, total eventstore.Position) {
				p.show("events", int(done), int(total))
			})
			p.done()
			if err != nil {
				return err
			}
			printReport(cmd.OutOrStdout(), report)
			return nil
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

func healthCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it is ready · 检查服务是否就绪",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var ready struct {
				Position uint64 `json:"position"`
			}
			if err := (client{
				base: strings.TrimSuffix(server, "/"), http: httpClient(),
			}).get(cmd.Context(), "/readyz", &ready); err != nil {
				return fmt.Errorf("%s is not ready: %w", server, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ready at position %d\n", ready.Position)
			return nil
		},
	}
	cmd.Flags().StringVar(&server, "server", "http://127.0.0.1:8080", "address of the server")
	return cmd
}

func printReport(out io.Writer, r projections.Report) {
	for _, d := range r.Differences {
		fmt.Fprintf(out, "%s %s position %d: %s\n", d.What, d.Stream, d.Position, d.Is)
	}
	compared := ""
	if !r.Compared {
		compared = " (nothing to compare with)"
	}
	fmt.Fprintf(
		out, "%d events, %d aggregates, %d differences%s\n", r.Position, r.Aggregates, len(r.Differences), compared,
	)
}
