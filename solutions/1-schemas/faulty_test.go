package codec_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// This file has the machinery of the wrong answers. Each function named with… puts one fault into a
// fixture that is right otherwise.

// wrapping replaces the codec by another one around it.
func wrapping(wrap func(codectest.Codec) codectest.Codec) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.New
		f.New = func(
			ctx context.Context, r contract.Registry, name string,
		) (codectest.Codec, error) {
			c, err := right(ctx, r, name)
			return wrap(c), err
		}
	}
}

// A faultyCodec is a right codec with faults before and after its calls.
type faultyCodec struct {
	codectest.Codec
	registry contract.Registry
	name     string

	beforeEncode func(trade.Body) trade.Body
	afterEncode  func(contract.Payload) contract.Payload
	beforeDecode func([]byte) []byte
	afterDecode  func(trade.Body) trade.Body
	afterOld     func(trade.Body) trade.Body // after Decode of an old version
	accepts      error                       // Decode returns an empty body for this error

	asksAlways            bool
	readsAsLatest         bool
	checksSettlementsOnly bool
	joinsFaults           bool
	mistakes              map[error]error // Decode returns another error for these
	knowsSettlementsOnly  bool
	acceptsOutside        bool // reads a schema outside the catalog as the latest
}

func withCodec(fault func(*faultyCodec)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.New
		f.New = func(
			ctx context.Context, r contract.Registry, name string,
		) (codectest.Codec, error) {
			c, err := right(ctx, r, name)
			faulty := &faultyCodec{Codec: c, registry: r, name: name}
			fault(faulty)
			return faulty, err
		}
	}
}

// changing returns a function that changes bodies of type B, and leaves other bodies unchanged.
func changing[B trade.Body](change func(*B)) func(trade.Body) trade.Body {
	return func(body trade.Body) trade.Body {
		b, ok := body.(B)
		if !ok {
			return body
		}
		change(&b)
		return b
	}
}

func (c *faultyCodec) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	if c.beforeEncode != nil {
		body = c.beforeEncode(body)
	}
	p, err := c.Codec.Encode(ctx, body)
	if err == nil && c.afterEncode != nil {
		p = c.afterEncode(p)
	}
	return p, err
}

func (c *faultyCodec) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	data = slices.Clone(data)
	if c.beforeDecode != nil {
		data = c.beforeDecode(data)
	}
	if c.asksAlways && len(data) >= prefixSize {
		_, _ = c.registry.Text(ctx, idIn(data))
	}
	old, latestID := c.isOld(ctx, typ, data)
	if old && c.readsAsLatest {
		binary.BigEndian.PutUint32(data[1:], uint32(latestID))
	}
	body, err := c.Codec.Decode(ctx, typ, data)
	if c.checksSettlementsOnly && errors.Is(err, contract.ErrWrongType) {
		text, _ := c.registry.Text(ctx, idIn(data))
		if s, _ := schemas.Identify(text); s.Type != "trade.settled" && s.Type != typ {
			body, err = c.Codec.Decode(ctx, s.Type, data)
		}
	}
	if c.joinsFaults && err != nil {
		err = errors.Join(err, contract.ErrTruncated, contract.ErrTrailing, contract.ErrMagic,
			contract.ErrUnknownSchema, contract.ErrWrongType, contract.ErrOversize,
			contract.ErrMalformed)
	}
	for is, mistaken := range c.mistakes {
		if errors.Is(err, is) && len(data) > prefixSize {
			err = mistaken
		}
	}
	if c.knowsSettlementsOnly && err == nil && typ != "trade.settled" {
		err = contract.ErrUnknownSchema
	}
	if c.acceptsOutside && errors.Is(err, contract.ErrUnknownSchema) {
		if text, _ := c.registry.Text(ctx, idIn(data)); text != "" {
			binary.BigEndian.PutUint32(data[1:], uint32(latestID))
			body, err = c.Codec.Decode(ctx, typ, data)
		}
	}
	switch {
	case c.accepts != nil && errors.Is(err, c.accepts):
		return trade.Settle{Quantity: mwh("0"), Price: trade.Dec("83.1")}, nil
	case err != nil:
		return nil, err
	case c.afterDecode != nil:
		body = c.afterDecode(body)
	case old && c.afterOld != nil:
		body = c.afterOld(body)
	}
	return body, nil
}

func idIn(data []byte) int { return int(binary.BigEndian.Uint32(data[1:prefixSize])) }

