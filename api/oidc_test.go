package api_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
)

// provider is an OpenID Connect provider with a discovery document, a key set and
// tokens.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	keys   jose.JSONWebKeySet
	asked  int
	broken bool
}

func newOIDC(t *testing.T) *provider {
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/a",
			"token_endpoint":           p.URL + "/t",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked++; p.broken {
			panic(http.ErrAbortHandler)
		}
		answer(w, p.keys)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// key adds a key to the provider's key set and returns it.
func (p *provider) key(t *testing.T, id string, private crypto.Signer) crypto.Signer {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys.Keys = append(p.keys.Keys, jose.JSONWebKey{Key: private.Public(), KeyID: id, Use: "sig"})
	return private
}

func rsaKey(t *testing.T) crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecKey(t *testing.T) crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// token returns a token with valid claims, changed by change.
func (p *provider) token(t *testing.T, method jwt.SigningMethod, id string, key any, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": p.URL, "aud": []string{"other", "register"}, "sub": "u-42", "name": "王五", "iat": today.Unix(), "exp": today.Add(time.Hour).Unix(),
		"groups": []string{"staff", "officer"},
	}
	for name, v := range change {
		claims[name] = v
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = id
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestProviderTokens(t *testing.T) {
	p := newOIDC(t)
	first := p.key(t, "one", rsaKey(t))
	trusted, err := api.NewProvider(api.ProviderConfig{Issuer: p.URL, Audience: "register", RoleClaim: "groups",
		Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.verifier.Trust(trusted)

	good := p.token(t, jwt.SigningMethodRS256, "one", first, nil)
	r := w.done("/v1/entities", good, chineseUniversity)
	if r = w.get("/v1/entities/"+r.str("id")+"/history", good); r.str("items.0.actor.subject") != p.URL+"#u-42" ||
		r.str("items.0.actor.role") != "officer" {
		t.Errorf("the history says %s", r.text)
	}
	asked := p.asked
	w.get("/v1/labs", good)
	if p.asked != asked {
		t.Error("the provider is asked for its keys again and again")
	}

	second := p.key(t, "two", ecKey(t)) // the keys rotate while the register runs
	public, err := x509.MarshalPKIXPublicKey(first.Public())
	if err != nil {
		t.Fatal(err)
	}
	head := w.head()
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"a new key", p.token(t, jwt.SigningMethodES256, "two", second, nil), 200},
		{"the old key still", good, 200},
		{"a role as a text", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"groups": "auditor"}), 200},
		{"a host", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"groups": "host", "ent": uuid.NewString()}), 200},
		{"a host for nobody", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"groups": "host"}), 401},
		{"an entity that is none", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"ent": "x"}), 401},
		{"no role", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"groups": []string{"staff"}}), 401},
		{"two roles", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"groups": []string{"officer", "ministry"}}), 401},
		{"the role in a claim nobody named", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"groups": nil, "role": "ministry"}), 401},
		{"another audience", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"aud": "other"}), 401},
		{"expired", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"exp": today.Add(-time.Hour).Unix()}), 401},
		{"no expiry", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"exp": nil}), 401},
		{"no audience", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"aud": nil}), 401},
		{"not yet valid", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"nbf": today.Add(time.Hour).Unix()}), 401},
		{"no subject", p.token(t, jwt.SigningMethodRS256, "one", first, jwt.MapClaims{"sub": ""}), 401},
		{"a key of somebody else", p.token(t, jwt.SigningMethodRS256, "one", rsaKey(t), nil), 401},
		{"a key the provider never showed", p.token(t, jwt.SigningMethodRS256, "three", rsaKey(t), nil), 401},
		{"alg none", p.token(t, jwt.SigningMethodNone, "one", jwt.UnsafeAllowNoneSignatureType, nil), 401},
		{"alg HS256 with the public key", p.token(t, jwt.SigningMethodHS256, "one", public, nil), 401},
		{"an algorithm that was not allowed", p.token(t, jwt.SigningMethodRS512, "one", first, nil), 401},
		{"another issuer", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"iss": "https://other.example"}), 401},
		{"the register's own issuer", p.token(t, jwt.SigningMethodRS256, "one", first,
			jwt.MapClaims{"iss": api.Issuer, "aud": api.Audience, "role": "ministry"}), 401},
	} {
		if r := w.get("/v1/labs", c.token); r.StatusCode != c.status {
			t.Errorf("%s: %s %s", c.name, r.Status, r.text)
		}
	}
	if w.head() != head {
		t.Error("something was written")
	}
}

func TestRotatedOutProviderKeyIsRejected(t *testing.T) {
	p := newOIDC(t)
	first := p.key(t, "one", rsaKey(t))
	trusted, err := api.NewProvider(api.ProviderConfig{Issuer: p.URL, Audience: "register", RoleClaim: "groups",
		Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.verifier.Trust(trusted)
	old := p.token(t, jwt.SigningMethodRS256, "one", first, nil)
	if r := w.get("/v1/labs", old); r.StatusCode != 200 {
		t.Fatalf("%s %s", r.Status, r.text)
	}
	p.mu.Lock()
	p.keys.Keys = nil
	p.mu.Unlock()
	second := p.key(t, "two", ecKey(t))
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"the new key", p.token(t, jwt.SigningMethodES256, "two", second, nil), 200},
		{"the old key", old, 401},
		{"the old key under the new one's name", p.token(t, jwt.SigningMethodRS256, "two", first, nil), 401},
	} {
		if r := w.get("/v1/labs", c.token); r.StatusCode != c.status {
			t.Errorf("%s: %s %s", c.name, r.Status, r.text)
		}
	}
}

func TestProviderUnavailable(t *testing.T) {
	p := newOIDC(t)
	key := p.key(t, "one", rsaKey(t))
	trusted, err := api.NewProvider(api.ProviderConfig{Issuer: p.URL, Audience: "register", RoleClaim: "groups",
		Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.verifier.Trust(trusted)
	token := p.token(t, jwt.SigningMethodRS256, "one", key, nil)
	p.broken = true
	if r := w.get("/v1/labs", token); r.StatusCode != 503 || r.str("code") != "provider-unavailable" ||
		r.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", r.Status, r.text)
	}
	if r := w.get("/v1/labs", w.as(domain.Auditor)); r.StatusCode != 200 {
		t.Errorf("the register's own tokens: %s", r.Status)
	}
	p.mu.Lock()
	p.broken = false
	p.mu.Unlock()
	if r := w.get("/v1/labs", token); r.StatusCode != 200 {
		t.Errorf("once it is back: %s %s", r.Status, r.text)
	}
	p.Close()
	other, err := api.NewProvider(api.ProviderConfig{Issuer: p.URL, Audience: "register", RoleClaim: "groups",
		Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.verifier.Trust(other)
	if r := w.get("/v1/labs", token); r.StatusCode != 503 {
		t.Errorf("never seen: %s %s", r.Status, r.text)
	}
}

func TestProviderURLMustBeSafe(t *testing.T) {
	for _, c := range []api.ProviderConfig{
		{}, {Issuer: "http://idp.example", Audience: "x"}, {Issuer: "idp.example", Audience: "x"},
		{Issuer: "https://idp.example"}, {Issuer: api.Issuer, Audience: "x"},
	} {
		if p, err := api.NewProvider(c); err == nil || !strings.HasPrefix(err.Error(), "api: ") {
			t.Errorf("%+v: %v, %v", c, p, err)
		}
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
