package canary

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// before turns the record of a type's latest version into that of the version before, for a version
// that Avro's rules alone do not turn back. A record has the names of its fields, and no logical
// types: a decimal is its bytes. Remove the function after the promotion.
var before = map[string]func(record map[string]any){}

type streamKey struct{}

// OnStream returns a context for the encoding of an event of a stream.
func OnStream(ctx context.Context, stream string) context.Context {
	return context.WithValue(ctx, streamKey{}, stream)
}

// Inner is the codec of Lab 1.
type Inner interface {
	contract.Codec
	contract.HeadCodec
}

// A Codec encodes each event under the version that the canary of its type chooses for its stream,
// and decodes also under newer versions than its program knows. It is safe for concurrent use.
type Codec struct {
	Inner
	Registry contract.Registry
	Name     string         // a subject is name, a dash and the type
	Log      contract.Store // has the states of the canaries
	Now      func() time.Time
	Readable func(reader, writer string) error // see codec.Readable of Lab 1

	mu     sync.Mutex
	states map[string]cached
	ids    map[schemas.Schema]int // of earlier versions
}

type cached struct {
	State
	until time.Time
}

// stale is the longest time for which a writer goes on with the state of a canary.
const stale = time.Second

func (c *Codec) state(ctx context.Context, typ string) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	if kept, ok := c.states[typ]; ok && now.Before(kept.until) {
		return kept.State, nil
	}
	s, err := Read(ctx, c.Log, typ)
	if err != nil {
		return s, fmt.Errorf("read the canary of %s: %w", typ, err)
	}
	if c.states == nil {
		c.states = map[string]cached{}
	}
	c.states[typ] = cached{s, now.Add(stale)}
	return s, nil
}

// Encode implements contract.Codec. Without OnStream it encodes under the latest version.
func (c *Codec) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := c.Inner.Encode(ctx, body)
	stream, on := ctx.Value(streamKey{}).(string)
	if err != nil || !on || p.Schema == 1 {
		return p, err
	}
	s, err := c.state(ctx, p.Type)
	if version := s.Writes(stream, p.Schema); err == nil && version != p.Schema {
		return c.earlier(ctx, p, version)
	}
	return p, err
}

// earlier returns a payload under an earlier version of its type. It reads that again and compares,
// so that no value is lost on the way.
func (c *Codec) earlier(
	ctx context.Context, p contract.Payload, version int,
) (contract.Payload, error) {
	written, _ := schemas.Find(p.Type, p.Schema)
	to, ok := schemas.Find(p.Type, version)
	if !ok {
		return p, fmt.Errorf("%w: %s has no version %d", contract.ErrUnencodable, p.Type, version)
	}
	id, err := c.publish(ctx, to)
	if err != nil {
		return p, err
	}
	data, err := resolve(to.Text, written.Text, id, p.Data, before[p.Type])
	if err != nil {
		return p, fmt.Errorf("%w: %s version %d: %w", contract.ErrUnencodable, p.Type, version, err)
	}
	again, err := c.Inner.Decode(ctx, p.Type, data)
	same := contract.Payload{}
	if err == nil {
		same, err = c.Inner.Encode(ctx, again)
	}
	if err != nil || !bytes.Equal(same.Data, p.Data) {
		return p, fmt.Errorf("%w: it needs version %d of %s, and its stream is written under "+
			"version %d until the canary is promoted", contract.ErrUnencodable, p.Schema, p.Type,
			version)
	}
	return contract.Payload{Type: p.Type, Schema: to.Version, Fingerprint: to.Fingerprint,
		Data: data}, nil
}

// publish returns the registry's id of an earlier version.
func (c *Codec) publish(ctx context.Context, s schemas.Schema) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, ok := c.ids[s]; ok {
		return id, nil
	}
	id, err := c.Registry.Register(ctx, c.Name+"-"+s.Type, s.Text)
	if err != nil {
		return 0, fmt.Errorf("publish %s version %d: %w", s.Type, s.Version, err)
	}
	if c.ids == nil {
		c.ids = map[schemas.Schema]int{}
	}
	c.ids[s] = id
	return id, nil
}

// Decode implements contract.Codec. Data of a schema that this program does not know is read under
// the latest one that it knows, if the registry has the schema, its record is the same, and Avro's
// rules allow it without a change of a logical type. Otherwise the schema stays unknown.
func (c *Codec) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, unknown := c.Inner.Decode(ctx, typ, data)
	if !errors.Is(unknown, contract.ErrUnknownSchema) || len(data) < prefix {
		return body, unknown
	}
	text, err := c.Registry.Text(ctx, int(binary.BigEndian.Uint32(data[1:])))
	latest, known := schemas.Latest(typ)
	if err != nil || !known || nameOf(text) != nameOf(latest.Text) ||
		c.Readable(latest.Text, text) != nil {
		return body, unknown
	}
	id, err := c.publish(ctx, latest)
	if err != nil {
		return nil, err
	}
	if data, err = resolve(latest.Text, text, id, data, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrMalformed, err)
	}
	return c.Inner.Decode(ctx, typ, data)
}

// DecodeAs implements contract.SchemaDecoder, also over a codec that does not.
func (c *Codec) DecodeAs(
	ctx context.Context, s schemas.Schema, data []byte,
) (trade.Body, error) {
	if direct, ok := c.Inner.(contract.SchemaDecoder); ok {
		return direct.DecodeAs(ctx, s, data)
	}
	return c.Inner.Decode(ctx, s.Type, data)
}

// prefix is the number of bytes before the Avro body: zero, and the registry's id.
const prefix = 5

// resolve writes data of one schema under another, with the id of that in front (Avro 1.12.0,
// "Schema Resolution"). Logical types are left out: their bytes stay as they are.
// convert, which may be nil, changes the record in between.
func resolve(
	reader, writer string, id int, data []byte, convert func(record map[string]any),
) ([]byte, error) {
	r, err := plain(reader)
	if err != nil {
		return nil, err
	}
	w, err := plain(writer)
	if err != nil {
		return nil, err
	}
	both, err := avro.NewSchemaCompatibility().Resolve(r, w)
	if err != nil {
		return nil, err
	}
	var value any
	if err := avro.Unmarshal(both, data[prefix:], &value); err != nil {
		return nil, err
	}
	if record, ok := value.(map[string]any); ok && convert != nil {
		convert(record)
	}
	body, err := exact.Marshal(r, value)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...), err
}

// exact writes an array as Lab 1 does: as one block, without its size in bytes.
var exact = avro.Config{DisableBlockSizeHeader: true}.Freeze()

// plain parses a schema without its logical types.
func plain(text string) (avro.Schema, error) {
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, err
	}
	strip(tree)
	stripped, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	return avro.ParseWithCache(string(stripped), "", &avro.SchemaCache{})
}

func strip(node any) {
	switch n := node.(type) {
	case map[string]any:
		delete(n, "logicalType")
		for _, child := range n {
			strip(child)
		}
	case []any:
		for _, child := range n {
			strip(child)
		}
	}
}

// nameOf returns the full name of a record; empty for any other schema.
func nameOf(text string) string {
	s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if record, ok := s.(*avro.RecordSchema); err == nil && ok {
		return record.FullName()
	}
	return ""
}

var (
	_ contract.Codec         = (*Codec)(nil)
	_ contract.SchemaDecoder = (*Codec)(nil)
)
