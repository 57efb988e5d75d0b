package audit

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// PackFormat describes a pack for the author of a second verifier.
const PackFormat = `A pack is a ZIP file that holds some of the register's events and all that is
needed to check them without the register. Text is UTF-8; hashes are SHA-256.

manifest.json    what the pack is of; the positions of its events in the ledger, as
                 ranges first-last; the hash of rules.json in hex
manifest.note    a signed note (C2SP signed-note) by the log's key, of three lines:
                   jointlab pack v1
                   <origin of the log>
                   <hash of manifest.json, in hex>
key              the log's verifier key: <origin>+<hash>+<base64>. Trust the key you
                 had before, not this one
checkpoint       the log's checkpoint (C2SP tlog-checkpoint), with its cosignatures
events.ndjson    the events' exact bytes, each followed by one line feed, in the order
                 of their positions. No event holds a line feed
tile/...         tiles (C2SP tlog-tiles, height 8): for each event the tile of level 0
                 that holds its leaf hash, and all tiles on the way to the root.
                 An event's leaf index is its position less one, its entry the hash of
                 its bytes, its leaf hash the hash of the byte 00 and the entry
streams.ndjson   a line for each stream, in the order of their first events: its name,
                 how many events it has, the position of the last, and its state folded
                 from them. Streams are whole: revisions count from 0, and up to the
                 manifest's up_to there are no others
rules.json       the rules and the tables that decisions were judged by
documents.ndjson the documents that events refer to, by their digests, in the order of
                 the first event that does, with the positions of those events
documents/...    contents of documents, named by their digests in hex, where they were
                 asked for
beside/...       in a backup only: what the register holds beside its events, such as
                 all checkpoints signed before; each with its hash in the manifest

To check a pack: verify checkpoint and manifest.note with the log's key; compare
the hashes of the manifest, of rules.json and of what is in beside/; compare each event's leaf hash with the tiles, and the
tiles with the checkpoint's root; see that in each stream revisions count from 0;
fold each stream and compare its state; judge each step of a lab's status again, on
the state before it, under the policy of the programme's events recorded by then.`

// The files of a pack.
const (
	manifestName   = "manifest.json"
	noteName       = "manifest.note"
	keyName        = "key"
	checkpointName = "checkpoint"
	eventsName     = "events.ndjson"
	streamsName    = "streams.ndjson"
	rulesName      = "rules.json"
	documentsName  = "documents.ndjson"
	documentsDir   = "documents/"
	besideDir      = "beside/"

	packVersion = "jointlab pack v1"
)

// Scope is what a pack is of: one lab, one legal entity, everything recorded in
// a period, or, where it is zero, the whole registry.
type Scope struct {
	Lab    uuid.UUID   `json:"lab,omitzero"`
	Entity uuid.UUID   `json:"entity,omitzero"`
	From   domain.Date `json:"from,omitzero"` // first day, in China, on which an event was recorded
	To     domain.Date `json:"to,omitzero"`   // last day; together with From
}

// String returns the scope for people to read.
func (s Scope) String() string {
	switch {
	case s.Lab != uuid.Nil:
		return "lab " + s.Lab.String()
	case s.Entity != uuid.Nil:
		return "entity " + s.Entity.String()
	case !s.From.IsZero():
		return fmt.Sprintf("what was recorded from %s to %s", s.From, s.To)
	}
	return "the whole registry"
}

// Manifest lists what a pack holds.
type Manifest struct {
	Format    string              `json:"format"`
	Scope     Scope               `json:"scope,omitzero"`
	UpTo      eventstore.Position `json:"up_to"` // of each stream all events up to this position are here
	Origin    string              `json:"origin"`
	Size      int64               `json:"size"` // of the checkpoint
	Root      string              `json:"root"` // of the checkpoint, in base64 as it has it
	Events    int                 `json:"events"`
	Positions []string            `json:"positions"` // of the events, as ranges first-last
	Streams   int                 `json:"streams"`
	Documents int                 `json:"documents"`
	Made      time.Time           `json:"made"`
	By        string              `json:"by,omitempty"`     // version of the program
	Rules     string              `json:"rules"`            // SHA-256 of rules.json, in hex
	Beside    map[string]string   `json:"beside,omitempty"` // of a backup: SHA-256, in hex, of what is in beside/, by name
}

// IsBackup reports whether a register can be made again from the pack.
func (m Manifest) IsBackup() bool { return m.Beside != nil && m.Scope == (Scope{}) }

// noteText returns what the log's key signs about a manifest. It is no checkpoint's
// text: an origin has no spaces.
func noteText(origin, digest string) string {
	return packVersion + "\n" + origin + "\n" + digest + "\n"
}

// streamState is a line of streams.ndjson.
type streamState struct {
	Stream string              `json:"stream"`
	Events uint64              `json:"events"`
	Last   eventstore.Position `json:"last"`
	State  any                 `json:"state"`
}

// line returns the stream's line in streams.ndjson. The same state always gives the
// same bytes.
func (f *folded) line() ([]byte, error) {
	text, err := json.Marshal(streamState{f.stream.String(), f.events, f.last, f.state.Value()}, json.Deterministic(true))
	return append(text, '\n'), err
}

