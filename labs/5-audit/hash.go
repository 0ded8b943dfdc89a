// Code generated from solutions/5-audit/plain/hash.go by make generate; DO NOT EDIT.

package audit

import (
	"bytes"
	"crypto/sha256"
	"math/bits"

	"example.com/blotter/labs/kit/contract"
)

// hash returns SHA-256 of the prefix byte and the parts.
func hash(prefix byte, parts ...[]byte) contract.Hash {
	return sha256.Sum256(append([]byte{prefix}, bytes.Join(parts, nil)...))
}

// split returns the number of leaves in the left subtree of a tree of n > 1 leaves: the largest
// power of two that is smaller than n (RFC 6962, section 2.1).
func split(n int64) int64 { return 1 << (bits.Len64(uint64(n-1)) - 1) }
