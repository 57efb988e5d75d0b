package lab_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestQuotesMatchDocument(t *testing.T) {
	document, err := os.ReadFile("testdata/plan-2014-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(document), lab.Policy) {
		t.Errorf("the document is not %s", lab.Policy)
	}
	for id, r := range lab.Rules {
		domaintest.Both(t, r.Text)
		if r.Clause == lab.OwnReading { // it does not pretend to be a quote
			if r.Quote != "" {
				t.Errorf("%s is our own reading and quotes %q", id, r.Quote)
			}
			continue
		}
		if id != r.ID || !strings.Contains(string(document), r.Quote) || r.Quote == "" {
			t.Errorf("%s: %q does not stand in the document", id, r.Quote)
		}
		// A quote is cited under the section it is in: 五(二) begins with （二） after 五、.
		section, sub, _ := strings.Cut(r.Clause, "(")
		if section == "序" {
			continue
		}
		_, text, found := strings.Cut(string(document), "\n"+section+"、")
		if sub != "" && found {
			_, text, found = strings.Cut(text, "（"+strings.TrimSuffix(sub, ")")+"）")
		}
		if at := strings.Index(text, r.Quote); !found || at < 0 || strings.Contains(text[:at], "\n（") {
			t.Errorf("%s: %q does not stand in section %s", id, r.Quote, r.Clause)
		}
	}
}

func TestStepRulesExist(t *testing.T) {
	used := map[string]bool{"C78": true} // a command's own: no status step changes the host
	for _, id := range lab.RecordRules { // raised on a day
		used[id] = true
	}
	for _, s := range lab.Steps {
		for _, id := range s.Rules {
			used[id] = true
			if _, ok := lab.Rules[id]; !ok {
				t.Errorf("%s needs rule %s, which there is not", s.Command, id)
			}
		}
	}
	for id := range lab.Rules {
		if !used[id] {
			t.Errorf("rule %s is never asked for", id)
		}
	}
}

// ruleCase is which steps of the story are left out or added so that a rule is
// not met.
type ruleCase struct {
	without func(step) bool // leaves a step of the story out
	with    []step          // comes after the story
	on      string
	want    []string // what is missing, in English
	also    []string // other rules that fall with it
}

func sends[C lab.Command](also ...func(C) bool) func(step) bool {
	return func(s step) bool {
		c, ok := s.cmd.(C)
		return ok && !slices.ContainsFunc(also, func(f func(C) bool) bool { return !f(c) })
	}
}

// applying is what the host hands in before the application itself.
var applying = []step{
	{"2021-06-01", lab.RecordAffiliation{To: lab.ToMinistry, Evidence: digest(20)}},
	{"2021-06-02", selfAssessment(date("2021-06-02"))},
	{"2021-06-03", lab.IssueRecommendation{On: date("2021-06-03"), Issuer: nanjing.ID, Number: "南字〔2021〕3号", Document: digest(22)}},
	{"2021-06-04", lab.FreezePackage{On: date("2021-06-04"), Document: digest(7)}},
}

// applicationNeeds plays the story of a lab up to its application, which is
// accepted, and again with each change, for which the rule refuses it.
func applicationNeeds(t *testing.T, rule string, cases ...ruleCase) {
	t.Helper()
	const apply = "2022-03-01"
	application := lab.SubmitApplication{On: date(apply), Effect: because, Document: digest(7)}
	played := func(t *testing.T, without func(step) bool) *scenario {
		s := agreed(t)
		for _, st := range slices.Concat(conditions,
			[]step{{"2020-06-01", lab.StartIncubation{On: date("2020-03-01")}}}, applying) {
			if without == nil || !without(st) {
				play(s, st)
			}
		}
		return s
	}
	s := played(t, nil)
	s.When(application, on(apply)).ThenAccepted()
	if f := judgeBuiltIn(s.State(), date(apply), rule)[0]; !f.Met || len(f.Missing) > 0 || len(f.Proof) == 0 {
		t.Errorf("%s: met %v, missing %v, %d proofs", rule, f.Met, f.Missing, len(f.Proof))
	}
	for _, c := range cases {
		s := play(played(t, c.without), c.with...)
		if application.On = date(apply); c.on != "" {
			application.On = date(c.on)
		}
		s.When(application, on(apply)).ThenRefused(domain.Refused, append(c.also, rule)...)
		for _, f := range s.Rejection().Findings {
			if f.Rule != rule {
				continue
			}
			if f.Quote != lab.Rules[rule].Quote || f.Met || f.Clause == "" {
				t.Errorf("the refusal does not quote its clause: %+v", f)
			}
			var missing []string
			for _, m := range f.Missing {
				missing = append(missing, m.En)
			}
			if !slices.Equal(missing, c.want) {
				t.Errorf("missing %q, want %q", missing, c.want)
			}
		}
	}
}

