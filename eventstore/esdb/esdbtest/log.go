package esdbtest

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// systemEvery: after so many appends the system writes something of its own.
const systemEvery = 5

// log is what the server holds.
type log struct {
	mu      sync.Mutex
	records []*record // $all
	streams map[string]*stream
	end     uint64        // where the next record begins
	appends int           //
	grew    chan struct{} // closed, and made anew, by an append
}

type record struct {
	position uint64 // commit and prepare
	stream   string
	revision uint64
	id       uuid.UUID
	kind     string
	content  string
	data     []byte
	metadata []byte
	created  time.Time
}

type stream struct {
	records   []*record
	from      uint64 // revisions below were deleted
	tombstone bool
}

func newLog() *log {
	l := &log{streams: map[string]*stream{}, grew: make(chan struct{})}
	l.system("$epoch-information") // a log never begins with a user's event
	return l
}

func (l *log) add(name string, kind, content string, id uuid.UUID, data, metadata []byte) *record {
	s := l.streams[name]
	if s == nil {
		s = &stream{}
		l.streams[name] = s
	}
	r := &record{l.end, name, uint64(len(s.records)), id, kind, content, data, metadata, time.Now()}
	s.records = append(s.records, r)
	l.records = append(l.records, r)
	l.end += uint64(96 + 2*len(name) + 2*len(kind) + len(data) + len(metadata))
	return r
}

func (l *log) system(kind string) {
	l.add(kind, kind, "application/json", uuid.New(), []byte(`{"system":true}`), nil)
}

// wrong is the state that an append did not expect.
type wrong struct{ events int }

// append is the server's whole judgement of an append: written, known already,
// or not as expected.
func (l *log) append(name string, o *streams.AppendReq_Options, events []*streams.AppendReq_ProposedMessage) (*record, *wrong) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var there []*record
	var from uint64
	if s := l.streams[name]; s != nil {
		there, from = s.records, s.from
	}
	at := len(there)
	switch e := o.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Revision:
		at = int(e.Revision) + 1
	case *streams.AppendReq_Options_NoStream:
		if from < uint64(len(there)) { // a deleted stream may be begun anew, further on
			at = 0
		}
	case *streams.AppendReq_Options_StreamExists:
		if at == 0 {
			return nil, &wrong{0}
		}
	}
	if at > len(there) {
		return nil, &wrong{len(there)}
	}
	if at < len(there) { // known, if all of it is there, at its exact place
		var last *record
		for i, e := range events {
			if at+i >= len(there) || there[at+i].id != id(e.Id) {
				return nil, &wrong{len(there)}
			}
			last = there[at+i]
		}
		return last, nil
	}
	var last *record
	for _, e := range events {
		last = l.add(name, e.Metadata["type"], e.Metadata["content-type"], id(e.Id), bytes.Clone(e.Data), e.CustomMetadata)
	}
	if l.appends++; l.appends%systemEvery == 0 {
		l.system("$stats-127.0.0.1:2113")
	}
	l.changed()
	return last, nil
}

func (l *log) changed() {
	close(l.grew)
	l.grew = make(chan struct{})
}

func id(u *shared.UUID) uuid.UUID {
	if s := u.GetStructured(); s != nil {
		id, _ := client.ParseUUIDFromInt64(s.MostSignificantBits, s.LeastSignificantBits)
		return id
	}
	return uuid.MustParse(u.GetString_())
}

// sent is the record as a client gets it.
func (r *record) sent() *streams.ReadResp {
	most, least := client.UUIDAsInt64(r.id)
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: r.position},
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}},
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.stream)},
			StreamRevision:   r.revision,
			PreparePosition:  r.position,
			CommitPosition:   r.position,
			Metadata: map[string]string{
				"type": r.kind, "content-type": r.content,
				"created": strconv.FormatInt(r.created.UnixNano()/100, 10), // ticks
			},
			CustomMetadata: r.metadata,
			Data:           r.data,
		},
	}}}
}
