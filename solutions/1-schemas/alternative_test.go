package codec_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// Other right answers. They share the reference's Kafka, and nothing of its codec: a body is a tree of maps (tree_test.go), and what a tree is on
// the wire is decided by the text of the schema alone.
//
//	library      twmb/avro reads and writes the trees, and has Avro's rules of compatibility (library_test.go)
//	interpreter  the schema's JSON is walked beside the tree; no Avro library at all (interpreter_test.go)
func TestOtherRightAnswersHaveFullMarks(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]wire{"library": library{}, "interpreter": interpreter{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answer(t)
			f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
				return newTreeCodec(ctx, r, prefix, w)
			}
			if name == "library" {
				f.Compatible = compatibleByLibrary
			}
			fullMarks(t, f)
		})
	}
}

// A wire turns trees into Avro bodies and back, by a schema's text. Its errors are the contract's.
type wire interface {
	write(text string, t tree) ([]byte, error)
	read(text string, body []byte) (tree, error)
}

type treeCodec struct {
	wire
	registry contract.Registry
	ids      map[string]int // of each type's latest version

	mu    sync.Mutex             // held while the registry is asked, so that it is asked once
	known map[int]schemas.Schema // the zero one where it is not in the catalog

	impatient, forgetful bool // wrong: who comes while another asks does so too; what is not in the catalog is asked for again
	bare                 bool // wrong: what stands before the body is not counted
	paired               bool // wrong: a name of version 1 has two parts
	generous             bool // wrong: an id may be written in any way
}

func newTreeCodec(ctx context.Context, registry contract.Registry, prefix string, w wire) (*treeCodec, error) {
	c := &treeCodec{wire: w, registry: registry, ids: map[string]int{}, known: map[int]schemas.Schema{}}
	for _, s := range schemas.All() {
		id, err := registry.Register(ctx, prefix+"-"+s.Type, s.Text)
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
	return contract.Payload{Type: typ, Schema: s.Version, Fingerprint: s.Fingerprint, Data: data}, nil
}

func (c *treeCodec) data(typ string, t tree) ([]byte, error) {
	s, _ := schemas.Latest(typ)
	body, err := c.write(s.Text, t)
	if err == nil && len(body)+header > contract.MaxData && (!c.bare || len(body) > contract.MaxData) {
		err = contract.ErrOversize
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrUnencodable, err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(c.ids[typ])), body...), nil
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
	case len(data) < header:
		return nil, contract.ErrTruncated
	}
	s, err := c.schema(ctx, int(binary.BigEndian.Uint32(data[1:])))
	if err == nil && s.Type != typ {
		err = contract.ErrWrongType
	}
	if err != nil {
		return nil, err
	}
	t, err := c.read(s.Text, data[header:])
	if err != nil {
		return nil, err
	}
	return c.up(s, t), nil
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
	if c.impatient {
		c.mu.Unlock()
		defer c.mu.Lock()
	}
	return c.registry.Text(ctx, id)
}

// up edits a tree of an old version.
func (c *treeCodec) up(s schemas.Schema, t tree) tree {
	switch {
	case s.Type == "trade.settled" && s.Version == 1:
		t["price_source"] = nil
	case s.Type == "price.marked" && s.Version == 1:
		if cut(t, t.text("curve")); c.paired && t["market"] == nil {
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
	if id := t.text("event_id"); len(id) != 36 && !c.generous || uuid.Validate(id) != nil {
		return contract.Head{}, contract.ErrMalformed
	}
	return headOf(t), nil
}
