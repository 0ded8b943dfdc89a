package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Update is the flag that rewrites the golden files and the guide's table of checks.
var Update = flag.Bool("update", false, "rewrite the golden files")

// A wrongAnswer is the reference with one fault.
type wrongAnswer struct {
	name   string // of the fault
	finds  string // checks whose purpose is this fault; testdata/wrong has the text of the first
	also   string // the other checks that fail; no more may fail
	hint   string // a part of the failure text of the first check, meant for this fault
	change func(*kafkatest.Fixture)
	waits  bool // it waits for ever, so its checks get less time, and their texts differ
	races  bool // the texts differ from run to run
}

// kafkaWrongs have faults in the use of Kafka, or in the state after a crash. wronganystore_test.go
// has faults that any store may have.
var kafkaWrongs = []wrongAnswer{
	{
		name: "compares Any as a version", finds: "L2.1",
		hint: "contract.Any is -1 and fits every version",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			receipts, err := d.right()
			if receipts == nil && err == nil && d.expected != d.last.Version {
				err = d.conflict()
			}
			return receipts, err
		}),
	},
	{
		name: "names the stream of the last event", finds: "L2.1",
		hint: "last is the zero value for an unknown stream",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			receipts, err := d.right()
			if conflict := new(contract.ConflictError); errors.As(err, &conflict) {
				conflict.Stream = d.last.Stream
			}
			return receipts, err
		}),
	},
	{
		name: "compares versions before ids", finds: "L2.2", also: "L2.5",
		hint: "look the ids up BEFORE you compare versions",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			if d.expected != contract.Any && d.expected != d.last.Version {
				return nil, d.conflict()
			}
			return d.right()
		}),
	},
	{
		name: "compares ids and not content", finds: "L2.3",
		hint: "one that differs decides the batch",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			d.find = sameContent(d)
			return d.right()
		}),
	},
	{
		name: "names the stream of the new event", finds: "L2.3",
		hint: "name the stream of the recorded event",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			receipts, err := d.right()
			if reused := new(contract.ReusedError); errors.As(err, &reused) {
				reused.Stream = d.events[len(d.events)-1].Stream
			}
			return receipts, err
		}),
	},
	{
		name: "refuses a retry of an ended stream", finds: "L2.5",
		hint: "look the ids up first",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			if d.last.Ends {
				return nil, &contract.EndedError{Stream: d.last.Stream, Version: d.last.Version}
			}
			return d.right()
		}),
	},
	{
		name: "writes a partly recorded batch", finds: "L2.4",
		hint: "anything else is this error",
		change: decideWith(func(d decision) ([]contract.Receipt, error) {
			receipts, err := d.right()
			if errors.Is(err, contract.ErrPartial) {
				return nil, nil
			}
			return receipts, err
		}),
	},
	{
		name: "one transaction for each topic", finds: "L2.6",
		hint: "begin, produce all records, commit",
		change: transactWith(func(ctx context.Context, p *producer, records []*kgo.Record) error {
			for i := range records {
				if err := p.transact(ctx, records[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}),
	},
	{
		name: "takes a failed commit as an ordinary error", finds: "L2.7",
		hint: "wrap errUnconfirmed around every error of EndTransaction",
		change: transactWith(func(ctx context.Context, p *producer, records []*kgo.Record) error {
			if err := p.transact(ctx, records); err != nil {
				return fmt.Errorf("transaction: %s", err)
			}
			return nil
		}),
	},
	{
		name: "takes a refused record as unconfirmed", finds: "L2.7",
		hint: "no commit was requested, so this transaction never lands",
		change: transactWith(func(ctx context.Context, p *producer, records []*kgo.Record) error {
			if err := p.transact(ctx, records); err != nil {
				return fmt.Errorf("%w: %w", errUnconfirmed, err)
			}
			return nil
		}),
	},
	{
		name: "stops the commit with its caller", finds: "L2.8",
		hint: "commit and wait under context.WithoutCancel",
		change: transactWith(func(ctx context.Context, p *producer, records []*kgo.Record) error {
			err := p.withoutWait(ctx, records)
			if err != nil {
				return err
			}
			return p.awaitVisible(ctx, records)
		}),
	},
	{
		name: "returns before the commit is visible", finds: "L2.9",
		hint: "call producer.awaitVisible after the commit",
		change: transactWith(func(ctx context.Context, p *producer, records []*kgo.Record) error {
			return p.withoutWait(context.WithoutCancel(ctx), records)
		}),
	},
	{
		name: "starts with an empty index", finds: "L2.12",
		also: "L2.23 L2.13 L2.14",
		hint: "up to your own mark (catchUp), BEFORE you serve",
		change: storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
			s.index = newIndex()
			return nil
		}}),
	},
	{
		name: "random transactional id", finds: "L2.10", also: "L2.27 L2.28 L2.29",
		hint: "fence with the transactional id of the earlier owner", waits: true,
		change: storeWith(wrongStore{connected: func(s *Store) {
			s.opts.Prefix = "owner-" + uuid.NewString()
		}}),
	},
	{
		name: "reads before it fences", finds: "L2.13",
		hint: "the log stops changing only after the fence",
		change: storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
			return takeOverBy(ctx, o, readToEnd(o), fence, mark(o), repairToEnd(o))
		}}),
	},
	{
		name: "reads to the end without a mark", finds: "L2.13",
		hint: "only your own mark lies after all earlier events",
		change: storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
			return takeOverBy(ctx, o, fence, readToEnd(o), repairToEnd(o), mark(o))
		}}),
	},
	{
		name: "marks the topics in two transactions", finds: "L2.11",
		hint: "pass both marks to one call of transact", races: true,
		change: storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
			return takeOverBy(ctx, o, fence, writeMarks(o, inTwoTransactions), readToEnd(o),
				repairToEnd(o))
		}}),
	},
	{
		name: "believes the heads", finds: "L2.14",
		hint: "a head never decides which events the index has",
		change: storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
			return takeOverBy(ctx, o, fence, mark(o), readToEnd(o), believeHeads(o))
		}}),
	},
	{
		name: "repairs heads by version only", finds: "L2.14",
		hint: "compare each stream's head with headOf its last event, all of it",
		change: repairing(true, func(found foundHead, last contract.Recorded) bool {
			return found.Version != last.Version
		}),
	},
	{
		name: "repairs only heads that exist", finds: "L2.14",
		hint: "that is missing in found",
		change: repairing(true, func(found foundHead, last contract.Recorded) bool {
			return found != foundHead{} && found.Head != headOf(last)
		}),
	},
	{
		name: "keeps the heads of unknown streams", finds: "L2.14",
		hint: "that are left in found belong to no stream",
		change: repairing(false, func(found foundHead, last contract.Recorded) bool {
			return found.Head != headOf(last)
		}),
	},
	{
		name: "indexes uncommitted events", finds: "L2.10", also: "L2.13",
		hint: "read committed records only, as catchUp does",
		change: storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
			return takeOverBy(ctx, o, fence, mark(o), indexUncommitted(o), repairToEnd(o))
		}}),
	},
	{
		name: "shows readers uncommitted events", finds: "L2.15",
		hint:   "readers get committed records only",
		change: storeWith(wrongStore{read: readUncommitted}),
	},
	{
		name: "writes the head of the first event", finds: "L2.21", also: "L2.24",
		hint: "add headRecord of the last event",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			head := headsOf(c.ctx, c.owner, c.recorded[0])
			return c.commit(append(c.records(c.recorded), head...)...)
		}}),
	},
	{
		name: "writes the head after its events", finds: "L2.24",
		hint: "pass the head and all records of an append to one call",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			if err := c.commit(c.records(c.recorded)...); err != nil {
				return err
			}
			last := c.recorded[len(c.recorded)-1]
			return c.producer.transact(c.ctx, headsOf(c.ctx, c.owner, last))
		}}),
	},
	{
		name: "indexes before the commit", finds: "L2.24",
		also: "L2.27 L2.25 L2.26 L2.28 L2.29 L2.30",
		hint: "add events to the index only after transact has returned nil",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			if _, err := c.indexBatch(c.recorded); err != nil {
				return err
			}
			err := c.right()
			if err == nil { // Append indexes them again
				forget(c.owner, c.recorded)
			}
			return err
		}}),
	},
	{
		name: "takes the high watermark as the end", finds: "L2.15 L2.22",
		hint: "choose the one before the first open transaction",
		change: storeWith(wrongStore{end: func(
			ctx context.Context, s *Store,
		) (contract.Cursor, error) {
			offsets, err := s.admin.ListEndOffsets(ctx, s.events)
			return s.cursor(offsets, err)
		}}),
	},
	{
		name: "takes an unconfirmed commit as failed", finds: "L2.25", also: "L2.30",
		hint: "an event that landed is found by its id",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if !errors.Is(f.cause, errUnconfirmed) {
				return false, f.right()
			}
			return false, takeOverBy(f.ctx, f.owner, fence) // then write again
		}}),
	},
	{
		name: "takes an unconfirmed commit as landed", finds: "L2.26", also: "L2.30",
		hint: "the log up to your own mark decides, and not the attempt",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if !errors.Is(f.cause, errUnconfirmed) {
				return false, f.right()
			}
			return true, takeOverBy(f.ctx, f.owner, fence)
		}}),
	},
	{
		name: "fences again without reading", finds: "L2.28", also: "L2.25 L2.26 L2.29",
		hint: "with the same fence, mark and read as at the start",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if !isFenced(f.cause) {
				return false, f.right()
			}
			// The fault: the owner does not read the events that other owners wrote.
			if err := takeOverBy(f.ctx, f.owner, fence); err != nil {
				return false, err
			}
			return false, fmt.Errorf("%w: %w", contract.ErrFenced, f.cause)
		}}),
	},
	{
		name: "decides without ownership", finds: "L2.28",
		hint: "Take over before the next append is decided",
		change: storeWith(wrongStore{append: func(a appendCall) ([]contract.Receipt, error) {
			s := a.next.(*Store)
			// The fault: the owner may have lost the partition, and its index may be out of date.
			receipts, err := Decide(s.index.find, s.index.last(a.stream), a.expected, a.events)
			if receipts != nil || err != nil {
				return receipts, err
			}
			return a.forward()
		}}),
	},
	{
		name: "keeps the producer of a failed take-over", finds: "L2.29",
		hint: "set o.producer last, after all steps",
		change: storeWith(wrongStore{again: func(ctx context.Context, o *owner) (err error) {
			if o.producer, err = o.s.newProducer(o.partition); err != nil {
				return err
			}
			return o.becomeOwner(ctx, o.producer)
		}}),
	},
	{
		name: "hides that it was fenced", finds: "L2.27", also: "L2.28 L2.29",
		hint: "then returns ErrFenced",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if !isFenced(f.cause) {
				return false, f.right()
			}
			return false, f.takeOver(f.ctx)
		}}),
	},
	{
		name: "retries at any version", finds: "L2.30",
		hint:   "with the version that the caller expects",
		change: storeWith(wrongStore{expect: func(int64) int64 { return contract.Any }}),
	},
	{
		name: "answers ErrFenced to every error", finds: "L2.24",
		hint: "return ErrFenced only if isFenced(cause)",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			err = f.right()
			if err != nil {
				err = fmt.Errorf("%w: %w", contract.ErrFenced, err)
			}
			return false, err
		}}),
	},
	{
		name: "answers ErrFenced to a fenced commit", finds: "L2.25", also: "L2.26",
		hint: "after errUnconfirmed, whether fenced or not",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if errors.Is(f.cause, errUnconfirmed) && isFenced(f.cause) {
				f.leave()
				return false, fmt.Errorf("%w: %w", contract.ErrFenced, f.cause)
			}
			return false, f.right()
		}}),
	},
	{
		name: "leaves an unconfirmed commit to its caller", finds: "L2.25", also: "L2.26 L2.30",
		hint: "take over from yourself (fence, mark, read) and decide again",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if errors.Is(f.cause, errUnconfirmed) {
				f.leave()
				return false, fmt.Errorf("%w: %w", contract.ErrFenced, f.cause)
			}
			return false, f.right()
		}}),
	},
	{
		name: "new topics at every start", finds: "L2.23",
		also: "L2.12 L2.10 L2.13 L2.11 L2.14 L2.21 L2.24 L2.15 L2.25 L2.26 L2.28 L2.29 L2.30",
		hint: "open the same topics again",
		change: storeWith(wrongStore{connected: func(s *Store) {
			id := uuid.NewString()
			s.events, s.heads = id+".events", id+".heads"
		}}),
	},
	{
		name: "forgets ids at a restart", finds: "L2.23", also: "L2.12",
		hint: "rebuild ids and versions from the log",
		change: storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
			clear(s.index.ids)
			return nil
		}}),
	},
	{
		name: "forgets the last time at a restart", finds: "L2.23",
		hint: "take the last time from the log",
		change: storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
			for _, o := range s.owners {
				o.last = time.Time{}
			}
			return nil
		}}),
	},
	{
		name: "forgets ended streams at a restart", finds: "L2.23",
		hint: "read from the last event of a stream whether it has ended",
		change: storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
			for _, events := range s.index.streams {
				events[len(events)-1].Ends = false
			}
			return nil
		}}),
	},
	{
		name: "one transaction for each event", finds: "L2.24", also: "L2.25",
		hint: "a batch is no loop of transactions",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			for i := range c.recorded {
				if err := c.write(c.ctx, c.recorded[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		}}),
	},
	{
		name: "keeps the producer of a refused append", finds: "L2.24",
		hint: "resolve begins with o.leave()",
		change: storeWith(wrongStore{resolve: func(f failedWrite) (landed bool, err error) {
			if errors.Is(f.cause, errUnconfirmed) || isFenced(f.cause) {
				return false, f.right()
			}
			return false, f.cause // the fault: without leave, the next append has this producer
		}}),
	},
	{
		name: "indexes events without their positions", finds: "L2.19",
		also: "L2.24 L2.25 L2.26 L2.27 L2.28 L2.29 L2.30",
		hint: "set the position of each event before you index it",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			err := c.right()
			for i := range c.recorded {
				c.recorded[i].Position = contract.Position{}
			}
			return err
		}}),
	},
	{
		name: "gives receipts before the commit is confirmed", finds: "L2.26", also: "L2.25 L2.30",
		hint: "receipts promise that the events are in the log",
		change: storeWith(wrongStore{write: func(c writeCall) error {
			err := c.right()
			if errors.Is(err, errUnconfirmed) {
				c.leave()
				return nil
			}
			return err
		}}),
	},
	{
		name: "forgets its frontier", finds: "L2.31",
		hint: "remember the announced one",
		change: storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
			return contract.Stamp(o.s.opts.Clock(ctx), o.last).Add(-time.Microsecond)
		}}),
	},
	{
		name: "frontier in nanoseconds", finds: "L2.31",
		hint: "in whole microseconds",
		change: storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
			if now := o.s.opts.Clock(ctx); now.After(o.last) {
				o.last = now
			}
			return o.last
		}}),
	},
	{
		name: "each question moves the frontier", finds: "L2.31",
		hint: "a question must not move the frontier",
		change: storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
			o.last = contract.Stamp(o.s.opts.Clock(ctx), o.last)
			return o.last
		}}),
	},
}

