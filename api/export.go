package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// trailRow is an event in a table.
type trailRow struct {
	Position     uint64      `json:"position"`
	Time         string      `json:"time"` // as the event writes it
	Effective    domain.Date `json:"effective"`
	Source       string      `json:"source"`
	Revision     uint64      `json:"revision"`
	Type         string      `json:"type"`
	Facet        string      `json:"facet"`
	Sentence     domain.Text `json:"sentence"`
	Account      domain.Text `json:"account"`
	Actor        string      `json:"actor"`
	Role         domain.Role `json:"role"`
	OnBehalfOf   string      `json:"on_behalf_of"`
	OnBehalfName domain.Text `json:"on_behalf_of_name"`
	Reason       string      `json:"reason"`
	Basis        string      `json:"basis_document"`
	BasisDigest  string      `json:"basis_digest"`
	BasisSource  string      `json:"basis_source"`
	Policy       string      `json:"policy"`
	Event        uuid.UUID   `json:"event"`
	Corrects     string      `json:"corrects"`
	CorrectedBy  string      `json:"corrected_by"` // separated by spaces; the last is in effect
	Command      uuid.UUID   `json:"command"`
	Correlation  string      `json:"correlation"`
}

func rowOf(t projections.TrailEntry, names *entityNames) trailRow {
	m := t.Meta
	return trailRow{
		Position: uint64(t.Position), Time: m.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), Effective: t.Effective,
		Source:       t.Stream.Source(),
		Revision:     m.Revision,
		Type:         t.Type,
		Facet:        t.Facet,
		Sentence:     t.Sentence,
		Account:      narrate(t, names),
		Actor:        m.Actor.Subject,
		Role:         m.Actor.Role,
		OnBehalfOf:   unlessNil(m.Actor.OnBehalfOf),
		OnBehalfName: names.of(m.Actor.OnBehalfOf),
		Reason:       m.Because.Reason,
		Basis:        m.Because.Basis.Document,
		BasisDigest:  m.Because.Basis.Digest,
		BasisSource:  m.Because.Basis.Source,
		Policy:       m.Policy,
		Event:        m.ID,
		Corrects:     unlessNil(t.Corrects),
		CorrectedBy:  strings.Trim(fmt.Sprint(t.CorrectedBy), "[]"),
		Command:      m.Command, Correlation: m.Correlation,
	}
}

func unlessNil(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// entityNames caches the current names of legal entities for one request. One
// goroutine uses it.
type entityNames struct {
	ctx   context.Context
	model *projections.Model
	known map[uuid.UUID]domain.Text
}

func (s *Server) entityNames(ctx context.Context) *entityNames {
	return &entityNames{ctx, s.model, map[uuid.UUID]domain.Text{}}
}

// of returns the current name of a legal entity, empty for an unknown id.
func (n *entityNames) of(id uuid.UUID) domain.Text {
	name, ok := n.known[id]
	if !ok && id != uuid.Nil {
		if e, _, _, err := n.model.Entity(n.ctx, id); err == nil {
			name = e.Ref().Name
		}
		n.known[id] = name
	}
	return name
}

// export is a trail as a file.
type export struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition" doc:"A file name that says up to which position the file goes"`
	Position    uint64 `header:"Ledger-Position" doc:"The file holds what the register held when it had recorded that many events, and no later event"`
	Body        func(huma.Context)
}

