package lab_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// refuses requires a refusal by one rule among the given ones, with its quote
// as the document has it, with the text want.
func refuses(t *testing.T, s *scenario, cmd lab.Command, x domain.Context, rule, quote, want string, also ...string) {
	t.Helper()
	s.When(cmd, x).ThenRefused(domain.Refused, append(also, rule)...)
	for _, f := range s.Rejection().Findings {
		if f.Rule != rule {
			continue
		}
		if f.Quote != quote {
			t.Errorf("%s quotes %q", rule, f.Quote)
		}
		if !slices.ContainsFunc(f.Missing, func(m domain.Text) bool { return strings.Contains(m.En, want) }) {
			t.Errorf("%s does not say %q: %+v", rule, want, f.Missing)
		}
	}
}

// incubating is a lab that meets what is asked of the lab itself.
func incubating(t *testing.T) *scenario {
	return given(t, slices.Concat([]step{start}, agreement, conditions,
		[]step{{"2020-06-01", lab.StartIncubation{On: date("2020-03-01")}}})...)
}

var submit = lab.SubmitApplication{On: date("2022-03-01"), Effect: because, Document: digest(7)}

// under is a context of a day with a policy on record.
func under(day string, p domain.Terms, calls ...domain.Call) domain.Context {
	x := from(submit, day)
	x.Programme.Policies = []domain.Policy{{Terms: p, Calls: calls}}
	return x
}

var later = domain.Terms{Document: "教技〔2022〕5号", Title: because, Rules: "2014", Effective: domain.Period{From: date("2022-01-01")}, IncubationYears: 2, ConstructionYears: 4}

func TestC08PlatformEvidence(t *testing.T) {
	s := play(incubating(t), applying...)
	play(s, step{"2022-02-20", lab.UnlinkPlatform{Platform: "P1", On: date("2022-02-15")}})
	if !judgeBuiltIn(s.State(), date("2022-02-14"), "C08")[0].Met {
		t.Error("the platform does not count until it is unlinked")
	}
	refuses(t, s, submit, on("2022-03-01"), "C08", "选择高校优势学科和领域，依托国家级或水平相当的科技创新平台", "no platform is linked", "C19")
}

// submits plays an application of a lab but for the steps left out.
func submits(t *testing.T, left func(step) bool) *scenario {
	steps := slices.Concat([]step{start}, agreement, conditions,
		[]step{{"2020-06-01", lab.StartIncubation{On: date("2020-03-01")}}}, applying)
	return given(t, slices.DeleteFunc(steps, left)...)
}

func lacksObjective(t *testing.T, kind lab.ObjectiveKind, rule, quote, want string) {
	t.Helper()
	s := submits(t, sends(func(o lab.SetObjective) bool { return o.Kind == kind }))
	refuses(t, s, submit, on("2022-03-01"), rule, quote, want)
	late := target(kind)
	late.BaselineOn = date("2022-03-02")
	play(s, step{"2022-03-02", late})
	refuses(t, s, submit, on("2022-03-02"), rule, quote, want) // on the day of the application there was none
	play(s, step{"2022-03-02", target(kind)})
	s.When(submit, on("2022-03-02")).ThenAccepted()
}

func TestC10DisciplineObjective(t *testing.T) {
	lacksObjective(t, lab.DisciplineObjective, "C10", "一是支撑形成一流学科，引领新兴、交叉发展方向，学科实力达到国际一流水平", "the objective “discipline” has no indicator")
}

func TestC11ResearchObjective(t *testing.T) {
	lacksObjective(t, lab.ResearchObjective, "C11", "二是承担国际前沿或重大需求科研任务，持续产出国际学术界公认具有重大科学价值的原始创新成果，学术影响力进入国际一流", "the objective “research” has no indicator")
}

func TestC12TeamObjective(t *testing.T) {
	lacksObjective(t, lab.TeamObjective, "C12", "三是汇聚国际一流创新人才，培养具有国际视野杰出创新能力的科学家，领军人才水平达到世界一流", "the objective “team” has no indicator")
}