// A decision is the arguments of Decide.
type decision struct {
	find     func(uuid.UUID) (contract.Recorded, bool)
	last     contract.Recorded
	expected int64
	events   []contract.Event
}

func (d decision) right() ([]contract.Receipt, error) {
	return Decide(d.find, d.last, d.expected, d.events)
}

func (d decision) conflict() error {
	stream := d.events[0].Stream
	return &contract.ConflictError{Stream: stream, Expected: d.expected, Actual: d.last.Version}
}

func decideWith(decide func(decision) ([]contract.Receipt, error)) func(*kafkatest.Fixture) {
	return func(f *kafkatest.Fixture) {
		f.Decide = func(
			find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded,
			expected int64, events []contract.Event,
		) ([]contract.Receipt, error) {
			return decide(decision{find, last, expected, events})
		}
	}
}

// sameContent finds each known id with the content of the caller's event.
func sameContent(d decision) func(uuid.UUID) (contract.Recorded, bool) {
	return func(id uuid.UUID) (contract.Recorded, bool) {
		was, ok := d.find(id)
		for _, e := range d.events {
			if e.ID == id {
				was.Event = e
			}
		}
		return was, ok
	}
}

func transactWith(
	transact func(context.Context, *producer, []*kgo.Record) error,
) func(*kafkatest.Fixture) {
	return func(f *kafkatest.Fixture) {
		f.Transact = func(ctx context.Context, o kafkatest.Options, rs ...*kgo.Record) error {
			return withProducer(ctx, optionsOf(o), func(p *producer) error {
				return transact(ctx, p, rs)
			})
		}
	}
}

