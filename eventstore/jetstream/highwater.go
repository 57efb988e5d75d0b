package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/eventstore/durable"
)

// markPause is the shortest time between two writings of the mark.
const markPause = time.Second

// mark is an event that was acknowledged: the ledger may never again end
// before it or hold another event in its place.
type mark struct {
	Position uint64    `json:"position"`
	Event    uuid.UUID `json:"event"`
	SHA256   string    `json:"sha256"` // of its body
}

// highWater is the file that remembers the mark, beside the store and not in
// it. It notices a store that was put back to an older state, or lost its end;
// it cannot notice a whole data folder that was, since the file goes back with
// it. Checkpoints kept elsewhere do.
type highWater struct {
	file string // "": nothing is remembered
	grew chan struct{}
}

const highWaterFile = "high-water.json"

func newHighWater(dir string) *highWater {
	h := &highWater{grew: make(chan struct{}, 1)}
	if dir != "" {
		h.file = filepath.Join(dir, highWaterFile)
	}
	return h
}

func (h *highWater) read() (m mark, err error) {
	text, err := os.ReadFile(h.file)
	if h.file == "" || errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return mark{}, fmt.Errorf("%s cannot be read (%w); verify the ledger against a checkpoint, then remove the file", h.file, err)
	}
	return m, nil
}

func (h *highWater) write(m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return durable.WriteFile(h.file, append(text, '\n'))
}

// acknowledged notes that the event at seq is durable, at no cost to Append.
func (l *Ledger) acknowledged(seq uint64) {
	for old := l.acked.Load(); seq > old && !l.acked.CompareAndSwap(old, seq); old = l.acked.Load() {
	}
	select {
	case l.mark.grew <- struct{}{}:
	default:
	}
}

// keepHighWater writes the mark after growth, at most once in markPause, and a
// last time when the log is closed.
func (l *Ledger) keepHighWater() {
	var written uint64
	save := func() {
		seq := l.acked.Load()
		if seq == written || l.mark.file == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), l.answer)
		defer cancel()
		m, err := l.eventAt(ctx, seq)
		if err == nil {
			err = l.mark.write(m)
		}
		if err != nil {
			l.logger.Warn("the high-water mark was not written", "file", l.mark.file, "error", err)
			return
		}
		written = seq
	}
	for {
		select {
		case <-l.closing.Done():
			save()
			return
		case <-l.mark.grew:
			save()
		}
		select {
		case <-l.closing.Done():
		case <-time.After(markPause):
		}
	}
}

func (l *Ledger) eventAt(ctx context.Context, seq uint64) (mark, error) {
	m, err := l.onLeader(ctx, streamName, fmt.Appendf(nil, `{"seq":%d}`, seq))
	if err != nil {
		return mark{}, err
	}
	header, err := m.header()
	if err != nil {
		return mark{}, err
	}
	event, err := recorded(m.Subject, header, m.Seq, m.Data)
	sum := sha256.Sum256(m.Data)
	return mark{Position: seq, Event: event.ID, SHA256: hex.EncodeToString(sum[:])}, err
}
