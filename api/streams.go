package api

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// Streaming is the input of a stream of events.
type Streaming struct {
	Follow    bool   `query:"follow" default:"true" doc:"false: end the stream after the events there are now"`
	LastEvent string `header:"Last-Event-ID" doc:"The last position received, which EventSource sends by itself when it reconnects; it counts before after"`

	accept string
}

// Resolve records the format that the client accepts, on which the answer depends.
func (s *Streaming) Resolve(ctx huma.Context) []error {
	s.accept = ctx.Header("Accept")
	return nil
}

type statusEventsInput struct {
	Lab       []uuid.UUID `query:"lab,explode" doc:"Any of these labs; give it once for each"`
	From      []string    `query:"from,explode" enum:"statuses" doc:"The status left; any of these"`
	To        []string    `query:"to,explode" enum:"statuses" doc:"The status reached; any of these"`
	Host      uuid.UUID   `query:"host" doc:"The host university"`
	Party     uuid.UUID   `query:"party" doc:"Host, party to an agreement, or named as a partner"`
	Level     string      `query:"level" enum:"ministry,province,university"`
	Programme string      `query:"programme" maxLength:"200" doc:"The programme's name, as in /v1/labs"`
	After     uint64      `query:"after" maximum:"9007199254740991" doc:"Only later positions; without it, from the first event"`
	Streaming
}

// streamed is the answer with a stream, or with a page.
type streamed struct {
	Link string `header:"Link" doc:"Of a page: the next one, as rel=next"`
	Body func(huma.Context)
}

func (s *Server) registerStreams() {
	op := query("stream-status-events", "/v1/status-events", "events", "按账本顺序推送状态事件（及对它们的更正）：先补发，再实时推送；按位置续传。\n\n"+streamsZh, "Stream status events, and corrections of them")
	op.Description += "\n\n" + streamsEn
	op.Errors = []int{400, 401, 403, 416, 429, 500, 503}
	op.Responses = map[string]*huma.Response{"200": {Description: "A stream of events", Content: streamContent()}}
	register(s, op, s.statusEvents)
}

const (
	streamsZh = "请求头 Accept: text/event-stream 得到 SSE：id 为账本位置，event 为事件类型，data 为存储的原始字节；否则得到 NDJSON，每行 {\"position\":…,\"event\":…}，event 为原始字节。" +
		"断开后以 Last-Event-ID 或 ?after= 续传，不漏不重。约每 15 秒有一次心跳（SSE 只有 id 与注释，NDJSON 只有 position），心跳中的位置同样可用于续传。" +
		"服务器主动结束时最后一条为 end，说明原因；读取过慢的连接会被断开，续传即可。host、party、programme、level 按推送时登记的内容判断。"
	streamsEn = "With Accept: text/event-stream the answer is SSE: id is the position in the ledger, event the " +
		"type, data the event byte for byte as it is kept. Otherwise it is NDJSON, a line " +
		"{\"position\":…,\"event\":…} each, event byte for byte. " +
		"After a break, resume with Last-Event-ID or ?after=: nothing is left out or repeated. About every 15 " +
		"seconds there is a heartbeat (SSE: an id and a comment; NDJSON: a position alone), from whose position " +
		"a stream can be resumed as well. " +
		"Where the server ends a stream, the last message is end and says why; a connection that does not read " +
		"is cut off, and may resume. host, party, programme and level are judged by what the register holds when " +
		"the event is delivered."
)

func streamContent() map[string]*huma.MediaType {
	event := &huma.Schema{Type: "object", AdditionalProperties: true,
		Description: "The CloudEvents 1.0 object, byte for byte"}
	return map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Type: "string"},
			Example: "id: 42\nevent: lab.status.incubation-started.v1\ndata: {\"specversion\":\"1.0\",…}\n\n"},
		"application/x-ndjson": {Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{
			"position": {Type: "integer", Description: "In the ledger"},
			"event":    event,
			"end": {Type: "object", Description: "Why the stream ends here", Properties: map[string]*huma.Schema{
				"code": {Type: "string"}, "detail": {Type: "string"}, "detail_zh": {Type: "string"},
			}},
		}, Required: []string{"position"}}},
	}
}

func (s *Server) statusEvents(ctx context.Context, in *statusEventsInput) (*streamed, error) {
	f := eventstore.Filter{
		Status: true, From: convert[lab.Status](in.From), To: convert[lab.Status](in.To),
		Host: in.Host, Party: in.Party, Programme: in.Programme, Level: lab.Level(in.Level),
	}
	for _, id := range in.Lab {
		f.Streams = append(f.Streams, eventstore.Stream{Kind: "lab", ID: id})
	}
	format := negotiateFormat(in.accept)
	if format == nil {
		format = ndjson{}
	}
	return s.stream(ctx, format, in.Streaming, in.After, f)
}

