package lab_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

// The legal entities of every scenario. The host's and the partner's
// identifiers are the real ones; the others' only look right.
var (
	nanjing  = identified(domaintest.University(1, "CN", "南京大学", "Nanjing University"), domain.USCC, "12100000466007597X")
	oxford   = identified(domaintest.University(2, "GB", "牛津大学", "University of Oxford"), domain.ROR, "052gg0110")
	bonn     = identified(domaintest.University(3, "DE", "波恩大学", "University of Bonn"), domain.ROR, "041nas322")
	siemens  = kind(identified(domaintest.University(4, "DE", "西门子公司", "Siemens"), domain.LEI, "W38RGI023J3WT1HWRP32"), "company")
	fudan    = identified(domaintest.University(5, "CN", "复旦大学", "Fudan University"), domain.USCC, "12100000425006117P")
	nameless = domaintest.University(6, "FR", "某大学", "A University without Identifiers")
	// They are parties to nothing: experts work there, and one recommends.
	tsinghua = domaintest.University(7, "CN", "清华大学", "Tsinghua University")
	zurich   = domaintest.University(8, "CH", "苏黎世大学", "University of Zurich")
	jiangsu  = kind(domaintest.University(9, "CN", "江苏省教育厅", "Jiangsu Education Department"), "government")
	entities = []domain.EntityRef{nanjing, oxford, bonn, siemens, fudan, nameless, tsinghua, zurich, jiangsu}
)

func identified(e domain.EntityRef, scheme domain.Scheme, value string) domain.EntityRef {
	e.Identifiers = []domain.Identifier{{Scheme: scheme, Value: value}}
	return e
}

func kind(e domain.EntityRef, kind string) domain.EntityRef {
	e.Kind = kind
	return e
}

// judgeBuiltIn judges a lab by the policy of the register's own programme.
func judgeBuiltIn(l *lab.Lab, on domain.Date, ids ...string) []domain.Finding {
	return lab.JudgeUnder(lab.RuleContext{Policy: domain.BuiltIn}, l, on, ids...)
}

type scenario = domaintest.Scenario[*lab.Lab, lab.Event]

func on(day string) domain.Context {
	return domaintest.On(day, domaintest.Knowing(entities...), domaintest.Within(onRecord))
}

// onRecord is a programme with the sample tables and no policy of its own.
var onRecord = domain.Programme{Systems: []domain.IndicatorSystem{sample(programme.SampleEstablishment),
	sample(programme.SampleAcceptance)}}

func sample(body []byte) (s domain.IndicatorSystem) {
	if err := json.Unmarshal(body, &s); err != nil {
		panic(err)
	}
	return s
}

// by is who sends a command: a clerk of the host what the host hands in,
// someone at the ministry the rest.
func by(cmd lab.Command) domain.Actor {
	switch cmd.(type) {
	case lab.CompleteSelfAssessment, lab.FreezePackage, lab.IssueRecommendation, lab.SubmitApplication,
		lab.ResubmitApplication, lab.ApplyForAcceptance:
		return domain.Actor{Subject: "clerk", Role: domain.Host, OnBehalfOf: nanjing.ID}
	}
	return domain.Actor{Subject: "officer", Role: domain.Officer}
}

func date(s string) domain.Date { return domain.MustDate(s) }

func partial(s string) domain.PartialDate {
	p, err := domain.ParsePartialDate(s)
	if err != nil {
		panic(err)
	}
	return p
}

func period(from, to string) (p domain.Period) {
	if from != "" {
		p.From = date(from)
	}
	if to != "" {
		p.To = date(to)
	}
	return p
}

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func cny(amount string) lab.Quantity {
	return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: "CNY"}}
}

func premises(m2 string) lab.Quantity {
	d := domain.MustDecimal(m2)
	return lab.Quantity{Premises: &d}
}

func equipment(items int, value string) lab.Quantity {
	return lab.Quantity{Equipment: &lab.Equipment{Items: items,
		Value: domain.Money{Amount: domain.MustDecimal(value), Currency: "CNY"}}}
}

var because = domain.T("理由充分", "for good reason")

// propose registers the lab of every scenario.
var propose = lab.Propose{
	Level: lab.MinistryLevel, Host: nanjing.ID, Discipline: domain.T("天文学", "astronomy"),
	Names: []domain.Name{
		{Text: "天体物理国际合作联合实验室", Lang: "zh", Kind: domain.Official},
		{Text: "Joint International Research Laboratory of Astrophysics", Lang: "en", Kind: domain.Official},
	},
}

