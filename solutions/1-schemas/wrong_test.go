package codec_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A wrong answer is the reference with one thing believed that is not so.
type wrong struct {
	name  string // what is believed
	finds string // the check that is there for it; its words are in testdata/wrong
	also  string // the others that fail, and no more do
	bend  func(*codectest.Fixture)
}

var wrongs = []wrong{
	{"a registry that is away has it all already", "L1.1", "", bendRegistry(func(r contract.Registry) contract.Registry { return trusting{r} })},
	{"only the latest version needs to be published", "L1.1", "", bendRegistry(func(r contract.Registry) contract.Registry { return latestOnly{r} })},
	{"the text may be compacted on its way", "L1.1", "L1.2 L1.3 L1.12 L1.13 L1.14", bendRegistry(func(r contract.Registry) contract.Registry { return compacting{r} })},
	{"there is but one desk", "L1.1", "", func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, _ string) (codectest.Codec, error) {
			return right(ctx, r, "desk")
		}
	}},
	{"ids are little-endian", "L1.2", "L1.3 L1.5 L1.7 L1.8 L1.9 L1.10 L1.11 L1.12 L1.13 L1.14 L1.15 L1.16 L1.17 L1.24", bendCodec(func(c *bent) {
		c.encoded = func(p contract.Payload) contract.Payload { slices.Reverse(p.Data[1:5]); return p }
		c.wire = func(data []byte) []byte { flip(data); return data }
	})},
	{"the last field may be left to its default", "L1.3", "L1.4 L1.6", bendCodec(func(c *bent) {
		c.body = func(b trade.Body) trade.Body {
			if s, ok := b.(trade.Settle); ok {
				s.PriceSource = ""
				return s
			}
			return b
		}
	})},
	{"what is beside the data is for people", "L1.3", "", bendCodec(func(c *bent) {
		c.encoded = func(p contract.Payload) contract.Payload {
			if p.Type != "trade.settled" {
				p.Schema, p.Fingerprint = 99, [32]byte{}
			}
			return p
		}
	})},
	{"what is done to a contract is a settlement of it", "L1.3", "L1.6", bendCodec(func(c *bent) {
		c.encoded = func(p contract.Payload) contract.Payload {
			if slices.Contains([]string{"trade.amended", "trade.cancelled", "trade.novated", "trade.exercised"}, p.Type) {
				p.Type = "trade.settled"
				binary.BigEndian.PutUint32(p.Data[1:], 0x09090909)
			}
			return p
		}
	})},
	{"one buffer is enough for all", "L1.3", "", bendCodec(func(c *bent) {
		buffer := make([]byte, 0, contract.MaxData)
		c.encoded = func(p contract.Payload) contract.Payload {
			p.Data = append(buffer, p.Data...)
			return p
		}
	})},
	{"a long number is written from its end", "L1.3", "L1.5 L1.7", bendWire(interpreter{twist: reversing("decimal", 6)})},
	{"a long text is written from its end", "L1.3", "L1.5", bendWire(interpreter{twist: reversing("string", 40)})},
	{"each item is a block", "L1.3", "", bendWire(interpreter{items: true})},
	{"any number of microseconds is a time", "L1.4", "", bendWire(interpreter{anyYear: true})},
	{"time begins in 1970", "L1.3", "L1.4 L1.6", bendCodec(func(c *bent) {
		c.body = func(b trade.Body) trade.Body {
			if n, ok := b.(trade.New); ok && n.Instrument.Option != nil {
				option := *n.Instrument.Option
				option.From, option.Until = later(option.From, time.Unix(0, 0)), later(option.Until, time.Unix(0, 0))
				n.Instrument.Option = &option
				return n
			}
			return b
		}
	})},
	{"what stands before the body is not counted", "L1.4", "", bendTree(func(c *treeCodec) { c.bare = true })},
	{"an error says what to make of the rest", "L1.4", "", func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			c, err := right(ctx, r, prefix)
			return besideErrors{c}, err
		}
	}},
	{"a price with too many places is rounded", "L1.4", "", bendCodec(func(c *bent) {
		c.body = func(b trade.Body) trade.Body {
			if s, ok := b.(trade.Settle); ok {
				s.Price = s.Price.Round(6)
				return s
			}
			return b
		}
	})},
	{"a time is shown in the zone of its reader", "L1.5", "L1.6", bendCodec(func(c *bent) {
		c.read = func(b trade.Body) trade.Body {
			if n, ok := b.(trade.New); ok && n.Instrument.Option != nil {
				option := *n.Instrument.Option
				option.Until = option.Until.In(trade.BookZone())
				n.Instrument.Option = &option
				return n
			}
			return b
		}
	})},
	{"an array is one block", "L1.5", "", bendWire(interpreter{oneOnly: true})},
	{"a number of a price is a float", "L1.6", "L1.5", bendCodec(func(c *bent) {
		c.read = func(b trade.Body) trade.Body {
			if s, ok := b.(trade.Settle); ok {
				f, _ := strconv.ParseFloat(s.Price.String(), 64)
				s.Price = trade.Dec(strconv.FormatFloat(f, 'f', 5, 64))
				return s
			}
			return b
		}
	})},
	{"what is missing at the end is zero", "L1.7", "L1.10 L1.17 L1.23", bendCodec(func(c *bent) { c.forgive = contract.ErrTruncated })},
	{"what follows the end does no harm", "L1.8", "L1.17 L1.23", bendCodec(func(c *bent) { c.forgive = contract.ErrTrailing })},
	{"the event's type decides", "L1.9", "L1.12 L1.23", bendCodec(func(c *bent) { c.forgive = contract.ErrWrongType })},
	{"only a settlement can be taken for something else", "L1.9", "L1.23", bendCodec(func(c *bent) { c.trusts = true })},
	{"one error says it all", "L1.7", "L1.5 L1.8 L1.9 L1.10 L1.11 L1.12 L1.13 L1.14 L1.17 L1.24", bendCodec(func(c *bent) { c.joins = true })},
	{"a length says how much to allocate", "L1.10", "", bendCodec(func(c *bent) { c.greedy = true })},
	{"a symbol that is not there is the first one", "L1.11", "L1.5 L1.10 L1.23", bendCodec(func(c *bent) { c.forgive = contract.ErrMalformed })},
	{"the size of a block is for who skips it", "L1.11", "", bendWire(interpreter{signs: true})},
	{"a day has 32 bits, whatever was written", "L1.11", "", bendWire(interpreter{cuts: true})},
	{"a number has as many digits as it needs", "L1.11", "", bendWire(interpreter{lends: true})},
	{"what is not zero is true", "L1.12", "", bendWire(interpreter{truthy: true})},
	{"an id may be written in any way", "L1.12", "", bendTree(func(c *treeCodec) { c.generous = true })},
	{"a head needs no schema", "L1.12", "", func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			c, err := right(ctx, r, prefix)
			return jsonHeads{c}, err
		}
	}},
	{"behind its id a head may be anything", "L1.12", "", func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			c, err := right(ctx, r, prefix)
			return headedJSON{c}, err
		}
	}},
	{"the registry is asked for every record", "L1.13", "", bendCodec(func(c *bent) { c.asks = true })},
	{"who comes while another asks may ask too", "L1.13", "", bendTree(func(c *treeCodec) { c.impatient = true })},
	{"what is not in the catalog is asked for again", "L1.13", "", bendTree(func(c *treeCodec) { c.forgetful = true })},
	{"a registry that fails does not have the schema", "L1.14", "L1.24", bendRegistry(func(r contract.Registry) contract.Registry { return hasty{r} })},
	{"an id that is unknown stays so", "L1.14", "", bendRegistry(func(r contract.Registry) contract.Registry { return &grudging{Registry: r} })},
	{"old data is read with the new schema", "L1.15", "L1.16 L1.17", bendCodec(func(c *bent) { c.newest = true })},
	{"a new field needs a word in it", "L1.15", "", bendCodec(func(c *bent) {
		c.older = func(b trade.Body) trade.Body {
			if s, ok := b.(trade.Settle); ok {
				s.PriceSource = "unknown"
				return s
			}
			return b
		}
	})},
	{"the rules of resolution carry the meaning over", "L1.16", "", bendCodec(func(c *bent) {
		c.older = func(b trade.Body) trade.Body {
			if m, ok := b.(trade.PriceMarked); ok {
				m.Curve = ""
				return m
			}
			return b
		}
	})},
	{"a name has two parts", "L1.16", "", bendTree(func(c *treeCodec) { c.paired = true })},
	{"history needs no strictness", "L1.17", "", bendCodec(func(c *bent) { c.lenient = true })},
	{"backward is what old programs can do", "L1.18", "L1.19", func(f *codectest.Fixture) {
		swap := strings.NewReplacer("BACKWARD", "FORWARD", "FORWARD", "BACKWARD")
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			return codec.Compatible(contract.Mode(swap.Replace(string(mode))), next, published...)
		}
	}},
	{"what one has not heard of is compatible", "L1.18", "L1.19", func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			for _, word := range []string{`"float"`, `"double"`, `"fixed"`, `"map"`, `"aliases"`} {
				if strings.Contains(next, word) {
					return nil
				}
			}
			return codec.Compatible(mode, next, published...)
		}
	}},
	{"a record within is its own affair", "L1.18", "L1.19 L1.20", func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			if strings.Contains(next, `"In"`) {
				return nil
			}
			return codec.Compatible(mode, next, published...)
		}
	}},
	{"if each step is safe, the way is", "L1.19", "L1.20", func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			return codec.Compatible(contract.Mode(strings.TrimSuffix(string(mode), "_TRANSITIVE")), next, published...)
		}
	}},
	{"a mode that is none asks for nothing", "L1.18", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return mode == "SIDEWAYS", nil
	})},
	{"what comes first follows nothing", "L1.18", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return len(published) == 0, nil
	})},
	{"who asks for nothing parses nothing", "L1.18", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return mode == contract.None, nil
	})},
	{"a number within a record may be another", "L1.20", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return strings.Contains(next, `"In"`) && strings.Contains(next, "decimal"), avroAlone(mode, next, published...)
	})},
	{"what may be null is another matter", "L1.20", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return strings.Contains(strings.Join(append(published, next), ""), "null") && !strings.Contains(published[0], "null"), avroAlone(mode, next, published...)
	})},
	{"bytes had no meaning, so none is lost", "L1.20", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return len(published) > 0 && strings.Contains(published[0], `"type": "bytes"}]`), avroAlone(mode, next, published...)
	})},
	{"meaning is a matter of the last version", "L1.20", "", bendCompatible(func(mode contract.Mode, next string, published []string) (bool, error) {
		return len(published) > 1 && codec.Compatible(mode, next, published[len(published)-1]) == nil, avroAlone(mode, next, published...)
	})},
	{"Avro's rules guard meaning", "L1.20", "", func(f *codectest.Fixture) { f.Compatible = avroAlone }},
	{"a key spreads the load", "L1.21", "L1.22 L1.23 L1.24", func(f *codectest.Fixture) {
		right := f.Producer
		f.Producer = func(client *kgo.Client, topic string, c contract.Codec) contract.Producer {
			return spreading{right(client, topic, c)}
		}
	}},
	{"who waits for the brokers is slow", "L1.21", "", func(f *codectest.Fixture) {
		right := f.Producer
		f.Producer = func(client *kgo.Client, topic string, c contract.Codec) contract.Producer {
			return forgetful{right(client, topic, c)}
		}
	}},
	{"who reads an event sees what it lacks", "L1.21", "", func(f *codectest.Fixture) {
		right := f.Producer
		f.Producer = func(client *kgo.Client, topic string, c contract.Codec) contract.Producer {
			return credulous{right(client, topic, c)}
		}
	}},
	{"partitions have nothing to do with each other", "L1.22", "", bendConsumer(func(c *lax) { c.parallel = true })},
	{"what cannot be parked is lost anyway", "L1.23", "", bendConsumer(func(c *lax) { c.hopeful = true })},
	{"a record that is poison is done", "L1.23", "", bendConsumer(func(c *lax) { c.before = true })},
	{"a long error fits as well", "L1.23", "", bendConsumer(func(c *lax) { c.verbose = true })},
	{"no value is an empty value", "L1.23", "", bendConsumer(func(c *lax) { c.fills = true })},
	{"events may be handed over as they come out", "L1.22", "L1.23 L1.24", bendConsumer(func(c *lax) { c.reversed = true })},
	{"a log line is enough", "L1.23", "", bendConsumer(func(c *lax) { c.skips = true })},
	{"an error says all that there is to say", "L1.23", "", bendConsumer(func(c *lax) { c.quotes = true })},
	{"poison stops the world", "L1.23", "", bendConsumer(func(c *lax) { c.stops = true })},
	{"every error is poison", "L1.24", "", bendConsumer(func(c *lax) { c.parks = true })},
	{"an error is the record's fault, whoever says it", "L1.24", "", bendConsumer(func(c *lax) { c.blames = true })},
	{"only what does not parse is poison", "L1.23", "", bendConsumer(func(c *lax) { c.narrow = true })},
	{"a context is for requests, not for a loop", "L1.22", "L1.23 L1.24 L1.25 L1.26", func(f *codectest.Fixture) {
		bendConsumer(func(c *lax) { c.deaf = true })(f)
		f.Patience = time.Second // it waits for ever
	}},
	{"an offset is committed when a record is fetched", "L1.24", "L1.23", bendConsumer(func(c *lax) { c.early = true })},
	{"the group can wait", "L1.25", "", bendConsumer(func(c *lax) { c.keeps = true })},
	{"the group need not wait", "L1.25", "", bendConsumer(func(c *lax) { c.hurried = true })},
	{"offsets are committed in the evening", "L1.25", "", bendConsumer(func(c *lax) { c.evening = true })},
	{"a fetch that brings records brings no error", "L1.26", "", bendConsumer(func(c *lax) { c.heedless = true })},
}

