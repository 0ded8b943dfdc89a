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
	"strconv"
	"strings"
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
	// Transact fences with the transactional id of partition 0, and writes records in one
	// transaction. Unconfirmed is wrapped by its error if the transaction may have landed.
	Transact    func(ctx context.Context, o Options, records ...*kgo.Record) error
	Unconfirmed error
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

// Suites returns the checks of the two parts of Lab 2, in the order in which a student should meet
// them. Part 2b has checks of storetest, too. Given returns the others of storetest.
func Suites(f Fixture) []check.Suite {
	a := check.Suite{Name: "2-store", Part: "2a", Guide: "labs/2-store/README.md",
		Files:  []string{"decide.go", "transact.go", "takeover.go", "heads.go", "end.go"},
		Checks: bound(f, deciding, transacting, takingOver, ending)}
	b := check.Suite{Name: "2-store", Part: "2b", Guide: "labs/2-store/2b.md",
		Files:  []string{"append.go", "frontier.go", "offload.go"},
		Needs:  []string{decide, transact, takeover, heads, end},
		Checks: bound(f, heading, failing, returning)}
	every := everyStore(f)
	for _, own := range ofEveryStore {
		i := slices.IndexFunc(every, func(c check.Check) bool { return c.ID == own.ID })
		c := every[i]
		c.Operation, c.More, c.Bonus = own.Operation, own.More, own.Bonus
		b.Checks = append(b.Checks, c)
	}
	slices.SortFunc(b.Checks, func(x, y check.Check) int { return number(x) - number(y) })
	for _, s := range []check.Suite{a, b} {
		for i, c := range s.Checks {
			s.Checks[i].Read = sections[c.Operation]
		}
	}
	return []check.Suite{a, b}
}

// everyStore returns the checks that every store passes. Offloading is tried over a log in memory.
func everyStore(f Fixture) []check.Check {
	every := storetest.Suite(storetest.Fixture{Owned: true, Open: f.logs()})
	return append(every.Checks, storetest.Offload(storetest.InMemory, f.Offload).Checks...)
}

// Given returns the checks of storetest that the lab does not have: there they would only test code
// that students are given.
func Given() check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/2b.md", Checks: everyStore(Fixture{})}
	s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool {
		own := func(o check.Check) bool { return o.ID == c.ID }
		return slices.ContainsFunc(ofEveryStore, own)
	})
	return s
}

// number returns the n of the check with the ID L2.n.
func number(c check.Check) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.ID, "L2."))
	return n
}

func bound(f Fixture, groups ...[]spec) []check.Check {
	var checks []check.Check
	for _, c := range slices.Concat(groups...) {
		checks = append(checks, c.bind(f))
	}
	return checks
}

// The operations of the lab, as its stubs name them.
const (
	decide   = "L2.decide"
	transact = "L2.transact"
	takeover = "L2.takeover"
	heads    = "L2.heads"
	end      = "L2.end"
	appends  = "L2.append"
	resolve  = "L2.resolve"
	frontier = "L2.frontier"
	offload  = "L2.offload"
	fetch    = "L2.fetch"
)

// sections are the places of the guides that explain an operation.
var sections = map[string]string{
	decide:   "section 1, exercise 1",
	transact: "section 2, exercise 2",
	takeover: "section 3, exercise 3",
	heads:    "section 3, exercise 4",
	end:      "section 4, exercise 5",
	appends:  "section 1, exercise 6",
	resolve:  "section 2, exercise 7",
	frontier: "section 3, exercise 8",
	offload:  "section 4, exercise 9",
	fetch:    "section 4, exercise 10",
}

// ofEveryStore are the checks of storetest that belong to the lab, with their place in it.
var ofEveryStore = []check.Check{
	{ID: "L2.16", Operation: appends, More: "version := o.s.index.last(stream).Version; for each " +
		"event: version++, and contract.Recorded{Event: e, Version: version, …}"},
	{ID: "L2.17", Operation: appends, More: "receipts, err := Decide(o.s.index.find, " +
		"o.s.index.last(stream), expected, events); if receipts != nil || err != nil, return both"},
	{ID: "L2.18", Operation: appends, More: "if receipts != nil, return them before anything is " +
		"written; an empty slice of receipts is not nil"},
	{ID: "L2.19", Operation: appends, More: "after transact: records[i].Offset is the offset of " +
		"event i; set Position{Partition: o.partition, Offset: …} BEFORE o.indexEvent"},
	{ID: "L2.20", Operation: appends, More: "last := o.last; for each event: last = " +
		"contract.Stamp(o.s.opts.Clock(ctx), last), and RecordedAt: last"},
	{ID: "L2.22", Operation: appends, More: "the readers need End of exercise 5, and receipts " +
		"that " +
		"are returned after transact: nothing else"},
	{ID: "L2.23", Operation: appends, More: "if the check fails, look at takeOver: catchUp up to " +
		"the Offset of the mark, with the marks and the events of earlier owners in it"},
	{ID: "L2.27", Operation: resolve, More: "case isFenced(cause): return fmt.Errorf(\"%w: %w\", " +
		"contract.ErrFenced, cause), after o.leave(); the next append takes over first"},
	{ID: "L2.31", Operation: frontier, More: "o.last = contract.Stamp(o.s.opts.Clock(ctx), " +
		"o.last).Add(-time.Microsecond); return o.last"},
	{ID: "L2.32", Operation: offload, More: "digest, err := s.blobs.Put(ctx, e.Data[prefix:]); " +
		"e.Data = e.Data[:prefix]; e.BodyDigest = digest"},
	{ID: "L2.33", Operation: fetch, More: "if !e.Offloaded(), return e. body, err := " +
		"s.blobs.Get(ctx, e.BodyDigest); e.Data = slices.Concat(e.Data, body); clear BodyDigest"},
	{ID: "L2.34", Operation: fetch, More: "errors.Is(err, contract.ErrNoBlob): an OffloadError " +
		"with a nil Found; sha256.Sum256(body) != e.BodyDigest: one with Found set to that sum"},
	{ID: "L2.35", Operation: fetch, More: "every error of Get but contract.ErrNoBlob: return it " +
		"wrapped, and no *contract.OffloadError"},
	{ID: "L2.36", Operation: appends, Bonus: true, More: "nothing may run between Decide and the " +
		"index of the events without the lock of Store.Append: start no goroutine in append"},
	{ID: "L2.37", Operation: appends, Bonus: true, More: "index the events before append " +
		"returns: " +
		"the next caller then finds their ids"},
	{ID: "L2.38", Operation: appends, Bonus: true, More: "Decide gets the last event of the " +
		"stream from the index: it must be the one of the append before"},
	{ID: "L2.39", Operation: appends, Bonus: true, More: "one transact with all records: " +
		"p.produce sends them in as many requests as it needs"},
	{ID: "L2.40", Operation: offload, Bonus: true, More: "offload must not change the content: " +
		"ContentDigest is the same if BodyDigest is the SHA-256 of Data[prefix:]"},
	{ID: "L2.41", Operation: fetch, Bonus: true, More: "e.BodyDigest = [32]byte{} in the event " +
		"that fetch returns; all other attributes stay"},
	{ID: "L2.42", Operation: offload, Bonus: true, More: "compare len(e.Data[prefix:]) with " +
		"s.limit, which NewOffloadingStore has lowered to what the log can hold"},
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