func TestC08Platform(t *testing.T) {
	applicationNeeds(t, "C08", ruleCase{with: []step{{"2022-02-01",
		lab.UnlinkPlatform{Platform: "P1", On: date("2022-02-01")}}},
		want: []string{"no platform is linked"}, also: []string{"C19"}})
}

func TestC15SubstantiveAgreement(t *testing.T) {
	applicationNeeds(t, "C15",
		ruleCase{with: []step{{"2022-02-01", lab.TerminateAgreement{Agreement: "A1", On: date("2022-02-01"),
			Ground: because}}},
			want: []string{"on 2022-03-01 agreement A1 is terminated"}, also: []string{"C20", "C21", "C56"}})
}

func TestC05AgreementClass(t *testing.T) {
	for _, class := range []lab.Class{lab.Framework, lab.MoU} {
		applicationNeeds(t, "C15", ruleCase{with: []step{{"2022-02-01",
			lab.ClassifyAgreement{Agreement: "A1", Class: class}}},
			want: []string{"agreement A1 is not classified as substantive"}})
	}
}

func TestC16Attestation(t *testing.T) {
	applicationNeeds(t, "C16", ruleCase{without: sends[lab.AttestIndependence](),
		want: []string{"the host has not attested the lab's independence"}})
}

func TestC17Plan(t *testing.T) {
	applicationNeeds(t, "C17", ruleCase{without: sends[lab.AdoptPlan](),
		want: []string{"no implementation plan is adopted"}, also: []string{"C18", "C55"}})
}

func TestC18FirmCash(t *testing.T) {
	applicationNeeds(t, "C18",
		ruleCase{without: sends[lab.ScheduleInstalments](),
			want: []string{"no firm cash instalment is due in 2022", "no firm cash instalment is due in 2023",
				"no firm cash instalment is due in 2024"}},
		ruleCase{with: []step{{"2022-02-01", lab.AdoptPlan{Title: because, On: date("2022-02-01"), FromYear: 2023,
			ToYear: 2025, Document: digest(4)}}},
			want: []string{"no firm cash instalment is due in 2025"}})
}

func TestC55Conditions(t *testing.T) {
	applicationNeeds(t, "C55",
		ruleCase{without: sends[lab.AssignTask](), want: []string{"no task is assigned"}},
		ruleCase{without: sends[lab.EstablishManagementBody](), want: []string{"no management body is established"}})
}

func TestC56RightsMatrix(t *testing.T) {
	applicationNeeds(t, "C56",
		ruleCase{without: sends(func(r lab.AddRight) bool { return r.Party == oxford.ID && r.Kind == lab.Interest }),
			want: []string{"University of Oxford has no interest"}},
		ruleCase{with: []step{{"2022-02-01", lab.WaiveRight{Item: "R1", On: date("2022-02-01"), Ground: because}}},
			want: []string{"Nanjing University has no responsibility"}})
}

func TestC62Incubation(t *testing.T) {
	applicationNeeds(t, "C62", ruleCase{on: "2022-02-28",
		want: []string{"incubation began on 2020-03-01; 2 years are complete on 2022-03-01"}})
}

func TestC63SelfAssessment(t *testing.T) {
	applicationNeeds(t, "C63", ruleCase{without: sends[lab.CompleteSelfAssessment](),
		want: []string{"no self-assessment by an indicator system is complete for this application"}})
}