func readUncommitted(ctx context.Context, s *Store, from, to contract.Cursor) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		for _, o := range s.owners {
			start, end := from.At(o.partition), to.At(o.partition)
			for _, record := range uncommitted(ctx, o, start, end) {
				if e, err := decode(record); !yield(e, err) {
					return
				}
			}
		}
	}
}

// believeHeads removes from the index each stream whose head is missing or has another version.
func believeHeads(o *owner) step {
	return func(ctx context.Context, _ *producer) error {
		end, err := headsEnd(ctx, o)
		if err != nil {
			return err
		}
		found, err := o.readHeads(ctx, end)
		for _, last := range o.lastEvents() {
			if found[last.Stream].Version != last.Version {
				delete(o.s.index.streams, last.Stream)
			}
		}
		return err
	}
}

func repairing(
	orphans bool, differs func(foundHead, contract.Recorded) bool,
) func(*kafkatest.Fixture) {
	return storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, mark(o), readToEnd(o), repairWhere(o, orphans, differs))
	}})
}

// repairWhere repairs the heads that differ. With orphans it also deletes heads of no stream.
func repairWhere(o *owner, orphans bool, differs func(foundHead, contract.Recorded) bool) step {
	return func(ctx context.Context, p *producer) error {
		end, err := headsEnd(ctx, o)
		if err != nil {
			return err
		}
		found, err := o.readHeads(ctx, end)
		var repairs []*kgo.Record
		for _, last := range o.lastEvents() {
			if differs(found[last.Stream], last) {
				repairs = append(repairs, headsOf(ctx, o, last)...)
			}
			delete(found, last.Stream)
		}
		for stream := range found {
			if orphans {
				repairs = append(repairs, o.tombstone(stream))
			}
		}
		if err != nil || len(repairs) == 0 {
			return err
		}
		return p.transact(ctx, repairs)
	}
}

