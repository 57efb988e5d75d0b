// Package audit proves that nothing in the ledger was changed: a Merkle log
// over it, signed checkpoints of that log, and packs of events that can be
// checked without a server.
//
// # The log
//
// The log is the Merkle tree of RFC 6962 section 2.1 over the ledger, one entry
// an event. The entry is the SHA-256 of the event's bytes, so the log can be
// public where events are not. An event's leaf index is its position less one.
//
//	entry     = SHA-256(event's bytes)          32 bytes
//	leaf hash = SHA-256(0x00 || entry)
//	node hash = SHA-256(0x01 || left || right)
//
// A checkpoint (C2SP tlog-checkpoint) is a signed note that states the tree's
// size and root. It is signed with Ed25519, whose signatures are deterministic,
// so nodes that share a ledger and a key agree byte for byte. Witnesses add
// their cosignatures (C2SP tlog-cosignature, cosignature/v1).
//
// The tree is kept in two flat files, the log's key and last checkpoint beside
// them. The files follow from the ledger: they may be deleted at any time, and
// come back the same. What must not be lost is the key, and copies of
// checkpoints outside of this machine: they are what a changed ledger is
// caught by. While anything contradicts a checkpoint that was signed, nothing
// is signed: see [Log.Problems].
package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/eventstore"
)

// Entry is an event's entry in the log: the SHA-256 of its bytes.
type Entry = tlog.Hash

// Index returns the leaf index of the event at position p.
func Index(p eventstore.Position) int64 { return int64(p) - 1 }

// positionOf returns the position of the event at a leaf index.
func positionOf(index int64) eventstore.Position { return eventstore.Position(index + 1) }

// BeyondError reports a tree size that the log has not reached.
type BeyondError struct {
	Asked int64 // the tree size asked for, or needed
	Size  int64 // of the last checkpoint
}

func (e *BeyondError) Error() string {
	return fmt.Sprintf("audit: the last checkpoint is of %d events; there is none of %d yet", e.Size, e.Asked)
}
