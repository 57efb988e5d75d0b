package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// obeys carries out commands as they are carried out in earnest: decided with
// every rule, many of them late, some of them corrected later. What is refused
// did not happen.
func obeys(t *rapid.T, r *register, known []domain.EntityRef, n int) {
	labs := eventstore.NewAggregates[*lab.Lab, lab.Event](r.log, "lab", lab.New)
	entities := eventstore.NewAggregates[*entity.Entity, entity.Event](r.log, "entity", entity.New)
	ctx := context.Background()
	at := time.Date(2021, 3, 1, 4, 0, 0, 0, time.UTC)
	ids := map[uuid.UUID]domain.EntityRef{}
	for _, k := range known {
		ids[k.ID] = k
	}
	request := func() eventstore.Request {
		at = at.Add(time.Duration(rapid.IntRange(1, 40*24).Draw(t, "hours later")) * time.Hour)
		return eventstore.Request{Actor: r.actor, Now: at, Command: uuid.New(), Entities: ids, Policy: lab.Policy}
	}
	day := func() domain.Date { // mostly late
		return domain.DateOf(at).AddDays(-rapid.SampledFrom([]int{0, 0, 1, 30, 200, 1000, 2500}).Draw(t, "days late"))
	}
	refusedOr := func(err error) {
		var refused *domain.Rejection
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
	}
	for _, k := range known {
		cmd := entity.Register{Kind: entity.University, Country: k.Country,
			Names: []domain.Name{{Text: cmp.Or(k.Name.Zh, k.Name.En), Lang: "zh", Kind: domain.Official},
				{Text: k.Name.En, Lang: "en", Kind: domain.Official}}}
		if rapid.Bool().Draw(t, "established") {
			cmd.Established = day().Partial()
		}
		_, err := entities.Do(ctx, k.ID, cmd, request())
		refusedOr(err)
	}
	targets := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	for range n {
		id := rapid.SampledFrom(targets).Draw(t, "lab")
		if rapid.IntRange(0, 5).Draw(t, "an entity") == 0 {
			id = rapid.SampledFrom(known).Draw(t, "entity").ID
			correctOr(t, entities, id, func(e *entity.Entity) domain.Command[*entity.Entity,
				entity.Event] {
				return entityCommand(t, day)
			},
				func(c domain.Correction) entity.Event { return entity.Corrected{Correction: c} }, request(), refusedOr)
			continue
		}
		correctOr(t, labs, id, func(l *lab.Lab) domain.Command[*lab.Lab,
			lab.Event] {
			return labCommand(t, l, known, day)
		},
			func(c domain.Correction) lab.Event { return lab.Corrected{Correction: c} }, request(), refusedOr)
	}
}

// correctOr sends a command, or sends it as the correction of an earlier event.
func correctOr[S domain.Aggregate[E], E domain.Event](t *rapid.T, all *eventstore.Aggregates[S, E], id uuid.UUID,
	draw func(S) domain.Command[S, E],
	correct func(domain.Correction) E, req eventstore.Request, done func(error),
) {
	ctx := context.Background()
	var cmd domain.Command[S, E]
	if err := all.State(ctx, id, func(s S, _ eventstore.Version) { cmd = draw(s) }); err != nil {
		t.Fatal(err)
	}
	history, err := all.History(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) > 1 && rapid.IntRange(0, 3).Draw(t, "correct") == 0 {
		for range 8 { // most commands do not restate what they are to correct
			wrong := rapid.SampledFrom(history).Draw(t, "wrong").Meta.ID
			_, err := all.Correct(ctx, id, wrong, cmd, domain.Grounds{Reason: "mistyped"}, correct, req)
			if done(err); err == nil {
				return
			}
		}
	}
	_, err = all.Do(ctx, id, cmd, req)
	done(err)
}

