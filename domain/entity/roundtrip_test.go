package entity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/entity"
)

// TestFoldResumesFromDocument draws stories, stops each at some
// event, writes the state as JSON, reads it back and folds on.
func TestFoldResumesFromDocument(t *testing.T) {
	domaintest.Check(t, 100, 10_000, func(t *rapid.T) {
		history := story(t)
		stop := rapid.IntRange(0, len(history)).Draw(t, "stop")

		whole, part, stored := entity.New(domaintest.Aggregate), entity.New(domaintest.Aggregate), new(entity.Entity)
		domain.Fold(whole, history)
		domain.Fold(part, history[:stop])
		document, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(document, stored, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		if stop > 0 && strings.Contains(string(document), "null") {
			t.Errorf("the document says null: %s", document)
		}
		domain.Fold(stored, history[stop:])
		if diff := cmp.Diff(whole, stored, domaintest.Same); diff != "" {
			t.Fatalf("after event %d of %d (-whole +stored):\n%s", stop, len(history), diff)
		}

		// On a day in the past some of it has not happened yet, whatever refers to it.
		past := entity.New(domaintest.Aggregate)
		for i, h := range history {
			if i == 0 || rapid.Bool().Draw(t, "happened") {
				past.Apply(h)
			}
		}
		past.StatusOn(domain.MustDate("2020-01-01"))
		past.Ref()
		past.AllNames()
	})
}

// story returns what came of some commands, most of which make sense.
func story(t *rapid.T) (history []domain.RecordedEvent[entity.Event]) {
	state := entity.New(domaintest.Aggregate)
	text := rapid.SampledFrom([]string{"清华大学", "清华", "Tsinghua University", "THU", " Qinghua  University", "𠮷\u2028<&>"})
	lang := rapid.SampledFrom([]string{"zh", "en", "zh-Hant", "de"})
	day := rapid.SampledFrom([]string{"1911", "1928-06", "2020-02-29", "2024-01-01", "2024", "2024-05-20"})
	on := rapid.Custom(func(t *rapid.T) domain.PartialDate { return date(day.Draw(t, "day")) })
	id := rapid.SampledFrom([]domain.Identifier{ror, isni, identifier(domain.USCC, "12100000400000624d"),
		identifier("GB-COH", "RC000797")})
	source := rapid.SampledFrom([]string{"ror.org", "isni.org", "a certificate"})
	named := rapid.Custom(func(t *rapid.T) domain.Name {
		return domain.Name{
			Text: text.Draw(t, "text"), Lang: lang.Draw(t, "lang"), Unverified: rapid.Bool().Draw(t, "unverified"),
			Kind: rapid.SampledFrom([]domain.NameKind{domain.Official, domain.Short, domain.Former, domain.Alias}).
				Draw(t, "kind"),
			Valid: domain.PartialPeriod{From: on.Draw(t, "from")},
		}
	})
	command := rapid.Custom(func(t *rapid.T) entity.Command {
		switch rapid.IntRange(0, 20).Draw(t, "command") {
		case 0:
			return entity.CloseEntity{On: on.Draw(t, "on")}
		case 1:
			return entity.MergeEntity{Into: rennes1.ID, On: on.Draw(t, "on")}
		case 2:
			return entity.SucceedEntity{Successor: rennes1.ID, On: on.Draw(t, "on")}
		case 3, 4, 5:
			return entity.Rename{Lang: lang.Draw(t, "lang"), Name: text.Draw(t, "text"), On: on.Draw(t, "on")}
		case 6, 7, 8:
			return entity.AddName{Name: named.Draw(t, "name")}
		case 9, 10:
			return entity.WithdrawIdentifier{Identifier: id.Draw(t, "id"), Grounds: because("it proved wrong")}
		case 11, 12, 13, 14:
			return entity.CorroborateIdentifier{Identifier: id.Draw(t, "id"), Source: source.Draw(t, "source")}
		}
		return entity.AssertIdentifier{Identifier: id.Draw(t, "id"), Source: source.Draw(t, "source")}
	})
	first := entity.Register{
		Kind: entity.University, Country: "CN", Established: on.Draw(t, "established"),
		Names:       []domain.Name{name("zh", "清华大学", domain.Official)},
		Identifiers: []entity.Assertion{{Identifier: id.Draw(t, "id")}},
	}
	for n, cmd := range append([]entity.Command{first}, rapid.SliceOf(command).Draw(t, "commands")...) {
		who := rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(t, "who")
		x := domaintest.On("2024-05-20", domaintest.By(domain.Officer, who), domaintest.Knowing(rennes1))
		events, err := cmd.Decide(state, x)
		if err != nil {
			continue
		}
		for _, e := range events {
			h := domain.RecordedEvent[entity.Event]{Event: e, Meta: domain.Meta{
				ID: domaintest.Event(len(history)), Revision: uint64(len(history)), Actor: x.Actor,
				Time: x.Now.Add(time.Duration(n) * time.Hour), Because: cmd.Why(),
			}}
			state.Apply(h)
			history = append(history, h)
		}
	}
	return history
}
