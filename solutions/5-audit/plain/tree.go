package audit

import (
	"crypto/sha256"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Root returns the root of the tree of leaves (RFC 6962, section 2.1).
func Root(leaves [][]byte) contract.Hash {
	switch n := int64(len(leaves)); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return hash(0, leaves[0])
	default:
		left, right := Root(leaves[:split(n)]), Root(leaves[split(n):])
		return hash(1, left[:], right[:])
	}
}

// Prove returns the proof that leaves has the leaf with an index: the root of each subtree beside
// the way from the leaf to the root, from the leaf upwards (RFC 6962, section 2.1.1).
func Prove(leaves [][]byte, index int64) []contract.Hash {
	n := int64(len(leaves))
	if n == 1 {
		return nil
	}
	k := split(n)
	if index < k {
		return append(Prove(leaves[:k], index), Root(leaves[k:]))
	}
	return append(Prove(leaves[k:], index-k), Root(leaves[:k]))
}

// CheckInclusion returns an error unless proof shows that the tree of size leaves with this root
// has the leaf at the index. It has no other leaf of the tree.
func CheckInclusion(root contract.Hash, size, index int64, leaf []byte,
	proof []contract.Hash) error {
	if index < 0 || index >= size {
		return fmt.Errorf("a tree of %d leaves has no leaf %d", size, index)
	}
	rest := proof
	next := func() (h contract.Hash) { // zero if the proof is too short, which the root shows
		if len(rest) > 0 {
			h, rest = rest[0], rest[1:]
		}
		return h
	}
	var up func(index, size int64) contract.Hash
	up = func(index, size int64) contract.Hash {
		if size == 1 {
			return hash(0, leaf)
		}
		k := split(size)
		if index < k {
			left := up(index, k)
			right := next()
			return hash(1, left[:], right[:])
		}
		right := up(index-k, size-k)
		left := next()
		return hash(1, left[:], right[:])
	}
	if got := up(index, size); got != root || len(rest) > 0 {
		return fmt.Errorf("the proof of leaf %d gives root %x with %d hashes left, want %x",
			index, got, len(rest), root)
	}
	return nil
}

// CheckConsistency returns an error unless proof shows that the first old leaves of a tree of size
// leaves with this root are the tree with the root oldRoot (RFC 6962, section 2.1.2). It has no
// leaf of either tree. old is at least 1.
func CheckConsistency(size int64, root contract.Hash, old int64, oldRoot contract.Hash,
	proof []contract.Hash) error {
	if old < 1 || old > size {
		return fmt.Errorf("a tree of %d leaves does not contain one of %d", size, old)
	}
	rest := proof
	next := func() (h contract.Hash) { // zero if the proof is too short, which the roots show
		if len(rest) > 0 {
			h, rest = rest[0], rest[1:]
		}
		return h
	}
	// both returns the root of a subtree of size leaves, and that of its first old ones. whole
	// means that these are the whole old tree.
	var both func(old, size int64, whole bool) (was, is contract.Hash)
	both = func(old, size int64, whole bool) (was, is contract.Hash) {
		if old == size {
			if is = oldRoot; !whole {
				is = next()
			}
			return is, is
		}
		k := split(size)
		if old <= k {
			was, left := both(old, k, whole)
			right := next()
			return was, hash(1, left[:], right[:])
		}
		was, right := both(old-k, size-k, false)
		left := next()
		return hash(1, left[:], was[:]), hash(1, left[:], right[:])
	}
	was, is := both(old, size, true)
	if was != oldRoot || is != root || len(rest) > 0 {
		return fmt.Errorf("the proof from %d to %d leaves does not give both roots", old, size)
	}
	return nil
}
