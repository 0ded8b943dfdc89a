package codec

import (
	"context"
	"encoding/binary"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// prefixSize is the size of the zero byte and the schema id, which precede the Avro body.
const prefixSize = 5

// prefixOf returns the zero byte and an id, to which an Avro body is appended.
func prefixOf(id int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(id)) }

// Encode fills Type, Schema, Fingerprint and Data of an event (see contract.Codec).
func (c *Codec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	typ := typeOf(body)
	if typ == "" {
		return contract.Payload{}, fmt.Errorf("%w: no event type for body %T",
			contract.ErrUnencodable, body)
	}
	return c.encode(typ, body)
}

// Decode is the inverse of Encode (see contract.Codec).
func (c *Codec) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	value, err := c.decode(ctx, typ, data)
	return bodyOf(typ, value, err)
}

// bodyOf returns the value of data of an event type as a body.
func bodyOf(typ string, value any, err error) (trade.Body, error) {
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	body, ok := value.(trade.Body)
	if !ok {
		return nil, fmt.Errorf("decode %s: %w: it is no event", typ, contract.ErrWrongType)
	}
	return body, nil
}

var _ contract.SchemaDecoder = (*Codec)(nil)

// DecodeAs implements contract.SchemaDecoder. If the prefix of data is wrong, the error is that of
// Decode, which asks no registry then.
func (c *Codec) DecodeAs(
	ctx context.Context, s schemas.Schema, data []byte,
) (trade.Body, error) {
	if len(data) < prefixSize || len(data) > contract.MaxData || data[0] != 0 {
		return c.Decode(ctx, s.Type, data)
	}
	f := formatOf(s)
	value, err := f.read(data[prefixSize:])
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", s.Type, s.Version, err)
	}
	return bodyOf(s.Type, f.upcast(value), nil)
}

// EncodeHead returns a head in the wire format. The store of Lab 2 keeps the head of each stream as
// a record of its own.
func (c *Codec) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	payload, err := c.encode(headType, h)
	return payload.Data, err
}

// DecodeHead is the inverse of EncodeHead, with the errors of Decode.
func (c *Codec) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	value, err := c.decode(ctx, headType, data)
	if err != nil {
		return contract.Head{}, fmt.Errorf("decode %s: %w", headType, err)
	}
	h, ok := value.(contract.Head)
	if !ok {
		return h, fmt.Errorf("decode %s: %w: it is no head", headType, contract.ErrWrongType)
	}
	return h, nil
}

// Offline returns a codec over a registry in memory. It suits tests, and programs whose bytes no
// other process reads.
func Offline() *Codec {
	c, err := New(context.Background(), InMemory(), "offline")
	if err != nil {
		panic(fmt.Sprintf("codec: a registry in memory refused the catalog: %v", err))
	}
	return c
}
