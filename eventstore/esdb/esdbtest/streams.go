package esdbtest

import (
	"context"
	"errors"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const maxAppendSize = 1 << 20

// Append takes one append, whole or not at all.
func (n *node) Append(in streams.Streams_AppendServer) error {
	ctx := in.Context()
	if err := n.leading(ctx); err != nil {
		return err
	}
	first, err := in.Recv()
	if err != nil {
		return err
	}
	options := first.GetOptions()
	name := string(options.GetStreamIdentifier().GetStreamName())
	var events []*streams.AppendReq_ProposedMessage
	size := 0
	for {
		next, err := in.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e := next.GetProposedMessage()
		if size += len(e.Data) + len(e.CustomMetadata) + 2*len(e.Metadata["type"]); size > maxAppendSize {
			// The client may still be sending; then it sees no more than EOF.
			in.SetTrailer(metadata.Pairs("exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(maxAppendSize)))
			return status.Errorf(codes.InvalidArgument, "Maximum Append Size of %d Exceeded.", maxAppendSize)
		}
		events = append(events, e)
	}
	after, err := n.failing(ctx, Append)
	if err != nil {
		return err
	}
	if err := n.deleted(ctx, name); err != nil {
		return err
	}
	last, wrong := n.server.log.append(name, options, events)
	if err := after(); err != nil {
		return err
	}
	if wrong != nil {
		return in.SendAndClose(notExpected(options, wrong.events))
	}
	return in.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: last.revision},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: last.position, PreparePosition: last.position}},
	}}})
}

func notExpected(o *streams.AppendReq_Options, events int) *streams.AppendResp {
	w := &streams.AppendResp_WrongExpectedVersion{CurrentRevisionOption: &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}}
	if events > 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(events - 1)}
	}
	switch e := o.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Revision:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: e.Revision}
	case *streams.AppendReq_Options_NoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	case *streams.AppendReq_Options_StreamExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}}
}

// deleted refuses a stream that has a tombstone.
func (n *node) deleted(ctx context.Context, name string) error {
	n.server.log.mu.Lock()
	defer n.server.log.mu.Unlock()
	if s := n.server.log.streams[name]; s == nil || !s.tombstone {
		return nil
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs("exception", "stream-deleted", "stream-name", name))
	return status.Errorf(codes.FailedPrecondition, "Event stream '%s' is deleted.", name)
}

// Delete hides what the stream holds; it may be begun anew, further on.
func (n *node) Delete(_ context.Context, r *streams.DeleteReq) (*streams.DeleteResp, error) {
	l := n.server.log
	l.mu.Lock()
	defer l.mu.Unlock()
	name := string(r.GetOptions().GetStreamIdentifier().GetStreamName())
	if s := l.streams[name]; s != nil {
		s.from = uint64(len(s.records))
	}
	meta := l.add("$$"+name, "$metadata", "application/json", uuid.New(), []byte(`{"$tb":9223372036854775807}`), nil)
	l.changed()
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{CommitPosition: meta.position, PreparePosition: meta.position}}}, nil
}

// Tombstone deletes the stream for ever.
func (n *node) Tombstone(_ context.Context, r *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	l := n.server.log
	l.mu.Lock()
	defer l.mu.Unlock()
	name := string(r.GetOptions().GetStreamIdentifier().GetStreamName())
	stone := l.add(name, "$streamDeleted", "application/octet-stream", uuid.New(), nil, nil)
	l.streams[name].tombstone = true
	l.changed()
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: stone.position, PreparePosition: stone.position}}}, nil
}

// Read reads a stream or $all, or subscribes to $all.
func (n *node) Read(r *streams.ReadReq, out streams.Streams_ReadServer) error {
	ctx, o := out.Context(), r.GetOptions()
	if err := n.leading(ctx); err != nil {
		return err
	}
	if o.GetSubscription() != nil {
		return n.subscribe(o, out)
	}
	after, err := n.failing(ctx, Read)
	if err == errGarbled {
		return out.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: 0}})
	}
	if err != nil {
		return err
	}
	var found []*record
	if s := o.GetStream(); s != nil {
		name := string(s.GetStreamIdentifier().GetStreamName())
		if err := n.deleted(ctx, name); err != nil {
			return err
		}
		var exists bool
		if found, exists = n.server.log.stream(name, s, o.ReadDirection); !exists {
			return out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: s.StreamIdentifier}}})
		}
	} else if found, err = n.server.log.all(o.GetAll(), o.ReadDirection); err != nil {
		return err
	}
	for _, r := range found[:min(uint64(len(found)), o.GetCount())] {
		if err := out.Send(r.sent()); err != nil {
			return err
		}
	}
	return after()
}

