package api

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/projections"
)

// labRow is a lab in a list.
type labRow struct {
	ID           uuid.UUID            `json:"id"`
	Name         domain.Text          `json:"name"`
	Level        lab.Level            `json:"level,omitempty"`
	Programme    string               `json:"programme"`
	Host         domain.EntityRef     `json:"host"`
	Discipline   domain.Text          `json:"discipline,omitzero"`
	Status       lab.Status           `json:"status" doc:"On the day asked for"`
	StatusText   domain.Text          `json:"status_text"`
	StatusSince  domain.PartialDate   `json:"status_since,omitzero"`
	Construction domain.PartialPeriod `json:"construction,omitzero"`
	Revision     uint64               `json:"revision"`
	Created      time.Time            `json:"created"`
	Updated      time.Time            `json:"updated"`
}

// labView is one lab: its document, and the values derived from it for a day.
type labView struct {
	ID         uuid.UUID   `json:"id"`
	Name       domain.Text `json:"name" doc:"The official name now"`
	On         domain.Date `json:"on" doc:"The day the status is judged on"`
	Status     lab.Status  `json:"status" doc:"On that day; DUE follows from the date alone"`
	StatusText domain.Text `json:"status_text"`
	Revision   uint64      `json:"revision"`
	Updated    time.Time   `json:"updated"`
	Document   *lab.Lab    `json:"document" doc:"Everything the lab's events say, as their corrections leave it"`
	Asked
}

// entityRow is a legal entity in a list.
type entityRow struct {
	ID          uuid.UUID           `json:"id"`
	Name        domain.Text         `json:"name"`
	Kind        entity.Kind         `json:"kind"`
	Country     string              `json:"country"`
	Side        domain.Side         `json:"side"`
	Status      entity.Status       `json:"status"`
	Identifiers []entity.Identifier `json:"identifiers"`
	Ended       *entity.Ending      `json:"ended,omitempty"`
	Revision    uint64              `json:"revision"`
	Created     time.Time           `json:"created"`
	Updated     time.Time           `json:"updated"`
}

// entityView is one legal entity.
type entityView struct {
	ID       uuid.UUID      `json:"id"`
	Name     domain.Text    `json:"name"`
	On       domain.Date    `json:"on"`
	Status   entity.Status  `json:"status"`
	Side     domain.Side    `json:"side"`
	Revision uint64         `json:"revision"`
	Updated  time.Time      `json:"updated"`
	Document *entity.Entity `json:"document"`
	Asked
}

type labsInput struct {
	Q          string    `query:"q" maxLength:"200" doc:"Words in Chinese or English, all of which must be there"`
	Status     []string  `query:"status,explode" enum:"statuses" doc:"Any of these; give it once for each"`
	Host       uuid.UUID `query:"host" doc:"The host university"`
	Party      uuid.UUID `query:"party" doc:"Host, party to an agreement, or named as a partner"`
	Level      string    `query:"level" enum:"ministry,province,university"`
	Programme  string    `query:"programme" maxLength:"200"`
	Discipline string    `query:"discipline" maxLength:"200" doc:"Contained in the discipline, in either language"`
	Sort       string    `query:"sort" enum:"created,-created,updated,-updated,name_zh,-name_zh,name_en,-name_en,status,-status" doc:"With - from the last to the first"`
	When
	Paging
}

type entitiesInput struct {
	Q          string   `query:"q" maxLength:"200" doc:"Words in Chinese or English, all of which must be there"`
	Kind       string   `query:"kind" enum:"university,research-institute,company,government,other,unstated"`
	Country    string   `query:"country" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2"`
	Scheme     string   `query:"scheme" maxLength:"30" doc:"Has a standing identifier in this scheme"`
	Identifier string   `query:"identifier" maxLength:"100" doc:"Has this standing identifier; write it in any usual form, with scheme"`
	Status     []string `query:"status,explode" enum:"not-established,active,succeeded,merged,closed"`
	Sort       string   `query:"sort" enum:"created,-created,updated,-updated,name_zh,-name_zh,name_en,-name_en"`
	When
	Paging
}

type LabInput struct {
	Lab uuid.UUID `path:"lab" doc:"The lab's id"`
	When
	Conditional
}

type entityInput struct {
	Entity uuid.UUID `path:"entity" doc:"The legal entity's id"`
	When
	Conditional
}

