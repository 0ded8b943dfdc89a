package codec

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

const headType = "store.head"

// head is store.head, version 1.
func head(f fields, h *contract.Head) {
	f.text("stream", &h.Stream)
	f.number("version", &h.Version)
	f.id("event_id", &h.EventID)
	f.instant("recorded_at", &h.RecordedAt)
	f.digest("digest", &h.Digest)
	f.flag("ended", &h.Ended)
}

// EncodeHead is a head in the wire format.
func (c *Codec) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	payload, err := c.encode(headType, h)
	return payload.Data, err
}

// DecodeHead is the inverse of EncodeHead, with the errors of Decode.
func (c *Codec) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	h, err := c.decode(ctx, headType, data)
	if err != nil {
		return contract.Head{}, err
	}
	return h.(contract.Head), nil
}
