// Package webhook is an endpoint outside the register that events are delivered
// to: its address, its filter, its owner and its state.
//
// Endpoints are facts of the register like any other, so the ledger holds them.
// It does not hold the secret of an endpoint, which is derived from a key of the
// server, the endpoint's id and the generation counted here. The progress of
// delivery is no fact of the register either, and is kept elsewhere.
package webhook

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// State is the state of delivery to an endpoint.
type State string

// The states of an endpoint. In all but Active nothing is sent, and nothing is
// lost: delivery goes on where it stopped.
const (
	Active   State = "active"
	Paused   State = "paused"   // by a command
	Disabled State = "disabled" // by the register, since the endpoint answered 410 Gone
	Removed  State = "removed"  // for good
)

// Filter selects the events delivered to an endpoint. Each member given must
// match, by any of its values where it has several. Without a facet the filter
// selects the status events, corrections of them included.
type Filter struct {
	Labs      []uuid.UUID  `json:"labs,omitempty" maxItems:"200" doc:"Any of these labs"`
	Facets    []string     `json:"facets,omitempty" maxItems:"6" enum:"agreement,rights,funding,status,review,record" doc:"Events of any of these facets; absent: status events and corrections of them"`
	From      []lab.Status `json:"from,omitempty" maxItems:"18" enum:"statuses" doc:"The status left; any of these"`
	To        []lab.Status `json:"to,omitempty" maxItems:"18" enum:"statuses" doc:"The status reached; any of these"`
	Host      uuid.UUID    `json:"host,omitzero" doc:"The lab's host university when the event is delivered"`
	Party     uuid.UUID    `json:"party,omitzero" doc:"The lab's host, a party to an agreement, or named as a partner, when the event is delivered"`
	Programme string       `json:"programme,omitempty" maxLength:"200" doc:"The lab's programme by its name, as in /v1/labs"`
	Level     lab.Level    `json:"level,omitempty" enum:"ministry,province,university" doc:"The lab's level"`
}

// facets are the parts of a lab that events can be chosen by.
var facets = []string{"agreement", "rights", "funding", "status", "review", "record"}

func (f Filter) check(c *domain.Check) {
	for _, facet := range f.Facets {
		c.Require(slices.Contains(facets, facet), "filter.facets", "应为 %s 之一", "give any of %s", strings.Join(facets, ", "))
	}
	for path, statuses := range map[string][]lab.Status{"filter.from": f.From, "filter.to": f.To} {
		for _, s := range statuses {
			c.Require(slices.Contains(lab.Statuses, s), path, "没有状态 %s", "there is no status %s", string(s))
		}
	}
}

// Webhook is the state folded from an endpoint's events.
type Webhook struct {
	ID           uuid.UUID    `json:"id"`
	URL          string       `json:"url,omitempty"` // empty: not registered
	Filter       Filter       `json:"filter,omitzero"`
	Description  domain.Text  `json:"description,omitzero"`
	Owner        domain.Actor `json:"owner,omitzero"` // who registered it
	State        State        `json:"state,omitempty"`
	Generation   int          `json:"generation,omitzero"`    // of the secret, from 1
	Rotated      time.Time    `json:"rotated,omitzero"`       // when this generation began
	Replays      int          `json:"replays,omitzero"`       // replays from a position, counted
	ReplayFrom   uint64       `json:"replay_from,omitzero"`   // the position of the last of them
	ParkedBefore time.Time    `json:"parked_before,omitzero"` // retry what was parked before
}

// New returns the endpoint with the given id before its first event.
func New(id uuid.UUID) *Webhook { return &Webhook{ID: id} }

// Event is a fact about an endpoint.
type Event interface {
	domain.Event
	apply(*Webhook, domain.Meta)
}

// Command is a request to an endpoint.
type Command = domain.Command[*Webhook, Event]

// Apply folds an event in.
func (w *Webhook) Apply(h domain.RecordedEvent[Event]) { h.Event.apply(w, h.Meta) }

// registered returns a refusal where the endpoint is not registered or was removed.
func (w *Webhook) registered() error {
	switch {
	case w.URL == "":
		return domain.Reject(domain.NotFound, "登记簿中没有这个推送端点；请先登记", "there is no such webhook in the register; register it first")
	case w.State == Removed:
		return domain.Reject(domain.State, "该推送端点已删除；请另行登记", "this webhook was removed; register it anew")
	}
	return nil
}