func (s *Server) registerQueries() {
	s.registerWebhooks()
	s.registerKeys()
	s.registerPersons()
	register(s, query("list-labs", "/v1/labs", "labs", "列出联合实验室，可筛选、搜索、排序和分页。", "List labs"), s.listLabs)
	register(s, query("get-lab", "/v1/labs/{lab}", "labs", "读取一个实验室的全部登记内容，以及在所问日期的状态。", "Read a lab"), s.getLab)
	register(s, query("list-entities", "/v1/entities", "entities", "列出法人，可筛选、搜索、排序和分页。", "List legal entities"), s.listEntities)
	register(s, query("get-entity", "/v1/entities/{entity}", "entities", "读取一个法人的全部登记内容。", "Read a legal entity"), s.getEntity)
	s.registerParts()
	s.registerProgrammes()
	s.registerTrail()
	s.registerStreams()
	s.registerReadiness()
	s.registerReports()
	s.registerNotices()
	s.registerSnapshots()
	s.registerClauses()
	s.registerAccess()
	s.registerDiff()
	s.registerAudit()
	s.registerPack()
}

func (s *Server) listLabs(ctx context.Context, in *labsInput) (*list[labRow], error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	sort, desc := strings.CutPrefix(in.Sort, "-")
	p, err := s.model.Labs(ctx, projections.LabsQuery{
		Paging: in.model(),
		For:    readerOf(ctx),
		At:     w.at,
		Text:   in.Q,
		Status: convert[lab.Status](in.Status),
		Today:  w.on,
		Host:   in.Host,
		Party:  in.Party,
		Level:  lab.Level(in.Level), Programme: in.Programme, Discipline: in.Discipline, Sort: sort, Desc: desc,
	})
	return listed(ctx, p, err, func(r projections.LabRow) labRow {
		return labRow{
			ID: r.ID, Name: r.Name, Level: r.Level, Programme: r.Programme, Host: r.Host,
			Discipline: r.Discipline, Status: r.Status, StatusText: r.Status.Text(),
			StatusSince: r.StatusSince, Construction: r.Construction, Revision: r.Revision,
			Created: r.Created, Updated: r.Updated,
		}
	})
}

func (s *Server) getLab(ctx context.Context, in *LabInput) (*record[labView], error) {
	l, events, updated, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	status := l.StatusOn(w.on)
	return singleAt(in.Conditional, w, events, l.Status != lab.StatusConstruction, &labView{
		ID: l.ID, Name: l.Name(), On: w.on, Status: status, StatusText: status.Text(),
		Revision: events - 1, Updated: updated, Document: l, Asked: w.asked(),
	}), nil
}

// labAt returns the part of a lab that the caller may see, at the moment asked for.
func (s *Server) labAt(ctx context.Context, id uuid.UUID, asked When) (l *lab.Lab, events uint64, updated time.Time,
	w moment, err error) {
	if w, err = s.resolveMoment(ctx, asked); err == nil {
		l, events, updated, err = s.model.LabAt(ctx, id, w.at)
	}
	if err == nil {
		l, err = s.visibleLab(ctx, l, w.at)
	}
	return l, events, updated, w, err
}

func (s *Server) listEntities(ctx context.Context, in *entitiesInput) (*list[entityRow], error) {
	id := domain.Identifier{Scheme: domain.Scheme(in.Scheme), Value: in.Identifier}
	if in.Identifier != "" {
		canonical, err := id.Canonical()
		if err != nil {
			return nil, badParameter("query.identifier", "标识符有误，或未注明 scheme；请核对", "the identifier is at fault, or comes without its scheme; check both")
		}
		id = canonical
	}
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	sort, desc := strings.CutPrefix(in.Sort, "-")
	p, err := s.model.Entities(ctx, projections.EntitiesQuery{
		Paging:     in.model(),
		At:         w.at,
		Text:       in.Q,
		Kind:       entity.Kind(in.Kind),
		Country:    in.Country,
		Scheme:     id.Scheme,
		Identifier: id.Value,
		Status:     convert[entity.Status](in.Status), Today: w.on, Sort: sort, Desc: desc,
	})
	return listed(ctx, p, err, func(r projections.EntityRow) entityRow {
		return entityRow{
			ID: r.ID, Name: r.Name, Kind: r.Kind, Country: r.Country,
			Side: domain.SideOf(r.Country), Status: r.Status, Identifiers: r.Identifiers,
			Ended: r.Ended, Revision: r.Revision, Created: r.Created, Updated: r.Updated,
		}
	})
}

func (s *Server) getEntity(ctx context.Context, in *entityInput) (*record[entityView], error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	e, events, updated, err := s.model.EntityAt(ctx, in.Entity, w.at)
	if err != nil {
		return nil, err
	}
	return singleAt(in.Conditional, w, events, e.Ended == nil, &entityView{
		ID: e.ID, Name: e.DisplayName(), On: w.on, Status: e.StatusOn(w.on),
		Side: domain.SideOf(e.Country), Revision: events - 1, Updated: updated, Document: e,
		Asked: w.asked(),
	}), nil
}
