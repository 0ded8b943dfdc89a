package codectest

import (
	"context"
	"slices"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// answered tells the check what an operation said. A TODO names its operation itself.
func answered(t check.T, operation string, err error) { t.Answered(operation, err) }

// watched is the proxy through which checks reach a codec: the check learns of every answer, so that a TODO is never
// taken for a failure, nor for a success.
type watched struct {
	codec Codec
	t     *trial
}

func (w watched) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := w.codec.Encode(ctx, body)
	answered(w.t, encode, err)
	return p, err
}

func (w watched) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := w.codec.Decode(ctx, typ, data)
	answered(w.t, w.reading(data), err)
	return body, err
}

// reading is the operation by which data is decoded. What Decode makes of an old version is an exercise of its own: it may
// be to do when today's data is read, and is no excuse for what becomes of today's.
func (w watched) reading(data []byte) string {
	for _, r := range w.t.registry.all() {
		if len(data) >= header && r.id == idOf(data) && outdated(r.text) {
			return upcast
		}
	}
	return decode
}

func outdated(text string) bool {
	return slices.ContainsFunc(schemas.All(), func(s schemas.Schema) bool { return s.Text == text && s.Version < schema(s.Type).Version })
}

func (w watched) EncodeHead(ctx context.Context, h contract.Head) ([]byte, error) {
	data, err := w.codec.EncodeHead(ctx, h)
	answered(w.t, heads, err)
	return data, err
}

func (w watched) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	h, err := w.codec.DecodeHead(ctx, data)
	answered(w.t, heads, err)
	return h, err
}