func checkURL(c *domain.Check, address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > 2000:
		c.Require(false, "url", "不是有效的网址，或超过 2000 字节", "this is no URL, or one of more than 2000 bytes")
	case u.Scheme != "https" && u.Scheme != "http":
		c.Require(false, "url", "网址须以 https:// 开头", "the URL must begin with https://")
	case u.Hostname() == "":
		c.Require(false, "url", "网址缺少主机名", "the URL names no host")
	case u.User != nil:
		c.Require(false, "url", "网址中不能有用户名或密码；请以签名识别来源", "the URL must not hold a user name or password; know the sender by the signature")
	case u.Fragment != "":
		c.Require(false, "url", "网址中不能有 # 之后的部分", "the URL must not have a part after #")
	}
}

// Register puts an endpoint on record.
type Register struct {
	domain.Grounds
	URL         string      `json:"url" format:"uri" minLength:"1" maxLength:"2000" doc:"Where events are posted to, https. It stands in the ledger for all to read: put no secret in it" example:"https://example.org/jointlab"`
	Filter      Filter      `json:"filter,omitzero" doc:"Which events; absent: all status events"`
	Description domain.Text `json:"description,omitzero" doc:"What it is for"`
}

// Decide refuses a second registration and an address that cannot be posted to.
func (r Register) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if w.URL != "" {
		return nil, domain.Reject(domain.Exists, "该推送端点已登记", "this webhook is registered already")
	}
	var c domain.Check
	checkURL(&c, r.URL)
	r.Filter.check(&c)
	return domain.Accept[Event](Registered{r.URL, r.Filter, r.Description.Trimmed()}, c.Err())
}

// Registered records that the events from now on are delivered to an endpoint.
type Registered struct {
	URL         string      `json:"url"`
	Filter      Filter      `json:"filter,omitzero"`
	Description domain.Text `json:"description,omitzero"`
}

// Sentence returns the event in words.
func (e Registered) Sentence() domain.Text {
	return domain.Textf("登记推送端点 %s", "Registered the webhook %s", e.URL)
}

func (e Registered) apply(w *Webhook, m domain.Meta) {
	w.URL, w.Filter, w.Description, w.Owner, w.State, w.Generation = e.URL, e.Filter, e.Description, m.Actor, Active, 1
}

// Change replaces the address, the filter and the description of an endpoint.
type Change struct {
	domain.Grounds
	URL         string      `json:"url" format:"uri" minLength:"1" maxLength:"2000" doc:"Where events are posted to from now on, https"`
	Filter      Filter      `json:"filter,omitzero" doc:"Which events from now on; absent: all status events"`
	Description domain.Text `json:"description,omitzero" doc:"What it is for"`
}

// Decide refuses an address that cannot be posted to.
func (r Change) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if err := w.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	checkURL(&c, r.URL)
	r.Filter.check(&c)
	return domain.Accept[Event](Changed{r.URL, r.Filter, r.Description.Trimmed()}, c.Err())
}

// Changed records the address and the filter of an endpoint from now on.
type Changed struct {
	URL         string      `json:"url"`
	Filter      Filter      `json:"filter,omitzero"`
	Description domain.Text `json:"description,omitzero"`
}

// Sentence returns the event in words.
func (e Changed) Sentence() domain.Text {
	return domain.Textf("变更推送端点，现为 %s", "Changed the webhook, which is %s now", e.URL)
}

func (e Changed) apply(w *Webhook, _ domain.Meta) {
	w.URL, w.Filter, w.Description = e.URL, e.Filter, e.Description
}

// Pause stops delivery until Resume.
type Pause struct{ domain.Grounds }

// Decide refuses an endpoint that is not active.
func (Pause) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if err := w.registered(); err != nil {
		return nil, err
	}
	if w.State != Active {
		return nil, domain.Reject(domain.State, "推送已停止", "nothing is being sent to this webhook")
	}
	return []Event{EndpointPaused{}}, nil
}

// EndpointPaused records that nothing is sent until delivery is resumed.
type EndpointPaused struct{}

// Sentence returns the event in words.
func (EndpointPaused) Sentence() domain.Text { return domain.T("暂停推送", "Paused delivery") }

func (EndpointPaused) apply(w *Webhook, _ domain.Meta) { w.State = Paused }

// Resume resumes delivery where it stopped.
type Resume struct{ domain.Grounds }

// Decide refuses an endpoint that is active.
func (Resume) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if err := w.registered(); err != nil {
		return nil, err
	}
	if w.State == Active {
		return nil, domain.Reject(domain.State, "推送正在进行", "events are being sent to this webhook")
	}
	return []Event{EndpointResumed{}}, nil
}

// EndpointResumed records that delivery goes on where it stopped.
type EndpointResumed struct{}

