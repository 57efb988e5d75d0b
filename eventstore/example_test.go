package eventstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// A command is decided on the aggregate's state, and its events are appended.
// Sent again, it returns its first outcome. A command whose sender has not seen
// the last revision is refused.
func ExampleAggregates_Do() {
	webhooks := eventstore.NewAggregates[*webhook.Webhook, webhook.Event](newMemory(), "webhook", webhook.New)
	ctx, id := context.Background(), uuid.New()
	request := eventstore.Request{
		Actor:   domain.Actor{Subject: "officer@example.org", Role: domain.Officer},
		Now:     time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC),
		Command: uuid.New(),
		Digest:  "of the command's content",
	}
	for range 2 {
		out, err := webhooks.Do(ctx, id, webhook.Register{URL: "https://example.org/in"}, request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(out.Version.Count, eventstore.Name(out.Events[0].Event), out.Replay)
	}
	seen := uint64(0)
	request.Command, request.Expect = uuid.New(), &seen
	_, err := webhooks.Do(ctx, id, webhook.Pause{}, request)
	fmt.Println(err)
	// Output:
	// 1 webhook.registered.v1 false
	// 1 webhook.registered.v1 true
	// the record has moved on from revision 0 to 1; read it again, then decide again
}
