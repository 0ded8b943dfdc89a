package codec_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// counting counts the requests to a registry.
type counting struct {
	codec.Registry
	requests atomic.Int64
}

func (r *counting) Register(ctx context.Context, subject, text string) (int, error) {
	r.requests.Add(1)
	return r.Registry.Register(ctx, subject, text)
}

func (r *counting) Text(ctx context.Context, id int) (string, error) {
	r.requests.Add(1)
	return r.Registry.Text(ctx, id)
}

// held is a registry that answers when the test allows it. The answer is an error if the test sends
// one.
type held struct {
	counting
	release chan error
}

func newHeld() *held {
	return &held{counting{Registry: codec.InMemory()}, make(chan error)}
}

func (r *held) Text(ctx context.Context, id int) (string, error) {
	text, err := r.counting.Text(ctx, id)
	return text, errors.Join(<-r.release, err)
}

var errAway = errors.New("the registry is away")

func confluent(t *testing.T) (codec.Registry, *srfake.Registry) {
	t.Helper()
	server := srfake.New()
	t.Cleanup(server.Close)
	registry, err := codec.Confluent(sr.URLs(server.URL()))
	require.NoError(t, err)
	return registry, server
}

func avroSchema(text string) sr.Schema { return sr.Schema{Schema: text, Type: sr.TypeAvro} }

// smallSettlement has the Avro bytes smallBody.
var (
	smallSettlement = trade.Settle{Quantity: mwh("0.000001"), Price: trade.Dec("0.000001")}
	smallBody       = []byte{2, 1, 0, 2, 1, 0, 0, 0, 0}
)

// registerForeign registers the schema of settlements with another layout, as another program does,
// and returns smallSettlement under its id.
func registerForeign(t *testing.T, registry codec.Registry, space string) []byte {
	t.Helper()
	settled, _ := schemas.Latest("trade.settled")
	text := strings.ReplaceAll(settled.Text, "\n", space)
	id, err := registry.Register(t.Context(), "other", text)
	require.NoError(t, err)
	return wireData(id, smallBody)
}

func newCodec(t *testing.T, registry codec.Registry) *codec.Codec {
	t.Helper()
	c, err := codec.New(t.Context(), registry, "desk")
	require.NoError(t, err)
	return c
}

// L1.I2: the ids are the registry's, the subjects are ours, and the published text is the file's.
func TestCatalogIsPublished(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	_, _, err := server.RegisterSchema("taken", avroSchema(`"string"`))
	require.NoError(t, err)
	c := newCodec(t, registry)
	for _, s := range schemas.All() {
		there, ok := server.GetSchema("desk-"+s.Type, s.Version)
		require.True(t, ok)
		require.Equal(t, s.Text, there.Schema.Schema)
	}
	p, err := c.Encode(t.Context(), newTrade())
	require.NoError(t, err)
	there, _ := server.GetSchema("desk-trade.new", 1)
	require.Equal(t, wireData(there.ID, nil), p.Data[:prefixSize])
	require.NotEqual(t, 1, there.ID)
}

// A registry that holds every subject to the mode of a log accepts the catalog, twice.
func TestCatalogSuitsModeOfALog(t *testing.T) {
	t.Parallel()
	at := stacktest.Registry(t)
	client, err := sr.NewClient(at...)
	require.NoError(t, err)
	name := stacktest.Prefix(t)
	for _, s := range schemas.All() {
		mode := sr.SetCompatibility{Level: sr.CompatBackwardTransitive}
		for _, r := range client.SetCompatibility(t.Context(), mode, name+"-"+s.Type) {
			require.NoError(t, r.Err)
		}
	}
	registry, err := codec.Confluent(at...)
	require.NoError(t, err)
	first, err := codec.New(t.Context(), registry, name)
	require.NoError(t, err)
	again, err := codec.New(t.Context(), registry, name)
	require.NoError(t, err)
	p, err := first.Encode(t.Context(), newTrade())
	require.NoError(t, err)
	q, err := again.Encode(t.Context(), newTrade())
	require.NoError(t, err)
	require.Equal(t, p, q)
}

// A second program over the same registry publishes again, reads the data of the first, and sends
// no request for it: it knows the ids.
func TestCodecsOfOneRegistryReadEachOther(t *testing.T) {
	t.Parallel()
	registry, _ := confluent(t)
	first := newCodec(t, registry)
	counted := &counting{Registry: registry}
	second := newCodec(t, counted)
	published := counted.requests.Load()

	p, err := first.Encode(t.Context(), newTrade())
	require.NoError(t, err)
	body, err := second.Decode(t.Context(), p.Type, p.Data)
	require.NoError(t, err)
	require.Equal(t, newTrade(), body)
	again, err := second.Encode(t.Context(), body)
	require.NoError(t, err)
	require.Equal(t, p, again)
	require.Equal(t, published, counted.requests.Load())
}

// A codec looks up a foreign id once, recognises its schema in any layout, and remembers it, in
// many goroutines.
func TestForeignIDIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	registry := &counting{Registry: codec.InMemory()}
	c := newCodec(t, registry)
	data := registerForeign(t, registry, " ")
	read := func() {
		p, err := c.Encode(t.Context(), smallSettlement)
		require.NoError(t, err)
		require.Equal(t, data[prefixSize:], p.Data[prefixSize:])
		body, err := c.Decode(t.Context(), "trade.settled", data)
		require.NoError(t, err)
		require.Equal(t, smallSettlement, body)
	}
	read()
	requests := registry.requests.Load()
	var all sync.WaitGroup
	for range 8 {
		all.Go(read)
	}
	all.Wait()
	require.Equal(t, requests, registry.requests.Load())
}

