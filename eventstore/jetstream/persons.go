package jetstream

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
)

const (
	personStream = "PERSONS"
	personPrefix = "jointlab.persons."
	personCheck  = personPrefix + "check" // tells the right person.key from a wrong one
	personKeys   = personPrefix + "key."  // and the person's number: the person's key, wrapped
	personIDs    = personPrefix + "id."   // and a keyed hash of an id: the number of the person who has it
)

// PersonKeyFile is the key that wraps the keys of persons, in the data folder.
const PersonKeyFile = "person.key"

// keyKept is how long a person's key is kept in memory, and so how long after
// an erasure through another node this one may still read the person's data.
const keyKept = 30 * time.Second

// Persons keeps the keys that personal data is sealed with, each under the
// person's number, in a JetStream stream beside the ledger from which they can
// be deleted. They are wrapped with the key in the file person.key, which nodes
// of one register share; without it, or with another one, no person can be named
// or read. Its methods fail with eventstore.ErrUnavailable then.
type Persons struct {
	ledger *Ledger
	dir    string
	random io.Reader
	known  *lru.Cache[uuid.UUID, keptKey]

	mu   sync.Mutex
	kept *wrapping // nil: not found yet
}

type keptKey struct {
	key   eventstore.PersonKey
	until time.Time
}

// wrapping is what follows from person.key.
type wrapping struct {
	aead         cipher.AEAD
	index, check []byte
}

// Persons are the keys of persons beside the ledger.
func (l *Ledger) Persons() *Persons { return l.persons }

func newPersons(l *Ledger, dir string, random io.Reader) *Persons {
	known, err := lru.New[uuid.UUID, keptKey](10_000)
	if err != nil {
		panic(err) // only for a size below 1
	}
	if random == nil {
		random = rand.Reader
	}
	return &Persons{ledger: l, dir: dir, random: random, known: known}
}

// Named returns the number and key of the person with an id, making both for
// one who has none. An id is whatever the same person always comes with. While
// the stream has no leader, as when the first person's name has just made it on
// a cluster, it asks again, up to the log's patience.
func (p *Persons) Named(ctx context.Context, id string) (ref uuid.UUID, key eventstore.PersonKey, err error) {
	err = p.ledger.retry(ctx, func(ctx context.Context) (err error) {
		ref, key, err = p.named(ctx, id)
		return err
	})
	return ref, key, err
}

func (p *Persons) named(ctx context.Context, id string) (uuid.UUID, eventstore.PersonKey, error) {
	doing := "find a person's key"
	w, err := p.open(ctx, true)
	if err != nil {
		return uuid.Nil, eventstore.PersonKey{}, err
	}
	subject := w.idSubject(id)
	for {
		ref, seq, err := p.numbered(ctx, subject)
		if err != nil {
			return uuid.Nil, eventstore.PersonKey{}, unavailable(ctx, doing, err)
		}
		if seq > 0 {
			key, ok, err := p.key(ctx, w, ref)
			if err != nil || ok {
				return ref, key, err
			}
			// Its key is gone, and this entry was about to go.
		}
		ref, key, added, err := p.add(ctx, w, subject)
		if err != nil {
			return uuid.Nil, eventstore.PersonKey{}, err
		}
		switch _, err := p.put(ctx, subject, seq, ref[:]); {
		case err == nil:
			return ref, key, nil
		case !errors.Is(err, eventstore.ErrConflict):
			return uuid.Nil, eventstore.PersonKey{}, unavailable(ctx, doing, err)
		}
		if err := p.destroy(ctx, added); err != nil { // another node named the same person
			return uuid.Nil, eventstore.PersonKey{}, err
		}
	}
}

// numbered is the number an id's entry holds, and that entry's place; 0: there is none.
func (p *Persons) numbered(ctx context.Context, subject string) (ref uuid.UUID, seq uint64, err error) {
	m, err := p.ledger.lastOnLeader(ctx, personStream, subject)
	if err == nil && m.Seq > 0 {
		ref, err = uuid.FromBytes(m.Data)
	}
	return ref, m.Seq, err
}

// add makes a person's key, and its entry at seq. The entry has the id under which
// the person is found, so that an erasure finds that too.
func (p *Persons) add(ctx context.Context, w *wrapping, subject string) (ref uuid.UUID, key eventstore.PersonKey, seq uint64, err error) {
	ref, err = uuid.NewRandomFromReader(p.random)
	if err == nil {
		_, err = io.ReadFull(p.random, key[:])
	}
	nonce := make([]byte, w.aead.NonceSize())
	if err == nil {
		_, err = io.ReadFull(p.random, nonce)
	}
	if err != nil {
		return ref, key, 0, fmt.Errorf("jetstream: make a person's key: %w", err)
	}
	wrapped := w.aead.Seal(nonce, nonce, append(key[:], strings.TrimPrefix(subject, personIDs)...), ref[:])
	if seq, err = p.put(ctx, personKeys+ref.String(), 0, wrapped); err != nil {
		return ref, key, 0, unavailable(ctx, "keep a person's key", err)
	}
	return ref, key, seq, nil
}