func TestC64Recommendation(t *testing.T) {
	applicationNeeds(t, "C64",
		ruleCase{without: sends[lab.IssueRecommendation](), want: []string{"no formal recommendation stands"}},
		ruleCase{with: []step{{"2022-02-01", lab.WithdrawRecommendation{On: date("2022-02-01"), Ground: because}}},
			want: []string{"no formal recommendation stands"}},
		ruleCase{with: []step{{"2022-02-01", lab.RecordAffiliation{To: lab.ToProvince, Evidence: digest(1)}}},
			want: []string{"the host answers to a province, so that authority recommends it, not Nanjing University"}})
}

func TestC65FrozenPackage(t *testing.T) {
	applicationNeeds(t, "C65", ruleCase{without: sends[lab.FreezePackage](),
		want: []string{"no application package is frozen"}})
}

func TestC79PremisesAndEquipment(t *testing.T) {
	applicationNeeds(t, "C79",
		ruleCase{without: func(s step) bool { f, ok := s.cmd.(lab.FirmUpCommitment); return ok && f.Commitment == "F2" },
			want: []string{"the host has no firm commitment of premises"}},
		ruleCase{with: []step{{"2022-02-01", lab.CancelCommitment{Commitment: "F3", On: date("2022-02-01"),
			Ground: because}}},
			want: []string{"the host has no firm commitment of equipment"}})
}

func TestC07Horizon(t *testing.T) {
	// 到2020年 was a goal: 62 labs were established in 2023.
	s, visit := at(t, lab.StatusSiteVisit)
	if !visit.After(date("2020-12-31")) {
		t.Fatalf("the site visit was on %s", visit)
	}
	prepare(s, "approve-establishment", visit).When(moves["approve-establishment"](visit), on("2026-01-01")).
		ThenAccepted()
}

func TestC01UniversityCode(t *testing.T) {
	bare := nanjing
	bare.Identifiers = nil
	s := domaintest.New[*lab.Lab, lab.Event](t, lab.New)
	s.When(propose, domaintest.On("2020-01-10", domaintest.Knowing(bare))).ThenAccepted()
	if f := judgeBuiltIn(s.State(), date("2020-01-10"), "C01")[0]; f.Met ||
		!strings.Contains(f.Missing[0].En, "had no USCC") {
		t.Errorf("%+v", f)
	}
	// The code counts once the host signs with it.
	play(s, agreement...)
	if f := judgeBuiltIn(s.State(), date("2020-01-10"), "C01")[0]; !f.Met {
		t.Errorf("%+v", f)
	}
}

func TestC15ClosestAgreement(t *testing.T) {
	missing := func(s *scenario, day string) []string {
		f := judgeBuiltIn(s.State(), date(day), "C15")[0]
		var m []string
		for _, t := range f.Missing {
			m = append(m, t.En)
		}
		if f.Met != (len(m) == 0) {
			t.Errorf("met %v though missing %q", f.Met, m)
		}
		return m
	}
	check := func(s *scenario, day string, want ...string) {
		t.Helper()
		if got := missing(s, day); !slices.Equal(got, want) {
			t.Errorf("on %s missing %q, want %q", day, got, want)
		}
	}
	s := proposed(t)
	check(s, "2020-01-10", "there is no agreement")
	play(s, step{"2020-01-20", draft()})
	check(s, "2020-01-20", "Nanjing University has not signed agreement A1",
		"University of Oxford has not signed agreement A1")
	play(s, agreement[1:]...)
	check(s, "2020-02-29", "agreement A1 comes into force on 2020-03-01 only")
	if f := judgeBuiltIn(s.State(), date("2020-02-29"), "C15")[0]; f.Earliest != date("2020-03-01") {
		t.Errorf("met at the earliest on %s", f.Earliest)
	}
	check(s, "2020-03-01")
	check(s, "2029-12-31")
	check(s, "2030-01-01", "on 2030-01-01 agreement A1 is expired")

	s = play(proposed(t),
		step{"2020-01-20", draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty},
			lab.NewParty{Entity: fudan.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, fudan, "2020-02-01", 1)})
	check(s, "2020-03-01", "agreement A1 has no foreign party")

	s = play(proposed(t),
		step{"2020-01-20", draft(lab.NewParty{Entity: nanjing.ID, Role: lab.HostParty},
			lab.NewParty{Entity: nameless.ID, Role: lab.PartnerParty})},
		step{"2020-02-01", sign("A1", 0, nanjing, "2020-02-01", 1)},
		step{"2020-02-01", sign("A1", 0, nameless, "2020-02-01", 1)})
	check(s, "2020-03-01", "A University without Identifiers has no valid identifier")
}

