package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// The texts that replace a person's data in an answer. They are in both languages,
// since an answer is, too.
const (
	withheld   = "〔不公开 withheld〕"
	erased     = "〔已删除 erased〕"
	unreadable = "〔暂不可读 unreadable now〕"
)

// unsealer opens personal data for one request, and records the persons it read.
// Events and states stay sealed from the store to the answer, and seals are opened
// last, so that names appear in one place only. The request's goroutine owns it.
type unsealer struct {
	s      *Server
	ctx    context.Context
	claims Claims
	lab    uuid.UUID // of the request; nil: no lab in particular

	decided, may bool
	read         []uuid.UUID
}

// allowed reports whether names are shown: all of them to those who keep, review or
// audit the register, those of its own labs to a host and to a party that an agreement
// binds.
func (r *unsealer) allowed() bool {
	if !r.decided {
		r.decided = true
		r.may = r.any()
		if c := r.claims; r.lab != uuid.Nil && (c.Role == domain.Host || c.Role == domain.Partner ||
			c.Role == domain.Director) {
			err := r.s.labs.State(r.ctx, r.lab, func(l *lab.Lab, _ eventstore.Version) {
				r.may = actsFor(l, c) && (c.Entity == l.Host.ID || l.Binds(c.Entity))
			})
			r.may = r.may && err == nil
		}
	}
	return r.may
}

// any reports whether the data of any person are shown.
func (r *unsealer) any() bool {
	return slices.Contains([]domain.Role{domain.Ministry, domain.Agency, domain.Officer, domain.Auditor}, r.claims.Role)
}

// open returns text with each seal replaced by the person's data, or by the reason
// why it is not shown, encoded by write.
func (r *unsealer) open(text []byte, write func(string) []byte) []byte {
	if !eventstore.HoldsSeal(text) {
		return text
	}
	return eventstore.OpenSeals(text, func(ref uuid.UUID, open func(eventstore.PersonKey) (string, error)) []byte {
		return write(r.plain(ref, open))
	})
}

func (r *unsealer) plain(ref uuid.UUID, open func(eventstore.PersonKey) (string, error)) string {
	if r == nil || !r.allowed() {
		return withheld
	}
	key, found, err := r.s.cfg.Persons.Key(r.ctx, ref)
	if err == nil && !found {
		if p, err := r.s.model.Person(r.ctx, ref); err == nil && p.Erased != nil {
			return erased
		}
		return unreadable
	}
	text := ""
	if err == nil {
		text, err = open(key)
	}
	if err != nil {
		r.s.log.Warn("personal data cannot be read", "request_id", requestIDOf(r.ctx), "person", ref, "error", err)
		return unreadable
	}
	if !slices.Contains(r.read, ref) {
		r.read = append(r.read, ref)
	}
	return text
}

// inJSON returns a JSON text with its seals opened.
func (r *unsealer) inJSON(text []byte) []byte {
	return r.open(text, func(plain string) []byte {
		quoted, err := jsontext.AppendQuote(nil, plain)
		if err != nil {
			return []byte(unreadable)
		}
		return quoted[1 : len(quoted)-1]
	})
}

// inCells opens the seals in a table's row and returns it.
func (r *unsealer) inCells(row []any) []any {
	for i, c := range row {
		if text, ok := c.(string); ok {
			row[i] = string(r.open([]byte(text), func(plain string) []byte { return []byte(plain) }))
		}
	}
	return row
}

type unsealerKey struct{}

// unsealerOf returns the unsealer of a request, or nil if it has none.
func unsealerOf(ctx context.Context) *unsealer {
	r, _ := ctx.Value(unsealerKey{}).(*unsealer)
	return r
}

// log logs whose data was shown to whom, for accountability.
func (r *unsealer) log(route string) {
	if r != nil && len(r.read) > 0 {
		r.s.log.Info("personal data read", "request_id", requestIDOf(r.ctx), "subject", r.claims.Subject, "role",
			r.claims.Role,
			"on_behalf_of", unlessNil(r.claims.Entity), "route", route, "persons", r.read)
	}
}

// seal returns cmd with each person it names sealed with the person's key, and
// reports whether there were any.
func (s *Server) seal(ctx context.Context, cmd any, command uuid.UUID, prefix string) (any, bool, error) {
	return eventstore.SealPersons(cmd, func(path string, p domain.Person) (ref uuid.UUID, key eventstore.PersonKey,
		err error) {
		at := joinPath(prefix, path)
		id := strings.TrimSpace(string(p.ID))
		switch {
		case s.cfg.Persons == nil:
			return ref, key, eventstore.ErrUnavailable
		case p.Ref == uuid.Nil && id != "":
			return s.cfg.Persons.Named(ctx, "id "+id)
		case p.Ref == uuid.Nil: // the same command and path always name the same person
			return s.cfg.Persons.Named(ctx, "command "+command.String()+" "+path)
		case id != "":
			return ref, key, invalid(domain.FieldError{Path: at + ".ref", Message: domain.T("ref 与 id 只能填写一个", "give ref or id, not both")})
		}
		key, found, err := s.cfg.Persons.Key(ctx, p.Ref)
		if err == nil && !found {
			err = invalid(domain.FieldError{Path: at + ".ref", Message: domain.T("没有此编号的人员，或其个人信息已删除", "there is nobody of that number, or the person was erased")})
		}
		return p.Ref, key, err
	})
}