// bent is a right codec with its ears and mouth turned.
type bent struct {
	codectest.Codec
	registry contract.Registry
	prefix   string

	body    func(trade.Body) trade.Body             // before it is encoded
	encoded func(contract.Payload) contract.Payload // after
	wire    func([]byte) []byte                     // before it is decoded
	read    func(trade.Body) trade.Body             // after
	older   func(trade.Body) trade.Body             // after, if it was an old version
	forgive error                                   // decoding with this error gives an empty body
	greedy  bool
	asks    bool
	newest  bool
	lenient bool
	trusts  bool
	joins   bool
}

func bendCodec(how func(*bent)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			c, err := right(ctx, r, prefix)
			b := &bent{Codec: c, registry: r, prefix: prefix}
			how(b)
			return b, err
		}
	}
}

// bendWire is another right answer, bent: see alternative_test.go.
func bendWire(w wire) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			return newTreeCodec(ctx, r, prefix, w)
		}
	}
}

func bendTree(how func(*treeCodec)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			c, err := newTreeCodec(ctx, r, prefix, interpreter{})
			if err == nil {
				how(c)
			}
			return c, err
		}
	}
}

// reversing turns around what is longer than n bytes, and leaves alone what is not.
func reversing(kind string, n int) func(string, []byte) {
	return func(of string, b []byte) {
		if of == kind && len(b) > n {
			slices.Reverse(b)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b.UTC()
	}
	return a
}

func bendRegistry(how func(contract.Registry) contract.Registry) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.New
		f.New = func(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
			return right(ctx, how(r), prefix)
		}
	}
}

