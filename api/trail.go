package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// entry is an event in a form for people.
type entry struct {
	Position    uint64               `json:"position" doc:"In the ledger, from 1; /v1/events/{position} gives the event byte for byte"`
	Source      string               `json:"source" doc:"e.g. /labs/<id>"`
	ID          uuid.UUID            `json:"id"`
	Revision    uint64               `json:"revision" doc:"In its own stream, from 0"`
	Type        string               `json:"type"`
	Facet       string               `json:"facet"`
	Time        time.Time            `json:"time" doc:"When the register recorded it"`
	Effective   domain.Date          `json:"effective,omitzero" doc:"The day it happened in the world, of a correction the day of what it restates; absent: it has no such day"`
	Actor       domain.Actor         `json:"actor"`
	Reason      string               `json:"reason,omitempty"`
	Basis       domain.Basis         `json:"basis,omitzero"`
	BasisHeld   *bool                `json:"basis_held,omitempty" doc:"Whether the register holds the document with the digest in basis; absent: there is none, or that could not be told"`
	Policy      string               `json:"policy,omitempty"`
	Command     uuid.UUID            `json:"command"`
	Correlation string               `json:"correlation,omitempty" doc:"The request it came with"`
	Sentence    domain.Text          `json:"sentence" doc:"What happened"`
	Account     domain.Text          `json:"account" doc:"The whole of it: who, as what, for whom, what changed from what to what, why, and on which document"`
	Changes     []projections.Change `json:"changes,omitzero" doc:"What it changed, before and after"`
	Corrects    uuid.UUID            `json:"corrects,omitzero" doc:"The event that this one corrects"`
	CorrectedBy []uuid.UUID          `json:"corrected_by,omitempty" doc:"The events that correct this one; the last holds"`
}

func entryOf(t projections.TrailEntry, names *entityNames) entry {
	m := t.Meta
	return entry{
		Position: uint64(t.Position), Source: t.Stream.Source(), ID: m.ID, Revision: m.Revision,
		Type: t.Type, Facet: t.Facet, Time: m.Time, Effective: t.Effective, Actor: m.Actor,
		Reason: m.Because.Reason, Basis: m.Because.Basis, Policy: m.Policy, Command: m.Command,
		Correlation: m.Correlation, Sentence: t.Sentence, Account: narrate(t, names),
		Changes: t.Changes, Corrects: t.Corrects, CorrectedBy: t.CorrectedBy,
	}
}

// TrailFilter selects events of a trail. An event must match all of its parts.
type TrailFilter struct {
	Type        []string    `query:"type,explode" doc:"e.g. lab.agreement.signed.v1; any of these, give it once for each"`
	Actor       string      `query:"actor" maxLength:"200" doc:"The subject who acted"`
	Role        string      `query:"role" enum:"roles" doc:"The capacity acted in"`
	OnBehalfOf  uuid.UUID   `query:"on_behalf_of" doc:"The legal entity acted for"`
	LegalEntity uuid.UUID   `query:"legal_entity" doc:"A legal entity the event is about, was recorded on behalf of, or names in any capacity"`
	Basis       string      `query:"basis" maxLength:"4000" doc:"The document it rests on, by its exact number (文号); or a document it rests on or names as evidence, as sha256:<64 hex digits>"`
	Policy      string      `query:"policy" maxLength:"200" doc:"The policy it was decided under, by its document number"`
	Command     uuid.UUID   `query:"command" doc:"The command it follows from"`
	Correlation string      `query:"correlation" maxLength:"200" doc:"The request it came with: the X-Request-Id"`
	Event       uuid.UUID   `query:"event" doc:"The event's id"`
	From        time.Time   `query:"from" doc:"Recorded at or after this instant"`
	To          time.Time   `query:"to" doc:"Recorded before this instant"`
	Since       domain.Date `query:"effective_from" doc:"Happened in the world on or after this day; events without such a day are left out"`
	Until       domain.Date `query:"effective_to" doc:"Happened in the world on or before this day"`
	After       uint64      `query:"after" maximum:"9007199254740991" doc:"Only later positions"`
	UpTo        uint64      `query:"up_to" maximum:"9007199254740991" doc:"Only positions up to this one"`
}

func (f TrailFilter) asked() projections.TrailQuery {
	return projections.TrailQuery{
		Type: f.Type, Actor: f.Actor, Role: domain.Role(f.Role), OnBehalfOf: f.OnBehalfOf, LegalEntity: f.LegalEntity,
		Basis: f.Basis, Policy: f.Policy, Command: f.Command, Correlation: f.Correlation, Event: f.Event,
		From:      f.From,
		To:        f.To,
		Effective: domain.Period{From: f.Since, To: f.Until},
		After:     eventstore.Position(f.After),
		UpTo:      eventstore.Position(f.UpTo),
	}
}

