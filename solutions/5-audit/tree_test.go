package audit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
)

// stored is a tree as package tlog stores it.
type stored []tlog.Hash

func (s *stored) add(t require.TestingT, index int64, leaf []byte) {
	hashes, err := tlog.StoredHashes(index, leaf, *s)
	require.NoError(t, err)
	*s = append(*s, hashes...)
}

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		hashes[i] = s[at]
	}
	return hashes, nil
}

func TestEdgeHasTheRootOfItsRFC6962Tree(t *testing.T) {
	t.Parallel()
	var e edge
	var whole stored
	other := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for n := range int64(300) {
		if n > 0 {
			want, err := tlog.TreeHash(n, whole)
			require.NoError(t, err)
			require.Equal(t, want, e.root(), "tlog at size %d", n)
			root, err := other.GetRootHash(nil)
			require.NoError(t, err)
			require.Equal(t, root, append([]byte{}, hashBytes(e.root())...), "merkle at size %d", n)
		} else {
			require.Equal(t, rfc6962.DefaultHasher.EmptyRoot(), hashBytes(e.root()))
		}
		require.True(t, e.wellFormed())
		leaf := fmt.Appendf(nil, "leaf %d", n)
		e.add(tlog.RecordHash(leaf), func(int, tlog.Hash) {})
		whole.add(t, n, leaf)
		require.NoError(t, other.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
	}
}

// The tiles of a tree that grows in steps are those of package tlog: the same coordinates and the
// same bytes. A bundle has the leaves of its tile.
func TestTilesAreThoseOfTlog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var tiles tiler
		var whole stored
		for _, step := range rapid.SliceOfN(rapid.Int64Range(1, 700), 1, 4).Draw(t, "steps") {
			before := tiles.size
			for range step {
				leaf := fmt.Appendf(nil, "leaf %d", tiles.size)
				whole.add(t, tiles.size, leaf)
				tiles.add(leaf)
			}
			made := map[tlog.Tile][]byte{}
			for _, o := range tiles.take(before) {
				made[o.tile] = o.data
				parsed, ok := parseTile(tilePath(o.tile))
				require.True(t, ok)
				require.Equal(t, o.tile, parsed)
			}
			for _, tile := range tlog.NewTiles(tileHeight, before, tiles.size) {
				want, err := tlog.ReadTileData(tile, whole)
				require.NoError(t, err)
				require.Equal(t, want, made[tile], "%s", tilePath(tile))
				if delete(made, tile); tile.L == 0 {
					tile.L = entryLevel
					require.Equal(t, want, leafHashes(made[tile]), "%s", tilePath(tile))
					delete(made, tile)
				}
			}
			require.Empty(t, made)
		}
	})
}

// The paths are those of the examples in C2SP tlog-tiles.
func TestTilePathsAreThoseOfC2SP(t *testing.T) {
	t.Parallel()
	for path, tile := range map[string]tlog.Tile{
		"tile/0/000":                 {H: 8, L: 0, N: 0, W: 256},
		"tile/1/x001/x234/067":       {H: 8, L: 1, N: 1234067, W: 256},
		"tile/0/273.p/112":           {H: 8, L: 0, N: 273, W: 112},
		"tile/entries/x001/000.p/17": {H: 8, L: entryLevel, N: 1000, W: 17},
	} {
		require.Equal(t, path, tilePath(tile))
		parsed, ok := parseTile(path)
		require.True(t, ok)
		require.Equal(t, tile, parsed)
	}
	for _, bad := range []string{
		"", "tile/", "tile/0", "tile/0/1", "tile/0/000.p/256", "tile/0/000.p/0", "tile/00/000",
		"tile/-1/000", "tile/data/000", "tile/64/000", "tile/0/x000/000", "tile/0/../000",
		"tile/8/0/000", "tile/0/000.1", "/tile/0/000",
	} {
		_, ok := parseTile(bad)
		require.False(t, ok, bad)
	}
}

// A tile past the end of a tree has no hash of it, however large its number is.
func TestNoTileIsPastTheTree(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{3, 1 << 40, 1 << 55, 1 << 56, 1<<56 + 1, 1 << 62, 1<<63 - 1} {
		for _, level := range []int{entryLevel, 0, 1, 63} {
			require.Zero(t, tileAt(level, n, 600).W, "level %d, tile %d", level, n)
		}
	}
	require.Equal(t, 88, tileAt(0, 2, 600).W)
}

func hashBytes(h tlog.Hash) []byte { return h[:] }

func TestStepsTileARange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := contract.Cursor(rapid.SliceOfN(rapid.Int64Range(0, 50), 0, 4).Draw(t, "from"))
		end := contract.Cursor(rapid.SliceOfN(rapid.Int64Range(0, 90), len(from), 5).Draw(t, "end"))
		for p := range from {
			end[p] = max(end[p], from[p])
		}
		n := rapid.Int64Range(1, 20).Draw(t, "n")
		covered := map[contract.Position]bool{}
		for at := from; !at.Reaches(end); {
			to := at.Step(end, n)
			step := int64(0)
			for p := range to {
				for o := at.At(int32(p)); o < to[p]; o++ {
					at := contract.Position{Partition: int32(p), Offset: o}
					require.False(t, covered[at], "two steps cover %s", at)
					covered[at] = true
					step++
				}
			}
			require.NotZero(t, step, "a step without an offset")
			require.LessOrEqual(t, step, n)
			at = to
		}
		for p := range end {
			for o := from.At(int32(p)); o < end[p]; o++ {
				at := contract.Position{Partition: int32(p), Offset: o}
				require.True(t, covered[at], "no step covers %s", at)
			}
		}
	})
}
