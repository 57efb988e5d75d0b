package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
)

// statusRow counts the labs in one status on one day.
type statusRow struct {
	On         domain.Date `json:"on"`
	Status     lab.Status  `json:"status"`
	StatusText domain.Text `json:"status_text"`
	Level      lab.Level   `json:"level,omitempty" doc:"Absent: the source does not say"`
	Labs       int         `json:"labs"`
}

type statusInput struct {
	From  domain.Date `query:"from" doc:"First day; absent: the last only"`
	To    domain.Date `query:"to" doc:"Last day; absent: effective_on, or the day of as_of, or today in China"`
	Every string      `query:"every" enum:"month,quarter,year" default:"year" doc:"How often between them"`
	Past
}

// fundingRow sums the commitments and deliveries of one party in one year.
type fundingRow struct {
	Year      int               `json:"year" doc:"Of the due day or the delivery; 0: committed without instalments"`
	Party     domain.Text       `json:"party"`
	PartyID   uuid.UUID         `json:"party_id"`
	Kind      string            `json:"kind"`
	Source    lab.FundingSource `json:"source"`
	Unit      string            `json:"unit" doc:"ISO 4217 code, m2 or person-months"`
	Committed domain.Decimal    `json:"committed"`
	Delivered domain.Decimal    `json:"delivered" doc:"Received less returned"`
}

// shareRow is a source's share of the commitments in one unit (C81).
type shareRow struct {
	Kind           string            `json:"kind"`
	Unit           string            `json:"unit"`
	Source         lab.FundingSource `json:"source"`
	Committed      domain.Decimal    `json:"committed"`
	CommittedShare domain.Decimal    `json:"committed_share" doc:"Of the kind and unit, rounded to four decimals"`
	Delivered      domain.Decimal    `json:"delivered"`
	DeliveredShare domain.Decimal    `json:"delivered_share"`
}

type fundingInput struct {
	Lab uuid.UUID `query:"lab" doc:"One lab only"`
	Past
}

type decisionsInput struct{ Past }

// decisionRow counts the decisions of one year (C29).
type decisionRow struct {
	Year            int            `json:"year"`
	Established     int            `json:"established"`
	Declined        int            `json:"declined"`
	EstablishedRate domain.Decimal `json:"established_rate" doc:"Of the establishments decided"`
	Recognised      int            `json:"recognised"`
	ToRectify       int            `json:"to_rectify"`
	NotPassed       int            `json:"not_passed"`
	RecognisedRate  domain.Decimal `json:"recognised_rate" doc:"Of the acceptances decided for good: recognised or not passed"`
}

