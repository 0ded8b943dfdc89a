package index

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"
)

// A filter remembers ids in 48 bits each. It answers that an id is new, or that it is known. It is
// filled from the entries that were checked, so a known id that the files do not have was removed
// from them. Once in some ten billion new ids the filter is wrong; then an index is rebuilt in
// vain. The filter of the rebuilt index has other seeds, so it is right about that id.
//
// It is a Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors",
// 1970) in layers. Each layer is twice the size of the one before, so the filter grows without
// being filled again.
type filter []layer

type layer struct {
	bits []uint64
	room int // for so many more ids
	seed uint64
}

const (
	firstLayer = 1 << 12 // ids
	bitsPerID  = 48
	probes     = 33
)

func (f *filter) add(id uuid.UUID) {
	last := len(*f) - 1
	if last < 0 || (*f)[last].room == 0 {
		last++
		ids := firstLayer << last
		*f = append(*f, layer{
			make([]uint64, ids*bitsPerID/64), ids, rand.Uint64(),
		})
	}
	l := &(*f)[last]
	l.room--
	a, b := l.hashes(id)
	for range probes {
		bit := a % uint64(64*len(l.bits))
		l.bits[bit/64] |= 1 << (bit % 64)
		a += b
	}
}

// has reports whether an id was added. It is never wrong about an id that was added.
func (f filter) has(id uuid.UUID) bool {
	return slices.ContainsFunc(f, func(l layer) bool { return l.has(id) })
}

func (l layer) has(id uuid.UUID) bool {
	a, b := l.hashes(id)
	for range probes {
		bit := a % uint64(64*len(l.bits))
		if l.bits[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
		a += b
	}
	return true
}

// hashes returns two hashes of an id. Its two halves are no hashes: some ids begin with the time.
// The second is odd, and the number of bits is a multiple of a large power of two. So the probes
// are different bits.
func (l layer) hashes(id uuid.UUID) (a, b uint64) {
	a, b = binary.LittleEndian.Uint64(id[:8])^l.seed, binary.LittleEndian.Uint64(id[8:])
	return mix(a ^ mix(b)), mix(b+a) | 1
}

// mix is the finalizer of SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
// number generators", 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