func (l *log) stream(name string, o *streams.ReadReq_Options_StreamOptions, d streams.ReadReq_Options_ReadDirection) ([]*record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	if s == nil || s.from == uint64(len(s.records)) {
		return nil, false
	}
	there := s.records[s.from:]
	if d == streams.ReadReq_Options_Backwards {
		there = slices.Clone(there)
		slices.Reverse(there)
		return there, true // from the end, which is all that is asked for
	}
	if _, ok := o.RevisionOption.(*streams.ReadReq_Options_StreamOptions_Revision); ok {
		there = there[min(uint64(len(there)), max(o.GetRevision(), s.from)-s.from):]
	}
	return there, true
}

// all is $all from a position on: with it forwards, without it backwards.
func (l *log) all(o *streams.ReadReq_Options_AllOptions, d streams.ReadReq_Options_ReadDirection) ([]*record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := 0
	switch o.AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_End:
		i = len(l.records)
	case *streams.ReadReq_Options_AllOptions_Position:
		var err error
		if i, err = l.index(o.GetPosition().GetCommitPosition()); err != nil {
			return nil, err
		}
	}
	if d == streams.ReadReq_Options_Forwards {
		return l.records[i:len(l.records):len(l.records)], nil
	}
	before := slices.Clone(l.records[:i])
	slices.Reverse(before)
	return before, nil
}

// index is which record begins at p; nothing else is a place to read from.
func (l *log) index(p uint64) (int, error) {
	i := sort.Search(len(l.records), func(i int) bool { return l.records[i].position >= p })
	if p != l.end && (i == len(l.records) || l.records[i].position != p) {
		return 0, status.Errorf(codes.Unknown, "Unexpected ReadAllResult: InvalidPosition (no record begins at %d)", p)
	}
	return i, nil
}

// subscribe sends what $all holds after a position, then what is added.
func (n *node) subscribe(o *streams.ReadReq_Options, out streams.Streams_ReadServer) error {
	ctx, l := out.Context(), n.server.log
	if err := n.fail(ctx, Subscribe); err != nil {
		return err
	}
	dropped := n.server.dropped()
	l.mu.Lock()
	next := 0
	switch o.GetAll().AllOption.(type) {
	case *streams.ReadReq_Options_AllOptions_End:
		next = len(l.records)
	case *streams.ReadReq_Options_AllOptions_Position:
		i, err := l.index(o.GetAll().GetPosition().GetCommitPosition())
		if err != nil {
			l.mu.Unlock()
			return err
		}
		next = min(i+1, len(l.records))
	}
	l.mu.Unlock()
	if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}}); err != nil {
		return err
	}
	filter := o.GetFilter()
	window := max(1, int(filter.GetMax())*int(filter.GetCheckpointIntervalMultiplier()))
	considered := 0
	for {
		l.mu.Lock()
		records, grew := l.records[next:len(l.records):len(l.records)], l.grew
		l.mu.Unlock()
		for _, r := range records {
			if ctx.Err() != nil {
				return status.FromContextError(ctx.Err()).Err()
			}
			next++
			if passes(filter, r) {
				if err := n.fail(ctx, Deliver); err != nil {
					return err
				}
				if err := out.Send(r.sent()); err != nil {
					return err
				}
			}
			if considered++; filter != nil && considered%window == 0 {
				if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: r.position, PreparePosition: r.position}}}); err != nil {
					return err
				}
			}
		}
		if len(records) > 0 {
			if err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-dropped:
			return status.Error(codes.Aborted, "the subscription was dropped")
		case <-grew:
		}
	}
}

func passes(f *streams.ReadReq_Options_FilterOptions, r *record) bool {
	prefixes, of := f.GetStreamIdentifier().GetPrefix(), r.stream
	if f.GetEventType() != nil {
		prefixes, of = f.GetEventType().GetPrefix(), r.kind
	}
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(of, p) })
}
