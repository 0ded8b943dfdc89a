package codec_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// held is a registry that answers when it is let, and then with err if there is one.
type held struct {
	counting
	let chan error
}

func (r *held) Text(ctx context.Context, id int) (string, error) {
	text, err := r.counting.Text(ctx, id)
	return text, errors.Join(<-r.let, err)
}

// foreign is a codec, and data under an id that it did not publish itself: a settlement, under its own schema in another layout.
func foreign(t *testing.T, registry codec.Registry) (*codec.Codec, []byte) {
	t.Helper()
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	settled, _ := schemas.Latest("trade.settled")
	id, err := registry.Register(t.Context(), "other", strings.ReplaceAll(settled.Text, "\n", " "))
	require.NoError(t, err)
	return c, []byte{0, 0, 0, 0, byte(id), 2, 1, 0, 2, 1, 0}
}

// Many that meet a new id at once ask for it once (L1.I6).
func TestOneAsksForANewID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &held{counting{Registry: codec.InMemory()}, make(chan error)}
		c, data := foreign(t, registry)
		before := registry.asked.Load()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				body, err := c.Decode(t.Context(), "trade.settled", data)
				assert.NoError(t, err)
				assert.Equal(t, trade.Settle{Quantity: mwh("0.000001"), Price: trade.Dec("0.000001")}, body)
			})
		}
		synctest.Wait() // all of them wait for the registry
		close(registry.let)
		all.Wait()
		require.Equal(t, before+1, registry.asked.Load())
	})
}

// Who waits for another's answer neither shares its failure nor waits longer than it wants to.
func TestWhoWaitsForAnAnswerIsNotBoundToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &held{counting{Registry: codec.InMemory()}, make(chan error)}
		c, data := foreign(t, registry)
		brief, cancel := context.WithCancel(t.Context())
		decode := func(ctx context.Context) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := c.Decode(ctx, "trade.settled", data)
				done <- err
			}()
			synctest.Wait()
			return done
		}
		first, second, third := decode(t.Context()), decode(brief), decode(t.Context())
		cancel()
		require.ErrorIs(t, <-second, context.Canceled)
		registry.let <- errAway
		require.ErrorIs(t, <-first, errAway)
		registry.let <- nil
		require.NoError(t, <-third)
	})
}

// A registry that hangs on one id keeps nobody from what is behind another, and each is still asked for once.
func TestOneIDDoesNotWaitForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &held{counting{Registry: codec.InMemory()}, make(chan error)}
		c, hangs := foreign(t, registry)
		settled, _ := schemas.Latest("trade.settled")
		id, err := registry.Register(t.Context(), "other", strings.ReplaceAll(settled.Text, "\n", "  "))
		require.NoError(t, err)
		before := registry.asked.Load()
		var all sync.WaitGroup
		for _, data := range [][]byte{hangs, append([]byte{0, 0, 0, 0, byte(id)}, hangs[5:]...)} {
			for range 4 {
				all.Go(func() {
					_, err := c.Decode(t.Context(), "trade.settled", data)
					assert.NoError(t, err)
				})
			}
			synctest.Wait() // the registry answers none of them yet
		}
		asked := registry.asked.Load()
		close(registry.let)
		all.Wait()
		require.Equal(t, before+2, asked, "questions while none was answered")
		require.Equal(t, asked, registry.asked.Load(), "questions after all were answered")
	})
}

var errAway = errors.New("the registry is away")

// What is not in the catalog will not be: it is asked for once, however many records there are of it.
func TestASchemaOutsideTheCatalogIsAskedForOnce(t *testing.T) {
	t.Parallel()
	registry := &counting{Registry: codec.InMemory()}
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	id, err := registry.Register(t.Context(), "other", `"string"`)
	require.NoError(t, err)
	before := registry.asked.Load()
	for range 3 {
		_, err := c.Decode(t.Context(), "trade.settled", []byte{0, 0, 0, 0, byte(id), 2, 'x'})
		require.ErrorIs(t, err, contract.ErrUnknownSchema)
	}
	require.Equal(t, before+1, registry.asked.Load())
}
