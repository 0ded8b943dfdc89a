package audit

import (
	"crypto/sha256"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// An edge is all that must be known of a tree to append to it and to name its root: the roots of the perfect subtrees that
// its leaves split into, largest first, one for each 1 in the binary form of size. It is 32 bytes for each doubling
// of the log, where the tree itself is 64 bytes for each leaf.
//
// Hashes are those of RFC 6962, section 2.1: SHA-256(0x00 || leaf) and SHA-256(0x01 || left || right).
type edge struct {
	size  int64
	roots []tlog.Hash
}

// add appends one leaf, by its hash.
func (e *edge) add(leaf tlog.Hash) {
	// Each trailing 1 of size is a subtree as large as the one in hand: together they are one of twice the size.
	for s := e.size; s&1 == 1; s >>= 1 {
		last := len(e.roots) - 1
		leaf = tlog.NodeHash(e.roots[last], leaf)
		e.roots = e.roots[:last]
	}
	e.roots = append(e.roots, leaf)
	e.size++
}

// root is the Merkle tree hash of what was added (RFC 6962, section 2.1). With nothing it is SHA-256 of nothing.
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

// clone can be added to without changing e.
func (e *edge) clone() edge { return edge{e.size, slices.Clone(e.roots)} }

func (e *edge) equal(other edge) bool {
	return e.size == other.size && slices.Equal(e.roots, other.roots)
}

// wellFormed says whether there are as many roots as size asks for. What came from outside is checked before it is added to.
func (e *edge) wellFormed() bool {
	return e.size >= 0 && len(e.roots) == bits.OnesCount64(uint64(e.size))
}
