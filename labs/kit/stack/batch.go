package stack

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A record batch on disk is a record batch on the wire (Apache Kafka documentation, "Message format: record batch", magic
// 2), big-endian:
//
//	 0  8  base offset
//	 8  4  length of what follows this field
//	12  4  partition leader epoch
//	16  1  magic, 2
//	17  4  CRC-32C of everything from the attributes on
//	21  2  attributes
//	23  4  last offset delta
//	    …
//	43  8  producer id
//	51  2  producer epoch
//	    …
//	57  4  number of records, then the records
//
// The checksum covers none of what stands before it, so those fields are checked against what surrounds them.
type batch struct {
	first, last int64 // offsets
	size        int   // bytes
	epoch       uint32

	transactional, control bool // control: the end of a transaction
	producer               int64
	producerEpoch          int16
}

const (
	batchPrefix = 12 // base offset and length
	batchHeader = 61 // up to the first record
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc32c(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// readBatch reads the batch that raw begins with. It is not whole when raw ends before the batch does; what is not empty
// when raw can be neither a batch nor the beginning of one.
func readBatch(raw []byte) (b batch, whole bool, what string) {
	if len(raw) < batchPrefix {
		return batch{}, false, ""
	}
	length := int64(int32(binary.BigEndian.Uint32(raw[8:])))
	if length < batchHeader-batchPrefix {
		return batch{}, false, fmt.Sprintf("a batch says it is %d bytes long", length)
	}
	if len(raw) > 16 && raw[16] != 2 {
		return batch{}, false, fmt.Sprintf("a batch says it has format %d, not 2", raw[16])
	}
	if batchPrefix+length > int64(len(raw)) {
		return batch{}, false, ""
	}
	raw = raw[:batchPrefix+length]
	if binary.BigEndian.Uint32(raw[17:]) != crc32c(raw[21:]) {
		return batch{}, false, "the checksum of a batch does not match"
	}
	b.first, b.size = int64(binary.BigEndian.Uint64(raw)), len(raw)
	b.epoch = binary.BigEndian.Uint32(raw[12:])
	attributes := binary.BigEndian.Uint16(raw[21:])
	b.transactional, b.control = attributes&0x10 != 0, attributes&0x20 != 0
	b.producer, b.producerEpoch = int64(binary.BigEndian.Uint64(raw[43:])), int16(binary.BigEndian.Uint16(raw[51:]))
	b.last = b.first + int64(int32(binary.BigEndian.Uint32(raw[23:])))
	if b.first < 0 || b.last < b.first {
		return batch{}, false, fmt.Sprintf("a batch says it holds offsets %d to %d", b.first, b.last)
	}
	return b, true, ""
}

// hidesBatch tells a batch whose length field was changed from one that a crash cut short: the former has its whole
// content, or whole batches after it, and to take it for torn would lose them.
func hidesBatch(rest []byte, next int64) bool {
	if len(rest) >= batchHeader && binary.BigEndian.Uint32(rest[17:]) == crc32c(rest[21:]) {
		return true
	}
	for at := 1; at+batchHeader <= len(rest); at++ {
		if rest[at+16] != 2 {
			continue // most places are told by this byte alone
		}
		if b, whole, what := readBatch(rest[at:]); whole && what == "" && b.first >= next {
			return true
		}
	}
	return false
}

// tornEnd is the offset after a torn batch, had it been whole; or unknown, when too little of it is left to say.
func tornEnd(torn []byte, unknown int64) int64 {
	switch {
	case len(torn) == 0:
		return 0
	case len(torn) < 27:
		return unknown
	default:
		return int64(binary.BigEndian.Uint64(torn)) + int64(int32(binary.BigEndian.Uint32(torn[23:]))) + 1
	}
}
