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

// NewProducer writes through client, which stays the caller's. The client is left at its defaults for producing: idempotent, and
// acknowledged by every replica in sync, so that a retry of its own neither doubles nor reorders.
func NewProducer(client *kgo.Client, topic string, codec contract.Codec) *Producer {
	return &Producer{client, topic, codec}
}

// Publish sends an event and waits for the brokers (see contract.Producer). The stream is the key: one stream is in one partition, and
// so in one order.
func (p *Producer) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	payload, err := p.codec.Encode(ctx, body)
	if err != nil {
		return err
	}
	e.Type, e.Schema, e.Fingerprint, e.Data = payload.Type, payload.Schema, payload.Fingerprint, payload.Data
	if err := e.Validate(); err != nil {
		return err
	}
	r := recordOf(e)
	r.Topic = p.topic
	// Crash here: nothing is written, and nobody was told otherwise.
	if err := p.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("publish %s to %s: %w", e.ID, p.topic, err)
	}
	// Crash here: it is written, and the caller does not know. It publishes again; readers know the event by its id.
	return nil
}