func TestC57AgreementOnDay(t *testing.T) {
	s := agreed(t)
	s.When(lab.StartIncubation{On: date("2020-02-29")}, on("2020-03-01")).ThenRefused(domain.Refused, "C57")
	if f := s.Rejection().Findings[0]; f.Quote != "确定合作共建的联合实验室平台，开展科学研究、人才培养和机制创新" {
		t.Errorf("quotes %q", f.Quote)
	}
	s.When(lab.StartIncubation{On: date("2020-03-01")}, on("2020-03-01")).ThenAccepted()
}

func TestC56AgreementsInForce(t *testing.T) {
	s := play(agreed(t), conditions...)
	play(s,
		step{"2020-06-01", draft()},
		step{"2020-06-02", sign("A2", 0, nanjing, "2020-06-02", 1)},
		step{"2020-06-02", sign("A2", 0, oxford, "2020-06-02", 1)},
		step{"2020-07-01", lab.SupersedeAgreement{Agreement: "A1", By: "A2", On: date("2020-07-01")}})
	if before, after := judgeBuiltIn(s.State(), date("2020-06-30"), "C56")[0],
		judgeBuiltIn(s.State(), date("2020-07-01"), "C56")[0]; !before.Met || len(after.Missing) != 6 {
		t.Errorf("before: %v; after, with A1's items gone: %v", before.Missing, after.Missing)
	}
}

func TestC62CalendarYears(t *testing.T) {
	for began, earliest := range map[string]string{"2020-03-01": "2022-03-01", "2024-02-29": "2026-02-28",
		"2022-02-28": "2024-02-28", "2021-12-31": "2023-12-31"} {
		s := play(agreed(t), step{"2025-01-01", lab.StartIncubation{On: date(began)}})
		day := date(earliest)
		before, then := judgeBuiltIn(s.State(), day.AddDays(-1), "C62")[0], judgeBuiltIn(s.State(), day, "C62")[0]
		if before.Met || !then.Met || before.Earliest != day {
			t.Errorf("began on %s: the day before %v, on %s %v, earliest %s", began, before.Met, day, then.Met,
				before.Earliest)
		}
	}
	// Of a day known in part the latest it can mean counts.
	s := proposed(t).GivenOn(on("2020-02-01"),
		lab.HistoryRecorded{From: lab.StatusProposed, To: lab.StatusIncubating, On: partial("2016-02")})
	if f := judgeBuiltIn(s.State(), date("2018-02-27"), "C62")[0]; f.Met || f.Earliest != date("2018-02-28") {
		t.Errorf("from 2016-02: met %v, earliest %s", f.Met, f.Earliest)
	}
}

func TestC62AfterDecline(t *testing.T) {
	s, last := at(t, lab.StatusNotEstablished)
	play(s, step{last.AddDays(1).String(), lab.ResumeIncubation{On: last.AddDays(1)}})
	if got := s.State().Incubation; got != partial("2020-03-01") {
		t.Errorf("incubation began on %s", got)
	}
}

