package api_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

func TestTokenAndRoleRequired(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	lab := w.incubating(host, partner, "2023-06-01")
	head := w.head()
	path, body := "/v1/labs/"+lab+"/pass-formal-check", `{"on":"2024-06-01"}`

	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(s *api.Signer, c api.Claims) string {
		token, err := s.Issue(c, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ministry := api.Claims{Subject: "m", Role: domain.Ministry}
	good := w.as(domain.Ministry)
	kid := func() any {
		parsed, _, err := jwt.NewParser().ParseUnverified(good, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Header["kid"]
	}()
	// forged is a token of our own making: the claims change those of a good one.
	forged := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"iss": api.Issuer, "aud": api.Audience, "sub": "m", "role": "ministry",
			"exp": today.Add(time.Hour).Unix()}
		if change != nil {
			change(claims)
		}
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	past := api.NewSigner(w.key, func() time.Time { return today.Add(-2 * time.Hour) })
	future := api.NewSigner(w.key, func() time.Time { return today.Add(time.Hour) })

	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"no token", "", 401},
		{"not a token", "abc", 401},
		{"expired", issue(past, ministry), 401},
		{"not yet valid", issue(future, ministry), 401},
		{"another key", issue(api.NewSigner(stranger, clock), ministry), 401},
		{"another key under our key's name", forged(jwt.SigningMethodEdDSA, stranger, nil), 401},
		{"alg none", forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), 401},
		{"alg HS256", forged(jwt.SigningMethodHS256, []byte("secret"), nil), 401},
		{"alg HS256 with the public key", forged(jwt.SigningMethodHS256, []byte(w.key.Public().(ed25519.PublicKey)),
			nil), 401},
		{"another audience", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { c["aud"] = "other" }), 401},
		{"another issuer", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { c["iss"] = "other" }), 401},
		{"no expiry", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { delete(c, "exp") }), 401},
		{"no subject", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { delete(c, "sub") }), 401},
		{"no role", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { delete(c, "role") }), 401},
		{"a role there is not", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { c["role"] = "root" }),
			401},
		{"a host for nobody", forged(jwt.SigningMethodEdDSA, w.key, func(c jwt.MapClaims) { c["role"] = "host" }), 401},
		{"an auditor writing", w.as(domain.Auditor), 403},
		{"an expert writing", w.as(domain.Expert), 403},
		{"the host deciding on its own application", w.as(domain.Host, host), 403},
		{"the officer deciding for the ministry", w.as(domain.Officer), 403},
		{"the ministry, too early", forged(jwt.SigningMethodEdDSA, w.key, nil), 409},
	} {
		r := w.post(path, c.token, body)
		if r.StatusCode != c.status || r.str("detail_zh") == "" || w.head() != head {
			t.Errorf("%s: %s %s", c.name, r.Status, r.text)
		}
		if c.status == 401 && !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: no WWW-Authenticate", c.name)
		}
		if c.status == 403 && !strings.Contains(r.str("detail"), "ministry, agency") {
			t.Errorf("%s: it does not say who may: %s", c.name, r.text)
		}
	}
	if r := w.get("/v1/labs", ""); r.StatusCode != 401 {
		t.Errorf("reading without a token: %s", r.Status)
	}
	if r := w.get("/v1/labs", w.as(domain.Auditor)); r.StatusCode != 200 {
		t.Errorf("the auditor reading: %s", r.Status)
	}
	if r := w.get("/v1/labs", "", "Authorization: Basic YTpi"); r.StatusCode != 401 {
		t.Errorf("Basic: %s", r.Status)
	}
	other := uuid.NewString()
	for path, body := range map[string]string{
		"/v1/labs/" + lab + "/set-discipline": `{"discipline":{"zh":"x"}}`,
		"/v1/labs":                            proposal(host),
		"/v1/entities/" + host + "/add-name":  `{"name":{"text":"x","lang":"en","kind":"alias"}}`,
	} {
		if r := w.post(path, w.as(domain.Host, other), body); r.StatusCode != 403 {
			t.Errorf("%s for another legal entity: %s %s", path, r.Status, r.text)
		}
	}
	if w.head() != head {
		t.Error("something was written")
	}
}

func TestAnonymousRead(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.AnonymousRead = true })
	if r := w.get("/v1/labs", ""); r.StatusCode != http.StatusOK {
		t.Errorf("reading: %s", r.Status)
	}
	if r := w.get("/v1/labs", "bad"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("reading with a bad token: %s", r.Status)
	}
	if r := w.post("/v1/entities", "", chineseUniversity); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("writing: %s", r.Status)
	}
}

func TestSigningKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signing.key")
	var made [8]ed25519.PrivateKey
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			key, err := api.LoadOrCreateKey(path)
			if err != nil {
				t.Error(err)
			}
			made[i] = key
		})
	}
	all.Wait()
	for _, key := range made {
		if !key.Equal(made[0]) {
			t.Fatal("two keys were made")
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := api.LoadOrCreateKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key others may read: %v", err)
	}
	der, err := x509.MarshalPKIXPublicKey(made[0].Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"empty": "",
		"public": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := api.LoadOrCreateKey(path); err == nil {
			t.Errorf("a key was read from an %s file", name)
		}
	}
}
