package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// maxBody is the largest accepted body, in bytes.
const maxBody = 1 << 20

// Request is the input of every command beside its path.
type Request struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the state you decided on; the command is refused with 412 if that state has changed" example:"\"7\""`
	Key     string `header:"Idempotency-Key" doc:"Makes it safe to send this request again: one key, one command. At most 200 printable ASCII characters"`
	Prefer  string `header:"Prefer" doc:"respond-async: answer before the read model holds the change"`
	RawBody []byte `contentType:"application/json"`
}

// aggregateRequest is a command on an aggregate whose id is the path parameter named
// after its kind.
type aggregateRequest struct {
	Request
	id uuid.UUID
}

// Resolve reads the id, which withID documents.
func (r *aggregateRequest) Resolve(ctx huma.Context) (errs []error) {
	kind := ctx.Operation().Metadata["kind"].(string)
	if err := r.id.UnmarshalText([]byte(ctx.Param(kind))); err != nil {
		errs = append(errs, &huma.ErrorDetail{Location: "path." + kind, Message: err.Error()})
	}
	return errs
}

// withID returns op with the id of an aggregate as a path parameter.
func (s *Server) withID(op huma.Operation, kind string) huma.Operation {
	schema := s.registry.Schema(reflect.TypeFor[uuid.UUID](), true, "")
	op.Metadata = map[string]any{"kind": kind}
	op.Parameters = append(op.Parameters, &huma.Param{Name: kind, In: "path", Required: true, Schema: schema,
		Description: "Its id"})
	return op
}

// answer is the response to a command.
type answer struct {
	Status     int
	ETag       string `header:"ETag" doc:"The revision reached, for If-Match"`
	Location   string `header:"Location" doc:"Where what was created is found"`
	Preference string `header:"Preference-Applied" doc:"respond-async, where it was asked for"`
	ReadModel  string `header:"Read-Model" doc:"behind: the change is recorded for good, but queries do not show it yet"`
	Body       Answer
}

// Answer is the body that answers a command.
type Answer struct {
	ID          uuid.UUID         `json:"id" doc:"The lab, legal entity, programme, webhook or key"`
	Revision    uint64            `json:"revision" doc:"Of the last event recorded"`
	Events      []AnswerEvent     `json:"events" doc:"What was recorded, in order"`
	Replayed    bool              `json:"replayed" doc:"The command had been carried out before; this is its first outcome"`
	Unsupported []lab.Unsupported `json:"unsupported,omitempty" doc:"Steps taken before that no longer meet their rules, as the command acknowledged"`
	Secret      string            `json:"secret,omitempty" doc:"A service key that was issued, jlk_…. Of a webhook that was registered, or whose secret was rotated: what its deliveries are verified with, whsec_ and base64. It is shown here only"`
	Notice      domain.Text       `json:"notice,omitzero" doc:"Where a secret is not shown again: what to do without it"`
}

// AnswerEvent is one event that a command recorded.
type AnswerEvent struct {
	ID       uuid.UUID   `json:"id"`
	Revision uint64      `json:"revision"`
	Type     string      `json:"type" doc:"e.g. lab.agreement.signed.v1"`
	Sentence domain.Text `json:"sentence" doc:"What happened"`
}

// registerCommands registers the operations of every row of the table.
func (s *Server) registerCommands() {
	for _, c := range commands {
		if c.Creates {
			register(s, s.commandOperation(c, "/v1/"+eventstore.Plural(c.Aggregate)),
				func(ctx context.Context, in *Request) (*answer, error) {
					return s.command(ctx, c, uuid.Nil, in)
				})
		}
		register(s, s.withID(s.commandOperation(c, c.Path()), c.Aggregate),
			func(ctx context.Context, in *aggregateRequest) (*answer, error) {
				return s.command(ctx, c, in.id, &in.Request)
			})
	}
	for _, kind := range eventstore.Kinds() {
		if s.aggregates[kind].correct == nil {
			continue
		}
		register(s, s.withID(s.correctOperation(kind), kind),
			func(ctx context.Context, in *aggregateRequest) (*answer, error) {
				return s.correct(ctx, kind, in.id, &in.Request)
			})
		register(s, s.withID(s.voidOperation(kind), kind),
			func(ctx context.Context, in *aggregateRequest) (*answer, error) {
				return s.void(ctx, kind, in.id, &in.Request)
			})
	}
}

func (s *Server) commandOperation(c Command, path string) huma.Operation {
	op := huma.Operation{
		OperationID: c.ID(), Method: http.MethodPost, Path: path, Summary: c.Summary.En,
		Description: c.Summary.Zh + "。", Tags: []string{eventstore.Plural(c.Aggregate)}, DefaultStatus: http.StatusOK,
	}
	if c.Creates {
		op.DefaultStatus = http.StatusCreated
		if !strings.Contains(path, "{") {
			op.OperationID += "-new" // the server makes the id
		}
	}
	return s.withBody(op, s.registry.Schema(c.input, true, ""))
}

func (s *Server) correctOperation(aggregate string) huma.Operation {
	return s.withBody(huma.Operation{
		OperationID: aggregate + "-correct", Method: http.MethodPost, Summary: "Correct a clerical mistake",
		Path:          Command{Aggregate: aggregate, Name: "correct"}.Path(),
		Tags:          []string{eventstore.Plural(aggregate)},
		DefaultStatus: http.StatusOK,
		Description: "更正笔误：event 是有误的事件，command 与 input 是当时应当提交的命令。原记录永久保留。须说明理由。\n\n" +
			"The command as it should have been is decided, with every rule, on the state just before the wrong " +
			"event, which stays in the history for ever.\n\n" +
			"须为该命令的角色或 officer / Only the roles of that command, and officer.",
	}, s.correctionSchema)
}

func (s *Server) voidOperation(aggregate string) huma.Operation {
	return s.withBody(huma.Operation{
		OperationID:   aggregate + "-void",
		Method:        http.MethodPost,
		Summary:       "Void an entry that should never have been recorded",
		Path:          Command{Aggregate: aggregate, Name: "void"}.Path(),
		Tags:          []string{eventstore.Plural(aggregate)},
		DefaultStatus: http.StatusOK,
		Description: "作废不应登记的内容：event 是该事件。原记录永久保留，但不再计入任何状态。须说明理由。此后以它为依据的登记须先作废。\n\n" +
			"The event stays in the history for ever and counts nowhere. Later entries that rest on it are " +
			"voided first; the refusal names them.\n\n" +
			"须为登记者所代表的法人或 officer / Only those it was recorded for, and officer.",
	}, s.voidSchema)
}

// withBody returns op with a documented body, which this package reads, not huma.
func (s *Server) withBody(op huma.Operation, schema *huma.Schema) huma.Operation {
	op.MaxBodyBytes, op.SkipValidateBody = maxBody+1, true
	op.RequestBody = &huma.RequestBody{Required: true,
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	op.Errors = []int{400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 503}
	return op
}

func join(roles []domain.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// read checks a command's body against its schema and returns the command. prefix is
// the path of the command in the body.
func (s *Server) read(c Command, prefix string, value any, raw []byte) (any, error) {
	if fields := check(s.registry, s.registry.Schema(c.input, true, ""), prefix, value); len(fields) > 0 {
		return nil, invalid(fields...)
	}
	cmd, err := c.decode(raw)
	if err != nil {
		if field, ok := decodeFieldError(err, prefix); ok {
			return nil, invalid(field)
		}
		return nil, err
	}
	return cmd, nil
}

// command handles a command on the aggregate id, or on a new one if id is the nil
// UUID, and returns the answer.
func (s *Server) command(ctx context.Context, c Command, id uuid.UUID, in *Request) (*answer, error) {
	value, problem := parse(in.RawBody)
	if problem != nil {
		return nil, problem
	}
	cmd, err := s.read(c, "", value, in.RawBody)
	if err != nil {
		return nil, err
	}
	path := strings.Replace(c.Path(), "{"+c.Aggregate+"}", id.String(), 1)
	if id == uuid.Nil {
		path = "/v1/" + eventstore.Plural(c.Aggregate)
		if newID := s.aggregates[c.Aggregate].newID; newID != nil {
			id = newID(cmd)
		}
	}
	p, err := s.prepare(ctx, intent{operation: c.ID(), kind: c.Aggregate, id: id, cmd: cmd}, path, "", in)
	if err != nil {
		return nil, err
	}
	o, shown, err := s.aggregates[c.Aggregate].do(ctx, p)
	if err != nil {
		return nil, err
	}
	a := s.answer(ctx, o, in.Prefer)
	a.Body.Secret, a.Body.Notice = shown.secret, shown.notice
	if a.Status = http.StatusOK; c.Creates {
		a.Status, a.Location = http.StatusCreated, o.Stream.Source()
		a.Location = "/v1" + a.Location
	}
	return a, nil
}

// correction is the body of correct.
type correction struct {
	domain.Grounds
	Event   uuid.UUID      `json:"event" doc:"The event that is wrong"`
	Command string         `json:"command" doc:"The command that led to it, e.g. sign-agreement" maxLength:"60"`
	Input   jsontext.Value `json:"input" doc:"That command's body as it should have been"`
}

func (s *Server) correct(ctx context.Context, aggregate string, id uuid.UUID, in *Request) (*answer, error) {
	value, problem := parse(in.RawBody)
	if problem != nil {
		return nil, problem
	}
	if fields := check(s.registry, s.correctionSchema, "", value); len(fields) > 0 {
		return nil, invalid(fields...)
	}
	var body correction
	if err := jsonFormat.Unmarshal(in.RawBody, &body); err != nil {
		if field, ok := decodeFieldError(err, ""); ok {
			return nil, invalid(field)
		}
		return nil, err
	}
	c, ok := findCommand(aggregate, body.Command)
	if !ok {
		return nil, invalid(domain.FieldError{Path: "command", Message: domain.T("没有这个命令；请填写当初的命令名称，如 sign-agreement", "there is no such command; name the one that led to the event, such as sign-agreement")})
	}
	claims, _ := claimsOf(ctx)
	if claims.Role != domain.Officer && !slices.Contains(c.Roles, claims.Role) {
		return nil, forbidden(claims.Role, append(slices.Clone(c.Roles), domain.Officer))
	}
	if strings.TrimSpace(body.Reason) == "" {
		return nil, invalid(domain.FieldError{Path: "reason", Message: domain.T("请说明更正的理由", "say why the entry is corrected")})
	}
	cmd, err := s.read(c, "input", value.(map[string]any)["input"], body.Input)
	if err != nil {
		return nil, err
	}
	path := "/v1/" + eventstore.Plural(aggregate) + "/" + id.String() + "/correct"
	p, err := s.prepare(ctx, intent{operation: aggregate + "-correct", kind: aggregate, id: id, cmd: cmd}, path,
		"input", in)
	if err != nil {
		return nil, err
	}
	p.request.MayRewrite = authorizeRewrite(claims, aggregate, body.Grounds)
	o, err := s.aggregates[aggregate].correct(ctx, p, body.Event, body.Grounds)
	if err != nil {
		return nil, err
	}
	a := s.answer(ctx, o, in.Prefer)
	a.Status = http.StatusOK
	return a, nil
}

// voiding is the body of void.
type voiding struct {
	domain.Grounds
	Event uuid.UUID `json:"event" doc:"The event that should never have been recorded"`
}

func (s *Server) void(ctx context.Context, aggregate string, id uuid.UUID, in *Request) (*answer, error) {
	value, problem := parse(in.RawBody)
	if problem != nil {
		return nil, problem
	}
	if fields := check(s.registry, s.voidSchema, "", value); len(fields) > 0 {
		return nil, invalid(fields...)
	}
	var body voiding
	if err := jsonFormat.Unmarshal(in.RawBody, &body); err != nil {
		if field, ok := decodeFieldError(err, ""); ok {
			return nil, invalid(field)
		}
		return nil, err
	}
	path := "/v1/" + eventstore.Plural(aggregate) + "/" + id.String() + "/void"
	p, err := s.prepare(ctx, intent{operation: aggregate + "-void", kind: aggregate, id: id, cmd: body}, path, "", in)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Reason) == "" {
		return nil, invalid(domain.FieldError{Path: "reason", Message: domain.T("请说明作废的理由", "say why the entry is void")})
	}
	p.request.MayRewrite = authorizeRewrite(p.claims, aggregate, body.Grounds)
	o, err := s.aggregates[aggregate].void(ctx, p, body.Event, body.Grounds)
	if err != nil {
		return nil, err
	}
	a := s.answer(ctx, o, in.Prefer)
	a.Status = http.StatusOK
	return a, nil
}

// commandIDs is the namespace of command ids made from idempotency keys.
var commandIDs = uuid.MustParse("6f1c3a0e-52a4-5d0b-9a53-0d2b8f1f7c11")

var printable = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)

// intent is a command on its way to its aggregate. One goroutine owns it.
type intent struct {
	operation string // its id in the table of access
	kind      string // of the aggregate
	id        uuid.UUID
	cmd       any
	claims    Claims
	request   eventstore.Request
	retryable bool   // it came with an idempotency key
	programme string // of the lab, as authorize read it
}

// prepare returns a command's envelope in three steps, whose order matters:
// authorize comes first, so that a caller without the relation gets no information
// on other records and draws no person keys. bringFacts comes next, and refuses
// what is refused without them. seal comes last: it makes the person keys, and
// the digest that depends on them. prefix is the path of the command in the body.
func (s *Server) prepare(ctx context.Context, p intent, path, prefix string, in *Request) (*intent, error) {
	p.claims, _ = claimsOf(ctx)
	p.request = eventstore.Request{Actor: p.claims.actor(), Now: s.now(), Correlation: requestIDOf(ctx)}
	var err error
	if p.request.Expect, err = expected(in.IfMatch); err != nil {
		return nil, err
	}
	if err := p.identify(in.Key); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, &p); err != nil {
		return nil, err
	}
	if err := s.bringFacts(ctx, &p); err != nil {
		return nil, err
	}
	return &p, s.sealIntent(ctx, &p, path, prefix, in.RawBody)
}

// identify gives the command its id, and the aggregate one if it has none. With
// an idempotency key both are the same for every retry.
func (p *intent) identify(key string) error {
	if key == "" {
		if p.id == uuid.Nil {
			p.id = uuid.Must(uuid.NewV7())
		}
		p.request.Command = uuid.Must(uuid.NewV7())
		return nil
	}
	if len(key) > 200 || !printable.MatchString(key) {
		return badParameter("header.Idempotency-Key", "请使用 1 至 200 个可打印的 ASCII 字符，如一个 UUID", "give 1 to 200 printable ASCII characters, such as a UUID")
	}
	given := uuid.NewSHA1(commandIDs, []byte(p.claims.Subject+"\n"+key))
	if p.id == uuid.Nil {
		p.id = uuid.NewSHA1(given, []byte("id"))
	}
	// Event ids are made from the command's, so a key used on two
	// aggregates must give two ids.
	p.request.Command = uuid.NewSHA1(given, []byte(p.kind+p.id.String()))
	p.retryable = true
	return nil
}

// authorize refuses a command on a record to which the caller does not have the
// relation of the table of access. The answer does not reveal whether the record
// exists.
func (s *Server) authorize(ctx context.Context, p *intent) error {
	relation := relationOf(p.claims.Role, p.kind, p.operation)
	if authorize := s.aggregates[p.kind].authorize; authorize != nil {
		return authorize(ctx, p, relation)
	}
	if relation != Any && p.id != p.claims.Entity {
		return forbiddenRelation(p.claims.Role, relation)
	}
	return nil
}

// bringFacts adds the facts of the records that the command names.
func (s *Server) bringFacts(ctx context.Context, p *intent) (err error) {
	if bring := s.aggregates[p.kind].bringFacts; bring != nil {
		if err := bring(ctx, p); err != nil {
			return err
		}
	}
	if u, ok := p.cmd.(domain.LabUser); ok {
		if p.request.Labs, err = s.labNames(ctx, u.UsesLabs()); err != nil {
			return err
		}
	}
	if u, ok := p.cmd.(domain.EntityUser); ok {
		p.request.Entities, err = s.facts(ctx, u.UsesEntities())
	}
	return err
}

// sealIntent seals the persons that the command names, and takes the digest by
// which a reused idempotency key is noticed.
func (s *Server) sealIntent(ctx context.Context, p *intent, path, prefix string, raw []byte) error {
	body := jsontext.Value(slices.Clone(raw))
	cmd, named, err := s.seal(ctx, p.cmd, p.request.Command, prefix)
	if err == nil && named {
		body, err = sealedBody(cmd)
	}
	if err != nil {
		return err
	}
	p.cmd = cmd
	if !p.retryable {
		return nil
	}
	if err := body.Canonicalize(); err != nil {
		return fmt.Errorf("api: canonicalize: %w", err)
	}
	sum := sha256.Sum256([]byte(http.MethodPost + " " + path + "\n" + string(body)))
	p.request.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return nil
}

// programmeNamed returns the facts of a programme, empty if it is not on record.
func (s *Server) programmeNamed(ctx context.Context, name string) (facts domain.Programme, err error) {
	name = cmp.Or(name, lab.DefaultProgramme)
	err = s.programmes.State(ctx, domain.ProgrammeID(name),
		func(p *programme.Programme, _ eventstore.Version) { facts = p.Facts() })
	return facts, err
}

// labNames returns the names of labs by id.
func (s *Server) labNames(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]domain.Text, error) {
	names := make(map[uuid.UUID]domain.Text, len(ids))
	for _, id := range ids {
		if err := s.labs.State(ctx, id, func(l *lab.Lab, _ eventstore.Version) {
			if l.Status != "" {
				names[id] = l.Name()
			}
		}); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// expected returns the number of events that the sender saw, from If-Match: the ETag
// is the revision of the last of them. It returns nil for "*" and for no header.
func expected(header string) (*uint64, error) {
	if header == "" || header == "*" {
		return nil, nil
	}
	quoted, ok := strings.CutPrefix(header, `"`)
	quoted, ok2 := strings.CutSuffix(quoted, `"`)
	n, err := strconv.ParseUint(quoted, 10, 63)
	if !ok || !ok2 || err != nil || strconv.FormatUint(n, 10) != quoted {
		return nil, badParameter("header.If-Match", `请原样填写读取时得到的 ETag，如 "7"，或填写 *`, `give the ETag exactly as you read it, such as "7", or *`)
	}
	n++
	return &n, nil
}

