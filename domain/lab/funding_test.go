package lab_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

func months(n string) lab.Quantity {
	d := domain.MustDecimal(n)
	return lab.Quantity{StaffMonths: &d}
}

func eur(amount string) lab.Quantity {
	return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: "EUR"}}
}

func pledge(q lab.Quantity) lab.PledgeCommitment {
	return lab.PledgeCommitment{Party: oxford.ID, Source: lab.ForeignFunds, Agreement: "A1", Purpose: because,
		Quantity: q}
}

func receive(day string, q lab.Quantity) step {
	return step{"2026-01-01", lab.ReceiveContribution{Commitment: "F1", On: date(day), Quantity: q,
		Evidence: digest(21)}}
}

func giveBack(day string, q lab.Quantity) step {
	return step{"2026-01-01", lab.ReturnContribution{Commitment: "F1", On: date(day), Quantity: q,
		Evidence: digest(22)}}
}

func standing(t *testing.T, s *scenario, want map[string]lab.CommitmentStatus) {
	t.Helper()
	f := &s.State().Commitments[0]
	for day, status := range want {
		if got := f.StatusOn(date(day)); got != status {
			t.Errorf("on %s the commitment is %s, want %s", day, got, status)
		}
	}
}

var instalments = lab.ScheduleInstalments{Commitment: "F1", Schedule: []lab.Instalment{
	{Due: date("2021-06-30"), Quantity: cny("40")}, {Due: date("2022-06-30"), Quantity: cny("60")},
}}

func TestC80PledgeCommitment(t *testing.T) {
	s := agreed(t)
	s.When(lab.PledgeCommitment{Party: domaintest.ID(99)}, on("2020-04-01")).
		ThenRefused(domain.Invalid, "party", "source", "quantity")
	s.When(lab.PledgeCommitment{Party: bonn.ID, Source: lab.ForeignFunds, Agreement: "A1", Quantity: cny("1")},
		on("2020-04-01")).ThenRefused(domain.Invalid, "party")
	s.When(lab.PledgeCommitment{Party: bonn.ID, Source: lab.ForeignFunds, Agreement: "A9", Quantity: cny("1")},
		on("2020-04-01")).ThenRefused(domain.Invalid, "agreement")
	both := cny("1")
	both.StaffMonths = months("1").StaffMonths
	for _, c := range []struct {
		q  lab.Quantity
		at []string
	}{
		{both, []string{"quantity"}},
		{cny("0"), []string{"quantity.cash.amount"}},
		{cny("-1"), []string{"quantity.cash.amount"}},
		{cny("1.005"), []string{"quantity.cash.amount"}},
		{lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal("1"), Currency: "XAU"}},
			[]string{"quantity.cash.currency"}},
		{premises("0"), []string{"quantity.premises_m2"}},
		{months("-2"), []string{"quantity.staff_months"}},
		{equipment(0, "1"), []string{"quantity.equipment.items"}},
		{equipment(1, "0"), []string{"quantity.equipment.value.amount"}},
	} {
		s.When(pledge(c.q), on("2020-04-01")).ThenRefused(domain.Invalid, c.at...)
	}
	s.When(pledge(cny("1200000")), on("2020-04-01")).Then(lab.CommitmentPledged{
		Commitment: "F1", Party: s.State().Agreements[0].Parties[1].Entity, Source: lab.ForeignFunds, Agreement: "A1",
		Purpose: because, Quantity: cny("1200000.00"),
	})
	for i, q := range []lab.Quantity{premises("12.5"), months("6"), equipment(2, "10.00")} {
		play(s, step{"2020-04-01", pledge(q)})
		if f := s.State().Commitments[i+1]; f.ID != fmt.Sprintf("F%d", i+2) || f.Quantity.Kind() == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestFirmCommitment(t *testing.T) {
	firm := lab.FirmUpCommitment{Commitment: "F1", On: date("2020-05-01"), Evidence: digest(20)}
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))})
	s.When(lab.FirmUpCommitment{Commitment: "F1"}, on("2020-05-01")).ThenRefused(domain.Invalid, "on", "evidence")
	s.When(lab.FirmUpCommitment{Commitment: "F2"}, on("2020-05-01")).ThenRefused(domain.NotFound)
	play(s, step{"2020-05-02", firm})
	standing(t, s, map[string]lab.CommitmentStatus{"2020-04-30": lab.Pledged, "2020-05-01": lab.Firm})
	s.When(firm, on("2020-05-02")).ThenRefused(domain.State)
}

