package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// Nobody acts for another: of each command one party's act, and not another's.
func TestActsAreTheirOwn(t *testing.T) {
	duty := lab.AddRight{Agreement: "A1", Kind: lab.Responsibility, Party: oxford.ID, Clause: "§1", Text: because}
	towards := duty
	towards.Counterparty = bonn.ID
	hundred := yuan("100.00")
	pledge := lab.PledgeCommitment{Party: oxford.ID, Source: lab.ForeignFunds, Quantity: lab.Quantity{Cash: &hundred}}
	l := play(three(t), step{"2020-04-01", duty}, step{"2020-04-01", towards}, step{"2020-04-01", pledge}).State()
	for _, c := range []struct {
		cmd    lab.PartyCommand
		may    []domain.EntityRef
		others []domain.EntityRef
	}{
		{sign("A1", 0, oxford, "2020-04-01", 1), []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.WithdrawParty{Agreement: "A1", Party: bonn.ID}, []domain.EntityRef{bonn}, []domain.EntityRef{nanjing, oxford}},
		{lab.SucceedParty{Agreement: "A1", Party: bonn.ID}, []domain.EntityRef{bonn}, []domain.EntityRef{nanjing, oxford}},
		{pledge, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.FirmUpCommitment{Commitment: "F1"}, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.CancelCommitment{Commitment: "F1"}, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.ScheduleInstalments{Commitment: "F1"}, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.DischargeRight{Item: "R1"}, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.CureBreach{Item: "R1"}, []domain.EntityRef{oxford}, []domain.EntityRef{nanjing, bonn}},
		{lab.WaiveRight{Item: "R1"}, []domain.EntityRef{nanjing, bonn}, []domain.EntityRef{oxford, siemens}},
		{lab.WaiveRight{Item: "R2"}, []domain.EntityRef{bonn}, []domain.EntityRef{nanjing, oxford}},
		{lab.RecordBreach{Item: "R2"}, []domain.EntityRef{bonn}, []domain.EntityRef{nanjing, oxford}},
		{lab.AmendRight{Item: "R2"}, []domain.EntityRef{nanjing, oxford, bonn}, nil},
	} {
		for _, who := range c.may {
			if !l.IsAct(who.ID, c.cmd) || !l.PartyMay(who.ID, c.cmd) {
				t.Errorf("%T is an act of %s", c.cmd, who.Name.En)
			}
		}
		for _, who := range c.others {
			if l.IsAct(who.ID, c.cmd) || l.PartyMay(who.ID, c.cmd) {
				t.Errorf("%T is no act of %s", c.cmd, who.Name.En)
			}
		}
	}
}
