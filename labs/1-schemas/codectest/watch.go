package codectest

import (
	"context"
	"errors"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// answered tells the check what an operation said. A TODO names its operation itself: Decode says L1.upcast where
// that is all it lacks.
func answered(t check.T, operation string, err error) {
	todo := new(check.TODOError)
	if errors.As(err, &todo) {
		operation = todo.Operation
	}
	t.Answered(operation, err)
}

// watched is the proxy through which checks reach a codec: the check learns of every answer, so that a TODO is never
// taken for a failure, nor for a success.
type watched struct {
	codec Codec
	t     check.T
}

func (w watched) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := w.codec.Encode(ctx, body)
	answered(w.t, encode, err)
	return p, err
}

func (w watched) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := w.codec.Decode(ctx, typ, data)
	answered(w.t, decode, err)
	return body, err
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
