package api_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

func TestRefusedTokenNotLogged(t *testing.T) {
	p := newOIDC(t)
	key := p.key(t, "one", rsaKey(t))
	trusted, err := api.NewProvider(api.ProviderConfig{Issuer: p.URL, Audience: "register", RoleClaim: "groups",
		Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	w := newWorld(t, func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.verifier.Trust(trusted)
	sign := func(change jwt.MapClaims) string { return p.token(t, jwt.SigningMethodRS256, "one", key, change) }
	good := sign(nil)
	tokens := map[string]string{
		"good":        good,
		"late":        sign(jwt.MapClaims{"exp": today.Add(-time.Hour).Unix(), "private": "planted-claim"}),
		"other-role":  sign(jwt.MapClaims{"groups": "planted-claim"}),
		"broken":      good[:len(good)-8] + "AAAAAAAA",
		"no-json":     "cGxhbnRlZC1jbGFpbQ.cGxhbnRlZC1jbGFpbQ.cGxhbnRlZC1jbGFpbQ",
		"not-a-token": "planted-token",
	}
	for name, token := range tokens {
		want := 401
		if name == "good" {
			want = 200
		}
		if r := w.get("/v1/labs?q=%E7%8E%8B%E4%BA%94", token, "X-Request-Id: "+name); r.StatusCode != want {
			t.Errorf("%s: %s %s", name, r.Status, r.text)
		}
	}
	w.get("/v1/labs", w.as(domain.Auditor))
	for name, token := range tokens {
		parts := strings.Split(token, ".")
		if !strings.Contains(log.String(), `"request_id":"`+name+`"`) {
			t.Errorf("%s is not logged", name)
		}
		for _, part := range parts {
			if strings.Contains(log.String(), part) {
				t.Errorf("%s: the log has %s", name, part)
			}
		}
	}
	for _, secret := range []string{"planted-claim", "王五", "%E7%8E%8B"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %s: %s", secret, log)
		}
	}
}
