package lab_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

// randomLab is a lab at random: parts of what a lab needs, recorded in order, then
// steps of the status machine for as long as they are accepted.
func randomLab(r *rand.Rand) (*lab.Lab, domain.Date) {
	l, day := lab.New(domaintest.Aggregate), date("2020-05-01").AddDays(r.IntN(60))
	happened := 0
	send := func(cmd lab.Command, day string) bool {
		on := from(cmd, day)
		events, err := cmd.Decide(l, on)
		for _, e := range events {
			l.Apply(domain.RecordedEvent[lab.Event]{Event: e,
				Meta: domain.Meta{ID: domaintest.Event(happened), Revision: uint64(happened), Time: on.Now,
					Actor: on.Actor}})
			happened++
		}
		return err == nil
	}
	missing := max(0, r.IntN(5)-2) // of ten
	for _, s := range slices.Concat([]step{{"2020-01-10", propose}}, agreement, conditions) {
		if r.IntN(10) >= missing || reflect.TypeOf(s.cmd) == reflect.TypeOf(propose) {
			send(s.cmd, s.day)
		}
	}
	// Towards some status, then wherever it may lead.
	targets := slices.Sorted(maps.Keys(paths))
	way := paths[targets[r.IntN(len(targets))]]
	for range r.IntN(4) {
		way = with(way, "")
	}
	prepare := func(command string) { // now and then something is forgotten
		for r.IntN(50) > 0 {
			waits := prelude(l, command, day)
			if len(waits) == 0 || !send(waits[0], day.String()) {
				return
			}
		}
	}
	for _, command := range way {
		if command == "" {
			var can []string
			for _, s := range lab.Steps {
				if slices.Contains(s.From, l.Status) && s.Command != "withdraw" {
					can = append(can, s.Command)
				}
			}
			if len(can) == 0 {
				break
			}
			command = can[r.IntN(len(can))]
		}
		for range 4 { // it may be too early
			day = day.AddDays(r.IntN(500))
			prepare(command)
			if send(moves[command](day), day.String()) {
				break
			}
		}
	}
	if r.IntN(2) == 0 {
		for _, s := range lab.Steps {
			if slices.Contains(s.From, l.Status) {
				prepare(s.Command)
			}
		}
	}
	return l, day.AddDays(r.IntN(1200) - 400)
}

func TestReadinessMatchesDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(2014, 9)) // its first thousand labs meet every step ready and not ready
	seen := map[string]map[bool]int{}
	for n := range domaintest.Runs(5000, 10_000) {
		l, day := randomLab(r)
		if day.Before(date("2020-01-10")) {
			continue
		}
		ask := func(day domain.Date) domain.Context { return on(day.String()) }
		if n%10 == 0 { // the subject who recorded the application
			ask = func(day domain.Date) domain.Context { return from(acceptanceOn(day), day.String()) }
		}
		for _, step := range l.Readiness(onRecord, ask(day).Actor, day) {
			if step.Command == "extend-construction" {
				continue // the sender chooses its new end
			}
			_, err := moves[step.Command](day).Decide(l, ask(day))
			if step.Ready != (err == nil) {
				t.Fatalf("lab %d, %s on %s: ready %v, the command: %v", n, step.Command, day, step.Ready, err)
			}
			if seen[step.Command] == nil {
				seen[step.Command] = map[bool]int{}
			}
			seen[step.Command][step.Ready]++
			if step.Ready || step.Earliest.IsZero() {
				continue
			}
			for _, later := range []domain.Date{step.Earliest, step.Earliest.AddDays(-1)} {
				_, err := moves[step.Command](later).Decide(l, ask(later))
				if (err == nil) != (later == step.Earliest) && !later.Before(day) {
					t.Fatalf("lab %d, %s: the earliest day is %s, and on %s the command: %v", n,
						step.Command, step.Earliest, later, err)
				}
			}
		}
	}
	for _, s := range lab.Steps {
		if len(s.Rules) > 0 && (seen[s.Command][true] == 0 || seen[s.Command][false] == 0) {
			t.Errorf("%s was ready %d times and not ready %d times; draw better", s.Command, seen[s.Command][true],
				seen[s.Command][false])
		}
	}
}

