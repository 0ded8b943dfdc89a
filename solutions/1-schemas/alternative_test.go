package codec_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// The alternatives are right answers with other designs. They use the reference's producer and
// consumer, and nothing of its codec. A body is a tree of maps, and only the text of the schema
// decides the bytes of a tree.
//
//	library      twmb/avro reads and writes the trees, and has Avro's own compatibility rules
//	             (library_test.go)
//	interpreter  visits the schema's JSON beside the tree, without an Avro library
//	             (interpreter_test.go)
func TestAlternativesHaveFullMarks(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]wire{
		"library": library{new(sync.Map)}, "interpreter": interpreter{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answer(t)
			withWire(w)(&f)
			if name == "library" {
				f.Compatible, f.Readable = compatibleByLibrary, readableByLibrary
				f.NewJSON = newTreeJSON
			}
			requireFullMarks(t, f)
		})
	}
}

// A wire turns trees into Avro bodies and back, under a schema's text. Its errors are the
// contract's.
type wire interface {
	write(text string, t tree) ([]byte, error)
	read(text string, body []byte) (tree, error)
}

// settled is trade.settled by hand, as a tree.
type settled struct{ wire }

func (s settled) encode(id int, body trade.Settle) ([]byte, error) {
	_, t := treeOf(body)
	latest, _ := schemas.Latest("trade.settled")
	data, err := s.write(latest.Text, t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrUnencodable, err)
	}
	return wireData(id, data), nil
}

func (s settled) decode(body []byte) (trade.Settle, error) {
	latest, _ := schemas.Latest("trade.settled")
	t, err := s.read(latest.Text, body)
	if err != nil {
		return trade.Settle{}, err
	}
	found := bodyOf("trade.settled", t).(trade.Settle)
	again, err := s.encode(0, found)
	if err != nil || !bytes.Equal(again[prefixSize:], body) {
		return trade.Settle{}, contract.ErrMalformed
	}
	return found, nil
}

type treeCodec struct {
	wire
	registry contract.Registry
	ids      map[string]int // of each type's latest version

	mu    sync.Mutex             // held while the registry is asked, so that it is asked once
	known map[int]schemas.Schema // the zero Schema is outside the catalog

	// The faults of wrong answers.
	asksConcurrently bool // goroutines that meet one id all ask the registry
	forgetful        bool // asks again for an id outside the catalog
	ignoresPrefix    bool // in the size of data
	alwaysMarket     bool // every old curve gets a market
}

func newTreeCodec(
	ctx context.Context, registry contract.Registry, name string, w wire,
) (*treeCodec, error) {
	c := &treeCodec{
		wire: w, registry: registry, ids: map[string]int{}, known: map[int]schemas.Schema{},
	}
	for _, s := range schemas.All() {
		id, err := registry.Register(ctx, name+"-"+s.Type, s.Text)
		if err != nil {
			return nil, err
		}
		c.ids[s.Type], c.known[id] = id, s
	}
	return c, nil
}

func (c *treeCodec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	typ, t := treeOf(body)
	if t == nil {
		return contract.Payload{}, fmt.Errorf("%w: %T", contract.ErrUnencodable, body)
	}
	s, _ := schemas.Latest(typ)
	data, err := c.data(typ, t)
	if err != nil {
		return contract.Payload{}, err
	}
	return contract.Payload{
		Type: typ, Schema: s.Version, Fingerprint: s.Fingerprint, Data: data,
	}, nil
}

func (c *treeCodec) data(typ string, t tree) ([]byte, error) {
	s, _ := schemas.Latest(typ)
	body, err := c.write(s.Text, t)
	size := len(body) + prefixSize
	if c.ignoresPrefix {
		size = len(body)
	}
	if err == nil && size > contract.MaxData {
		err = contract.ErrOversize
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrUnencodable, err)
	}
	return wireData(c.ids[typ], body), nil
}

func (c *treeCodec) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	t, err := c.tree(ctx, typ, data)
	if err != nil {
		return nil, err
	}
	body := bodyOf(typ, t)
	if body == nil {
		return nil, contract.ErrWrongType
	}
	return body, nil
}

func (c *treeCodec) tree(ctx context.Context, typ string, data []byte) (tree, error) {
	switch {
	case len(data) > contract.MaxData:
		return nil, contract.ErrOversize
	case len(data) > 0 && data[0] != 0:
		return nil, contract.ErrMagic
	case len(data) < prefixSize:
		return nil, contract.ErrTruncated
	}
	s, err := c.schema(ctx, int(binary.BigEndian.Uint32(data[1:])))
	if err == nil && s.Type != typ {
		err = contract.ErrWrongType
	}
	if err != nil {
		return nil, err
	}
	t, err := c.read(s.Text, data[prefixSize:])
	if err != nil {
		return nil, err
	}
	return c.upcast(s, t), nil
}

func (c *treeCodec) schema(ctx context.Context, id int) (schemas.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.known[id]
	if !ok {
		text, err := c.ask(ctx, id)
		if err != nil {
			return schemas.Schema{}, err
		}
		if s, ok = schemas.Identify(text); ok || !c.forgetful {
			c.known[id] = s
		}
	}
	if s.Version == 0 {
		return s, contract.ErrUnknownSchema
	}
	return s, nil
}

func (c *treeCodec) ask(ctx context.Context, id int) (string, error) {
	if c.asksConcurrently {
		c.mu.Unlock()
		defer c.mu.Lock()
	}
	return c.registry.Text(ctx, id)
}

// A treeJSON reads JSON into a tree, as the schema in Avro directs (json_test.go). The reference
// judges the prefix.
type treeJSON struct {
	*codec.JSONForm
	registry contract.Registry
	name     string
}

func newTreeJSON(
	ctx context.Context, r contract.Registry, name string, avro contract.Codec,
) (contract.JSONCodec, error) {
	j, err := codec.NewJSON(ctx, r, name, avro)
	return treeJSON{j, r, name}, err
}

func (j treeJSON) Avro(ctx context.Context, e contract.Event) (contract.Event, error) {
	_, err := j.JSONForm.Avro(ctx, e)
	if err != nil && !errors.Is(err, contract.ErrMalformed) {
		return contract.Event{}, err
	}
	data, err := avroOfJSON(e.Type, e.Data[prefixSize:])
	if err != nil {
		return contract.Event{}, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	s, _ := schemas.Latest(e.Type)
	id, err := j.registry.Register(ctx, j.name+"-"+s.Type, s.Text)
	e.Schema, e.Fingerprint, e.Data = s.Version, s.Fingerprint, wireData(id, data)
	return e, err
}

// upcast edits a tree of an old version.
func (c *treeCodec) upcast(s schemas.Schema, t tree) tree {
	switch {
	case s.Type == "trade.settled" && s.Version == 1:
		t["price_source"], t["from"], t["to"] = nil, nil, nil
	case s.Type == "price.marked" && s.Version == 1:
		if setCurve(t, t.text("curve")); c.alwaysMarket && t["market"] == nil {
			t["market"] = ""
		}
	}
	return t
}

func (c *treeCodec) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	return c.data("store.head", treeOfHead(h))
}

func (c *treeCodec) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	t, err := c.tree(ctx, "store.head", data)
	if err != nil {
		return contract.Head{}, err
	}
	if id := t.text("event_id"); len(id) != 36 || uuid.Validate(id) != nil {
		return contract.Head{}, contract.ErrMalformed
	}
	return headOf(t), nil
}