// Find returns the number of the person with an id, and whether there is one.
func (p *Persons) Find(ctx context.Context, id string) (ref uuid.UUID, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.ledger.answer)
	defer cancel()
	w, err := p.open(ctx, false)
	if w == nil || err != nil {
		return uuid.Nil, false, err
	}
	ref, seq, err := p.numbered(ctx, w.idSubject(id))
	if err != nil {
		return uuid.Nil, false, unavailable(ctx, "find a person", err)
	}
	return ref, seq > 0, nil
}

// Key returns a person's key, and false where there is none: the person was
// erased, or the register never had one of that number.
func (p *Persons) Key(ctx context.Context, ref uuid.UUID) (eventstore.PersonKey, bool, error) {
	if kept, ok := p.known.Get(ref); ok && time.Now().Before(kept.until) {
		return kept.key, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.ledger.answer)
	defer cancel()
	w, err := p.open(ctx, false)
	if w == nil || err != nil {
		return eventstore.PersonKey{}, false, err
	}
	return p.key(ctx, w, ref)
}

func (p *Persons) key(ctx context.Context, w *wrapping, ref uuid.UUID) (key eventstore.PersonKey, found bool, err error) {
	m, err := p.ledger.lastOnLeader(ctx, personStream, personKeys+ref.String())
	if err != nil {
		return key, false, unavailable(ctx, "read a person's key", err)
	}
	if m.Seq == 0 {
		return key, false, nil
	}
	plain, err := w.unwrap(ref, m.Data)
	if err != nil {
		return key, false, err
	}
	copy(key[:], plain)
	p.known.Add(ref, keptKey{key, time.Now().Add(keyKept)})
	return key, true, nil
}

// Erase destroys a person's key: its bytes are overwritten where they are kept.
// It is for good, and erasing again does nothing. On a cluster the servers' own
// replication log holds the wrapped key, worth nothing without person.key, until
// they compact it.
func (p *Persons) Erase(ctx context.Context, ref uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, p.ledger.answer)
	defer cancel()
	w, err := p.open(ctx, false)
	if w == nil || err != nil {
		return err
	}
	subject := personKeys + ref.String()
	m, err := p.ledger.lastOnLeader(ctx, personStream, subject)
	if err != nil {
		return unavailable(ctx, "find the key to erase", err)
	}
	if m.Seq > 0 {
		plain, err := w.unwrap(ref, m.Data)
		if err != nil {
			return err
		}
		// The id first: without the key it could not be found again. It may be
		// another's by now, if the person was named again while this one was erased.
		now, seq, err := p.numbered(ctx, personIDs+string(plain[len(eventstore.PersonKey{}):]))
		if err != nil {
			return unavailable(ctx, "find the id to erase", err)
		}
		if now == ref {
			if err := p.destroy(ctx, seq); err != nil {
				return err
			}
		}
		if err := p.destroy(ctx, m.Seq); err != nil {
			return err
		}
	}
	p.known.Remove(ref)
	return nil
}

// Check finds out whether person.key is the one this register's keys are wrapped with.
func (p *Persons) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.ledger.answer)
	defer cancel()
	_, err := p.open(ctx, false)
	return err
}

// destroy overwrites and deletes an entry, if it is still there.
func (p *Persons) destroy(ctx context.Context, seq uint64) error {
	stream, err := p.ledger.js.Stream(ctx, personStream)
	if err == nil {
		err = stream.SecureDeleteMsg(ctx, seq)
	}
	if err != nil && !errors.Is(err, natsjs.ErrMsgNotFound) {
		return unavailable(ctx, "erase from stream "+personStream, err)
	}
	return nil
}