func draft(parties ...lab.NewParty) lab.DraftAgreement {
	if parties == nil {
		parties = []lab.NewParty{{Entity: nanjing.ID, Role: lab.HostParty},
			{Entity: oxford.ID, Role: lab.PartnerParty, Unit: "Department of Physics"}}
	}
	return lab.DraftAgreement{
		Title: domain.T("共建协议", "Agreement on a joint laboratory"), Class: lab.Substantive, Parties: parties,
		Term:      period("2020-03-01", "2029-12-31"),
		Documents: []lab.Document{{Lang: "zh", Digest: digest(1)}, {Lang: "en", Digest: digest(2)}},
	}
}

func sign(agreement string, amendment int, by domain.EntityRef, day string, document int) lab.SignAgreement {
	return lab.SignAgreement{
		Agreement: agreement, Amendment: amendment, Party: by.ID, On: date(day), Document: digest(document),
		Representative: domain.Person{Name: "李明", Title: "校长"},
	}
}

// step is one command of a story and the day it is sent.
type step struct {
	day string
	cmd lab.Command
}

// from is the context of a command sent by whom it falls to.
func from(cmd lab.Command, day string) domain.Context {
	x := on(day)
	x.Actor = by(cmd)
	return x
}

// play sends commands that are all accepted.
func play(s *scenario, steps ...step) *scenario {
	for _, st := range steps {
		s.When(st.cmd, from(st.cmd, st.day)).ThenAccepted()
	}
	return s
}

// given is a lab with a story behind it. The steps are decided one by one and
// recorded together, so that only the end of the story is held to all that a
// scenario promises.
func given(t *testing.T, steps ...step) *scenario {
	t.Helper()
	return newPlayer(t).send(steps...).scenario()
}

// player plays steps against a lab and keeps their history.
type player struct {
	t       *testing.T
	lab     *lab.Lab
	history []domain.RecordedEvent[lab.Event]
}

func newPlayer(t *testing.T) *player { return &player{t: t, lab: lab.New(domaintest.Aggregate)} }

func (a *player) send(steps ...step) *player {
	a.t.Helper()
	for _, st := range steps {
		x := from(st.cmd, st.day)
		next, err := st.cmd.Decide(a.lab, x)
		if err != nil {
			a.t.Fatalf("%s %T: %v", st.day, st.cmd, err)
		}
		for _, e := range next {
			n := len(a.history)
			h := domain.RecordedEvent[lab.Event]{Event: e,
				Meta: domain.Meta{ID: domaintest.Event(n), Revision: uint64(n), Time: x.Now, Actor: x.Actor}}
			a.history = append(a.history, h)
			a.lab.Apply(h)
		}
	}
	return a
}

// prepare sends what a step still waits for.
func (a *player) prepare(command string, d domain.Date) *player {
	for {
		cmds := prelude(a.lab, command, d)
		if len(cmds) == 0 {
			return a
		}
		a.send(step{recorded(d), cmds[0]})
	}
}

func (a *player) scenario() *scenario {
	return domaintest.New[*lab.Lab, lab.Event](a.t, lab.New).GivenHistory(a.history...)
}

// recorded is when something of that day is recorded: not before the stories begin.
func recorded(d domain.Date) string { return domain.Later(d, date("2020-05-01")).String() }

func proposed(t *testing.T) *scenario { return given(t, start) }

var start = step{"2020-01-10", propose}

// agreed is a lab whose agreement A1 is in force from 2020-03-01.
func agreed(t *testing.T) *scenario { return given(t, with([]step{start}, agreement...)...) }