func TestC13TrainingObjective(t *testing.T) {
	lacksObjective(t, lab.TrainingObjective, "C13", "四是充分利用国际化人才培养手段，进一步提升人才培养能力，人才培养质量达到国际一流", "the objective “training” has no indicator")
}

func TestC14ManagementObjectives(t *testing.T) {
	for _, k := range objectives[4:] {
		lacksObjective(t, k, "C14", "五是执行国际化运行机制、人才评聘、学术评价和支撑服务，实验室管理水平达到国际一流", "the objective “"+k.Text().En+"” has no indicator")
	}
}

func TestC20ForeignPartner(t *testing.T) {
	quote := "外方合作单位（高校或科研院所）应在相关领域具有世界一流或先进水平"
	s := submits(t, sends[lab.AssessPartner]())
	refuses(t, s, submit, on("2022-03-01"), "C20", quote, "the standing of University of Oxford has not been judged")
	judge := func(level, day string) step {
		return step{"2022-03-01", lab.AssessPartner{Party: oxford.ID, Level: level, Opinion: because, On: date(day)}}
	}
	play(s, judge("advanced", "2021-01-01"), judge("below", "2022-02-01")) // the last judgement holds
	refuses(t, s, submit, on("2022-03-01"), "C20", quote,
		"University of Oxford was judged not to be of advanced standing")
	play(s, judge("world-class", "2022-03-01"))
	s.When(submit, on("2022-03-01")).ThenAccepted()
}

func TestC19PlatformLevel(t *testing.T) {
	s := play(incubating(t), applying[:3]...)
	play(s, step{"2022-02-01", lab.UnlinkPlatform{Platform: "P1", On: date("2022-02-01")}},
		step{"2022-02-01", lab.LinkPlatform{Name: because, Level: "provincial", Evidence: digest(1)}})
	quote := "中方申请单位（高校）相关学科应是国家重点学科和特色优势学科，建有国家重点实验室或教育部重点实验室等科研平台"
	modes := later
	modes.Modes = []domain.Mode{domain.PlatformMode, domain.OverseasTeamMode}
	freeze := func(m domain.Mode) lab.FreezePackage {
		return lab.FreezePackage{On: date("2022-02-02"), Mode: m, Document: digest(7)}
	}
	s.When(freeze(""), under("2022-02-02", modes)).ThenRefused(domain.Invalid, "mode")
	s.When(freeze(domain.PlatformMode), on("2022-02-02")).
		ThenRefused(domain.Invalid, "mode") // the document of 2014 knows no modes
	s.When(freeze(domain.PlatformMode), under("2022-02-02", modes)).ThenAccepted()
	refuses(t, s, submit, on("2022-03-01"), "C19", quote, "no national or ministerial platform is linked")
	s.When(submit, under("2022-03-01", modes)).ThenAccepted()
	modes.ExcludesBases = true
	s, modes.Modes = play(incubating(t), applying...), nil
	play(s, step{"2022-02-01", lab.UnlinkPlatform{Platform: "P1", On: date("2022-02-01")}},
		step{"2022-02-01", lab.LinkPlatform{Name: domain.T("平台", "Platform"), Level: "national", Base: true, Evidence: digest(1)}})
	refuses(t, s, submit, under("2022-03-01", modes), "C19", quote, "Platform already holds a national base")
	s.When(submit, on("2022-03-01")).ThenAccepted() // the document of 2014 leaves none out
	s = play(incubating(t), applying[:3]...)
	play(s, step{"2022-02-01", lab.UnlinkPlatform{Platform: "P1", On: date("2022-02-01")}},
		step{"2022-02-01", lab.LinkPlatform{Name: because, Level: "provincial", Evidence: digest(1)}})
	play(s, step{"2022-03-02", lab.LinkPlatform{Name: because, Level: "ministerial", Evidence: digest(1)}})
	if !judgeBuiltIn(s.State(), date("2022-03-02"), "C19")[0].Met {
		t.Error("a ministerial platform does not do")
	}
}

