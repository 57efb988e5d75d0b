package programme_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/programme"
)

type scenario = domaintest.Scenario[*programme.Programme, programme.Event]

var (
	name    = domain.T("国际合作联合实验室计划", "Plan for Joint International Research Laboratories")
	title   = domain.T("政策", "a policy")
	on      = domaintest.On("2024-01-01")
	date    = domain.MustDate
	without = func(s domain.IndicatorSystem, drop func(domain.Criterion) bool) domain.IndicatorSystem {
		s.Criteria = slices.DeleteFunc(slices.Clone(s.Criteria), drop)
		return s
	}
)

// registered returns a programme on record.
func registered(t *testing.T) *scenario {
	s := domaintest.New[*programme.Programme, programme.Event](t, func(uuid.UUID) *programme.Programme {
		return programme.New(domain.ProgrammeID(name.Zh))
	})
	return s.When(programme.RegisterProgramme{Name: name, Level: "ministry"}, on).
		Then(programme.Registered{Name: name, Level: "ministry"})
}

func policy(document, from string) programme.AdoptPolicy {
	return programme.AdoptPolicy{Terms: domain.Terms{
		Document: document, Title: title, Effective: domain.Period{From: date(from)}, Rules: "2014",
		IncubationYears: 2, ConstructionYears: 3,
	}}
}

