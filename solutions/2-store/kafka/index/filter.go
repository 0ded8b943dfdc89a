package index

import (
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"
)

// A filter remembers ids in 48 bits each. It answers that an id is new, or that it is known. It is
// filled from the entries that were checked, so a known id that the files do not have was removed
// from them. Once in some ten billion new ids the filter is wrong; then an index is rebuilt in
// vain.
//
// It is a Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors",
// 1970) in layers. Each layer is twice the size of the one before, so the filter grows without
// being filled again.
type filter []layer

type layer struct {
	words []uint64
	room  int // for so many more ids
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
		*f = append(*f, layer{make([]uint64, ids*bitsPerID/64), ids})
	}
	l := &(*f)[last]
	l.room--
	a, b := hashes(id)
	for range probes {
		bit := l.bit(a)
		l.words[bit/64] |= 1 << (bit % 64)
		a += b
	}
}

// has reports whether an id was added. It is never wrong about an id that was added.
func (f filter) has(id uuid.UUID) bool {
	a, b := hashes(id)
	for _, l := range f {
		if l.has(a, b) {
			return true
		}
	}
	return false
}

func (l layer) has(a, b uint64) bool {
	for range probes {
		bit := l.bit(a)
		if l.words[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
		a += b
	}
	return true
}

// bit returns the bit of a hash: its share of the layer, by the hash's high bits.
func (l layer) bit(hash uint64) uint64 {
	bit, _ := bits.Mul64(hash, uint64(64*len(l.words)))
	return bit
}

// hashes returns two hashes of an id. Its two halves are no hashes: some ids begin with the time.
func hashes(id uuid.UUID) (a, b uint64) {
	a, b = binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])
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
