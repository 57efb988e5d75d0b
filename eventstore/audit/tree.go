package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	hashSize    = tlog.HashSize
	entriesFile = "entries" // 32 bytes an event
	hashesFile  = "hashes"  // 32 bytes a hash, in the order of tlog.StoredHashIndex
)

// tree is the Merkle tree in two files. One goroutine appends; any number read
// below the size meanwhile. Bytes in the files beyond the size, as after
// a crash, are ignored and written over.
type tree struct {
	entries, hashes *os.File
	size            atomic.Int64
	edge            edge // the appender's own
}

// openTree opens the tree in dir, which may be empty, and cuts off what is not
// whole.
func openTree(dir string) (*tree, error) {
	t := &tree{}
	var sizes [2]int64
	for i, f := range []**os.File{&t.entries, &t.hashes} {
		file, err := os.OpenFile(filepath.Join(dir, []string{entriesFile, hashesFile}[i]), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		*f = file
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		sizes[i] = info.Size() / hashSize
	}
	whole := sort.Search(int(sizes[0]), func(n int) bool { return tlog.StoredHashCount(int64(n)+1) > sizes[1] })
	t.size.Store(int64(whole))
	t.edge = edge{size: int64(whole), below: t}
	return t, nil
}

func (t *tree) close() error {
	var err error
	for _, f := range []*os.File{t.entries, t.hashes} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// append adds entries. They are there for readers all at once, and not at all
// where writing fails.
func (t *tree) append(entries []Entry) error {
	size := t.size.Load()
	from := tlog.StoredHashCount(size)
	flat, hashes := make([]byte, 0, len(entries)*hashSize), make([]byte, 0, 2*len(entries)*hashSize)
	before := t.edge
	for _, e := range entries {
		made, err := t.edge.add(tlog.RecordHash(e[:]))
		if err != nil {
			t.edge = before
			return fmt.Errorf("audit: extend the tree: %w", err)
		}
		flat = append(flat, e[:]...)
		for _, h := range made {
			hashes = append(hashes, h[:]...)
		}
	}
	_, err := t.hashes.WriteAt(hashes, from*hashSize)
	if err == nil {
		_, err = t.entries.WriteAt(flat, size*hashSize)
	}
	if err != nil {
		t.edge = before
		return fmt.Errorf("audit: extend the tree: %w", err)
	}
	t.size.Store(size + int64(len(entries)))
	return nil
}

// ReadHashes reads stored hashes, as tlog's proofs ask for them.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if _, err := t.hashes.ReadAt(hashes[i][:], index*hashSize); err != nil {
			return nil, fmt.Errorf("audit: read hash %d: %w", index, err)
		}
	}
	return hashes, nil
}

// stored reads the stored hashes from one index up to another.
func (t *tree) stored(from, to int64) ([]tlog.Hash, error) {
	flat, hashes := make([]byte, (to-from)*hashSize), make([]tlog.Hash, to-from)
	if _, err := t.hashes.ReadAt(flat, from*hashSize); err != nil {
		return nil, fmt.Errorf("audit: read hashes from %d: %w", from, err)
	}
	for i := range hashes {
		copy(hashes[i][:], flat[i*hashSize:])
	}
	return hashes, nil
}

// read reads the entries from index on, as many as into holds.
func (t *tree) read(index int64, into []Entry) error {
	flat := make([]byte, len(into)*hashSize)
	if _, err := t.entries.ReadAt(flat, index*hashSize); err != nil {
		return fmt.Errorf("audit: read entry %d: %w", index, err)
	}
	for i := range into {
		copy(into[i][:], flat[i*hashSize:])
	}
	return nil
}

// root returns the tree's root at a size it has reached.
func (t *tree) root(size int64) (tlog.Hash, error) { return tlog.TreeHash(size, t) }

// reset empties the tree, for it to be made anew from the ledger.
func (t *tree) reset() {
	t.size.Store(0)
	t.edge = edge{}
}

// edge is the right edge of a growing tree: at each level the last hash that is
// complete. It is all that is needed to go on, and to know the root.
type edge struct {
	size  int64
	last  [64]stored
	below tlog.HashReader // where hashes are that were complete before this edge began; nil: it began with nothing
}

type stored struct {
	index int64
	hash  tlog.Hash
	known bool
}

// add adds a leaf and returns the hashes that it completes, to be stored from
// tlog.StoredHashCount(size) on.
func (e *edge) add(leaf tlog.Hash) ([]tlog.Hash, error) {
	made, err := tlog.StoredHashesForRecordHash(e.size, leaf, e)
	if err != nil {
		return nil, err
	}
	first := tlog.StoredHashCount(e.size)
	for level, h := range made {
		e.last[level] = stored{first + int64(level), h, true}
	}
	e.size++
	return made, nil
}

// ReadHashes answers for the hashes on the edge.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, _ := tlog.SplitStoredHashIndex(index)
		if at := e.last[level]; at.known && at.index == index {
			hashes[i] = at.hash
			continue
		}
		if e.below == nil {
			return nil, fmt.Errorf("audit: hash %d is not on the tree's edge", index)
		}
		found, err := e.below.ReadHashes(indexes[i : i+1])
		if err != nil {
			return nil, err
		}
		hashes[i] = found[0]
	}
	return hashes, nil
}

func (e *edge) root() (tlog.Hash, error) { return tlog.TreeHash(e.size, e) }