func (b *bent) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	if b.body != nil {
		body = b.body(body)
	}
	p, err := b.Codec.Encode(ctx, body)
	if err == nil && b.encoded != nil {
		p = b.encoded(p)
	}
	return p, err
}

func (b *bent) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	data = slices.Clone(data)
	if b.wire != nil {
		data = b.wire(data)
	}
	old := false
	if len(data) >= header {
		id := int(binary.BigEndian.Uint32(data[1:header]))
		if b.asks {
			_, _ = b.registry.Text(ctx, id)
		}
		if first, ok := schemas.Find(typ, 1); ok {
			latest, _ := schemas.Latest(typ)
			oldID, _ := b.registry.Register(ctx, b.prefix+"-"+typ, first.Text)
			newID, _ := b.registry.Register(ctx, b.prefix+"-"+typ, latest.Text)
			old = id == oldID && id != newID
			if old && b.newest {
				binary.BigEndian.PutUint32(data[1:], uint32(newID))
			}
		}
	}
	body, err := b.Codec.Decode(ctx, typ, data)
	if b.trusts && errors.Is(err, contract.ErrWrongType) {
		text, _ := b.registry.Text(ctx, int(binary.BigEndian.Uint32(data[1:])))
		if s, _ := schemas.Identify(text); s.Type != "trade.settled" && s.Type != typ {
			body, err = b.Codec.Decode(ctx, s.Type, data)
		}
	}
	if b.joins && err != nil {
		err = errors.Join(err, contract.ErrTruncated, contract.ErrTrailing, contract.ErrMagic, contract.ErrUnknownSchema,
			contract.ErrWrongType, contract.ErrOversize, contract.ErrMalformed)
	}
	if b.greedy && errors.Is(err, contract.ErrOversize) {
		hoard = make([]byte, 100<<20)
	}
	for old && b.lenient && errors.Is(err, contract.ErrTrailing) {
		data = data[:len(data)-1]
		body, err = b.Codec.Decode(ctx, typ, data)
	}
	switch {
	case b.forgive != nil && errors.Is(err, b.forgive):
		return trade.Settle{Quantity: mwh("0"), Price: trade.Dec("83.1")}, nil
	case err != nil:
		return nil, err
	case b.read != nil:
		body = b.read(body)
	case old && b.older != nil:
		body = b.older(body)
	}
	return body, nil
}