func TestCommitmentShortfall(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, step{"2020-04-02", instalments})
	standing(t, s, map[string]lab.CommitmentStatus{"2022-06-30": lab.Pledged, "2022-07-01": lab.Shortfall})
	play(s, receive("2021-06-30", cny("40")), receive("2022-08-01", cny("59.99")))
	standing(t, s, map[string]lab.CommitmentStatus{"2021-06-29": lab.Pledged, "2021-06-30": lab.PartiallyDelivered,
		"2022-07-01": lab.Shortfall, "2022-08-01": lab.Shortfall})
	s.When(lab.FulfilCommitment{Commitment: "F1", On: date("2022-08-01")}, on("2026-01-01")).ThenRefused(domain.State)
	play(s, receive("2022-09-01", cny("0.01")))
	standing(t, s, map[string]lab.CommitmentStatus{"2022-08-31": lab.Shortfall, "2022-09-01": lab.Fulfilled})
	s.When(lab.FulfilCommitment{Commitment: "F1", On: date("2022-08-31")}, on("2026-01-01")).ThenRefused(domain.State)
	s.When(lab.FulfilCommitment{Commitment: "F1"}, on("2026-01-01")).ThenRefused(domain.Invalid, "on")
	play(s, step{"2026-01-01", lab.FulfilCommitment{Commitment: "F1", On: date("2022-09-01")}})
	for _, cmd := range []lab.Command{receive("2023-01-01", cny("1")).cmd, giveBack("2023-01-01", cny("1")).cmd,
		instalments, lab.CancelCommitment{Commitment: "F1"}, lab.FulfilCommitment{Commitment: "F1"},
		lab.AmendCommitment{Commitment: "F1"}, lab.FirmUpCommitment{Commitment: "F1"}} {
		s.When(cmd, on("2026-01-01")).ThenRefused(domain.State)
	}
}

func TestLateInstalments(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, step{"2020-04-02", instalments},
		receive("2021-09-01", cny("70")))
	for day, want := range map[string]int{"2021-06-30": 0, "2021-07-01": 1, "2021-08-31": 1, "2021-09-01": 0,
		"2022-06-30": 0, "2022-07-01": 1} {
		if late := s.State().Commitments[0].LateOn(date(day)); len(late) != want {
			t.Errorf("on %s late: %v", day, late)
		}
	}
	play(s, step{"2026-01-01", lab.CancelCommitment{Commitment: "F1", On: date("2023-01-01"), Ground: because}})
	standing(t, s, map[string]lab.CommitmentStatus{"2022-12-31": lab.Shortfall, "2023-01-01": lab.Cancelled})
	if f := s.State().Commitments[0]; len(f.LateOn(date("2022-12-31"))) != 1 || len(f.LateOn(date("2023-01-01"))) != 0 {
		t.Error("a cancelled commitment was late until it was cancelled and is not after")
	}
}