// Sentence returns the event in words.
func (EndpointResumed) Sentence() domain.Text {
	return domain.T("恢复推送，从停止处继续", "Resumed delivery where it had stopped")
}

func (EndpointResumed) apply(w *Webhook, _ domain.Meta) { w.State = Active }

// RotateSecret begins a new generation of the secret.
type RotateSecret struct{ domain.Grounds }

// Decide refuses an endpoint that is not registered.
func (RotateSecret) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	return domain.Accept[Event](SecretRotated{w.Generation + 1}, w.registered())
}

// SecretRotated records that deliveries are signed with another secret, and for
// Overlap with the one before as well.
type SecretRotated struct {
	Generation int `json:"generation"`
}

// Overlap is how long after a rotation deliveries carry both signatures.
const Overlap = 24 * time.Hour

// Sentence returns the event in words.
func (e SecretRotated) Sentence() domain.Text {
	return domain.Textf("更换签名密钥（第 %d 代）", "Rotated the signing secret (generation %d)", e.Generation)
}

func (e SecretRotated) apply(w *Webhook, m domain.Meta) {
	w.Generation, w.Rotated = e.Generation, m.Time
}

// Generations returns the generations of the secret that deliveries at an instant
// are signed with, the newest first.
func (w *Webhook) Generations(at time.Time) []int {
	if w.Generation > 1 && at.Before(w.Rotated.Add(Overlap)) {
		return []int{w.Generation, w.Generation - 1}
	}
	return []int{w.Generation}
}

// Remove ends delivery for good.
type Remove struct{ domain.Grounds }

// Decide refuses an endpoint that is not registered.
func (Remove) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	return domain.Accept[Event](EndpointRemoved{}, w.registered())
}

// EndpointRemoved records that nothing is sent any more; what was still to be
// delivered is dropped.
type EndpointRemoved struct{}

// Sentence returns the event in words.
func (EndpointRemoved) Sentence() domain.Text {
	return domain.T("删除推送端点", "Removed the webhook")
}

func (EndpointRemoved) apply(w *Webhook, _ domain.Meta) { w.State = Removed }

// Replay delivers events again: those that were parked, or all from a position on.
type Replay struct {
	domain.Grounds
	Parked bool   `json:"parked,omitzero" doc:"Try again what was parked until now"`
	From   uint64 `json:"from,omitzero" maximum:"9007199254740991" doc:"Deliver anew from this position of the ledger on"`
}

// Decide refuses a command that asks for neither or for both.
func (r Replay) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if err := w.registered(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Require(r.Parked != (r.From > 0), "from", "请在 parked 与 from 中填写一项", "give one of parked and from")
	return domain.Accept[Event](Replayed{r.Parked, r.From}, c.Err())
}

// Replayed records that events are delivered again.
type Replayed struct {
	Parked bool   `json:"parked,omitzero"`
	From   uint64 `json:"from,omitzero"`
}

// Sentence returns the event in words.
func (e Replayed) Sentence() domain.Text {
	if e.Parked {
		return domain.T("重新推送已搁置的事件", "Asked for the parked events again")
	}
	return domain.Textf("从账本位置 %d 起重新推送", "Asked for all events again from position %d on", e.From)
}

func (e Replayed) apply(w *Webhook, m domain.Meta) {
	if e.Parked {
		w.ParkedBefore = m.Time
		return
	}
	w.Replays, w.ReplayFrom = w.Replays+1, e.From
}

// Disable returns the register's own command for an endpoint that answered 410
// Gone to the event at a position: it is not called again until Resume.
func Disable(position uint64) Command { return disable{Position: position} }

type disable struct {
	domain.Grounds
	Position uint64
}

// Decide refuses an endpoint whose delivery has stopped for another reason.
func (d disable) Decide(w *Webhook, _ domain.Context) ([]Event, error) {
	if w.State != Active {
		return nil, domain.Reject(domain.State, "推送已停止", "nothing is being sent to this webhook")
	}
	return []Event{EndpointDisabled{d.Position}}, nil
}

// EndpointDisabled records that the endpoint answered 410 Gone to an event.
type EndpointDisabled struct {
	Position uint64 `json:"position"`
}

// Sentence returns the event in words.
func (e EndpointDisabled) Sentence() domain.Text {
	return domain.Textf("推送端点对账本位置 %d 的事件答复 410（已不存在），停止推送", "Stopped delivery: the webhook answered 410 Gone to the event at position %d", e.Position)
}

func (EndpointDisabled) apply(w *Webhook, _ domain.Meta) { w.State = Disabled }
