package lab_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestC53Transitions(t *testing.T) {
	for status := range paths {
		t.Run(string(status), func(t *testing.T) {
			s, last := at(t, status)
			day := last.AddDays(1000) // three years of incubation, where it has just begun
			for _, st := range lab.Steps {
				state := s.State()
				for n := 0; slices.Contains(st.From, status); n++ {
					waits := prelude(state, st.Command, day)
					if len(waits) == 0 {
						break
					}
					events, err := waits[0].Decide(state, from(waits[0], day.String()))
					if err != nil {
						t.Fatal(err)
					}
					state.Apply(domain.RecordedEvent[lab.Event]{Meta: domain.Meta{ID: domaintest.ID(n),
						Actor: by(waits[0])}, Event: events[0]})
				}
				events, err := moves[st.Command](day).Decide(state, from(moves[st.Command](day), day.String()))
				if !slices.Contains(st.From, status) {
					if events != nil {
						t.Fatalf("%s: accepted", st.Command)
					}
					domaintest.Refused(t, err, domain.State)
					continue
				}
				if err != nil || len(events) != 1 {
					t.Errorf("%s: %d events, %v", st.Command, len(events), err)
					continue
				}
				h := domain.RecordedEvent[lab.Event]{Meta: domain.Meta{ID: domaintest.ID(999),
					Time: on(day.String()).Now, Actor: by(moves[st.Command](day))}, Event: events[0]}
				if d, is, err := state.Rejudge(h, domain.Programme{}); !is || err != nil ||
					d.Step.Command != st.Command {
					t.Errorf("%s is judged again as %s: %v, %v", st.Command, d.Step.Command, is, err)
				}
				state.Apply(h)
				m := state.Moves[len(state.Moves)-1]
				if state.Status != st.To || m.From != status || m.To != st.To || m.On != day.Partial() ||
					m.Event != domaintest.ID(999) {
					t.Errorf("%s led to %s: %+v", st.Command, state.Status, m)
				}
			}
		})
	}
}

func TestStepRequiredFields(t *testing.T) {
	for status, cmds := range map[lab.Status][]struct {
		cmd lab.Command
		at  []string
	}{
		lab.StatusProposed: {{lab.StartIncubation{}, []string{"on"}}, {lab.Withdraw{}, []string{"on", "ground"}}},
		lab.StatusIncubating: {
			{lab.SubmitApplication{}, []string{"on", "effect", "document"}},
			{lab.SubmitApplication{On: date("2020-02-29"), Effect: because, Document: digest(1)},
				[]string{"on"}}, // before incubation began
			{lab.SubmitApplication{On: date("2099-01-01"), Effect: because, Document: digest(1)}, []string{"on"}},
		},
		lab.StatusRecommended: {{lab.ReturnApplication{On: date("2023-06-01")}, []string{"ground"}}},
		lab.StatusReturned:    {{lab.ResubmitApplication{On: date("2023-12-01")}, []string{"answer", "document"}}},
		lab.StatusInReview:    {{lab.DeclineEstablishment{On: date("2023-12-01")}, []string{"ground"}}},
		lab.StatusSiteVisit: {
			{lab.ApproveEstablishment{On: date("2023-12-01")}, []string{"construction.from"}},
			{lab.ApproveEstablishment{On: date("2023-12-01"), Construction: period("2024-01-01", "2023-12-31")},
				[]string{"construction.to"}},
		},
		lab.StatusConstruction: {
			{lab.ExtendConstruction{On: date("2024-06-01")}, []string{"until", "ground"}},
			{lab.ExtendConstruction{On: date("2024-06-01"), Until: date("2024-02-01"), Ground: because},
				[]string{"until"}},
			{lab.ApplyForAcceptance{On: date("2024-06-01")}, []string{"standard", "document"}},
			{lab.Withdraw{On: date("2024-06-01"), Ground: because}, []string{"consent"}},
		},
		lab.StatusPeerEval: {
			{lab.RequireRectification{On: date("2025-01-01"), By: date("2025-01-01")}, []string{"by", "ground"}},
			{lab.DecideNotPassed{On: date("2025-01-01")}, []string{"ground"}},
		},
		lab.StatusOperating: {
			{lab.Suspend{On: date("2025-01-01")}, []string{"ground"}},
			{lab.Close{On: date("2025-01-01"), MergedInto: domaintest.Aggregate}, []string{"ground", "merged_into"}},
		},
		lab.StatusSuspended: {{lab.Revoke{On: date("2025-06-01")}, []string{"ground"}}},
	} {
		s, _ := at(t, status)
		for _, c := range cmds {
			s.When(c.cmd, on("2026-01-01")).ThenRefused(domain.Invalid, c.at...)
		}
	}
}

func TestEndedLabIsImmutable(t *testing.T) {
	s, _ := at(t, lab.StatusClosed)
	for _, cmd := range []lab.Command{
		lab.Rename{}, lab.SetDiscipline{}, draft(), lab.AddRight{}, lab.PledgeCommitment{}, lab.AdoptPlan{},
		lab.StartIncubation{}, lab.RecordHistory{},
	} {
		s.When(cmd, on("2026-01-01")).ThenRefused(domain.State)
	}
	if got := s.State(); got.MergedInto.String() != "ffffffff-ffff-ffff-ffff-ffffffffffff" || got.Certificate != "教技函〔2024〕1号" {
		t.Errorf("merged into %s, recognised by %q", got.MergedInto, got.Certificate)
	}
}

