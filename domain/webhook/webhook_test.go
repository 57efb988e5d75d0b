package webhook_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/webhook"
)

const address = "https://example.org/jointlab"

var on = domaintest.On("2024-06-03")

func scenario(t *testing.T) *domaintest.Scenario[*webhook.Webhook, webhook.Event] {
	return domaintest.New(t, webhook.New)
}

func registered(t *testing.T) *domaintest.Scenario[*webhook.Webhook, webhook.Event] {
	return scenario(t).When(webhook.Register{URL: address}, on).Then(webhook.Registered{URL: address})
}

func TestInvalidEndpointURL(t *testing.T) {
	for _, bad := range []string{"", "example.org", "ftp://example.org/", "https:///path",
		"https://user:word@example.org/", "https://example.org/#part", "https://example.org/%zz"} {
		scenario(t).When(webhook.Register{URL: bad}, on).ThenRefused(domain.Invalid, "url")
		registered(t).When(webhook.Change{URL: bad}, on).ThenRefused(domain.Invalid, "url")
	}
	scenario(t).When(webhook.Register{URL: address, Filter: webhook.Filter{To: []lab.Status{"NOWHERE"}}}, on).
		ThenRefused(domain.Invalid, "filter.to")
	scenario(t).When(webhook.Register{URL: address, Filter: webhook.Filter{Facets: []string{"weather"}}}, on).
		ThenRefused(domain.Invalid, "filter.facets")
}

func TestEndpointLifecycle(t *testing.T) {
	s := registered(t)
	s.When(webhook.Register{URL: address}, on).ThenRefused(domain.Exists)
	s.When(webhook.Resume{}, on).ThenRefused(domain.State)
	s.When(webhook.Pause{}, on).Then(webhook.EndpointPaused{})
	s.When(webhook.Pause{}, on).ThenRefused(domain.State)
	s.When(webhook.Disable(7), on).ThenRefused(domain.State)
	s.When(webhook.Resume{}, on).Then(webhook.EndpointResumed{})
	s.When(webhook.Disable(7), on).Then(webhook.EndpointDisabled{Position: 7})
	s.When(webhook.Resume{}, on).Then(webhook.EndpointResumed{})
	s.When(webhook.Change{URL: address + "/2", Filter: webhook.Filter{Facets: []string{"funding"}}}, on).
		Then(webhook.Changed{URL: address + "/2", Filter: webhook.Filter{Facets: []string{"funding"}}})
	s.When(webhook.Remove{}, on).Then(webhook.EndpointRemoved{})
	for _, late := range []webhook.Command{webhook.Change{URL: address}, webhook.Pause{}, webhook.Resume{},
		webhook.RotateSecret{}, webhook.Remove{}, webhook.Replay{Parked: true}} {
		s.When(late, on).ThenRefused(domain.State)
		scenario(t).When(late, on).ThenRefused(domain.NotFound)
	}
}

func TestReplay(t *testing.T) {
	s := registered(t)
	s.When(webhook.Replay{}, on).ThenRefused(domain.Invalid, "from")
	s.When(webhook.Replay{Parked: true, From: 3}, on).ThenRefused(domain.Invalid, "from")
	s.When(webhook.Replay{Parked: true}, on).Then(webhook.Replayed{Parked: true})
	s.When(webhook.Replay{From: 3}, on).Then(webhook.Replayed{From: 3})
	if w := s.State(); w.Replays != 1 || w.ReplayFrom != 3 || w.ParkedBefore.IsZero() {
		t.Errorf("%+v", w)
	}
}

func TestSecretRotationOverlap(t *testing.T) {
	s := registered(t)
	if g := s.State().Generations(on.Now); !slices.Equal(g, []int{1}) {
		t.Errorf("%v", g)
	}
	s.When(webhook.RotateSecret{}, on).Then(webhook.SecretRotated{Generation: 2})
	w := s.State()
	if g := w.Generations(w.Rotated.Add(webhook.Overlap - time.Second)); !slices.Equal(g, []int{2, 1}) {
		t.Errorf("within the day: %v", g)
	}
	if g := w.Generations(w.Rotated.Add(webhook.Overlap)); !slices.Equal(g, []int{2}) {
		t.Errorf("after it: %v", g)
	}
}
