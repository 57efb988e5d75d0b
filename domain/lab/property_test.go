package lab_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func marshal(t *rapid.T, v any) string {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return string(b)
}

// checkText requires words in both languages and every argument in its place.
func checkText(t *rapid.T, of any, text domain.Text) {
	if text.Zh == "" || text.En == "" || strings.Contains(text.Zh+text.En, "%!") {
		t.Fatalf("%T says %q, %q", of, text.Zh, text.En)
	}
}

// anyCommand draws a command that has a fair chance on l: it names what is
// there, mostly, and days about today.
func anyCommand(t *rapid.T, l *lab.Lab, today domain.Date) (cmd lab.Command, name string, day domain.Date) {
	n := func(below int) int { // scattered, since rapid prefers small numbers
		return int(rapid.Uint32().Draw(t, "n")*2654435761>>8) % below
	}
	day = today.AddDays(-n(4))
	who := entities[n(4)].ID // rarely a party
	word := func() domain.Text {
		return []domain.Text{because, domain.T("只有中文", ""), domain.T("", "English only"), domain.T("100%d", "100%s")}[n(4)]
	}
	id := func(letter string, have int) string { return fmt.Sprintf("%s%d", letter, 1+n(have+1)) }
	a, r, f := id("A", len(l.Agreements)), id("R", len(l.Rights)), id("F", len(l.Commitments))
	amount := func() lab.Quantity {
		return []lab.Quantity{cny(fmt.Sprint(1 + n(100))), cny("50"), premises("10"), months("3"),
			equipment(1+n(3), "10")}[n(5)]
	}
	var status []string
	for _, s := range lab.Steps {
		if slices.Contains(s.From, l.Status) && s.Command != "withdraw" && s.Command != "close" &&
			s.Command != "revoke" {
			status = append(status, s.Command)
		}
	}
	if n(3) == 0 {
		return anyRecord(n, who, day), "", day
	}
	switch n(38) {
	case 0, 1:
		return propose, "", day
	case 2, 3:
		d := draft()
		d.Term = []domain.Period{{}, {From: day, To: day.AddDays(900)}, {To: day.AddDays(30)}}[n(3)]
		if n(2) == 0 {
			d.Parties = append(d.Parties, lab.NewParty{Entity: who, Role: lab.EnterpriseParty})
		}
		return d, "", day
	case 4, 5, 6, 7, 8, 9:
		if len(l.Agreements) > 0 && n(3) > 0 { // who has yet to sign what is there
			a := l.Agreements[n(len(l.Agreements))]
			who, amendment, document := a.Parties, 0, 1
			if k := len(a.Amendments); k > 0 && n(4) > 0 {
				amendment, document = 1+n(k), 11
				who = slices.Concat(who, a.Amendments[amendment-1].Accede)
			}
			return sign(a.ID, amendment, who[n(len(who))].Entity, day.String(), document), "", day
		}
		amendment, document := n(3), 1
		if amendment > 0 {
			document = 11
		}
		return sign(a, amendment, domain.EntityRef{ID: who}, day.String(), document), "", day
	case 10:
		m := amendment
		m.Agreement, m.Term, m.Effective = a, domain.Period{To: day.AddDays(400)},
			[]domain.Date{{}, day.AddDays(100)}[n(2)]
		m.Accede = []lab.NewParty{{Entity: who, Role: lab.EnterpriseParty}}
		return m, "", day
	case 11:
		return lab.RenewAgreement{Agreement: a, On: day, Until: day.AddDays(1000 + n(1000)),
			Document: digest(1)}, "", day
	case 12:
		return []lab.Command{
			lab.TerminateAgreement{Agreement: a, On: day, Ground: word()},
			lab.SupersedeAgreement{Agreement: a, By: id("A", len(l.Agreements)), On: day},
			lab.ClassifyAgreement{Agreement: a, Class: []lab.Class{lab.MoU, lab.Substantive}[n(2)]},
		}[n(3)], "", day
	case 13:
		return lab.WithdrawParty{Agreement: a, Party: who, On: day, Notice: digest(1)}, "", day
	case 14:
		return lab.SucceedParty{Agreement: a, Party: who, Successor: entities[n(6)].ID, On: day,
			Evidence: digest(1)}, "", day
	case 15, 16:
		add := lab.AddRight{Agreement: a, Kind: lab.ItemKinds[n(3)], Party: who, Clause: "§1", Text: word(),
			Due: day.AddDays(n(50))}
		if n(2) == 0 {
			add.Counterparty = entities[n(2)].ID
		}
		return add, "", day
	case 17:
		return lab.AmendRight{Item: r, Amendment: n(2), Clause: "§2", Text: word()}, "", day
	case 18:
		return []lab.Command{
			lab.DischargeRight{Item: r, On: day, Evidence: digest(1)}, lab.WaiveRight{Item: r, On: day, Ground: word()},
			lab.RecordBreach{Item: r, On: day, Evidence: digest(1), Ground: word()},
			lab.CureBreach{Item: r, On: day, Evidence: digest(1)},
		}[n(4)], "", day
	case 19, 20:
		return lab.PledgeCommitment{Party: who, Source: lab.FundingSources[n(5)], Agreement: []string{"", a}[n(2)],
			Quantity: amount()}, "", day
	case 21:
		return lab.FirmUpCommitment{Commitment: f, On: day, Evidence: digest(1)}, "", day
	case 22:
		return lab.ScheduleInstalments{Commitment: f,
			Schedule: []lab.Instalment{{Due: day.AddDays(n(400)), Quantity: cny("50")}}}, "", day
	case 23:
		return lab.AmendCommitment{Commitment: f, Amendment: n(2), Quantity: amount(),
			Schedule: []lab.Instalment{{Due: day, Quantity: cny("50")}}[:n(2)]}, "", day
	case 24, 25:
		return lab.ReceiveContribution{Commitment: f, On: day, Quantity: amount(), Evidence: digest(1)}, "", day
	case 26:
		return lab.ReturnContribution{Commitment: f, On: day, Quantity: amount(), Evidence: digest(1)}, "", day
	case 27:
		return []lab.Command{lab.FulfilCommitment{Commitment: f, On: day},
			lab.CancelCommitment{Commitment: f, On: day, Ground: word()}}[n(2)], "", day
	case 28:
		return []lab.Command{
			lab.Rename{Name: domain.Name{Text: fmt.Sprint("Lab ", n(100)), Lang: "en",
				Kind: domain.Official}, From: day},
			lab.SetDiscipline{Discipline: word()},
			lab.LinkPlatform{Name: word(), Level: "other", Evidence: digest(1)},
			lab.UnlinkPlatform{Platform: id("P", len(l.Platforms)), On: day},
			lab.NamePartner{Grounds: source, Entity: who, As: "x"},
			lab.AssertFact{Grounds: source, Kind: "note", On: []domain.PartialDate{{}, partial("2015")}[n(2)],
				Text: word()},
			lab.RecordHistory{Grounds: source, Status: lab.StatusOperating,
				On: []domain.PartialDate{{}, partial("2015-12")}[n(2)]},
		}[n(7)], "", day
	case 29:
		return conditions[n(4)].cmd, "", day
	case 30:
		s := lab.Steps[n(len(lab.Steps))]
		return moves[s.Command](day), s.Command, day
	default:
		if len(status) == 0 {
			return lab.StartIncubation{On: day}, "start-incubation", day
		}
		s := status[n(len(status))]
		if waits := prelude(l, s, day); len(waits) > 0 && n(8) > 0 {
			return waits[0], "", day
		}
		return moves[s](day), s, day
	}
}

