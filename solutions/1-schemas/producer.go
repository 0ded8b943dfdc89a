package codec

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Producer writes typed events to one topic. It is safe for concurrent use.
type Producer struct {
	client *kgo.Client
	topic  string
	codec  contract.Codec
}

var _ contract.Producer = (*Producer)(nil)

// NewProducer writes through client, which stays the caller's. A producer whose codec is a
// contract.JSONCodec writes the JSON form. Leave the client's defaults for
// producing: it is idempotent and waits for every replica in sync, and its retries neither
// duplicate nor reorder records.
func NewProducer(client *kgo.Client, topic string, codec contract.Codec) *Producer {
	return &Producer{client, topic, codec}
}

// Publish sends an event and waits for the brokers (see contract.Producer). The stream is the key:
// a stream lies in one partition, and so keeps its order.
func (p *Producer) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	payload, err := p.codec.Encode(ctx, body)
	if err != nil {
		return err
	}
	e.Type, e.Schema = payload.Type, payload.Schema
	e.Fingerprint, e.Data = payload.Fingerprint, payload.Data
	if err := e.Validate(); err != nil {
		return err
	}
	// A crash here means that nothing is written, and the caller has no answer.
	if err := p.client.ProduceSync(ctx, p.recordOf(e)).FirstErr(); err != nil {
		return fmt.Errorf("publish %s to %s: %w", e.ID, p.topic, err)
	}
	// A crash here means that the event is written and the caller does not know. The caller
	// publishes it again, and readers recognise it by its id.
	return nil
}
