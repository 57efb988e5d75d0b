package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/durable"
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/eventstore/webhooks"
)

// secretFiles are the keys in a data folder. A backup holds none of them.
var secretFiles = []string{keyFile, audit.KeyFile, webhooks.KeyFile, jetstream.PersonKeyFile}

func backupCommand() *cobra.Command {
	var where settings
	var server, token, secrets string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that the register holds into one file, also while it runs · 备份登记簿",
		Long: `backup writes everything up to one signed checkpoint into FILE: every event byte
for byte with its position, the documents, all checkpoints and cosignatures, who
subscribes, and how far deliveries to webhooks and subscribers have come. It is a
pack of the whole registry (jointlab help pack), so jointlab audit verify checks
it. FILE is there when all of it is on the disk and was verified, or not at all.

While a server runs on the folder, ask that server: --server and --token, of an
officer, an auditor or the ministry.

FILE holds no secret. The keys of the register go into a second file, with
--secrets or, also while a server runs and only on its machine, with
jointlab backup secrets.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if server != "" && secrets != "" {
				return errors.New(
					"secrets are not given over HTTP; run jointlab backup secrets --data … on the server's machine, also while it runs",
				)
			}
			take := func(w io.Writer) error { return takeBackup(cmd, where, w) }
			if server != "" {
				take = func(w io.Writer) error { return fetchBackup(cmd.Context(), server, token, w) }
			}
			var v audit.Verified
			err := writeNew(args[0], func(f *os.File) (err error) {
				if err = take(f); err == nil {
					v, err = verifyFile(f, audit.Trust{})
				}
				return err
			})
			if err != nil {
				return err
			}
			out, m := cmd.OutOrStdout(), v.Manifest
			fmt.Fprintf(out, "%s: %d events, %d documents, verified, under the checkpoint of %d events\nroot · 根: %s\n", args[0], m.Events, v.Contents, m.Size, m.Root)
			if secrets != "" {
				return backupSecrets(cmd.Context(), out, where, secrets)
			}
			return nil
		},
	}
	storeFlags(cmd, &where)
	cmd.Flags().StringVar(
		&server, "server", "", "address of the server that runs on the register, e.g. http://127.0.0.1:8080",
	)
	cmd.Flags().StringVar(&token, "token", "", "token to act with on that server")
	cmd.Flags().StringVar(&secrets, "secrets", "", "file to write the register's keys into")
	cmd.AddCommand(backupSecretsCommand())
	return cmd
}

func backupSecretsCommand() *cobra.Command {
	var where settings
	cmd := &cobra.Command{
		Use:   "secrets FILE",
		Short: "Write the register's keys into one file, also while it runs · 备份密钥",
		Long: `secrets writes the keys in the data folder (` + strings.Join(secretFiles, ", ") + `)
and the keys of persons into FILE, which its owner alone may read. Keep it apart
from the backups and encrypt it with what you use; whoever has it can issue tokens,
sign as this register, and read with a backup whom it names.

Make one with every backup: whoever was named since the last one can be read with a
newer one only. Destroy the older ones then, and at once when a person was erased:
no backup holds the key of a person, so nobody can read that person any more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return backupSecrets(cmd.Context(), cmd.OutOrStdout(), where, args[0])
		},
	}
	storeFlags(cmd, &where)
	return cmd
}

// takeBackup writes a backup of the register in a folder that nobody serves.
func takeBackup(cmd *cobra.Command, where settings, w io.Writer) (err error) {
	ctx := cmd.Context()
	ledger, db, err := openLedger(ctx, where, nil)
	if err != nil {
		return err
	}
	defer ledger.Close()
	if db != nil {
		defer db.Close()
	}
	log, err := openLogOf(ledger, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := log.Advance(ctx); err != nil {
		return err
	}
	p := newProgress(cmd.ErrOrStderr())
	defer p.done()
	_, err = log.Export(ctx, w, audit.Export{
		Store: ledger, Now: time.Now(), By: version(), Backup: ledger.Backup(),
		Document: func(digest string) (io.ReadCloser, error) { return ledger.Documents().Packed(ctx, digest) },
		Progress: func(done, total int64) { p.show("events", int(done), int(total)) },
	})
	return err
}

// fetchBackup writes the backup that a server returns.
func fetchBackup(ctx context.Context, server, token string, w io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+"/v1/backup", nil)
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r) // without a timeout: a backup may be long
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		p := &problem{Status: resp.StatusCode, Detail: resp.Status}
		_ = json.Unmarshal(text, p) // where the answer is one
		return p
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

