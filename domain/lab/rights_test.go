package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

// duty is a responsibility of Oxford's towards the host.
var duty = lab.AddRight{
	Agreement: "A1", Kind: lab.Responsibility, Party: oxford.ID, Counterparty: nanjing.ID, Clause: "第5条",
	Text: domain.T("每年派出教师", "send teachers each year"), Due: date("2021-06-30"),
}

func TestAddRight(t *testing.T) {
	s := agreed(t)
	s.When(lab.AddRight{Agreement: "A1", Kind: "duty", Party: bonn.ID, Counterparty: bonn.ID}, on("2020-04-01")).
		ThenRefused(domain.Invalid, "kind", "clause", "text", "party", "counterparty")
	self := duty
	self.Counterparty = oxford.ID
	s.When(self, on("2020-04-01")).ThenRefused(domain.Invalid, "counterparty")
	s.When(lab.AddRight{Agreement: "A9"}, on("2020-04-01")).ThenRefused(domain.NotFound)
	s.When(duty, on("2020-04-01")).Then(lab.RightAdded{
		Item: "R1", Kind: lab.Responsibility, Agreement: "A1", Clause: "第5条", Party: oxford, Counterparty: &nanjing, Text: duty.Text, Due: duty.Due,
	})
	if got, want := s.Events()[0].Sentence(), domain.T("登记牛津大学的“责” R1（协议 A1，第5条）：每年派出教师", "Entered responsibility R1 of University of Oxford (agreement A1, 第5条): send teachers each year"); got != want {
		t.Errorf("%+v", got)
	}
}

func TestCounterpartySnapshot(t *testing.T) {
	// Drafted, entered, and only then signed: the signature renews the party's facts.
	s := play(proposed(t), step{"2020-01-20", draft()})
	state := s.State()
	events, err := duty.Decide(state, on("2020-01-21"))
	if err != nil {
		t.Fatal(err)
	}
	renamed := nanjing
	renamed.Name = domain.T("国立中央大学", "National Central University")
	state.Apply(domain.RecordedEvent[lab.Event]{Event: lab.AgreementSigned{Agreement: "A1", Party: renamed,
		Signature: lab.Signature{Party: nanjing.ID, On: date("2020-02-01")}}})
	if got := events[0].(lab.RightAdded).Counterparty.Name; got != nanjing.Name {
		t.Errorf("an event changed after it was decided: %s", got.En)
	}
}

func TestAmendRight(t *testing.T) {
	change := lab.AmendRight{Item: "R1", Clause: "第6条", Text: because, Due: date("2022-06-30")}
	s := play(proposed(t), agreement[0], step{"2020-01-21", duty})
	s.When(lab.AmendRight{Item: "R1"}, on("2020-01-22")).ThenRefused(domain.Invalid, "clause", "text")
	s.When(lab.AmendRight{Item: "R2"}, on("2020-01-22")).ThenRefused(domain.NotFound)
	play(s, step{"2020-01-22", change}) // still being negotiated
	play(s, agreement[1:]...)
	s.When(change, on("2020-04-01")).ThenRefused(domain.State)
	change.Amendment = 1
	s.When(change, on("2020-04-01")).ThenRefused(domain.State)
	m := amendment
	m.Accede = nil
	play(s, step{"2020-05-01", m}, step{"2020-05-02", sign("A1", 1, nanjing, "2020-05-02", 11)})
	s.When(change, on("2020-05-02")).ThenRefused(domain.State) // not signed by every party
	play(s, step{"2020-05-03", sign("A1", 1, oxford, "2020-05-03", 11)})
	s.When(change, on("2020-05-03")).Then(lab.RightAmended{Item: "R1", Amendment: 1, Clause: "第6条", Text: because, Due: date("2022-06-30")})
}

func TestOverdueRight(t *testing.T) {
	overdue := func(s *scenario, day string) bool { return s.State().Rights[0].OverdueOn(date(day)) }
	s := play(agreed(t), step{"2020-04-01", duty})
	if overdue(s, "2021-06-30") || !overdue(s, "2021-07-01") {
		t.Error("an item is overdue from the day after it was due")
	}
	play(s, step{"2021-08-10", lab.DischargeRight{Item: "R1", On: date("2021-08-01"), Evidence: digest(1)}})
	if !overdue(s, "2021-07-31") || overdue(s, "2021-08-01") {
		t.Error("an item carried out late was overdue till then and is not after")
	}
	undated := duty
	undated.Due = domain.Date{}
	s = play(agreed(t), step{"2020-04-01", undated})
	if overdue(s, "2099-01-01") {
		t.Error("an item without a day is overdue")
	}
	s = play(agreed(t), step{"2020-04-01", duty},
		step{"2021-07-02", lab.RecordBreach{Item: "R1", On: date("2021-07-01"), Evidence: digest(1), Ground: because}})
	if !overdue(s, "2021-07-02") {
		t.Error("an item in breach is not overdue")
	}
}

func TestRightStates(t *testing.T) {
	s := play(agreed(t), step{"2020-04-01", duty})
	was := func(want lab.ItemState) {
		t.Helper()
		if got := s.State().Rights[0].State; got != want {
			t.Errorf("R1 is %s, want %s", got, want)
		}
	}
	for _, c := range []struct {
		cmd lab.Command
		at  []string
	}{
		{lab.DischargeRight{Item: "R1"}, []string{"on", "evidence"}},
		{lab.WaiveRight{Item: "R1"}, []string{"on", "ground"}},
		{lab.RecordBreach{Item: "R1"}, []string{"on", "evidence", "ground"}},
		{lab.DischargeRight{Item: "R1", On: date("2099-01-01"), Evidence: digest(1)}, []string{"on"}},
	} {
		s.When(c.cmd, on("2021-01-01")).ThenRefused(domain.Invalid, c.at...)
	}
	cure := func(day string) lab.Command {
		return lab.CureBreach{Item: "R1", On: date(day), Evidence: digest(2)}
	}
	s.When(cure("2021-07-01"), on("2021-08-01")).ThenRefused(domain.State)
	s.When(lab.RecordBreach{Item: "R1", On: date("2021-07-01"), Evidence: digest(1), Ground: because},
		on("2021-08-01")).
		Then(lab.RightBreached{Settlement: lab.Settlement{Item: "R1", Party: oxford, On: date("2021-07-01"),
			Evidence: digest(1), Ground: because}})
	was(lab.Breached)
	s.When(cure("2021-06-30"), on("2021-08-01")).ThenRefused(domain.Invalid, "on") // before the breach
	play(s, step{"2021-08-01", cure("2021-07-20")})
	was(lab.Open)
	play(s, step{"2021-08-01", lab.RecordBreach{Item: "R1", On: date("2021-07-25"), Evidence: digest(1),
		Ground: because}},
		step{"2021-08-02", lab.DischargeRight{Item: "R1", On: date("2021-08-02"), Evidence: digest(3)}})
	was(lab.Discharged)
	if got := s.State().Rights[0].Evidence; len(got) != 4 {
		t.Errorf("the evidence is %v", got)
	}
	for _, cmd := range []lab.Command{cure("2021-08-03"), lab.WaiveRight{Item: "R1"}, lab.RecordBreach{Item: "R1"},
		lab.AmendRight{Item: "R1"}} {
		s.When(cmd, on("2021-08-03")).ThenRefused(domain.State)
	}
	s = play(agreed(t), step{"2020-04-01", duty},
		step{"2020-05-01", lab.WaiveRight{Item: "R1", On: date("2020-05-01"), Ground: because}})
	was(lab.Waived)
	domaintest.Both(t, s.State().Rights[0].State.Text())
}
