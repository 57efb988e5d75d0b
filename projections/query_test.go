package projections

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	tsinghua, oxford, cnrs := ref("CN", "清华大学", "Tsinghua University"), ref("GB", "牛津大学", "University of Oxford"), ref("FR", "法国国家科学研究中心", "Centre national de la recherche scientifique")
	air, light := labStream(), labStream()
	r.happens(air, proposed(tsinghua, "大气污染控制联合实验室", "Joint Laboratory for Air Pollution Control"),
		lab.Renamed{Name: domain.Name{Text: "大气环境联合实验室", Lang: "zh", Kind: domain.Official, Valid: domain.PartialPeriod{From: date("2024-01-01").Partial()}}},
		lab.Renamed{Name: domain.Name{Text: "JLAPC", Lang: "en", Kind: domain.Acronym}},
		draft("A1", lab.Substantive, tsinghua, oxford), signs("A1", tsinghua, date("2024-01-01")),
		signs("A1", oxford, date("2024-01-01")))
	r.happens(light, proposed(ref("CN", "武汉大学", "Wuhan University"), "光电联合实验室𠮷", "Optoelectronics Laboratory"),
		lab.DisciplineSet{To: domain.T("光学工程", "Optical engineering")}, lab.PartnerNamed{Entity: cnrs, As: "le CNRS français"})
	f := follow(t, r, modelFile(t)).caughtUp(r)
	for typed, want := range map[string][]uuid.UUID{
		"":                  {air.ID, light.ID},
		"   ":               {air.ID, light.ID},
		"污染":                {air.ID},
		"清华":                {air.ID},
		"清":                 {air.ID},
		"学":                 {air.ID, light.ID},
		"室":                 {air.ID, light.ID},
		"清华大学":              {air.ID},
		"华清":                nil,
		"大气污染控制联合实验室":       {air.ID},
		"大气环境":              {air.ID},
		"pollution":         {air.ID},
		"POLLUT":            {air.ID},
		"ｐｏｌｌｕｔｉｏｎ":         {air.ID},
		"jlapc":             {air.ID},
		"牛津":                {air.ID},
		"oxford pollution":  {air.ID},
		"污染 tsinghua":       {air.ID},
		"清华pollution":       {air.ID},
		"光学":                {light.ID},
		"optical engineer":  {light.ID},
		"francais":          {light.ID},
		"法国":                {light.ID},
		"cnrs":              {light.ID},
		"𠮷":                 {light.ID},
		"室𠮷":                {light.ID},
		"laboratory":        {air.ID, light.ID},
		"joint laboratory":  {air.ID},
		"oxford optics":     nil,
		"环境科学":              {air.ID},
		"OR":                nil,
		"pollution AND":     nil,
		`"`:                 nil,
		`pollution"`:        {air.ID},
		`words:pollution`:   nil,
		"*":                 nil,
		"NEAR(pollution, 2": nil,
		"-pollution":        {air.ID},
		"^pollution":        {air.ID},
		"%":                 nil,
		"\x00":              nil,
		"污染\x00清华":          {air.ID},
	} {
		page, err := f.Labs(t.Context(), LabsQuery{Text: typed})
		if err != nil {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		var got []uuid.UUID
		for _, row := range page.Items {
			got = append(got, row.ID)
		}
		if !slices.Equal(got, want) || page.Total != len(want) {
			t.Errorf("%q finds %d labs, want %d", typed, page.Total, len(want))
		}
	}
	domaintest.Check(t, 100, 10_000, func(rt *rapid.T) {
		typed := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(`清污a1é"'*()^-+:{}, 	`)))).Draw(rt, "typed")
		if _, err := f.Labs(context.Background(), LabsQuery{Text: typed}); err != nil {
			rt.Fatal(err)
		}
	})
}