// withoutWait is transact without the wait for visibility, and without a timeout: the end of ctx
// stops the commit.
func (p *producer) withoutWait(ctx context.Context, records []*kgo.Record) error {
	if err := errors.Join(p.client.BeginTransaction(), p.produce(ctx, records)); err != nil {
		return err
	}
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}

// forget removes the latest events from the index.
func forget(o *owner, recorded []contract.Recorded) {
	for _, e := range recorded {
		delete(o.s.index.ids, e.ID)
	}
	events := o.s.index.streams[recorded[0].Stream]
	o.s.index.streams[recorded[0].Stream] = events[:len(events)-len(recorded)]
}

// reference returns the fixture of the reference on a new broker.
func reference(t testing.TB) kafkatest.Fixture {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return kafkatest.Fixture{
		Open: func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			return Open(ctx, optionsOf(o))
		},
		Decide: Decide,
		Transact: func(ctx context.Context, o kafkatest.Options, records ...*kgo.Record) error {
			return Transact(ctx, optionsOf(o), records...)
		},
		Unconfirmed: errUnconfirmed,
		Offload: func(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
			return NewOffloadingStore(log, blobs, limit)
		},
		Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		Prefix:  fmt.Sprintf("wrong%d-", prefixes.Add(1)),
	}
}

var prefixes atomic.Int32

