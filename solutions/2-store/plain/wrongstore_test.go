package store

import (
	"context"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/contract"
)

// bent is the reference with one step done otherwise. What is nil is done right.
type wrongStore struct {
	*Store
	connected func(*Store)                        // before it takes anything over
	takeOver  func(context.Context, *owner) error // at the start
	again     func(context.Context, *owner) error // takes over once the place was lost
	opened    func(context.Context, *Store) error // behind the start
	append    func(appendCall) ([]contract.Receipt, error)
	write     func(context.Context, *owner, []contract.Recorded) error                           // an append's transaction
	resolve   func(context.Context, *owner, []contract.Recorded, error) (landed bool, err error) // what a failed one came to
	expect    func(int64) int64                                                                  // what an append expects that is decided anew
	end       func(context.Context, *Store) (contract.Cursor, error)
	frontier  func(context.Context, *owner) time.Time // of its partition
	read      func(ctx context.Context, s *Store, from, to contract.Cursor) iter.Seq2[contract.Recorded, error]
}

// bend has the fixture open stores that are bent.
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
		Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock, Heads: o.Heads, Address: o.Address, Timeout: o.Timeout,
	}
}

// startBy is Store.start with another take-over.
func (b *wrongStore) startBy(ctx context.Context, takeOver func(context.Context, *owner) error) error {
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

// Append is the reference's, with the two steps that may be bent.
func (b *wrongStore) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
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
			if err := b.back(ctx, o); err != nil {
				return nil, err
			}
		}
		receipts, err := Decide(b.index.find, b.index.last(stream), expected, events)
		if receipts != nil || err != nil {
			return receipts, err
		}
		recorded := o.stamp(ctx, stream, copiedAll(events))
		if err = b.written(ctx, o, recorded); err == nil {
			return o.indexBatch(recorded)
		}
		landed, err := b.resolved(ctx, o, recorded, err)
		if err != nil {
			return nil, err
		}
		if landed {
			return o.indexBatch(recorded)
		}
		if b.expect != nil {
			expected = b.expect(expected)
		}
	}
	return nil, ctx.Err()
}

func copiedAll(events []contract.Event) []contract.Event {
	var all []contract.Event
	for _, e := range events {
		all = append(all, cloned(contract.Recorded{Event: e}).Event)
	}
	return all
}

func (b *wrongStore) back(ctx context.Context, o *owner) error {
	if b.again == nil {
		return o.takeOver(ctx)
	}
	return b.again(ctx, o)
}

func (b *wrongStore) written(ctx context.Context, o *owner, recorded []contract.Recorded) error {
	if b.write == nil {
		return o.write(ctx, recorded)
	}
	return b.write(ctx, o, recorded)
}

func (b *wrongStore) resolved(ctx context.Context, o *owner, recorded []contract.Recorded, cause error) (bool, error) {
	if b.resolve == nil {
		return false, o.resolve(ctx, cause)
	}
	return b.resolve(ctx, o, recorded, cause)
}

// End is the reference's, or the bent one. What the reference itself does with the end stays right.
func (b *wrongStore) End(ctx context.Context) (contract.Cursor, error) {
	if b.end == nil {
		return b.Store.End(ctx)
	}
	return b.end(ctx, b.Store)
}

// Frontier is the reference's, or the least of the bent ones.
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

// Read is the reference's, or the bent one.
func (b *wrongStore) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	if b.read == nil {
		return b.Store.Read(ctx, from, to)
	}
	return b.read(ctx, b.Store, from, to)
}

// serve gives the owner a producer by steps of one's choice.
func takeOverBy(ctx context.Context, o *owner, steps ...func(context.Context, *producer) error) error {
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

// mark writes the marks of o in as many transactions as there are lists of them.
func writeMarks(o *owner, lists func(events, heads *kgo.Record) [][]*kgo.Record) func(context.Context, *producer) error {
	return func(ctx context.Context, p *producer) error {
		for _, records := range lists(o.marks()) {
			if err := p.transact(ctx, records); err != nil {
				return err
			}
		}
		return nil
	}
}

func inOneTransaction(events, heads *kgo.Record) [][]*kgo.Record {
	return [][]*kgo.Record{{events, heads}}
}
func inTwoTransactions(events, heads *kgo.Record) [][]*kgo.Record {
	return [][]*kgo.Record{{events}, {heads}}
}

// readToEnd takes in what is committed at this moment.
func readToEnd(o *owner) func(context.Context, *producer) error {
	return func(ctx context.Context, _ *producer) error {
		end, err := o.s.End(ctx)
		if err != nil {
			return err
		}
		return o.catchUp(ctx, end.At(o.partition))
	}
}

// indexUncommitted takes in what is written, committed or not.
func indexUncommitted(o *owner) func(context.Context, *producer) error {
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

// uncommitted is the events of the partition in [from, to), whatever became of them.
func uncommitted(ctx context.Context, o *owner, from, to int64) []*kgo.Record {
	client, err := o.s.dial(kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.s.events: {o.partition: kgo.NewOffset().At(from)}}))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for next := from; next < to && ctx.Err() == nil; {
		for _, r := range client.PollFetches(ctx).Records() {
			next = r.Offset + 1
			if _, marked := parseMark(r); !marked && !r.Attrs.IsControl() && r.Offset < to {
				all = append(all, r)
			}
		}
	}
	return all
}

// repairToEnd mends the heads that are there at this moment.
func repairToEnd(o *owner) func(context.Context, *producer) error {
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

// commit writes records in one transaction and places the events.
func commit(ctx context.Context, o *owner, recorded []contract.Recorded, records []*kgo.Record) error {
	if err := o.producer.transact(ctx, records); err != nil {
		return err
	}
	for i := range recorded {
		recorded[i].Position = contract.Position{Partition: o.partition, Offset: records[i].Offset}
	}
	return nil
}

// headsOf is the records of heads for these events.
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
