package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// An operation that states no actions would be open to everybody who signs in.
func TestOperationStatesItsActions(t *testing.T) {
	t.Parallel()
	api := func(path string, metadata map[string]any) *huma.OpenAPI {
		op := &huma.Operation{Method: http.MethodPost, Path: path, Metadata: metadata}
		return &huma.OpenAPI{Paths: map[string]*huma.PathItem{path: {Post: op}}}
	}
	require.PanicsWithValue(t, "serve: POST /v1/new states no actions", func() {
		requireActions(api("/v1/new", nil))
	})
	requireActions(api("/v1/new", needs()))
	requireActions(api("/livez", nil))
}

// All principals together have 100 places, and an act that waited too long frees its own.
func TestWaitingActsAreBounded(t *testing.T) {
	t.Parallel()
	var acts secondAsks
	begun := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)
	take := func(n int, by string, at time.Time) int {
		_, full := acts.take([3]string{"lift", fmt.Sprint("case-", n), "settled"}, by, at)
		return full
	}
	for n := range mostWaiting {
		require.Zero(t, take(n, fmt.Sprint("legal/", n/mostOfOne), begun.Add(time.Duration(n))))
	}
	require.Equal(t, mostOfOne, take(mostWaiting, "legal/0", begun))
	require.Equal(t, mostWaiting, take(mostWaiting, "legal/9", begun))
	require.Zero(t, take(mostWaiting, "legal/9", begun.Add(waitsWithin+1)))
	require.Equal(t, mostWaiting, take(mostWaiting+1, "legal/9", begun.Add(waitsWithin+1)))
}

// Lists with more pages are kept for five minutes. The oldest ones make room, and a list that is
// too large for all the room is not kept.
func TestKeptListsAreBounded(t *testing.T) {
	t.Parallel()
	var l lists
	begun := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)
	kept := func(question string, at time.Time) bool {
		_, ok := l.find(question, "tag", at)
		return ok
	}
	keep := func(question string, size int) {
		l.keep(question, "tag", map[string]json.RawMessage{"answer": make([]byte, size)}, begun)
	}
	keep("a", mostListBytes/2)
	keep("b", mostListBytes/2)
	require.True(t, kept("a", begun.Add(listWithin)))
	require.False(t, kept("a", begun.Add(listWithin+1)))
	keep("c", 1)
	require.False(t, kept("a", begun))
	require.True(t, kept("b", begun) && kept("c", begun))
	keep("d", mostListBytes+1)
	require.True(t, !kept("d", begun) && kept("c", begun))
}

// No operation sets a deadline on its connection: it would end an answer that takes longer. Those
// that append state that another process may own the partition.
func TestOperationSetsNoDeadline(t *testing.T) {
	t.Parallel()
	s := New(Config{System: capstone.New(memory.NewSimulated(), codec.Offline(), "test"),
		CommandLine: func(context.Context, []string) (p Printed) { return p }, Records: &Records{},
		Ledgers: &Ledgers{},
		Canary:  func(context.Context, CanaryStep) (any, error) { return nil, nil }})
	operations := 0
	for path, item := range s.api.OpenAPI().Paths {
		if item.Post != nil {
			operations++
			require.LessOrEqual(t, item.Post.BodyReadTimeout, time.Duration(0), path)
			if path != "/v1/command-line" && path != batches {
				require.Contains(t, item.Post.Responses, "421", path)
			}
		}
	}
	require.Equal(t, 11, operations)
}

// Strangers and other principals use up no allowance of a principal: its denials stay on record.
func TestAllowanceIsOfOnePrincipal(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)
	l, err := OpenRefusals(filepath.Join(t.TempDir(), "refused"), func() time.Time { return now })
	require.NoError(t, err)
	defer l.Close()
	for _, principal := range []string{"", "trader/1", "trader/2"} {
		for range refusalsAtOnce {
			written, err := l.add(refusal{Rule: RoleTooLow, Principal: principal})
			require.NoError(t, err)
			require.True(t, written, principal)
		}
		written, err := l.add(refusal{Rule: RoleTooLow, Principal: principal})
		require.NoError(t, err)
		require.False(t, written, principal)
	}
}

// A goneLog has no end while it is away.
type goneLog struct {
	contract.Store
	away error
}

func (l *goneLog) End(ctx context.Context) (contract.Cursor, error) {
	end, err := l.Store.End(ctx)
	return end, cmp.Or(l.away, err)
}

// While the log is away the part says so. After that it has the state of its last seal again, which
// may be a failure.
func TestSealStateAfterAnOutage(t *testing.T) {
	t.Parallel()
	log := &goneLog{Store: memory.New(contract.SimulatedClock)}
	s := New(Config{System: capstone.New(log, codec.Offline(), "test")})
	last := PartOf("seal", "", errors.New("the archive is full"))
	f := sealer{part: last}
	for _, away := range []error{nil, errors.New("no broker"), nil} {
		log.away = away
		f.step(t.Context(), s)
		if away != nil {
			require.Equal(t, PartOf("seal", "", away), s.parts["seal"])
		}
	}
	require.Equal(t, last, s.parts["seal"])
}

// Several second principals at once do an act once. The act waits again if it was not done.
func TestActIsTakenOnce(t *testing.T) {
	t.Parallel()
	var s secondAsks
	var taken atomic.Int32
	var all sync.WaitGroup
	key, now := [3]string{"dispose", "", "due"}, time.Unix(0, 0)
	first, full := s.take(key, "a/1", now)
	require.Zero(t, first)
	require.Zero(t, full)
	for i := range 8 {
		all.Go(func() {
			if first, _ := s.take(key, fmt.Sprint("b/", i), now); first.actor == "a/1" {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())
	s.giveBack(key, waiting{"a/1", now.Add(waitsWithin)})
	first, _ = s.take(key, "b/1", now.Add(waitsWithin))
	require.Equal(t, "a/1", first.actor)
	s.giveBack(key, first)
	first, _ = s.take(key, "b/1", now.Add(waitsWithin+1))
	require.Empty(t, first.actor, "it has expired")
}