// rulesDocument returns the rules and tables of this program, as rules.json has them.
func rulesDocument() ([]byte, error) {
	type rule struct {
		Rule   string      `json:"rule"`
		Clause string      `json:"clause"`
		Quote  string      `json:"quote"`
		Text   domain.Text `json:"text"`
	}
	type step struct {
		Command string       `json:"command"`
		From    []lab.Status `json:"from"`
		To      lab.Status   `json:"to"`
		Rules   []string     `json:"rules"`
	}
	var doc struct {
		Policy   domain.Policy              `json:"built_in_policy"`
		Lab      []rule                     `json:"lab_rules"`
		Prog     []rule                     `json:"programme_rules"`
		Steps    []step                     `json:"steps"`
		Statuses map[lab.Status]domain.Text `json:"statuses"`
		Kinds    map[string]domain.Text     `json:"right_kinds"`
		Roles    []domain.Role              `json:"roles"`
	}
	doc.Policy, doc.Roles = domain.BuiltIn, domain.Roles
	for _, id := range slices.Sorted(maps.Keys(lab.Rules)) {
		r := lab.Rules[id]
		doc.Lab = append(doc.Lab, rule{r.ID, r.Clause, r.Quote, r.Text})
	}
	for _, id := range slices.Sorted(maps.Keys(programme.Rules)) {
		r := programme.Rules[id]
		doc.Prog = append(doc.Prog, rule{r.Rule, r.Clause, r.Quote, r.Text})
	}
	for _, s := range lab.Steps {
		doc.Steps = append(doc.Steps, step{s.Command, s.From, s.To, s.Rules})
	}
	doc.Statuses, doc.Kinds = map[lab.Status]domain.Text{}, map[string]domain.Text{}
	for _, s := range lab.Statuses {
		doc.Statuses[s] = s.Text()
	}
	for _, k := range lab.ItemKinds {
		doc.Kinds[string(k)] = k.Text()
	}
	return json.Marshal(doc, json.Deterministic(true))
}

// ranges are positions, in order, with neighbours put together.
type ranges [][2]eventstore.Position

func (r *ranges) add(p eventstore.Position) {
	if last := len(*r) - 1; last >= 0 && (*r)[last][1]+1 == p {
		(*r)[last][1] = p
		return
	}
	*r = append(*r, [2]eventstore.Position{p, p})
}

// strings returns the ranges as a manifest has them.
func (r ranges) strings() (texts []string) {
	for _, x := range r {
		texts = append(texts, fmt.Sprintf("%d-%d", x[0], x[1]))
	}
	return texts
}

// parseRanges reads positions that rise, up to a last one.
func parseRanges(texts []string, last eventstore.Position) (r ranges, err error) {
	before := eventstore.Position(0)
	for _, text := range texts {
		from, to, ok := strings.Cut(text, "-")
		a, err := strconv.ParseUint(from, 10, 64)
		b, err2 := strconv.ParseUint(to, 10, 64)
		x := [2]eventstore.Position{eventstore.Position(a), eventstore.Position(b)}
		if !ok || err != nil || err2 != nil || x[0] <= before || x[1] < x[0] || x[1] > last {
			return nil, fmt.Errorf("%q is no range of positions after %d, up to %d", text, before, last)
		}
		r, before = append(r, x), x[1]
	}
	return r, nil
}

// all calls each with every position, in order.
func (r ranges) all(each func(eventstore.Position) error) error {
	for _, x := range r {
		for p := x[0]; p <= x[1]; p++ {
			if err := each(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// references gathers the digests of documents that events refer to.
type references struct {
	order []string
	at    map[string][]eventstore.Position
}

// digestLength is that of sha256:<64 hex digits>.
const digestLength = len("sha256:") + 64

var (
	digestBegins  = []byte(`"sha256:`)
	commandDigest = []byte(`"commanddigest":`) // of a command, not of a document
)

func (r *references) note(p eventstore.Position, body []byte) {
	for rest := body; ; {
		i := bytes.Index(rest, digestBegins)
		if i < 0 {
			return
		}
		ours := bytes.HasSuffix(rest[:i], commandDigest)
		rest = rest[i+1:]
		if ours || len(rest) <= digestLength || rest[digestLength] != '"' ||
			len(bytes.Trim(rest[len("sha256:"):digestLength], "0123456789abcdef")) > 0 {
			continue
		}
		digest := string(rest[:digestLength])
		if r.at == nil {
			r.at = map[string][]eventstore.Position{}
		}
		at, known := r.at[digest]
		if !known {
			r.order = append(r.order, digest)
		}
		if len(at) == 0 || at[len(at)-1] != p {
			r.at[digest] = append(at, p)
		}
		rest = rest[digestLength:]
	}
}

// write writes documents.ndjson.
func (r *references) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, digest := range r.order {
		line, err := json.Marshal(struct {
			Digest    string                `json:"digest"`
			Positions []eventstore.Position `json:"positions"`
		}{digest, r.at[digest]})
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	return out.Flush()
}