// TestAnySequenceOfCommands holds a lab to what every one of them promises.
func TestAnySequenceOfCommands(t *testing.T) {
	known := map[uuid.UUID]domain.EntityRef{}
	for _, e := range entities {
		known[e.ID] = e
	}
	domaintest.Check(t, 100, 10_000, func(t *rapid.T) {
		l := lab.New(domaintest.Aggregate)
		var history []domain.RecordedEvent[lab.Event]
		now := time.Date(2021, 1, 1, 4, 0, 0, 0, time.UTC)
		send := func(cmd lab.Command, step string, day domain.Date) {
			x := domain.Context{Actor: by(cmd), Now: now, Entities: known, Programme: onRecord}
			if rapid.IntRange(0, 9).Draw(t, "sent by") == 0 {
				x.Actor.Subject = "clerk" // whatever the role
			}
			before := marshal(t, l)
			events, err := cmd.Decide(l, x)
			if after := marshal(t, l); after != before {
				t.Fatalf("%T changed the state it was to decide on:\n%s\n%s", cmd, before, after)
			}
			checkReadiness(t, l, lab.RuleContext{Policy: x.Programme.PolicyOn(day), Actor: x.Actor}, step, day, err)
			var r *domain.Rejection
			switch {
			case err == nil && len(events) != 1:
				t.Fatalf("%T led to %d events", cmd, len(events))
			case err == nil:
			case !errors.As(err, &r) || events != nil:
				t.Fatalf("%T: %v with events %v", cmd, err, events)
			default:
				checkText(t, cmd, r.Detail)
				for _, f := range r.Fields {
					checkText(t, cmd, f.Message)
				}
				for _, f := range r.Findings {
					for _, m := range f.Missing {
						checkText(t, cmd, m)
					}
				}
			}
			for _, e := range events {
				checkText(t, e, e.Sentence())
				h := domain.RecordedEvent[lab.Event]{Event: e, Meta: domain.Meta{
					ID: domaintest.Event(len(history)), Revision: uint64(len(history)), Time: now, Actor: x.Actor,
					Because: cmd.Why(),
				}}
				history = append(history, h)
				l.Apply(h)
			}
		}
		if rapid.Bool().Draw(t, "a lab on its way") { // random commands alone rarely meet every rule
			for _, s := range slices.Concat([]step{{"", propose}}, agreement, conditions,
				[]step{{"", lab.StartIncubation{On: date("2020-05-01")}}}) {
				send(s.cmd, "", domain.Date{})
			}
			if rapid.Bool().Draw(t, "up for evaluation") {
				day := date("2022-05-01")
				now = time.Date(2022, 6, 1, 4, 0, 0, 0, time.UTC)
				for _, name := range []string{"submit-application", "pass-formal-check", "shortlist",
					"approve-establishment", "apply-for-acceptance", "commission-peer-evaluation"} {
					for range 30 { // more than any step waits for; some may be refused
						if waits := prelude(l, name, day); len(waits) > 0 {
							send(waits[0], "", day)
						}
					}
					cmd := moves[name](day)
					if name == "approve-establishment" {
						cmd = lab.ApproveEstablishment{On: day, Construction: domain.Period{From: day, To: day}}
					}
					send(cmd, name, day)
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			now = now.AddDate(0, 0, rapid.IntRange(0, 60).Draw(t, "days later"))
			cmd, step, day := anyCommand(t, l, domain.DateOf(now))
			send(cmd, step, day)
		}

		// The events as they are read back, half of them folded onto the state as it is read back.
		whole, cut := lab.New(l.ID), lab.New(l.ID)
		k := rapid.IntRange(0, len(history)).Draw(t, "k")
		for i, h := range history {
			read := reflect.New(reflect.TypeOf(h.Event))
			if err := json.Unmarshal([]byte(marshal(t, h.Event)), read.Interface(),
				json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%T: %v", h.Event, err)
			}
			h.Event = read.Elem().Interface().(lab.Event)
			whole.Apply(h)
			if i == k {
				kept := marshal(t, cut)
				cut = lab.New(uuid.Nil)
				if err := json.Unmarshal([]byte(kept), cut, json.RejectUnknownMembers(true)); err != nil {
					t.Fatal(err)
				}
			}
			cut.Apply(h)
		}
		if got, want := marshal(t, whole), marshal(t, l); got != want {
			t.Fatalf("the events read back give another state:\n%s", cmp.Diff(want, got))
		}
		if got, want := marshal(t, cut), marshal(t, l); got != want {
			t.Fatalf("a state read back after %d events goes on differently:\n%s", k, cmp.Diff(want, got))
		}
		if diff := domaintest.Diff(cut, whole); diff != "" {
			t.Fatalf("states differ where JSON does not:\n%s", diff)
		}

		// On a day in the past some events have not happened yet, whatever refers
		// to them: the rest still makes a lab that can be read and judged.
		part := lab.New(l.ID)
		for i, h := range history {
			if i == 0 || rapid.IntRange(0, 3).Draw(t, "happened") > 0 {
				part.Apply(h)
			}
		}
		day := domain.DateOf(now).AddDays(-rapid.IntRange(0, 800).Draw(t, "days ago"))
		part.Matrix(day)
		part.Watches(onRecord.PolicyOn(day), day, 90)
		part.FundingStructure(day, "CNY")
		part.StatusThen(day)
		part.Readiness(onRecord, domain.Actor{}, day)
		lab.JudgeUnder(lab.RuleContext{Policy: onRecord.PolicyOn(day)}, part, day, lab.RecordRules...)
		for i := range part.Agreements {
			part.Agreements[i].StatusOn(day)
		}
		for i := range part.Commitments {
			part.Commitments[i].StatusOn(day)
			part.Commitments[i].LateOn(day)
		}
		if kept := lab.New(uuid.Nil); json.Unmarshal([]byte(marshal(t, part)), kept) != nil ||
			marshal(t, kept) != marshal(t, part) {
			t.Fatal("a lab folded from part of its history does not survive JSON")
		}
	})
}

// checkReadiness requires that a step of the status machine and the readiness report
// agree: it is refused by the rules exactly where they are not met.
func checkReadiness(t *rapid.T, l *lab.Lab, u lab.RuleContext, command string, day domain.Date, err error) {
	i := slices.IndexFunc(lab.Steps, func(s lab.Step) bool { return s.Command == command })
	if i < 0 {
		return
	}
	unmet := domain.Unmet(lab.JudgeUnder(u, l, day, lab.Steps[i].Rules...))
	var r *domain.Rejection
	switch {
	case err == nil && unmet != nil:
		t.Fatalf("%s is accepted though %v", command, unmet)
	case errors.As(err, &r) && r.Kind == domain.Refused && !cmp.Equal(error(r), unmet, domaintest.Same):
		t.Fatalf("%s is refused with %v, readiness says %v", command, err, unmet)
	}
}
