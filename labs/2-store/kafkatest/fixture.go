// Package kafkatest holds the checks of Lab 2 for a store on Kafka. It includes the checks that
// every store passes (storetest). Its own checks are about the decision as a pure function, taking
// over a partition, events and heads in one transaction, and commits without an answer. They run on
// brokers of their own, which give wrong answers, beside owners of their own, which die at the
// worst moment.
//
// The checks know of the store only the facts that another owner must know: the topics are
// <prefix>.events and <prefix>.heads, the transactional id of a partition is <prefix>.<partition>,
// and an event is a CloudEvents record (record in trial.go).
package kafkatest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Store is a contract.Store that can be closed.
type Store interface {
	contract.Store
	Close() error
}

// Options are the options that a store is opened with.
type Options struct {
	Brokers    []kgo.Opt // reach and sign in to the brokers
	Prefix     string
	Partitions int32
	Clock      contract.Clock
	Heads      contract.HeadCodec
	Address    string
	Timeout    time.Duration // for the broker to answer a transaction
}

// A Fixture is the answer that the checks try.
type Fixture struct {
	// Open opens a log, and creates it if it does not exist.
	Open func(ctx context.Context, o Options) (Store, error)
	// Decide returns the receipts of an append that is recorded, an error, or neither if the events
	// are to be written.
	Decide func(find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded,
		expected int64, events []contract.Event) ([]contract.Receipt, error)
	// Offload returns a store that stores bodies of more than the given number of bytes as objects.
	Offload func(contract.Store, contract.Blobs, int) contract.Store
	// Brokers reach those of the tests' stack. Prefix begins all names that the checks create
	// there.
	Brokers []kgo.Opt
	Prefix  string
	// Assigned states that another party, such as a consumer group, assigns the partitions. Such a
	// store does not take a partition back by itself: it returns contract.ErrFenced, even for an
	// append that may have landed, until the partition is assigned to it again. And an append
	// returns as soon as its caller gives up, while the commit goes on.
	Assigned bool
}

// Suite returns the checks of Lab 2 in the order in which a student should meet them.
func Suite(f Fixture) check.Suite {
	every := storetest.Fixture{Owned: true, Open: f.logs()}
	s := storetest.Suite(every)
	s.Checks = slices.Concat(
		bound(f, deciding, takingOver, ending), assigned(s.Checks),
		bound(f, failing, returning), assigned(storetest.Offload(every, f.Offload).Checks))
	return s
}

func bound(f Fixture, groups ...[]spec) []check.Check {
	var checks []check.Check
	for _, c := range slices.Concat(groups...) {
		checks = append(checks, c.bind(f))
	}
	return checks
}

// assigned sets the lab's operation of checks that every store passes.
func assigned(checks []check.Check) []check.Check {
	for i, c := range checks {
		checks[i].Operation = operationOf(c)
	}
	return checks
}

// The operations of the lab, as its stubs name them.
const (
	decide   = "L2.decide"
	takeover = "L2.takeover"
	transact = "L2.transact"
	appends  = "L2.append"
	end      = "L2.end"
	heads    = "L2.heads"
	frontier = "L2.frontier"
	offload  = "L2.offload"
	fetch    = "L2.fetch"
)

// operationOf returns the lab's operation that a check of storetest is about.
func operationOf(c check.Check) string {
	for operation, ids := range map[string][]string{
		frontier: {"L2.23"},
		offload:  {"L2.38", "L2.39", "L2.40", "L2.45"},
		fetch:    {"L2.37", "L2.41", "L2.42", "L2.43", "L2.44"},
	} {
		if slices.Contains(ids, c.ID) {
			return operation
		}
	}
	return appends
}

const partitions = 3

// logs creates logs on the stack for the checks of storetest.
func (f Fixture) logs() func(check.T, contract.Clock) storetest.Log {
	var created atomic.Int32
	return func(t check.T, clock contract.Clock) storetest.Log {
		o := Options{
			Brokers: f.Brokers, Prefix: fmt.Sprintf("%slog%d", f.Prefix, created.Add(1)),
			Partitions: partitions, Clock: clock, Heads: jsonHeads{}, Address: "127.0.0.1:7000",
			Timeout: 15 * time.Second,
		}
		s := f.open(t, o, "Open")
		return storetest.Log{
			Store: s,
			Reopen: func(t check.T) contract.Store {
				require.NoError(t, s.Close())
				return f.open(t, o, "Reopen")
			},
			Usurp: func(t check.T) {
				for p := range int32(partitions) {
					usurp(t, o, p)
				}
			},
		}
	}
}

// open opens a log, which must succeed. operation tells a new log (Open) from an existing one
// (Reopen).
func (f Fixture) open(t check.T, o Options, operation string) Store {
	s, err := f.Open(t.Context(), o)
	t.Answered(operation, err)
	require.NoError(t, err, "open the log")
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// usurp fences the owner of a partition, as another owner does, and ends.
func usurp(t check.T, o Options, partition int32) {
	rival := producer(t, o, fmt.Sprintf("%s.%d", o.Prefix, partition))
	_, _, err := rival.ProducerID(t.Context())
	require.NoError(t, err)
}

// producer returns a producer with a transactional id.
func producer(t check.T, o Options, id string) *kgo.Client {
	client, err := kgo.NewClient(append(slices.Clone(o.Brokers), kgo.TransactionalID(id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond),
	)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// jsonHeads is a head codec that needs no registry.
type jsonHeads struct{}

func (jsonHeads) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	return json.Marshal(h)
}

func (jsonHeads) DecodeHead(_ context.Context, data []byte) (h contract.Head, err error) {
	return h, json.Unmarshal(data, &h)
}

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) { c.try(&trial{T: t, answer: f}) }
	return c.Check
}

var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

const stream = "trade/UTI-1"

// event returns the nth event of the stream, the same in every run.
func event(n int) contract.Event {
	return contract.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, n)), Stream: stream,
		Type: "trade.amended", Schema: 1, EffectiveAt: noon.Add(time.Duration(n) * time.Minute),
		EnteredAt: noon.Add(time.Duration(n) * time.Minute), CommandID: "c-1",
		Actor: "desk-7", Reason: "agreed", Source: "kafkatest",
		Data: fmt.Appendf([]byte{0, 0, 0, 0, 7}, "body %d", n),
	}
}

func batch(first, last int) []contract.Event {
	var events []contract.Event
	for n := first; n <= last; n++ {
		events = append(events, event(n))
	}
	return events
}

// recorded returns events as the log records them, from version 1 on.
func recorded(events ...contract.Event) []contract.Recorded {
	var all []contract.Recorded
	for i, e := range events {
		at := noon.Add(time.Duration(i) * time.Microsecond)
		all = append(all, contract.Recorded{Event: e, Version: int64(i + 1), RecordedAt: at})
	}
	return all
}

// eventsOf returns the events without the attributes that the store gave them.
func eventsOf(recorded []contract.Recorded) []contract.Event {
	var events []contract.Event
	for _, e := range recorded {
		events = append(events, e.Event)
	}
	return slices.Clip(events)
}
