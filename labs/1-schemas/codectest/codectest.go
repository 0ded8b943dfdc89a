// Package codectest is the suite of Lab 1. Its checks try a codec, the compatibility rules, and a
// producer and a consumer on Kafka.
//
// history.go is useful beyond the course. It holds, for each version of each event type, the bytes
// that a producer wrote and the body that a consumer reads from them. A change of a schema or of a
// codec that breaks either fails here, before it reaches a topic.
package codectest

import (
	"context"
	"encoding/json"
	"errors"
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
	"example.com/blotter/schemas"
)

// Codec is a codec of Lab 1. It encodes events and the heads of the Kafka store.
type Codec interface {
	contract.Codec
	contract.HeadCodec
}

// A Fixture is the implementation that the checks try.
type Fixture struct {
	// New publishes the catalog in the registry, under subjects that begin with name and a dash.
	New func(ctx context.Context, registry contract.Registry, name string) (Codec, error)

	Compatible func(mode contract.Mode, next string, published ...string) error
	Producer   func(client *kgo.Client, topic string, codec contract.Codec) contract.Producer
	Consumer   func(client *kgo.Client, parked string, codec contract.Codec) contract.Consumer

	// Brokers reach and sign in to a Kafka, which others may share. Each check uses topics and a
	// group of its own, and their names begin with Prefix.
	Brokers []kgo.Opt
	Prefix  string
	// Patience limits the wait for a step that a right answer takes at once. Zero is long enough
	// for a busy machine.
	Patience time.Duration
}

// Suite returns the checks of Lab 1, in the order in which a student should meet them.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "1-schemas", Guide: "labs/1-schemas/README.md"}
	all := slices.Concat(publishing, encoding, decoding, lookups, upcasting, compatibility,
		streaming, joining, fetching)
	for _, c := range all {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// The operations of the lab, with the names that its stubs use.
const (
	register   = "L1.register"
	encode     = "L1.encode"
	decode     = "L1.decode"
	heads      = "L1.heads"
	upcast     = "L1.upcast"
	compatible = "L1.compatible"
	publish    = "L1.publish"
	consume    = "L1.consume"
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
	name     string // of the log, in the codec's subjects
}

// fail ends the check.
func (t *trial) fail(format string, args ...any) {
	t.Errorf(format, args...)
	t.FailNow()
}

// random returns a source that is the same in every run.
func (t *trial) random() *rand.Rand {
	var seed [32]byte
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

// requireBody requires that data of a type decodes as want.
func (t *trial) requireBody(c Codec, what, typ string, data []byte, want trade.Body) {
	got, err := c.Decode(t.Context(), typ, data)
	require.NoError(t, err, "decode %s: % x", what, data)
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

// isOneFault reports whether err is exactly one fault, and that one is allowed.
func isOneFault(err error, allowed ...error) bool {
	found := 0
	for _, fault := range faults {
		if errors.Is(err, fault) {
			found++
		}
	}
	is := func(fault error) bool { return errors.Is(err, fault) }
	return found == 1 && slices.ContainsFunc(allowed, is)
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

// Decode belongs to two exercises. The result for an old version belongs to the second: it may be a
// TODO when today's data is read already.
func (w watched) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := w.codec.Decode(ctx, typ, data)
	operation := decode
	if s, known := w.schemaOf(data); known && s.Version < latestSchema(s.Type).Version {
		operation = upcast
	}
	answered(w.t, operation, err)
	return body, err
}

// schemaOf returns the schema of the catalog that the prefix of data names.
func (w watched) schemaOf(data []byte) (schemas.Schema, bool) {
	for _, r := range w.t.registry.all() {
		if len(data) < prefixSize || r.id != idOf(data) {
			continue
		}
		for _, s := range schemas.All() {
			if s.Text == r.text {
				return s, true
			}
		}
	}
	return schemas.Schema{}, false
}

func (w watched) EncodeHead(ctx context.Context, h contract.Head) ([]byte, error) {
	data, err := w.codec.EncodeHead(ctx, h)
	answered(w.t, heads, err)
	return data, err
}

func (w watched) DecodeHead(ctx context.Context, data []byte) (contract.Head, error) {
	h, err := w.codec.DecodeHead(ctx, data)
	answered(w.t, heads, err)
	return h, err
}