func TestC73ConstructionPeriod(t *testing.T) {
	apply := acceptanceOn
	s, approved := at(t, lab.StatusConstruction)
	end := approved.AddDays(60)
	prepare(s, "apply-for-acceptance", end.AddDays(-10))
	s.When(apply(end.AddDays(-1)), on("2026-01-01")).ThenRefused(domain.Refused, "C73")
	if f := s.Rejection().Findings[0]; f.Earliest != end || f.Quote != "建设期满达到验收标准的，可向教育部提出验收认定申请" {
		t.Errorf("%+v", f)
	}
	s.When(apply(end), on("2026-01-01")).ThenAccepted()

	s, visit := at(t, lab.StatusSiteVisit)
	play(prepare(s, "approve-establishment", visit),
		step{"2026-01-01", lab.ApproveEstablishment{On: visit.AddDays(1),
			Construction: period("2025-01-01", "2027-12-31"), EarlyAllowed: true}})
	prepare(s, "apply-for-acceptance", date("2025-06-01")).When(apply(date("2025-06-01")), on("2026-01-01")).
		ThenAccepted()

	for _, allowed := range []bool{false, true} {
		s, eval := at(t, lab.StatusPeerEval)
		play(s, step{"2026-01-01", lab.DecideNotPassed{On: eval.AddDays(1), Ground: because, MayReapply: allowed}})
		s.When(apply(eval.AddDays(2)), on("2026-01-01"))
		if allowed {
			s.ThenAccepted()
		} else {
			s.ThenRefused(domain.Refused, "C73")
		}
	}

	s = proposed(t).GivenOn(on("2020-02-01"), lab.HistoryRecorded{From: lab.StatusProposed, To: lab.StatusConstruction})
	s.When(apply(date("2026-01-01")), on("2026-01-01")).
		ThenRefused(domain.Refused, "C71", "C73") // its end is unknown
}

func TestC78ResponsibleHost(t *testing.T) {
	s := three(t)
	s.When(lab.WithdrawParty{Agreement: "A1", Party: nanjing.ID, On: date("2021-01-01"), Notice: digest(1)},
		on("2021-01-01")).ThenRefused(domain.Refused, "C78")
	if f := s.Rejection().Findings[0]; f.Quote != "高校是联合实验室建设的责任主体" {
		t.Errorf("quotes %q", f.Quote)
	}
	succeed := func(by domain.EntityRef) lab.Command {
		return lab.SucceedParty{Agreement: "A1", Party: nanjing.ID, Successor: by.ID, On: date("2021-01-01"),
			Evidence: digest(2)}
	}
	for _, not := range []domain.EntityRef{siemens, nameless} {
		s.When(succeed(not), on("2021-01-01")).ThenRefused(domain.Refused, "C78")
	}
	s.When(succeed(fudan), on("2021-01-01")).ThenAccepted()
	if l := s.State(); l.Host.ID != fudan.ID || !judgeBuiltIn(l, date("2021-01-01"), "C78")[0].Met ||
		!judgeBuiltIn(l, date("2021-01-01"), "C15")[0].Met {
		t.Errorf("the host is %s; C15 %v", l.Host.Name.En, judgeBuiltIn(l, date("2021-01-01"), "C15")[0].Missing)
	}
	if judgeBuiltIn(lab.New(domaintest.Aggregate), date("2021-01-01"), "C78")[0].Met {
		t.Error("a lab nobody hosts has a responsible host")
	}
	s.When(lab.WithdrawParty{Agreement: "A1", Party: fudan.ID, On: date("2022-01-01"), Notice: digest(1)},
		on("2022-01-01")).ThenRefused(domain.Refused, "C78")
}

func TestRefusalListsAllRules(t *testing.T) {
	s := play(agreed(t), step{"2020-06-01", lab.StartIncubation{On: date("2020-03-01")}})
	s.When(lab.SubmitApplication{On: date("2020-06-01"), Effect: because, Document: digest(7)}, on("2020-06-01")).
		ThenRefused(domain.Refused, "C08", "C10", "C11", "C12", "C13", "C14", "C16", "C17", "C18", "C19", "C20",
			"C55", "C56", "C62", "C63", "C64", "C65", "C79")
	if d := s.Rejection().Detail; !strings.Contains(d.Zh, "18") || !strings.Contains(d.En, "18") {
		t.Errorf("%+v", d)
	}
}
