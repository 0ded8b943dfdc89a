package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// A proof is a line of proofs.jsonl: the audit path (RFC 6962, section 2.1.1) from one leaf to the
// root. The leaf is that of the next line of events.jsonl, or Header if it is set.
type proof struct {
	Leaf   int64       `json:"leaf"`
	Header []byte      `json:"header,omitempty"` // of a batch, base64
	Hashes []tlog.Hash `json:"hashes"`
}

// check compares p with a root. leaf is the claimed content of the leaf p.Leaf.
func (p proof) check(size int64, root tlog.Hash, leaf []byte) error {
	if p.Leaf < 0 || p.Leaf >= size {
		return fmt.Errorf("the checkpoint has no leaf %d", p.Leaf)
	}
	if tlog.CheckRecord(p.Hashes, size, root, p.Leaf, tlog.RecordHash(leaf)) != nil {
		return fmt.Errorf("it is not leaf %d under the checkpoint", p.Leaf)
	}
	return nil
}

// hashes holds the inner nodes of the tree that the proofs of a bundle need, by their index in
// tlog's order. It grows with the bundle, by a path for each event, and not with the log.
type hashes map[int64]tlog.Hash

// collect reads every leaf under the checkpoint once, and keeps the nodes that the proofs of some
// leaves need.
func collect(
	ctx context.Context, sealed contract.SealedLog, size int64, leaves []proof,
) (hashes, error) {
	h := hashes{}
	for _, p := range leaves {
		_, err := tlog.ProveRecord(size, p.Leaf, tlog.HashReaderFunc(h.note))
		if err != nil && !errors.Is(err, errNoted) {
			return nil, err
		}
	}
	var left []tlog.Hash // the last complete subtree of each level: enough to continue
	add := func(index int64, _ *contract.Position, leaf []byte) error {
		left = h.add(left, index, tlog.RecordHash(leaf))
		return nil
	}
	return h, sealed.Leaves(ctx, size, add)
}

var errNoted = errors.New("noted")

func (h hashes) note(indexes []int64) ([]tlog.Hash, error) {
	for _, i := range indexes {
		h[i] = tlog.Hash{}
	}
	return nil, errNoted
}

// add takes the next leaf. It keeps the leaf, and each subtree that the leaf completes, if a proof
// needs them.
func (h hashes) add(left []tlog.Hash, index int64, hash tlog.Hash) []tlog.Hash {
	level := 0
	for ; ; level++ {
		if at := tlog.StoredHashIndex(level, index); h.has(at) {
			h[at] = hash
		}
		if index&1 == 0 {
			break
		}
		hash = tlog.NodeHash(left[level], hash)
		index >>= 1
	}
	if level == len(left) {
		return append(left, hash)
	}
	left[level] = hash
	return left
}

func (h hashes) has(index int64) bool { _, ok := h[index]; return ok }

// ReadHashes implements tlog.HashReader.
func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		found[i] = h[at]
	}
	return found, nil
}

// prove fills in the path of p.
func (h hashes) prove(size int64, p proof) (proof, error) {
	path, err := tlog.ProveRecord(size, p.Leaf, h)
	p.Hashes = append([]tlog.Hash{}, path...) // [] rather than null
	return p, err
}

// A batchHeader is the leaf that closes a batch.
type batchHeader struct {
	from, to  contract.Cursor
	events    int64
	simulated bool // recorded_at does not follow a clock
}

var errHeader = errors.New("the leaf is not the header of a batch")

// parseHeader reads a header: a tag, the number of the batch, the hash of the previous header, the
// range of the log, the number of events, whether the log is simulated, the sealing time, the
// frontier, the offenders and the positions. Before each field is its length, in four bytes
// big-endian.
func parseHeader(leaf []byte) (h batchHeader, err error) {
	var fields [][]byte
	for rest := leaf; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return h, errHeader
		}
		n := 4 + binary.BigEndian.Uint32(rest)
		fields, rest = append(fields, rest[4:n]), rest[n:]
	}
	if len(fields) != 11 || string(fields[0]) != "blotter/batch/v4" || len(fields[3])%8 != 0 ||
		len(fields[4])%8 != 0 || len(fields[5]) != 8 || len(fields[6]) != 1 {
		return h, errHeader
	}
	events := int64(binary.BigEndian.Uint64(fields[5]))
	return batchHeader{cursor(fields[3]), cursor(fields[4]), events, fields[6][0] == 1}, nil
}

func cursor(b []byte) (c contract.Cursor) {
	for ; len(b) > 0; b = b[8:] {
		c = append(c, int64(binary.BigEndian.Uint64(b)))
	}
	return c
}
