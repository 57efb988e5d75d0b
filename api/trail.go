package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// entry is an event as people read it.
type entry struct {
	Position    uint64       `json:"position" doc:"In the ledger, from 1; /v1/events/{position} gives the event byte for byte"`
	Source      string       `json:"source" doc:"e.g. /labs/<id>"`
	ID          uuid.UUID    `json:"id"`
	Revision    uint64       `json:"revision" doc:"In its own stream, from 0"`
	Type        string       `json:"type"`
	Facet       string       `json:"facet"`
	Time        time.Time    `json:"time" doc:"When the register recorded it"`
	Actor       domain.Actor `json:"actor"`
	Reason      string       `json:"reason,omitempty"`
	Basis       domain.Basis `json:"basis,omitzero"`
	Policy      string       `json:"policy,omitempty"`
	Command     uuid.UUID    `json:"command"`
	Sentence    domain.Text  `json:"sentence" doc:"What happened"`
	Corrects    uuid.UUID    `json:"corrects,omitzero" doc:"The event that this one corrects"`
	CorrectedBy []uuid.UUID  `json:"corrected_by,omitempty" doc:"The events that correct this one; the last holds"`
}

func entryOf(t projections.TrailEntry) entry {
	m := t.Meta
	return entry{uint64(t.Position), t.Stream.Source(), m.ID, m.Revision, t.Type, t.Facet, m.Time, m.Actor,
		m.Because.Reason, m.Because.Basis, m.Policy, m.Command, t.Sentence, t.Corrects, t.CorrectedBy}
}

// Ordering says from which end a trail is read.
type Ordering struct {
	Order string `query:"order" enum:"newest,oldest" doc:"newest first unless said"`
}

type labHistory struct {
	Lab   uuid.UUID `path:"lab" doc:"The lab's id"`
	Facet []string  `query:"facet,explode" enum:"agreement,rights,funding,status,review,record" doc:"Any of these; give it once for each"`
	Ordering
	Paging
}

type entityHistory struct {
	Entity uuid.UUID `path:"entity" doc:"The legal entity's id"`
	Ordering
	Paging
}

type eventsQuery struct {
	Kind       string    `query:"kind" enum:"lab,entity,programme" doc:"What the events are about"`
	Lab        uuid.UUID `query:"lab"`
	Entity     uuid.UUID `query:"entity"`
	Programme  uuid.UUID `query:"programme"`
	Facet      []string  `query:"facet,explode" enum:"agreement,rights,funding,status,review,record,entity,programme"`
	Type       []string  `query:"type,explode" doc:"e.g. lab.agreement.signed.v1"`
	Actor      string    `query:"actor" maxLength:"200" doc:"The subject who acted"`
	Role       string    `query:"role" enum:"ministry,agency,authority,host,partner,director,expert,officer,auditor"`
	OnBehalfOf uuid.UUID `query:"on_behalf_of" doc:"The legal entity acted for"`
	Command    uuid.UUID `query:"command"`
	Event      uuid.UUID `query:"event"`
	From       time.Time `query:"from" doc:"Recorded at or after this instant"`
	To         time.Time `query:"to" doc:"Recorded before this instant"`
	After      uint64    `query:"after" maximum:"9007199254740991" doc:"Only later positions"`
	UpTo       uint64    `query:"up_to" maximum:"9007199254740991" doc:"Only positions up to this one"`
	Ordering
	Paging
}

type eventInput struct {
	Position uint64 `path:"position" minimum:"1" maximum:"9007199254740991" doc:"In the ledger, from 1"`
}

type rawEvent struct {
	ContentType string `header:"Content-Type"`
	ID          string `header:"Event-Id" doc:"The event's id"`
	Body        []byte
}

func (s *Server) registerTrail() {
	register(s, query("lab-history", "/v1/labs/{lab}/history", "labs", "一个实验室的完整历史：何时、何人、因何、依据何文件做了什么。", "Read a lab's history"), s.labHistory)
	register(s, query("entity-history", "/v1/entities/{entity}/history", "entities", "一个法人的完整历史。", "Read a legal entity's history"), s.entityHistory)
	register(s, query("list-events", "/v1/events", "events", "全部事件的审计线索，可筛选。", "Read the trail of all events"), s.listEvents)
	op := query("get-event", "/v1/events/{position}", "events", "按位置读取一个事件，与存储的字节完全一致。", "Read an event byte for byte")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The CloudEvents object as it is kept",
		Content:     map[string]*huma.MediaType{"application/cloudevents+json": {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}}},
	}}
	register(s, op, s.getEvent)
}