func entityCommand(t *rapid.T, day func() domain.Date) domain.Command[*entity.Entity, entity.Event] {
	uscc := domain.Identifier{Scheme: domain.USCC, Value: "12100000400000624D"}
	switch rapid.IntRange(0, 6).Draw(t, "command") {
	case 0, 1:
		return entity.Rename{Lang: "zh", Name: rapid.SampledFrom([]string{"更名大学", "清华", "再更名大学"}).Draw(t, "name"), On: day().Partial()}
	case 2:
		return entity.AddName{Name: domain.Name{Text: rapid.SampledFrom([]string{"THU", "Alias"}).Draw(t, "name"),
			Lang: "en", Kind: domain.Alias, Valid: domain.PartialPeriod{From: day().Partial()}}}
	case 3:
		return entity.AssertIdentifier{Identifier: uscc, Source: "a certificate"}
	case 4:
		return entity.WithdrawIdentifier{Identifier: uscc, Grounds: domain.Grounds{Reason: "it proved wrong"}}
	case 5:
		if rapid.IntRange(0, 3).Draw(t, "close") == 0 {
			return entity.CloseEntity{On: day().Partial()}
		}
	}
	year, _ := domain.ParsePartialDate(day().String()[:4])
	return entity.AddName{Name: domain.Name{Text: "University " + year.String(), Lang: "en", Kind: domain.Former,
		Valid: domain.PartialPeriod{From: year}}}
}

