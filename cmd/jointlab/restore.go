package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/projections"
)

func restoreCommand() *cobra.Command {
	var r restoring
	var secrets string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a register again from a backup, in an empty folder · 由备份恢复",
		Long: `restore verifies a backup, against the log's verifier key given with --key or,
without, the one in it, and makes a register in an empty data folder: every event
with its position, id and bytes, the documents, and all else the backup holds. It
builds the Merkle tree and the read model anew, and the root must be that of the
backup's checkpoint. Broken off, it leaves a folder that is not taken for a
register; run it again.

With the keys (--secrets) tokens and webhooks stay valid, and the log goes on under
its origin. That is right only where nothing is lost that was signed: an origin
must not stand for two histories. Give the newest checkpoint you can get from
outside, from a witness, an auditor, a subscriber or the old folder, with
--checkpoint: one of more events than the backup has is refused. Then restore with
--new-log, which begins a new log, under a new origin, over the same events.

Webhooks and subscribers go on where they were when the backup was made, so some
events come to them a second time; jointlab serve fills the stream STATUS again.
The backup can go into an empty NATS (--store nats); to move on to EventStoreDB,
restore it here and run jointlab migrate.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.where.store == eventStoreDB {
				return errors.New("restore into --store embedded or nats, then go on with jointlab migrate")
			}
			if err := r.where.check(); err != nil {
				return err
			}
			if r.secrets, err = readSecrets(secrets); err != nil {
				return err
			}
			r.out, r.progress = cmd.OutOrStdout(), newProgress(cmd.ErrOrStderr())
			defer r.progress.done()
			return r.run(cmd.Context(), args[0])
		},
	}
	storeFlags(cmd, &r.where)
	cmd.Flags().StringVar(
		&secrets, "secrets", "",
		"file of the register's keys, as jointlab backup secrets writes it; without, new keys are made",
	)
	cmd.Flags().StringVar(
		&r.key, "key", "", "the log's verifier key that you had before; without, the one in the backup is believed",
	)
	cmd.Flags().StringVar(&r.newest, "checkpoint", "", "file of the newest signed checkpoint of the log that is known")
	cmd.Flags().BoolVar(
		&r.newLog, "new-log", false, "do not go on with the log that was signed; begin one under a new origin",
	)
	return cmd
}

// restoring restores one backup into a folder.
type restoring struct {
	where    settings
	secrets  secretsFile
	key      string
	newest   string
	newLog   bool
	out      io.Writer
	progress *progress
}

func (r *restoring) show(what string) func(done, total int64) {
	return func(done, total int64) { r.progress.show(what, int(done), int(total)) }
}

// run verifies the backup and restores it.
func (r *restoring) run(ctx context.Context, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	v, err := verifyFile(file, audit.Trust{Key: r.key, Progress: r.show("verify")})
	if err != nil {
		return err
	}
	if !v.Manifest.IsBackup() {
		return fmt.Errorf("%s is a pack of %s, and no backup; make one with jointlab backup", name, v.Manifest.Scope)
	}
	r.newLog = r.newLog || r.secrets.Files[audit.KeyFile] == ""
	newest, err := r.checkSigned(v)
	if err != nil {
		return err
	}
	log, err := jetstream.Open(ctx, jetstream.Config{
		Dir: r.where.data, NATS: r.where.natsURL, Credentials: r.where.credentials, Replicas: r.where.replicas, Restore: true,
	})
	if err != nil {
		return err
	}
	defer log.Close()
	for name, text := range r.secrets.Files {
		if name == audit.KeyFile && r.newLog {
			continue
		}
		if _, err := eventstore.SecretFile(
			filepath.Join(r.where.data, name), func() ([]byte, error) { return []byte(text), nil },
		); err != nil {
			return err
		}
	}
	if err := log.Restore(ctx, v, r.newLog, r.show("events")); err != nil {
		return err
	}
	if err := log.Persons().Restore(ctx, r.secrets.Persons); err != nil {
		return err
	}
	if err := r.prove(ctx, log, v, newest); err != nil {
		return err
	}
	aggregates, err := r.fold(ctx, log)
	if err != nil {
		return err
	}
	if err := log.Restored(ctx); err != nil {
		return err
	}
	r.progress.done()
	r.report(v, aggregates)
	return nil
}

// report prints what was restored, and what the operator has to know or do.
func (r *restoring) report(v audit.Verified, aggregates int) {
	m := v.Manifest
	fmt.Fprintf(
		r.out, "%d events and %d documents are in %s, and %d aggregates folded from them: 0 differences\n", m.Events,
		v.Contents, r.where.data, aggregates,
	)
	fmt.Fprintf(r.out, "root of %d events, as in the backup's checkpoint · 根: %s\n", m.Size, m.Root)
	if r.key == "" {
		fmt.Fprintf(
			r.out, "no --key was given, so the key in the backup was believed; compare it with the one you had before:\n%s\n",
			v.Key,
		)
	}
	for _, name := range secretFiles {
		if _, there := r.secrets.Files[name]; !there || name == audit.KeyFile && r.newLog {
			fmt.Fprintf(r.out, "%s was not restored%s\n", name, instead[name])
		}
	}
	if made := r.secrets.Made; !made.IsZero() && made.Before(m.Made) {
		fmt.Fprintf(
			r.out,
			"the keys were copied at %s and the backup was made at %s: whoever was named for the first time in between cannot be read\n",
			made, m.Made,
		)
	}
	if !r.newLog && r.newest == "" {
		fmt.Fprintf(
			r.out,
			"the log goes on under %s: if anybody has a checkpoint of more than %d events, restore again with --new-log\n",
			m.Origin, m.Size,
		)
	}
}

// instead maps a key that is not restored to what follows from that.
var instead = map[string]string{
	keyFile:                 "; serve makes a new one: tokens issued before are worth nothing",
	audit.KeyFile:           "; serve makes a new one: the log begins anew, under a new origin, over the same events",
	jetstream.PersonKeyFile: "; serve makes a new one: nobody named in these events can be read",
	"webhook.key":           "; serve makes a new one: webhooks are signed with new secrets; have each rotated and handed out",
}

// checkSigned checks that the log may continue: the key is its own, and no
// checkpoint that is known covers more than the backup. It returns the checkpoint
// that was given.
func (r *restoring) checkSigned(v audit.Verified) (newest audit.Checkpoint, err error) {
	if !r.newLog {
		key, err := audit.KeyIn([]byte(r.secrets.Files[audit.KeyFile]))
		if err != nil {
			return newest, err
		}
		if key != v.Key {
			return newest, fmt.Errorf(
				"the secrets hold the key of the log %s, the backup is signed with %s: they are of different registers", key,
				v.Key,
			)
		}
	}
	if r.newest == "" {
		return newest, nil
	}
	note, err := os.ReadFile(r.newest)
	if err != nil {
		return newest, err
	}
	if newest, err = audit.OpenCheckpoint(note, v.Key); err != nil {
		return newest, err
	}
	if newest.Size > v.Checkpoint.Size && !r.newLog {
		return newest, fmt.Errorf(
			"a checkpoint of %d events was signed, and the backup holds %d: restore a newer backup; where there is none, %d events are lost, and only a new log may go on: --new-log",
			newest.Size, v.Checkpoint.Size, newest.Size-v.Checkpoint.Size,
		)
	}
	return newest, nil
}

// prove builds the Merkle tree from the ledger as restored: its root must be
// that of the backup's checkpoint.
func (r *restoring) prove(
	ctx context.Context, log *jetstream.Ledger, v audit.Verified, newest audit.Checkpoint,
) (err error) {
	if !r.newLog {
		if err := v.KeepCosigned(r.where.data); err != nil {
			return err
		}
	}
	proof, err := openLogOf(log, r.where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proof.Close()) }()
	if err := proof.Advance(ctx); err != nil {
		return err
	}
	if err := proof.Agrees(v.Checkpoint); err != nil {
		return err
	}
	if newest.Note != nil && newest.Size <= v.Checkpoint.Size {
		return proof.Agrees(newest)
	}
	return nil
}

// fold makes the read model, and compares it with another fold of the ledger.
func (r *restoring) fold(ctx context.Context, log *jetstream.Ledger) (aggregates int, err error) {
	file := filepath.Join(r.where.data, modelFile)
	if _, err := projections.Rebuild(
		ctx, file, log, log, func(done, total eventstore.Position) { r.progress.show("fold", int(done), int(total)) },
	); err != nil {
		return 0, err
	}
	model, err := projections.Open(ctx, file, log, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	report, err := projections.Verify(ctx, log, log, model)
	if err == nil && len(report.Differences) > 0 {
		printReport(r.out, report)
		err = errors.New("the read model is not the fold of the ledger")
	}
	return report.Aggregates, err
}
