package projections

import (
	"path/filepath"
	"testing"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

func TestProgrammeCorrections(t *testing.T) {
	r := newRegister(t)
	f := follow(t, r, filepath.Join(t.TempDir(), "model.db"))
	national := eventstore.Stream{Kind: "programme", ID: domain.ProgrammeID("国际合作联合实验室计划")}
	province := eventstore.Stream{Kind: "programme", ID: domain.ProgrammeID("江苏省国际合作联合实验室计划")}
	terms := domain.Terms{Document: "教技〔2014〕1号", Title: domain.T("计划", "Plan"), Effective: domain.Period{From: date("2014-01-01")}, Rules: "2014", IncubationYears: 2, ConstructionYears: 2}
	r.happens(national, programme.Registered{Name: domain.T("国际合作联合实验室计划", ""), Level: "ministry"})
	r.happens(province, programme.Registered{Name: domain.T("江苏省国际合作联合实验室计划", ""), Level: "province"})
	adopted := r.happens(national, programme.PolicyAdopted{Terms: terms})
	terms.ConstructionYears = 3
	r.happens(national, programme.Corrected{Correction: domain.Correction{Corrects: adopted[0].ID,
		With: domain.Restated{Event: programme.PolicyAdopted{Terms: terms}}}})
	f.caughtUp(r)
	r.isTheFold(t, f.Model)
	page, err := f.Programmes(t.Context(), Paging{Limit: 1})
	if err != nil || page.Total != 2 || len(page.Items) != 1 ||
		page.Items[0].Programme.Policies[0].ConstructionYears != 3 || page.Items[0].Revision != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	if page, err = f.Programmes(t.Context(), Paging{Limit: 1, Cursor: page.Next}); err != nil || page.Next != "" ||
		page.Items[0].Programme.Level != "province" {
		t.Errorf("%+v, %v", page, err)
	}
}
