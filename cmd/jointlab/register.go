package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
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
	"github.com/jointlab/jointlab/eventstore/jetstream"
	"github.com/jointlab/jointlab/projections"
)

const (
	defaultData = "jointlab-data"
	keyFile     = "token.key"
	modelFile   = "model.db"
)

func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", defaultData, "folder that holds the register")
}

// register is a whole register in this process: the log, the read model that
// follows it, and the HTTP handler on top.
type register struct {
	data    string
	log     *jetstream.Log
	model   *projections.Model
	signer  *api.Signer
	handler *api.Server

	stop      context.CancelFunc // ends the follower
	following sync.WaitGroup
}

type registerConfig struct {
	anonymousRead bool
	logger        *slog.Logger
}

// openRegister opens the register kept in data, or makes an empty one there.
func openRegister(ctx context.Context, data string, cfg registerConfig) (r *register, err error) {
	if cfg.logger == nil {
		cfg.logger = slog.New(slog.DiscardHandler)
	}
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: data, Logger: cfg.logger})
	if errors.Is(err, jetstream.ErrInUse) {
		return nil, fmt.Errorf("%w\n(a server that runs on it can be asked over HTTP: see --server of jointlab import)", err)
	}
	if err != nil {
		return nil, err
	}
	r = &register{data: data, log: log, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	key, err := api.LoadOrCreateKey(keyPath(data))
	if err != nil {
		return nil, err
	}
	r.signer = api.NewSigner(key, time.Now)
	if r.model, err = projections.Open(ctx, filepath.Join(data, modelFile), log, log); err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.following.Go(func() {
		if err := r.model.Run(following); err != nil && following.Err() == nil {
			cfg.logger.Error("the read model has stopped; it serves what it holds", "error", err)
		}
	})
	r.handler, err = api.New(log, log, r.model, api.NewVerifier(key.Public().(ed25519.PublicKey)), time.Now, api.Config{
		AnonymousRead: cfg.anonymousRead, Logger: cfg.logger, Problems: log.Problems, Version: version(),
	})
	return r, err
}

// caughtUp waits until the read model holds every event of the ledger.
func (r *register) caughtUp(ctx context.Context) error {
	head, err := r.log.Head(ctx)
	if err != nil || head == 0 {
		return err
	}
	return r.log.Read(ctx, head-1, head, func(last []eventstore.Recorded) error {
		d, err := eventstore.Decode(last[0].Body)
		if err != nil {
			return err
		}
		return r.model.Wait(ctx, last[0].Stream, d.Meta.Revision+1)
	})
}

// close stops the follower and closes the model and the log, in that order.
func (r *register) close() error {
	r.stop()
	r.following.Wait()
	var err error
	if r.model != nil {
		err = r.model.Close()
	}
	return errors.Join(err, r.log.Close())
}

// actingAs is a client of this register with a short-lived token of its own.
func (r *register) actingAs(role domain.Role, subject string, entity uuid.UUID) (client, error) {
	token, err := r.signer.Issue(api.Claims{Subject: subject, Role: role, Entity: entity}, time.Hour)
	return inProcess(r.handler, token), err
}

// httpClient is for talking to another process's register.
func httpClient() *http.Client { return &http.Client{Timeout: 30 * time.Second} }