type structureInput struct {
	PartsInput
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"Convert into this currency where the lab has a rate on record; absent: each currency on its own"`
}

func (s *Server) registerReports() {
	register(s, query("lab-funding-structure", "/v1/labs/{lab}/funding-structure", "labs", "投入结构：已落实现金按来源所占比例，各币种分列；仅按登记的汇率换算。", "Read where a lab's cash comes from, by currency"), s.fundingStructure)
	table(s, report("report-labs-by-status", "/v1/reports/labs-by-status", "各状态实验室数量及其变化。", "Count labs by status over time"), s.labsByStatus)
	table(s, report("report-funding", "/v1/reports/funding", "按单位、年度、种类、来源和币种列出承诺与到位。", "Commitments against deliveries"), s.fundingReport)
	table(s, report("report-funding-shares", "/v1/reports/funding-shares", "投入结构：各来源所占比例，按种类和币种分列。", "Shares of funding by source"), s.fundingShares)
	table(s, report("report-decisions", "/v1/reports/decisions", "各年度立项与验收的决定数和通过率。", "Decisions and pass rates by year"), s.decisionsReport)
}

// days returns the last days of the months, quarters or years from one day to
// another, and the latter itself.
func days(from, to domain.Date, every string) (list []domain.Date) {
	months := map[string]int{"month": 1, "quarter": 3, "year": 12}[every]
	for d := from; !from.IsZero(); {
		end := d.EndOfMonth(months)
		if !end.Before(to) || len(list) > 1200 {
			break
		}
		list, d = append(list, end), end.AddDays(1)
	}
	return append(list, to)
}

func (s *Server) labsByStatus(ctx context.Context, in *statusInput) (rows []statusRow, err error) {
	w, err := s.resolveMoment(ctx, When{in.To, in.Past})
	if err != nil {
		return nil, err
	}
	list := days(in.From, w.on, in.Every)
	type key struct {
		day    int
		status lab.Status
		level  lab.Level
	}
	counts := map[key]int{}
	err = s.eachLab(ctx, w.at, func(l *lab.Lab) error {
		for i, d := range list {
			if st := l.StatusThen(d); st != "" {
				counts[key{i, st, l.Level}]++
			}
		}
		return nil
	})
	for k, n := range counts {
		rows = append(rows, statusRow{
			On: list[k.day], Status: k.status, StatusText: k.status.Text(), Level: k.level, Labs: n,
		})
	}
	slices.SortFunc(rows, func(a, b statusRow) int {
		return cmp.Or(a.On.Compare(b.On), slices.Index(lab.Statuses, a.Status)-slices.Index(lab.Statuses, b.Status),
			cmp.Compare(a.Level, b.Level))
	})
	return rows, err
}

// labsOf calls each with one lab, or with all labs, at a moment.
func (s *Server) labsOf(ctx context.Context, in *fundingInput, each func(*lab.Lab) error) error {
	w, err := s.resolveMoment(ctx, When{Past: in.Past})
	if err != nil {
		return err
	}
	if in.Lab == uuid.Nil {
		return s.eachLab(ctx, w.at, each)
	}
	l, _, _, _, err := s.labAt(ctx, in.Lab, When{Past: in.Past})
	if err != nil {
		return err
	}
	return each(l)
}

func (s *Server) fundingReport(ctx context.Context, in *fundingInput) (rows []fundingRow, err error) {
	type key struct {
		year       int
		party      uuid.UUID
		kind, unit string
		source     lab.FundingSource
	}
	at := map[key]int{}
	row := func(f *lab.Commitment, year int) *fundingRow {
		_, unit := f.Quantity.Measure()
		k := key{year: year, party: f.Party.ID, kind: f.Quantity.Kind(), unit: unit, source: f.Source}
		i, ok := at[k]
		if !ok {
			i, at[k] = len(rows), len(rows)
			rows = append(rows, fundingRow{Year: year, Party: f.Party.Name, PartyID: f.Party.ID, Kind: k.kind,
				Source: f.Source, Unit: unit})
		}
		return &rows[i]
	}
	err = s.labsOf(ctx, in, func(l *lab.Lab) error {
		for i := range l.Commitments {
			f := &l.Commitments[i]
			if f.Closed != lab.Cancelled {
				for _, due := range f.Schedule {
					amount, _ := due.Quantity.Measure()
					r := row(f, due.Due.Year())
					r.Committed = r.Committed.Add(amount)
				}
				if len(f.Schedule) == 0 {
					amount, _ := f.Quantity.Measure()
					r := row(f, 0)
					r.Committed = r.Committed.Add(amount)
				}
			}
			for _, t := range f.Contributions {
				amount, _ := t.Quantity.Measure()
				if t.Returned {
					amount = amount.Neg()
				}
				r := row(f, t.On.Year())
				r.Delivered = r.Delivered.Add(amount)
			}
		}
		return nil
	})
	slices.SortFunc(rows, func(a, b fundingRow) int {
		return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Party.English(), b.Party.English()),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Source, b.Source))
	})
	return rows, err
}

func (s *Server) fundingShares(ctx context.Context, in *fundingInput) (rows []shareRow, err error) {
	funding, err := s.fundingReport(ctx, in)
	if err != nil {
		return nil, err
	}
	type sums struct{ committed, delivered domain.Decimal }
	whole, of := map[[2]string]sums{}, map[[3]string]sums{}
	for _, f := range funding {
		w, o := [2]string{f.Kind, f.Unit}, [3]string{f.Kind, f.Unit, string(f.Source)}
		whole[w] = sums{whole[w].committed.Add(f.Committed), whole[w].delivered.Add(f.Delivered)}
		of[o] = sums{of[o].committed.Add(f.Committed), of[o].delivered.Add(f.Delivered)}
	}
	for k, v := range of {
		w := whole[[2]string{k[0], k[1]}]
		rows = append(rows, shareRow{
			Kind: k[0], Unit: k[1], Source: lab.FundingSource(k[2]), Committed: v.committed,
			CommittedShare: v.committed.ShareOf(w.committed), Delivered: v.delivered,
			DeliveredShare: v.delivered.ShareOf(w.delivered),
		})
	}
	slices.SortFunc(rows, func(a, b shareRow) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Unit, b.Unit),
			slices.Index(lab.FundingSources, a.Source)-slices.Index(lab.FundingSources, b.Source))
	})
	return rows, nil
}

func (s *Server) fundingStructure(ctx context.Context, in *structureInput) (*list[lab.Structure], error) {
	l, _, _, w, err := s.labAt(ctx, in.Lab, in.When)
	if err != nil {
		return nil, err
	}
	return unpaged(l.FundingStructure(w.on, in.Currency)), nil
}

func (s *Server) decisionsReport(ctx context.Context, in *decisionsInput) (rows []decisionRow, err error) {
	w, err := s.resolveMoment(ctx, When{Past: in.Past})
	if err != nil {
		return nil, err
	}
	years := map[int]*decisionRow{}
	err = s.eachLab(ctx, w.at, func(l *lab.Lab) error {
		for _, m := range l.Moves {
			if m.On.IsZero() {
				continue
			}
			year := m.On.Earliest().Year()
			if years[year] == nil {
				years[year] = &decisionRow{Year: year}
			}
			switch r := years[year]; m.To {
			case lab.StatusConstruction:
				if m.From != lab.StatusConstruction {
					r.Established++
				}
			case lab.StatusNotEstablished:
				r.Declined++
			case lab.StatusOperating:
				if m.From == lab.StatusPeerEval {
					r.Recognised++
				}
			case lab.StatusRectifying:
				r.ToRectify++
			case lab.StatusNotPassed:
				r.NotPassed++
			}
		}
		return nil
	})
	for _, r := range years {
		r.EstablishedRate = count(r.Established).ShareOf(count(r.Established + r.Declined))
		r.RecognisedRate = count(r.Recognised).ShareOf(count(r.Recognised + r.NotPassed))
		if *r != (decisionRow{Year: r.Year}) {
			rows = append(rows, *r)
		}
	}
	slices.SortFunc(rows, func(a, b decisionRow) int { return cmp.Compare(a.Year, b.Year) })
	return rows, err
}

func count(n int) domain.Decimal { return domain.MustDecimal(fmt.Sprint(n)) }
