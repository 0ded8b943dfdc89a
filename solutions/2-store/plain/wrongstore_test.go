package store

import (
	"context"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/contract"
)

// A wrongStore is the reference with one step replaced. A nil step is that of the reference.
type wrongStore struct {
	*Store
	connected func(*Store)                        // called before the first take-over
	takeOver  func(context.Context, *owner) error // the take-over at the start
	again     func(context.Context, *owner) error // the take-over after ownership was lost
	opened    func(context.Context, *Store) error // called after the start
	append    func(appendCall) ([]contract.Receipt, error)
	write     func(writeCall) error                      // the transaction of an append
	resolve   func(failedWrite) (landed bool, err error) // the outcome of a failed transaction
	expect    func(int64) int64                          // the version that a retry expects
	end       func(context.Context, *Store) (contract.Cursor, error)
	frontier  func(context.Context, *owner) time.Time // of one partition
	read      func(ctx context.Context, s *Store, from, to contract.Cursor) eventSeq
}

type eventSeq = iter.Seq2[contract.Recorded, error]

// A writeCall is the transaction of one append.
type writeCall struct {
	*owner
	ctx      context.Context
	recorded []contract.Recorded
}

// right is the step of the reference.
func (c writeCall) right() error { return c.write(c.ctx, c.recorded) }

// A failedWrite is a transaction that failed with a cause.
type failedWrite struct {
	writeCall
	cause error
}

// right is the step of the reference.
func (f failedWrite) right() error { return f.owner.resolve(f.ctx, f.cause) }

// storeWith makes the fixture open wrong stores.
func storeWith(how wrongStore) func(*kafkatest.Fixture) {
	return func(f *kafkatest.Fixture) {
		f.Open = func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			b := how
			return &b, b.open(ctx, o)
		}
	}
}

func (b *wrongStore) open(ctx context.Context, o kafkatest.Options) (err error) {
	if b.Store, err = connect(optionsOf(o)); err != nil {
		return err
	}
	if b.connected != nil {
		b.connected(b.Store)
	}
	if b.takeOver == nil {
		err = b.start(ctx)
	} else {
		err = b.startBy(ctx, b.takeOver)
	}
	if err == nil && b.opened != nil {
		err = b.opened(ctx, b.Store)
	}
	return err
}

func optionsOf(o kafkatest.Options) Options {
	return Options{
		Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock,
		Heads: o.Heads, Address: o.Address, Timeout: o.Timeout,
	}
}

// startBy is Store.start with another take-over.
func (b *wrongStore) startBy(ctx context.Context, takeOver func(
	context.Context, *owner,
) error) error {
	partitions, err := b.prepareTopics(ctx)
	for p := range partitions {
		b.owners = append(b.owners, &owner{s: b.Store, partition: p})
	}
	for _, o := range b.owners {
		if err == nil {
			err = takeOver(ctx, o)
		}
	}
	return err
}

// Append is that of the reference with the replaced steps.
func (b *wrongStore) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if b.append != nil {
		return b.append(appendCall{ctx, b.Store, b.opts.Clock, stream, expected, events})
	}
	if b.write == nil && b.resolve == nil && b.again == nil && b.expect == nil {
		return b.Store.Append(ctx, stream, expected, events...)
	}
	if err := validate(stream, events); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.owners[b.partitionOf(stream)]
	for ctx.Err() == nil {
		if o.producer == nil {
			if err := b.takeOverAgain(ctx, o); err != nil {
				return nil, err
			}
		}
		receipts, err := Decide(b.index.find, b.index.last(stream), expected, events)
		if receipts != nil || err != nil {
			return receipts, err
		}
		c := writeCall{o, ctx, o.stamp(ctx, stream, clonedAll(events))}
		if err = b.written(c); err == nil {
			return o.indexBatch(c.recorded)
		}
		landed, err := b.resolved(failedWrite{c, err})
		if err != nil {
			return nil, err
		}
		if landed {
			return o.indexBatch(c.recorded)
		}
		if b.expect != nil {
			expected = b.expect(expected)
		}
	}
	return nil, ctx.Err()
}

func clonedAll(events []contract.Event) []contract.Event {
	var all []contract.Event
	for _, e := range events {
		all = append(all, cloned(contract.Recorded{Event: e}).Event)
	}
	return all
}

func (b *wrongStore) takeOverAgain(ctx context.Context, o *owner) error {
	if b.again == nil {
		return o.takeOver(ctx)
	}
	return b.again(ctx, o)
}

func (b *wrongStore) written(c writeCall) error {
	if b.write == nil {
		return c.right()
	}
	return b.write(c)
}

func (b *wrongStore) resolved(f failedWrite) (landed bool, err error) {
	if b.resolve == nil {
		return false, f.right()
	}
	return b.resolve(f)
}

