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

// headerSize is the zero byte and the id that stand before the Avro body.
const headerSize = 5

// A Codec encodes under the latest schemas and decodes under every one of the catalog. It is safe for concurrent use, and asks
// the registry once for each id that it did not publish itself.
type Codec struct {
	registry Registry
	latest   map[string]published // by type; never changed after New
	byID     sync.Map             // int to schemas.Schema, the zero one for what is not in the catalog
	asking   sync.Map             // int to a chan struct{} that is closed when who asks for that id is done; in it only meanwhile
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

// New publishes the whole catalog in the registry and learns its ids. The subject of a type is prefix, a dash and the type, so that
// logs which share a registry do not share subjects. Publishing again changes nothing.
func New(ctx context.Context, registry Registry, prefix string) (*Codec, error) {
	c := &Codec{registry: registry, latest: map[string]published{}}
	for _, s := range schemas.All() { // oldest version first, as a registry's compatibility check wants them
		id, err := registry.Register(ctx, prefix+"-"+s.Type, s.Text)
		if err != nil {
			return nil, fmt.Errorf("publish %s version %d: %w", s.Type, s.Version, err)
		}
		c.latest[s.Type] = published{s, latest(s.Type), uint32(id)}
		c.byID.Store(id, s)
	}
	return c, nil
}

// Offline is a codec over a registry in memory: for tests, and for whatever needs no other process to read its bytes.
func Offline() *Codec {
	c, err := New(context.Background(), InMemory(), "offline")
	if err != nil {
		panic(fmt.Sprintf("codec: a registry in memory refused the catalog: %v", err)) // it refuses nothing
	}
	return c
}

// Encode fills Type, Schema, Fingerprint and Data of an event (see contract.Codec).
func (c *Codec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	typ := typeOf(body)
	if typ == "" {
		return contract.Payload{}, fmt.Errorf("%w: no event type for body %T", contract.ErrUnencodable, body)
	}
	return c.encode(typ, body)
}

func (c *Codec) encode(typ string, body any) (contract.Payload, error) {
	p := c.latest[typ]
	data, err := p.format.write(p.id, p.format.from(body))
	if err != nil {
		return contract.Payload{}, fmt.Errorf("encode %s: %w", typ, err)
	}
	return contract.Payload{Type: typ, Schema: p.Version, Fingerprint: p.Fingerprint, Data: data}, nil
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

// decode reads data as its writer meant it, under the schema that its header names, and gives what that says today.
func (c *Codec) decode(ctx context.Context, typ string, data []byte) (any, error) {
	s, err := c.schemaOf(ctx, data)
	if err == nil && s.Type != typ {
		err = fmt.Errorf("%w: %s", contract.ErrWrongType, s.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	f, ok := formatOf(s.Type, s.Version)
	if !ok {
		panic(fmt.Sprintf("codec: no format for %s version %d", s.Type, s.Version)) // the catalog and the formats are one by a test
	}
	value, err := f.read(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", typ, s.Version, err)
	}
	return f.today(value), nil
}

// schemaOf is the schema that the wire format's header names.
func (c *Codec) schemaOf(ctx context.Context, data []byte) (schemas.Schema, error) {
	switch {
	case len(data) > contract.MaxData:
		return schemas.Schema{}, fmt.Errorf("%w: %d bytes, at most %d", contract.ErrOversize, len(data), contract.MaxData)
	case len(data) > 0 && data[0] != 0:
		return schemas.Schema{}, fmt.Errorf("%w: %#02x", contract.ErrMagic, data[0])
	case len(data) < headerSize:
		return schemas.Schema{}, fmt.Errorf("%w: in the header, after %d bytes", contract.ErrTruncated, len(data))
	}
	return c.lookUp(ctx, int(binary.BigEndian.Uint32(data[1:])))
}

// lookUp finds the schema of the catalog behind an id.
func (c *Codec) lookUp(ctx context.Context, id int) (schemas.Schema, error) {
	known, ok := c.byID.Load(id)
	if !ok {
		var err error
		if known, err = c.ask(ctx, id); err != nil {
			return schemas.Schema{}, fmt.Errorf("schema %d: %w", id, err)
		}
	}
	s := known.(schemas.Schema)
	if s.Version == 0 {
		return s, fmt.Errorf("schema %d: %w that this program knows: it is not in its catalog", id, contract.ErrUnknownSchema)
	}
	return s, nil
}

// ask learns what is behind an id. One asks for it at a time, and whoever had to wait finds that it is known by now (L1.I6), or asks in turn:
// the failure of another is not its own. One id does not wait for another.
func (c *Codec) ask(ctx context.Context, id int) (any, error) {
	mine := make(chan struct{})
	for {
		other, busy := c.asking.LoadOrStore(id, mine)
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
		c.asking.Delete(id) // BEFORE the others are woken: they must not find it again
		close(mine)
	}()
	if known, ok := c.byID.Load(id); ok {
		return known, nil
	}
	return c.learn(ctx, id)
}

// learn asks the registry. A text never changes behind its id, so whether it is in the catalog is known for good; an id without a text is
// asked for again each time, because it may be published any moment.
func (c *Codec) learn(ctx context.Context, id int) (any, error) {
	text, err := c.registry.Text(ctx, id)
	if err != nil {
		return nil, err
	}
	s, _ := schemas.Identify(text)
	c.byID.Store(id, s)
	return s, nil
}

// write is a value of this version in the wire format.
func (f format) write(id uint32, value any) ([]byte, error) {
	w := &writer{out: newEncoder()}
	w.out.raw(binary.BigEndian.AppendUint32([]byte{0}, id))
	f.walk(w, value)
	data := w.out.done()
	if w.err == nil && len(data) > contract.MaxData {
		w.err = fmt.Errorf("%w: %w: %d bytes, at most %d", contract.ErrUnencodable, contract.ErrOversize, len(data), contract.MaxData)
	}
	return data, w.err
}

// read is the inverse of write. What it read must be written as the same bytes: so padded integers, split arrays and zeros
// where null belongs are refused, and no two payloads mean the same (L1.I3).
func (f format) read(data []byte) (any, error) {
	r := &reader{in: newDecoder(data[headerSize:])}
	value := f.walk(r, nil)
	if err := r.in.end(); err != nil {
		return nil, err
	}
	again, err := f.write(binary.BigEndian.Uint32(data[1:]), value)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", contract.ErrMalformed, err) // %v: to the caller this is no failure to encode
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: it is not the one encoding of its value", contract.ErrMalformed)
	}
	return value, nil
}
