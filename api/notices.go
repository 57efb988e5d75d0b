package api

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/projections"
)

// noticeRow compares a notice with the record of a lab. A notice publishes decisions
// and decides nothing (C31): each decision is an event of its lab, and an auditor
// checks whether the two agree.
type noticeRow struct {
	Document string      `json:"document" doc:"Number of the notice (文号)"`
	On       domain.Date `json:"on" doc:"When it was issued"`
	Lab      uuid.UUID   `json:"lab"`
	Name     domain.Text `json:"name" doc:"As on the day of the notice"`
	Decision string      `json:"decision"`
	Recorded string      `json:"recorded" enum:"agrees,after,missing" doc:"agrees: the lab's record has the decision on or before that day; after: only later; missing: not at all"`
	Decided  string      `json:"decided,omitempty" doc:"The day of the decision on the lab's record"`
	Event    uuid.UUID   `json:"event,omitzero" doc:"The lab's own event"`
}

// decided maps a decision in a notice to the status it leads to.
var decided = map[string]lab.Status{
	"established": lab.StatusConstruction, "declined": lab.StatusNotEstablished, "recognised": lab.StatusOperating,
	"not-passed": lab.StatusNotPassed, "revoked": lab.StatusRevoked,
}

type noticesInput struct {
	Lab uuid.UUID `query:"lab" doc:"One lab only"`
}

func (s *Server) registerNotices() {
	table(s, report("report-notices", "/v1/reports/notices", "决定通知与各实验室自身登记的决定逐项核对。", "Hold notices against the decisions on record"), s.noticesReport)
}

func (s *Server) noticesReport(ctx context.Context, in *noticesInput) (rows []noticeRow, err error) {
	paging := projections.Paging{Limit: 500}
	for {
		page, err := s.model.Programmes(ctx, paging)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			for _, n := range p.Programme.Notices {
				for _, d := range n.Decisions {
					if in.Lab != uuid.Nil && d.Lab != in.Lab {
						continue
					}
					row := noticeRow{Document: n.Document, On: n.On, Lab: d.Lab, Name: d.Name,
						Decision: d.Decision.Decision}
					l, _, _, err := s.model.Lab(ctx, d.Lab)
					if err != nil && !errors.Is(err, projections.ErrNotFound) {
						return nil, err
					}
					row.hold(l, n.On)
					rows = append(rows, row)
				}
			}
		}
		if paging.Cursor = page.Next; paging.Cursor == "" {
			return rows, nil
		}
	}
}

// hold finds the decision on the lab's record: the last one not after the notice, or
// else the first one after it.
func (r *noticeRow) hold(l *lab.Lab, issued domain.Date) {
	r.Recorded = "missing"
	if l == nil {
		return
	}
	for _, m := range l.Moves {
		if m.To != decided[r.Decision] || m.From == m.To {
			continue
		}
		switch after := m.On.Earliest().After(issued); {
		case !after:
			r.Recorded, r.Decided, r.Event = "agrees", m.On.String(), m.Event
		case r.Recorded == "missing":
			r.Recorded, r.Decided, r.Event = "after", m.On.String(), m.Event
		}
	}
}
