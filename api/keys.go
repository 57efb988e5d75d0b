package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/projections"
)

// keyPrefix begins every service key, so that secret scanners recognise it:
// jlk_[0-9a-f]{32}_[0-9a-f]{64}. The first number is the key's id, the second 32
// random bytes.
const keyPrefix = "jlk_"

// newSecret returns a new service key and its hash.
func newSecret(id uuid.UUID) (secret, hash string) {
	var b [32]byte
	rand.Read(b[:]) // never fails
	secret = keyPrefix + hex.EncodeToString(id[:]) + "_" + hex.EncodeToString(b[:])
	return secret, hashOf(secret)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// authenticateKey returns the claims of a service key that is valid now. It reads the
// key's stream from the store to its end at every request, so that no node accepts a
// revoked key. The error is for the operator; it is errStoreAway if the stream could
// not be read.
func (s *Server) authenticateKey(ctx context.Context, secret string) (Claims, error) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(secret, keyPrefix), "_")
	id, err := uuid.Parse(digits)
	if err != nil || len(digits) != 32 {
		return Claims{}, errors.New("it begins as a service key does and is none")
	}
	k, err := s.loadKey(ctx, id)
	if err != nil {
		return Claims{}, err
	}
	switch state := k.StateAt(s.now()); {
	case k.Subject == "":
		return Claims{}, fmt.Errorf("there is no service key %s", id)
	case subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(k.Hash)) != 1:
		return Claims{}, fmt.Errorf("it is not the service key %s, only its id", id)
	case state != key.Active:
		return Claims{}, fmt.Errorf("the service key %s is %s", id, state)
	}
	c := Claims{Subject: k.Subject, Role: k.Role, Entity: k.OnBehalfOf.ID, Name: k.Name.Chinese(), Until: k.Expires,
		Key: id}
	return c, c.check()
}

// errStoreAway reports that a key could be neither accepted nor refused.
var errStoreAway = errors.New("the store does not answer")

// loadKey returns the current state of a key. It holds no lock while it waits, since
// all requests of a system carry the same key.
func (s *Server) loadKey(ctx context.Context, id uuid.UUID) (*key.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	history, err := s.keys.History(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStoreAway, err)
	}
	k := key.New(id)
	domain.Fold(k, history)
	return k, nil
}

// whileValid returns a context that ends with the caller's credentials: with a token at
// its expiry, with a service key also at its revocation, which is checked at every
// heartbeat.
func (s *Server) whileValid(ctx context.Context, c Claims) (context.Context, context.CancelFunc) {
	ctx, expire := context.WithTimeoutCause(ctx, c.Until.Sub(s.now()), errExpired)
	if c.Key == uuid.Nil {
		return ctx, expire
	}
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		for beat := time.NewTicker(s.cfg.Heartbeat); ; {
			select {
			case <-ctx.Done():
				beat.Stop()
				return
			case <-beat.C:
			}
			if k, err := s.loadKey(ctx, c.Key); err == nil && k.StateAt(s.now()) != key.Active {
				end(errExpired)
			}
		}
	}()
	return ctx, func() { end(context.Canceled); expire() }
}

// serviceKey describes a service key, without its hash.
type serviceKey struct {
	ID         uuid.UUID         `json:"id"`
	Name       domain.Text       `json:"name"`
	Subject    string            `json:"subject" doc:"What its acts are recorded under"`
	Role       domain.Role       `json:"role" doc:"The capacity it acts in"`
	OnBehalfOf *domain.EntityRef `json:"on_behalf_of,omitempty" doc:"The legal entity it acts for, as it was when the key was issued"`
	State      key.State         `json:"state" enum:"active,expired,revoked" doc:"As of now"`
	Expires    time.Time         `json:"expires"`
	Revoked    time.Time         `json:"revoked,omitzero" doc:"When it was revoked"`
	Issuer     domain.Actor      `json:"issuer" doc:"Who issued it"`
	Created    time.Time         `json:"created,omitzero"`
	Revision   uint64            `json:"revision"`
	Updated    time.Time         `json:"updated"`
}

