package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofrs/flock"
	"github.com/google/uuid"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/durable"
)

// Subscriber is an outside system that reads the stream STATUS with a durable
// pull consumer of that name, and may do nothing else.
type Subscriber struct {
	Name      string              `json:"name"`
	Key       string              `json:"key"`                // public nkey; the seed is the subscriber's alone
	Subjects  []string            `json:"subjects,omitempty"` // chosen ones; none: all
	After     eventstore.Position `json:"after,omitempty"`    // only events later than this position of the ledger
	Window    int                 `json:"window"`             // events on their way without acknowledgement; 1 keeps their order even when one comes again
	AckWaitMS int                 `json:"ack_wait_ms"`        // after which an event not acknowledged comes again
	Created   time.Time           `json:"created"`
}

// StatusSubjects are the subjects of status events of any of labs, to any of
// statuses; none of either means all.
func StatusSubjects(labs []uuid.UUID, to []lab.Status) (subjects []string) {
	if len(labs) == 0 && len(to) == 0 {
		return nil
	}
	ids, statuses := []string{"*"}, []string{"*"}
	if len(labs) > 0 {
		ids = nil
	}
	if len(to) > 0 {
		statuses = nil
	}
	for _, id := range labs {
		ids = append(ids, id.String())
	}
	for _, s := range to {
		statuses = append(statuses, string(s))
	}
	for _, id := range ids {
		for _, s := range statuses {
			subjects = append(subjects, statusSubjects+id+"."+s)
		}
	}
	return subjects
}

var (
	// ErrSubscriberExists reports that the name is taken.
	ErrSubscriberExists = errors.New("there is a subscriber of that name already; revoke it first, or choose another name")
	// ErrNoSubscriber reports that there is none of the name.
	ErrNoSubscriber = errors.New("there is no subscriber of that name")
)

var subscriberName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func subscribersFile(dir string) string { return filepath.Join(dir, "subscribers.json") }

// Subscribers reads who is named in the data folder.
func Subscribers(dir string) (all []Subscriber, err error) {
	text, err := os.ReadFile(subscribersFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: read subscribers from %s: %w", subscribersFile(dir), err)
	}
	return all, nil
}

// CreateSubscriber adds a subscriber to the data folder and returns its seed,
// which is kept nowhere. A server that runs on the folder lets it in within a
// second or two.
func CreateSubscriber(dir string, s Subscriber) (seed string, err error) {
	if !subscriberName.MatchString(s.Name) {
		return "", fmt.Errorf("jetstream: create subscriber: the name %q is not 1 to 63 of a–z, 0–9, - and _", s.Name)
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", fmt.Errorf("jetstream: create subscriber: %w", err)
	}
	if s.Key, err = pair.PublicKey(); err != nil {
		return "", fmt.Errorf("jetstream: create subscriber: %w", err)
	}
	secret, err := pair.Seed()
	if err != nil {
		return "", fmt.Errorf("jetstream: create subscriber: %w", err)
	}
	err = changeSubscribers(dir, func(all []Subscriber) ([]Subscriber, error) {
		if slices.ContainsFunc(all, func(o Subscriber) bool { return o.Name == s.Name }) {
			return nil, ErrSubscriberExists
		}
		return append(all, s), nil
	})
	if err != nil {
		return "", fmt.Errorf("jetstream: create subscriber %s: %w", s.Name, err)
	}
	return string(secret), nil
}

// RevokeSubscriber removes a subscriber. A running server disconnects it within
// a second or two, and forgets how far it had come.
func RevokeSubscriber(dir, name string) error {
	err := changeSubscribers(dir, func(all []Subscriber) ([]Subscriber, error) {
		rest := slices.DeleteFunc(slices.Clone(all), func(s Subscriber) bool { return s.Name == name })
		if len(rest) == len(all) {
			return nil, ErrNoSubscriber
		}
		return rest, nil
	})
	if err != nil {
		return fmt.Errorf("jetstream: revoke subscriber %s: %w", name, err)
	}
	return nil
}

// changeSubscribers replaces the file whole, one process at a time.
func changeSubscribers(dir string, change func([]Subscriber) ([]Subscriber, error)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(subscribersFile(dir) + ".lock")
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	all, err := Subscribers(dir)
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	text, err := subscribersText(all)
	if err != nil {
		return err
	}
	return durable.WriteFile(subscribersFile(dir), text)
}

func subscribersText(all []Subscriber) ([]byte, error) {
	text, err := json.Marshal(all, jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// firstAfter is the sequence in STATUS of the first event that comes after a
// position of the ledger; one more than the last where there is none yet.
func firstAfter(ctx context.Context, stream natsjs.Stream, after eventstore.Position) (uint64, error) {
	info, err := stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	n := sort.Search(int(info.State.LastSeq), func(i int) bool {
		if err != nil {
			return true
		}
		var m *natsjs.RawStreamMsg
		if m, err = stream.GetMsg(ctx, uint64(i)+1); err != nil {
			return true
		}
		from, _ := number(m.Header, sourcePosition)
		return from > uint64(after)
	})
	return uint64(n) + 1, err
}
