package api

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/webhooks"
	"github.com/jointlab/jointlab/projections"
)

// webhookRow is an endpoint in a list.
type webhookRow struct {
	ID          uuid.UUID      `json:"id"`
	URL         string         `json:"url"`
	State       webhook.State  `json:"state" enum:"active,paused,disabled,removed" doc:"disabled: the endpoint answered 410 Gone; resume it once it is there again"`
	Filter      webhook.Filter `json:"filter,omitzero"`
	Description domain.Text    `json:"description,omitzero"`
	Owner       domain.Actor   `json:"owner" doc:"Who registered it"`
	Revision    uint64         `json:"revision"`
	Created     time.Time      `json:"created"`
	Updated     time.Time      `json:"updated"`
}

// webhookView is one endpoint and the progress of its deliveries.
type webhookView struct {
	ID         uuid.UUID         `json:"id"`
	State      webhook.State     `json:"state" enum:"active,paused,disabled,removed"`
	Position   uint64            `json:"position" doc:"All events up to here were delivered, or are held up or parked, or were not asked for"`
	Lag        uint64            `json:"lag" doc:"How many events of labs come after that"`
	HeldUp     []webhooks.HeldUp `json:"held_up" doc:"Labs whose events wait for the first of them to be taken; other labs go on"`
	Parked     int               `json:"parked" doc:"Events that were given up, until they are replayed"`
	Generation int               `json:"generation" doc:"Of the secret that deliveries are signed with"`
	Revision   uint64            `json:"revision"`
	Updated    time.Time         `json:"updated"`
	Document   *webhook.Webhook  `json:"document" doc:"Everything the webhook's events say"`
}

type webhooksInput struct {
	State []string `query:"state,explode" enum:"active,paused,disabled,removed" doc:"Any of these; give it once for each"`
	Paging
}

type webhookInput struct {
	Webhook uuid.UUID `path:"webhook" doc:"The webhook's id"`
	Conditional
}

type parkedInput struct {
	Webhook uuid.UUID `path:"webhook" doc:"The webhook's id"`
}

type deliveriesInput struct {
	Webhook  uuid.UUID `path:"webhook" doc:"The webhook's id"`
	Lab      uuid.UUID `query:"lab"`
	Event    uuid.UUID `query:"event" doc:"The event's id"`
	Position uint64    `query:"position" maximum:"9007199254740991" doc:"The event's, in the ledger"`
	Outcome  []string  `query:"outcome,explode" enum:"delivered,refused,redirected,gone,late,unreachable,insecure,forbidden" doc:"Any of these; give it once for each"`
	Failed   bool      `query:"failed" doc:"Only attempts that failed"`
	Limit    int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many a page has"`
	Before   uint64    `query:"before" maximum:"9007199254740991" doc:"What the page before gave as next, with the same filters"`
}

// deliveryLog is a page of the log of deliveries.
type deliveryLog struct {
	Items []webhooks.Attempt `json:"items" doc:"The latest first"`
	Next  string             `json:"next,omitempty" doc:"Give it as before for the next page, which may be empty where there is much to look through; absent: this is the last"`
}

const (
	webhooksZh = "事件以 POST 推送到登记的网址，正文为事件原始字节（application/cloudevents+json），按 Standard Webhooks 1.0 签名：webhook-id（即事件 id，用于去重）、webhook-timestamp、webhook-signature。" +
		"每个事件至少推送一次，同一实验室的事件按账本顺序推送；只有 2xx 表示收到，不跟随转址。失败后以越来越长的间隔重试三天，之后搁置，可查看并重新推送。登记的答复中的 secret 只显示一次。"
	webhooksEn = "Events are posted to the URL byte for byte (application/cloudevents+json), signed as Standard " +
		"Webhooks 1.0 has it: webhook-id is the event's id, by which repeats are told. " +
		"Every event is delivered at least once, and those of one lab in the order of the ledger. Only 2xx says " +
		"that an event was taken; redirects are not followed. What is not taken is tried again for three days, " +
		"ever more rarely, then parked, where it can be seen and replayed. The secret stands in the answer to " +
		"register and to rotate-secret, and nowhere else."
)