func TestInstalmentSchedule(t *testing.T) {
	schedule := func(in ...lab.Instalment) lab.Command {
		return lab.ScheduleInstalments{Commitment: "F1", Schedule: in}
	}
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))})
	s.When(schedule(), on("2020-04-02")).ThenRefused(domain.Invalid, "schedule")
	s.When(schedule(lab.Instalment{Due: date("2021-01-01"), Quantity: cny("99.99")}), on("2020-04-02")).
		ThenRefused(domain.Invalid, "schedule")
	s.When(schedule(lab.Instalment{Quantity: cny("100")}), on("2020-04-02")).
		ThenRefused(domain.Invalid, "schedule[0].due")
	s.When(schedule(lab.Instalment{Due: date("2022-01-01"), Quantity: cny("50")},
		lab.Instalment{Due: date("2021-01-01"), Quantity: cny("50")}), on("2020-04-02")).
		ThenRefused(domain.Invalid, "schedule[1].due")
	s.When(schedule(lab.Instalment{Due: date("2022-01-01"), Quantity: cny("100")},
		lab.Instalment{Due: date("2022-01-01"), Quantity: eur("1")}), on("2020-04-02")).
		ThenRefused(domain.Invalid, "schedule[1].quantity")
	s.When(instalments, on("2020-04-02")).ThenAccepted()
	// No party defers alone what an agreement in force makes due.
	s.When(schedule(lab.Instalment{Due: date("2029-01-01"), Quantity: cny("100")}), on("2020-04-03")).
		ThenRefused(domain.State)

	free := pledge(cny("100"))
	free.Agreement = ""
	s = play(agreed(t), step{"2020-04-01", free}, step{"2020-04-02", instalments},
		step{"2020-04-03", schedule(lab.Instalment{Due: date("2021-01-01"), Quantity: cny("100")})})
	if got := len(s.State().Commitments[0].Schedule); got != 1 {
		t.Errorf("%d instalments", got)
	}
}

func TestAmendCommitment(t *testing.T) {
	change := lab.AmendCommitment{Commitment: "F1", Quantity: cny("120"),
		Schedule: []lab.Instalment{{Due: date("2023-01-01"), Quantity: cny("120")}}}
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, step{"2020-04-02", instalments})
	s.When(lab.AmendCommitment{Commitment: "F1", Quantity: eur("1")}, on("2020-05-01")).
		ThenRefused(domain.Invalid, "quantity")
	s.When(lab.AmendCommitment{Commitment: "F1"}, on("2020-05-01")).ThenRefused(domain.Invalid, "quantity")
	s.When(lab.AmendCommitment{Commitment: "F1", Quantity: cny("120")}, on("2020-05-01")).
		ThenRefused(domain.Invalid, "schedule")
	s.When(change, on("2020-05-01")).ThenRefused(domain.State)
	m := amendment
	m.Accede = nil
	play(s, step{"2020-05-01", m}, step{"2020-05-02", sign("A1", 1, nanjing, "2020-05-02", 11)},
		step{"2020-05-03", sign("A1", 1, oxford, "2020-05-03", 11)})
	change.Amendment = 1
	party := s.State().Commitments[0].Party
	s.When(change, on("2020-06-01")).Then(lab.CommitmentAmended{
		Commitment: "F1", Party: party, Amendment: 1, From: cny("100.00"), To: cny("120.00"),
		Schedule: []lab.Instalment{{Due: date("2023-01-01"), Quantity: cny("120.00")}},
	})
	play(s, receive("2022-01-01", cny("100")))
	standing(t, s, map[string]lab.CommitmentStatus{"2022-01-01": lab.PartiallyDelivered, "2023-01-02": lab.Shortfall})
}

func TestReceiveContribution(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))})
	s.When(lab.ReceiveContribution{Commitment: "F1"}, on("2020-05-01")).
		ThenRefused(domain.Invalid, "on", "evidence", "quantity")
	for _, q := range []lab.Quantity{eur("1"), premises("1"), months("1"), equipment(1, "1")} {
		s.When(receive("2020-05-01", q).cmd, on("2020-05-01")).ThenRefused(domain.Invalid, "quantity")
	}
	s.When(receive("2020-05-02", cny("1")).cmd, on("2020-05-01")).ThenRefused(domain.Invalid, "on")
	s.When(receive("2020-05-01", cny("1")).cmd, on("2020-05-01")).ThenAccepted()
}

