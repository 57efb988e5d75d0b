package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/jointlab/jointlab/eventstore"
)

// Inclusion proves that an event is in the tree of a checkpoint.
type Inclusion struct {
	Position eventstore.Position
	Index    int64 // of the leaf: the position less one
	Entry    Entry
	Leaf     tlog.Hash
	Size     int64 // of the tree
	Root     tlog.Hash
	Path     []Sibling // from the leaf to the root
}

// Sibling is a hash of an audit path and the side it is on.
type Sibling struct {
	Hash tlog.Hash
	Left bool // its hash comes before the other in the node that both make
}

// Inclusion proves the event at a position in the tree of a size (RFC 6962,
// 2.1.1), in constant memory. It fails with *BeyondError where the size is
// beyond the last checkpoint or does not reach the event.
func (l *Log) Inclusion(at eventstore.Position, size int64) (p Inclusion, err error) {
	if err := l.reached(max(size, int64(at))); err != nil {
		return p, err
	}
	if at < 1 || int64(at) > size {
		return p, &BeyondError{int64(at), size}
	}
	p = Inclusion{Position: at, Index: Index(at), Size: size}
	var entry [1]Entry
	if err := l.tree.read(p.Index, entry[:]); err != nil {
		return p, err
	}
	p.Entry, p.Leaf = entry[0], tlog.RecordHash(entry[0][:])
	if p.Root, err = l.tree.root(size); err != nil {
		return p, err
	}
	path, err := tlog.ProveRecord(size, p.Index, l.tree)
	if err == nil {
		err = tlog.CheckRecord(path, size, p.Root, p.Index, p.Leaf)
	}
	if err != nil {
		return p, fmt.Errorf("audit: prove position %d in %d: %w; the tree's files are damaged: run jointlab audit rebuild", at, size, err)
	}
	// The audit path's sides (RFC 9162, 2.1.3.2): to the left of a leaf with an
	// odd index, and at the tree's right edge, where levels without a sibling
	// are passed over.
	index, last := p.Index, size-1
	for _, h := range path {
		for index == last && index&1 == 0 && index > 0 {
			index, last = index>>1, last>>1
		}
		p.Path = append(p.Path, Sibling{h, index&1 == 1})
		index, last = index>>1, last>>1
	}
	return p, nil
}

// Consistency proves that the tree of one size is the beginning of the tree of
// another (RFC 6962, 2.1.2). The proof from nothing, or to the same size, is
// empty. It fails with *BeyondError where to is beyond the last checkpoint or
// from beyond to.
func (l *Log) Consistency(from, to int64) (roots [2]tlog.Hash, path []tlog.Hash, err error) {
	if err := l.reached(to); err != nil {
		return roots, nil, err
	}
	if from > to {
		return roots, nil, &BeyondError{from, to}
	}
	for i, size := range []int64{from, to} {
		if roots[i], err = l.tree.root(size); err != nil {
			return roots, nil, err
		}
	}
	if from == 0 {
		return roots, nil, nil
	}
	path, err = tlog.ProveTree(to, from, l.tree)
	if err == nil {
		err = tlog.CheckTree(path, to, roots[1], from, roots[0])
	}
	if err != nil {
		err = fmt.Errorf("audit: prove that %d events begin as %d do: %w; the tree's files are damaged: run jointlab audit rebuild", to, from, err)
	}
	return roots, path, err
}

// reached fails where the last checkpoint does not come so far.
func (l *Log) reached(size int64) error {
	if c, ok := l.Checkpoint(); !ok || size > c.Size {
		return &BeyondError{size, c.Size}
	}
	return nil
}

// Tile returns what C2SP tlog-tiles has under a path, such as tile/0/000 or
// tile/entries/x001/234.p/56. False: there is no such tile in the tree of the
// last checkpoint. A whole one will never change.
func (l *Log) Tile(path string) (content []byte, whole, ok bool, err error) {
	t, ok := parseTilePath(path)
	c, signed := l.Checkpoint()
	if !ok || !signed || !within(t, c.Size) {
		return nil, false, false, nil
	}
	content, err = l.tree.tile(t)
	return content, t.W == tileWidth, true, err
}