func (s *Server) trail(ctx context.Context, q projections.TrailQuery) (*list[entry], error) {
	p, err := s.model.Trail(ctx, q)
	return listed(ctx, p, err, entryOf)
}

func (s *Server) labHistory(ctx context.Context, in *labHistory) (*list[entry], error) {
	if _, _, _, err := s.model.Lab(ctx, in.Lab); err != nil {
		return nil, err
	}
	return s.trail(ctx, projections.TrailQuery{Paging: in.model(), Stream: eventstore.Stream{Kind: "lab", ID: in.Lab}, Facet: in.Facet, Desc: in.Order != "oldest"})
}

func (s *Server) entityHistory(ctx context.Context, in *entityHistory) (*list[entry], error) {
	if _, _, _, err := s.model.Entity(ctx, in.Entity); err != nil {
		return nil, err
	}
	return s.trail(ctx, projections.TrailQuery{Paging: in.model(), Stream: eventstore.Stream{Kind: "entity", ID: in.Entity}, Desc: in.Order != "oldest"})
}

func (s *Server) listEvents(ctx context.Context, in *eventsQuery) (*list[entry], error) {
	q := projections.TrailQuery{
		Paging: in.model(), Kind: in.Kind, Facet: in.Facet, Type: in.Type, Actor: in.Actor, Role: domain.Role(in.Role), OnBehalfOf: in.OnBehalfOf,
		Command: in.Command, Event: in.Event, From: in.From, To: in.To,
		After: eventstore.Position(in.After), UpTo: eventstore.Position(in.UpTo), Desc: in.Order != "oldest",
	}
	for kind, id := range map[string]uuid.UUID{"lab": in.Lab, "entity": in.Entity, "programme": in.Programme} {
		switch {
		case id == uuid.Nil:
		case q.Stream.Kind != "":
			return nil, badParameter("query", "lab、entity 与 programme 只能填写一个", "give one of lab, entity and programme")
		default:
			q.Stream = eventstore.Stream{Kind: kind, ID: id}
		}
	}
	return s.trail(ctx, q)
}

// getEvent reads from the ledger itself, not from what was made of it.
func (s *Server) getEvent(ctx context.Context, in *eventInput) (*rawEvent, error) {
	at := eventstore.Position(in.Position)
	head, err := s.ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	if at > head {
		return nil, newProblem("not-found", "账本目前只到位置 %d", "the ledger ends at position %d as yet", head)
	}
	out := &rawEvent{ContentType: "application/cloudevents+json"}
	err = s.ledger.Read(ctx, at-1, at, func(events []eventstore.Recorded) error {
		for _, e := range events {
			out.Body, out.ID = append([]byte(nil), e.Body...), e.ID.String()
		}
		return nil
	})
	if err == nil && out.Body == nil {
		err = fmt.Errorf("api: read event %d: the ledger gave nothing", at)
	}
	return out, err
}

// maxLag is how many events the read model may be behind and still be called
// ready: more than a busy second brings.
const maxLag = 1000

// readiness is the answer of /readyz while all is well.
type readiness struct {
	Ready    bool   `json:"ready"`
	Position uint64 `json:"position"`
	Head     uint64 `json:"head"`
}

// ready says whether commands can be written and queries are up to date, and
// if not, everything that stands in the way.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	var reasons []domain.FieldError
	add := func(path, zh, en string, args ...any) {
		reasons = append(reasons, domain.FieldError{Path: path, Message: domain.Textf(zh, en, args...)})
	}
	for _, problem := range s.cfg.Problems() {
		add("store", "存储不可写：%s", "the store may not be written to: %s", problem)
	}
	h := s.model.Health(ctx)
	switch {
	case h.Stopped != nil:
		add("model", "读模型已停止；请查看日志", "the read model has stopped; see the log")
	case h.HeadError != nil:
		add("ledger", "账本没有应答", "the ledger does not answer")
	case h.Head > h.Position+maxLag:
		add("model", "读模型落后 %d 个事件", "the read model is %d events behind", h.Head-h.Position)
	}
	if len(reasons) > 0 {
		p := newProblem("not-ready", "尚有 %d 项原因", "reasons: %d", len(reasons)).with("Retry-After", "5")
		p.Errors = reasons
		s.write(w, s.fail(r.Context(), p))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	jsonFormat.Marshal(w, readiness{true, uint64(h.Position), uint64(h.Head)})
}
