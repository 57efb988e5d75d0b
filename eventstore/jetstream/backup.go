package jetstream

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/audit"
	"github.com/jointlab/jointlab/eventstore/durable"
)

// What a backup holds beside the events: a line of JSON for each of what there is.
const (
	besideSubscribers = "subscribers.json" // after is how far each has acknowledged
	besideQueues      = "queues.ndjson"    // how far each queue of a webhook has come
	besideStreams     = "streams.ndjson"   // messages of the streams below, in order
	besideDocuments   = "documents.ndjson" // what is known of each document held
	besideContents    = "documents/"       // contents of those that no event refers to
)

// keptStreams are the streams that do not follow from the ledger. The bucket
// of what is held up comes after the queues: what a queue has handed out is
// there by then.
var keptStreams = []string{checkpointStream, outboxStream, deliveriesStream}

type (
	queuePlace struct {
		Name  string `json:"name"`
		After uint64 `json:"after"` // position up to which all is settled
	}
	keptMessage struct {
		Stream  string              `json:"stream"`
		Subject string              `json:"subject"`
		Header  map[string][]string `json:"header,omitempty"`
		Data    []byte              `json:"data"`
	}
	keptDocument struct {
		Digest string `json:"digest"`
		Type   string `json:"type"`
	}
)

// Backup is what the log holds beside its events, to be put into a backup of
// them. It may be taken while the log is written to.
func (l *Ledger) Backup() *audit.Backup {
	return &audit.Backup{State: l.putState, Documents: l.putDocuments}
}