// End is that of the reference, or the replaced one. The reference's own calls of End stay correct.
func (b *wrongStore) End(ctx context.Context) (contract.Cursor, error) {
	if b.end == nil {
		return b.Store.End(ctx)
	}
	return b.end(ctx, b.Store)
}

// Frontier is that of the reference, or the earliest of the replaced ones.
func (b *wrongStore) Frontier(ctx context.Context) (time.Time, error) {
	if b.frontier == nil {
		return b.Store.Frontier(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	least := b.frontier(ctx, b.owners[0])
	for _, o := range b.owners[1:] {
		if at := b.frontier(ctx, o); at.Before(least) {
			least = at
		}
	}
	return least, nil
}

// Read is that of the reference, or the replaced one.
func (b *wrongStore) Read(ctx context.Context, from, to contract.Cursor) eventSeq {
	if b.read == nil {
		return b.Store.Read(ctx, from, to)
	}
	return b.read(ctx, b.Store, from, to)
}

// A step is one step of a take-over.
type step func(context.Context, *producer) error

// takeOverBy takes over with the given steps.
func takeOverBy(ctx context.Context, o *owner, steps ...step) error {
	o.leave()
	p, err := o.s.newProducer(o.partition)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx, p); err != nil {
			p.close()
			return err
		}
	}
	o.producer = p
	return nil
}

func fence(ctx context.Context, p *producer) error { return p.fence(ctx) }

// writeMarks writes the marks of o in one transaction for each list.
func writeMarks(o *owner, lists func(events, heads *kgo.Record) [][]*kgo.Record) step {
	return func(ctx context.Context, p *producer) error {
		for _, records := range lists(o.marks()) {
			if err := p.transact(ctx, records); err != nil {
				return err
			}
		}
		return nil
	}
}

func mark(o *owner) step { return writeMarks(o, inOneTransaction) }

func inOneTransaction(events, heads *kgo.Record) [][]*kgo.Record {
	return [][]*kgo.Record{{events, heads}}
}

func inTwoTransactions(events, heads *kgo.Record) [][]*kgo.Record {
	return [][]*kgo.Record{{events}, {heads}}
}

// readToEnd indexes the events that are committed at this moment.
func readToEnd(o *owner) step {
	return func(ctx context.Context, _ *producer) error {
		end, err := o.s.End(ctx)
		if err != nil {
			return err
		}
		return o.catchUp(ctx, end.At(o.partition))
	}
}

// indexUncommitted indexes every event in the partition, committed or not.
func indexUncommitted(o *owner) step {
	return func(ctx context.Context, _ *producer) error {
		end, err := o.s.End(ctx)
		if err != nil {
			return err
		}
		for _, record := range uncommitted(ctx, o, 0, end.At(o.partition)) {
			if err := o.indexRecord(record); err != nil {
				return err
			}
		}
		return nil
	}
}

// uncommitted returns the events of the partition in [from, to), committed or not.
func uncommitted(ctx context.Context, o *owner, from, to int64) []*kgo.Record {
	start := map[int32]kgo.Offset{o.partition: kgo.NewOffset().At(from)}
	client, err := o.s.dial(kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.s.events: start}))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for next := from; next < to && ctx.Err() == nil; {
		for _, r := range client.PollFetches(ctx).Records() {
			next = r.Offset + 1
			if _, isMark := parseMark(r); !isMark && !r.Attrs.IsControl() && r.Offset < to {
				all = append(all, r)
			}
		}
	}
	return all
}

// repairToEnd repairs the heads that are committed at this moment.
func repairToEnd(o *owner) step {
	return func(ctx context.Context, p *producer) error {
		end, err := headsEnd(ctx, o)
		if err != nil {
			return err
		}
		return o.repairHeads(ctx, p, end)
	}
}

func headsEnd(ctx context.Context, o *owner) (int64, error) {
	offsets, err := o.s.admin.ListCommittedOffsets(ctx, o.s.heads)
	end, err := o.s.cursor(offsets, err)
	return end.At(o.partition), err
}

// commit writes records in one transaction. The first of them are the events.
func (c writeCall) commit(records ...*kgo.Record) error {
	if err := c.producer.transact(c.ctx, records); err != nil {
		return err
	}
	for i := range c.recorded {
		position := contract.Position{Partition: c.partition, Offset: records[i].Offset}
		c.recorded[i].Position = position
	}
	return nil
}

// headsOf returns the head records for these events.
func headsOf(ctx context.Context, o *owner, events ...contract.Recorded) []*kgo.Record {
	var records []*kgo.Record
	for _, e := range events {
		record, err := o.headRecord(ctx, e)
		if err != nil {
			panic(err)
		}
		records = append(records, record)
	}
	return records
}
