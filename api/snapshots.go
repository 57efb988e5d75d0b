package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// Snapshots are for systems that keep a copy of the state: one full snapshot, then
// deltas. Both have a line for each aggregate, ordered by source; a delta has those
// that changed. Applying a delta to the snapshot at its beginning, by source, yields
// the snapshot at its end, byte for byte.

type snapshotInput struct {
	AsOf string `query:"as_of" maxLength:"40" doc:"An instant (RFC 3339) or a position in the ledger; absent: now"`
}

type deltaInput struct {
	From string `query:"from" required:"true" maxLength:"40" doc:"Where the snapshot you hold stands: its Ledger-Position, or an instant"`
	To   string `query:"to" maxLength:"40" doc:"A later position or instant; absent: now"`
}

func (s *Server) registerSnapshots() {
	form := "每行一个实验室、法人或计划：{\"source\":…,\"revision\":…,\"document\":…}，按 source 排序；响应头 Ledger-Position 为所截止的账本位置。"
	formEn := "A line for each lab, legal entity and programme, {\"source\":…,\"revision\":…,\"document\":…}, in " +
		"the order of source. The header Ledger-Position says up to which position of the ledger."
	files := func(id, path, zh, en, summary string) huma.Operation {
		op := query(id, path, "events", zh+form, summary)
		op.Description += "\n\n" + en + formEn + " An answer that is broken off is not whole: the connection " +
			"then ends before the last chunk."
		op.Responses = map[string]*huma.Response{"200": {Description: "NDJSON",
			Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: &huma.Schema{Type: "string"}}}}}
		return op
	}
	register(s, files("get-snapshot", "/v1/snapshots", "登记簿在某一位置的全部现状。", "The whole state of the register at a position. ", "Take a snapshot of the register"), s.snapshot)
	register(s, files("get-delta", "/v1/snapshots/delta", "两个位置之间有变更者在后一位置的现状；按 source 覆盖到前一位置的快照上，即得后一位置的快照，逐字节相同。",
		"What changed between two positions, as it is at the later one: laid over the snapshot at the earlier "+
			"one, by source, it gives the snapshot at the later one, byte for byte. ", "Take what changed since "+
			"a snapshot"), s.delta)
}

func (s *Server) snapshot(ctx context.Context, in *snapshotInput) (*export, error) {
	to, err := s.position(ctx, "as_of", in.AsOf)
	if err != nil {
		return nil, err
	}
	return s.states(ctx, "snapshot-"+strconv.FormatUint(uint64(to), 10), 0, to), nil
}

func (s *Server) delta(ctx context.Context, in *deltaInput) (*export, error) {
	from, err := s.position(ctx, "from", in.From)
	if err != nil {
		return nil, err
	}
	to, err := s.position(ctx, "to", in.To)
	if err != nil {
		return nil, err
	}
	if to < from {
		return nil, badParameter("query.from", "from 晚于 to；请交换二者", "from is later than to; exchange the two")
	}
	return s.states(ctx, fmt.Sprintf("delta-%d-%d", from, to), from, to), nil
}

// position returns the position that a parameter selects, or the current position of
// the read model if it is empty.
func (s *Server) position(ctx context.Context, param, asked string) (eventstore.Position, error) {
	m, err := s.resolveParam(ctx, param, When{Past: Past{AsOf: asked}})
	if err != nil || !m.at.IsZero() {
		return m.at.Position, err
	}
	now, err := s.model.Now(ctx)
	return now.Position, err
}

func (s *Server) states(ctx context.Context, name string, after, upTo eventstore.Position) *export {
	return &export{"application/x-ndjson", `attachment; filename="` + name + `.ndjson"`, uint64(upTo),
		func(c huma.Context) {
			s.sendFile(c, func(w io.Writer) error {
				out := bufio.NewWriterSize(w, 64<<10)
				err := s.model.States(ctx, after, upTo, func(a projections.State) (err error) {
					if a.Document, err = visibleState(ctx, a); err != nil {
						return err
					}
					_, err = fmt.Fprintf(out, "{\"source\":%q,\"revision\":%d,\"document\":%s}\n", a.Stream.Source(),
						a.Revision, a.Document)
					return err
				})
				if err != nil {
					return err
				}
				return out.Flush()
			})
		}}
}
