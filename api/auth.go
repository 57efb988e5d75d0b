package api

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
)

// Issuer and Audience are required in a token, so that a token made for or by
// another service is refused.
const (
	Issuer   = "jointlab"
	Audience = "jointlab"
)

// Claims identifies the caller that a token authenticates.
type Claims struct {
	Subject string      // the caller's stable identifier
	Role    domain.Role // the role acted in
	Entity  uuid.UUID   // the legal entity acted for; host and partner must have one
	Name    string      // for people; never used to decide anything
	Until   time.Time   // when the token ends; set by Verify
	Key     uuid.UUID   // the id of a service key; nil for a token
}

func (c Claims) actor() domain.Actor {
	return domain.Actor{Subject: c.Subject, Role: c.Role, OnBehalfOf: c.Entity}
}

// check returns an error if no request could be authorized by the claims.
func (c Claims) check() error {
	switch {
	case strings.TrimSpace(c.Subject) == "" || len(c.Subject) > 200:
		return errors.New("the token names no subject, or one longer than 200 bytes")
	case eventstore.HoldsSeal(c.Subject):
		return errors.New("the token's subject looks like a seal of personal data")
	case !slices.Contains(domain.Roles, c.Role):
		return fmt.Errorf("the token's role %q is none of %v", c.Role, domain.Roles)
	case (c.Role == domain.Host || c.Role == domain.Partner) && c.Entity == uuid.Nil:
		return fmt.Errorf("a %s must act for a legal entity: the token has no ent", c.Role)
	}
	return nil
}

// token is the claims of a JWT.
type token struct {
	jwt.RegisteredClaims
	Role   domain.Role `json:"role"`
	Entity string      `json:"ent,omitempty"`
	Name   string      `json:"name,omitempty"`
}

// keyID returns the kid of a key in a token's header, by which keys can be rotated.
func keyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// Signer issues tokens.
type Signer struct {
	key ed25519.PrivateKey
	now func() time.Time
}

// NewSigner returns a Signer that signs with key and dates tokens by now.
func NewSigner(key ed25519.PrivateKey, now func() time.Time) *Signer { return &Signer{key, now} }

// Issue returns a token for claims that is valid for ttl, which must be positive. It
// returns an error for claims that no Verifier would accept.
func (s *Signer) Issue(c Claims, ttl time.Duration) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("api: issue token: %w", err)
	}
	if ttl <= 0 {
		return "", errors.New("api: issue token: give a time to live longer than nothing")
	}
	now := s.now()
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, token{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: Issuer, Audience: jwt.ClaimStrings{Audience}, Subject: c.Subject, ID: uuid.NewString(),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
		Role: c.Role, Name: c.Name,
	})
	if c.Entity != uuid.Nil {
		claims := t.Claims.(token)
		claims.Entity = c.Entity.String()
		t.Claims = claims
	}
	t.Header["kid"] = keyID(s.key.Public().(ed25519.PublicKey))
	return t.SignedString(s.key)
}

// Verifier authenticates tokens: the register's own by Ed25519 signatures of its
// keys, whatever algorithm the token names, and those of the providers it trusts.
// It is safe for concurrent use after the last Trust.
type Verifier struct {
	keys      map[string]ed25519.PublicKey
	providers map[string]*Provider // by issuer
}

// NewVerifier returns a Verifier of tokens signed with any of keys.
func NewVerifier(keys ...ed25519.PublicKey) *Verifier {
	v := &Verifier{map[string]ed25519.PublicKey{}, map[string]*Provider{}}
	for _, k := range keys {
		v.keys[keyID(k)] = k
	}
	return v
}

// Trust adds a provider whose tokens are accepted. It must be called before the
// first Verify.
func (v *Verifier) Trust(p *Provider) { v.providers[p.cfg.Issuer] = p }

// Verify returns the claims of a token that is valid at the instant now. The error
// is for the operator. The issuer that a token names only selects the provider that
// verifies it.
func (v *Verifier) Verify(ctx context.Context, signed string, now time.Time) (Claims, error) {
	var claimed jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(signed, &claimed); err != nil {
		return Claims{}, err
	}
	if p, ok := v.providers[claimed.Issuer]; ok {
		return p.verify(ctx, signed)
	}
	return v.own(signed, now)
}

// own returns the claims of one of the register's own tokens.
func (v *Verifier) own(signed string, now time.Time) (Claims, error) {
	var t token
	_, err := jwt.ParseWithClaims(signed, &t, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if key, ok := v.keys[kid]; ok {
			return key, nil
		}
		return nil, errors.New("signed with a key this server does not know")
	},
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(Issuer),
		jwt.WithAudience(Audience),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil {
		return Claims{}, err
	}
	c := Claims{Subject: t.Subject, Role: t.Role, Name: t.Name, Until: t.ExpiresAt.Time}
	if t.Entity != "" {
		if c.Entity, err = uuid.Parse(t.Entity); err != nil {
			return Claims{}, errors.New("the token's ent is not a uuid")
		}
	}
	return c, c.check()
}

type claimsKey struct{}

// claimsOf returns the claims of a request, or false if it came without a token.
func claimsOf(ctx context.Context) (Claims, bool) {
	c, ok := ctx.Value(claimsKey{}).(Claims)
	return c, ok
}

// authenticate returns the claims of a request by its Authorization header.
func (s *Server) authenticate(ctx context.Context, header string) (Claims, error) {
	scheme, signed, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(signed) == "" {
		return Claims{}, errors.New("the Authorization header is not of the form: Bearer <token>")
	}
	if signed = strings.TrimSpace(signed); strings.HasPrefix(signed, keyPrefix) {
		return s.authenticateKey(ctx, signed)
	}
	return s.verifier.Verify(ctx, signed, s.now())
}

// LoadOrCreateKey returns the signing key at path, and creates it if there is none.
// The file must be readable by its owner alone, since readers could issue tokens. If
// several processes create it at once, all return the same key.
func LoadOrCreateKey(path string) (ed25519.PrivateKey, error) {
	text, err := eventstore.SecretFile(path, newKey)
	if err != nil {
		return nil, fmt.Errorf("api: load signing key: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("api: load signing key: %s: %w", path, err)
	}
	return key, nil
}

// ParseKey returns the signing key in the text of a key file.
func ParseKey(text string) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not a PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it holds a %T; jointlab signs with Ed25519", parsed)
	}
	return key, nil
}

// newKey returns a key, as PEM.
func newKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
