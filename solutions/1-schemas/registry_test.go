package codec_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// counting counts what the codec asks of a registry.
type counting struct {
	codec.Registry
	asked atomic.Int64
}

func (r *counting) Register(ctx context.Context, subject, text string) (int, error) {
	r.asked.Add(1)
	return r.Registry.Register(ctx, subject, text)
}

func (r *counting) Text(ctx context.Context, id int) (string, error) {
	r.asked.Add(1)
	return r.Registry.Text(ctx, id)
}

func confluent(t *testing.T) (codec.Registry, *srfake.Registry) {
	t.Helper()
	server := srfake.New()
	t.Cleanup(server.Close)
	registry, err := codec.Confluent(server.URL())
	require.NoError(t, err)
	return registry, server
}

// L1.I2: the ids are the registry's, the subjects ours, and what is published is the file's own text.
func TestCatalogIsPublished(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	_, _, err := server.RegisterSchema("taken", avroSchema(`"string"`))
	require.NoError(t, err)
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	for _, s := range schemas.All() {
		there, ok := server.GetSchema("desk-"+s.Type, s.Version)
		require.True(t, ok)
		require.Equal(t, s.Text, there.Schema.Schema)
	}
	p, err := c.Encode(t.Context(), begun())
	require.NoError(t, err)
	there, _ := server.GetSchema("desk-trade.new", 1)
	require.Equal(t, []byte{0, 0, 0, 0, byte(there.ID)}, p.Data[:header])
	require.NotEqual(t, 1, there.ID)
}

// A second program over the same registry publishes again without harm, reads what the first wrote, and asks for nothing on
// the way, since it knows the ids.
func TestCodecsOfOneRegistryReadEachOther(t *testing.T) {
	t.Parallel()
	registry, _ := confluent(t)
	first, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	counted := &counting{Registry: registry}
	second, err := codec.New(t.Context(), counted, "desk")
	require.NoError(t, err)
	published := counted.asked.Load()

	p, err := first.Encode(t.Context(), begun())
	require.NoError(t, err)
	body, err := second.Decode(t.Context(), p.Type, p.Data)
	require.NoError(t, err)
	require.Equal(t, begun(), body)
	again, err := second.Encode(t.Context(), body)
	require.NoError(t, err)
	require.Equal(t, p, again)
	require.Equal(t, published, counted.asked.Load())
}

// An id from elsewhere is looked up once, recognised whatever its layout, and remembered; all of it from many goroutines.
func TestForeignIDIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	registry := &counting{Registry: codec.InMemory()}
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	settled, _ := schemas.Latest("trade.settled")
	id, err := registry.Register(t.Context(), "other", strings.ReplaceAll(settled.Text, "\n", " "))
	require.NoError(t, err)

	data := []byte{0, 0, 0, 0, byte(id), 2, 1, 0, 2, 1, 0}
	want := trade.Settle{Quantity: mwh("0.000001"), Price: trade.Dec("0.000001")}
	read := func() {
		p, err := c.Encode(t.Context(), want)
		require.NoError(t, err)
		require.Equal(t, data[header:], p.Data[header:])
		body, err := c.Decode(t.Context(), "trade.settled", data)
		require.NoError(t, err)
		require.Equal(t, want, body)
	}
	read()
	asked := registry.asked.Load()
	var all sync.WaitGroup
	for range 8 {
		all.Go(read)
	}
	all.Wait()
	require.Equal(t, asked, registry.asked.Load())
}

// A schema that is not in the catalog is unknown, however close it is: under another scale the same bytes are another number.
func TestSchemaOutsideTheCatalogIsUnknown(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	settled, _ := schemas.Latest("trade.settled")
	id, _, err := server.RegisterSchema("elsewhere", avroSchema(strings.ReplaceAll(settled.Text, `"scale": 6`, `"scale": 4`)))
	require.NoError(t, err)
	for _, id := range []int{id, 200} {
		_, err = c.Decode(t.Context(), "trade.settled", []byte{0, 0, 0, 0, byte(id), 2, 1, 0, 2, 1})
		require.ErrorIs(t, err, contract.ErrUnknownSchema)
	}
}

// A registry that does not answer is no verdict on the data.
func TestRegistryThatIsAwayIsNotAnUnknownSchema(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	server.Close()
	_, err = c.Decode(t.Context(), "trade.settled", []byte{0, 0, 0, 0, 99, 2, 1, 0, 2, 1})
	require.Error(t, err)
	require.False(t, errors.Is(err, contract.ErrUnknownSchema))
	_, err = codec.New(t.Context(), registry, "desk")
	require.ErrorContains(t, err, "publish command.refused version 1")
}

// One body, with all that it points to, may be encoded by many at once.
func TestEncodeWritesNothing(t *testing.T) {
	t.Parallel()
	c, body := codec.Offline(), begun()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := c.Encode(t.Context(), body)
			assert.NoError(t, err)
			_, err = codec.JSON(body)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	require.Equal(t, begun(), body)
}
