package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/projections"
)

// programmeRow is a programme in a list.
type programmeRow struct {
	ID       uuid.UUID   `json:"id"`
	Name     domain.Text `json:"name"`
	Level    string      `json:"level"`
	Policy   string      `json:"policy" doc:"Document number of the policy in force on the day asked for"`
	Revision uint64      `json:"revision"`
	Created  time.Time   `json:"created"`
	Updated  time.Time   `json:"updated"`
}

// programmeView is one programme: its document, and the values derived from it for a
// day.
type programmeView struct {
	ID       uuid.UUID            `json:"id"`
	Name     domain.Text          `json:"name"`
	On       domain.Date          `json:"on" doc:"The day the policy is in force on"`
	Policy   domain.Policy        `json:"policy" doc:"In force on that day; 教技〔2014〕1号 where none is on record"`
	Revision uint64               `json:"revision"`
	Updated  time.Time            `json:"updated"`
	Document *programme.Programme `json:"document" doc:"Policies, indicator systems and acceptance standards, notices"`
}

type programmesInput struct {
	OnDay
	Paging
}

type programmeInput struct {
	Programme uuid.UUID `path:"programme" doc:"The programme's id"`
	OnDay
	Conditional
}

// ReviewsView is the submissions, findings and decisions on a lab.
type ReviewsView struct {
	lab.Reviews
	Open lab.Of `json:"open,omitzero" doc:"The review that is not decided, by its number"`
	Asked
}

func (s *Server) registerProgrammes() {
	register(s, query("list-programmes", "/v1/programmes", "programmes", "列出计划及当日施行的政策。", "List programmes"), s.listProgrammes)
	register(s, query("get-programme", "/v1/programmes/{programme}", "programmes", "读取一个计划的政策文件、指标体系、验收标准、申报通知和决定通知。", "Read a programme"), s.getProgramme)
	register(s, query("lab-reviews", "/v1/labs/{lab}/reviews", "labs", "一个实验室的历次申请与补正、推荐、专家意见、四个方面的评审、阶段性评估和验收的十项评估。", "Read a lab's reviews"), s.labReviews)
}

func (s *Server) listProgrammes(ctx context.Context, in *programmesInput) (*list[programmeRow], error) {
	p, err := s.model.Programmes(ctx, in.model())
	return listed(ctx, p, err, func(r projections.ProgrammeRow) programmeRow {
		policy := r.Programme.Facts().PolicyOn(s.day(in.On)).Document
		return programmeRow{
			ID: r.Programme.ID, Name: r.Programme.Name, Level: r.Programme.Level, Policy: policy,
			Revision: r.Revision, Created: r.Created, Updated: r.Updated,
		}
	})
}

func (s *Server) getProgramme(ctx context.Context, in *programmeInput) (*record[programmeView], error) {
	p, events, updated, err := s.model.Programme(ctx, in.Programme)
	if err != nil {
		return nil, err
	}
	on := s.day(in.On)
	return single(in.Conditional, events, false, &programmeView{
		ID: p.ID, Name: p.Name, On: on, Policy: p.Facts().PolicyOn(on), Revision: events - 1,
		Updated: updated, Document: p,
	}), nil
}

func (s *Server) labReviews(ctx context.Context, in *LabInput) (*record[ReviewsView], error) {
	l, events, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	return singleAt(in.Conditional, w, events, true, &ReviewsView{l.Reviews, l.UnderReview(), w.asked()}), nil
}
