package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// An edge is the part of a tree that is needed to append leaves and to compute the root: the roots
// of the perfect subtrees into which the leaves split, largest first, one for each 1 in the binary
// form of size. It has 32 bytes for each doubling of the log. The whole tree has 64 bytes for each
// leaf.
//
// Hashes are those of RFC 6962, section 2.1: SHA-256(0x00 || leaf) and SHA-256(0x01 || left ||
// right).
type edge struct {
	size  int64
	roots []tlog.Hash
}

// add appends one leaf, given by its hash. It calls each with the leaf and with every subtree that
// the leaf completes, and with their heights.
func (e *edge) add(hash tlog.Hash, each func(height int, hash tlog.Hash)) {
	each(0, hash)
	// Each trailing 1 of size is a subtree of the same size as the new one. The two form a subtree
	// of twice that size.
	for s, height := e.size, 1; s&1 == 1; s, height = s>>1, height+1 {
		last := len(e.roots) - 1
		hash = tlog.NodeHash(e.roots[last], hash)
		e.roots = e.roots[:last]
		each(height, hash)
	}
	e.roots = append(e.roots, hash)
	e.size++
}

// root returns the Merkle tree hash of the leaves (RFC 6962, section 2.1). The root of the empty
// tree is the SHA-256 of the empty string.
func (e *edge) root() tlog.Hash {
	if len(e.roots) == 0 {
		return sha256.Sum256(nil)
	}
	hash := e.roots[len(e.roots)-1]
	for _, left := range slices.Backward(e.roots[:len(e.roots)-1]) {
		hash = tlog.NodeHash(left, hash)
	}
	return hash
}

// clone returns a copy. Adding to the copy does not change e.
func (e *edge) clone() edge { return edge{e.size, slices.Clone(e.roots)} }

func (e *edge) equal(other edge) bool {
	return e.size == other.size && slices.Equal(e.roots, other.roots)
}

// wellFormed reports whether the number of roots fits the size. Check an edge that was read from
// the archive before adding to it.
func (e *edge) wellFormed() bool {
	return e.size >= 0 && len(e.roots) == bits.OnesCount64(uint64(e.size))
}

// level returns the roots of the subtrees that a partial tile of a level covers, one after another.
func (e *edge) level(level int) []byte {
	before := bits.OnesCount64(uint64(e.size) >> (tileHeight * (level + 1)))
	count := bits.OnesCount8(uint8(uint64(e.size) >> (tileHeight * level)))
	return join(e.roots[before : before+count])
}

func join(hashes []tlog.Hash) []byte {
	all := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		all = append(all, h[:]...)
	}
	return all
}

// Tiles (C2SP tlog-tiles). A tile of level L has up to 256 hashes of subtrees of 256^L leaves. Of a
// growing tree only the last tile of each level is partial.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	entryLevel = -1 // of a bundle of leaves
)

// tileAt returns the tile n of a level, as wide as a tree of size leaves makes it.
func tileAt(level int, n, size int64) tlog.Tile {
	hashes := int64(uint64(size) >> (tileHeight * max(level, 0)))
	width := int64(0)
	if n <= hashes/tileWidth { // else n*tileWidth may overflow
		width = min(hashes-n*tileWidth, tileWidth)
	}
	return tlog.Tile{H: tileHeight, L: level, N: n, W: int(width)}
}