// isOld reports whether data is of the first version of a type that has a later one, and returns
// the id of the latest.
func (c *faultyCodec) isOld(ctx context.Context, typ string, data []byte) (old bool, latestID int) {
	first, ok := schemas.Find(typ, 1)
	if !ok || len(data) < prefixSize {
		return false, 0
	}
	latest, _ := schemas.Latest(typ)
	firstID, _ := c.registry.Register(ctx, c.name+"-"+typ, first.Text)
	latestID, _ = c.registry.Register(ctx, c.name+"-"+typ, latest.Text)
	return idIn(data) == firstID && firstID != latestID, latestID
}

// withWire uses another right answer (alternative_test.go) with a faulty wire.
func withWire(w wire) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.New = func(
			ctx context.Context, r contract.Registry, name string,
		) (codectest.Codec, error) {
			return newTreeCodec(ctx, r, name, w)
		}
		f.EncodeSettled, f.DecodeSettled = settled{w}.encode, settled{w}.decode
	}
}

type (
	encodeSettled = func(int, trade.Settle) ([]byte, error)
	decodeSettled = func([]byte) (trade.Settle, error)
)

// withSettled replaces the two functions for settlements by others around them.
func withSettled(
	encode func(right encodeSettled, id int, s trade.Settle) ([]byte, error),
	decode func(right decodeSettled, body []byte) (trade.Settle, error),
) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		rightEncode, rightDecode := f.EncodeSettled, f.DecodeSettled
		if encode != nil {
			f.EncodeSettled = func(id int, s trade.Settle) ([]byte, error) {
				return encode(rightEncode, id, s)
			}
		}
		if decode != nil {
			f.DecodeSettled = func(body []byte) (trade.Settle, error) {
				return decode(rightDecode, body)
			}
		}
	}
}

// encodesSettled changes a settlement before it is encoded, and its data afterwards.
func encodesSettled(
	before func(*trade.Settle), after func([]byte) []byte,
) func(*codectest.Fixture) {
	return withSettled(func(right encodeSettled, id int, s trade.Settle) ([]byte, error) {
		if before != nil {
			before(&s)
		}
		data, err := right(id, s)
		if err == nil && after != nil {
			data = after(data)
		}
		return data, err
	}, nil)
}

// decodesSettled changes the answer of DecodeSettled.
func decodesSettled(after func(*trade.Settle, error) error) func(*codectest.Fixture) {
	return withSettled(nil, func(right decodeSettled, body []byte) (trade.Settle, error) {
		s, err := right(body)
		err = after(&s, err)
		return s, err
	})
}

// acceptsSettled makes DecodeSettled return no error where it should return the accepted one.
func acceptsSettled(accepted error) func(*codectest.Fixture) {
	return decodesSettled(func(_ *trade.Settle, err error) error {
		if errors.Is(err, accepted) {
			return nil
		}
		return err
	})
}

// withTree puts a fault into another right answer (alternative_test.go).
func withTree(fault func(*treeCodec)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.New = func(
			ctx context.Context, r contract.Registry, name string,
		) (codectest.Codec, error) {
			c, err := newTreeCodec(ctx, r, name, interpreter{})
			if err == nil {
				fault(c)
			}
			return c, err
		}
	}
}

type payloadBesideError struct{ codectest.Codec }

func (c payloadBesideError) Encode(
	ctx context.Context, body trade.Body,
) (contract.Payload, error) {
	p, err := c.Codec.Encode(ctx, body)
	if errors.Is(err, contract.ErrOversize) {
		p.Data = make([]byte, contract.MaxData+1)
	}
	return p, err
}

// withRegistry puts a faulty registry between the codec and the registry.
func withRegistry(fault func(contract.Registry) contract.Registry) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.New
		f.New = func(
			ctx context.Context, r contract.Registry, name string,
		) (codectest.Codec, error) {
			return right(ctx, fault(r), name)
		}
	}
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

type ignoresErrors struct{ contract.Registry }

func (r ignoresErrors) Register(ctx context.Context, subject, text string) (int, error) {
	id, _ := r.Registry.Register(ctx, subject, text)
	return id, nil
}

type hidesErrors struct{ contract.Registry }

func (r hidesErrors) Text(ctx context.Context, id int) (string, error) {
	text, err := r.Registry.Text(ctx, id)
	if err != nil {
		err = contract.ErrUnknownSchema
	}
	return text, err
}

type remembersUnknown struct {
	contract.Registry
	unknown []int
}

func (r *remembersUnknown) Text(ctx context.Context, id int) (string, error) {
	if slices.Contains(r.unknown, id) {
		return "", contract.ErrUnknownSchema
	}
	text, err := r.Registry.Text(ctx, id)
	if errors.Is(err, contract.ErrUnknownSchema) {
		r.unknown = append(r.unknown, id)
	}
	return text, err
}

