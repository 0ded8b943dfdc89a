package audit

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// A sealedTree reads the tiles of a tree whose edge the log's key signed. It believes no tile: the
// hashes of a full one must give the hash in its parent, and those of a partial one must give the
// edge. They must be as many as the tile is wide: hashes of another level give the same. Of a
// bundle, the leaves must have the hashes of their tile.
type sealedTree struct {
	*Auditor
	edge
	read map[tlog.Tile][]byte // the last tiles, full or as wide as the tree makes them
}

// tree returns the tree with a signed edge.
func (a *Auditor) tree(e edge) *sealedTree {
	return &sealedTree{a, e, map[tlog.Tile][]byte{}}
}

// tile returns a tile of the tree as wide as it is there. Level entryLevel asks for a bundle.
func (t *sealedTree) tile(ctx context.Context, level int, n int64) ([]byte, error) {
	at := tileAt(level, n, t.size)
	if data, ok := t.read[at]; ok {
		return data, nil
	}
	want, hash := t.edge.level(max(level, 0)), func(tile []byte) []byte { return tops(tile, at.W) }
	var err error
	switch {
	case at.W == 0:
		return nil, fmt.Errorf("%s: %w: the tree has %d leaves", tilePath(at), ErrAbsent, t.size)
	case level == entryLevel:
		hash = leafHashes
		want, err = t.tile(ctx, 0, n)
	case at.W == tileWidth:
		var parent []byte
		parent, err = t.tile(ctx, level+1, n/tileWidth)
		if err == nil {
			i := n % tileWidth * tlog.HashSize
			want = parent[i : i+tlog.HashSize]
		}
	}
	if err != nil {
		return nil, err
	}
	data, err := find(ctx, t.Archive, tileSlot(at), func(ctx context.Context, name string) (
		[]byte, error) {
		data, err := t.Archive.Get(ctx, name)
		if err == nil && !bytes.Equal(hash(data), want) {
			err = errTile
		}
		return data, t.opened(name, err)
	})
	if err != nil {
		return nil, err
	}
	if len(t.read) > 64 {
		clear(t.read)
	}
	t.read[at] = data
	return data, nil
}

// leaf returns one leaf of the tree.
func (t *sealedTree) leaf(ctx context.Context, index int64) ([]byte, error) {
	bundle, err := t.tile(ctx, entryLevel, index/tileWidth)
	if err != nil {
		return nil, err
	}
	for range index % tileWidth { // its tile has shown that the bundle is whole
		bundle = bundle[2+int(bundle[0])<<8+int(bundle[1]):]
	}
	return bundle[2:][:int(bundle[0])<<8+int(bundle[1])], nil
}

// hashes returns the hashes of the tree for proofs (package tlog).
func (t *sealedTree) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			at := tlog.TileForIndex(tileHeight, index)
			data, err := t.tile(ctx, at.L, at.N)
			if err != nil {
				return nil, err
			}
			at.W = len(data) / tlog.HashSize
			if found[i], err = tlog.HashFromTile(at, data, index); err != nil {
				return nil, err
			}
		}
		return found, nil
	})
}

// events returns the events of a batch of the tree. The positions are those of the tree: the
// header is one of its leaves.
func (t *sealedTree) events(ctx context.Context, b *batch) ([]event, error) {
	header, err := t.leaf(ctx, b.first()+b.Events)
	if err == nil && !bytes.Equal(header, b.header.leaf()) {
		err = fmt.Errorf("%w: the tree has another header for batch %d", errBatch, b.Number)
	}
	all := make([]event, 0, b.Events)
	for _, at := range b.positions() {
		var leaf []byte
		if err == nil {
			leaf, err = t.leaf(ctx, b.first()+int64(len(all)))
		}
		if err != nil {
			return nil, err
		}
		all = append(all, newEvent(at, leaf))
	}
	return all, nil
}

// tiler returns the tree as it can grow: with its partial tiles.
func (t *sealedTree) tiler(ctx context.Context) (*tiler, error) {
	grown := &tiler{edge: t.edge.clone()}
	for level := 0; t.size>>(tileHeight*level) > 0; level++ {
		data, err := t.partial(ctx, level)
		if err != nil {
			return nil, err
		}
		grown.levels = append(grown.levels, data)
	}
	var err error
	grown.entries, err = t.partial(ctx, entryLevel)
	return grown, err
}

// partial returns a copy of the partial tile of a level; nil if all its tiles are full.
func (t *sealedTree) partial(ctx context.Context, level int) ([]byte, error) {
	n := t.size >> (tileHeight * (max(level, 0) + 1))
	if tileAt(level, n, t.size).W == 0 {
		return nil, nil
	}
	data, err := t.tile(ctx, level, n)
	return bytes.Clone(data), err
}

// Leaves calls each with every archived leaf of the checkpoint of size leaves, in order. For an
// event, at is its position in the log; for the header that closes a batch, at is nil. All leaves
// are those that the checkpoint signs.
func (a *Auditor) Leaves(ctx context.Context, size int64,
	each func(index int64, at *contract.Position, leaf []byte) error) error {
	index := int64(0)
	return a.batches(ctx, size, func(b *batch) error {
		for _, ev := range b.events {
			if err := each(index, &ev.Position, ev.Leaf); err != nil {
				return err
			}
			index++
		}
		index++
		return each(index-1, nil, b.header.leaf())
	})
}

// batches calls each with every batch under the checkpoint of size leaves, with its leaves.
func (a *Auditor) batches(ctx context.Context, size int64, each func(*batch) error) error {
	c, err := a.Published(ctx, size)
	if err != nil || c.Size == 0 {
		return err
	}
	last, err := a.under(ctx, c)
	if err != nil {
		return fmt.Errorf("%w: under checkpoint %d: %w", ErrArchive, c.Size, err)
	}
	tree, index := a.tree(last.edge), int64(0)
	for number := range last.Number {
		b, err := a.batch(ctx, number+1)
		if err == nil && b.first() != index {
			err = fmt.Errorf("%w: batch %d begins with leaf %d, want %d", errBatch,
				b.Number, b.first(), index)
		}
		if err != nil {
			return err
		}
		if b.events, err = tree.events(ctx, b); err != nil {
			return err
		}
		if err := each(b); err != nil {
			return err
		}
		index = b.edge.size
	}
	return nil
}

// locate returns the batch that has a position in its range. The range of the last batch, or of an
// earlier one, has the position. Most batches have about the same size: it looks where the batch
// then is, and in the middle of the rest at every second step, so that it reads at most twice as
// many batches as their number has binary digits.
func (a *Auditor) locate(ctx context.Context, last *batch, at contract.Position) (*batch, error) {
	low, found, begin := int64(1), last, int64(0)
	for step := 0; low < found.Number && found.From.Covers(at); step++ {
		next := low + (found.Number-low)/2
		if end := found.From.At(at.Partition); step%2 == 0 {
			next = low + (found.Number-low)*(at.Offset-begin)/max(end-begin, 1)
		}
		b, err := a.batch(ctx, min(max(next, low), found.Number-1))
		if err != nil {
			return nil, err
		}
		if b.To.Covers(at) {
			found = b
		} else {
			low, begin = b.Number+1, b.To.At(at.Partition)
		}
	}
	return found, nil
}