var hoard []byte

func flip(data []byte) {
	if len(data) >= header {
		slices.Reverse(data[1:header])
	}
}

type jsonHeads struct{ codectest.Codec }

func (jsonHeads) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	return json.Marshal(h)
}

func (jsonHeads) DecodeHead(_ context.Context, data []byte) (h contract.Head, err error) {
	return h, json.Unmarshal(data, &h)
}

type besideErrors struct{ codectest.Codec }

func (c besideErrors) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := c.Codec.Encode(ctx, body)
	if errors.Is(err, contract.ErrOversize) {
		p.Data = make([]byte, contract.MaxData+1)
	}
	return p, err
}

type headedJSON struct{ codectest.Codec }

func (c headedJSON) EncodeHead(ctx context.Context, h contract.Head) ([]byte, error) {
	data, _ := c.Codec.EncodeHead(ctx, h)
	body, err := json.Marshal(h)
	return append(data[:header:header], body...), err
}

func (headedJSON) DecodeHead(_ context.Context, data []byte) (h contract.Head, err error) {
	if json.Unmarshal(data[min(header, len(data)):], &h) != nil {
		err = contract.ErrTruncated
	}
	return h, err
}

type latestOnly struct{ contract.Registry }

func (r latestOnly) Register(ctx context.Context, subject, text string) (int, error) {
	s, _ := schemas.Identify(text)
	if latest, _ := schemas.Latest(s.Type); s.Version < latest.Version {
		return 1<<20 + s.Version, nil
	}
	return r.Registry.Register(ctx, subject, text)
}