func TestUnknownLab(t *testing.T) {
	s := domaintest.New[*lab.Lab, lab.Event](t, lab.New)
	for _, cmd := range []lab.Command{
		lab.Rename{}, lab.SetDiscipline{}, lab.LinkPlatform{}, lab.UnlinkPlatform{}, lab.NamePartner{},
		lab.AssertFact{},
		lab.AttestIndependence{}, lab.AdoptPlan{}, lab.AssignTask{}, lab.EstablishManagementBody{}, draft(),
		lab.SignAgreement{},
		lab.AddRight{}, lab.AmendRight{}, lab.PledgeCommitment{}, lab.CancelCommitment{}, lab.StartIncubation{},
		lab.RecordHistory{},
	} {
		s.When(cmd, on("2026-01-01")).ThenRefused(domain.NotFound)
	}
}

func TestConstructionDue(t *testing.T) {
	s, approved := at(t, lab.StatusConstruction)
	l, end := s.State(), approved.AddDays(60)
	if l.StatusOn(end) != lab.StatusConstruction || l.StatusOn(end.AddDays(1)) != lab.StatusDue ||
		l.Status != lab.StatusConstruction {
		t.Errorf("on the last day %s, the day after %s", l.StatusOn(end), l.StatusOn(end.AddDays(1)))
	}
	play(s, step{approved.AddDays(70).String(),
		lab.ExtendConstruction{On: approved.AddDays(50), Until: end.AddDays(30), Ground: because}})
	l = s.State()
	if l.StatusOn(end.AddDays(1)) != lab.StatusConstruction || l.StatusOn(end.AddDays(31)) != lab.StatusDue ||
		l.StatusSince != approved.Partial() {
		t.Errorf("extended: the day after %s, since %s", l.StatusOn(end.AddDays(1)), l.StatusSince)
	}
	// The refusal names the status people see, and what can follow.
	s.When(lab.Recognise{On: end.AddDays(31)}, on(end.AddDays(31).String())).ThenRefused(domain.State)
	want := "the lab is “construction period over, no application yet” and cannot become “recognised, open” from there; it can become: acceptance applied for; withdrawn"
	if got := s.Rejection().Detail.En; got != want {
		t.Errorf("refused with %q, want %q", got, want)
	}
}

func TestRectificationDeadline(t *testing.T) {
	s, last := at(t, lab.StatusRectifying)
	if got := s.State().RectifyBy; got != last.AddDays(90) {
		t.Errorf("to rectify by %s", got)
	}
	play(s, step{last.AddDays(10).String(), acceptanceOn(last.AddDays(10))})
	if got := s.State().RectifyBy; !got.IsZero() {
		t.Errorf("still to rectify by %s after it applied again", got)
	}
}

func TestRecordHistory(t *testing.T) {
	source := domain.Grounds{Basis: domain.Basis{Source: "labs.csv row 3"}}
	from := lab.RecordHistory{Grounds: source, Status: lab.StatusConstruction, On: partial("2015"),
		Construction: domain.PartialPeriod{From: partial("2016-01"), To: partial("2018-12")}}
	s := proposed(t).When(from, on("2020-02-01")).Then(lab.HistoryRecorded{
		From: lab.StatusProposed, To: lab.StatusConstruction, On: partial("2015"),
		Construction: domain.PartialPeriod{From: partial("2016-01"), To: partial("2018-12")},
	})
	l := s.State()
	if l.StatusSince != partial("2015") || l.StatusOn(date("2018-12-31")) != lab.StatusConstruction ||
		l.StatusOn(date("2019-01-01")) != lab.StatusDue {
		t.Errorf("since %s; after the period %s", l.StatusSince, l.StatusOn(date("2019-01-01")))
	}
	s.When(from, on("2020-02-02")).ThenRefused(domain.State) // it has a history now
	play(prepare(s, "apply-for-acceptance", date("2020-03-01")), step{"2020-06-01", acceptanceOn(date("2020-03-01"))})

	s = proposed(t)
	s.When(lab.RecordHistory{Status: lab.StatusDue, On: partial("2021"),
		Construction: domain.PartialPeriod{From: partial("2022"), To: partial("2019")}}, on("2020-02-01")).
		ThenRefused(domain.Invalid, "status", "on", "basis", "construction.to")
	s.When(lab.RecordHistory{Grounds: source, Status: lab.StatusIncubating}, on("2020-02-01")).
		Then(lab.HistoryRecorded{From: lab.StatusProposed, To: lab.StatusIncubating})
	f := judgeBuiltIn(s.State(), date("2030-01-01"), "C62")[0]
	if f.Met || f.Missing[0].En != "the register does not know when incubation began; correct the status taken from the source so that it gives a date" {
		t.Errorf("without a date: %+v", f)
	}
}

func TestDaysAreChinese(t *testing.T) {
	s := agreed(t)
	start := lab.StartIncubation{On: date("2020-05-02")}
	x := on("2020-05-01")
	x.Now = time.Date(2020, 5, 1, 15, 59, 59, 999_999_999, time.UTC)
	s.When(start, x).ThenRefused(domain.Invalid, "on")
	x.Now = time.Date(2020, 5, 1, 16, 0, 0, 0, time.UTC)
	s.When(start, x).ThenAccepted()
}
