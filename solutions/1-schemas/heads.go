package codec

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

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