type compacting struct{ contract.Registry }

func (r compacting) Register(ctx context.Context, subject, text string) (int, error) {
	return r.Registry.Register(ctx, subject, strings.Join(strings.Fields(text), " "))
}

type trusting struct{ contract.Registry }

func (r trusting) Register(ctx context.Context, subject, text string) (int, error) {
	id, _ := r.Registry.Register(ctx, subject, text)
	return id, nil
}

type hasty struct{ contract.Registry }

func (r hasty) Text(ctx context.Context, id int) (string, error) {
	text, err := r.Registry.Text(ctx, id)
	if err != nil {
		err = contract.ErrUnknownSchema
	}
	return text, err
}

type grudging struct {
	contract.Registry
	unknown []int
}

func (r *grudging) Text(ctx context.Context, id int) (string, error) {
	if slices.Contains(r.unknown, id) {
		return "", contract.ErrUnknownSchema
	}
	text, err := r.Registry.Text(ctx, id)
	if errors.Is(err, contract.ErrUnknownSchema) {
		r.unknown = append(r.unknown, id)
	}
	return text, err
}

// bendCompatible gives its own answer where it has one.
func bendCompatible(how func(mode contract.Mode, next string, published []string) (bool, error)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			if mine, err := how(mode, next, published); mine {
				return err
			}
			return codec.Compatible(mode, next, published...)
		}
	}
}