// negotiateFormat returns the stream format that an Accept header asks for, or nil. The
// first of several types counts, since clients list them by preference.
func negotiateFormat(accept string) streamFormat {
	for part := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case "text/event-stream":
			return sse{}
		case "application/x-ndjson":
			return ndjson{}
		}
	}
	return nil
}

// The parameters of only a page, and of only a stream, on a path that gives both.
var (
	pageOnly = []string{"legal_entity", "basis", "policy", "command", "correlation", "event", "from", "to",
		"effective_from", "effective_to", "up_to", "changes", "order", "limit", "cursor"}
	streamOnly = []string{"host", "party", "level", "follow"}

	pageOnlyText = "Of pages only: " + strings.Join(pageOnly, ", ") + ". Of streams only: " + strings.Join(streamOnly,
		", ") + "."
)

// rejectMisplacedParams returns a problem if a parameter would be ignored.
func rejectMisplacedParams(ctx context.Context, stream bool) error {
	u := requestOf(ctx).url
	names := streamOnly
	if stream {
		names = pageOnly
	}
	for _, name := range names {
		switch {
		case u == nil || !u.Query().Has(name):
		case stream:
			return badParameter("query."+name, "该参数只用于分页查询，不能用于流", "this parameter is for pages; a stream cannot have it")
		default:
			return badParameter("query."+name, "该参数只用于流；请加 Accept: application/x-ndjson 或 text/event-stream", "this parameter is for streams; send Accept: application/x-ndjson or text/event-stream with it")
		}
	}
	return nil
}

// streamFormat encodes messages of a stream. Bodies hold no line breaks, since they are
// JSON as Encode writes it.
type streamFormat interface {
	mediaType() string
	event(b []byte, n *tailEvent) []byte
	// beat appends a heartbeat: every event up to a position was sent.
	beat(b []byte, p eventstore.Position) []byte
	end(b []byte, p eventstore.Position, why ending) []byte
}

type sse struct{}

func (sse) mediaType() string { return "text/event-stream" }

func (sse) event(b []byte, n *tailEvent) []byte {
	return fmt.Appendf(b, "id: %d\nevent: %s\ndata: %s\n\n", n.position, n.Type, n.body)
}

// EventSource keeps an id without data and dispatches no event.
func (sse) beat(b []byte, p eventstore.Position) []byte {
	return fmt.Appendf(b, ": heartbeat\nid: %d\n\n", p)
}

func (sse) end(b []byte, p eventstore.Position, why ending) []byte {
	return fmt.Appendf(b, "id: %d\nevent: end\nretry: 2000\ndata: %s\n\n", p, why.json())
}

type ndjson struct{}

func (ndjson) mediaType() string { return "application/x-ndjson" }

func (ndjson) event(b []byte, n *tailEvent) []byte {
	return fmt.Appendf(b, "{\"position\":%d,\"event\":%s}\n", n.position, n.body)
}

func (ndjson) beat(b []byte, p eventstore.Position) []byte {
	return fmt.Appendf(b, "{\"position\":%d}\n", p)
}

func (ndjson) end(b []byte, p eventstore.Position, why ending) []byte {
	return fmt.Appendf(b, "{\"position\":%d,\"end\":%s}\n", p, why.json())
}

// ending is the reason why the server ends a stream, and what the client should do.
type ending struct {
	code string
	text domain.Text
}

var (
	stopping = ending{"server-stopping", domain.T("服务器即将停止；请从最后的位置续传", "the server is stopping; reconnect and resume after your last position")}
	expired  = ending{"token-expired", domain.T("令牌已到期，或密钥已撤销；请换用新的，从最后的位置续传", "the token has expired, or the key was revoked; get a new one and resume after your last position")}
	complete = ending{"complete", domain.T("已到达请求时账本的末尾", "this is all the ledger held when you asked")}
	broken   = ending{"interrupted", domain.T("账本或读模型暂不可用；请稍后从最后的位置续传", "the ledger or the read model does not answer; reconnect shortly and resume after your last position")}
)

func (e ending) json() []byte {
	var b strings.Builder
	jsonFormat.Marshal(&b, struct {
		Code     string `json:"code"`
		Detail   string `json:"detail"`
		DetailZh string `json:"detail_zh"`
	}{e.code, e.text.En, e.text.Zh})
	return []byte(b.String())
}

