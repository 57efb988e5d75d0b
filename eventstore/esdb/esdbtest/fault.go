package esdbtest

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Op is something a client asks for, or is sent, that can go wrong.
type Op string

const (
	Connect   Op = "connect"   // the question each new connection begins with
	Append    Op = "append"    //
	Read      Op = "read"      // of a stream or of $all
	Subscribe Op = "subscribe" // to $all
	Deliver   Op = "deliver"   // one event to a subscription
)

// Fault is how it goes wrong.
type Fault int

const (
	None       Fault = iota
	FailBefore       // nothing is done; the client is told the outcome is unknown (Aborted, as after a write timeout)
	FailAfter        // it is done; the client is told the same
	Refuse           // nothing is done; the server answers that it is unavailable
	Hang             // nothing is done and nothing answered, until the client gives up
	HangAfter        // it is done, and nothing answered
	NotLeader        // the client is sent to the leader
	Garbled          // a read answers with what the client library does not expect, and panics at
)

var errGarbled = errors.New("garbled")

// Faults sets the function that chooses the fault of each operation; nil: none.
func (s *Server) Faults(which func(Op) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = which
}

// First makes the first n operations of a kind go wrong.
func First(n int, op Op, f Fault) func(Op) Fault {
	return func(o Op) Fault { // called one at a time
		if o != op || n == 0 {
			return None
		}
		n--
		return f
	}
}

// DropSubscriptions ends every subscription there is.
func (s *Server) DropSubscriptions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.drop)
	s.drop = make(chan struct{})
}

func (s *Server) dropped() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop
}

func (s *Server) fault(op Op) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		return None
	}
	return s.faults(op)
}

// fail carries out a fault that comes before the operation.
func (n *node) fail(ctx context.Context, op Op) error {
	_, err := n.failing(ctx, op)
	return err
}

// failing carries out a fault: before the operation it is the error, afterwards
// it is what after returns.
func (n *node) failing(ctx context.Context, op Op) (after func() error, err error) {
	hang := func() error {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	aborted := status.Error(codes.Aborted, "Operation timed out: Write timeout")
	after = func() error { return nil }
	switch n.server.fault(op) {
	case FailBefore:
		return nil, aborted
	case FailAfter:
		after = func() error { return aborted }
	case Refuse:
		return nil, status.Error(codes.Unavailable, "Server Is Not Ready")
	case Hang:
		return nil, hang()
	case HangAfter:
		after = hang
	case NotLeader:
		return nil, n.notLeader(ctx)
	case Garbled:
		return nil, errGarbled
	}
	return after, nil
}

// leading refuses on a node that does not lead what asks for the leader.
func (n *node) leading(ctx context.Context) error {
	asked, _ := metadata.FromIncomingContext(ctx)
	if v := asked.Get("requires-leader"); !n.leads && len(v) > 0 && v[0] == "true" {
		return n.notLeader(ctx)
	}
	return nil
}

func (n *node) notLeader(ctx context.Context) error {
	host, port := n.server.nodes[0].endpoint()
	_ = grpc.SetTrailer(ctx, metadata.Pairs("exception", "not-leader",
		"leader-endpoint-host", host, "leader-endpoint-port", strconv.Itoa(int(port))))
	return status.Error(codes.NotFound, "Leader info available")
}