// formats are the file formats of a trail.
var formats = []struct {
	ext, media, zh, en string
	write              func(*Server, context.Context, io.Writer, projections.TrailQuery, eventstore.Position) error
}{
	{ext: "csv", media: "text/csv; charset=utf-8", zh: "CSV 表格（UTF-8，带字节顺序标记）", en: "CSV, UTF-8 with a byte order mark", write: (*Server).exportCSV},
	{ext: "ndjson", media: "application/x-ndjson", zh: "NDJSON：每行一个事件，与存储的字节完全一致", en: "NDJSON: an event a line, byte for byte as it is kept", write: (*Server).exportBodies},
	{ext: "xlsx", media: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", zh: "XLSX 工作簿", en: "XLSX workbook", write: (*Server).exportWorkbook},
}

// exports registers the files of a trail. A file holds the whole trail, oldest first,
// including events that are recorded while it is sent.
func exports[In trailInput](s *Server, op huma.Operation) {
	id, path, summary, description := op.OperationID, op.Path, op.Summary, op.Description
	for _, f := range formats {
		op.OperationID, op.Path = id+"-"+f.ext, path+"."+f.ext
		op.Summary = summary + ", as " + strings.ToUpper(f.ext)
		op.Description = description + "（" + f.zh + "；不分页，由旧到新）\n\nWhole and oldest first, " + f.en + ". An answer that is broken off is not whole: the connection then ends before the last chunk."
		op.Responses = map[string]*huma.Response{"200": {
			Description: f.en, Content: map[string]*huma.MediaType{f.media: {Schema: &huma.Schema{Type: "string"}}},
		}}
		register(s, op, func(ctx context.Context, in *In) (*export, error) {
			q, err := (*in).query(ctx, s)
			if err != nil {
				return nil, err
			}
			q.For = readerOf(ctx)
			at := s.model.Position()
			name := fmt.Sprintf("%s-%d.%s", strings.TrimPrefix(id, "list-"), at, f.ext)
			if q.Stream.ID != uuid.Nil {
				name = fmt.Sprintf("%s-%s-history-%d.%s", q.Stream.Kind, q.Stream.ID, at, f.ext)
			}
			return &export{f.media, `attachment; filename="` + name + `"`, uint64(at), func(c huma.Context) {
				s.sendFile(c, func(w io.Writer) error { return f.write(s, ctx, w, q, at) })
			}}, nil
		})
	}
}

// sendFile sends the output of write. An error before the first byte is answered as
// a problem; a later one aborts the response, so that it cannot pass for complete.
func (s *Server) sendFile(c huma.Context, write func(io.Writer) error) {
	r, w := humago.Unwrap(c)
	out := &deadlineWriter{to: w, control: http.NewResponseController(w)}
	err := write(out)
	switch {
	case err == nil:
	case out.sent && (out.gone != nil || r.Context().Err() != nil): // the client has gone, or stopped reading
		logAttrs(r.Context(), "broken_off", err)
		panic(http.ErrAbortHandler)
	case out.sent:
		requestOf(r.Context()).err = err
		panic(http.ErrAbortHandler)
	default:
		for _, h := range []string{"Content-Disposition", "Ledger-Position", "ETag"} {
			w.Header().Del(h)
		}
		w.Header().Set("Cache-Control", "no-cache")
		s.write(w, s.fail(r.Context(), err))
	}
}

// writeTimeout bounds how long a client may leave a long answer unread.
const writeTimeout = time.Minute

// deadlineWriter extends the server's write deadline at each write, so that a long
// answer may take its time but not stall.
type deadlineWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	sent    bool
	gone    error // the first write error
}

func (w *deadlineWriter) Write(b []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil &&
		!errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	w.sent = true
	n, err := w.to.Write(b)
	w.gone = err
	return n, err
}

func (s *Server) exportBodies(ctx context.Context, w io.Writer, q projections.TrailQuery,
	at eventstore.Position) error {
	q.Bodies, q.Changes = true, false
	out := bufio.NewWriterSize(w, 64<<10)
	err := s.model.EachEvent(ctx, q, at, func(entries []projections.TrailEntry) error {
		for _, e := range entries {
			if bytes.IndexByte(e.Body, '\n') >= 0 {
				return fmt.Errorf("api: export: the event at position %d has a line break in it and cannot be a "+
					"line; read it from /v1/events/%d", e.Position, e.Position)
			}
			out.Write(e.Body)
			if err := out.WriteByte('\n'); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func (s *Server) exportCSV(ctx context.Context, w io.Writer, q projections.TrailQuery, at eventstore.Position) error {
	return s.exportTable(ctx, newCSV(w), q, at)
}

func (s *Server) exportWorkbook(ctx context.Context, w io.Writer, q projections.TrailQuery,
	at eventstore.Position) error {
	b, err := newWorkbook(w, excelize.TotalRows)
	if err != nil {
		return fmt.Errorf("api: export: %w", err)
	}
	defer b.close()
	return s.exportTable(ctx, b, q, at)
}

func (s *Server) exportTable(ctx context.Context, t tableWriter, q projections.TrailQuery,
	at eventstore.Position) error {
	if err := t.write(headings[trailRow]()); err != nil {
		return err
	}
	names, reads := s.entityNames(ctx), unsealerOf(ctx)
	if err := s.model.EachEvent(ctx, q, at, func(entries []projections.TrailEntry) error {
		for _, e := range entries {
			if err := t.write(reads.inCells(cells(reflect.ValueOf(rowOf(e, names))))); err != nil {
				return fmt.Errorf("api: export: %w", err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return t.end()
}