// facts returns references to legal entities by id.
func (s *Server) facts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]domain.EntityRef, error) {
	facts := make(map[uuid.UUID]domain.EntityRef, len(ids))
	for _, id := range ids {
		if _, ok := facts[id]; ok || id == uuid.Nil {
			continue
		}
		err := s.entities.State(ctx, id, func(e *entity.Entity, _ eventstore.Version) {
			if e.Kind != "" {
				facts[id] = e.Ref()
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// answer returns the answer to a command, once the read model has its events. A model
// that is late does not change the outcome, so the answer only reports it.
func (s *Server) answer(ctx context.Context, o eventstore.Outcome, prefer string) *answer {
	a := &answer{Body: Answer{ID: o.Stream.ID, Replayed: o.Replay}}
	logAttrs(ctx, "stream", o.Stream, "events", len(o.Events), "replayed", o.Replay)
	for _, h := range o.Events {
		a.Body.Events = append(a.Body.Events, AnswerEvent{h.Meta.ID, h.Meta.Revision, eventstore.Name(h.Event),
			h.Event.Sentence()})
		a.Body.Revision = h.Meta.Revision
		if q, ok := h.Event.(lab.DecisionQuestioned); ok {
			a.Body.Unsupported = append(a.Body.Unsupported, q.Unsupported)
		}
	}
	a.ETag = etag(a.Body.Revision + 1)
	if slices.ContainsFunc(strings.FieldsFunc(prefer, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }),
		func(p string) bool {
			return strings.EqualFold(p, "respond-async")
		}) {
		a.Preference = "respond-async"
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if err := s.model.Wait(ctx, o.Stream, a.Body.Revision+1); err != nil {
		a.ReadModel = "behind"
	}
	return a
}

// etag returns the ETag of a record with that number of events.
func etag(events uint64) string { return fmt.Sprintf(`"%d"`, events-1) }