// L1.I6: goroutines that meet a new id together send one request.
func TestConcurrentLookupsAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := newHeld()
		c := newCodec(t, registry)
		data := registerForeign(t, registry, " ")
		before := registry.requests.Load()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				body, err := c.Decode(t.Context(), "trade.settled", data)
				assert.NoError(t, err)
				assert.Equal(t, smallSettlement, body)
			})
		}
		synctest.Wait() // all of them wait for the registry
		close(registry.release)
		all.Wait()
		require.Equal(t, before+1, registry.requests.Load())
	})
}

// A goroutine that waits for the lookup of another does not share its failure, and can stop
// waiting.
func TestWaitingLookupFailsOnItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := newHeld()
		c := newCodec(t, registry)
		data := registerForeign(t, registry, " ")
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
		registry.release <- errAway
		require.ErrorIs(t, <-first, errAway)
		registry.release <- nil
		require.NoError(t, <-third)
	})
}

// A registry that does not answer for one id does not delay the lookup of another. Each id still
// costs one request.
func TestLookupsOfTwoIDsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := newHeld()
		c := newCodec(t, registry)
		one, other := registerForeign(t, registry, " "), registerForeign(t, registry, "  ")
		before := registry.requests.Load()
		var all sync.WaitGroup
		for _, data := range [][]byte{one, other} {
			for range 4 {
				all.Go(func() {
					_, err := c.Decode(t.Context(), "trade.settled", data)
					assert.NoError(t, err)
				})
			}
			synctest.Wait() // the registry has not answered any of them
		}
		requests := registry.requests.Load()
		close(registry.release)
		all.Wait()
		require.Equal(t, before+2, requests, "requests before the first answer")
		require.Equal(t, requests, registry.requests.Load(), "requests after all answers")
	})
}

// A schema outside the catalog stays outside, so its id costs one request for any number of
// records.
func TestIDOutsideCatalogIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	registry := &counting{Registry: codec.InMemory()}
	c := newCodec(t, registry)
	id, err := registry.Register(t.Context(), "other", `"string"`)
	require.NoError(t, err)
	before := registry.requests.Load()
	for range 3 {
		_, err := c.Decode(t.Context(), "trade.settled", wireData(id, []byte("\x02x")))
		require.ErrorIs(t, err, contract.ErrUnknownSchema)
	}
	require.Equal(t, before+1, registry.requests.Load())
}

// A schema outside the catalog is unknown, however similar it is. Under another scale the same
// bytes are another number.
func TestSchemaOutsideCatalogIsUnknown(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	c := newCodec(t, registry)
	settled, _ := schemas.Latest("trade.settled")
	rescaled := strings.ReplaceAll(settled.Text, `"scale": 6`, `"scale": 4`)
	id, _, err := server.RegisterSchema("elsewhere", avroSchema(rescaled))
	require.NoError(t, err)
	for _, id := range []int{id, 200} {
		_, err = c.Decode(t.Context(), "trade.settled", wireData(id, smallBody))
		require.ErrorIs(t, err, contract.ErrUnknownSchema)
	}
}

// A registry that is made again gives other ids, and an id of the log may then be another schema's.
// An event names its schema by its fingerprint, too, so every event still decodes.
func TestOtherIDsChangeNoHistory(t *testing.T) {
	t.Parallel()
	other := codec.InMemory()
	for _, s := range slices.Backward(schemas.All()) {
		_, err := other.Register(t.Context(), s.Type, s.Text)
		require.NoError(t, err)
	}
	before, after := newCodec(t, codec.InMemory()), newCodec(t, other)
	rapid.Check(t, func(t *rapid.T) {
		p, err := before.Encode(t.Context(), bodies(t))
		require.NoError(t, err)
		want, err := before.Decode(t.Context(), p.Type, p.Data)
		require.NoError(t, err)
		e, err := contract.Decoded(t.Context(), after, contract.Recorded{Event: contract.Event{
			Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
		}})
		require.NoError(t, err)
		require.Equal(t, want, e.Body)
	})
}

// The error of a registry that does not answer says nothing about the data.
func TestRegistryErrorIsNotUnknownSchema(t *testing.T) {
	t.Parallel()
	registry, server := confluent(t)
	c := newCodec(t, registry)
	server.Close()
	_, err := c.Decode(t.Context(), "trade.settled", wireData(99, smallBody))
	require.Error(t, err)
	require.NotErrorIs(t, err, contract.ErrUnknownSchema)
	_, err = codec.New(t.Context(), registry, "desk")
	first := schemas.All()[0]
	require.ErrorContains(t, err, fmt.Sprintf("publish %s version %d", first.Type, first.Version))
}

// Many goroutines may encode one body at once, with everything that it points to.
func TestEncodeDoesNotChangeBody(t *testing.T) {
	t.Parallel()
	c, body := codec.Offline(), newTrade()
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
	require.Equal(t, newTrade(), body)
}
