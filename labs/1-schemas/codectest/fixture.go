package codectest

import (
	"context"
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

// Codec is what a codec of Lab 1 can do: events, and the heads of the Kafka store.
type Codec interface {
	contract.Codec
	contract.HeadCodec
}

// A Fixture is the answer that the checks try.
type Fixture struct {
	// New publishes the catalog in the registry, under subjects that begin with the prefix and a dash.
	New        func(ctx context.Context, registry contract.Registry, prefix string) (Codec, error)
	Compatible func(mode contract.Mode, next string, published ...string) error
	Producer   func(client *kgo.Client, topic string, codec contract.Codec) contract.Producer
	Consumer   func(client *kgo.Client, parked string, codec contract.Codec) contract.Consumer

	// Brokers are those of a Kafka that may be anybody's: each check has topics and a group of its own there, whose names begin with Prefix.
	Brokers []string
	Prefix  string
	// Patience is how long to wait for what a right answer does at once; zero is long enough for a busy machine.
	Patience time.Duration
}

// Suite is the checks of Lab 1, in the order in which they should be met.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "1-schemas", Guide: "labs/1-schemas/README.md"}
	for _, c := range slices.Concat(publishing, encoding, decoding, asking, versions, compatibility, streaming, joining, refusing) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// The operations of the lab, as its stubs name them.
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

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) {
		tr := &trial{T: t, answer: f, registry: newRegistry()}
		tr.prefix = fmt.Sprintf("desk-%d", tr.random().IntN(1000)) // another one in each check: no answer knows it before
		c.try(tr)
	}
	return c.Check
}

// A trial is one check under way.
type trial struct {
	check.T
	answer   Fixture
	registry *registry
	prefix   string // of the codec's subjects
}

// codec is the answer's codec over the trial's registry. The check ends if there is none.
func (t *trial) codec() Codec {
	c, err := t.answer.New(t.Context(), t.registry, t.prefix)
	answered(t, register, err)
	require.NoError(t, err, "a new codec over an empty registry")
	require.NotNil(t, c, "a codec")
	return watched{c, t}
}

// encoded is the payload of a body that fits its schema.
func (t *trial) encoded(c Codec, body trade.Body) contract.Payload {
	p, err := c.Encode(t.Context(), body)
	require.NoError(t, err, "encode %T", body)
	return p
}

// reads says that data of typ is decoded as want.
func (t *trial) reads(c Codec, what, typ string, data []byte, want trade.Body) {
	got, err := c.Decode(t.Context(), typ, data)
	require.NoError(t, err, "decode %s: % x", what, data)
	if !cmp.Equal(want, got, inUTC) {
		t.Errorf("%s is read as another body than was written\n  expected  %s\n  actual    %s", what, show(want), show(got))
		t.FailNow()
	}
}

// inUTC has times be equal if they are shown alike as well.
var inUTC = cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })

// show is a body in one line, without the addresses that %+v has.
func show(body trade.Body) string {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Sprintf("%T (%v)", body, err)
	}
	return fmt.Sprintf("%T%s", body, text)
}

// random is a source that is the same in every run.
func (t *trial) random() *rand.Rand {
	var seed [32]byte
	copy(seed[:], t.Name())
	return rand.New(rand.NewChaCha8(seed))
}