func TestReadinessFindings(t *testing.T) {
	s := play(agreed(t), slices.Concat(conditions,
		[]step{{"2020-05-01", lab.StartIncubation{On: date("2020-05-01")}}}, applying)...)
	for _, step := range s.State().Readiness(onRecord, domain.Actor{}, date("2021-12-01")) {
		if step.Command != "submit-application" {
			continue
		}
		if step.Ready || step.Earliest != date("2022-05-01") {
			t.Errorf("ready %v, earliest %s", step.Ready, step.Earliest)
		}
		for _, f := range step.Findings {
			if f.Quote == "" || f.Clause == "" || f.Text.Zh == "" || f.Text.En == "" {
				t.Errorf("%s lacks its words: %+v", f.Rule, f)
			}
			if f.Met != (f.Rule != "C62") {
				t.Errorf("%s: met %v", f.Rule, f.Met)
			}
			if f.Met && len(f.Proof) == 0 && f.Rule != "C01" && f.Rule != "C30" {
				t.Errorf("%s is met without proof", f.Rule)
			}
		}
	}
}

func watchesOf(l *lab.Lab, day string, ahead int) (lines []string) {
	for _, w := range l.Watches(domain.BuiltIn, date(day), ahead) {
		lines = append(lines, fmt.Sprintf("%s %s %s %v", w.Kind, w.Subject, w.Due, w.Lapsed))
	}
	return lines
}

func TestWatches(t *testing.T) {
	s := play(agreed(t), append(slices.Clone(conditions),
		step{"2020-05-01", lab.AddRight{Agreement: "A1", Kind: lab.Responsibility, Party: oxford.ID, Clause: "§9",
			Text: because, Due: date("2021-03-31")}},
		step{"2022-06-01", receive("2022-06-01", cny("100")).cmd},
	)...)
	for _, c := range []struct {
		day   string
		ahead int
		want  []string
	}{
		{"2021-01-01", 30, nil},
		{"2021-03-01", 30, []string{"item-overdue R7 2021-03-31 false"}},
		{"2022-07-15", 30, []string{"item-overdue R7 2021-03-31 true"}},
		{"2023-07-15", 30, []string{"item-overdue R7 2021-03-31 true", "instalment-late F1 2023-06-30 true"}},
		{"2029-12-01", 60, []string{
			"item-overdue R7 2021-03-31 true", "instalment-late F1 2023-06-30 true",
			"instalment-late F1 2024-06-30 true",
			"plan-ends plan 2024-12-31 true", "agreement-expires A1 2029-12-31 false",
		}},
	} {
		if got := watchesOf(s.State(), c.day, c.ahead); !reflect.DeepEqual(got, c.want) {
			t.Errorf("on %s, %d days ahead: %q, want %q", c.day, c.ahead, got, c.want)
		}
	}
}

func TestWatchesOfOperatingLab(t *testing.T) {
	s := play(agreed(t),
		step{"2020-04-01", lab.StartIncubation{On: date("2020-04-01")}},
		step{"2020-06-01", promise(nanjing, lab.PolicySupport, "2021-02-01")},
		step{"2020-06-01", appoint(lab.DirectorPost, "王", nanjing, "2020-06-01", "2021-03-01")},
		step{"2020-06-01", appoint(lab.DirectorPost, "Halley", oxford, "2020-06-01", "2025-05-31")},
		step{"2021-06-01", lab.EndMember{Member: "M2", On: date("2021-06-01"), Ground: because}},
		step{"2021-09-01", visit(lab.YoungTeachers, nanjing, oxford, "2021-03-01", "2021-04-01")},
	)
	vacant := []string{"support-overdue S1 2021-02-01 true", "director-vacant chinese 2021-03-02 true",
		"director-vacant foreign 2021-06-01 true"}
	for _, c := range []struct {
		day   string
		ahead int
		want  []string
	}{
		{"2020-05-01", 60, []string{"director-vacant chinese 2020-04-01 true",
			"director-vacant foreign 2020-04-01 true"}},
		{"2021-01-15", 60, []string{"support-overdue S1 2021-02-01 false", "term-ends M1 2021-03-01 false"}},
		{"2021-03-01", 91, []string{"support-overdue S1 2021-02-01 true", "term-ends M1 2021-03-01 false",
			"term-ends M2 2021-05-31 false"}},
		{"2021-12-30", 0, vacant},
		{"2021-12-30", 1, with(vacant, "visit-owed 2021 2021-12-31 false")},
		{"2021-12-30", 400, with(vacant, "visit-owed 2021 2021-12-31 false")}, // none of 2022 yet
		{"2022-01-01", 0, with(vacant, "visit-owed 2021 2021-12-31 true")},
		{"2022-11-01", 60, with(vacant, "visit-owed 2021 2021-12-31 true", "visit-owed 2022 2022-12-31 false",
			"visit-owed 2022 2022-12-31 false")},
	} {
		if got := watchesOf(s.State(), c.day, c.ahead); !reflect.DeepEqual(got, c.want) {
			t.Errorf("on %s, %d days ahead: %q, want %q", c.day, c.ahead, got, c.want)
		}
	}
	for _, w := range s.State().Watches(domain.BuiltIn, date("2022-11-01"), 60) {
		domaintest.Both(t, w.Text)
	}
}