// tilePath returns the path of a tile in C2SP tlog-tiles. The paths of package tlog also name the
// height.
func tilePath(t tlog.Tile) string {
	path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

// parseTile is the inverse of tilePath.
func parseTile(path string) (tlog.Tile, bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if entries, found := strings.CutPrefix(rest, "entries/"); found {
		rest = "data/" + entries
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	return t, ok && err == nil && t.L <= 63 && tilePath(t) == path
}

// An object is a tile with its bytes.
type object struct {
	tile tlog.Tile
	data []byte
}

// A tiler grows a tree and makes its tiles. Its zero value is the empty tree.
type tiler struct {
	edge
	levels  [][]byte // of each level: the hashes of its partial tile
	entries []byte   // the partial bundle
	made    []object
}

func (t *tiler) clone() *tiler {
	c := &tiler{edge: t.edge.clone(), entries: slices.Clone(t.entries)}
	for _, hashes := range t.levels {
		c.levels = append(c.levels, slices.Clone(hashes))
	}
	return c
}

// add appends one leaf. Full tiles are made at once.
func (t *tiler) add(leaf []byte) {
	if len(t.entries) == 0 {
		t.entries = make([]byte, 0, tileWidth*(len(leaf)+len(leaf)/8))
	}
	t.entries = binary.BigEndian.AppendUint16(t.entries, uint16(len(leaf)))
	begin := len(t.entries)
	t.entries = append(t.entries, leaf...)
	hash := leafHash(t.entries, begin)
	if n := t.size / tileWidth; (t.size+1)%tileWidth == 0 {
		t.made = append(t.made, object{tileAt(entryLevel, n, t.size+1), t.entries})
		t.entries = nil
	}
	t.edge.add(hash, t.node)
}

// leafHash returns the hash of the leaf at the end of a bundle (RFC 6962, section 2.1). The byte
// before the leaf, the last one of its length, is 0 meanwhile: no leaf is copied to be hashed.
func leafHash(bundle []byte, begin int) tlog.Hash {
	length := bundle[begin-1]
	bundle[begin-1] = 0
	hash := sha256.Sum256(bundle[begin-1:])
	bundle[begin-1] = length
	return hash
}

// node puts the hash of a subtree into its tile, if a tile has hashes of its height.
func (t *tiler) node(height int, hash tlog.Hash) {
	if height%tileHeight != 0 {
		return
	}
	level := height / tileHeight
	if level == len(t.levels) {
		t.levels = append(t.levels, nil)
	}
	if t.levels[level] == nil {
		t.levels[level] = make([]byte, 0, tileWidth*tlog.HashSize)
	}
	hashes := append(t.levels[level], hash[:]...)
	t.levels[level] = hashes
	if len(hashes) == tileWidth*tlog.HashSize {
		n := t.size >> (tileHeight * (level + 1)) // of this tile: size does not count the leaf yet
		t.made = append(t.made, object{tileAt(level, n, t.size+1), hashes})
		t.levels[level] = nil
	}
}

// take returns the tiles that are new since a tree of size leaves, with the partial ones. They
// share no memory with t.
func (t *tiler) take(size int64) []object {
	made := t.made
	t.made = nil
	for level, hashes := range t.levels {
		shift := tileHeight * level
		if len(hashes) > 0 && t.size>>shift != size>>shift {
			tile := tileAt(level, t.size>>(shift+tileHeight), t.size)
			made = append(made, object{tile, slices.Clone(hashes)})
		}
	}
	if len(t.entries) > 0 && t.size != size {
		tile := tileAt(entryLevel, t.size/tileWidth, t.size)
		made = append(made, object{tile, slices.Clone(t.entries)})
	}
	return made
}

var errBundle = errors.New("not a bundle of leaves")

// splitBundle returns the leaves of a bundle (C2SP tlog-tiles, "Log entries"): each has its length
// before it, in two bytes big-endian.
func splitBundle(data []byte) ([][]byte, error) {
	var leaves [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, errBundle
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		leaves, data = append(leaves, data[2:end:end]), data[end:]
	}
	return leaves, nil
}

// tops returns the roots of the perfect subtrees over the hashes of a tile, one after another. They
// are the hashes that a tree signs of it. A tile of another width than the tree's has none.
func tops(tile []byte, width int) []byte {
	if len(tile) != width*tlog.HashSize {
		return nil
	}
	var e edge
	for h := range slices.Chunk(tile, tlog.HashSize) {
		e.add(tlog.Hash(h), func(int, tlog.Hash) {})
	}
	return join(e.roots)
}

// leafHashes returns the tile of level 0 over the leaves of a bundle.
func leafHashes(bundle []byte) []byte {
	leaves, err := splitBundle(bundle)
	if err != nil {
		return nil
	}
	hashes := make([]byte, 0, len(leaves)*tlog.HashSize)
	for _, leaf := range leaves {
		h := tlog.RecordHash(leaf)
		hashes = append(hashes, h[:]...)
	}
	return hashes
}