func labCommand(t *rapid.T, l *lab.Lab, known []domain.EntityRef, day func() domain.Date) domain.Command[*lab.Lab,
	lab.Event] {
	digest := fmt.Sprintf("sha256:%064x", 1)
	because := domain.Grounds{Reason: "为测试", Basis: domain.Basis{Source: "a test"}}
	who := rapid.SampledFrom(known).Draw(t, "who").ID
	why := domain.T("原因", "why")
	pick := func(what string, ids []string) string {
		if len(ids) == 0 {
			return what + "1"
		}
		return rapid.SampledFrom(ids).Draw(t, what)
	}
	var as, rs, fs []string
	for _, a := range l.Agreements {
		as = append(as, a.ID)
	}
	for _, r := range l.Rights {
		rs = append(rs, r.ID)
	}
	for _, f := range l.Commitments {
		fs = append(fs, f.ID)
	}
	a, r, f := pick("A", as), pick("R", rs), pick("F", fs)
	money := cash(rapid.SampledFrom([]string{"100.00", "50.00", "25.00"}).Draw(t, "amount"),
		rapid.SampledFrom([]string{"CNY", "CNY", "EUR"}).Draw(t, "currency"))
	propose := lab.Propose{Names: names("环境联合实验室", "Joint Laboratory"), Host: known[0].ID, Level: rapid.SampledFrom([]lab.Level{lab.MinistryLevel, lab.ProvinceLevel}).Draw(t, "level"), Discipline: domain.T("环境科学", "")}
	if l.Status == "" {
		return propose
	}
	switch rapid.IntRange(0, 28).Draw(t, "command") {
	case 0:
		return propose // as a correction
	case 1:
		return lab.Rename{Name: domain.Name{Text: rapid.SampledFrom([]string{"新名", "更名实验室"}).Draw(t, "name"), Lang: "zh", Kind: domain.Official}, From: day()}
	case 2:
		return lab.SetDiscipline{Discipline: rapid.SampledFrom([]domain.Text{domain.T("光学", "Optics"), domain.T("环境", "")}).Draw(t, "discipline")}
	case 3:
		return lab.NamePartner{Grounds: because, Entity: who, As: "as the source has it"}
	case 4, 5:
		from := day()
		return lab.DraftAgreement{
			Title: domain.T("共建协议", "Agreement"), Class: rapid.SampledFrom([]lab.Class{lab.Substantive, lab.MoU}).Draw(t, "class"), Term: domain.Period{From: from, To: from.AddDays(rapid.IntRange(1, 1500).Draw(t, "term"))},
			Parties: []lab.NewParty{{Entity: known[0].ID, Role: lab.HostParty},
				{Entity: known[1+rapid.IntRange(0, 1).Draw(t, "partner")].ID, Role: lab.PartnerParty}},
			Documents: []lab.Document{{Lang: "zh", Digest: digest}},
		}
	case 6, 7, 8, 9:
		if i := slices.IndexFunc(l.Agreements, func(g lab.Agreement) bool { return g.ID == a }); i >= 0 {
			who = rapid.SampledFrom(l.Agreements[i].Parties).Draw(t, "party").Entity.ID
		}
		return lab.SignAgreement{Agreement: a, Amendment: rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "amendment"), Party: who, On: day(), Document: digest, Representative: domain.Person{Name: "李明"}}
	case 10:
		return lab.AmendAgreement{Agreement: a, Summary: why, Term: domain.Period{To: day().AddDays(3000)},
			Accede:    []lab.NewParty{{Entity: who, Role: lab.EnterpriseParty}},
			Documents: []lab.Document{{Lang: "zh", Digest: digest}}}
	case 11:
		return lab.RenewAgreement{Agreement: a, On: day(), Until: day().AddDays(4000), Document: digest}
	case 12:
		return lab.TerminateAgreement{Agreement: a, On: day(), Ground: why}
	case 13, 26:
		if rapid.Bool().Draw(t, "host") {
			return lab.SucceedHost{Successor: known[3].ID, On: day(), Evidence: digest}
		}
		return lab.SucceedParty{Agreement: a, Party: known[0].ID, Successor: known[3].ID, On: day(), Evidence: digest}
	case 14, 15:
		return lab.AddRight{Agreement: a, Kind: rapid.SampledFrom(lab.ItemKinds).Draw(t, "kind"),
			Party: known[rapid.IntRange(0, 2).Draw(t, "party")].ID, Clause: "§1", Text: why, Due: day().AddDays(100)}
	case 16:
		return lab.AmendRight{Item: r, Clause: "§2", Text: why, Due: day().AddDays(200)}
	case 17:
		return lab.DischargeRight{Item: r, On: day(), Evidence: digest}
	case 18:
		return []domain.Command[*lab.Lab, lab.Event]{lab.RecordBreach{Item: r, On: day(), Evidence: digest,
			Ground: why}, lab.CureBreach{Item: r,
			On:       day(),
			Evidence: digest}, lab.WaiveRight{Item: r,
			On:     day(),
			Ground: why}}[rapid.IntRange(0, 2).Draw(t, "which")]
	case 19, 20:
		return lab.PledgeCommitment{Party: known[rapid.IntRange(0, 2).Draw(t, "party")].ID,
			Source: rapid.SampledFrom(lab.FundingSources).Draw(t, "source"), Quantity: money}
	case 21:
		return lab.ScheduleInstalments{Commitment: f,
			Schedule: []lab.Instalment{{Due: day().AddDays(50), Quantity: money}}}
	case 22, 23:
		return lab.ReceiveContribution{Commitment: f, On: day(), Quantity: money, Evidence: digest}
	case 24:
		return []domain.Command[*lab.Lab, lab.Event]{lab.FirmUpCommitment{Commitment: f, On: day(), Evidence: digest},
			lab.CancelCommitment{Commitment: f, On: day(), Ground: why},
			lab.FulfilCommitment{Commitment: f, On: day()}}[rapid.IntRange(0, 2).Draw(t, "which")]
	case 25:
		return lab.RecordHistory{Grounds: because,
			Status: rapid.SampledFrom([]lab.Status{lab.StatusOperating, lab.StatusIncubating}).Draw(t, "status"),
			On:     day().Partial()}
	}
	if len(l.Moves) > 0 {
		return lab.AssertFact{Grounds: because, Kind: "note", On: day().Partial(), Text: why}
	}
	return lab.StartIncubation{On: day()}
}
