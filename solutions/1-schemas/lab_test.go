package codec_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func TestMain(m *testing.M) {
	compatible := func(mode, next string, published ...string) error {
		return codec.Compatible(contract.Mode(mode), next, published...)
	}
	stacktest.MainWith(m, stack.EmbeddedOptions{Compatible: compatible})
}

func answer(t testing.TB) codectest.Fixture {
	return codectest.Fixture{
		New: func(
			ctx context.Context, registry contract.Registry, name string,
		) (codectest.Codec, error) {
			return codec.New(ctx, registry, name)
		},
		EncodeSettled: codec.EncodeSettled,
		DecodeSettled: codec.DecodeSettled,
		Readable:      codec.Readable,
		Compatible:    codec.Compatible,
		Producer: func(client *kgo.Client, topic string, c contract.Codec) contract.Producer {
			return codec.NewProducer(client, topic, c)
		},
		Consumer: func(client *kgo.Client, parked string, c contract.Codec) contract.Consumer {
			return codec.NewConsumer(client, parked, c)
		},
		NewJSON: func(
			ctx context.Context, registry contract.Registry, name string, avro contract.Codec,
		) (contract.JSONCodec, error) {
			return codec.NewJSON(ctx, registry, name, avro)
		},
		BothForms: func(
			client *kgo.Client, parked string, c contract.Codec, json contract.JSONCodec,
		) contract.Consumer {
			return codec.NewConsumer(client, parked, c).ReadJSON(json)
		},
		Brokers: stacktest.Kafka(t),
		Prefix:  stacktest.Prefix(t),
	}
}

func TestLab1(t *testing.T) { check.Run(t, codectest.Suites(answer(t))...) }

func TestReferenceHasFullMarks(t *testing.T) {
	t.Parallel()
	requireFullMarks(t, answer(t))
}

// requireFullMarks also requires that each check called the answer. The verdict of a check that
// called nothing means nothing.
func requireFullMarks(t *testing.T, f codectest.Fixture) {
	t.Helper()
	for _, s := range codectest.Suites(f) {
		require.NotEmpty(t, s.Checks)
		for _, v := range check.JudgeAll(t.Context(), s) {
			require.Equal(t, check.Passed, v.Outcome, v.Text)
			require.Positive(t, v.Check.Points, v.Check.ID)
			require.Positive(t, v.Answers, "%s did not call the answer", v.Check.ID)
		}
	}
}

// prefixSize is the size of the zero byte and the schema id, which precede the Avro body.
const prefixSize = 5

// wireData returns an Avro body in the wire format.
func wireData(id int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
}

// An offline codec publishes the catalog in a registry in memory. Tests ask it for ids, because a
// new schema file changes them.
type offline struct {
	*codec.Codec
	registry codec.Registry
}

func newOffline(t require.TestingT) offline {
	registry := codec.InMemory()
	c, err := codec.New(context.Background(), registry, "offline")
	require.NoError(t, err)
	return offline{c, registry}
}

// id returns the id of one version of a type.
func (o offline) id(t require.TestingT, typ string, version int) int {
	s, ok := schemas.Find(typ, version)
	require.True(t, ok, "%s version %d", typ, version)
	id, err := o.registry.Register(context.Background(), "offline-"+typ, s.Text)
	require.NoError(t, err)
	return id
}

// schemaOf returns the schema that the prefix of data names.
func (o offline) schemaOf(t require.TestingT, data []byte) schemas.Schema {
	text, err := o.registry.Text(context.Background(), idIn(data))
	require.NoError(t, err)
	s, ok := schemas.Identify(text)
	require.True(t, ok)
	return s
}

func mwh(value string) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(value), Unit: trade.MWh}
}