// withCompatible uses the answer of fault wherever fault reports true.
func withCompatible(
	fault func(mode contract.Mode, next string, published []string) (bool, error),
) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.Compatible = func(mode contract.Mode, next string, published ...string) error {
			if applies, err := fault(mode, next, published); applies {
				return err
			}
			return codec.Compatible(mode, next, published...)
		}
	}
}

// withReadable uses the answer of fault wherever fault reports true.
func withReadable(fault func(reader, writer string) (bool, error)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.Readable = func(reader, writer string) error {
			if applies, err := fault(reader, writer); applies {
				return err
			}
			return codec.Readable(reader, writer)
		}
	}
}

// readableByAvro has no rule for logical types.
func readableByAvro(reader, writer string) error {
	r, readerErr := avro.ParseWithCache(reader, "", &avro.SchemaCache{})
	w, writerErr := avro.ParseWithCache(writer, "", &avro.SchemaCache{})
	if readerErr != nil || writerErr != nil ||
		avro.NewSchemaCompatibility().Compatible(r, w) != nil {
		return contract.ErrIncompatible
	}
	return nil
}

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// rulesOfAvro implements the modes, without a rule for logical types.
func rulesOfAvro(mode contract.Mode, next string, published ...string) error {
	if err := codec.Compatible(mode, next); err != nil {
		return err
	}
	plain, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	if !transitive && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		if plain != "FORWARD" && plain != "NONE" && readableByAvro(next, old) != nil ||
			plain != "BACKWARD" && plain != "NONE" && readableByAvro(old, next) != nil {
			return contract.ErrIncompatible
		}
	}
	return nil
}

func withProducer(fault func(contract.Producer) contract.Producer) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		right := f.Producer
		f.Producer = func(
			client *kgo.Client, topic string, c contract.Codec,
		) contract.Producer {
			return fault(right(client, topic, c))
		}
	}
}

// withJSON changes the answers of Avro: fault gets the event in the JSON form, and the right
// answer.
func withJSON(
	fault func(j *codec.JSONForm, e, right contract.Event, err error) (contract.Event, error),
) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.NewJSON = func(
			ctx context.Context, r contract.Registry, name string, avro contract.Codec,
		) (contract.JSONCodec, error) {
			j, err := codec.NewJSON(ctx, r, name, avro)
			return faultyJSON{j, fault}, err
		}
	}
}

type faultyJSON struct {
	*codec.JSONForm
	fault func(j *codec.JSONForm, e, right contract.Event, err error) (contract.Event, error)
}

func (j faultyJSON) Avro(ctx context.Context, e contract.Event) (contract.Event, error) {
	right, err := j.JSONForm.Avro(ctx, e)
	return j.fault(j.JSONForm, e, right, err)
}

type keyWithID struct{ contract.Producer }

func (p keyWithID) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	e.Stream += "/" + e.ID.String()
	return p.Producer.Publish(ctx, e, body)
}

type doesNotWait struct{ contract.Producer }

func (p doesNotWait) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	if err := p.Producer.Publish(ctx, e, body); errors.Is(err, contract.ErrInvalid) {
		return err
	}
	return nil
}

type ignoresInvalid struct{ contract.Producer }

func (p ignoresInvalid) Publish(ctx context.Context, e contract.Event, body trade.Body) error {
	if err := p.Producer.Publish(ctx, e, body); !errors.Is(err, contract.ErrInvalid) {
		return err
	}
	return nil
}

// A faultyConsumer has its own loop, because its faults are in the loop.
type faultyConsumer struct {
	client *kgo.Client
	parked string
	codec  contract.Codec

	reversed             bool
	parallel             bool // handles each partition in a goroutine of its own
	ignoresContext       bool
	failsAtEnd           bool // of its context, with the handler's error
	ignoresFetchErrors   bool
	commitsFirst         bool
	commitsAtEnd         bool
	neverAllows          bool // a rebalance
	allowsEarly          bool // a rebalance before the commit
	skipsPoison          bool
	stops                bool // at poison
	narrow               bool // trailing data and a wrong type are not poison
	parksAll             bool // errors
	blamesRecord         bool // for typed errors of the handler
	errorHeaderOnly      bool
	longErrors           bool
	emptyForNull         bool
	keepsTime            bool // of the record
	commitsBeforeParking bool
	ignoresParkErrors    bool
}

