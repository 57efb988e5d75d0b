package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
)

// examplePack returns a pack of a register that holds one event, and the log's
// verifier key.
func examplePack(ctx context.Context, dir string) (pack []byte, key string, err error) {
	ledger, now := newLedger(0), time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC)
	webhooks := eventstore.NewAggregates[*webhook.Webhook, webhook.Event](ledger, "webhook", webhook.New)
	if _, err := webhooks.Do(ctx, uuid.New(), webhook.Register{URL: "https://example.org/in"}, eventstore.Request{
		Actor: domain.Actor{Subject: "officer@example.org", Role: domain.Officer}, Now: now, Command: uuid.New(),
	}); err != nil {
		return nil, "", err
	}
	l, err := audit.Open(audit.Config{Dir: dir, Origin: "register.example.org/log", Ledger: ledger})
	if err != nil {
		return nil, "", err
	}
	defer l.Close()
	if err := l.Advance(ctx); err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	_, err = l.Export(ctx, &out, audit.Export{Store: ledger, Now: now, By: "example"})
	return out.Bytes(), l.Key(), err
}

// A pack is verified without the register, against a key that was kept from
// elsewhere.
func ExampleVerify() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	pack, key, err := examplePack(context.Background(), dir)
	if err != nil {
		log.Fatal(err)
	}
	verified, err := audit.Verify(bytes.NewReader(pack), int64(len(pack)), audit.Trust{Key: key})
	fmt.Println(verified.Manifest.Events, verified.Checkpoint.Origin, err)

	_, err = audit.Verify(bytes.NewReader(pack), int64(len(pack)), audit.Trust{Key: "another key"})
	var contradiction *audit.ContradictionError
	fmt.Println(errors.As(err, &contradiction))
	// Output:
	// 1 register.example.org/log <nil>
	// true
}
