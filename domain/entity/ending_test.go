package entity_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
)

var knowing = domaintest.On("2024-05-20", domaintest.Knowing(rennes1))

func TestEndings(t *testing.T) {
	on := date("2023-01-01")
	for _, c := range []struct {
		cmd   entity.Command
		event entity.Event
		ended entity.Status
	}{
		{entity.SucceedEntity{Successor: rennes1.ID, On: on}, entity.Succeeded{Successor: rennes1, On: on},
			entity.Succession},
		{entity.MergeEntity{Into: rennes1.ID, On: on}, entity.Merged{Into: rennes1, On: on}, entity.Merger},
		{entity.CloseEntity{On: on}, entity.Closed{On: on}, entity.Closure},
	} {
		s := given(t, tsinghua).When(c.cmd, knowing).Then(c.event)
		e := s.State()
		for day, want := range map[string]entity.Status{
			"1910-12-31": entity.NotEstablished, "1911-01-01": entity.Active,
			"2022-12-31": entity.Active, "2023-01-01": c.ended, "2030-01-01": c.ended,
		} {
			if got := e.StatusOn(domain.MustDate(day)); got != want {
				t.Errorf("on %s it is %q, want %q", day, got, want)
			}
		}
		for _, cmd := range []entity.Command{
			entity.AddName{}, entity.Rename{}, entity.AssertIdentifier{}, entity.CorroborateIdentifier{},
			entity.SucceedEntity{}, entity.MergeEntity{}, entity.CloseEntity{},
		} {
			s.When(cmd, knowing).ThenRefused(domain.State)
		}
		s.When(entity.WithdrawIdentifier{Identifier: ror, Grounds: because("revoked")}, today).
			Then(entity.IdentifierWithdrawn{Identifier: ror})
	}
}

func TestEndingKnownByYear(t *testing.T) {
	e := given(t, tsinghua, entity.Closed{On: date("2023")}).State()
	for day, want := range map[string]entity.Status{"2023-12-31": entity.Active, "2024-01-01": entity.Closure} {
		if got := e.StatusOn(domain.MustDate(day)); got != want {
			t.Errorf("on %s it is %q, want %q", day, got, want)
		}
	}
	if got := entity.New(uuid.Nil).StatusOn(domain.MustDate("2024-01-01")); got != entity.Unregistered {
		t.Errorf("before its first event it is %q", got)
	}
}

func TestEndingValidation(t *testing.T) {
	on := date("2023")
	self, nobody := domaintest.Aggregate, domaintest.ID(99)
	for reason, c := range map[string]struct {
		cmd entity.Command
		at  []string
	}{
		"succession to itself": {entity.SucceedEntity{Successor: self, On: on}, []string{"successor"}},
		"a successor the register lacks": {entity.SucceedEntity{Successor: nobody, On: on},
			[]string{"successor"}},
		"succession to come": {entity.SucceedEntity{Successor: rennes1.ID, On: date("2025")},
			[]string{"on"}},
		"succession without a date":             {entity.SucceedEntity{}, []string{"successor", "on"}},
		"a merger into itself":                  {entity.MergeEntity{Into: self, On: on}, []string{"into"}},
		"a merger into what the register lacks": {entity.MergeEntity{Into: nobody, On: on}, []string{"into"}},
		"a merger to come": {entity.MergeEntity{Into: rennes1.ID, On: date("2024-06")},
			[]string{"on"}},
		"a merger without a date":       {entity.MergeEntity{}, []string{"into", "on"}},
		"a closure to come":             {entity.CloseEntity{On: date("2024-05-21")}, []string{"on"}},
		"a closure without a date":      {entity.CloseEntity{}, []string{"on"}},
		"a closure before the founding": {entity.CloseEntity{On: date("1910")}, []string{"on"}},
	} {
		t.Run(reason, func(t *testing.T) {
			x := knowing
			x.Entities = map[uuid.UUID]domain.EntityRef{rennes1.ID: rennes1, self: {ID: self}}
			given(t, tsinghua).When(c.cmd, x).ThenRefused(domain.Invalid, c.at...)
		})
	}
}

func TestEndingsUseEntities(t *testing.T) {
	for _, cmd := range []domain.EntityUser{entity.SucceedEntity{Successor: rennes1.ID},
		entity.MergeEntity{Into: rennes1.ID}} {
		if got := cmd.UsesEntities(); len(got) != 1 || got[0] != rennes1.ID {
			t.Errorf("%T asks for %v", cmd, got)
		}
	}
}
