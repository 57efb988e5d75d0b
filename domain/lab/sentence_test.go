package lab_test

import (
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

func TestSentenceOrder(t *testing.T) {
	day := date("2024-05-01")
	move := func(from, to lab.Status) lab.Transition { return lab.Transition{From: from, To: to, On: day} }
	for _, c := range []struct {
		event  lab.Event
		zh, en string
	}{
		{lab.AgreementSigned{Agreement: "A1", Party: nanjing, Signature: lab.Signature{On: day}},
			"南京大学于 2024-05-01 签署协议 A1", "On 2024-05-01 Nanjing University signed agreement A1"},
		{lab.AmendmentSigned{Agreement: "A1", Amendment: 2, Party: oxford, Signature: lab.Signature{On: day}},
			"牛津大学于 2024-05-01 签署协议 A1 的第 2 号补充协议", "On 2024-05-01 University of Oxford signed amendment 2 to agreement A1"},
		{lab.PartySucceeded{Agreement: "A1", Party: oxford, Successor: bonn, On: day},
			"自 2024-05-01 起，波恩大学承继牛津大学在协议 A1 中的地位", "From 2024-05-01 University of Bonn takes the place of University of Oxford in agreement A1"},
		{lab.RightWaived{Settlement: lab.Settlement{Item: "R1", Party: oxford, On: day, Ground: domain.T("双方同意", "both agreed")}},
			"2024-05-01 豁免牛津大学的条目 R1：双方同意", "On 2024-05-01 item R1 of University of Oxford was waived: both agreed"},
		{lab.ContributionReceived{Commitment: "F1", Party: nanjing,
			Contribution: lab.Contribution{On: day, Quantity: equipment(1, "9.00")}},
			"南京大学于 2024-05-01 按承诺 F1 到位：设备 1 件，价值 9.00 CNY", "On 2024-05-01 Nanjing University delivered 1 item of equipment worth 9.00 CNY under commitment F1"},
		{lab.InstalmentsScheduled{Commitment: "F1", Party: nanjing,
			Schedule: []lab.Instalment{{Due: day}, {Due: day.AddYears(1)}}},
			"南京大学的承诺 F1 分 2 期到位，末期截止 2025-05-01", "Commitment F1 of Nanjing University is due in 2 instalments, the last on 2025-05-01"},
		{lab.IncubationStarted{Transition: move(lab.StatusProposed, lab.StatusIncubating)},
			"2024-05-01，开始培育组建（筹备登记→培育组建）", "On 2024-05-01 incubation began (proposed → incubating)"},
		{lab.Revoked{Transition: move(lab.StatusSuspended, lab.StatusRevoked), Ground: domain.T("协议失效", "")},
			"2024-05-01，撤销认定（暂停→撤销）：协议失效", "On 2024-05-01 its recognition was revoked (suspended → revoked): 协议失效"},
		{lab.HistoryRecorded{From: lab.StatusProposed, To: lab.StatusOperating},
			"据来源登记实验室状态为“认定·开放运行”", "A source gives the lab's status as “recognised, open”"},
		{lab.FactAsserted{Kind: "opened", On: partial("2016")},
			"据来源登记事实“opened”，日期 2016", "A source states the fact “opened”, dated 2016"},
	} {
		if got := c.event.Sentence(); got != domain.T(c.zh, c.en) {
			t.Errorf("%T\n got %s\n     %s\nwant %s\n     %s", c.event, got.Zh, got.En, c.zh, c.en)
		}
	}
}

func TestCodesAreBilingual(t *testing.T) {
	var all []interface{ Text() domain.Text }
	for _, s := range lab.Statuses {
		all = append(all, s)
	}
	for _, k := range lab.ItemKinds {
		all = append(all, k)
	}
	all = append(all, lab.Draft, lab.PartiallySigned, lab.InForce, lab.Expired, lab.Terminated, lab.Superseded,
		lab.Substantive, lab.Framework, lab.MoU, lab.Open, lab.Discharged, lab.Waived, lab.Breached,
		lab.Pledged, lab.Firm, lab.PartiallyDelivered, lab.Fulfilled, lab.Shortfall, lab.Cancelled)
	for _, code := range all {
		if text := code.Text(); text.Zh == "" || text.En == "" || text.Zh == text.En {
			t.Errorf("%v has the words %+v", code, text)
		}
	}
}