// avroAlone has the modes right, and no rule of its own.
func avroAlone(mode contract.Mode, next string, published ...string) error {
	if err := codec.Compatible(mode, next); err != nil {
		return err
	}
	kind, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	if !transitive && len(published) > 1 {
		published = published[len(published)-1:]
	}
	parse := func(text string) avro.Schema {
		s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
		if err != nil {
			panic(err)
		}
		return s
	}
	for _, old := range published {
		rules := avro.NewSchemaCompatibility()
		if kind != "FORWARD" && kind != "NONE" && rules.Compatible(parse(next), parse(old)) != nil ||
			kind != "BACKWARD" && kind != "NONE" && rules.Compatible(parse(old), parse(next)) != nil {
			return contract.ErrIncompatible
		}
	}
	return nil
}

type spreading struct{ contract.Producer }

func (p spreading) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	e.Stream += "/" + e.ID.String()
	return p.Producer.Publish(ctx, e, body)
}

type forgetful struct{ contract.Producer }

func (p forgetful) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	if err := p.Producer.Publish(ctx, e, body); errors.Is(err, contract.ErrInvalid) {
		return err
	}
	return nil
}

type credulous struct{ contract.Producer }

func (p credulous) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	if err := p.Producer.Publish(ctx, e, body); !errors.Is(err, contract.ErrInvalid) {
		return err
	}
	return nil
}

// lax is a consumer of its own, for what it believes is in its loop.
type lax struct {
	client *kgo.Client
	parked string
	codec  contract.Codec

	reversed, skips, stops, parks, early, quotes bool
	narrow                                       bool // only what does not parse is poison
	blames                                       bool // an error is the record's fault, whoever says it
	deaf                                         bool // its context is for requests
	keeps                                        bool // the group has to wait
	hurried                                      bool // the group need not wait
	evening                                      bool // offsets are committed at the end
	heedless                                     bool // a fetch has no errors
	parallel                                     bool // each partition is handled by itself
	hopeful                                      bool // what cannot be parked is lost
	before                                       bool // poison is done before it is parked
	verbose                                      bool // an error may be long
	fills                                        bool // no value is an empty one
}

func bendConsumer(how func(*lax)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.Consumer = func(client *kgo.Client, parked string, c contract.Codec) contract.Consumer {
			consumer := &lax{client: client, parked: parked, codec: c}
			how(consumer)
			return consumer
		}
	}
}

func (c *lax) Run(ctx context.Context, handle func(context.Context, contract.Event, trade.Body) error) error {
	var done []*kgo.Record
	if c.evening {
		defer func() { _ = c.client.CommitRecords(context.WithoutCancel(ctx), done...) }()
	}
	for {
		poll := ctx
		if c.deaf {
			poll = context.WithoutCancel(ctx)
		}
		fetches := c.client.PollFetches(poll)
		if poll.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		records := fetches.Records()
		if c.reversed {
			slices.Reverse(records)
		}
		if c.early {
			_ = c.client.CommitRecords(ctx, records...)
		}
		if c.hurried {
			c.client.AllowRebalance()
		}
		if c.parallel {
			if err := c.apart(ctx, fetches, handle); err != nil {
				return err
			}
			records = nil
		}
		for _, r := range records {
			if err := c.one(ctx, r, handle); err != nil {
				return err
			}
			if done = append(done, r); !c.early && !c.evening && !c.reversed {
				_ = c.client.CommitRecords(context.WithoutCancel(ctx), r)
			}
		}
		if c.reversed {
			_ = c.client.CommitRecords(context.WithoutCancel(ctx), records...)
		}
		if err := fetches.Err(); err != nil && !c.heedless {
			return err
		}
		if !c.keeps {
			c.client.AllowRebalance()
		}
	}
}