// The inputs of the trails, each served as pages and as files. They are exported since
// huma ignores unexported embedded inputs.
type (
	LabTrail struct {
		Lab   uuid.UUID `path:"lab" doc:"The lab's id"`
		Facet []string  `query:"facet,explode" enum:"agreement,rights,funding,status,review,record" doc:"Any of these; give it once for each"`
		TrailFilter
	}
	EntityTrail struct {
		Entity uuid.UUID `path:"entity" doc:"The legal entity's id"`
		TrailFilter
	}
	ProgrammeTrail struct {
		Programme uuid.UUID `path:"programme" doc:"The programme's id"`
		TrailFilter
	}
	WholeTrail struct {
		Kind      string    `query:"kind" enum:"lab,entity,programme,webhook,key,person" doc:"What the events are about"`
		Lab       uuid.UUID `query:"lab" doc:"Only this lab's"`
		Entity    uuid.UUID `query:"entity" doc:"Only those that are about this legal entity; see legal_entity"`
		Programme uuid.UUID `query:"programme" doc:"Only this programme's"`
		Webhook   uuid.UUID `query:"webhook" doc:"Only this webhook's"`
		Key       uuid.UUID `query:"key" doc:"Only this service key's"`
		Facet     []string  `query:"facet,explode" enum:"agreement,rights,funding,status,review,record,entity,programme,webhook,key,person" doc:"Any of these; give it once for each"`
		TrailFilter
	}
)

// trailInput is the input of a trail. It returns the query of its events.
type trailInput interface {
	query(context.Context, *Server) (projections.TrailQuery, error)
}

func (in LabTrail) query(ctx context.Context, s *Server) (projections.TrailQuery, error) {
	q := in.asked()
	q.Stream, q.Facet, q.Changes = eventstore.Stream{Kind: "lab", ID: in.Lab}, in.Facet, true
	_, _, _, err := s.model.Lab(ctx, in.Lab)
	return q, err
}

func (in EntityTrail) query(ctx context.Context, s *Server) (projections.TrailQuery, error) {
	q := in.asked()
	q.Stream, q.Changes = eventstore.Stream{Kind: "entity", ID: in.Entity}, true
	_, _, _, err := s.model.Entity(ctx, in.Entity)
	return q, err
}

func (in ProgrammeTrail) query(ctx context.Context, s *Server) (projections.TrailQuery, error) {
	q := in.asked()
	q.Stream, q.Changes = eventstore.Stream{Kind: "programme", ID: in.Programme}, true
	_, _, _, err := s.model.Programme(ctx, in.Programme)
	return q, err
}

func (in WholeTrail) query(context.Context, *Server) (projections.TrailQuery, error) {
	q := in.asked()
	q.Kind, q.Facet = in.Kind, in.Facet
	for kind, id := range map[string]uuid.UUID{"lab": in.Lab, "entity": in.Entity, "programme": in.Programme,
		"webhook": in.Webhook, "key": in.Key} {
		switch {
		case id == uuid.Nil:
		case q.Stream.Kind != "":
			return q, badParameter("query", "lab、entity、programme、webhook 与 key 只能填写一个", "give one of lab, entity, programme, webhook and key")
		default:
			q.Stream = eventstore.Stream{Kind: kind, ID: id}
		}
	}
	return q, nil
}

// ByPage selects a page of a trail.
type ByPage struct {
	Order string `query:"order" enum:"newest,oldest" doc:"newest first unless said"`
	Paging
}

func (p ByPage) page() ByPage { return p }

// The inputs of the same trails by the page.
type (
	labHistory struct {
		LabTrail
		ByPage
	}
	entityHistory struct {
		EntityTrail
		ByPage
	}
	programmeHistory struct {
		ProgrammeTrail
		ByPage
	}
	EventsByPage struct {
		WholeTrail
		Changes bool `query:"changes" doc:"Say what each event changed, before and after; a page then has at most 100 events"`
		ByPage
	}
)

// eventsQuery is the input of the trail of all events, by the page or as a stream.
type eventsQuery struct {
	EventsByPage
	Host  uuid.UUID `query:"host" doc:"Streams only: the lab's host university"`
	Party uuid.UUID `query:"party" doc:"Streams only: the lab's host, party to an agreement, or named as a partner"`
	Level string    `query:"level" enum:"ministry,province,university" doc:"Streams only: the lab's"`
	Streaming
}

// foldedStreams is the largest number of streams folded for one page.
const foldedStreams = 100

