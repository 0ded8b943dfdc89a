package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// prefixSize is the size of the zero byte and the schema id, which precede the Avro body.
const prefixSize = 5

// A Codec encodes under the latest schemas and decodes under every schema of the catalog. It is
// safe for concurrent use. It asks the registry once for each id that it did not publish itself.
type Codec struct {
	registry Registry
	latest   map[string]published // by type; New fills it, and nothing changes it later
	byID     sync.Map             // int to schemas.Schema; the zero Schema is outside the catalog
	lookups  sync.Map             // int to chan struct{}: lookups in flight; closed at their end
}

// published is a schema under the id that the registry gave it.
type published struct {
	schemas.Schema
	format format
	id     uint32
}

var (
	_ contract.Codec     = (*Codec)(nil)
	_ contract.HeadCodec = (*Codec)(nil)
)

// New publishes the whole catalog in the registry and remembers its ids. The subject of a type is
// name, a dash and the type, and logs with different names do not share subjects in a registry.
// Publishing again changes nothing.
func New(ctx context.Context, registry Registry, name string) (*Codec, error) {
	c := &Codec{registry: registry, latest: map[string]published{}}
	for _, s := range schemas.All() { // oldest first, for the registry's compatibility check
		id, err := registry.Register(ctx, name+"-"+s.Type, s.Text)
		if err != nil {
			return nil, fmt.Errorf("publish %s version %d: %w", s.Type, s.Version, err)
		}
		c.latest[s.Type] = published{s, latest(s.Type), uint32(id)}
		c.byID.Store(id, s)
	}
	return c, nil
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

// Encode fills Type, Schema, Fingerprint and Data of an event (see contract.Codec).
func (c *Codec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	typ := typeOf(body)
	if typ == "" {
		return contract.Payload{}, fmt.Errorf("%w: no event type for body %T",
			contract.ErrUnencodable, body)
	}
	return c.encode(typ, body)
}

func (c *Codec) encode(typ string, body any) (contract.Payload, error) {
	p, ok := c.latest[typ]
	if !ok {
		return contract.Payload{}, fmt.Errorf("%w: the catalog has no schema of %s",
			contract.ErrUnencodable, typ)
	}
	data, err := p.format.write(p.id, p.format.fromBody(body))
	if err != nil {
		return contract.Payload{}, fmt.Errorf("encode %s: %w", typ, err)
	}
	return contract.Payload{
		Type: typ, Schema: p.Version, Fingerprint: p.Fingerprint, Data: data,
	}, nil
}

// Decode is the inverse of Encode (see contract.Codec).
func (c *Codec) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	value, err := c.decode(ctx, typ, data)
	if err != nil {
		return nil, err
	}
	body, ok := value.(trade.Body)
	if !ok {
		return nil, fmt.Errorf("decode %s: %w: it is no event", typ, contract.ErrWrongType)
	}
	return body, nil
}

// EncodeHead returns a head in the wire format.
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

// decode reads data under the schema that its prefix names, and converts the value to the latest
// version.
func (c *Codec) decode(ctx context.Context, typ string, data []byte) (any, error) {
	s, err := c.schemaOf(ctx, data)
	if err == nil && s.Type != typ {
		err = fmt.Errorf("%w: %s", contract.ErrWrongType, s.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	f, ok := formatOf(s.Type, s.Version)
	if !ok { // a test holds the formats against the catalog
		panic(fmt.Sprintf("codec: no format for %s version %d", s.Type, s.Version))
	}
	value, err := f.read(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", typ, s.Version, err)
	}
	return f.upcast(value), nil
}

// schemaOf returns the schema that the prefix of data names.
func (c *Codec) schemaOf(ctx context.Context, data []byte) (schemas.Schema, error) {
	switch {
	case len(data) > contract.MaxData:
		return schemas.Schema{}, fmt.Errorf("%w: %d bytes, at most %d",
			contract.ErrOversize, len(data), contract.MaxData)
	case len(data) > 0 && data[0] != 0:
		return schemas.Schema{}, fmt.Errorf("%w: %#02x", contract.ErrMagic, data[0])
	case len(data) < prefixSize:
		return schemas.Schema{}, fmt.Errorf("%w: in the prefix, after %d bytes",
			contract.ErrTruncated, len(data))
	}
	return c.lookUp(ctx, int(binary.BigEndian.Uint32(data[1:])))
}

// lookUp returns the schema of the catalog that has an id.
func (c *Codec) lookUp(ctx context.Context, id int) (schemas.Schema, error) {
	known, ok := c.byID.Load(id)
	if !ok {
		var err error
		if known, err = c.lookUpOnce(ctx, id); err != nil {
			return schemas.Schema{}, fmt.Errorf("schema %d: %w", id, err)
		}
	}
	s := known.(schemas.Schema)
	if s.Version == 0 {
		return s, fmt.Errorf("schema %d: %w that this program knows: it is not in its catalog",
			id, contract.ErrUnknownSchema)
	}
	return s, nil
}

// lookUpOnce asks the registry for an id, one goroutine at a time. A goroutine that had to wait
// finds the answer of the other, or asks in its turn: it does not share the failure of another
// goroutine (L1.I6). Lookups of different ids do not wait for each other.
func (c *Codec) lookUpOnce(ctx context.Context, id int) (any, error) {
	mine := make(chan struct{})
	for {
		other, busy := c.lookups.LoadOrStore(id, mine)
		if !busy {
			break
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() {
		c.lookups.Delete(id) // BEFORE the others are woken: they must not find this lookup again
		close(mine)
	}()
	if known, ok := c.byID.Load(id); ok {
		return known, nil
	}
	return c.fetch(ctx, id)
}

// fetch asks the registry and remembers the schema. The text of an id never changes, so an id that
// is outside the catalog stays outside. An id without a text is asked for again each time, because
// a program may publish it at any moment.
func (c *Codec) fetch(ctx context.Context, id int) (any, error) {
	text, err := c.registry.Text(ctx, id)
	if err != nil {
		return nil, err
	}
	s, _ := schemas.Identify(text)
	c.byID.Store(id, s)
	return s, nil
}

// write returns a value of this version in the wire format.
func (f format) write(id uint32, value any) ([]byte, error) {
	w := &writer{out: newEncoder()}
	w.out.raw(binary.BigEndian.AppendUint32([]byte{0}, id))
	f.walk(w, value)
	data := w.out.done()
	if w.err == nil && len(data) > contract.MaxData {
		w.err = fmt.Errorf("%w: %w: %d bytes, at most %d",
			contract.ErrUnencodable, contract.ErrOversize, len(data), contract.MaxData)
	}
	return data, w.err
}

// read is the inverse of write. It writes the value again and compares the bytes. This refuses
// padded integers, split arrays, and zeros in place of null: no two payloads have one meaning
// (L1.I3).
func (f format) read(data []byte) (any, error) {
	r := &reader{in: newDecoder(data[prefixSize:])}
	value := f.walk(r, nil)
	if err := r.in.end(); err != nil {
		return nil, err
	}
	again, err := f.write(binary.BigEndian.Uint32(data[1:]), value)
	if err != nil { // %v, not %w: for the caller of Decode this is no ErrUnencodable
		return nil, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: it is not the one encoding of its value",
			contract.ErrMalformed)
	}
	return value, nil
}