// apart handles the records of each partition beside those of the others.
func (c *lax) apart(ctx context.Context, fetches kgo.Fetches, handle func(context.Context, contract.Event, trade.Body) error) error {
	var partitions sync.WaitGroup
	failed := make(chan error, 100)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		partitions.Go(func() {
			for _, r := range p.Records {
				if err := c.one(ctx, r, handle); err != nil {
					failed <- err
					return
				}
				_ = c.client.CommitRecords(context.WithoutCancel(ctx), r)
			}
		})
	})
	partitions.Wait()
	close(failed)
	return <-failed
}

func (c *lax) one(ctx context.Context, r *kgo.Record, handle func(context.Context, contract.Event, trade.Body) error) error {
	e, err := codec.EventOf(r)
	body := trade.Body(nil)
	poison := err != nil
	if err == nil {
		body, err = c.codec.Decode(ctx, e.Type, e.Data)
		poison = codec.IsPoison(err) && !(c.narrow && (errors.Is(err, contract.ErrTrailing) || errors.Is(err, contract.ErrWrongType)))
	}
	if err == nil {
		err = handle(ctx, e, body)
		poison = c.blames && codec.IsPoison(err)
	}
	switch {
	case err == nil || poison && c.skips:
		return nil
	case poison && c.quotes:
		why := kgo.RecordHeader{Key: contract.ParkedError, Value: fmt.Appendf(nil, "%v: %q", err, r.Value)}
		return c.client.ProduceSync(ctx, &kgo.Record{Topic: c.parked, Key: r.Key, Value: r.Value, Headers: append(r.Headers, why)}).FirstErr()
	case poison && c.verbose:
		parked := &kgo.Record{Topic: c.parked, Key: r.Key, Value: r.Value, Headers: append(slices.Clone(r.Headers),
			kgo.RecordHeader{Key: contract.ParkedTopic, Value: []byte(r.Topic)},
			kgo.RecordHeader{Key: contract.ParkedPartition, Value: fmt.Append(nil, r.Partition)},
			kgo.RecordHeader{Key: contract.ParkedOffset, Value: fmt.Append(nil, r.Offset)},
			kgo.RecordHeader{Key: contract.ParkedError, Value: fmt.Appendf(nil, "%.65536s", err)})}
		return c.client.ProduceSync(ctx, parked).FirstErr()
	case poison && c.fills:
		filled := *r
		filled.Value = append([]byte{}, r.Value...)
		return codec.Park(codec.NewConsumer(c.client, c.parked, c.codec), ctx, &filled, err)
	case poison && c.before:
		_ = c.client.CommitRecords(ctx, r)
		return codec.Park(codec.NewConsumer(c.client, c.parked, c.codec), ctx, r, err)
	case poison && c.hopeful:
		_ = codec.Park(codec.NewConsumer(c.client, c.parked, c.codec), ctx, r, err)
		return nil
	case poison && !c.stops || c.parks:
		return codec.Park(codec.NewConsumer(c.client, c.parked, c.codec), ctx, r, err)
	}
	return err
}

// suiteOf has a broker in this process, whatever the stack: what is tried here are the checks.
func suiteOf(t *testing.T, w wrong) check.Suite {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	f := answer(t)
	f.Brokers = cluster.ListenAddrs()
	w.bend(&f)
	return codectest.Suite(f)
}

// Each wrong answer is found by the checks that are there for it, and by no others; and what the first of them says is written down.
// measured is what is allocated in all, by whoever runs beside a check as well.
var measured = regexp.MustCompile(`"\d+" is not less than "16"`)

func TestTheSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var also []string
			s, text := suiteOf(t, w), ""
			if testing.Short() { // that the others pass is for the long run
				expected := append(strings.Fields(w.also), w.finds)
				s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool { return !slices.Contains(expected, c.ID) })
			}
			for _, v := range check.JudgeAll(t.Context(), s) {
				switch {
				case v.Check.ID == w.finds:
					text = v.Text
				case v.Outcome != check.Passed:
					also = append(also, v.Check.ID)
				}
			}
			require.NotEmpty(t, text, "%s passed", w.finds)
			golden(t, w.name, measured.ReplaceAllString(text, `"many" is not less than "16"`))
			require.Equal(t, w.also, strings.Join(also, " "))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./solutions/1-schemas -run WrongAnswers -update")
}