func withConsumer(fault func(*faultyConsumer)) func(*codectest.Fixture) {
	return func(f *codectest.Fixture) {
		f.Consumer = func(
			client *kgo.Client, parked string, c contract.Codec,
		) contract.Consumer {
			consumer := &faultyConsumer{client: client, parked: parked, codec: c}
			fault(consumer)
			return consumer
		}
	}
}

type handler = func(context.Context, contract.Event, trade.Body) error

func (c *faultyConsumer) Run(ctx context.Context, handle handler) error {
	var done []*kgo.Record
	if c.commitsAtEnd {
		defer func() { _ = c.client.CommitRecords(context.WithoutCancel(ctx), done...) }()
	}
	for {
		poll := ctx
		if c.ignoresContext {
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
		if c.commitsFirst {
			_ = c.client.CommitRecords(ctx, records...)
		}
		if c.allowsEarly {
			c.client.AllowRebalance()
		}
		if c.parallel {
			if err := c.handleInParallel(ctx, fetches, handle); err != nil {
				return c.unlessEnded(ctx, err)
			}
			records = nil
		}
		for _, r := range records {
			if err := c.handleRecord(ctx, r, handle); err != nil {
				return c.unlessEnded(ctx, err)
			}
			if done = append(done, r); !c.commitsFirst && !c.commitsAtEnd && !c.reversed {
				_ = c.client.CommitRecords(context.WithoutCancel(ctx), r)
			}
		}
		if c.reversed {
			_ = c.client.CommitRecords(context.WithoutCancel(ctx), records...)
		}
		if err := fetches.Err(); err != nil && !c.ignoresFetchErrors {
			return err
		}
		if !c.neverAllows {
			c.client.AllowRebalance()
		}
	}
}

func (c *faultyConsumer) unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && !c.failsAtEnd {
		return nil
	}
	return err
}

func (c *faultyConsumer) handleInParallel(
	ctx context.Context, fetches kgo.Fetches, handle handler,
) error {
	var partitions sync.WaitGroup
	failed := make(chan error, 100)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		partitions.Go(func() {
			for _, r := range p.Records {
				if err := c.handleRecord(ctx, r, handle); err != nil {
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

func (c *faultyConsumer) handleRecord(
	ctx context.Context, r *kgo.Record, handle handler,
) error {
	e, err := codec.EventOf(r)
	body := trade.Body(nil)
	poison := err != nil
	if err == nil {
		body, err = c.codec.Decode(ctx, e.Type, e.Data)
		poison = codec.IsPoison(err) && !(c.narrow &&
			(errors.Is(err, contract.ErrTrailing) || errors.Is(err, contract.ErrWrongType)))
	}
	if err == nil {
		err = handle(ctx, e, body)
		poison = c.blamesRecord && codec.IsPoison(err)
	}
	switch {
	case err == nil || poison && c.skipsPoison:
		return nil
	case poison && !c.stops || c.parksAll:
		return c.park(ctx, r, err)
	}
	return err
}

// park parks a record, with the faults that concern parking.
func (c *faultyConsumer) park(ctx context.Context, r *kgo.Record, reason error) error {
	header := func(key, format string, value any) kgo.RecordHeader {
		return kgo.RecordHeader{Key: key, Value: fmt.Appendf(nil, format, value)}
	}
	at, truncated := time.Time{}, "%.65536s"
	if c.keepsTime {
		at, truncated = r.Timestamp, "%.200s"
	}
	produce := func(headers ...kgo.RecordHeader) error {
		return c.client.ProduceSync(ctx, &kgo.Record{
			Topic: c.parked, Timestamp: at, Key: r.Key, Value: r.Value,
			Headers: append(slices.Clone(r.Headers), headers...),
		}).FirstErr()
	}
	right := func(r *kgo.Record) error {
		return codec.Park(codec.NewConsumer(c.client, c.parked, c.codec), ctx, r, reason)
	}
	switch {
	case c.errorHeaderOnly:
		quoted := fmt.Sprintf("%v: %q", reason, r.Value)
		return produce(header(contract.ParkedError, "%s", quoted))
	case c.longErrors, c.keepsTime:
		return produce(header(contract.ParkedTopic, "%s", r.Topic),
			header(contract.ParkedPartition, "%d", r.Partition),
			header(contract.ParkedOffset, "%d", r.Offset),
			header(contract.ParkedError, truncated, reason))
	case c.emptyForNull:
		filled := *r
		filled.Value = append([]byte{}, r.Value...)
		return right(&filled)
	case c.commitsBeforeParking:
		_ = c.client.CommitRecords(ctx, r)
		return right(r)
	case c.ignoresParkErrors:
		_ = right(r)
		return nil
	}
	return right(r)
}