// stream returns an answer that streams until the client leaves or the server ends it.
// Every refusal comes before the first byte.
func (s *Server) stream(ctx context.Context, format streamFormat, in Streaming, after uint64,
	filter eventstore.Filter) (*streamed, error) {
	if in.LastEvent != "" {
		var err error
		if after, err = strconv.ParseUint(in.LastEvent, 10, 53); err != nil {
			return nil, badParameter("header.Last-Event-ID", "应为最后收到的位置，即一个非负整数", "give the last position you received, a number from 0")
		}
	}
	head, err := s.ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	if after > uint64(head) {
		return nil, newProblem("no-such-position", "账本只到位置 %d，没有位置 %d；您看到的是另一个账本，或本账本丢失了事件：请核对后从确认的位置续传",
			"the ledger ends at position %d and has no position %d; what you saw was another ledger, or this one "+
				"lost events: compare them, then resume from a position you are sure of", uint64(head), after)
	}
	return &streamed{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		st := &stream{Server: s, id: requestIDOf(r.Context()), reader: readerOf(ctx.Context()), format: format,
			filter:   filter,
			position: eventstore.Position(after),
			head:     head,
			follow:   in.Follow,
			w:        w,
			control:  http.NewResponseController(w),
			beat:     time.NewTicker(s.cfg.Heartbeat)}
		defer st.beat.Stop()
		claims, known := claimsOf(ctx.Context())
		caller := callerOf(r, claims)
		if !s.tails.join(caller, s.cfg.StreamsPerCaller) {
			s.write(w, s.fail(r.Context(), newProblem("too-many-requests", "您已有 %d 个打开的流；请关闭其中之一再试", "you have %d streams open; close one and try again", s.cfg.StreamsPerCaller).with("Retry-After", "5")))
			return
		}
		defer s.tails.leave(caller)
		requestOf(r.Context()).stream = true
		if leave, ok := ctx.Context().Value(leaveKey{}).(func()); ok {
			leave() // streams have their own limit
		}
		w.Header().Set("Content-Type", format.mediaType())
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // proxies that support it do not buffer events
		if r.Method == http.MethodHead {
			return
		}
		life := ctx.Context()
		if known {
			var cancel context.CancelFunc
			life, cancel = s.whileValid(life, claims)
			defer cancel()
		}
		st.run(life)
	}}, nil
}

var errExpired = errors.New("api: the token has expired")

// newTailEvent returns the part of an event that streams need.
func (s *Server) newTailEvent(e eventstore.Recorded) (*tailEvent, error) {
	o, err := eventstore.ParseHeader(e.Body)
	if err != nil {
		return nil, fmt.Errorf("position %d: %w", e.Position, err)
	}
	n := &tailEvent{Header: o, position: e.Position, body: append([]byte(nil), e.Body...)}
	n.facts = sync.OnceValues(func() (eventstore.LabFacts, error) { return s.labFacts(o) })
	n.readers = sync.OnceValues(func() (domain.Readers, error) { return s.readers(o, e.Position) })
	return n, nil
}

// labFacts returns the facts of an event's lab, no older than the event.
func (s *Server) labFacts(o eventstore.Header) (eventstore.LabFacts, error) {
	ctx, cancel := context.WithTimeout(s.streaming, s.cfg.Patience)
	defer cancel()
	return s.model.LabFacts(ctx, o.Stream.ID, o.Revision+1)
}

// chunkBytes is the approximate size of one write, and bounds the memory held for a
// client that does not read.
const chunkBytes = 32 << 10

// stream is the stream of one client. The goroutine of run owns it.
type stream struct {
	*Server
	id       string // of the request
	reader   domain.Actor
	format   streamFormat
	filter   eventstore.Filter
	position eventstore.Position // all events up to here were sent or filtered out
	head     eventstore.Position // of the ledger at the start of the stream
	follow   bool
	w        http.ResponseWriter
	control  *http.ResponseController
	beat     *time.Ticker
	chunk    []byte
}

var errGone = errors.New("api: the client does not read, or is gone")

// run sends events until the stream ends, and then sends the ending if the client is
// still connected.
func (st *stream) run(ctx context.Context) {
	st.chunk = st.format.beat(st.chunk, st.position) // confirms the connection at once
	err := st.flush()
	for err == nil && st.position < st.head {
		err = st.catchUp(ctx, st.head)
	}
	if err == nil && st.follow {
		err = st.pump(ctx, st.tails.shared(func() *tail { return follow(st.ledger, st.head, st.newTailEvent) }))
	}
	why := complete
	switch {
	case errors.Is(err, errGone):
		return
	case st.streaming.Err() != nil:
		why = stopping
	case errors.Is(context.Cause(ctx), errExpired):
		why = expired
	case ctx.Err() != nil:
		return
	case err != nil:
		requestOf(ctx).err = err
		logAttrs(ctx, "position", st.position)
		why = broken
	}
	st.chunk = st.format.end(st.chunk, st.position, why)
	_ = st.flush() // an error means that the client is gone
}

