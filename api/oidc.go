package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// ProviderConfig names an OpenID Connect provider whose tokens are accepted
// besides the register's own. Issuer and Audience must be set.
type ProviderConfig struct {
	Issuer      string       // as in its discovery document and its tokens
	Audience    string       // the register's client id at the provider, required in tokens
	RoleClaim   string       // claim with the role: a string or a list of strings; "": role
	EntityClaim string       // claim with the id of the legal entity acted for; "": ent
	Algorithms  []string     // accepted for signatures; nil: RS256, PS256, ES256 and EdDSA
	Client      *http.Client // for requests to the provider; nil: one with a timeout of 10 seconds
	Now         func() time.Time
}

// errProviderAway reports that a token could be neither accepted nor refused.
var errProviderAway = errors.New("the identity provider does not answer")

// Provider verifies the tokens of one OpenID Connect provider. It fetches the keys at
// the first token, and again at a token signed with an unknown key, so that neither
// has to start before the other and keys may rotate at any time.
type Provider struct {
	cfg      ProviderConfig
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the provider has answered; guarded by mu
}

// keySet is the provider's keys. It keeps a failed fetch apart from a bad signature.
type keySet struct{ *oidc.RemoteKeySet }

type awayKey struct{}

// VerifySignature returns the payload of a valid signature. If the provider did not
// answer it records that in the context.
func (k keySet) VerifySignature(ctx context.Context, signed string) ([]byte, error) {
	payload, err := k.RemoteKeySet.VerifySignature(ctx, signed)
	var away *url.Error
	if errors.As(err, &away) {
		*ctx.Value(awayKey{}).(*error) = err
	}
	return payload, err
}

// NewProvider returns a Provider. It makes no request yet.
func NewProvider(cfg ProviderConfig) (*Provider, error) {
	u, err := url.Parse(cfg.Issuer)
	local := err == nil && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local):
		return nil,
			fmt.Errorf("api: the issuer %q is not an https address; whoever stands between could sign in as anybody",
				cfg.Issuer)
	case cfg.Issuer == Issuer || cfg.Audience == "":
		return nil, errors.New("api: an identity provider needs an issuer and the audience its tokens name")
	}
	if cfg.RoleClaim == "" {
		cfg.RoleClaim = "role"
	}
	if cfg.EntityClaim == "" {
		cfg.EntityClaim = "ent"
	}
	if cfg.Algorithms == nil {
		cfg.Algorithms = []string{oidc.RS256, oidc.PS256, oidc.ES256, oidc.EdDSA}
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Provider{cfg: cfg}, nil
}

// discovered returns the verifier of the provider's tokens, after discovery of its
// keys.
func (p *Provider) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier != nil {
		return p.verifier, nil
	}
	ctx = oidc.ClientContext(context.WithoutCancel(ctx),
		p.cfg.Client) // keys are fetched with it after this request, too
	found, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	var about struct {
		Keys string `json:"jwks_uri"`
	}
	if err == nil {
		err = found.Claims(&about)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProviderAway, err)
	}
	p.verifier = oidc.NewVerifier(p.cfg.Issuer, keySet{oidc.NewRemoteKeySet(ctx, about.Keys)}, &oidc.Config{
		ClientID: p.cfg.Audience, SupportedSigningAlgs: p.cfg.Algorithms, Now: p.cfg.Now,
	})
	return p.verifier, nil
}

// verify returns the claims of a valid token of the provider. The subject is prefixed
// with the issuer, so that subjects of two providers never collide.
func (p *Provider) verify(ctx context.Context, signed string) (Claims, error) {
	verifier, err := p.discovered(ctx)
	if err != nil {
		return Claims{}, err
	}
	var away error
	token, err := verifier.Verify(context.WithValue(ctx, awayKey{}, &away), signed)
	if away != nil {
		return Claims{}, fmt.Errorf("%w: %w", errProviderAway, away)
	}
	if err != nil {
		return Claims{}, err
	}
	all := map[string]any{}
	if err := token.Claims(&all); err != nil {
		return Claims{}, err
	}
	c := Claims{Subject: p.cfg.Issuer + "#" + token.Subject, Until: token.Expiry}
	c.Name, _ = all["name"].(string)
	if token.Subject == "" {
		return Claims{}, errors.New("the token names no subject")
	}
	if c.Role, err = oneRole(all[p.cfg.RoleClaim]); err != nil {
		return Claims{}, fmt.Errorf("the token's %s %w", p.cfg.RoleClaim, err)
	}
	if entity, ok := all[p.cfg.EntityClaim].(string); ok && entity != "" {
		if c.Entity, err = uuid.Parse(entity); err != nil {
			return Claims{}, fmt.Errorf("the token's %s is not a uuid", p.cfg.EntityClaim)
		}
	}
	return c, c.check()
}

// oneRole returns the one role in a claim, which may hold other values. A token with
// several roles is refused, since every event records the role of its actor.
func oneRole(claim any) (domain.Role, error) {
	var named []domain.Role
	values, ok := claim.([]any)
	if !ok {
		values = []any{claim}
	}
	for _, v := range values {
		if s, _ := v.(string); slices.Contains(domain.Roles, domain.Role(s)) &&
			!slices.Contains(named, domain.Role(s)) {
			named = append(named, domain.Role(s))
		}
	}
	if len(named) != 1 {
		return "", fmt.Errorf("names %d of the roles %v; it must name one", len(named), domain.Roles)
	}
	return named[0], nil
}
