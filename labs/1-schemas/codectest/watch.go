package codectest

import (
	"context"
	"errors"

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

// Decode takes two exercises. What becomes of an old version is the second one's: that may be to do when today's data is read, and is
// no excuse for what becomes of today's.
func (w watched) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := w.codec.Decode(ctx, typ, data)
	operation, todo := decode, new(check.TODOError)
	switch s, known := w.schemaOf(data); {
	case known && s.Version < schema(s.Type).Version:
		operation = upcast
	case known && errors.As(err, &todo) && todo.Operation == upcast:
		w.t.Errorf("Decode says that %s is still to do, of %s version %d, which is today's", upcast, s.Type, s.Version)
	}
	answered(w.t, operation, err)
	return body, err
}

// schemaOf is the schema of the catalog that data names.
func (w watched) schemaOf(data []byte) (schemas.Schema, bool) {
	for _, r := range w.t.registry.all() {
		if len(data) < header || r.id != idOf(data) {
			continue
		}
		for _, s := range schemas.All() {
			if s.Text == r.text {
				return s, true
			}
		}
	}
	return schemas.Schema{}, false
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