// pump sends events as they arrive, until ctx or the server ends.
func (st *stream) pump(ctx context.Context, tail *tail) error {
	for {
		notices, begins, grown, err := tail.after(st.position)
		switch {
		case err != nil:
		case st.position < begins:
			err = st.catchUp(ctx, begins)
		case len(notices) > 0:
			err = st.send(notices)
		default:
			st.chunk = nil // a waiting stream holds no memory
			select {
			case <-grown:
			case <-st.beat.C:
				st.chunk = st.format.beat(st.chunk, st.position)
			case <-ctx.Done():
				err = ctx.Err()
			case <-st.streaming.Done():
				err = st.streaming.Err()
			}
		}
		if err == nil {
			err = st.flush()
		}
		if err != nil {
			return err
		}
	}
}

// readAtOnce is the number of events that a stream behind the tail reads at once.
const readAtOnce = 100

// catchUp reads events from the ledger in batches, and each batch before it writes, so
// that the shared connection to the ledger waits for no client. It loads the facts of
// each lab once, and again for an event that they do not cover.
func (st *stream) catchUp(ctx context.Context, to eventstore.Position) error {
	var notices []*tailEvent
	var last eventstore.Header
	after := st.position
	closed := sync.OnceValues(func() (map[eventstore.Position]domain.Readers, error) {
		return st.restrictedAfter(last, after, min(to, after+readAtOnce))
	})
	known := map[uuid.UUID]eventstore.LabFacts{}
	select {
	case st.tails.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := st.ledger.Read(ctx, after, min(to, after+readAtOnce), func(events []eventstore.Recorded) error {
		for _, e := range events {
			n, err := st.newTailEvent(e)
			if err != nil {
				return err
			}
			facts, o := n.facts, n.Header
			n.facts = func() (is eventstore.LabFacts, err error) {
				if is = known[o.Stream.ID]; is.Events <= o.Revision {
					is, err = facts()
					known[o.Stream.ID] = is
				}
				return is, err
			}
			n.readers = func() (domain.Readers, error) {
				all, err := closed()
				return readersAt(all, n.position), err
			}
			notices, last = append(notices, n), n.Header
		}
		return nil
	})
	<-st.tails.reading
	if err == nil {
		err = st.send(notices)
	}
	select {
	case <-st.beat.C: // also when the filter passes no event for long
		st.chunk = st.format.beat(st.chunk, st.position)
	case <-st.streaming.Done():
		err = st.streaming.Err()
	default:
	}
	if err != nil {
		return err
	}
	return st.flush()
}

// send appends the events that pass the filter to the chunk, and flushes a full chunk.
func (st *stream) send(notices []*tailEvent) error {
	for _, n := range notices {
		ok, err := st.filter.Match(n.Header, func() (eventstore.LabFacts, error) {
			facts, err := n.facts()
			return facts.VisibleTo(st.reader), err
		})
		if err == nil && ok {
			ok, err = st.canRead(n)
		}
		if err != nil {
			return err
		}
		if ok {
			_, end := eventstore.SpanOf(context.Background(), "push",
				eventstore.Recorded{Stream: n.Stream, Position: n.position, Body: n.body})
			st.chunk = st.format.event(st.chunk, n)
			end(nil)
		}
		st.position = n.position
		if len(st.chunk) >= chunkBytes {
			if err := st.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// canRead reports whether the client may read an event now.
func (st *stream) canRead(n *tailEvent) (bool, error) {
	if projections.IsPublic(n.Type) || projections.ReadsAll(st.reader) {
		return true, nil
	}
	readers, err := n.readers()
	if err != nil || readers.Include(st.reader.Readers()) {
		return err == nil, err
	}
	if n.Stream.Kind == "lab" {
		facts, err := n.facts()
		return err == nil && readers.Include(facts.Readers(st.reader)), err
	}
	ctx, cancel := context.WithTimeout(st.streaming, st.cfg.Patience)
	defer cancel()
	return st.model.CanRead(ctx, st.reader, n.Header, n.position)
}

// flush writes the chunk. A client that does not read it within StreamPatience is cut
// off.
func (st *stream) flush() error {
	if len(st.chunk) == 0 {
		return nil
	}
	// net compares deadlines with the machine's clock.
	_ = st.control.SetWriteDeadline(time.Now().Add(st.cfg.StreamPatience))
	_, err := st.w.Write(st.chunk)
	if err == nil {
		err = st.control.Flush()
	}
	st.chunk = st.chunk[:0]
	if err != nil {
		st.cutOff.Add(1)
		st.log.Info("a stream was cut off", "request_id", st.id, "position", st.position, "error", err)
		return errGone
	}
	return nil
}
