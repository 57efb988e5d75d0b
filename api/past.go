package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// Past selects a past state on both axes: recorded time and effective date.
type Past struct {
	AsOf        string      `query:"as_of" maxLength:"40" doc:"What was known then: an instant (RFC 3339, e.g. 2024-05-01T12:00:00Z; + is written %2B in a URL) or a position in the ledger, e.g. 1234. Only events recorded up to there count, with the corrections among them. Absent: all that is known now"`
	EffectiveOn domain.Date `query:"effective_on" doc:"Of what was known, only what had happened in the world by the end of this day. An event counts from the day its data says it happened (of a month or year, the first day), one without such a day always"`
}

// When selects the moment of a query and the day that statuses are judged on.
type When struct {
	On domain.Date `query:"on" doc:"The day statuses are judged on; unless given, effective_on, or the day of as_of, or today in China"`
	Past
}

// OnDay selects the day that date-dependent statuses are judged on.
type OnDay struct {
	On domain.Date `query:"on" doc:"The day statuses are judged on; today in China unless given"`
}

func (s *Server) day(d domain.Date) domain.Date {
	if d.IsZero() {
		return domain.DateOf(s.now())
	}
	return d
}

// Asked is the past moment of an answer.
type Asked struct {
	AsOf        uint64      `json:"as_of,omitzero" doc:"The last position that was known; absent: the answer is about now"`
	EffectiveOn domain.Date `json:"effective_on,omitzero" doc:"The last day in the world that counts"`
}

// moment is a resolved When: the events that count, and the day to judge on.
type moment struct {
	at projections.Moment
	on domain.Date
}

func (w moment) asked() Asked { return Asked{uint64(w.at.Position), w.at.Day} }

// etag returns the ETag of a record with that number of events at the moment. A past
// state has an ETag that If-Match does not accept.
func (w moment) etag(events uint64) string {
	if w.at.IsZero() {
		return etag(events)
	}
	return fmt.Sprintf(`"%d@%d/%s"`, events-1, w.at.Position, w.on)
}

// resolveMoment returns the moment that w selects.
func (s *Server) resolveMoment(ctx context.Context, w When) (moment, error) {
	return s.resolveParam(ctx, "as_of", w)
}

// resolveParam is resolveMoment for another parameter than as_of.
func (s *Server) resolveParam(ctx context.Context, param string, w When) (moment, error) {
	m := moment{projections.Moment{Day: w.EffectiveOn}, w.On}
	instant := s.now()
	position, err := strconv.ParseUint(w.AsOf, 10, 53)
	switch {
	case w.AsOf == "":
	case err == nil && position > 0:
		m.at.Position = eventstore.Position(position)
	default:
		then, err := time.Parse(time.RFC3339, w.AsOf)
		if err != nil {
			return m, badParameter("query."+param, "请填写 RFC 3339 时刻（如 2024-05-01T12:00:00Z，其中的 + 在网址中写作 %%2B），或账本位置（从 1 起的整数）",
				"give an instant as RFC 3339 has it, such as 2024-05-01T12:00:00Z (with + written %%2B in a "+
					"URL), or a position in the ledger, from 1")
		}
		if then.After(instant) {
			return m, badParameter("query."+param, "这一时刻尚未到来；请填写不晚于现在的时刻，或不填此参数", "this instant has not come yet; give one that has, or leave this out")
		}
		if m.at.Position, err = s.model.PositionAt(ctx, then); err != nil {
			return m, err
		}
		if m.at.Position == 0 {
			return m, newProblem("not-found", "那时登记簿中还没有任何记录", "nothing was on record then")
		}
		instant = then
	}
	if m.at, err = s.model.Resolve(ctx, m.at); err != nil {
		var beyond *projections.QueryError
		if errors.As(err, &beyond) {
			beyond.Param = param
		}
		return m, err
	}
	switch {
	case !m.on.IsZero():
	case !w.EffectiveOn.IsZero():
		m.on = w.EffectiveOn
	case position > 0:
		if instant, err = s.model.RecordedAt(ctx, m.at.Position); err != nil {
			return m, err
		}
		fallthrough
	default:
		m.on = domain.DateOf(instant)
	}
	return m, nil
}

// notYet returns the problem of a query for a moment before the record existed.
func notYet(err error) *Problem {
	var e *projections.NotYetError
	switch {
	case !errors.As(err, &e):
		return nil
	case e.From.IsZero():
		at := e.Recorded.Format(time.RFC3339)
		return newProblem("not-found", "那时还没有登记；该记录始于位置 %d（%s）", "it was not on record then; the record begins at position %d, on %s", uint64(e.Position), at)
	}
	return newProblem("not-found", "就当时所知，%s 之前没有关于它的任何事实", "as was known then, there is nothing about it before %s", e.From)
}