func (s *Server) registerWebhooks() {
	register(s, query("list-webhooks", "/v1/webhooks", "webhooks", "列出推送端点：officer、ministry 与 auditor 可见全部，其他角色只见自己登记的。\n\n"+webhooksZh+"\n\n"+webhooksEn, "List webhooks"), s.listWebhooks)
	register(s, query("get-webhook", "/v1/webhooks/{webhook}", "webhooks", "读取一个推送端点：登记内容、推送到的位置、受阻的实验室和搁置的事件数。", "Read a webhook, and how far delivery has come"), s.getWebhook)
	register(s, query("webhook-deliveries", "/v1/webhooks/{webhook}/deliveries", "webhooks", "一个推送端点的推送日志，保留 30 天：每次尝试的时间、结果、状态码、用时和下次尝试。", "Read the log of deliveries to a webhook"), s.webhookDeliveries)
	test := s.withBody(huma.Operation{
		OperationID:   "webhook-test",
		Method:        http.MethodPost,
		Path:          "/v1/webhooks/{webhook}/test",
		Tags:          []string{"webhooks"},
		DefaultStatus: http.StatusOK,
		Summary:       "Send a webhook a test event, and say what came of it",
		Description:   "立即推送一个测试事件（webhook.test.v1，带签名，不进入账本，不重试），答复即为推送结果。\n\nThe event is signed like any other; it has no place in the ledger and is not tried again.",
	}, s.registry.Schema(reflect.TypeFor[webhookTest](), true, ""))
	test.Errors = []int{400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503}
	register(s, test, s.testWebhook)
	register(s, query("webhook-parked", "/v1/webhooks/{webhook}/parked", "webhooks", "一个推送端点已搁置的事件；可用 replay 命令重新推送。", "List the events that were given up at a webhook"), s.webhookParked)
}

// webhookTest is the empty body that requests a test event.
type webhookTest struct{}

type testInput struct {
	Webhook uuid.UUID `path:"webhook" doc:"The webhook's id"`
	RawBody []byte    `contentType:"application/json"`
}