func verifyFile(f *os.File, trust audit.Trust) (v audit.Verified, err error) {
	info, err := f.Stat()
	if err != nil {
		return v, err
	}
	return audit.Verify(f, info.Size(), trust)
}

// writeNew makes a file that its owner alone may read. It has its name once all
// of it is on the disk; where write fails, or the disk is full, nothing is left.
func writeNew(name string, write func(*os.File) error) (err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s is there already; choose another name", name))
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = durable.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

const secretsFormat = "jointlab secrets v1"

// secretsFile is the file that backup secrets writes.
type secretsFile struct {
	Format string            `json:"format"`
	Made   time.Time         `json:"made"`
	Files  map[string]string `json:"files"`

	Persons []jetstream.PersonEntry `json:"persons"` // wrapped with person.key
}

func backupSecrets(ctx context.Context, out io.Writer, where settings, file string) error {
	s := secretsFile{Format: secretsFormat, Made: time.Now().UTC().Truncate(time.Second), Files: map[string]string{}}
	data := where.data
	for _, name := range secretFiles {
		text, err := os.ReadFile(filepath.Join(data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		s.Files[name] = string(text)
	}
	if len(s.Files) == 0 {
		return fmt.Errorf("%s holds no keys; name the register's data folder with --data", data)
	}
	var err error
	if s.Persons, err = jetstream.PersonEntries(ctx, jetstream.Config{
		Dir: data, NATS: where.natsURL, Credentials: where.credentials,
	}); err != nil {
		return err
	}
	if s.Files[jetstream.PersonKeyFile] != "" && len(s.Persons) == 0 {
		return fmt.Errorf(
			"%s holds %s, and the keys of persons that go with it are not there: give --nats-url and --nats-credentials as serve has them",
			data, jetstream.PersonKeyFile,
		)
	}
	err = writeNew(file, func(f *os.File) error {
		return json.MarshalWrite(f, s, json.Deterministic(true), jsontext.WithIndent("  "))
	})
	if err == nil {
		fmt.Fprintf(out, "%s: %s; keep it apart from the backups, and destroy older ones · 密钥，请另行保管\n", file, strings.Join(slices.Sorted(maps.Keys(s.Files)), ", "))
	}
	return err
}

func readSecrets(file string) (s secretsFile, err error) {
	if file == "" {
		return s, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Format != secretsFormat {
		return s, fmt.Errorf("%s is no file that jointlab backup secrets wrote (%w)", file, err)
	}
	for name, text := range s.Files {
		if !slices.Contains(secretFiles, name) {
			return s, fmt.Errorf("%s holds %q, which this version does not know; use the version that wrote it", file, name)
		}
		if err := s.checkKey(name, text); err != nil {
			return s, fmt.Errorf(
				"%s: %s in it is damaged, %w; take another copy of the secrets (without --secrets new keys are made)", file, name,
				err,
			)
		}
	}
	return s, nil
}

// checkKey returns an error where the text in a file of secrets is no key.
func (s secretsFile) checkKey(name, text string) (err error) {
	switch name {
	case keyFile:
		_, err = api.ParseKey(text)
	case audit.KeyFile:
		_, err = audit.KeyIn([]byte(text))
	case webhooks.KeyFile:
		_, err = webhooks.ParseKey(text)
	case jetstream.PersonKeyFile:
		err = jetstream.CheckPersonKey(text, s.Persons)
	}
	return err
}
