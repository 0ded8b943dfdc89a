package audit

import (
	"crypto/sha256"
	"math/bits"
	"slices"

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

// add appends one leaf, given by its hash.
func (e *edge) add(leaf tlog.Hash) {
	// Each trailing 1 of size is a subtree of the same size as the new one. The two form a subtree
	// of twice that size.
	for s := e.size; s&1 == 1; s >>= 1 {
		last := len(e.roots) - 1
		leaf = tlog.NodeHash(e.roots[last], leaf)
		e.roots = e.roots[:last]
	}
	e.roots = append(e.roots, leaf)
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

// A tree is the hashes of all perfect subtrees, in the order in which tlog stores them.
type tree []tlog.Hash

func (t *tree) add(index int64, leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(index, leaf, *t)
	*t = append(*t, hashes...)
	return err
}

// ReadHashes implements tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		hashes[i] = t[at]
	}
	return hashes, nil
}