// AboutAnyStore reports whether a check needs no Kafka, no restart and no fence. A fault in the use
// of Kafka does not affect such a check, and the tests of each store have it.
func AboutAnyStore(c check.Check) bool {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.ID, "L2."))
	return n > 16 && !slices.Contains([]int{21, 23, 24, 25, 26, 27, 28, 29, 30}, n)
}

// affected returns the function of the fixture that a check tries.
func affected(f kafkatest.Fixture, c check.Check) any {
	switch c.Operation {
	case "L2.decide":
		return f.Decide
	case "L2.transact":
		return f.Transact
	case "L2.offload", "L2.fetch":
		return f.Offload
	}
	return f.Open
}

// suitesOf returns the checks that a fault may affect: those that try the function with the fault,
// and those that are listed.
func suitesOf(t testing.TB, w wrongAnswer) []check.Suite {
	right, f := reference(t), reference(t)
	w.change(&f)
	listed := strings.Fields(w.finds + " " + w.also)
	suites := kafkatest.Suites(f)
	for i := range suites {
		suites[i].Checks = slices.DeleteFunc(suites[i].Checks, func(c check.Check) bool {
			same := reflect.ValueOf(affected(f, c)).Pointer() ==
				reflect.ValueOf(affected(right, c)).Pointer()
			return !slices.Contains(listed, c.ID) && (same || AboutAnyStore(c))
		})
	}
	return suites
}

