// Package codectest is the suite of Lab 1. Its checks try a codec, the compatibility rules, and a
// producer and a consumer on Kafka.
//
// history.go is useful beyond the suite. It holds, for each version of each event type, the bytes
// that a producer wrote and the body that a consumer reads from them. A change of a schema or of a
// codec that breaks either fails here, before it reaches a topic.
package codectest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Codec is a codec of Lab 1. It encodes events and the heads of the Kafka store.
type Codec interface {
	contract.Codec
	contract.HeadCodec
}

// A Fixture is the implementation that the checks try.
type Fixture struct {
	// EncodeSettled and DecodeSettled are the first exercises: one event type by hand.
	// EncodeSettled returns the wire format, DecodeSettled reads the Avro body after the prefix.
	EncodeSettled func(id int, s trade.Settle) ([]byte, error)
	DecodeSettled func(body []byte) (trade.Settle, error)
	// New publishes the catalog in the registry, under subjects that begin with name and a dash.
	New func(ctx context.Context, registry contract.Registry, name string) (Codec, error)

	Readable   func(reader, writer string) error
	Compatible func(mode contract.Mode, next string, published ...string) error
	Producer   func(client *kgo.Client, topic string, codec contract.Codec) contract.Producer
	Consumer   func(client *kgo.Client, parked string, codec contract.Codec) contract.Consumer

	// NewJSON publishes the JSON Schemas of the catalog. BothForms is a Consumer that also reads
	// the JSON form.
	NewJSON func(
		ctx context.Context, registry contract.Registry, name string, avro contract.Codec,
	) (contract.JSONCodec, error)
	BothForms func(
		client *kgo.Client, parked string, codec contract.Codec, json contract.JSONCodec,
	) contract.Consumer

	// Brokers reach and sign in to a Kafka, which others may share. Each check uses topics and a
	// group of its own, and their names begin with Prefix.
	Brokers []kgo.Opt
	Prefix  string
	// Patience limits the wait for a step that a right answer takes at once. Zero is long enough
	// for a busy machine.
	Patience time.Duration
}

// Suites returns the checks of the two parts of Lab 1, in the order in which a student should meet
// them.
func Suites(f Fixture) []check.Suite {
	a := check.Suite{Name: "1-schemas", Part: "1a", Guide: "labs/1-schemas/README.md",
		Files: []string{"settled.go", "codec.go", "upcast.go"}}
	for _, c := range slices.Concat(settling, publishing, encoding, decoding, lookups, splitting,
		bonus) {
		c.Limit = quick
		a.Checks = append(a.Checks, c.bind(f))
	}
	b := check.Suite{Name: "1-schemas", Part: "1b", Guide: "labs/1-schemas/1b.md",
		Files: []string{"compatible.go", "producer.go", "consumer.go"},
		Needs: []string{register, encode, decode, lookup, split}}
	for _, c := range slices.Concat(compatibility, streaming, joining, parking, failing, forms) {
		b.Checks = append(b.Checks, c.bind(f))
	}
	return []check.Suite{a, b}
}

// quick is the limit of a check that does no I/O. A right answer takes milliseconds.
const quick = 20 * time.Second

// The operations of the lab, with the names that its stubs use.
const (
	encodeSettled = "L1.encodeSettled"
	decodeSettled = "L1.decodeSettled"
	register      = "L1.register"
	encode        = "L1.encode"
	decode        = "L1.decode"
	lookup        = "L1.lookup"
	split         = "L1.split"

	readable   = "L1.readable"
	compatible = "L1.compatible"
	publish    = "L1.publish"
	consume    = "L1.consume"
	park       = "L1.park"
	inJSON     = "L1.json"
)

// A spec is a check without its fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) {
		tr := &trial{T: t, answer: f, registry: newRegistry()}
		// The name differs between checks, so that no answer can know it in advance.
		tr.name = fmt.Sprintf("desk-%d", tr.random().IntN(1000))
		c.try(tr)
	}
	return c.Check
}

// A trial is one run of a check.
type trial struct {
	check.T
	answer   Fixture
	registry *registry
	name     string             // of the log, in the codec's subjects
	json     contract.JSONCodec // nil for a consumer that reads Avro only
}

