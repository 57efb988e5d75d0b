package api

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

type diffInput struct {
	Lab             uuid.UUID   `path:"lab" doc:"The lab's id"`
	From            string      `query:"from" required:"true" maxLength:"40" doc:"The earlier knowledge: an instant (RFC 3339) or a position in the ledger"`
	To              string      `query:"to" maxLength:"40" doc:"The later knowledge: likewise; absent: now"`
	EffectiveOnFrom domain.Date `query:"effective_on_from" doc:"Of what was known at from, only what had happened by this day"`
	EffectiveOnTo   domain.Date `query:"effective_on_to" doc:"Of what was known at to, only what had happened by this day"`
}

type diffView struct {
	ID      uuid.UUID            `json:"id"`
	Name    domain.Text          `json:"name" doc:"The official name at to"`
	From    Asked                `json:"from"`
	To      Asked                `json:"to"`
	Changes []projections.Change `json:"changes" doc:"What is different in the lab's document at to"`
	Events  []entry              `json:"events" doc:"What was recorded between, oldest first"`
}

func (s *Server) registerDiff() {
	register(s, query("lab-diff", "/v1/labs/{lab}/diff", "labs", "比较一个实验室在两个时点的登记内容，并列出其间的事件；两个时点之前尚未登记的视为空。", "Say what changed about a lab between two moments"), s.labDiff)
}

func (s *Server) labDiff(ctx context.Context, in *diffInput) (*record[diffView], error) {
	from, err := s.resolveParam(ctx, "from", When{Past: Past{in.From, in.EffectiveOnFrom}})
	if err != nil {
		return nil, err
	}
	to, err := s.resolveParam(ctx, "to", When{Past: Past{in.To, in.EffectiveOnTo}})
	if err != nil {
		return nil, err
	}
	if to.at.IsZero() {
		if to.at, err = s.model.Now(ctx); err != nil {
			return nil, err
		}
	}
	if to.at.Position < from.at.Position {
		return nil, badParameter("query.from", "from 晚于 to；请交换二者", "from is later than to; exchange the two")
	}
	l, events, _, err := s.model.LabAt(ctx, in.Lab, to.at)
	if err != nil {
		return nil, err
	}
	seen, err := s.visibilityOf(ctx, in.Lab)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(seen.view(l), json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	var before []byte
	switch then, _, _, err := s.model.LabAt(ctx, in.Lab, from.at); {
	case errors.Is(err, projections.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		if before, err = json.Marshal(seen.view(then), json.Deterministic(true)); err != nil {
			return nil, err
		}
	}
	changes, err := projections.Changes(before, after)
	if err != nil {
		return nil, err
	}
	view := &diffView{ID: l.ID, Name: l.Name(), From: from.asked(), To: to.asked(), Changes: changes}
	q := projections.TrailQuery{For: readerOf(ctx), Stream: eventstore.Stream{Kind: "lab", ID: in.Lab},
		After: from.at.Position, UpTo: to.at.Position}
	names := s.entityNames(ctx)
	for q.Limit = 500; ; {
		page, err := s.model.Trail(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Items {
			view.Events = append(view.Events, entryOf(t, names))
		}
		if q.Cursor = page.Next; page.Next == "" {
			return singleAt(Conditional{}, to, events, true, view), nil
		}
	}
}
