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
	Issuer      string       // as its discovery document and its tokens have it
	Audience    string       // what its tokens must name: the register, as the provider knows it
	RoleClaim   string       // where a token says the role: a text or a list of texts; "": role
	EntityClaim string       // where it says the id of the legal entity acted for; "": ent
	Algorithms  []string     // of signatures, none but these; nil: RS256, PS256, ES256 and EdDSA
	Client      *http.Client // to reach the provider with; nil: one that gives up after 10 seconds
	Now         func() time.Time
}

// errProviderAway says that a token could be neither accepted nor refused.
var errProviderAway = errors.New("the identity provider does not answer")

// Provider accepts the tokens of one OpenID Connect provider. It is asked for
// its keys when the first token comes, and again when a token is signed with
// a key it has not shown yet, so neither has to start before the other and
// keys may change at any time.
type Provider struct {
	cfg      ProviderConfig
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the provider has answered
}

// keySet is the keys that the provider shows. Whether they could not be had is told
// apart from whether they did not fit.
type keySet struct{ *oidc.RemoteKeySet }

type awayKey struct{}

// VerifySignature leaves word in the context where the provider did not answer.
func (k keySet) VerifySignature(ctx context.Context, signed string) ([]byte, error) {
	payload, err := k.RemoteKeySet.VerifySignature(ctx, signed)
	var away *url.Error
	if errors.As(err, &away) {
		*ctx.Value(awayKey{}).(*error) = err
	}
	return payload, err
}

// NewProvider does not ask the provider anything yet.
func NewProvider(cfg ProviderConfig) (*Provider, error) {
	u, err := url.Parse(cfg.Issuer)
	local := err == nil && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && local):
		return nil, fmt.Errorf("api: the issuer %q is not an https address; whoever stands between could sign in as anybody", cfg.Issuer)
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

// discovered is what verifies the provider's tokens, once it has said where its
// keys are.
func (p *Provider) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier != nil {
		return p.verifier, nil
	}
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), p.cfg.Client) // keys are fetched with it long after this request
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

// verify returns the claims of a token of the provider that holds now. Its
// subject is the provider's name for the caller after the provider's own, so
// that two providers cannot mean one person by accident.
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

// oneRole is the role that a claim names among whatever else the provider puts
// there. Who has several must be given a token for one: every event says in
// which capacity its actor acted.
func oneRole(claim any) (domain.Role, error) {
	var named []domain.Role
	values, ok := claim.([]any)
	if !ok {
		values = []any{claim}
	}
	for _, v := range values {
		if s, _ := v.(string); slices.Contains(domain.Roles, domain.Role(s)) && !slices.Contains(named, domain.Role(s)) {
			named = append(named, domain.Role(s))
		}
	}
	if len(named) != 1 {
		return "", fmt.Errorf("names %d of the roles %v; it must name one", len(named), domain.Roles)
	}
	return named[0], nil
}
