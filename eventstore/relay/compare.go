package relay

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore"
)

// Side is a store to compare, under the name it has in the report.
type Side struct {
	Name   string
	Events eventstore.Reader
}

// Kind is how two stores differ at some place.
type Kind string

const (
	Missing   Kind = "missing"   // the second store lacks an event of the first, or the first has it twice
	Extra     Kind = "extra"     // the second store has an event the first lacks, or has one twice
	Reordered Kind = "reordered" // both have the event, in different places
	Changed   Kind = "changed"   // both have it, with different bytes
)

// Divergence is the first place where two stores differ.
type Divergence struct {
	Kind     Kind
	Stream   eventstore.Stream
	Revision uint64 // in the stream, as counted in the store that has the event
	Event    uuid.UUID
	At       [2]eventstore.Position // in each store; 0: not there
	AtEnd    bool                   // one store ends here, and agrees with the other as far as it goes
	names    [2]string
}

func (d Divergence) String() string {
	what := fmt.Sprintf("event %s, revision %d of %s,", d.Event, d.Revision, d.Stream)
	has, lacks := 0, 1
	switch d.Kind {
	case Changed:
		return fmt.Sprintf("changed: %s has other bytes at %s %d than at %s %d", what, d.names[1], d.At[1], d.names[0], d.At[0])
	case Reordered:
		return fmt.Sprintf("reordered: %s stands at %s %d, but at another place of the order at %s %d", what, d.names[0], d.At[0], d.names[1], d.At[1])
	case Extra:
		has, lacks = 1, 0
	}
	text := fmt.Sprintf("%s: %s is at %s %d and not in %s", d.Kind, what, d.names[has], d.At[has], d.names[lacks])
	if d.Kind == Extra && d.At[0] != 0 {
		text = fmt.Sprintf("extra: %s is at %s %d a second time", what, d.names[1], d.At[1])
	}
	if d.AtEnd {
		text += ", which ends before it (a relay that has not caught up looks the same)"
	}
	return text
}

// Report is what Compare found.
type Report struct {
	Events  [2]int       // in each store
	First   *Divergence  // in the one order of all events; nil: there is none
	Streams []Divergence // the first of each aggregate that differs in itself
}

// Agree reports whether both stores hold the same bytes in the same order.
func (r Report) Agree() bool { return r.First == nil }

// Compare reads both stores as far as they go when it begins, and returns where
// they first differ, over all and in each aggregate. It keeps about a hundred
// bytes an event in memory.
func Compare(ctx context.Context, a, b Side) (Report, error) {
	var all [2][]entry
	for i, side := range []Side{b, a} { // the relayed one first, so that what is written meanwhile does not seem to be missing from the source
		entries, err := entriesOf(ctx, side.Events)
		if err != nil {
			return Report{}, fmt.Errorf("relay: read %s: %w", side.Name, err)
		}
		all[1-i] = entries
	}
	names := [2]string{a.Name, b.Name}
	report := Report{Events: [2]int{len(all[0]), len(all[1])}, First: diverge(all, names)}
	if report.Agree() {
		return report, nil
	}
	streams := map[eventstore.Stream]*[2][]entry{}
	var order []eventstore.Stream
	for i := range all {
		for _, e := range all[i] {
			if streams[e.stream] == nil {
				streams[e.stream] = &[2][]entry{}
				order = append(order, e.stream)
			}
			streams[e.stream][i] = append(streams[e.stream][i], e)
		}
	}
	for _, s := range order {
		if d := diverge(*streams[s], names); d != nil {
			report.Streams = append(report.Streams, *d)
		}
	}
	return report, nil
}

// entry is an event as far as it is compared.
type entry struct {
	key
	revision uint64
	position eventstore.Position
	sum      [sha256.Size]byte
}

type key struct {
	stream eventstore.Stream
	id     uuid.UUID
}

func entryOf(e eventstore.Recorded, revision uint64) entry {
	return entry{key{e.Stream, e.ID}, revision, e.Position, sha256.Sum256(e.Body)}
}

func entriesOf(ctx context.Context, r eventstore.Reader) ([]entry, error) {
	head, err := r.Head(ctx)
	if err != nil || head == 0 {
		return nil, err
	}
	var entries []entry
	revisions := map[eventstore.Stream]uint64{}
	for e, err := range eventstore.Read(ctx, r, 0, head) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, entryOf(e, revisions[e.Stream]))
		revisions[e.Stream]++
	}
	return entries, nil
}

// diverge finds the first place where two orders differ, and in what.
func diverge(all [2][]entry, names [2]string) *Divergence {
	a, b := all[0], all[1]
	i := 0
	for i < len(a) && i < len(b) && a[i].key == b[i].key && a[i].sum == b[i].sum {
		i++
	}
	if i == len(a) && i == len(b) {
		return nil
	}
	var first [2]map[key]int // the first place of each event
	for side := range all {
		first[side] = make(map[key]int, len(all[side]))
		for j, e := range all[side] {
			if _, twice := first[side][e.key]; !twice {
				first[side][e.key] = j
			}
		}
	}
	found := func(kind Kind, e entry) *Divergence {
		d := &Divergence{Kind: kind, Stream: e.stream, Revision: e.revision, Event: e.id, names: names, AtEnd: i == len(a) || i == len(b)}
		for side := range all {
			if j, ok := first[side][e.key]; ok {
				d.At[side] = all[side][j].position
			}
		}
		return d
	}
	if i < len(a) && i < len(b) && a[i].key == b[i].key {
		return found(Changed, a[i])
	}
	if i < len(a) {
		if _, there := first[1][a[i].key]; !there || first[0][a[i].key] < i {
			return found(Missing, a[i])
		}
	}
	if i < len(b) {
		if j, there := first[0][b[i].key]; !there || j < i || first[1][b[i].key] < i {
			d := found(Extra, b[i])
			d.At[1] = b[i].position
			return d
		}
	}
	return found(Reordered, a[i])
}
