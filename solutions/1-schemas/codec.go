package codec

import (
	"context"
	"encoding/binary"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// A Codec encodes under the latest schemas and decodes under every schema of the catalog. It is
// safe for concurrent use. It asks the registry once for each id that it did not publish itself.
type Codec struct {
	registry Registry
	ids      map[string]int         // of the latest version of each type; New fills the two maps,
	own      map[int]schemas.Schema // and nothing changes them later
	foreign  memo                   // ids that other programs published
}

// New publishes the whole catalog in the registry and remembers its ids. The subject of a type is
// name, a dash and the type, and logs with different names do not share subjects in a registry.
// Publishing again changes nothing.
func New(ctx context.Context, registry Registry, name string) (*Codec, error) {
	c := &Codec{registry: registry, ids: map[string]int{}, own: map[int]schemas.Schema{}}
	for _, s := range schemas.All() { // oldest first, for the registry's compatibility check
		id, err := registry.Register(ctx, name+"-"+s.Type, s.Text)
		if err != nil {
			return nil, fmt.Errorf("publish %s version %d: %w", s.Type, s.Version, err)
		}
		c.ids[s.Type], c.own[id] = id, s
	}
	return c, nil
}

// encode returns the payload of a body. Encode and EncodeHead (events.go) call it with the type of
// the body.
func (c *Codec) encode(typ string, body any) (contract.Payload, error) {
	s, ok := schemas.Latest(typ)
	if !ok {
		return contract.Payload{}, fmt.Errorf("%w: the catalog has no schema of %s",
			contract.ErrUnencodable, typ)
	}
	f := latest(typ)
	data, err := f.write(prefixOf(c.ids[typ]), f.fromBody(body))
	if err == nil && len(data) > contract.MaxData {
		err = fmt.Errorf("%w: %w: %d bytes, at most %d",
			contract.ErrUnencodable, contract.ErrOversize, len(data), contract.MaxData)
	}
	if err != nil {
		return contract.Payload{}, fmt.Errorf("encode %s: %w", typ, err)
	}
	return contract.Payload{
		Type: typ, Schema: s.Version, Fingerprint: s.Fingerprint, Data: data,
	}, nil
}

// decode reads data under the schema that its prefix names, and converts the value to the latest
// version. Decode and DecodeHead (events.go) call it.
func (c *Codec) decode(ctx context.Context, typ string, data []byte) (any, error) {
	switch {
	case len(data) > contract.MaxData:
		return nil, fmt.Errorf("%w: %d bytes, at most %d",
			contract.ErrOversize, len(data), contract.MaxData)
	case len(data) > 0 && data[0] != 0:
		return nil, fmt.Errorf("%w: %#02x", contract.ErrMagic, data[0])
	case len(data) < prefixSize:
		return nil, fmt.Errorf("%w: in the prefix, after %d bytes",
			contract.ErrTruncated, len(data))
	}
	id := int(binary.BigEndian.Uint32(data[1:]))
	s, ok := c.own[id]
	if !ok {
		var err error
		if s, err = c.lookUp(ctx, id); err != nil {
			return nil, err
		}
	}
	if s.Type != typ {
		return nil, fmt.Errorf("%w: %s", contract.ErrWrongType, s.Type)
	}
	f := formatOf(s)
	value, err := f.read(data[prefixSize:])
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", s.Version, err)
	}
	return f.upcast(value), nil
}

// lookUp returns the schema of the catalog that another program published under an id. The text of
// an id never changes, so an id that is outside the catalog stays outside. An id without a text is
// asked for again each time, because a program may publish it at any moment.
func (c *Codec) lookUp(ctx context.Context, id int) (schemas.Schema, error) {
	s, err := c.foreign.get(ctx, id, func() (schemas.Schema, error) {
		text, err := c.registry.Text(ctx, id)
		if err != nil {
			return schemas.Schema{}, err
		}
		s, _ := schemas.Identify(text) // the zero Schema is outside the catalog
		return s, nil
	})
	switch {
	case err != nil:
		return s, fmt.Errorf("schema %d: %w", id, err)
	case s.Version == 0:
		return s, fmt.Errorf("schema %d: %w that this program knows: it is not in its catalog",
			id, contract.ErrUnknownSchema)
	}
	return s, nil
}

var (
	_ contract.Codec     = (*Codec)(nil)
	_ contract.HeadCodec = (*Codec)(nil)
)
