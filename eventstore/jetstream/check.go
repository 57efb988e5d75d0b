package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// check returns what is wrong with the stream that was found. The engine recovers
// from damage silently: a flipped byte can cost thousands of messages without
// an error when it starts. Since positions are dense and nothing is ever
// deleted, what is missing shows in the numbers.
func (l *Ledger) check(ctx context.Context) (problems []string, err error) {
	info, err := l.stream.Info(ctx, natsjs.WithDeletedDetails(false))
	if err != nil {
		return nil, fmt.Errorf("read stream: %w", err)
	}
	state := info.State
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if state.LastSeq > 0 && state.FirstSeq != 1 {
		add("the ledger begins at position %d, not 1: earlier events are missing; restore the data folder from a backup", state.FirstSeq)
	} else if state.NumDeleted > 0 || state.Msgs != state.LastSeq {
		add("the ledger holds %d events up to position %d: %d are missing; restore the data folder from a backup", state.Msgs, state.LastSeq, state.LastSeq-state.Msgs)
	}
	if info.Config.Metadata[restoringMark] != "" && (state.LastSeq > 0 || !l.restoring) {
		add("a restore into the ledger was broken off; delete all streams of the register on its NATS servers, and restore again into an empty folder")
	}
	if state.LastSeq > 0 {
		// The engine completes a batch that a crash cut short, if it still can.
		var header nats.Header
		last, err := l.onLeader(ctx, streamName, fmt.Appendf(nil, `{"seq":%d}`, state.LastSeq))
		if err == nil {
			header, err = last.header()
		}
		if transient(err) {
			return nil, fmt.Errorf("read position %d: %w", state.LastSeq, err)
		} else if err != nil {
			add("position %d cannot be read: %s; restore the data folder from a backup", state.LastSeq, err)
		} else if header.Get(jetstreamext.BatchIDHeader) != "" && header.Get(jetstreamext.BatchCommitHeader) == "" {
			add("the last events, up to position %d, are the beginning of an append whose end is missing; restore the data folder from a backup", state.LastSeq)
		} else if _, from := number(header, sourcePosition); from && !l.relayed {
			add("the ledger is filled by a relay from another store, where events must be appended; name that store, or use another ledger")
		} else if !from && l.relayed {
			add("the ledger was written to directly, so a relay cannot go on from its end; relay into an empty ledger, after copying this one into the other store")
		}
	}
	changed, err := changes(info.Config, streamConfig(l.replicas))
	if err != nil {
		return nil, err
	}
	for _, c := range changed {
		add("stream %s was changed: %s; find out who did, verify the ledger, and set it back", streamName, c)
	}
	if have := info.Config.Replicas; l.wanted > 0 && have != l.wanted {
		add("stream %s is kept on %d servers, not on %d as asked; change its replicas with the nats tool, or the setting", streamName, have, l.wanted)
	}
	if l.server == nil {
		if v := l.conns[0].ConnectedServerVersion(); !atLeast(v, oldestServer) {
			add("NATS server %s is known to lose acknowledged events; upgrade it to %d.%d.%d or later", v, oldestServer[0], oldestServer[1], oldestServer[2])
		}
	}
	mark, err := l.mark.read()
	if err != nil {
		add("%s", err)
		return problems, nil
	}
	switch {
	case mark.Position > state.LastSeq:
		add("the ledger ends at position %d, but held %d events when it was last used (%s): the end is missing; restore the data folder from a newer backup", state.LastSeq, mark.Position, l.mark.file)
	case mark.Position > 0:
		if now, err := l.eventAt(ctx, mark.Position); transient(err) {
			return nil, fmt.Errorf("read position %d: %w", mark.Position, err)
		} else if err != nil {
			add("position %d cannot be read: %s; restore the data folder from a backup", mark.Position, err)
		} else if now != mark {
			add("position %d holds event %s (sha256 %s), but held %s (sha256 %s) when it was last used: this is another ledger or an altered one; restore the data folder from a backup", mark.Position, now.Event, now.SHA256, mark.Event, mark.SHA256)
		}
	}
	return problems, nil
}

// changes compares the settings that bear on what is kept. Where the stream is
// placed and how it is described may change.
func changes(have, want natsjs.StreamConfig) ([]string, error) {
	was, err := settings(want)
	if err != nil {
		return nil, err
	}
	is, err := settings(have)
	if err != nil {
		return nil, err
	}
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if a, b := show(was[key]), show(is[key]); a != b {
			changed = append(changed, fmt.Sprintf("%s is %s, was made %s", key, b, a))
		}
	}
	return changed, nil
}

func settings(c natsjs.StreamConfig) (map[string]any, error) {
	c.Description, c.Metadata, c.Placement, c.Replicas = "", nil, nil, 0
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(text, &m)
}

func show(v any) string {
	if v == nil {
		return "off" // settings that are off are left out
	}
	return fmt.Sprint(v)
}