func (s *Server) shownKey(k *key.Key, revision uint64, created, updated time.Time) serviceKey {
	v := serviceKey{
		ID: k.ID, Name: k.Name, Subject: k.Subject, Role: k.Role, State: k.StateAt(s.now()),
		Expires: k.Expires, Revoked: k.Revoked, Issuer: k.Issuer, Created: created,
		Revision: revision, Updated: updated,
	}
	if k.OnBehalfOf.ID != uuid.Nil {
		v.OnBehalfOf = &k.OnBehalfOf
	}
	return v
}

type keysInput struct {
	State []string `query:"state,explode" enum:"active,expired,revoked" doc:"Any of these; give it once for each"`
	Role  string   `query:"role" enum:"roles"`
	Paging
}

type keyInput struct {
	Key uuid.UUID `path:"key" doc:"The key's id"`
	Conditional
}

const (
	keysZh = "服务密钥供系统（而非个人）访问：以 Authorization: Bearer jlk_… 提交，代表签发时确定的角色与法人，到期或撤销后立即失效。密钥只在首次签发的答复中显示一次，登记簿只保存其 SHA-256。"
	keysEn = "A service key is for systems rather than people: sent as Authorization: Bearer jlk_…, it acts in " +
		"one role and for one legal entity until it expires or is revoked. It stands in the first answer to " +
		"issue and nowhere else; the register keeps its SHA-256."
)

func (s *Server) registerKeys() {
	register(s, query("list-keys", "/v1/keys", "keys", "列出服务密钥：ministry、officer 与 auditor 可见全部，其他角色只见代表本法人的密钥。\n\n"+keysZh+"\n\n"+keysEn, "List service keys"), s.listKeys)
	register(s, query("get-key", "/v1/keys/{key}", "keys", "读取一个服务密钥的登记内容和状态；密钥本身不会再显示。", "Read what is on record of a service key, and whether it is accepted"), s.getKey)
}

func (s *Server) listKeys(ctx context.Context, in *keysInput) (*list[serviceKey], error) {
	claims, _ := claimsOf(ctx)
	q := projections.KeysQuery{Paging: in.model(), Role: domain.Role(in.Role), State: convert[key.State](in.State),
		Now: s.now()}
	if relationOf(claims.Role, "key", "list-keys") == Own {
		if q.Entity = claims.Entity; q.Entity == uuid.Nil {
			return unpaged([]serviceKey{}), nil
		}
	}
	p, err := s.model.Keys(ctx, q)
	return listed(ctx, p, err, func(r projections.KeyRow) serviceKey {
		return s.shownKey(r.Key, r.Revision, r.Created,
			r.Updated)
	})
}

func (s *Server) getKey(ctx context.Context, in *keyInput) (*record[serviceKey], error) {
	claims, _ := claimsOf(ctx)
	k, events, updated, err := s.model.Key(ctx, in.Key)
	if err == nil && relationOf(claims.Role, "key", "get-key") == Own &&
		(claims.Entity == uuid.Nil || claims.Entity != k.OnBehalfOf.ID) {
		err = projections.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	v := s.shownKey(k, events-1, time.Time{}, updated)
	return single(in.Conditional, events, false, &v), nil
}

// maxKeys is the number of keys that may be valid at a time for one legal entity.
const maxKeys = 50

// checkKeyLimit returns an error if the legal entity has maxKeys valid keys.
func (s *Server) checkKeyLimit(ctx context.Context, p *intent) error {
	issue, begins := p.cmd.(key.Issue)
	if !begins || issue.Entity == uuid.Nil {
		return nil
	}
	active, err := s.model.Keys(ctx, projections.KeysQuery{Entity: issue.Entity, State: []key.State{key.Active},
		Now: s.now()})
	if err != nil || active.Total < maxKeys {
		return err
	}
	k, err := s.loadKey(ctx, p.id)
	if err == nil && k.Subject == "" { // else it is a retry of the last of them
		err = newProblem("wrong-state", "该法人已有 %d 个有效密钥；请先撤销不用的", "%d keys are accepted for this legal entity; revoke those you do not need first", active.Total)
	}
	return err
}

// shownOnce replaces a secret that was in an earlier answer.
var shownOnce = domain.T("密钥只在首次答复中显示；如未收到，请撤销此密钥并另行签发", "the key stood in the first answer only; if that did not reach you, revoke this key and issue another")
