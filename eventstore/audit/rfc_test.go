package audit_test

// What follows is written from RFC 6962 and RFC 9162, section 2.1, and from
// nothing else: it shares no code with the log.

import (
	"crypto/sha256"
)

func leafHash(entry [32]byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, entry[:]...))
}

func nodeHash[A, B ~[32]byte](left A, right B) [32]byte {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// rootOf is MTH of RFC 6962, 2.1, over the hashes of bodies.
func rootOf(bodies [][]byte) [32]byte {
	if len(bodies) == 0 {
		return sha256.Sum256(nil)
	}
	if len(bodies) == 1 {
		return leafHash(sha256.Sum256(bodies[0]))
	}
	k := 1 // the largest power of two smaller than n
	for k*2 < len(bodies) {
		k *= 2
	}
	return nodeHash(rootOf(bodies[:k]), rootOf(bodies[k:]))
}

// included verifies an inclusion proof as RFC 9162, 2.1.3.2, says.
func included(leaf [32]byte, index, size int64, path [][32]byte, root [32]byte) bool {
	if index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = nodeHash(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = nodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// consistent verifies a consistency proof as RFC 9162, 2.1.4.2, says.
func consistent(first, second int64, firstRoot, secondRoot [32]byte, path [][32]byte) bool {
	if first == second {
		return len(path) == 0 && firstRoot == secondRoot
	}
	if first&(first-1) == 0 {
		path = append([][32]byte{firstRoot}, path...)
	}
	if len(path) == 0 {
		return false
	}
	fn, sn := first-1, second-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := path[0], path[0]
	for _, c := range path[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = nodeHash(c, fr), nodeHash(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = nodeHash(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return fr == firstRoot && sr == secondRoot && sn == 0
}
