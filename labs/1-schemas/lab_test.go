package codec_test

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	codec "example.com/blotter/labs/1-schemas"
	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

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