// put writes an entry if the one under its subject is still the one at after, and
// names the place.
func (p *Persons) put(ctx context.Context, subject string, after uint64, data []byte) (uint64, error) {
	ack, err := p.ledger.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		natsjs.ExpectedStreamHeader:      {personStream},
		natsjs.ExpectedLastSubjSeqHeader: {strconv.FormatUint(after, 10)},
	}}, natsjs.WithRetryAttempts(0))
	var answer *natsjs.APIError
	if errors.As(err, &answer) && isCode(answer, codeWrongSequence, codeWrongSequenceConstant) {
		return 0, eventstore.ErrConflict
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// open finds the stream and the key that goes with it; where nobody was ever
// named it makes both if asked to, and else returns nil.
func (p *Persons) open(ctx context.Context, create bool) (*wrapping, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept != nil {
		return p.kept, nil
	}
	there, err := p.stream(ctx, create)
	if err != nil {
		return nil, unavailable(ctx, "find the keys of persons", err)
	}
	if !there {
		return nil, nil
	}
	for {
		m, err := p.ledger.lastOnLeader(ctx, personStream, personCheck)
		if err != nil {
			return nil, unavailable(ctx, "find the keys of persons", err)
		}
		if m.Seq == 0 && !create {
			return nil, nil
		}
		w, err := p.load(m.Seq == 0)
		if err != nil {
			return nil, fmt.Errorf("jetstream: %w: %w", eventstore.ErrUnavailable, err)
		}
		if m.Seq > 0 {
			if !hmac.Equal(m.Data, w.check) {
				return nil, fmt.Errorf("jetstream: %w: %s in %s is not the key that this register's personal data is sealed with; copy the right one from another node or a backup", eventstore.ErrUnavailable, PersonKeyFile, p.dir)
			}
			p.kept = w
			return w, nil
		}
		if _, err := p.put(ctx, personCheck, 0, w.check); err != nil && !errors.Is(err, eventstore.ErrConflict) {
			return nil, unavailable(ctx, "keep the keys of persons", err)
		}
	}
}

// stream finds the stream, and makes it if asked to.
func (p *Persons) stream(ctx context.Context, create bool) (there bool, err error) {
	_, err = p.ledger.js.Stream(ctx, personStream)
	switch missing := errors.Is(err, natsjs.ErrStreamNotFound); {
	case !missing:
		return err == nil, err
	case !create:
		return false, nil
	}
	if p.ledger.server != nil {
		if err := p.ledger.server.checkEmpty(personStream); err != nil {
			return false, err
		}
	}
	_, err = p.ledger.js.CreateStream(ctx, natsjs.StreamConfig{
		Name: personStream, Description: "jointlab: the keys of persons, wrapped. Never copy it where they could not be deleted.",
		Subjects: []string{personPrefix + ">"}, Retention: natsjs.LimitsPolicy, Storage: natsjs.FileStorage, Discard: natsjs.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: 1, Replicas: p.ledger.replicas, Duplicates: 2 * time.Minute,
		AllowDirect: true, // for backups; all else asks the leader, which knows what is deleted
	})
	if errors.Is(err, natsjs.ErrStreamNameAlreadyInUse) {
		err = nil
	}
	return err == nil, err
}

// load reads person.key, or makes it where no person was named yet.
func (p *Persons) load(create bool) (*wrapping, error) {
	if p.dir == "" {
		return nil, errors.New("without a data folder there is no key to seal personal data with")
	}
	path := filepath.Join(p.dir, PersonKeyFile)
	text, err := eventstore.SecretFile(path, func() ([]byte, error) {
		if !create {
			return nil, fmt.Errorf("%s is missing, and with it every name in this register; copy it from another node or a backup", path)
		}
		key := make([]byte, 32)
		_, err := io.ReadFull(p.random, key)
		return []byte(base64.StdEncoding.EncodeToString(key) + "\n"), err
	})
	if err != nil {
		return nil, err
	}
	w, err := wrappingOf(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put the right one back from the secrets", path, err)
	}
	return w, nil
}

// CheckPersonKey reports whether text, as person.key holds it, is a key, and the one
// that entries are wrapped with.
func CheckPersonKey(text string, entries []PersonEntry) error {
	w, err := wrappingOf(text)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Subject == personCheck && !hmac.Equal(e.Data, w.check) {
			return errors.New("it is not the key that the keys of persons are wrapped with")
		}
	}
	return nil
}

// wrappingOf is what follows from the text of person.key.
func wrappingOf(text string) (*wrapping, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != 32 {
		return nil, errors.New("it does not hold 32 bytes as base64")
	}
	derived := map[string][]byte{}
	for _, use := range []string{"wrap", "index", "check"} {
		if derived[use], err = hkdf.Key(sha256.New, key, nil, "jointlab persons "+use, 32); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(derived["wrap"])
	if err != nil {
		return nil, err
	}
	w := &wrapping{index: derived["index"], check: derived["check"]}
	w.aead, err = cipher.NewGCM(block)
	return w, err
}

func (w *wrapping) idSubject(id string) string {
	mac := hmac.New(sha256.New, w.index)
	mac.Write([]byte(id))
	return personIDs + hex.EncodeToString(mac.Sum(nil))
}

func (w *wrapping) unwrap(ref uuid.UUID, wrapped []byte) ([]byte, error) {
	if n := w.aead.NonceSize(); len(wrapped) > n {
		if plain, err := w.aead.Open(nil, wrapped[:n], wrapped[n:], ref[:]); err == nil && len(plain) > len(eventstore.PersonKey{}) {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("jetstream: %w: the key of person %s cannot be unwrapped; restore stream %s from a backup", eventstore.ErrUnavailable, ref, personStream)
}