func (in EventsByPage) query(ctx context.Context, s *Server) (projections.TrailQuery, error) {
	q, err := in.WholeTrail.query(ctx, s)
	if q.Changes = in.Changes; q.Changes && in.Limit > foldedStreams {
		return q, badParameter("query.limit", "要求列出变更时，每页最多 %d 条", "with changes a page has at most %d events", foldedStreams)
	}
	return q, err
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
	trail[LabTrail, labHistory](s, query("lab-history", "/v1/labs/{lab}/history", "labs", "一个实验室的完整历史：何时、何人、因何、依据何文件做了什么。", "Read a lab's history"))
	trail[EntityTrail, entityHistory](s, query("entity-history", "/v1/entities/{entity}/history", "entities", "一个法人的完整历史。", "Read a legal entity's history"))
	trail[ProgrammeTrail, programmeHistory](s, query("programme-history", "/v1/programmes/{programme}/history", "programmes", "一个计划的完整历史。", "Read a programme's history"))
	op := query("list-events", "/v1/events", "events", "全部事件的审计线索，可筛选。", "Read the trail of all events")
	exports[WholeTrail](s, op)
	op = query("list-events", "/v1/events", "events", "全部事件的审计线索，可筛选；或以 SSE、NDJSON 推送。\n\n"+streamsZh, "Read the trail of all events, or stream them")
	op.Description += "\n\n" + streamsEn + "\n\n" + pageOnlyText
	op.Errors = []int{400, 401, 403, 416, 429, 500, 503}
	op.Responses = map[string]*huma.Response{"200": {Description: "A page of the trail as JSON, or a stream of events",
		Content: streamContent()}}
	op.Responses["200"].Content["application/json"] = &huma.MediaType{
		Schema: s.registry.Schema(reflect.TypeFor[Page[entry]](), true, ""),
	}
	register(s, op, s.listEvents)
	op = query("get-event", "/v1/events/{position}", "events", "按位置读取一个事件，与存储的字节完全一致。", "Read an event byte for byte")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The CloudEvents object as it is kept",
		Content: map[string]*huma.MediaType{"application/cloudevents+json": {Schema: &huma.Schema{Type: "object",
			AdditionalProperties: true}}},
	}}
	register(s, op, s.getEvent)
}

// trail registers a trail: Page is the input of a page of it, In that of a file.
func trail[In trailInput, Page pageInput](s *Server, op huma.Operation) {
	register(s, op, func(ctx context.Context, in *Page) (*list[entry], error) { return s.trailPage(ctx, *in) })
	exports[In](s, op)
}

type pageInput interface {
	trailInput
	page() ByPage
}

func (s *Server) trailPage(ctx context.Context, in pageInput) (*list[entry], error) {
	q, err := in.query(ctx, s)
	if err != nil {
		return nil, err
	}
	q.For = readerOf(ctx)
	by := in.page()
	q.Paging, q.Desc = by.model(), by.Order != "oldest"
	page, err := s.model.Trail(ctx, q)
	names := s.entityNames(ctx)
	l, err := listed(ctx, page, err, func(t projections.TrailEntry) entry { return entryOf(t, names) })
	if err == nil {
		s.markHeld(ctx, l.Body.Items)
	}
	return l, err
}

// listEvents returns a page, or a stream where the client accepts one.
func (s *Server) listEvents(ctx context.Context, in *eventsQuery) (*streamed, error) {
	format := negotiateFormat(in.accept)
	if err := rejectMisplacedParams(ctx, format != nil); err != nil {
		return nil, err
	}
	if format == nil {
		page, err := s.trailPage(ctx, in.EventsByPage)
		if err != nil {
			return nil, err
		}
		return &streamed{page.Link, func(ctx huma.Context) {
			ctx.SetHeader("Content-Type", "application/json")
			jsonFormat.Marshal(ctx.BodyWriter(), page.Body)
		}}, nil
	}
	q, err := in.WholeTrail.query(ctx, s)
	if err != nil {
		return nil, err
	}
	f := eventstore.Filter{
		Kind: q.Kind, Facet: q.Facet, Type: q.Type, Actor: q.Actor, Role: q.Role, OnBehalfOf: q.OnBehalfOf,
		Host: in.Host, Party: in.Party, Level: lab.Level(in.Level),
	}
	if q.Stream.Kind != "" {
		f.Streams = []eventstore.Stream{q.Stream}
	}
	return s.stream(ctx, format, in.Streaming, in.After, f)
}

// markHeld marks each entry whose basis is stored, and looks up each document once. It
// leaves entries unmarked whose document the caller may not read, and all of them if
// the document store does not answer.
func (s *Server) markHeld(ctx context.Context, entries []entry) {
	held := map[string]*bool{}
	for i, e := range entries {
		digest, err := eventstore.ParseDigest(e.Basis.Digest)
		if err != nil || s.cfg.Documents == nil {
			continue
		}
		is, asked := held[e.Basis.Digest]
		if !asked {
			if may, err := s.model.MayRead(ctx, readerOf(ctx), digest); err == nil && may {
				_, err := s.cfg.Documents.Stat(ctx, digest)
				if yes := err == nil; yes || errors.Is(err, eventstore.ErrDocumentMissing) {
					is = &yes
				}
			}
			held[e.Basis.Digest] = is
		}
		entries[i].BasisHeld = is
	}
}

// getEvent returns an event from the ledger rather than from the read model.
func (s *Server) getEvent(ctx context.Context, in *eventInput) (*rawEvent, error) {
	at := eventstore.Position(in.Position)
	head, err := s.ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	nothing := newProblem("not-found", "位置 %d 没有您可以读取的事件", "there is no event at position %d that you may read", at)
	if at > head {
		return nil, nothing
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
	if err != nil {
		return nil, err
	}
	outline, err := eventstore.ParseHeader(out.Body)
	if err != nil {
		return nil, err
	}
	patient, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if sees, err := s.model.CanRead(patient, readerOf(ctx), outline, at); err != nil || !sees {
		return nil, errors.Join(err, nothing)
	}
	return out, nil
}