var agreement = []step{
	{"2020-01-20", draft()},
	{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
	{"2020-02-20", sign("A1", 0, oxford, "2020-02-20", 2)},
}

// three is a lab whose agreement A1 binds the host, Oxford and Bonn.
func three(t *testing.T) *scenario {
	return given(t, start,
		step{"2020-01-20", draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty},
			lab.NewParty{Entity: oxford.ID, Role: lab.PartnerParty},
			lab.NewParty{Entity: bonn.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-02", sign("A1", 0, oxford, "2020-02-02", 1)},
		step{"2020-02-03", sign("A1", 0, bonn, "2020-02-03", 1)})
}

// conditions meet every rule of an application but C62.
var conditions = func() (steps []step) {
	add := func(day string, cmd lab.Command) { steps = append(steps, step{day, cmd}) }
	add("2020-04-01", lab.AttestIndependence{On: date("2020-04-01"), Unit: because, Budget: because,
		Premises: because, Evidence: digest(3)})
	add("2020-04-02", lab.AdoptPlan{Title: because, On: date("2020-04-02"), FromYear: 2022, ToYear: 2024,
		Document: digest(4)})
	add("2020-04-03", lab.AssignTask{Text: because, Owner: oxford.ID, Due: date("2024-12-31")})
	add("2020-04-04", lab.EstablishManagementBody{Name: because, On: date("2020-04-04"), Document: digest(5)})
	for _, p := range []domain.EntityRef{nanjing, oxford} {
		for _, k := range lab.ItemKinds {
			add("2020-04-05", lab.AddRight{Agreement: "A1", Kind: k, Party: p.ID, Clause: "第5条", Text: because})
		}
	}
	for i, q := range []lab.Quantity{cny("300"), premises("800.5"), equipment(3, "90.00")} {
		add("2020-04-06", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.OwnFunds, Agreement: "A1", Quantity: q})
		add("2020-04-07", lab.FirmUpCommitment{Commitment: fmt.Sprintf("F%d", i+1), On: date("2020-04-07"),
			Evidence: digest(6)})
	}
	add("2020-04-08", lab.ScheduleInstalments{Commitment: "F1", Schedule: []lab.Instalment{
		{Due: date("2022-06-30"), Quantity: cny("100")}, {Due: date("2023-06-30"), Quantity: cny("100")},
		{Due: date("2024-06-30"), Quantity: cny("100")},
	}})
	add("2020-04-09", lab.LinkPlatform{Name: because, Level: "national", Evidence: digest(10)})
	add("2020-04-09", lab.EvidenceDiscipline{Discipline: because, Status: "national-key", On: date("2020-04-09"),
		Document: digest(11)})
	add("2020-04-10", lab.AssessPartner{Party: oxford.ID, Level: "advanced", Opinion: because, On: date("2020-04-10")})
	for _, k := range objectives {
		o := target(k)
		o.BaselineOn = date("2020-04-10")
		add("2020-04-10", o)
	}
	return steps
}()

// prelude is what a step of the status machine still waits for, in order.
func prelude(l *lab.Lab, command string, d domain.Date) (cmds []lab.Command) {
	need := func(missing bool, cmd lab.Command) {
		if missing {
			cmds = append(cmds, cmd)
		}
	}
	var a lab.Application
	if n := len(l.Reviews.Applications); n > 0 && l.Reviews.Applications[n-1].Outcome == "" {
		a = l.Reviews.Applications[n-1]
	}
	var acc lab.Acceptance
	if n := len(l.Reviews.Acceptances); n > 0 {
		acc = l.Reviews.Acceptances[n-1]
	}
	invited := func(p lab.Panel, of domain.EntityRef) string {
		for _, x := range p.Experts {
			if x.Affiliations[0].ID == of.ID {
				return x.ID
			}
		}
		return ""
	}
	opinion := func(p lab.Panel, id string) {
		need(!slices.ContainsFunc(p.Opinions, func(o lab.Opinion) bool { return o.Expert == id }), opinion(id, d))
	}
	switch command {
	case "submit-application", "resubmit-application":
		need(l.Reviews.Affiliation == nil, lab.RecordAffiliation{To: lab.ToMinistry, Evidence: digest(20)})
		need(len(a.SelfAssessments) == 0, selfAssessment(d))
		need(!slices.ContainsFunc(a.Recommendations, func(r lab.Recommendation) bool { return r.Withdrawn.IsZero() }),
			lab.IssueRecommendation{On: d, Issuer: nanjing.ID, Number: "南字〔2022〕3号", Document: digest(22)})
		need(command == "submit-application" && len(a.Packages) == 0, lab.FreezePackage{On: d, Document: digest(7)})
		need(command == "resubmit-application" &&
			(len(a.Packages) == 0 || len(a.Packages) <= a.Submissions[len(a.Submissions)-1].Package),
			lab.FreezePackage{On: d, Document: digest(8)})
	case "approve-establishment", "decline-establishment":
		if l.Status != lab.StatusSiteVisit {
			break
		}
		for _, dim := range lab.ReviewDimensions {
			need(!slices.ContainsFunc(a.Dimensions, func(x lab.Assessed) bool { return x.Dimension == dim }),
				lab.AssessDimension{On: d, Dimension: dim, Text: because})
		}
		if command == "decline-establishment" {
			break
		}
		need(invited(a.Panel, tsinghua) == "", invite(tsinghua, d))
		need(invited(a.Panel, zurich) == "", invite(zurich, d))
		if len(cmds) > 0 {
			break // who is to be there has no number yet
		}
		need(a.Site == nil, lab.HoldSiteArgumentation{On: d,
			Present: []string{invited(a.Panel, tsinghua), invited(a.Panel, zurich)}, Minutes: digest(23)})
		opinion(a.Panel, invited(a.Panel, zurich))
	case "apply-for-acceptance":
		need(len(l.Reviews.Stages) == 0, lab.HoldStageAssessment{On: d, Summary: because, Document: digest(25)})
	case "commission-peer-evaluation":
		need(invited(acc.Panel, zurich) == "", invite(zurich, d))
	case "pass-acceptance", "recognise":
		if invited(acc.Panel, zurich) == "" {
			need(true, invite(zurich, d))
			break
		}
		opinion(acc.Panel, invited(acc.Panel, zurich))
		for _, dim := range domain.Dimensions {
			for _, axis := range lab.Axes {
				need(!slices.ContainsFunc(acc.Cells,
					func(c lab.AcceptanceCell) bool { return c.Dimension == dim && c.Axis == axis }), lab.AssessCell{
					On: d, Dimension: dim, Axis: axis, Text: because,
					Facts: []lab.CellFact{{On: l.Construction.To.Earliest(), Text: because}}})
			}
		}
		need(command == "recognise" && acc.Outcome != lab.Passed, lab.PassAcceptance{On: d})
	}
	return cmds
}

func selfAssessment(d domain.Date) lab.CompleteSelfAssessment {
	s := lab.CompleteSelfAssessment{On: d, System: "sample-1", Document: digest(21)}
	for _, k := range onRecord.Systems[0].Indicators() {
		s.Answers = append(s.Answers, lab.Answer{Indicator: k.ID, Text: because})
	}
	return s
}

func invite(from domain.EntityRef, d domain.Date) lab.InviteExpert {
	return lab.InviteExpert{On: d, Person: domain.Person{Name: "王教授"}, Affiliations: []uuid.UUID{from.ID}, Declaration: digest(24)}
}

func opinion(id string, d domain.Date) lab.RecordOpinion {
	return lab.RecordOpinion{On: d, Expert: id,
		Findings: lab.Findings{HighStart: because, HighLevel: because, Distinctive: because, Effective: because},
		Supports: true, Document: digest(26)}
}

// prepare sends what a step still waits for.
func prepare(s *scenario, command string, d domain.Date) *scenario {
	for {
		cmds := prelude(s.State(), command, d)
		if len(cmds) == 0 {
			return s
		}
		play(s, step{recorded(d), cmds[0]})
	}
}

// moves holds, by the name of its command, a step of the status machine that
// nothing but the status and the rules can stand against.
var moves = map[string]func(domain.Date) lab.Command{
	"start-incubation": func(d domain.Date) lab.Command { return lab.StartIncubation{On: d} },
	"submit-application": func(d domain.Date) lab.Command {
		return lab.SubmitApplication{On: d, Effect: because, Document: digest(7)}
	},
	"resubmit-application": func(d domain.Date) lab.Command {
		return lab.ResubmitApplication{On: d, Answer: because, Document: digest(8)}
	},
	"pass-formal-check":     func(d domain.Date) lab.Command { return lab.PassFormalCheck{On: d} },
	"return-application":    func(d domain.Date) lab.Command { return lab.ReturnApplication{On: d, Ground: because} },
	"shortlist":             func(d domain.Date) lab.Command { return lab.Shortlist{On: d} },
	"decline-establishment": func(d domain.Date) lab.Command { return lab.DeclineEstablishment{On: d, Ground: because} },
	"resume-incubation":     func(d domain.Date) lab.Command { return lab.ResumeIncubation{On: d} },
	"approve-establishment": func(d domain.Date) lab.Command {
		return lab.ApproveEstablishment{On: d, Construction: domain.Period{From: d.AddDays(30), To: d.AddDays(60)}}
	},
	"extend-construction": func(d domain.Date) lab.Command {
		return lab.ExtendConstruction{On: d, Until: d.AddDays(900), Ground: because}
	},
	"apply-for-acceptance":       func(d domain.Date) lab.Command { return acceptanceOn(d) },
	"commission-peer-evaluation": func(d domain.Date) lab.Command { return lab.CommissionPeerEvaluation{On: d} },
	"pass-over":                  func(d domain.Date) lab.Command { return lab.PassOver{On: d, Ground: because} },
	"pass-acceptance":            func(d domain.Date) lab.Command { return lab.PassAcceptance{On: d} },
	"open-lab":                   func(d domain.Date) lab.Command { return lab.OpenLab{On: d} },
	"recognise":                  func(d domain.Date) lab.Command { return lab.Recognise{On: d, Certificate: "教技函〔2024〕1号"} },
	"require-rectification": func(d domain.Date) lab.Command {
		return lab.RequireRectification{On: d, By: d.AddDays(90), Ground: because}
	},
	"decide-not-passed": func(d domain.Date) lab.Command {
		return lab.DecideNotPassed{On: d, Ground: because, MayReapply: true}
	},
	"suspend": func(d domain.Date) lab.Command { return lab.Suspend{On: d, Ground: because} },
	"resume":  func(d domain.Date) lab.Command { return lab.Resume{On: d} },
	"revoke":  func(d domain.Date) lab.Command { return lab.Revoke{On: d, Ground: because} },
	"withdraw": func(d domain.Date) lab.Command {
		return lab.Withdraw{On: d, Ground: because, Consent: "教技函〔2024〕2号"}
	},
	"close": func(d domain.Date) lab.Command { return lab.Close{On: d, Ground: because, MergedInto: uuid.Max} },
}

func acceptanceOn(d domain.Date) lab.Command {
	return lab.ApplyForAcceptance{On: d, Standard: "sample-1", Document: digest(9)}
}

// paths leads from the beginning to each status, through commands alone.
var paths = map[lab.Status][]string{
	lab.StatusProposed:       {},
	lab.StatusIncubating:     {"start-incubation"},
	lab.StatusRecommended:    {"start-incubation", "submit-application"},
	lab.StatusReturned:       {"start-incubation", "submit-application", "return-application"},
	lab.StatusInReview:       {"start-incubation", "submit-application", "pass-formal-check"},
	lab.StatusSiteVisit:      {"start-incubation", "submit-application", "pass-formal-check", "shortlist"},
	lab.StatusNotEstablished: {"start-incubation", "submit-application", "pass-formal-check", "decline-establishment"},
	lab.StatusConstruction:   construction,
	lab.StatusAcceptance:     with(construction, "apply-for-acceptance"),
	lab.StatusPeerEval:       peerEval,
	lab.StatusRectifying:     with(peerEval, "require-rectification"),
	lab.StatusNotPassed:      with(peerEval, "decide-not-passed"),
	lab.StatusOperating:      with(peerEval, "recognise"),
	lab.StatusSuspended:      with(peerEval, "recognise", "suspend"),
	lab.StatusWithdrawn:      {"withdraw"},
	lab.StatusRevoked:        with(peerEval, "decide-not-passed", "revoke"),
	lab.StatusClosed:         with(peerEval, "recognise", "close"),
}

var (
	construction = []string{"start-incubation", "submit-application", "pass-formal-check", "shortlist",
		"approve-establishment"}
	peerEval = with(construction, "apply-for-acceptance", "commission-peer-evaluation")
)

func with[T any](path []T, more ...T) []T { return slices.Concat(path, more) }

// at is a lab that meets every rule and has come to a status; each step came
// 100 days after the one before, the application three years after incubation
// began. It returns the day of the last step too.
func at(t *testing.T, status lab.Status) (*scenario, domain.Date) {
	story := newPlayer(t).send(slices.Concat([]step{start}, agreement, conditions)...)
	day := date("2020-03-01")
	for _, name := range paths[status] {
		switch name {
		case "start-incubation":
		case "submit-application":
			day = date("2023-03-01")
		default:
			day = day.AddDays(100)
		}
		story.prepare(name, day).send(step{recorded(day), moves[name](day)})
	}
	s := story.scenario()
	if got := s.State().Status; got != status {
		t.Fatalf("the lab has come to %s, want %s", got, status)
	}
	return s, day
}