func TestNoVisitsBeforeIncubation(t *testing.T) {
	s := play(agreed(t), step{"2021-04-01", lab.StartIncubation{On: date("2021-04-01")}})
	want := []string{"visit-owed 2022 2022-12-31 true", "visit-owed 2022 2022-12-31 true"}
	if got := watchesOf(s.State(), "2023-01-01", 0); !reflect.DeepEqual(got[2:], want) {
		t.Errorf("%q, want %q after two vacant posts", got, want)
	}
}

func TestEvaluationCycle(t *testing.T) {
	s, eval := at(t, lab.StatusPeerEval)
	record := func(day domain.Date) lab.RecordEvaluation {
		return lab.RecordEvaluation{On: day, Result: because, Document: digest(9)}
	}
	s.When(record(eval), on("2026-01-01")).ThenRefused(domain.State)
	play(prepare(s, "recognise", eval), step{"2026-01-01", lab.Recognise{On: eval}})
	s.When(lab.RecordEvaluation{}, on("2026-01-01")).ThenRefused(domain.Invalid, "on", "result", "document")
	s.When(record(eval.AddDays(-1)), on("2026-01-01")).ThenRefused(domain.Invalid, "on")
	cycle := domain.Policy{Terms: later}
	cycle.EvaluationYears = 5
	due := func(p domain.Policy, day domain.Date) (days []domain.Date) {
		for _, w := range s.State().Watches(p, day, 30) {
			if w.Kind == "evaluation-due" {
				days = append(days, w.Due)
				domaintest.Both(t, w.Text)
			}
		}
		return days
	}
	first := eval.AddYears(5)
	if got := due(cycle, first.AddDays(-31)); got != nil {
		t.Errorf("due too early: %v", got)
	}
	if got := due(cycle, first.AddDays(-30)); !reflect.DeepEqual(got, []domain.Date{first}) {
		t.Errorf("due on %v, want %s", got, first)
	}
	if got := due(domain.BuiltIn, first); got != nil {
		t.Errorf("the document of 2014 has no cycle, and yet: %v", got)
	}
	s.When(record(eval.AddDays(7)), on("2026-01-01")).ThenAccepted()
	if got := due(cycle, first.AddDays(7)); !reflect.DeepEqual(got, []domain.Date{eval.AddDays(7).AddYears(5)}) {
		t.Errorf("after an evaluation due on %v", got)
	}
	if l := s.State(); l.Status != lab.StatusOperating {
		t.Errorf("an evaluation made it %s", l.Status)
	}
}

func TestEndedLabHasNoWatches(t *testing.T) {
	s := play(agreed(t), step{"2020-05-01", lab.Withdraw{On: date("2020-05-01"), Ground: because}})
	if got := watchesOf(s.State(), "2029-12-31", 365); got != nil {
		t.Errorf("watched: %q", got)
	}
}

func TestImpactApplies(t *testing.T) {
	r := rand.New(rand.NewPCG(2014, 56))
	changes := 0
	for range 500 {
		a, _ := randomLab(r)
		b, _ := randomLab(r)
		v, ok := a.VersionOf("A1")
		w, also := b.VersionOf("A1")
		if !ok || !also {
			continue
		}
		impact := v.Compare(w)
		changes += len(impact.Rights) + len(impact.Commitments)
		if got := v.Apply(impact); !reflect.DeepEqual(got, w) {
			t.Fatalf("%+v\napplied to\n%+v\ngives\n%+v\nnot\n%+v", impact, v, got, w)
		}
	}
	if changes == 0 {
		t.Error("no two versions differed; draw better")
	}
}

func TestMatrix(t *testing.T) {
	s := play(agreed(t), step{"2020-05-01", lab.AddRight{Agreement: "A1", Kind: lab.Right, Party: oxford.ID,
		Clause: "§1", Text: because}})
	cells := s.State().Matrix(date("2020-05-01"))
	filled := 0
	for _, c := range cells {
		filled += len(c.Items)
	}
	if len(cells) != 6 || filled != 1 {
		t.Errorf("%d cells with %d items", len(cells), filled)
	}
	if len(s.State().Matrix(date("2030-01-01"))) != 0 {
		t.Error("an agreement that has expired still fills the matrix")
	}
}
