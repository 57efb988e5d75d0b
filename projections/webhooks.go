package projections

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// webhookState is an endpoint being folded.
type webhookState struct {
	*webhook.Webhook
	base[webhook.Event] `json:"-"`
}

func newWebhookState(id uuid.UUID) state {
	w := webhook.New(id)
	return &webhookState{w, base[webhook.Event]{w}}
}

func (s *webhookState) words() []string {
	return []string{s.URL, s.Description.Zh, s.Description.En}
}

func (s *webhookState) rows(n int64) (all rows) {
	all.add("webhooks", n, s.Owner.Subject, string(s.Owner.Role), s.Owner.OnBehalfOf[:], string(s.State))
	return all
}

// Webhook returns an endpoint, its number of events and the time of the last.
func (m *Model) Webhook(ctx context.Context, id uuid.UUID) (*webhook.Webhook, uint64, time.Time, error) {
	w := webhook.New(id)
	events, updated, err := m.document(ctx, eventstore.Stream{Kind: "webhook", ID: id}, w)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return w, events, updated, nil
}

// WebhooksQuery selects endpoints. A zero field does not restrict.
type WebhooksQuery struct {
	Paging
	Owner domain.Actor    // the actor that registered them
	State []webhook.State // any of these
}

// WebhookRow is an endpoint in a list.
type WebhookRow struct {
	Webhook  *webhook.Webhook
	Revision uint64 // of the last event
	Created  time.Time
	Updated  time.Time
}

// Webhooks returns a page of endpoints, in the order they were registered.
func (m *Model) Webhooks(ctx context.Context, q WebhooksQuery) (Page[WebhookRow], error) {
	var s selection
	if q.Owner.Subject != "" {
		s.and("owner = ? AND role = ? AND behalf = ?", q.Owner.Subject, string(q.Owner.Role), q.Owner.OnBehalfOf[:])
	}
	oneOf(&s, "state", q.State)
	return list(ctx, m, q.Paging, "webhooks", map[string]string{"": "created"}, "", nil, false, s,
		func(document []byte, revision uint64, created, updated time.Time) (WebhookRow, error) {
			row := WebhookRow{&webhook.Webhook{}, revision, created, updated}
			return row, json.Unmarshal(document, row.Webhook)
		})
}
