package lab_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
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
	entities = []domain.EntityRef{nanjing, oxford, bonn, siemens, fudan, nameless}
)

func identified(e domain.EntityRef, scheme domain.Scheme, value string) domain.EntityRef {
	e.Identifiers = []domain.Identifier{{Scheme: scheme, Value: value}}
	return e
}

func kind(e domain.EntityRef, kind string) domain.EntityRef {
	e.Kind = kind
	return e
}

type scenario = domaintest.Scenario[*lab.Lab, lab.Event]

func on(day string) domain.Context { return domaintest.On(day, domaintest.Knowing(entities...)) }

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
	return lab.Quantity{Equipment: &lab.Equipment{Items: items, Value: domain.Money{Amount: domain.MustDecimal(value), Currency: "CNY"}}}
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
		parties = []lab.NewParty{{Entity: nanjing.ID, Role: lab.HostParty}, {Entity: oxford.ID, Role: lab.PartnerParty, Unit: "Department of Physics"}}
	}
	return lab.DraftAgreement{
		Title: domain.T("共建协议", "Agreement on a joint laboratory"), Class: lab.Substantive, Parties: parties,
		Term: period("2020-03-01", "2029-12-31"), Documents: []lab.Document{{Lang: "zh", Digest: digest(1)}, {Lang: "en", Digest: digest(2)}},
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

// tell sends commands that are all accepted.
func tell(s *scenario, steps ...step) *scenario {
	for _, st := range steps {
		s.When(st.cmd, on(st.day)).ThenAccepted()
	}
	return s
}

// given is a lab with a story behind it. The steps are decided one by one and
// recorded together, so that only the end of the story is held to all that a
// scenario promises.
func given(t *testing.T, steps ...step) *scenario {
	t.Helper()
	l := lab.New(domaintest.Aggregate)
	var events []lab.Event
	for _, st := range steps {
		next, err := st.cmd.Decide(l, on(st.day))
		if err != nil {
			t.Fatalf("%s %T: %v", st.day, st.cmd, err)
		}
		for _, e := range next {
			events = append(events, e)
			l.Apply(domain.Happened[lab.Event]{Event: e, Meta: domain.Meta{ID: domaintest.Event(len(events) - 1), Time: on(st.day).Now}})
		}
	}
	return domaintest.New[*lab.Lab, lab.Event](t, lab.New).GivenOn(on("2020-01-10"), events...)
}

func proposed(t *testing.T) *scenario { return given(t, start) }

var start = step{"2020-01-10", propose}

// agreed is a lab whose agreement A1 is in force from 2020-03-01.
func agreed(t *testing.T) *scenario { return given(t, then([]step{start}, agreement...)...) }

var agreement = []step{
	{"2020-01-20", draft()},
	{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
	{"2020-02-20", sign("A1", 0, oxford, "2020-02-20", 2)},
}

// three is a lab whose agreement A1 binds the host, Oxford and Bonn.
func three(t *testing.T) *scenario {
	return given(t, start,
		step{"2020-01-20", draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty}, lab.NewParty{Entity: oxford.ID, Role: lab.PartnerParty}, lab.NewParty{Entity: bonn.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-02", sign("A1", 0, oxford, "2020-02-02", 1)},
		step{"2020-02-03", sign("A1", 0, bonn, "2020-02-03", 1)})
}

// conditions meet every rule of an application but C62.
var conditions = func() (steps []step) {
	say := func(day string, cmd lab.Command) { steps = append(steps, step{day, cmd}) }
	say("2020-04-01", lab.AttestIndependence{On: date("2020-04-01"), Unit: because, Budget: because, Premises: because, Evidence: digest(3)})
	say("2020-04-02", lab.AdoptPlan{Title: because, On: date("2020-04-02"), FromYear: 2022, ToYear: 2024, Document: digest(4)})
	say("2020-04-03", lab.AssignTask{Text: because, Owner: oxford.ID, Due: date("2024-12-31")})
	say("2020-04-04", lab.EstablishManagementBody{Name: because, On: date("2020-04-04"), Document: digest(5)})
	for _, p := range []domain.EntityRef{nanjing, oxford} {
		for _, k := range lab.ItemKinds {
			say("2020-04-05", lab.AddRight{Agreement: "A1", Kind: k, Party: p.ID, Clause: "第5条", Text: because})
		}
	}
	for i, q := range []lab.Quantity{cny("300"), premises("800.5"), equipment(3, "90.00")} {
		say("2020-04-06", lab.PledgeCommitment{Party: nanjing.ID, Source: lab.OwnFunds, Agreement: "A1", Quantity: q})
		say("2020-04-07", lab.FirmUpCommitment{Commitment: fmt.Sprintf("F%d", i+1), On: date("2020-04-07"), Evidence: digest(6)})
	}
	say("2020-04-08", lab.ScheduleInstalments{Commitment: "F1", Schedule: []lab.Instalment{
		{Due: date("2022-06-30"), Quantity: cny("100")}, {Due: date("2023-06-30"), Quantity: cny("100")}, {Due: date("2024-06-30"), Quantity: cny("100")},
	}})
	return steps
}()

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
	"apply-for-acceptance":       func(d domain.Date) lab.Command { return lab.ApplyForAcceptance{On: d, Document: digest(9)} },
	"commission-peer-evaluation": func(d domain.Date) lab.Command { return lab.CommissionPeerEvaluation{On: d} },
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
	lab.StatusAcceptance:     then(construction, "apply-for-acceptance"),
	lab.StatusPeerEval:       peerEval,
	lab.StatusRectifying:     then(peerEval, "require-rectification"),
	lab.StatusNotPassed:      then(peerEval, "decide-not-passed"),
	lab.StatusOperating:      then(peerEval, "recognise"),
	lab.StatusSuspended:      then(peerEval, "recognise", "suspend"),
	lab.StatusWithdrawn:      {"withdraw"},
	lab.StatusRevoked:        then(peerEval, "decide-not-passed", "revoke"),
	lab.StatusClosed:         then(peerEval, "recognise", "close"),
}

var (
	construction = []string{"start-incubation", "submit-application", "pass-formal-check", "shortlist", "approve-establishment"}
	peerEval     = then(construction, "apply-for-acceptance", "commission-peer-evaluation")
)

func then[T any](path []T, more ...T) []T { return slices.Concat(path, more) }

// at is a lab that meets every rule and has come to a status; each step came
// 100 days after the one before, the application three years after incubation
// began. It returns the day of the last step too.
func at(t *testing.T, status lab.Status) (*scenario, domain.Date) {
	story := slices.Concat([]step{start}, agreement, conditions)
	day := date("2020-03-01")
	for _, name := range paths[status] {
		switch name {
		case "start-incubation":
		case "submit-application":
			day = date("2023-03-01")
		default:
			day = day.AddDays(100)
		}
		recorded := day
		if recorded.Before(date("2020-05-01")) {
			recorded = date("2020-05-01")
		}
		story = append(story, step{recorded.String(), moves[name](day)})
	}
	s := given(t, story...)
	if got := s.State().Status; got != status {
		t.Fatalf("the lab has come to %s, want %s", got, status)
	}
	return s, day
}
