package audit

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8               // as C2SP tlog-tiles has it
	tileWidth  = 1 << tileHeight // hashes in a full tile, entries in a full bundle
)

// tilePath returns the path of a tile after /log/, as C2SP tlog-tiles has it:
// tile/<L>/<N>[.p/<W>], or tile/entries/<N>[.p/<W>] for a bundle of entries,
// which has L −1 here. It is not what tlog.Tile.Path gives.
func tilePath(t tlog.Tile) string {
	level := "entries"
	if t.L >= 0 {
		level = strconv.Itoa(t.L)
	}
	n := fmt.Sprintf("%03d", t.N%1000)
	for rest := t.N / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	if t.W < tileWidth {
		n += ".p/" + strconv.Itoa(t.W)
	}
	return "tile/" + level + "/" + n
}

var tilePaths = regexp.MustCompile(`^tile/(entries|\d{1,2})/((?:x\d{3}/){0,5}\d{3})(?:\.p/(\d{1,3}))?$`)

// parseTilePath reads what tilePath writes, and nothing else.
func parseTilePath(path string) (t tlog.Tile, ok bool) {
	m := tilePaths.FindStringSubmatch(path)
	if m == nil {
		return t, false
	}
	t = tlog.Tile{H: tileHeight, L: -1, W: tileWidth}
	var err [3]error
	if m[1] != "entries" {
		t.L, err[0] = strconv.Atoi(m[1])
	}
	t.N, err[1] = strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(m[2]), 10, 64)
	if m[3] != "" {
		t.W, err[2] = strconv.Atoi(m[3])
	}
	return t, err == [3]error{} && t.W > 0 && t.L < 8 && tilePath(t) == path
}

// within reports whether all of the tile is in a tree of that size.
func within(t tlog.Tile, size int64) bool {
	last := t.N<<tileHeight + int64(t.W) // hashes of the tile's level, up to its end
	return last <= size>>(tileHeight*max(t.L, 0))
}

// tile returns the content of a tile, or of a bundle: its entries, each after its
// length in two bytes, big endian.
func (t *tree) tile(of tlog.Tile) ([]byte, error) {
	if of.L >= 0 {
		return tlog.ReadTileData(of, t)
	}
	entries := make([]Entry, of.W)
	if err := t.read(of.N<<tileHeight, entries); err != nil {
		return nil, err
	}
	bundle := make([]byte, 0, of.W*(2+hashSize))
	for _, e := range entries {
		bundle = binary.BigEndian.AppendUint16(bundle, hashSize)
		bundle = append(bundle, e[:]...)
	}
	return bundle, nil
}