func TestReturnContribution(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, receive("2021-01-01", cny("60")))
	s.When(giveBack("2020-12-31", cny("1")).cmd, on("2026-01-01")).ThenRefused(domain.State)
	s.When(giveBack("2021-01-01", cny("60.01")).cmd, on("2026-01-01")).ThenRefused(domain.State)
	play(s, giveBack("2021-03-01", cny("60")), receive("2021-04-01", cny("60")))
	// On 1 February 60 were there, but 1 March would be left with less than nothing.
	s.When(giveBack("2021-02-01", cny("10")).cmd, on("2026-01-01")).ThenRefused(domain.State)
	play(s, giveBack("2021-05-01", cny("10")))
	if got := s.State().Commitments[0].Delivered.Cash.String(); got != "50.00 CNY" {
		t.Errorf("%s delivered", got)
	}
	standing(t, s, map[string]lab.CommitmentStatus{"2021-03-01": lab.Pledged, "2021-04-01": lab.PartiallyDelivered})

	s = play(agreed(t), step{"2020-04-01", pledge(equipment(3, "90"))}, receive("2021-01-01", equipment(3, "80")))
	standing(t, s, map[string]lab.CommitmentStatus{"2021-01-01": lab.PartiallyDelivered}) // all the items, not all the value
	s.When(giveBack("2021-02-01", equipment(1, "81")).cmd, on("2026-01-01")).ThenRefused(domain.State)
	play(s, giveBack("2021-02-01", equipment(1, "30")))
	if e := s.State().Commitments[0].Delivered.Equipment; e.Items != 2 || e.Value.String() != "50.00 CNY" {
		t.Errorf("%+v delivered", e)
	}
}

func TestReturnUndoesFulfilment(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, receive("2021-01-01", cny("100")),
		giveBack("2021-02-01", cny("1")))
	s.When(lab.FulfilCommitment{Commitment: "F1", On: date("2021-01-15")}, on("2026-01-01")).ThenRefused(domain.State)
	s.When(lab.CancelCommitment{Commitment: "F1"}, on("2026-01-01")).ThenRefused(domain.Invalid, "on", "ground")
}

func TestSumsAreExact(t *testing.T) {
	domaintest.Check(t, 100, 10_000, func(t *rapid.T) {
		f := lab.New(domaintest.Aggregate)
		f.Apply(domain.RecordedEvent[lab.Event]{Event: lab.CommitmentPledged{Commitment: "F1", Party: oxford,
			Quantity: cny("1")}})
		var fen int64
		for range rapid.IntRange(1, 50).Draw(t, "deliveries") {
			n := rapid.Int64Range(1, 1_000_000_000_000).Draw(t, "fen")
			q := cny(fmt.Sprintf("%d.%02d", n/100, n%100))
			if fen >= n && rapid.Bool().Draw(t, "returned") {
				fen -= n
				f.Apply(domain.RecordedEvent[lab.Event]{Event: lab.ContributionReturned{Commitment: "F1",
					Contribution: lab.Contribution{Quantity: q, Returned: true}}})
				continue
			}
			fen += n
			f.Apply(domain.RecordedEvent[lab.Event]{Event: lab.ContributionReceived{Commitment: "F1",
				Contribution: lab.Contribution{Quantity: q}}})
		}
		if got, want := f.Commitments[0].Delivered.Cash.String(),
			fmt.Sprintf("%d.%02d CNY", fen/100, fen%100); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

func TestUnitsNeverMix(t *testing.T) {
	// The commitment is corrected to another currency after a delivery: the
	// delivery counts for nothing until it is corrected too.
	s := play(agreed(t), step{"2020-04-01", pledge(cny("100"))}, receive("2021-01-01", cny("60")))
	history := s.History()
	wrong := history[len(history)-2]
	right := wrong.Event.(lab.CommitmentPledged)
	right.Quantity = eur("100.00")
	s.GivenOn(on("2026-01-02"), lab.Corrected{Correction: domain.Correction{Corrects: wrong.Meta.ID,
		With: domain.Restated{Event: right}}})
	if got := s.State().Commitments[0]; got.Delivered.Cash.String() != "0.00 EUR" ||
		got.StatusOn(date("2026-01-02")) != lab.Pledged {
		t.Errorf("%s delivered, %s", got.Delivered.Cash, got.StatusOn(date("2026-01-02")))
	}
}
