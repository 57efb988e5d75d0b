package api

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

// readinessView lists every step that can follow a lab's status, judged on a day.
type readinessView struct {
	ID         uuid.UUID       `json:"id"`
	Name       domain.Text     `json:"name"`
	On         domain.Date     `json:"on" doc:"The day judged"`
	Policy     string          `json:"policy" doc:"The programme document judged under"`
	Status     lab.Status      `json:"status" doc:"On that day"`
	StatusText domain.Text     `json:"status_text"`
	Steps      []lab.Readiness `json:"steps"`
	Revision   uint64          `json:"revision"`

	Asked

	Raised []domain.Finding `json:"raised" doc:"What the programme asks of the lab's records on that day, met or not. No record is refused for these; a step is only for those it lists itself"`

	Unsupported []lab.Unsupported `json:"unsupported,omitempty" doc:"Steps taken before that do not meet their rules on what is known since, until a further entry settles them"`
}

// watchRow is a watch of one lab in a list.
type watchRow struct {
	Lab     uuid.UUID   `json:"lab"`
	Name    domain.Text `json:"name"`
	Kind    string      `json:"kind"`
	Subject string      `json:"subject"`
	Due     domain.Date `json:"due"`
	Lapsed  bool        `json:"lapsed"`
	Text    domain.Text `json:"text"`
}

type WatchesInput struct {
	Ahead int `query:"ahead" minimum:"0" maximum:"3660" default:"90" doc:"How many days to look ahead"`
	When
}

type labWatchesInput struct {
	Lab uuid.UUID `path:"lab" doc:"The lab's id"`
	WatchesInput
}

// matrixRow is one item of the matrix, or an empty cell.
type matrixRow struct {
	Party     domain.Text   `json:"party"`
	PartyID   uuid.UUID     `json:"party_id"`
	Kind      lab.ItemKind  `json:"kind"`
	KindText  domain.Text   `json:"kind_text"`
	Item      string        `json:"item,omitempty" doc:"Absent: the cell is empty"`
	Agreement string        `json:"agreement,omitempty"`
	Clause    string        `json:"clause,omitempty"`
	Text      domain.Text   `json:"text,omitzero"`
	Due       domain.Date   `json:"due,omitzero"`
	State     lab.ItemState `json:"state,omitempty"`
	Overdue   bool          `json:"overdue"`
}

type impactInput struct {
	Lab       uuid.UUID `path:"lab" doc:"The lab's id"`
	Agreement string    `path:"agreement" pattern:"^A[1-9][0-9]{0,5}$" doc:"e.g. A1"`
	From      uint64    `query:"from" required:"true" minimum:"0" doc:"The lab's revision to compare from"`
	To        uint64    `query:"to" required:"true" minimum:"0" doc:"The lab's revision to compare to"`
}

type impactView struct {
	Before lab.Version `json:"before"`
	After  lab.Version `json:"after"`
	Impact lab.Impact  `json:"impact" doc:"Applied to before, it gives after"`
}

type decisionInput struct {
	Lab   uuid.UUID `path:"lab" doc:"The lab's id"`
	Event uuid.UUID `path:"event" doc:"The status event, as the history shows it"`
}

// decisionFile is the basis of a past step, judged again.
type decisionFile struct {
	Event    uuid.UUID        `json:"event"`
	Type     string           `json:"type"`
	Sentence domain.Text      `json:"sentence"`
	Recorded domain.Meta      `json:"recorded" doc:"Who recorded it, when, why and under which policy"`
	On       domain.Date      `json:"on" doc:"The day of the step"`
	Findings []domain.Finding `json:"findings" doc:"Every rule of the step on that day, from what was known when it was recorded"`
	Verdict  bool             `json:"verdict" doc:"Whether judging again accepts it too"`
	State    *lab.Lab         `json:"state" doc:"The lab as it was known just before"`
	Now      *hindsight       `json:"now,omitempty" doc:"The same step judged on what is known now; absent: it is void"`
}

// hindsight is a second verdict on a past step: corrections, voids and late
// entries since count.
type hindsight struct {
	On       domain.Date      `json:"on" doc:"The day of the step, as it reads now"`
	Findings []domain.Finding `json:"findings" doc:"Every rule of the step on that day, from what is known now"`
	Verdict  bool             `json:"verdict" doc:"Whether every rule is met"`
}