func TestC21PartnerInstitutes(t *testing.T) {
	s := three(t)
	f := judgeBuiltIn(s.State(), date("2020-03-01"), "C21")[0]
	if f.Met || len(f.Missing) != 2 || f.Quote != "并落实相对独立的研究机构承担共建任务" || f.Missing[1].En != "University of Bonn has designated no institute that carries out its part" {
		t.Errorf("%+v", f)
	}
	if f := judgeBuiltIn(agreed(t).State(), date("2020-03-01"), "C21")[0]; !f.Met || len(f.Proof) == 0 {
		t.Errorf("%+v", f)
	}
}

func TestC30CallWindow(t *testing.T) {
	s := play(incubating(t), applying...)
	byCall := later
	byCall.ByCall = true
	call := domain.Call{Document: "教技厅函〔2022〕7号", Title: because, Window: period("2022-05-01", "2022-06-30")}
	refuses(t, s, submit, under("2022-03-01", byCall, call), "C30", "不设批次，不限时间，不定名额", "outside every window")
	if f := s.Rejection().Findings[0]; f.Earliest != date("2022-05-01") {
		t.Errorf("possible from %s", f.Earliest)
	}
	inside := submit
	inside.On = date("2022-06-30")
	s.When(inside, under("2022-06-30", byCall, call)).ThenAccepted()
	s = play(incubating(t), applying...)
	s.When(submit, on("2022-03-01")).ThenAccepted() // the document of 2014 asks for no date
}

func TestC63EveryIndicator(t *testing.T) {
	s := incubating(t)
	quote := "对照立项评审指标体系进行自评"
	whole := selfAssessment(date("2021-06-02"))
	part := whole
	part.Answers = whole.Answers[1:]
	refuses(t, s, part, from(part, "2021-06-02"), "C63", quote,
		"the indicator 1.1, “Research tasks at the frontier or of major need”, is not answered")
	part.System = "2099"
	refuses(t, s, part, from(part, "2021-06-02"), "C63", quote, "no version 2099")
	x := from(whole, "2021-06-02")
	x.Programme.Systems = slices.Clone(x.Programme.Systems)
	x.Programme.Systems[0].Effective.To = date("2021-06-01")
	refuses(t, s, whole, x, "C63", quote, "not in force on 2021-06-02")
	twice := whole
	twice.Answers = append(slices.Clone(whole.Answers), whole.Answers[0], lab.Answer{Indicator: "9.9"})
	s.When(twice, from(twice, "2021-06-02")).
		ThenRefused(domain.Invalid, "answers[6].indicator", "answers[7].text", "answers[7].indicator")
	s.When(whole, from(whole, "2021-06-02")).ThenAccepted()
	if a := s.State().Reviews.Applications[0]; a.SelfAssessments[0].System.Version != "sample-1" ||
		!a.SelfAssessments[0].System.Sample || a.SelfAssessments[0].By != "clerk" {
		t.Errorf("%+v", a)
	}
}

func TestC64RecommendingBody(t *testing.T) {
	quote := "经学校或省级主管部门正式向教育部推荐"
	recommend := func(by domain.EntityRef) lab.IssueRecommendation {
		return lab.IssueRecommendation{On: date("2021-06-03"), Issuer: by.ID, Number: "1号", Document: digest(22)}
	}
	affiliate := func(to lab.AffiliatedTo) step {
		return step{"2021-06-01", lab.RecordAffiliation{To: to, Evidence: digest(20)}}
	}
	s := incubating(t)
	refuses(t, s, recommend(nanjing), on("2021-06-03"), "C64", quote, "does not know whom the host answers to")
	play(s, affiliate(lab.ToMinistry))
	refuses(t, s, recommend(jiangsu), on("2021-06-03"), "C64", quote,
		"recommended by itself, not by Jiangsu Education Department")
	s.When(recommend(nanjing), on("2021-06-03")).ThenAccepted()

	s = play(incubating(t), affiliate(lab.ToProvince))
	for _, not := range []domain.EntityRef{nanjing, tsinghua} {
		refuses(t, s, recommend(not), on("2021-06-03"), "C64", quote, "so that authority recommends it")
	}
	s.When(recommend(jiangsu), from(submit, "2021-06-03")).
		ThenRefused(domain.Invalid, "issuer") // a host does not speak for it
	s.When(recommend(jiangsu), on("2021-06-03")).ThenAccepted()
	withdraw := lab.WithdrawRecommendation{On: date("2021-07-01"), Ground: because}
	s.When(withdraw, from(submit, "2021-07-01")).ThenRefused(domain.Invalid, "ground")
	s.When(withdraw, on("2021-07-01")).ThenAccepted()
	s.When(withdraw, on("2021-07-01")).ThenRefused(domain.State)
	refuses(t, play(s, applying[1], applying[3]), submit, on("2022-03-01"), "C64", quote,
		"no formal recommendation stands")
}