// each line of a file beside the events.
func lines(put audit.Put, name string, write func(line func(any) error) error) error {
	w, err := put(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	text := json.NewEncoder(out)
	text.SetEscapeHTML(false)
	if err := write(text.Encode); err != nil {
		return err
	}
	return out.Flush()
}

func (l *Ledger) putState(ctx context.Context, put audit.Put) error {
	if err := l.putSubscribers(ctx, put); err != nil {
		return err
	}
	if err := lines(put, besideQueues, func(line func(any) error) error { return l.eachQueue(ctx, line) }); err != nil {
		return err
	}
	return lines(put, besideStreams, func(line func(any) error) error {
		for _, name := range keptStreams {
			if err := l.eachKept(ctx, name, line); err != nil {
				return err
			}
		}
		return nil
	})
}

// putSubscribers writes who subscribes, each as from where it had come to, since
// how far a subscriber is does not follow from the ledger.
func (l *Ledger) putSubscribers(ctx context.Context, put audit.Put) error {
	if l.dir == "" {
		return nil
	}
	all, err := Subscribers(l.dir)
	if err != nil || len(all) == 0 {
		return err
	}
	for i, s := range all {
		c, err := l.js.Consumer(ctx, StatusStream, s.Name)
		if errors.Is(err, natsjs.ErrConsumerNotFound) || errors.Is(err, natsjs.ErrStreamNotFound) {
			continue // it has never been here
		}
		if err != nil {
			return unavailable(ctx, "look at subscriber "+s.Name, err)
		}
		floor := c.CachedInfo().AckFloor.Stream
		if floor == 0 {
			continue
		}
		m, err := l.onLeader(ctx, StatusStream, fmt.Appendf(nil, `{"seq":%d}`, floor))
		if err != nil {
			return unavailable(ctx, "look at subscriber "+s.Name, err)
		}
		header, err := m.header()
		if err != nil {
			return err
		}
		from, _ := number(header, sourcePosition)
		all[i].After = max(s.After, eventstore.Position(from))
	}
	w, err := put(besideSubscribers)
	if err != nil {
		return err
	}
	text, err := subscribersText(all)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// eachQueue gives how far each queue of a webhook has come.
func (l *Ledger) eachQueue(ctx context.Context, line func(any) error) error {
	consumers := l.stream.ListConsumers(ctx)
	for info := range consumers.Info() {
		if strings.HasPrefix(info.Name, queuePrefix) {
			if err := line(queuePlace{info.Name, max(info.AckFloor.Stream, info.Config.OptStartSeq-1)}); err != nil {
				return err
			}
		}
	}
	if err := consumers.Err(); err != nil {
		return unavailable(ctx, "list the queues of webhooks", err)
	}
	return nil
}

// eachKept gives the messages of a stream, as far as it goes now.
func (l *Ledger) eachKept(ctx context.Context, name string, line func(any) error) error {
	stream, err := l.js.Stream(ctx, name)
	if errors.Is(err, natsjs.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return unavailable(ctx, "find stream "+name, err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	doing := "read stream " + name
	for from := max(state.FirstSeq, 1); from <= state.LastSeq; {
		err := l.pages(ctx, doing, l.bulk, name, "", from, pageEvents, func(m *natsjs.RawStreamMsg) (bool, error) {
			from = m.Sequence + 1
			if m.Header.Get("KV-Operation") != "" || m.Header.Get(natsjs.MarkerReasonHeader) != "" {
				return from <= state.LastSeq, nil // the trace of what was removed
			}
			kept := keptMessage{Stream: name, Subject: m.Subject, Data: m.Data, Header: maps.Clone(m.Header)}
			maps.DeleteFunc(kept.Header, func(key string, _ []string) bool { return strings.HasPrefix(key, "Nats-") })
			return from <= state.LastSeq, line(kept)
		})
		if err != nil || from > state.LastSeq || l.replicas <= 1 {
			return err
		}
		// What answered may lag behind the leader, or there is no more.
		err = l.retry(ctx, func(ctx context.Context) error {
			_, err := l.onLeader(ctx, name, fmt.Appendf(nil, `{"seq":%d,"next_by_subj":">"}`, from))
			return err
		})
		var answer *natsjs.APIError
		if errors.As(err, &answer) && isCode(answer, natsjs.JSErrCodeMessageNotFound) {
			return nil
		}
		if err != nil {
			return unavailable(ctx, doing, err)
		}
		if err := catchUp(ctx, doing); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) putDocuments(ctx context.Context, put audit.Put, packed func(string) bool) error {
	all, err := l.documents.all(ctx)
	if err != nil {
		return err
	}
	var held []keptDocument
	for _, d := range all {
		if !packed(d.Digest.String()) {
			err := l.documents.Check(ctx, d.Digest)
			if errors.Is(err, eventstore.ErrDocumentChanged) {
				continue // one that was damaged stops no backup of the others
			}
			if err != nil {
				return err
			}
			w, err := put(besideContents + hex.EncodeToString(d.Digest[:]))
			if err != nil {
				return err
			}
			if err := l.documents.Copy(ctx, d.Digest, w); err != nil {
				return err
			}
		}
		held = append(held, keptDocument{d.Digest.String(), d.Type})
	}
	return lines(put, besideDocuments, func(line func(any) error) error {
		for _, d := range held {
			if err := line(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// CopyAuxiliary gives another log what this one holds beside its events and its
// checkpoints: the documents, the keys of persons, and how far deliveries to
// webhooks have come. The other must hold the same events, or come to hold them.
func (l *Ledger) CopyAuxiliary(ctx context.Context, to *Ledger) error {
	doing := func(err error) error { return fmt.Errorf("jetstream: copy what stands beside the ledger: %w", err) }
	documents, err := l.documents.all(ctx)
	if err != nil {
		return doing(err)
	}
	for _, d := range documents {
		content, err := l.documents.Open(ctx, d.Digest)
		if errors.Is(err, eventstore.ErrDocumentChanged) {
			continue
		}
		if err == nil {
			_, err = to.documents.Put(ctx, d.Digest, d.Type, content)
			err = errors.Join(err, content.Close())
		}
		if err != nil {
			return doing(err)
		}
	}
	queues, stop := pull[queuePlace](func(line func(any) error) error { return l.eachQueue(ctx, line) })
	defer stop()
	if err := to.restoreQueues(ctx, audit.Verified{}, queues); err != nil {
		return doing(err)
	}
	kept, stop := pull[keptMessage](func(line func(any) error) error {
		for _, name := range keptStreams {
			if err := l.eachKept(ctx, name, line); err != nil {
				return err
			}
		}
		return nil
	})
	defer stop()
	if err := to.restoreStreams(ctx, audit.Verified{}, true, kept); err != nil {
		return doing(err)
	}
	persons, err := l.persons.entries(ctx)
	if err != nil {
		return doing(err)
	}
	return to.persons.Restore(ctx, persons)
}

// pull hands out one by one what write puts out line by line.
func pull[T any](write func(line func(any) error) error) (next func(any) (bool, error), stop func()) {
	enough := errors.New("enough")
	pull, stop := iter.Pull2(func(yield func(T, error) bool) {
		err := write(func(line any) error {
			if !yield(line.(T), nil) {
				return enough
			}
			return nil
		})
		if err != nil && err != enough {
			yield(*new(T), err)
		}
	})
	return func(into any) (bool, error) {
		line, err, more := pull()
		if more && err == nil {
			*into.(*T) = line
		}
		return more && err == nil, err
	}, stop
}

// Packed gives the contents of a document for a backup: one that was damaged is
// left out, as if it were missing.
func (d *Documents) Packed(ctx context.Context, digest string) (io.ReadCloser, error) {
	parsed, err := eventstore.ParseDigest(digest)
	if err != nil {
		return nil, err
	}
	if err := d.Check(ctx, parsed); errors.Is(err, eventstore.ErrDocumentChanged) {
		return nil, fmt.Errorf("%w: %w", eventstore.ErrDocumentMissing, err)
	} else if err != nil {
		return nil, err
	}
	return d.Open(ctx, parsed)
}

// errNotEmpty reports that the target holds something already.
var errNotEmpty = errors.New("the ledger holds events already; restore into an empty one. If a restore into these NATS servers was broken off, delete all streams of the register there first (nats stream rm), and clear the data folder")

// Restore fills an empty log with all that a verified backup holds: each event
// with its bytes, its id and its position, the documents, and what stands
// beside them. newLog leaves out the checkpoints that were signed, for where
// they are not to be continued. Restored must be called when all has been found
// right.
func (l *Ledger) Restore(ctx context.Context, v audit.Verified, newLog bool, progress func(done, total int64)) error {
	doing := func(err error) error { return fmt.Errorf("jetstream: restore: %w", err) }
	if l.relayed {
		return doing(errors.New("a relay fills this ledger; restore into the store it relays from"))
	}
	if err := l.Refusal(); err != nil {
		return doing(err)
	}
	head, err := l.Head(ctx)
	if err == nil && head > 0 {
		err = errNotEmpty
	}
	if err == nil {
		err = l.markRestoring(ctx, true)
	}
	if err != nil {
		return doing(err)
	}
	err = v.Events(func(events []eventstore.Recorded) error {
		if err := l.restoreEvents(ctx, events); err != nil {
			return err
		}
		progress(int64(events[len(events)-1].Position), int64(v.Manifest.UpTo))
		return nil
	})
	if err != nil {
		return doing(err)
	}
	for name, restore := range map[string]func(context.Context, audit.Verified, func(any) (bool, error)) error{
		besideDocuments: l.restoreDocuments, besideQueues: l.restoreQueues, besideStreams: func(ctx context.Context, v audit.Verified, next func(any) (bool, error)) error {
			return l.restoreStreams(ctx, v, newLog, next)
		},
	} {
		file, err := v.Beside(name)
		if err == nil && file != nil {
			lines := json.NewDecoder(bufio.NewReader(file))
			err = restore(ctx, v, func(into any) (bool, error) {
				err := lines.Decode(into)
				return err == nil, ignoreEOF(err)
			})
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return doing(fmt.Errorf("%s: %w", name, err))
		}
	}
	if err := l.restoreSubscribers(v); err != nil {
		return doing(fmt.Errorf("%s: %w", besideSubscribers, err))
	}
	if !newLog {
		if err := l.restoreCheckpoint(ctx, v); err != nil {
			return doing(err)
		}
	}
	return nil
}

// restoreCheckpoint publishes the backup's own checkpoint, which those it holds
// may not have come to.
func (l *Ledger) restoreCheckpoint(ctx context.Context, v audit.Verified) error {
	last, err := l.Checkpoints().Last(ctx)
	if err != nil {
		return err
	}
	if last.Sequence > 0 {
		if c, err := audit.OpenCheckpoint(last.Note, last.Key); err != nil || c.Size >= v.Checkpoint.Size {
			return err
		}
	}
	return l.Checkpoints().Publish(ctx, last.Sequence, v.Checkpoint.Note, v.Key)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// restoreEvents writes the next events of the ledger, all or none.
func (l *Ledger) restoreEvents(ctx context.Context, events []eventstore.Recorded) error {
	target := &Target{ledger: l, stream: streamName}
	msgs := make([]*nats.Msg, len(events))
	for i, e := range events {
		subject, err := subjectOf(e.Stream)
		if err != nil {
			return err
		}
		msgs[i] = &nats.Msg{Subject: subject, Data: slices.Clone(e.Body), Header: nats.Header{natsjs.MsgIDHeader: {e.ID.String()}}}
	}
	first, last := events[0].Position, events[len(events)-1].Position
	reached, err := target.publish(ctx, uint64(first)-1, msgs)
	if err != nil {
		return unavailable(ctx, fmt.Sprintf("write positions %d to %d", first, last), err)
	}
	if reached != uint64(last) {
		return fmt.Errorf("position %d was written as %d; begin anew in an empty folder", last, reached)
	}
	l.acknowledged(reached)
	return nil
}

func (l *Ledger) restoreDocuments(ctx context.Context, v audit.Verified, next func(any) (bool, error)) error {
	for {
		var d keptDocument
		if more, err := next(&d); err != nil || !more {
			return err
		}
		digest, err := eventstore.ParseDigest(d.Digest)
		if err != nil {
			return err
		}
		content, err := v.Document(digest)
		if err != nil {
			return err
		}
		_, err = l.documents.Put(ctx, digest, d.Type, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
}

// restoreQueues makes the queues of webhooks, so that each goes on where it was.
func (l *Ledger) restoreQueues(ctx context.Context, _ audit.Verified, next func(any) (bool, error)) error {
	for {
		var q queuePlace
		if more, err := next(&q); err != nil || !more {
			return err
		}
		if !strings.HasPrefix(q.Name, queuePrefix) {
			return fmt.Errorf("%q is no queue of a webhook", q.Name)
		}
		if _, err := l.js.CreateOrUpdateConsumer(ctx, streamName, queueConfig(q.Name, eventstore.Position(q.After), time.Minute)); err != nil {
			return unavailable(ctx, "make "+q.Name, err)
		}
	}
}

func (l *Ledger) restoreStreams(ctx context.Context, _ audit.Verified, newLog bool, next func(any) (bool, error)) error {
	if err := l.Checkpoints().make(ctx); err != nil {
		return unavailable(ctx, "make stream "+checkpointStream, err)
	}
	if _, err := l.Outbox(ctx); err != nil {
		return err
	}
	var sent []natsjs.PubAckFuture
	settle := func() error {
		for _, s := range sent {
			select {
			case <-s.Ok():
			case err := <-s.Err():
				return unavailable(ctx, "write to "+s.Msg().Subject, err)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		sent = sent[:0]
		return nil
	}
	for {
		var m keptMessage
		if more, err := next(&m); err != nil || !more {
			return errors.Join(err, settle())
		}
		if !slices.Contains(keptStreams, m.Stream) {
			return fmt.Errorf("%q is no stream that a backup holds", m.Stream)
		}
		if newLog && m.Stream == checkpointStream {
			continue
		}
		header := nats.Header(m.Header)
		if header == nil {
			header = nats.Header{}
		}
		header.Set(natsjs.ExpectedStreamHeader, m.Stream)
		s, err := l.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Data: m.Data, Header: header})
		if err != nil {
			return unavailable(ctx, "write to "+m.Stream, err)
		}
		if sent = append(sent, s); len(sent) == maxBatch {
			if err := settle(); err != nil {
				return err
			}
		}
	}
}

func (l *Ledger) restoreSubscribers(v audit.Verified) error {
	file, err := v.Beside(besideSubscribers)
	if err != nil || file == nil || l.dir == "" {
		return err
	}
	text, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return durable.WriteFile(subscribersFile(l.dir), text)
}
