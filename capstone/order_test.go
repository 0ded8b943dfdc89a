package capstone_test

import (
	"bytes"
	"context"
	"iter"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// The state digest depends on the commands alone: not on how many are under way at once, on the order of lines that have
// nothing to do with each other, on the processors, or on the day it is.
func TestTheDigestDependsOnTheCommandsAlone(t *testing.T) {
	book := sample(t)
	day := func(d int) contract.Clock {
		return func(context.Context) time.Time { return time.Date(2030, 1, d, 9, 0, 0, 0, time.UTC) }
	}
	want := digest(t, newDesk(contract.SimulatedClock), book, 1)
	cases := []struct {
		name  string
		clock contract.Clock
		width int
		book  []lines.Line
	}{
		{"again", contract.SimulatedClock, 1, book},
		{"on another day", day(1), 1, book},
		{"many lines under way", day(2), 64, book},
		{"shuffled", contract.SimulatedClock, 1, shuffled(book, 1)},
		{"shuffled otherwise", day(3), 1, shuffled(book, 2)},
		{"shuffled, many under way", day(4), 64, shuffled(book, 3)},
	}
	for _, c := range cases {
		require.Equal(t, want, digest(t, newDesk(c.clock), c.book, c.width), c.name)
	}
}

// Not parallel: it changes the number of processors for all.
func TestTheDigestDoesNotDependOnTheProcessors(t *testing.T) {
	book := sample(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := digest(t, newDesk(contract.SimulatedClock), book, 16)
	runtime.GOMAXPROCS(2)
	require.Equal(t, one, digest(t, newDesk(contract.SimulatedClock), book, 16))
}

// Importing again writes nothing: neither accepted commands nor refusals.
func TestTheSameBookAgainChangesNothing(t *testing.T) {
	t.Parallel()
	desk, book := newDesk(contract.SimulatedClock), sample(t)
	first := imported(t, desk, book, 8)
	end, err := desk.Store.End(t.Context())
	require.NoError(t, err)
	again := imported(t, desk, book, 8)
	after, err := desk.Store.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, after)
	require.Equal(t, len(book), again.Again)
	require.Equal(t, first.Rules, again.Rules)
	require.Equal(t, first.Kinds, again.Kinds)
}

func sample(t *testing.T) []lines.Line {
	text, err := books.FS.ReadFile(books.Sample)
	require.NoError(t, err)
	var all []lines.Line
	for line, err := range lines.Read(bytes.NewReader(text)) {
		require.NoError(t, err)
		all = append(all, line)
	}
	return all
}

// families are the names of trades that lines name together, and theirs, each by one of them.
func families(book []lines.Line) func(name string) string {
	kin := map[string]string{}
	family := func(name string) string {
		for head, more := kin[name]; more; head, more = kin[name] {
			name = head
		}
		return name
	}
	for _, line := range book {
		for _, name := range line.Names[1:] {
			if a, b := family(line.Names[0]), family(name); a != b && strings.HasPrefix(name, "trade/") {
				kin[b] = a
			}
		}
	}
	return family
}

// shuffled is book in a random order that keeps any two lines that share a name or a family in theirs: each step takes a random one of
// the lines whose earlier namesakes are all taken.
func shuffled(book []lines.Line, seed uint64) []lines.Line {
	waits := make([]int, len(book)) // for how many lines
	followers := make([][]int, len(book))
	last, family := map[string]int{}, families(book)
	for i, line := range book {
		for _, name := range line.Names {
			name = family(name)
			if earlier, ok := last[name]; ok && earlier != i {
				followers[earlier] = append(followers[earlier], i)
				waits[i]++
			}
			last[name] = i
		}
	}
	var ready []int
	for i := range book {
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var out []lines.Line
	for len(ready) > 0 {
		k := random.IntN(len(ready))
		i := ready[k]
		ready[k] = ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		out = append(out, book[i])
		for _, f := range followers[i] {
			if waits[f]--; waits[f] == 0 {
				ready = append(ready, f)
			}
		}
	}
	if len(out) != len(book) {
		panic("lines were lost in the shuffle")
	}
	return out
}

func newDesk(clock contract.Clock) *capstone.Desk {
	return &capstone.Desk{Store: memory.New(clock), Codec: codec.Offline(), Source: "test"}
}

func imported(t *testing.T, desk *capstone.Desk, book []lines.Line, width int) capstone.Imported {
	system := capstone.System{Desk: desk, Width: width}
	n, err := system.Import(t.Context(), each(book), func(r capstone.Result) { require.NoError(t, r.Problem) })
	require.NoError(t, err)
	require.Equal(t, len(book), n.Lines)
	return n
}

func each(book []lines.Line) iter.Seq2[lines.Line, error] {
	return func(yield func(lines.Line, error) bool) {
		for _, line := range book {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// digest imports book and folds what is on record.
func digest(t *testing.T, desk *capstone.Desk, book []lines.Line, width int) [32]byte {
	imported(t, desk, book, width)
	streams := map[string][]trade.Event{}
	end, err := desk.Store.End(t.Context())
	require.NoError(t, err)
	for r, err := range desk.Store.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		e, err := contract.Decoded(t.Context(), desk.Codec, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	state, err := trade.StateOf(streams, trade.AsOf{})
	require.NoError(t, err)
	require.NotEmpty(t, state.Trades)
	require.NotEmpty(t, state.Positions)
	return state.Digest()
}