func TestC64RecommendationHolds(t *testing.T) {
	s, visit := at(t, lab.StatusSiteVisit)
	prepare(s, "approve-establishment", visit.AddDays(1))
	play(s, step{"2026-01-01", lab.WithdrawRecommendation{On: visit.AddDays(2), Ground: because}})
	refuses(t, s, moves["approve-establishment"](visit.AddDays(3)), on("2026-01-01"), "C64", "经学校或省级主管部门正式向教育部推荐", "no formal recommendation stands")
}

func TestC65SubmitsFrozenPackage(t *testing.T) {
	s := play(incubating(t), applying[:3]...)
	refuses(t, s, submit, on("2022-03-01"), "C65", "提交《国际合作联合实验室建设申请书》", "no application package is frozen")
	s.When(lab.FreezePackage{On: date("2021-06-04"), Document: "x", Attachments: []lab.Attachment{{Digest: "y"}}},
		on("2021-06-04")).
		ThenRefused(domain.Invalid, "document", "attachments[0].title", "attachments[0].digest")
	play(s, applying[3])
	other := submit
	other.Document = digest(8)
	s.When(other, on("2022-03-01")).ThenRefused(domain.Invalid, "document")
	s.When(submit, on("2022-03-01")).ThenAccepted()
}

func TestC66Resubmission(t *testing.T) {
	s, returned := at(t, lab.StatusReturned)
	day := returned.AddDays(10)
	again := lab.ResubmitApplication{On: day, Answer: because, Document: digest(7)}
	refuses(t, s, again, on("2026-01-01"), "C66", "教育部对照有关申报条件对申请书进行评审", "no supplemented package was frozen")
	play(prepare(s, "resubmit-application", day), step{"2026-01-01", moves["resubmit-application"](day)})
	a := s.State().Reviews.Applications
	if len(a) != 1 || len(a[0].Packages) != 2 || len(a[0].Submissions) != 2 || a[0].Submissions[1].Package != 2 ||
		len(a[0].Returns) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestC67Reapplication(t *testing.T) {
	s, review := at(t, lab.StatusInReview)
	s.When(lab.PassOver{On: review}, on("2026-01-01")).ThenRefused(domain.Invalid, "ground")
	play(s, step{"2026-01-01", lab.PassOver{On: review, Ground: because}},
		step{"2026-01-01", lab.ResumeIncubation{On: review.AddDays(1)}})
	again := submit
	again.On = review.AddDays(2)
	s.When(again, on("2026-01-01")).ThenRefused(domain.Refused, "C63", "C64",
		"C65") // what was handed in before does not count
	prepare(s, "submit-application", review.AddDays(2)).When(again, on("2026-01-01")).ThenAccepted()
	a := s.State().Reviews.Applications
	if len(a) != 2 || a[0].Outcome != lab.NotOnShortlist || a[1].Follows != 1 || a[1].Outcome != "" {
		t.Errorf("%+v", a)
	}
}

// visited is a lab at its site visit, with experts Z1 from home and Z2 from
// abroad, and the day.
func visited(t *testing.T) (*scenario, domain.Date) {
	s, visit := at(t, lab.StatusSiteVisit)
	return play(s, step{"2026-01-01", invite(tsinghua, visit)}, step{"2026-01-01", invite(zurich, visit)}), visit
}

func TestC32SitePanel(t *testing.T) {
	quote := "经国内外专家现场论证，达到相关要求的即予立项建设"
	s, visit := visited(t)
	undeclared := invite(bonn, visit)
	undeclared.Declaration = ""
	play(s, step{"2026-01-01", undeclared})
	hold := func(present ...string) lab.HoldSiteArgumentation {
		return lab.HoldSiteArgumentation{On: visit, Present: present, Minutes: digest(23)}
	}
	s.When(hold("Z9"), on("2026-01-01")).ThenRefused(domain.Invalid, "present[0]")
	refuses(t, s, hold("Z1"), on("2026-01-01"), "C32", quote, "no foreign expert")
	refuses(t, s, hold("Z2"), on("2026-01-01"), "C32", quote, "no domestic expert")
	refuses(t, s, hold("Z1", "Z3"), on("2026-01-01"), "C32", quote, "Z3 has not declared")
	s.When(hold("Z1", "Z2"), on("2026-01-01")).ThenAccepted()
	s.When(hold("Z1", "Z2"), on("2026-01-01")).ThenRefused(domain.Exists)
	if !judgeBuiltIn(s.State(), visit, "C32")[0].Met {
		t.Error("C32 is not met")
	}
	// Its employer is named as a partner later: the expert counts no more.
	play(s, step{"2026-01-01", lab.NamePartner{Grounds: source, Entity: zurich.ID, As: "Zürich"}})
	if f := judgeBuiltIn(s.State(), visit, "C32")[0]; f.Met || len(f.Missing) != 2 {
		t.Errorf("%+v", f)
	}
}

func TestC28Opinion(t *testing.T) {
	quote := "高起点、高水平、有特色、有实效的认定标准"
	s, visit := visited(t)
	s.When(opinion("Z1", visit), on("2026-01-01")).ThenRefused(domain.Invalid, "expert") // before the argumentation
	play(s, step{"2026-01-01", lab.HoldSiteArgumentation{On: visit, Present: []string{"Z1", "Z2"},
		Minutes: digest(23)}})
	if f := judgeBuiltIn(s.State(), visit, "C28")[0]; f.Met {
		t.Error("met without an opinion")
	}
	part := opinion("Z1", visit)
	part.Findings.HighLevel, part.Findings.Distinctive = domain.Text{}, domain.T(" ", "")
	refuses(t, s, part, on("2026-01-01"), "C28", quote, "it does not judge “a high level”")
	s.When(opinion("Z1", visit), on("2026-01-01")).ThenAccepted()
	s.When(opinion("Z1", visit), on("2026-01-01")).ThenRefused(domain.Invalid, "expert")
	if f := judgeBuiltIn(s.State(), visit, "C28")[0]; !f.Met {
		t.Errorf("%+v", f)
	}
}

func TestC68Dimensions(t *testing.T) {
	s, visit := at(t, lab.StatusSiteVisit)
	quote := "重点考察合作协议、组建基础、培育进展情况和未来3年发展规划"
	decline := lab.DeclineEstablishment{On: visit, Ground: because}
	for i, d := range lab.ReviewDimensions {
		refuses(t, s, decline, on("2026-01-01"), "C68", quote, d.Text().En)
		if n := len(s.Rejection().Findings[0].Missing); n != 4-i {
			t.Errorf("%d dimensions are missing, want %d", n, 4-i)
		}
		assess := lab.AssessDimension{On: visit, Dimension: d, Text: because}
		play(s, step{"2026-01-01", assess})
		s.When(assess, on("2026-01-01")).ThenRefused(domain.Invalid, "dimension")
	}
	s.When(decline, on("2026-01-01")).ThenAccepted()
}

func TestC69Decision(t *testing.T) {
	s, visit := at(t, lab.StatusSiteVisit)
	approve := moves["approve-establishment"](visit.AddDays(1))
	refuses(t, s, approve, on("2026-01-01"), "C69", "按照“一事一议”原则组织国内外专家现场考察情况确定立项建设单位", "no site visit is on record", "C28", "C32", "C68")
	prepare(s, "approve-establishment", visit).When(approve, on("2026-01-01")).ThenAccepted()
	s.When(approve, on("2026-01-01")).ThenRefused(domain.State)
	if a := s.State().Reviews.Applications[0]; a.Outcome != lab.Established || a.Decided != visit.AddDays(1) {
		t.Errorf("%s on %s", a.Outcome, a.Decided)
	}
}

func TestC70ConstructionPeriod(t *testing.T) {
	for _, c := range []struct {
		x   domain.Context
		end string
	}{{on("2026-01-01"), "2028-12-31"}, {under("2026-01-01", later), "2029-12-31"}} {
		s, visit := at(t, lab.StatusSiteVisit)
		c.x.Actor = domain.Actor{Subject: "minister", Role: domain.Ministry}
		s = prepare(s, "approve-establishment", visit).
			When(lab.ApproveEstablishment{On: visit, Construction: period("2026-01-01", "")}, c.x).ThenAccepted()
		if got := s.State().Construction; got.From != partial("2026-01-01") || got.To != partial(c.end) {
			t.Errorf("construction from %s to %s, want %s", got.From, got.To, c.end)
		}
	}
}

func TestC71StageAssessment(t *testing.T) {
	s, approved := at(t, lab.StatusConstruction)
	end := approved.AddDays(60)
	refuses(t, s, acceptanceOn(end), on("2026-01-01"), "C71", "依托单位（高校）要加强对联合实验室的目标管理和阶段性评估", "no stage assessment")
	s.When(lab.SetStageGoal{}, on("2026-01-01")).ThenRefused(domain.Invalid, "text", "due")
	s.When(lab.SetStageGoal{Text: because, Due: end}, on("2026-01-01")).
		Then(lab.StageGoalSet{Goal: "H1", Text: because, Due: end})
	held := lab.HoldStageAssessment{On: approved.AddDays(40), Goals: []lab.GoalResult{{Goal: "H2"}}, Summary: because,
		Document: digest(25)}
	s.When(held, on("2026-01-01")).ThenRefused(domain.Invalid, "goals[0].goal")
	held.Goals[0].Goal = "H1"
	s.When(held, on("2026-01-01")).ThenAccepted()
	s.When(acceptanceOn(end), on("2026-01-01")).ThenAccepted()
	if a := s.State().Reviews.Acceptances[0]; a.Standard.Version != "sample-1" || a.On != end {
		t.Errorf("%+v", a)
	}
}

func TestC74PeerAndMandate(t *testing.T) {
	s, applied := at(t, lab.StatusAcceptance)
	quote := "由教育部组织国际同行评估"
	commission := lab.CommissionPeerEvaluation{On: applied.AddDays(1)}
	play(s, step{"2026-01-01", invite(tsinghua, applied)})
	refuses(t, s, commission, on("2026-01-01"), "C74", quote, "no foreign peer is invited")
	play(s, step{"2026-01-01", invite(zurich, applied)})
	delegated := commission
	delegated.Delegate = tsinghua.ID
	s.When(delegated, on("2026-01-01")).ThenRefused(domain.Invalid, "delegation")
	s.When(lab.CommissionPeerEvaluation{On: commission.On, Delegation: digest(1)}, on("2026-01-01")).
		ThenRefused(domain.Invalid, "delegate")
	delegated.Delegation = digest(1)
	s.When(delegated, on("2026-01-01")).ThenAccepted()
	peers := s.State().Reviews.Acceptances[0].Experts
	play(s, step{"2026-01-01", opinion(peers[0].ID, commission.On)})
	refuses(t, s, lab.PassAcceptance{On: commission.On}, on("2026-01-01"), "C74", quote,
		"no foreign peer has given an opinion", "C75")
	play(s, step{"2026-01-01", opinion(peers[1].ID, commission.On)})
	s.When(lab.PassAcceptance{On: commission.On}, on("2026-01-01")).ThenRefused(domain.Refused, "C75")
}

func TestC75AcceptanceMatrix(t *testing.T) {
	s, eval := at(t, lab.StatusPeerEval)
	quote := "重点考察建设期间实验室的学科发展、科研成果、队伍汇聚、人才培养和管理运行等方面能力水平和国际化程度"
	built := s.State().Construction
	cell := lab.AssessCell{On: eval, Dimension: "team", Axis: "level", Text: because}
	s.When(cell, on("2026-01-01")).ThenRefused(domain.Invalid, "facts")
	for _, out := range []domain.Date{built.From.Earliest().AddDays(-1), built.To.Latest().AddDays(1)} {
		cell.Facts = []lab.CellFact{{On: built.To.Latest(), Text: because}, {On: out, Text: because}}
		refuses(t, s, cell, on("2026-01-01"), "C75", quote, "lies outside the construction period")
	}
	cell.Facts = cell.Facts[:1]
	s.When(cell, on("2026-01-01")).ThenAccepted()
	s.When(cell, on("2026-01-01")).ThenRefused(domain.Invalid, "dimension")
	refuses(t, s, lab.PassAcceptance{On: eval}, on("2026-01-01"), "C75", quote,
		"“research results”, internationalisation, is not assessed", "C28", "C74")
	for _, f := range s.Rejection().Findings {
		if f.Rule == "C75" && len(f.Missing) != 9 {
			t.Errorf("%d cells are missing", len(f.Missing))
		}
	}
	prepare(s, "pass-acceptance", eval).When(lab.PassAcceptance{On: eval}, on("2026-01-01")).ThenAccepted()
}

func TestC29NoAutomaticPass(t *testing.T) {
	s, eval := at(t, lab.StatusPeerEval)
	prepare(s, "pass-acceptance", eval)
	for _, days := range []int{1, 1000, 36500} {
		if got := s.State().StatusOn(eval.AddDays(days)); got != lab.StatusPeerEval {
			t.Errorf("%d days later it is %s", days, got)
		}
	}
	s.When(lab.DecideNotPassed{On: eval}, on("2026-01-01")).ThenRefused(domain.Invalid, "ground")
	s.When(lab.DecideNotPassed{On: eval, Ground: because}, on("2026-01-01")).ThenAccepted()
	if l := s.State(); l.Status != lab.StatusNotPassed {
		t.Errorf("it is %s", l.Status)
	}
}

func TestC31AcceptanceDecision(t *testing.T) {
	s, eval := at(t, lab.StatusPeerEval)
	prepare(s, "recognise", eval)
	for _, cmd := range []lab.Command{lab.PassAcceptance{On: eval}, lab.DecideNotPassed{On: eval, Ground: because},
		lab.RequireRectification{On: eval, By: eval.AddDays(9), Ground: because}} {
		refuses(t, s, cmd, on("2026-01-01"), "C31", "成熟一个认定一个", "recognise the lab")
	}
	s.When(lab.Recognise{On: eval}, on("2026-01-01")).ThenAccepted()
}

func TestC76Recognition(t *testing.T) {
	s, eval := at(t, lab.StatusPeerEval)
	quote := "在通过验收后正式开放运行"
	refuses(t, s, lab.Recognise{On: eval}, on("2026-01-01"), "C76", quote,
		"nobody has decided that acceptance was passed")
	s.When(lab.OpenLab{On: eval}, on("2026-01-01")).ThenRefused(domain.State)
	play(prepare(s, "recognise", eval), step{"2026-01-01", lab.Recognise{On: eval}})
	certificate := lab.IssueCertificate{On: eval, Number: "1号", Document: digest(1)}
	s.When(certificate, on("2026-01-01")).ThenAccepted()
	s.When(certificate, on("2026-01-01")).ThenRefused(domain.Exists)
	s.When(lab.OpenLab{On: eval.AddDays(1)}, on("2026-01-01")).ThenAccepted()
	refuses(t, s, lab.OpenLab{On: eval.AddDays(2)}, on("2026-01-01"), "C76", quote, "it opened on")
	if l := s.State(); l.Reviews.Opened != eval.AddDays(1) || l.Certificate != "1号" || l.StatusSince != eval.Partial() {
		t.Errorf("opened %s, certificate %q, since %s", l.Reviews.Opened, l.Certificate, l.StatusSince)
	}
}

func TestSubmitterMayNotDecide(t *testing.T) {
	for status, cmds := range map[lab.Status][]string{
		lab.StatusRecommended: {"pass-formal-check", "return-application"},
		lab.StatusInReview:    {"shortlist", "pass-over", "decline-establishment", "return-application"},
		lab.StatusSiteVisit:   {"approve-establishment", "decline-establishment"},
		lab.StatusAcceptance:  {"commission-peer-evaluation"},
		lab.StatusPeerEval:    {"pass-acceptance", "require-rectification", "decide-not-passed"},
		lab.StatusRectifying:  {"decide-not-passed"},
	} {
		for _, command := range cmds {
			s, day := at(t, status)
			day = day.AddDays(1)
			prepare(s, command, day)
			x := on("2026-01-01")
			x.Actor = domain.Actor{Subject: "clerk", Role: domain.Ministry} // another role, the same person
			refuses(t, s, moves[command](day), x, "separation-of-duties", "", "clerk recorded the host's")
			s.When(moves[command](day), on("2026-01-01")).ThenAccepted()
		}
	}
}

func TestCorrectorMayNotDecide(t *testing.T) {
	s, day := at(t, lab.StatusRecommended)
	frozen := slices.IndexFunc(s.History(), func(h domain.RecordedEvent[lab.Event]) bool { _, ok := h.Event.(lab.PackageFrozen); return ok })
	x := on("2026-01-01")
	x.Actor = domain.Actor{Subject: "mender", Role: domain.Ministry}
	s.GivenOn(x, lab.Corrected{Correction: domain.Correction{Corrects: s.History()[frozen].Meta.ID,
		With: domain.Restated{Event: s.History()[frozen].Event}}})
	check := moves["pass-formal-check"](day.AddDays(1))
	refuses(t, s, check, x, "separation-of-duties", "", "mender recorded the host's application package")
	s.When(check, on("2026-01-01")).ThenAccepted()
}

func TestExpertConflictOfInterest(t *testing.T) {
	s, visit := visited(t)
	for _, party := range []domain.EntityRef{nanjing, oxford} {
		refuses(t, s, invite(party, visit), on("2026-01-01"), "separation-of-duties", "", "is affiliated with "+
			party.Name.En)
	}
	second := invite(tsinghua, visit)
	second.Affiliations = []uuid.UUID{tsinghua.ID, oxford.ID} // not by employment alone
	refuses(t, s, second, on("2026-01-01"), "separation-of-duties", "", "University of Oxford")
	play(s, step{"2026-01-01", lab.HoldSiteArgumentation{On: visit, Present: []string{"Z1", "Z2"},
		Minutes: digest(23)}},
		step{"2026-01-01", lab.NamePartner{Grounds: source, Entity: zurich.ID,
			As: "Zürich"}}) // it was no party when they were invited
	refuses(t, s, opinion("Z2", visit), on("2026-01-01"), "separation-of-duties", "", "University of Zurich")
	s.When(opinion("Z1", visit), on("2026-01-01")).ThenAccepted()
}

func TestReviewStage(t *testing.T) {
	s := incubating(t)
	day := date("2021-01-01")
	for _, cmd := range []lab.Command{
		invite(zurich, day), opinion("Z1", day), lab.AssessDimension{}, lab.HoldSiteArgumentation{}, lab.AssessCell{},
		lab.SetStageGoal{}, lab.HoldStageAssessment{}, lab.IssueCertificate{},
	} {
		s.When(cmd, on("2021-01-01")).ThenRefused(domain.State)
	}
	s, _ = at(t, lab.StatusInReview)
	for _, cmd := range []lab.Command{selfAssessment(day), lab.FreezePackage{}, lab.IssueRecommendation{}} {
		s.When(cmd, on("2026-01-01")).ThenRefused(domain.State)
	}
}