// hindsightOn judges a step again on what is known now; nil where it counts no more.
func hindsightOn(id uuid.UUID, history []domain.RecordedEvent[lab.Event], event uuid.UUID, p domain.Programme,
	seen visibility) *hindsight {
	for _, s := range lab.Review(id, domain.Effective(history), eventstore.HappenedOn, p) {
		if s.Event.Meta.ID == event {
			findings, judged := seen.Findings(s.Findings, s.Of, seen.who)
			return &hindsight{s.On, findings, judged && s.Fits && len(s.Unmet()) == 0}
		}
	}
	return nil
}

func (s *Server) registerReadiness() {
	register(s, query("lab-readiness", "/v1/labs/{lab}/readiness", "labs", "逐项说明下一步的每个条件：条款、是否满足、缺什么、依据哪些事件、最早何日可满足。", "Say what each next step of a lab asks, and what is missing"), s.labReadiness)
	register(s, query("lab-impact", "/v1/labs/{lab}/agreements/{agreement}/impact", "labs", "比较协议在两个修订号时的内容：各方、责权利与投入的变化。", "Compare an agreement at two revisions of its lab"), s.labImpact)
	decision := query("lab-decision", "/v1/labs/{lab}/decisions/{event}", "labs", "决定卷宗：当时所知的全部事实，并按当日规则重新判断。", "Read what a past step rested on, judged again")
	decision.Errors = []int{400, 401, 403, 404, 409, 429, 500, 503} // 409: the event is not a step
	register(s, decision, s.labDecision)
	table(s, query("lab-watches", "/v1/labs/{lab}/watches", "labs", "一个实验室即将到期或已经逾期的事项。", "List what lapses for a lab, or has lapsed"), s.labWatches)
	table(s, query("lab-matrix", "/v1/labs/{lab}/matrix", "labs", "责权利矩阵：每一方的责、权、利。", "Read a lab's matrix of responsibilities, rights and interests"), s.labMatrix)
	table(s, report("list-watches", "/v1/watches", "各实验室即将到期或已经逾期的事项。", "List what lapses across labs, or has lapsed"), s.listWatches)
}

func (s *Server) labReadiness(ctx context.Context, in *LabInput) (*record[readinessView], error) {
	l, events, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	status := l.StatusOn(w.on)
	judged, err := s.programmeWhen(ctx, l.Programme, w)
	if err != nil {
		return nil, err
	}
	seen, err := s.visibilityOf(ctx, in.Lab)
	if err != nil {
		return nil, err
	}
	claims, _ := claimsOf(ctx) // the caller may have recorded the submission
	steps := l.Readiness(judged, claims.actor(), w.on)
	for i := range steps {
		seen.withhold(&steps[i])
	}
	return singleAt(Conditional{}, w, events, false, &readinessView{
		ID: l.ID, Name: l.Name(), On: w.on, Policy: judged.PolicyOn(w.on).Document, Status: status,
		StatusText: status.Text(), Steps: steps, Revision: events - 1, Asked: w.asked(),
		Raised: lab.JudgeUnder(lab.RuleContext{Policy: judged.PolicyOn(w.on), Actor: claims.actor()}, l, w.on,
			lab.RecordRules...),
		Unsupported: seen.view(l).Unsupported,
	}), nil
}

// programmeWhen returns the facts of a programme at a moment, empty if it was not on
// record. Its policies carry their own dates.
func (s *Server) programmeWhen(ctx context.Context, name string, w moment) (domain.Programme, error) {
	if w.at.IsZero() {
		return s.programmeNamed(ctx, name)
	}
	p, _, _, err := s.model.ProgrammeAt(ctx, domain.ProgrammeID(cmp.Or(name, lab.DefaultProgramme)),
		projections.Moment{Position: w.at.Position})
	if errors.Is(err, projections.ErrNotFound) {
		return domain.Programme{}, nil
	}
	if err != nil {
		return domain.Programme{}, err
	}
	return p.Facts(), nil
}

func watchRows(l *lab.Lab, p domain.Policy, on domain.Date, ahead int) (rows []watchRow) {
	for _, w := range l.Watches(p, on, ahead) {
		rows = append(rows, watchRow{
			Lab: l.ID, Name: l.Name(), Kind: w.Kind, Subject: w.Subject, Due: w.Due,
			Lapsed: w.Lapsed, Text: w.Text,
		})
	}
	return rows
}

func (s *Server) labWatches(ctx context.Context, in *labWatchesInput) ([]watchRow, error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	judged, err := s.programmeWhen(ctx, l.Programme, w)
	if err != nil {
		return nil, err
	}
	return watchRows(l, judged.PolicyOn(w.on), w.on, in.Ahead), nil
}