// sealedBody returns a sealed command as JSON. Its digest is made of this, since names
// could be guessed from a digest of names.
func sealedBody(cmd any) (jsontext.Value, error) {
	return json.Marshal(cmd, json.Deterministic(true))
}

// personView lists the events that name a person.
type personView struct {
	ID      uuid.UUID       `json:"id" doc:"The register's own number for the person, the ref in events"`
	Erased  *personErasure  `json:"erased,omitempty" doc:"Absent: the person's data can be read"`
	Entries int             `json:"entries" doc:"How many events name the person"`
	First   []personMention `json:"first" doc:"The first of them"`
}

type personErasure struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Event  uuid.UUID `json:"event"`
}

type personMention struct {
	Position uint64      `json:"position" doc:"In the ledger"`
	Source   string      `json:"source" doc:"What the event is about, e.g. /labs/…"`
	Type     string      `json:"type"`
	Time     time.Time   `json:"time" doc:"Recorded"`
	Sentence domain.Text `json:"sentence"`
}

type personInput struct {
	Person uuid.UUID `path:"person" doc:"The person's number, the ref in events"`
}

// personSought is the search for a person. It is sent in a body, since addresses are
// logged on the way.
type personSought struct {
	ID string `json:"id" doc:"The id the person was named with, e.g. an ORCID iD" minLength:"1" maxLength:"200"`
}

type personSoughtInput struct {
	RawBody []byte `contentType:"application/json"`
}

func (s *Server) registerPersons() {
	op := query("get-person", "/v1/persons/{person}", "persons", "读取一人的编号在哪些事件中出现，以及其个人信息是否已删除。", "Read where a person is named, and whether the person was erased")
	register(s, op, func(ctx context.Context, in *personInput) (*struct{ Body personView }, error) {
		return s.person(ctx, in.Person)
	})
	find := s.withBody(huma.Operation{
		OperationID:   "find-person",
		Method:        http.MethodPost,
		Path:          "/v1/persons/find",
		Tags:          []string{"persons"},
		DefaultStatus: http.StatusOK,
		Summary:       "Find a person by an id",
		Description:   "以登记时填写的 id（如 ORCID）查找一人的编号；不作任何登记。\n\nNothing is recorded. The id is sent in the body, so that it stands in no log of addresses.",
	}, s.registry.Schema(reflect.TypeFor[personSought](), true, ""))
	find.Errors = []int{400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503}
	register(s, find, s.findPerson)
}

func (s *Server) findPerson(ctx context.Context, in *personSoughtInput) (*struct{ Body personView }, error) {
	value, problem := parse(in.RawBody)
	if problem != nil {
		return nil, problem
	}
	schema := s.registry.Schema(reflect.TypeFor[personSought](), true, "")
	if fields := check(s.registry, schema, "", value); len(fields) > 0 {
		return nil, invalid(fields...)
	}
	var sought personSought
	if err := jsonFormat.Unmarshal(in.RawBody, &sought); err != nil {
		return nil, err
	}
	if s.cfg.Persons == nil {
		return nil, projections.ErrNotFound
	}
	ref, found, err := s.cfg.Persons.Find(ctx, "id "+strings.TrimSpace(sought.ID))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, newProblem("not-found", "没有以此 id 登记的人员，或其个人信息已删除", "nobody was named with this id, or the person was erased")
	}
	return s.person(ctx, ref)
}

func (s *Server) person(ctx context.Context, ref uuid.UUID) (*struct{ Body personView }, error) {
	p, err := s.knownPerson(ctx, ref)
	if err != nil {
		return nil, err
	}
	page, err := s.model.Trail(ctx, projections.TrailQuery{For: readerOf(ctx), LegalEntity: ref,
		Paging: projections.Paging{Limit: 50}})
	if err != nil {
		return nil, err
	}
	v := personView{ID: ref, Entries: page.Total}
	if e := p.Erased; e != nil {
		v.Erased = &personErasure{e.Time, e.Actor.Subject, e.Because.Reason, e.ID}
	}
	for _, t := range page.Items {
		v.First = append(v.First, personMention{
			Position: uint64(t.Position), Source: t.Stream.Source(), Type: t.Type,
			Time: t.Meta.Time, Sentence: t.Sentence,
		})
	}
	return &struct{ Body personView }{v}, nil
}

// knownPerson returns the person with a number that the register has issued.
func (s *Server) knownPerson(ctx context.Context, ref uuid.UUID) (known *person.Person, err error) {
	if err := s.persons.State(ctx, ref, func(p *person.Person,
		_ eventstore.Version) {
		known = &person.Person{ID: ref, Erased: p.Erased}
	}); err != nil {
		return nil, err
	}
	if known.Erased != nil {
		return known, nil
	}
	found := false
	if s.cfg.Persons != nil {
		if _, found, err = s.cfg.Persons.Key(ctx, ref); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, newProblem("not-found", "没有此编号的人员", "there is nobody of that number")
	}
	return known, nil
}