// quotes requires that the last refusal quotes the document under a rule.
func quotes(t *testing.T, s *scenario, rule string) {
	t.Helper()
	document, err := os.ReadFile("../lab/testdata/plan-2014-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	f := s.Rejection().Findings[0]
	if f.Rule != rule || f.Quote == "" || !strings.Contains(string(document), f.Quote) || f.Clause == "" ||
		len(f.Missing) == 0 {
		t.Errorf("refused with %+v", f)
	}
}

func sample(t *testing.T, body []byte) (p programme.PublishIndicatorSystem) {
	t.Helper()
	if err := json.Unmarshal(body, &p, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRegisterProgramme(t *testing.T) {
	s := registered(t)
	s.When(programme.RegisterProgramme{Name: name, Level: "ministry"}, on).ThenRefused(domain.Exists)
	other := domaintest.New[*programme.Programme, programme.Event](t, programme.New)
	other.When(programme.RegisterProgramme{Name: name, Level: "city"}, on).ThenRefused(domain.Invalid, "name", "level")
	for _, cmd := range []programme.Command{policy("1号", "2014-01-01"), programme.SupersedePolicy{}, programme.OpenCall{}, programme.PublishIndicatorSystem{}, programme.IssueNotice{}} {
		other.When(cmd, on).ThenRefused(domain.NotFound)
	}
}

func TestC03Policy(t *testing.T) {
	s := registered(t)
	facts := func() domain.Programme { return s.State().Facts() }
	if got := facts().PolicyOn(date("2024-01-01")).Document; got != "教技〔2014〕1号" {
		t.Errorf("with nothing on record %s holds", got)
	}
	s.When(programme.AdoptPolicy{}, on).ThenRefused(domain.Invalid, "document", "title", "effective.from", "rules",
		"construction_years")
	s.When(policy("省科〔2020〕1号", "2020-06-01"), on).ThenAccepted()
	s.When(policy("省科〔2020〕1号", "2021-01-01"), on).ThenRefused(domain.Refused, "C03")
	quotes(t, s, "C03")
	s.When(policy("省科〔2022〕2号", "2022-01-01"), on).ThenAccepted()
	s.When(programme.SupersedePolicy{Document: "省科〔2020〕1号", By: "省科〔2022〕2号", On: date("2021-12-31")}, on).ThenRefused(domain.Invalid, "on")
	supersede := programme.SupersedePolicy{Document: "省科〔2020〕1号", By: "省科〔2022〕2号", On: date("2022-03-01")}
	s.When(supersede, on).Then(programme.PolicySuperseded{Document: supersede.Document, By: supersede.By,
		On: supersede.On})
	s.When(supersede, on).ThenRefused(domain.Invalid, "document")
	for day, want := range map[string]string{
		"2020-05-31": "教技〔2014〕1号", "2020-06-01": "省科〔2020〕1号", "2021-12-31": "省科〔2020〕1号", "2022-01-01": "省科〔2022〕2号", "2030-01-01": "省科〔2022〕2号",
	} {
		if got := facts().PolicyOn(date(day)).Document; got != want {
			t.Errorf("on %s %s holds, want %s", day, got, want)
		}
	}
	if got := s.State().Policies[0]; got.SupersededBy != "省科〔2022〕2号" || got.Effective.To != date("2022-02-28") {
		t.Errorf("%+v", got)
	}
}

func TestC27CoreCriteria(t *testing.T) {
	s := registered(t)
	whole := sample(t, programme.SampleEstablishment)
	for _, core := range domain.Cores {
		part := whole
		part.IndicatorSystem = without(whole.IndicatorSystem, func(c domain.Criterion) bool { return c.Core == core })
		s.When(part, on).ThenRefused(domain.Refused, "C27")
		quotes(t, s, "C27")
	}
	s.When(whole, on).Then(programme.IndicatorSystemPublished{IndicatorSystem: whole.IndicatorSystem})
	s.When(whole, on).ThenRefused(domain.Invalid, "version")
	twice := whole
	twice.Version, twice.Sample = "2", false
	twice.Criteria = append(slices.Clone(whole.Criteria), whole.Criteria[0])
	s.When(twice, on).ThenRefused(domain.Invalid, "document", "criteria.indicators.id", "criteria.indicators.id")
	next := whole
	next.Version, next.Effective.From = "sample-2", date("2023-01-01")
	s.When(next, on).ThenAccepted()
	if got := s.State().Systems; got[0].Effective.To != date("2022-12-31") || !got[1].Effective.To.IsZero() {
		t.Errorf("the version before ends on %s", got[0].Effective.To)
	}
}

func TestC75Dimensions(t *testing.T) {
	s := registered(t)
	whole := sample(t, programme.SampleAcceptance)
	part := whole
	part.IndicatorSystem = without(whole.IndicatorSystem,
		func(c domain.Criterion) bool { return c.Dimension == "team" })
	s.When(part, on).ThenRefused(domain.Refused, "C75")
	quotes(t, s, "C75")
	s.When(whole, on).ThenAccepted()
}

func TestSamplesAreMarked(t *testing.T) {
	for _, body := range [][]byte{programme.SampleEstablishment, programme.SampleAcceptance} {
		p := sample(t, body)
		said := programme.IndicatorSystemPublished{IndicatorSystem: p.IndicatorSystem}.Sentence()
		if !p.Sample || p.Document != "" || !strings.Contains(p.Title.Zh, "自拟样表") || !strings.Contains(said.En, "the register's own sample") || !strings.Contains(said.Zh, "并非教育部文件") {
			t.Errorf("%+v: %+v", p.Title, said)
		}
	}
}

func TestC30OpenCall(t *testing.T) {
	s := registered(t)
	open := policy("教技〔2014〕1号", "2014-01-01")
	byCall := policy("教技〔2022〕5号", "2022-01-01")
	byCall.ByCall = true
	s.When(open, on).ThenAccepted().When(byCall, on).ThenAccepted()
	call := programme.OpenCall{Policy: open.Document, Call: domain.Call{Document: "教技厅函〔2022〕7号", Title: title, Window: domain.Period{From: date("2022-05-01"), To: date("2022-06-30")}}}
	s.When(call, on).ThenRefused(domain.Refused, "C30")
	quotes(t, s, "C30")
	s.When(programme.OpenCall{}, on).ThenRefused(domain.Invalid, "policy", "document", "title", "window.from",
		"window.to")
	call.Policy = byCall.Document
	s.When(call, on).Then(programme.CallOpened{Policy: byCall.Document, Call: call.Call})
	s.When(call, on).ThenRefused(domain.Invalid, "document")
}

func TestC31Notice(t *testing.T) {
	s := registered(t)
	x := domaintest.On("2024-01-01", domaintest.KnowingLab(domaintest.ID(1), domain.T("甲实验室", "Lab A")), domaintest.KnowingLab(domaintest.ID(2), domain.T("乙实验室", "Lab B")))
	notice := func(decisions ...programme.Decision) programme.IssueNotice {
		return programme.IssueNotice{Document: "教技函〔2023〕9号", Title: title, On: date("2023-12-01"), Decisions: decisions}
	}
	a, b := programme.Decision{Lab: domaintest.ID(1), Decision: "established"},
		programme.Decision{Lab: domaintest.ID(2), Decision: "declined"}
	s.When(notice(a, b, a), x).ThenRefused(domain.Refused, "C31")
	quotes(t, s, "C31")
	s.When(notice(), x).ThenRefused(domain.Refused, "C31")
	s.When(notice(programme.Decision{Lab: domaintest.ID(3), Decision: "maybe"}), x).
		ThenRefused(domain.Invalid, "decisions.lab", "decisions.decision")
	s.When(notice(a, b), x).ThenAccepted()
	want := domain.T("2023-12-01 发布通知 教技函〔2023〕9号“政策”，甲实验室：立项建设；乙实验室：未获立项", "On 2023-12-01 the notice 教技函〔2023〕9号, “a policy”, was issued. Lab A: established; Lab B: declined")
	if got := s.Events()[0].Sentence(); got != want {
		t.Errorf("%+v", got)
	}
	s.When(notice(a), x).ThenRefused(domain.Invalid, "document")
	if got := s.State().Notices; len(got) != 1 || got[0].Decisions[1].Name.En != "Lab B" {
		t.Errorf("%+v", got)
	}
}

func TestCorrection(t *testing.T) {
	s := registered(t)
	p := policy("教技〔2014〕1号", "2014-01-01")
	s.When(p, on).ThenAccepted()
	p.IncubationYears = 1
	s.GivenOn(on, programme.Corrected{Correction: domain.Correction{Corrects: domaintest.Event(1),
		With: domain.Restated{Event: programme.PolicyAdopted{Terms: p.Terms}}}})
	if got := s.State().Policies; len(got) != 1 || got[0].IncubationYears != 1 {
		t.Errorf("%+v", got)
	}
}