// Each wrong answer fails exactly the checks in its lists. A golden file has the text of the first.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range kafkaWrongs {
		t.Run(w.name, func(t *testing.T) {
			requireFound(t, w, suitesOf(t, w)...) // not parallel: each starts its own broker
		})
	}
}

// requireFound requires that exactly the listed checks fail.
func requireFound(t *testing.T, w wrongAnswer, suites ...check.Suite) {
	t.Helper()
	var failed []string
	for _, s := range suites {
		failed = append(failed, failures(t, w, s)...)
	}
	expected := strings.Fields(w.finds + " " + w.also)
	slices.Sort(expected)
	slices.Sort(failed)
	require.Equal(t, strings.Join(expected, " "), strings.Join(failed, " "))
}

// failures returns the IDs of the checks that fail. It compares the text of the first one that the
// wrong answer lists.
func failures(t *testing.T, w wrongAnswer, s check.Suite) (failed []string) {
	expected := strings.Fields(w.finds + " " + w.also)
	for i, c := range s.Checks {
		if w.waits && slices.Contains(expected, c.ID) {
			s.Checks[i].Limit = 2 * time.Second
		}
	}
	// The long run also requires that the other checks pass, unless the outcome varies.
	if testing.Short() || w.races {
		s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool {
			return !slices.Contains(expected, c.ID)
		})
	}
	for _, v := range check.JudgeAll(t.Context(), s) {
		if slices.Contains(concurrent, v.Check.ID) && slices.Contains(expected, v.Check.ID) {
			v = untilItFails(t, s, v)
		}
		if v.Outcome == check.Passed {
			continue
		}
		if !slices.Contains(expected, v.Check.ID) {
			t.Logf("unexpected: %s: %s: %s", v.Check.ID, v.Outcome, v.Text)
			if check.Judge(t.Context(), s, v.Check).Outcome == check.Passed {
				continue // the fault is there each time; a single failure comes from a slow machine
			}
		}
		failed = append(failed, v.Check.ID)
		if v.Check.ID != expected[0] {
			continue
		}
		require.Contains(t, v.Text, w.hint, "the hint for this fault")
		if !w.waits && !w.races {
			if !matches(t, w.name, steady(v)) { // a slow machine may change a number, once
				v = check.Judge(t.Context(), s, v.Check)
			}
			golden(t, w.name, steady(v))
		}
	}
	return failed
}

// untilItFails judges a check several times. The check finds the fault only if concurrent writers
// meet at the right moment.
func untilItFails(t *testing.T, s check.Suite, v check.Verdict) check.Verdict {
	const tries = 30
	for range tries {
		if v.Outcome != check.Passed {
			break
		}
		v = check.Judge(t.Context(), s, v.Check)
	}
	return v
}

// requireFinders requires that each check of the lab finds a wrong answer.
func requireFinders(t *testing.T, all []wrongAnswer) {
	found := map[string]bool{}
	for _, w := range all {
		require.NotEmpty(t, w.hint, "the hint that is meant for %s", w.name)
		for _, id := range strings.Fields(w.finds) {
			found[id] = true
		}
	}
	for _, s := range append(kafkatest.Suites(reference(t)), kafkatest.Given()) {
		for _, c := range s.Checks {
			require.True(t, found[c.ID], "no wrong answer has %s in finds", c.ID)
		}
	}
}

// concurrent lists the checks with concurrent writers. Their failures differ from run to run.
var concurrent = []string{"L2.22", "L2.36", "L2.37", "L2.38", "L2.50", "L2.51"}

// steady returns the part of a check's text that is the same in each run: the rule, the
// misconception, the hint, and the section to read.
func steady(v check.Verdict) string {
	if !slices.Contains(concurrent, v.Check.ID) {
		return v.Text
	}
	var kept strings.Builder
	for i, line := range strings.SplitAfter(v.Text, "\n") {
		label, _, _ := strings.Cut(line, ":")
		if i == 0 || slices.Contains([]string{"misconception", "hint", "read"}, label) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func goldenFile(name string) string {
	return filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
}

// matches reports whether a golden file has a text.
func matches(t *testing.T, name, got string) bool {
	t.Helper()
	want, err := os.ReadFile(goldenFile(name))
	return err == nil && string(want) == got
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := goldenFile(name)
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got,
		"to rewrite it: go test ./solutions/2-store/plain -run Wrong -update")
}
