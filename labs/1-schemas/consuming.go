// Code generated from solutions/1-schemas/consuming.go by make generate; DO NOT EDIT.

package codec

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// ReadJSON makes c read the JSON form beside Avro, and returns c. Without it an event in the JSON
// form has an unknown schema.
func (c *Consumer) ReadJSON(json contract.JSONCodec) *Consumer {
	c.json = json
	return c
}

// decode returns the event e of a record, and its body. An event in the JSON form becomes the event
// in Avro first, so that nobody else sees the difference.
func (c *Consumer) decode(
	ctx context.Context, r *kgo.Record, e contract.Event,
) (contract.Event, trade.Body, error) {
	if c.json != nil && isJSON(r) {
		var err error
		if e, err = c.json.Avro(ctx, e); err != nil {
			return e, nil, err
		}
	}
	body, err := c.codec.Decode(ctx, e.Type, e.Data)
	return e, body, err
}

// handleAll handles records until one fails, and returns those before it.
func (c *Consumer) handleAll(
	ctx context.Context, records []*kgo.Record, handle handler,
) ([]*kgo.Record, error) {
	for i, r := range records {
		if err := c.handleRecord(ctx, r, handle); err != nil {
			return records[:i], fmt.Errorf("%s %d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	return records, nil
}

// truncate returns at most n bytes of text and does not split a character.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// commit has a few seconds even after ctx has ended. Otherwise handled records come again.
func (c *Consumer) commit(ctx context.Context, done []*kgo.Record) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := c.client.CommitRecords(ctx, done...); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

const commitTimeout = 5 * time.Second

// unlessEnded returns err, or nil if ctx has ended: then the end of ctx is the reason to stop.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