func (s *Server) testWebhook(ctx context.Context, in *testInput) (*struct{ Body webhooks.Attempt }, error) {
	value, problem := parse(in.RawBody)
	if problem != nil {
		return nil, problem
	}
	schema := s.registry.Schema(reflect.TypeFor[webhookTest](), true, "")
	if fields := check(s.registry, schema, "", value); len(fields) > 0 {
		return nil, invalid(fields...)
	}
	claims, _ := claimsOf(ctx)
	test := &intent{operation: "webhook-test", kind: "webhook", id: in.Webhook, claims: claims}
	if err := s.authorize(ctx, test); err != nil {
		return nil, err
	}
	w, _, _, err := s.model.Webhook(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	if w.State == webhook.Removed {
		return nil, newProblem("wrong-state", "该推送端点已删除；请另行登记", "this webhook was removed; register it anew")
	}
	d, err := s.delivering()
	if err != nil {
		return nil, err
	}
	a, err := d.Test(ctx, w)
	return &struct{ Body webhooks.Attempt }{a}, err
}

// maxWebhooks is the number of webhooks that one caller may have.
const maxWebhooks = 50

// delivering returns the dispatcher of this node, or an error if it has none.
func (s *Server) delivering() (*webhooks.Dispatcher, error) {
	if s.cfg.Webhooks == nil {
		return nil, newProblem("not-ready", "本服务器没有启用事件推送", "this server does not deliver to webhooks").with("Retry-After", "60")
	}
	return s.cfg.Webhooks, nil
}

func (s *Server) listWebhooks(ctx context.Context, in *webhooksInput) (*list[webhookRow], error) {
	claims, _ := claimsOf(ctx)
	q := projections.WebhooksQuery{Paging: in.model(), State: convert[webhook.State](in.State)}
	if relationOf(claims.Role, "webhook", "list-webhooks") == Own {
		q.Owner = claims.actor()
	}
	p, err := s.model.Webhooks(ctx, q)
	return listed(ctx, p, err, func(r projections.WebhookRow) webhookRow {
		w := r.Webhook
		return webhookRow{
			ID: w.ID, URL: w.URL, State: w.State, Filter: w.Filter, Description: w.Description,
			Owner: w.Owner, Revision: r.Revision, Created: r.Created, Updated: r.Updated,
		}
	})
}

// webhook returns an endpoint that the caller may read. Others are not found.
func (s *Server) webhook(ctx context.Context, id uuid.UUID) (w *webhook.Webhook, events uint64, updated time.Time,
	err error) {
	claims, _ := claimsOf(ctx)
	w, events, updated, err = s.model.Webhook(ctx, id)
	if err == nil && relationOf(claims.Role, "webhook", "get-webhook") == Own && claims.actor() != w.Owner {
		err = projections.ErrNotFound
	}
	return w, events, updated, err
}

func (s *Server) getWebhook(ctx context.Context, in *webhookInput) (*record[webhookView], error) {
	w, events, updated, err := s.webhook(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	d, err := s.delivering()
	if err != nil {
		return nil, err
	}
	p, err := d.Progress(ctx, w)
	if err != nil {
		return nil, err
	}
	return single(in.Conditional, events, false, &webhookView{
		ID: w.ID, State: w.State, Position: uint64(p.Position), Lag: p.Lag, HeldUp: p.HeldUp,
		Parked: p.Parked, Generation: w.Generation, Revision: events - 1, Updated: updated,
		Document: w,
	}), nil
}

func (s *Server) webhookDeliveries(ctx context.Context, in *deliveriesInput) (*struct{ Body deliveryLog }, error) {
	if _, _, _, err := s.webhook(ctx, in.Webhook); err != nil {
		return nil, err
	}
	d, err := s.delivering()
	if err != nil {
		return nil, err
	}
	items, next, err := d.Deliveries(ctx, in.Webhook, webhooks.AttemptFilter{
		Lab:      in.Lab,
		Event:    in.Event,
		Position: eventstore.Position(in.Position),
		Outcome:  convert[webhooks.Outcome](in.Outcome),
		Failed:   in.Failed,
	}, in.Before, in.Limit)
	out := &struct{ Body deliveryLog }{deliveryLog{Items: items}}
	if next > 0 {
		out.Body.Next = strconv.FormatUint(next, 10)
	}
	return out, err
}

func (s *Server) webhookParked(ctx context.Context, in *parkedInput) (*list[webhooks.Parked], error) {
	if _, _, _, err := s.webhook(ctx, in.Webhook); err != nil {
		return nil, err
	}
	d, err := s.delivering()
	if err != nil {
		return nil, err
	}
	return unpaged(d.Parked(in.Webhook)), nil
}

// checkEndpoint returns an error for an address that the dispatcher refuses, for a
// position beyond the ledger, and beyond maxWebhooks.
func (s *Server) checkEndpoint(ctx context.Context, p *intent) error {
	d, err := s.delivering()
	if err != nil {
		return err
	}
	address := ""
	switch cmd := p.cmd.(type) {
	case webhook.Register:
		address = cmd.URL
	case webhook.Change:
		address = cmd.URL
	case webhook.Replay:
		head, err := s.ledger.Head(ctx)
		if err != nil {
			return err
		}
		if cmd.From > uint64(head) {
			return invalid(domain.FieldError{Path: "from", Message: domain.Textf("账本只到位置 %d", "the ledger ends at position %d", uint64(head))})
		}
	}
	if _, begins := p.cmd.(webhook.Register); begins {
		mine, err := s.model.Webhooks(ctx, projections.WebhooksQuery{Owner: p.claims.actor(),
			State: []webhook.State{webhook.Active, webhook.Paused, webhook.Disabled}})
		if err != nil {
			return err
		}
		if mine.Total >= maxWebhooks {
			return newProblem("wrong-state", "您已登记 %d 个推送端点；请先删除不用的", "you have %d webhooks; remove those you do not need first", mine.Total)
		}
	}
	if address != "" {
		if why, ok := d.Check(address); !ok {
			return invalid(domain.FieldError{Path: "url", Message: why})
		}
	}
	return nil
}

// secretOf returns the secret that a webhook command generated, empty if none.
func (s *Server) secretOf(o eventstore.Outcome) (secret string) {
	for _, h := range o.Events {
		switch e := h.Event.(type) {
		case webhook.Registered:
			secret = s.cfg.Webhooks.Secret(o.Stream.ID, 1)
		case webhook.SecretRotated:
			secret = s.cfg.Webhooks.Secret(o.Stream.ID, e.Generation)
		}
	}
	return secret
}
