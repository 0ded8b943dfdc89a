package audit

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Root returns the root of the tree of leaves (RFC 6962, section 2.1).
//
// Exercise 1. hash and split are in hash.go. The root of no leaves is sha256.Sum256(nil).
func Root(leaves [][]byte) contract.Hash {
	panic(check.TODO("L5.root"))
}

// Prove returns the proof that leaves has the leaf with an index: the root of each subtree beside
// the way from the leaf to the root, from the leaf upwards (RFC 6962, section 2.1.1).
//
// Exercise 1.
func Prove(leaves [][]byte, index int64) []contract.Hash {
	panic(check.TODO("L5.prove"))
}

// CheckInclusion returns an error unless proof shows that the tree of size leaves with this root
// has the leaf at the index. It has no other leaf of the tree.
//
// Exercise 1.
func CheckInclusion(root contract.Hash, size, index int64, leaf []byte,
	proof []contract.Hash) error {
	return check.TODO("L5.inclusion")
}

// CheckConsistency returns an error unless proof shows that the first old leaves of a tree of size
// leaves with this root are the tree with the root oldRoot (RFC 6962, section 2.1.2). It has no
// leaf of either tree. old is at least 1.
//
// Exercise 3, after Seal.
func CheckConsistency(size int64, root contract.Hash, old int64, oldRoot contract.Hash,
	proof []contract.Hash) error {
	return check.TODO("L5.consistency")
}

var _, _ = hash, split // provided; remove this line when you use them
