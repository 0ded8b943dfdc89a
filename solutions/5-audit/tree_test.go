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

func TestEdgeHasTheRootOfItsRFC6962Tree(t *testing.T) {
	t.Parallel()
	var e edge
	var whole tree
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
		e.add(tlog.RecordHash(leaf))
		require.NoError(t, whole.add(n, tlog.RecordHash(leaf)))
		require.NoError(t, other.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
	}
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