func (s *Server) listWatches(ctx context.Context, in *WatchesInput) (rows []watchRow, err error) {
	w, err := s.resolveMoment(ctx, in.When)
	if err != nil {
		return nil, err
	}
	policies := map[string]domain.Policy{}
	err = s.eachLab(ctx, w.at, func(l *lab.Lab) error {
		if _, ok := policies[l.Programme]; !ok {
			judged, err := s.programmeWhen(ctx, l.Programme, w)
			if err != nil {
				return err
			}
			policies[l.Programme] = judged.PolicyOn(w.on)
		}
		rows = append(rows, watchRows(l, policies[l.Programme], w.on, in.Ahead)...)
		return nil
	})
	slices.SortStableFunc(rows, func(a, b watchRow) int { return a.Due.Compare(b.Due) })
	return rows, err
}

func (s *Server) labMatrix(ctx context.Context, in *PartsInput) (rows []matrixRow, err error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	for _, c := range l.Matrix(w.on) {
		row := matrixRow{Party: c.Party.Name, PartyID: c.Party.ID, Kind: c.Kind, KindText: c.Kind.Text()}
		if len(c.Items) == 0 {
			rows = append(rows, row)
		}
		for _, it := range c.Items {
			row.Item, row.Agreement, row.Clause, row.Text = it.ID, it.Agreement, it.Clause, it.Text
			row.Due, row.State, row.Overdue = it.Due, it.State, it.OverdueOn(w.on)
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// foldTo returns a lab folded up to and including a revision, with the corrections
// known by then.
func foldTo(id uuid.UUID, history []domain.RecordedEvent[lab.Event], revision uint64) *lab.Lab {
	l := lab.New(id)
	domain.Fold(l, history[:min(revision+1, uint64(len(history)))])
	return l
}

func (s *Server) labImpact(ctx context.Context, in *impactInput) (*record[impactView], error) {
	history, err := s.labs.History(ctx, in.Lab)
	if err != nil {
		return nil, err
	}
	for name, revision := range map[string]uint64{"from": in.From, "to": in.To} {
		if len(history) > 0 && revision >= uint64(len(history)) {
			return nil, badParameter("query."+name, "没有这个修订号；请对照实验室的历史", "the lab has no such revision; see its history")
		}
	}
	seen := visibilityFrom(ctx, foldTo(in.Lab, history, uint64(len(history))))
	before, ok := seen.view(foldTo(in.Lab, history, in.From)).VersionOf(in.Agreement)
	after, also := seen.view(foldTo(in.Lab, history, in.To)).VersionOf(in.Agreement)
	if !also || !ok {
		return nil, domain.Reject(domain.NotFound, "在这两个修订号中，实验室不都有协议 %s", "the lab does not have agreement %s at both of these revisions", in.Agreement)
	}
	return single(Conditional{}, uint64(len(history)), false, &impactView{before, after, before.Compare(after)}), nil
}

func (s *Server) labDecision(ctx context.Context, in *decisionInput) (*record[decisionFile], error) {
	history, err := s.labs.History(ctx, in.Lab)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(history, func(h domain.RecordedEvent[lab.Event]) bool { return h.Meta.ID == in.Event })
	seen := visibilityFrom(ctx, foldTo(in.Lab, history, uint64(len(history))))
	if i < 0 || !seen.includes(history, i) {
		return nil, domain.Reject(domain.NotFound, "该实验室的历史中没有这个事件", "the lab's history has no such event")
	}
	h := history[i]
	before := lab.New(in.Lab)
	domain.Fold(before, history[:i])
	rules, err := s.programmes.History(ctx, domain.ProgrammeID(cmp.Or(before.Programme, lab.DefaultProgramme)))
	if err != nil {
		return nil, err
	}
	d, is, err := before.Rejudge(h, programme.FactsAt(rules, h.Meta.Time))
	if !is {
		return nil, domain.Reject(domain.State, "该事件不是按规则判断的状态变更", "this event is no step of the status machine that rules are judged for")
	}
	findings, judged := seen.Findings(d.Findings, before.Reviewed(), seen.who)
	return single(Conditional{}, uint64(len(history)), false, &decisionFile{
		Event: h.Meta.ID, Type: eventstore.Name(h.Event), Sentence: h.Event.Sentence(),
		Recorded: h.Meta, On: d.On, Findings: findings, Verdict: judged && err == nil,
		State: seen.view(before),
		Now:   hindsightOn(in.Lab, history, in.Event, programme.FactsAt(rules, s.now()), seen),
	}), nil
}