// listed reads every page of a list.
func listed(t rapidT, m *Model, q LabsQuery, between func()) (ids []uuid.UUID) {
	t.Helper()
	for {
		page, err := m.Labs(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
		between()
	}
}

func TestPagingDuringWrites(t *testing.T) {
	r := newRegister(t)
	f := follow(t, r, modelFile(t))
	host := ref("CN", "清华大学", "Tsinghua University")
	var first []uuid.UUID
	for i := range 23 {
		s := labStream()
		first = append(first, s.ID)
		// Names and statuses repeat, so that ties must be broken.
		r.happens(s, proposed(host, []string{"化学", "安全", "数学", ""}[i%4], []string{"Chemistry", "safety", "Élan", ""}[i%4]))
		if i%3 == 0 {
			r.happens(s, lab.IncubationStarted{Transition: lab.Transition{From: lab.StatusProposed,
				To: lab.StatusIncubating, On: date("2024-01-01")}})
		}
	}
	f.caughtUp(r)
	for _, sort := range []string{"", "created", "updated", "name_zh", "name_en", "status"} {
		for _, desc := range []bool{false, true} {
			q := LabsQuery{Paging: Paging{Limit: 500}, Sort: sort, Desc: desc, Today: date("2024-02-02")}
			whole := listed(t, f.Model, q, func() {})
			q.Limit = 4
			paged := listed(t, f.Model, q, func() {})
			if !slices.Equal(whole, paged) || len(whole) < len(first) {
				t.Fatalf("by %q, desc %t: pages of 4 give another list than one page", sort, desc)
			}
			back := q
			back.Desc = !desc
			reversed := listed(t, f.Model, back, func() {})
			slices.Reverse(reversed)
			if !slices.Equal(whole, reversed) {
				t.Fatalf("by %q: the order is not the same in both directions", sort)
			}
			// Labs that come meanwhile neither hide nor repeat any other.
			seen, more := map[uuid.UUID]int{}, 3
			for _, id := range listed(t, f.Model, q, func() {
				if more--; more < 0 {
					return
				}
				s := labStream()
				r.happens(s, proposed(host, "安全", "Élan"))
				if err := f.Wait(t.Context(), s, 1); err != nil {
					t.Fatal(err)
				}
			}) {
				seen[id]++
			}
			for _, id := range whole {
				if seen[id] != 1 {
					t.Fatalf("by %q, desc %t: a lab is listed %d times", sort, desc, seen[id])
				}
			}
		}
	}
	page, err := f.Labs(t.Context(), LabsQuery{Sort: "name_zh", Paging: Paging{Limit: 500}})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, row := range page.Items {
		if n := row.Name.Chinese(); len(order) == 0 || order[len(order)-1] != n {
			order = append(order, n)
		}
	}
	if !slices.Equal(order, []string{"", "安全", "化学", "数学"}) { // ān, huà, shù
		t.Errorf("sorted by pinyin: %q", order)
	}
}

func TestInvalidQueries(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	r.happens(labStream(), proposed(host, "一", "One"))
	r.happens(labStream(), proposed(host, "二", "Two"))
	f := follow(t, r, modelFile(t)).caughtUp(r)
	page, err := f.Labs(t.Context(), LabsQuery{Sort: "name_zh", Paging: Paging{Limit: 1}})
	if err != nil || page.Next == "" || page.Total != 2 {
		t.Fatal(page, err)
	}
	labs := func(q LabsQuery) error { _, err := f.Labs(t.Context(), q); return err }
	for what, test := range map[string]struct {
		err   error
		param string
	}{
		"a cursor that is none": {labs(LabsQuery{Paging: Paging{Cursor: "nonsense"}}), "cursor"},
		"a cursor with something appended": {labs(LabsQuery{Sort: "name_zh",
			Paging: Paging{Cursor: page.Next + "AAAA"}}), "cursor"},
		"a cursor of another order": {labs(LabsQuery{Sort: "name_en", Paging: Paging{Cursor: page.Next}}),
			"cursor"},
		"a cursor of another direction": {labs(LabsQuery{Sort: "name_zh", Desc: true,
			Paging: Paging{Cursor: page.Next}}), "cursor"},
		"a limit of 501":   {labs(LabsQuery{Paging: Paging{Limit: 501}}), "limit"},
		"a limit below 0":  {labs(LabsQuery{Paging: Paging{Limit: -1}}), "limit"},
		"an unknown order": {labs(LabsQuery{Sort: "n; DROP TABLE labs"}), "sort"},
		"an entity's status on no day": {func() error {
			_, err := f.Entities(t.Context(), EntitiesQuery{Status: []entity.Status{entity.Active}})
			return err
		}(), "today"},
		"a trail's cursor elsewhere": {func() error {
			_, err := f.Trail(t.Context(), TrailQuery{For: everything, Paging: Paging{Cursor: page.Next}})
			return err
		}(), "cursor"},
	} {
		var bad *QueryError
		if !errors.As(test.err, &bad) || bad.Param != test.param || bad.Message.Zh == "" || bad.Message.En == "" {
			t.Errorf("%s: %v", what, test.err)
		}
	}
	if _, _, _, err := f.Lab(t.Context(), host.ID); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestConstructionEndMakesLabDue(t *testing.T) {
	r := newRegister(t)
	building, open := labStream(), labStream()
	host := ref("CN", "清华大学", "Tsinghua University")
	r.happens(building, proposed(host, "一", "One"), lab.EstablishmentApproved{
		Transition:   lab.Transition{From: lab.StatusSiteVisit, To: lab.StatusConstruction, On: date("2021-01-01")},
		Construction: domain.Period{From: date("2021-01-01"), To: date("2023-12-31")},
	})
	r.happens(open, proposed(host, "二", "Two"), lab.HistoryRecorded{From: lab.StatusProposed, To: lab.StatusOperating})
	f := follow(t, r, modelFile(t)).caughtUp(r)
	for _, test := range []struct {
		today  string
		status lab.Status
		want   int
	}{
		{"2023-12-31", lab.StatusConstruction, 1}, {"2023-12-31", lab.StatusDue, 0},
		{"2024-01-01", lab.StatusConstruction, 0}, {"2024-01-01", lab.StatusDue, 1},
		{"2024-01-01", lab.StatusOperating, 1},
	} {
		page, err := f.Labs(t.Context(), LabsQuery{Status: []lab.Status{test.status}, Today: date(test.today)})
		if err != nil || page.Total != test.want || len(page.Items) != test.want {
			t.Fatalf("%+v: %d, %v", test, page.Total, err)
		}
		for _, row := range page.Items {
			if row.Status != test.status {
				t.Errorf("%+v: the row has status %s", test, row.Status)
			}
		}
	}
	page, err := f.Labs(t.Context(), LabsQuery{Status: []lab.Status{lab.StatusDue, lab.StatusOperating},
		Today: date("2025-01-01"), Sort: "status"})
	if err != nil || page.Total != 2 || page.Items[0].ID != building.ID {
		t.Fatal(page, err)
	}
}

func TestLabFilters(t *testing.T) {
	r := newRegister(t)
	host, other := ref("CN", "清华大学", "Tsinghua University"), ref("CN", "武汉大学", "Wuhan University")
	partner, named := ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS")
	one, two := labStream(), labStream()
	r.happens(one, proposed(host, "一", "One"), draft("A1", lab.Framework, host, partner), lab.PartnerNamed{Entity: named, As: "CNRS"})
	r.happens(two, proposed(other, "二", "Two"), lab.DisciplineSet{To: domain.T("光学工程", "Optical Engineering")})
	f := follow(t, r, modelFile(t)).caughtUp(r)
	for what, test := range map[string]struct {
		q    LabsQuery
		want []uuid.UUID
	}{
		"host":                 {LabsQuery{Host: host.ID}, []uuid.UUID{one.ID}},
		"host as party":        {LabsQuery{For: everything, Party: host.ID}, []uuid.UUID{one.ID}},
		"party":                {LabsQuery{For: everything, Party: partner.ID}, []uuid.UUID{one.ID}},
		"named partner":        {LabsQuery{For: everything, Party: named.ID}, []uuid.UUID{one.ID}},
		"a party is no host":   {LabsQuery{Host: partner.ID}, nil},
		"nobody":               {LabsQuery{For: everything, Party: uuid.New()}, nil},
		"level":                {LabsQuery{Level: lab.MinistryLevel}, []uuid.UUID{one.ID, two.ID}},
		"another level":        {LabsQuery{Level: lab.ProvinceLevel}, nil},
		"programme":            {LabsQuery{Programme: lab.DefaultProgramme}, []uuid.UUID{one.ID, two.ID}},
		"discipline":           {LabsQuery{Discipline: "光学"}, []uuid.UUID{two.ID}},
		"discipline, any case": {LabsQuery{Discipline: "optical ENG"}, []uuid.UUID{two.ID}},
	} {
		if got := listed(t, f.Model, test.q, func() {}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
}

func TestEntityFilters(t *testing.T) {
	r := newRegister(t)
	tsinghua, berlin := ref("CN", "清华大学", "Tsinghua University"), ref("DE", "柏林工业大学", "TU Berlin")
	e := registered(tsinghua)
	e.Identifiers = []entity.Assertion{{Identifier: domain.Identifier{Scheme: domain.ROR,
		Value: "https://ror.org/03cve4549"}, Source: "ror.org"}}
	r.happens(entityStream(tsinghua), e)
	r.happens(entityStream(berlin), registered(berlin), entity.Closed{On: date("2024-03-01").Partial()})
	f := follow(t, r, modelFile(t)).caughtUp(r)
	for what, test := range map[string]struct {
		q    EntitiesQuery
		want []uuid.UUID
	}{
		"all":     {EntitiesQuery{Sort: "name_en"}, []uuid.UUID{tsinghua.ID, berlin.ID}},
		"name":    {EntitiesQuery{Text: "清华"}, []uuid.UUID{tsinghua.ID}},
		"kind":    {EntitiesQuery{Kind: entity.Company}, nil},
		"country": {EntitiesQuery{Country: "DE"}, []uuid.UUID{berlin.ID}},
		"scheme":  {EntitiesQuery{Scheme: domain.ROR}, []uuid.UUID{tsinghua.ID}},
		"identifier": {EntitiesQuery{Scheme: domain.ROR, Identifier: "https://ror.org/03cve4549"},
			[]uuid.UUID{tsinghua.ID}},
		"in other scheme": {EntitiesQuery{Scheme: domain.LEI, Identifier: "https://ror.org/03cve4549"}, nil},
		"any scheme":      {EntitiesQuery{Identifier: "https://ror.org/03cve4549"}, []uuid.UUID{tsinghua.ID}},
		"active before": {EntitiesQuery{Status: []entity.Status{entity.Active}, Today: date("2024-02-29")},
			[]uuid.UUID{tsinghua.ID, berlin.ID}},
		"active after": {EntitiesQuery{Status: []entity.Status{entity.Active}, Today: date("2024-03-01")},
			[]uuid.UUID{tsinghua.ID}},
		"closed": {EntitiesQuery{Status: []entity.Status{entity.Closure}, Today: date("2024-03-01")},
			[]uuid.UUID{berlin.ID}},
	} {
		page, err := f.Entities(t.Context(), test.q)
		var got []uuid.UUID
		for _, row := range page.Items {
			got = append(got, row.ID)
			if len(test.q.Status) > 0 && row.Status != test.q.Status[0] {
				t.Errorf("%s: the row has status %s", what, row.Status)
			}
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v: %v", what, got, test.want, err)
		}
	}
}

func TestFacetListsOnAnyDay(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, 50, 500, func(rt *rapid.T) {
		r := drawnRegister(t)
		defer r.log.Close()
		known := []domain.EntityRef{ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin"), ref("FR", "", "CNRS")}
		labs := []eventstore.Stream{labStream(), labStream()}
		r.goesOn(rt, labs, known, rapid.IntRange(5, 25).Draw(rt, "events"))
		m, err := Open(context.Background(), modelFile(t), r.log, r.log)
		if err != nil {
			rt.Fatal(err)
		}
		defer m.Close()
		all := Paging{Limit: 500}
		day := rapid.OneOf(days366, rapid.Just(date("2019-01-01")), rapid.Just(date("2030-01-01"))).Draw(rt, "today")
		party := rapid.SampledFrom(known).Draw(rt, "party").ID
		as := rapid.SampledFrom([]lab.AgreementStatus{lab.Draft, lab.PartiallySigned, lab.InForce, lab.Expired,
			lab.Terminated}).Draw(rt, "agreement status")
		cs := rapid.SampledFrom([]lab.CommitmentStatus{lab.Pledged, lab.PartiallyDelivered, lab.Shortfall}).Draw(rt,
			"commitment status")

		var overdue, agreements, commitments, late []string
		for _, s := range labs {
			l, _, _, err := m.Lab(context.Background(), s.ID)
			if errors.Is(err, ErrNotFound) {
				continue
			} else if err != nil {
				rt.Fatal(err)
			}
			for _, i := range l.Rights {
				if i.OverdueOn(day) && i.Party.ID == party {
					overdue = append(overdue, s.ID.String()+i.ID)
				}
			}
			for _, a := range l.Agreements {
				bound := slices.ContainsFunc(a.Parties, func(p lab.Party) bool { return p.Entity.ID == party })
				if a.StatusOn(day) == as && bound {
					agreements = append(agreements, s.ID.String()+a.ID)
				}
			}
			for _, c := range l.Commitments {
				if c.StatusOn(day) == cs {
					commitments = append(commitments, s.ID.String()+c.ID)
				}
				if len(c.LateOn(day)) > 0 && c.Party.ID == party {
					late = append(late, s.ID.String()+c.ID)
				}
			}
		}
		rights, err := m.Rights(context.Background(),
			RightsQuery{For: everything, Paging: all, OverdueOn: day, Party: party})
		same(rt, "overdue items", rights, err, overdue, func(r RightRow) string { return r.Lab.String() + r.Item.ID })
		drafts, err := m.Agreements(context.Background(),
			AgreementsQuery{For: everything, Paging: all, Status: []lab.AgreementStatus{as}, Today: day, Party: party})
		same(rt, "agreements", drafts, err, agreements,
			func(r AgreementRow) string { return r.Lab.String() + r.Agreement.ID })
		pledges, err := m.Commitments(context.Background(),
			CommitmentsQuery{For: everything, Paging: all, Status: []lab.CommitmentStatus{cs}, Today: day})
		same(rt, "commitments", pledges, err, commitments,
			func(r CommitmentRow) string { return r.Lab.String() + r.Commitment.ID })
		pledges, err = m.Commitments(context.Background(),
			CommitmentsQuery{For: everything, Paging: all, LateOn: day, Party: party})
		same(rt, "late commitments", pledges, err, late,
			func(r CommitmentRow) string { return r.Lab.String() + r.Commitment.ID })
	})
}

// same requires a page of exactly these, in any order.
func same[T any](t *rapid.T, what string, page Page[T], err error, want []string, id func(T) string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range page.Items {
		got = append(got, id(row))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || page.Total != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func TestFacetPagingAndFilters(t *testing.T) {
	r := newRegister(t)
	host, partner := ref("CN", "清华大学", "Tsinghua University"), ref("DE", "", "TU Berlin")
	var labs []eventstore.Stream
	for range 3 {
		s := labStream()
		labs = append(labs, s)
		r.happens(s, proposed(host, "一", "One"), draft("A1", lab.Framework, host, partner),
			lab.RightAdded{Item: "R1", Kind: lab.Right, Agreement: "A1", Clause: "§1", Party: host,
				Counterparty: &partner},
			lab.RightAdded{Item: "R2", Kind: lab.Interest, Agreement: "A1", Clause: "§2", Party: partner},
			lab.CommitmentPledged{Commitment: "F1", Party: host, Source: lab.OwnFunds, Quantity: cash("100.00", "CNY")},
			lab.CommitmentPledged{Commitment: "F2", Party: partner, Source: lab.ForeignFunds,
				Quantity: cash("100.00", "EUR")})
	}
	f := follow(t, r, modelFile(t)).caughtUp(r)
	var ids []string
	q := RightsQuery{For: everything, Paging: Paging{Limit: 4}}
	for {
		page, err := f.Rights(t.Context(), q)
		if err != nil || page.Total != 6 {
			t.Fatal(page.Total, err)
		}
		for _, row := range page.Items {
			ids = append(ids, row.Lab.String()+row.Item.ID)
			if row.Host.ID != host.ID || row.Name.Zh != "一" || row.Revision != 5 {
				t.Fatalf("%+v", row.OfLab)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	var want []string
	for _, s := range labs {
		want = append(want, s.ID.String()+"R1", s.ID.String()+"R2")
	}
	if !slices.Equal(ids, want) {
		t.Fatal(ids)
	}
	ctx := t.Context()
	count := func(n int, err error) int {
		if err != nil {
			t.Error(err)
		}
		return n
	}
	rights := func(q RightsQuery) int { p, err := f.Rights(ctx, q); return count(p.Total, err) }
	agreements := func(q AgreementsQuery) int { p, err := f.Agreements(ctx, q); return count(p.Total, err) }
	commitments := func(q CommitmentsQuery) int { p, err := f.Commitments(ctx, q); return count(p.Total, err) }
	for what, got := range map[string][2]int{
		"rights of a lab":  {rights(RightsQuery{For: everything, Lab: labs[1].ID}), 2},
		"rights of a kind": {rights(RightsQuery{For: everything, Kind: lab.Interest}), 3},
		"rights in a state": {rights(RightsQuery{For: everything,
			State: []lab.ItemState{lab.Open, lab.Waived}}), 6},
		"rights discharged":         {rights(RightsQuery{For: everything, State: []lab.ItemState{lab.Discharged}}), 0},
		"rights towards":            {rights(RightsQuery{For: everything, Counterparty: partner.ID}), 3},
		"rights of another":         {rights(RightsQuery{For: everything, Agreement: "A2"}), 0},
		"agreements of a class":     {agreements(AgreementsQuery{For: everything, Class: lab.Framework}), 3},
		"agreements of another":     {agreements(AgreementsQuery{For: everything, Class: lab.MoU}), 0},
		"agreements ending by":      {agreements(AgreementsQuery{For: everything, EndsBy: date("2025-12-31")}), 3},
		"agreements ending earlier": {agreements(AgreementsQuery{For: everything, EndsBy: date("2025-12-30")}), 0},
		"commitments in a currency": {commitments(CommitmentsQuery{For: everything, Currency: "EUR"}), 3},
		"commitments of a kind":     {commitments(CommitmentsQuery{For: everything, Kind: "cash"}), 6},
		"commitments from a source": {commitments(CommitmentsQuery{For: everything, Source: lab.OwnFunds,
			Kind: "cash"}), 3},
		"commitments of a party":     {commitments(CommitmentsQuery{For: everything, Party: partner.ID}), 3},
		"commitments of an outsider": {commitments(CommitmentsQuery{For: everything, Party: uuid.New()}), 0},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", what, got[0], got[1])
		}
	}
}

func TestTrailFilters(t *testing.T) {
	r := newRegister(t)
	host := ref("CN", "清华大学", "Tsinghua University")
	one, two := labStream(), labStream()
	a := r.happens(one, proposed(host, "一", "One"))
	r.actor = domain.Actor{Subject: "host-office", Role: domain.Host, OnBehalfOf: host.ID}
	b := r.happens(two, proposed(host, "二", "Two"), lab.DisciplineSet{To: domain.T("光学", "Optics")})
	c := r.happens(one, draft("A1", lab.Framework, host))
	r.happens(entityStream(host), registered(host))
	f := follow(t, r, modelFile(t)).caughtUp(r)
	for what, test := range map[string]struct {
		q    TrailQuery
		want []eventstore.Position
	}{
		"all":            {TrailQuery{For: everything}, []eventstore.Position{1, 2, 3, 4, 5}},
		"latest first":   {TrailQuery{For: everything, Desc: true}, []eventstore.Position{5, 4, 3, 2, 1}},
		"a stream":       {TrailQuery{For: everything, Stream: one}, []eventstore.Position{1, 4}},
		"a stream, desc": {TrailQuery{For: everything, Stream: one, Desc: true}, []eventstore.Position{4, 1}},
		"no such stream": {TrailQuery{For: everything, Stream: labStream()}, nil},
		"a kind":         {TrailQuery{For: everything, Kind: "entity"}, []eventstore.Position{5}},
		"facets": {TrailQuery{For: everything, Facet: []string{"agreement", "rights"}},
			[]eventstore.Position{4}},
		"a type": {TrailQuery{For: everything, Type: []string{"lab.record.proposed.v1"}},
			[]eventstore.Position{1, 2}},
		"a type elsewhere": {TrailQuery{For: everything, Type: []string{"lab.record.proposed.v1"},
			Facet: []string{"agreement"}}, nil},
		"an actor":        {TrailQuery{For: everything, Actor: "officer"}, []eventstore.Position{1}},
		"a role":          {TrailQuery{For: everything, Role: domain.Host, Stream: one}, []eventstore.Position{4}},
		"nobody":          {TrailQuery{For: everything, Actor: "nobody"}, nil},
		"on behalf of":    {TrailQuery{For: everything, OnBehalfOf: host.ID}, []eventstore.Position{2, 3, 4, 5}},
		"a command":       {TrailQuery{For: everything, Command: b[1].Command}, []eventstore.Position{3}},
		"an event":        {TrailQuery{For: everything, Event: a[0].ID}, []eventstore.Position{1}},
		"from":            {TrailQuery{For: everything, From: b[1].Time}, []eventstore.Position{3, 4, 5}},
		"from and before": {TrailQuery{For: everything, From: b[0].Time, To: c[0].Time}, []eventstore.Position{2, 3}},
		"after":           {TrailQuery{For: everything, After: 3}, []eventstore.Position{4, 5}},
		"up to":           {TrailQuery{For: everything, After: 1, UpTo: 3}, []eventstore.Position{2, 3}},
	} {
		for limit := 1; limit < 7; limit++ {
			var got []eventstore.Position
			for q := test.q; ; {
				q.Limit = limit
				page, err := f.Trail(t.Context(), q)
				if err != nil || page.Total != len(test.want) {
					t.Fatalf("%s: %d found: %v", what, page.Total, err)
				}
				for _, e := range page.Items {
					got = append(got, e.Position)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s, %d a page: %v, want %v", what, limit, got, test.want)
			}
		}
	}
	page, err := f.Trail(t.Context(), TrailQuery{For: everything, Event: a[0].ID, Bodies: true})
	if err != nil {
		t.Fatal(err)
	}
	e := page.Items[0]
	if recorded, _, err := r.log.Load(t.Context(), one, eventstore.Version{}); err != nil ||
		string(recorded[0].Body) != string(e.Body) {
		t.Errorf("the body is not the event's, byte for byte: %v", err)
	}
	if e.Facet != "record" || e.Meta.Because.Reason != "为测试" || e.Meta.Actor.Role != domain.Officer || e.Sentence.Zh == "" || e.Sentence.En == "" {
		t.Errorf("%+v", e)
	}
}