// fail ends the check.
func (t *trial) fail(format string, args ...any) {
	t.Errorf(format, args...)
	t.FailNow()
}

// random returns a source that is the same in every run, except in a graded one.
func (t *trial) random() *rand.Rand {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[24:], t.Seed())
	copy(seed[:], t.Name())
	return rand.New(rand.NewChaCha8(seed))
}

// codec returns the answer's codec over the trial's registry. Without one the check ends.
func (t *trial) codec() Codec {
	c, err := t.answer.New(t.Context(), t.registry, t.name)
	answered(t, register, err)
	require.NoError(t, err, "a new codec over an empty registry")
	require.NotNil(t, c, "a codec")
	return watched{c, t}
}

// encoded returns the payload of a body that fits its schema.
func (t *trial) encoded(c Codec, body trade.Body) contract.Payload {
	p, err := c.Encode(t.Context(), body)
	require.NoError(t, err, "encode %T", body)
	return p
}

// hint returns the same trial, except that its failures have this hint in place of the check's.
func (t *trial) hint(text string) *trial {
	hinted := *t
	hinted.T = t.T.Hint(text)
	return &hinted
}

// requireBody requires that data of a type decodes as want.
func (t *trial) requireBody(c Codec, what, typ string, data []byte, want trade.Body) {
	got, err := c.Decode(t.Context(), typ, data)
	require.NoError(t, err, "decode %s: % x", what, data)
	t.requireSame(what, want, got)
}

func (t *trial) requireSame(what string, want, got trade.Body) {
	if !cmp.Equal(want, got, inUTC) {
		t.fail("%s is decoded as a different body\n  expected  %s\n  actual    %s",
			what, show(want), show(got))
	}
}

// inUTC compares times by their instant and their location.
var inUTC = cmp.Comparer(func(a, b time.Time) bool {
	return a.Equal(b) && a.Location() == b.Location()
})

// show renders a body on one line, without the addresses that %+v prints.
func show(body trade.Body) string {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Sprintf("%T (%v)", body, err)
	}
	return fmt.Sprintf("%T%s", body, text)
}

// faults lists the errors with which a codec judges a value or data. A caller branches on them, so
// an error must be exactly one of them: an error that is all of them at once says nothing.
var faults = []error{
	contract.ErrUnencodable, contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing,
	contract.ErrOversize, contract.ErrMalformed, contract.ErrUnknownSchema, contract.ErrWrongType,
	contract.ErrOffloaded,
}

// requireFault requires that err is want and no other fault except the allowed ones.
func requireFault(t check.T, what string, err, want error, allowed ...error) {
	require.ErrorIs(t, err, want, "%s", what)
	for _, other := range faults {
		if other != want && !slices.Contains(allowed, other) {
			require.NotErrorIs(t, err, other, "%s: it is %q", what, want)
		}
	}
}

// requireOtherError requires an error that is no fault of the data.
func requireOtherError(t check.T, what string, err error) {
	require.Error(t, err, "%s", what)
	for _, fault := range faults {
		require.NotErrorIs(t, err, fault, "%s", what)
	}
}

// answered tells the check the result of an operation. A TODO names its operation itself.
func answered(t check.T, operation string, err error) { t.Answered(operation, err) }

// watched is the proxy through which checks call a codec. It tells the check every result, and a
// TODO counts neither as a failure nor as a success.
type watched struct {
	codec Codec
	t     *trial
}

func (w watched) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := w.codec.Encode(ctx, body)
	answered(w.t, encode, err)
	return p, err
}

func (w watched) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := w.codec.Decode(ctx, typ, data)
	answered(w.t, decode, err)
	return body, err
}

func (w watched) EncodeHead(ctx context.Context, h contract.Head) ([]byte, error) {
	data, err := w.codec.EncodeHead(ctx, h)
	answered(w.t, encode, err)
	return data, err
}

func (w watched) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	h, err := w.codec.DecodeHead(ctx, data)
	answered(w.t, decode, err)
	return h, err
}
