package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// An owner writes one partition, from its assignment until it is revoked or fenced. One goroutine
// does all its work, so the appends to a partition are decided one after the other.
type owner struct {
	committer
	cancel   context.CancelFunc // of ctx
	lost     func()             // tells the group that this owner was fenced
	queue    chan *request      // in the order in which they are decided
	promises chan *promise      // unbuffered: one that was not taken is not ours to answer
	serving  chan struct{}      // closed after the partition was taken over
	failed   chan error         // the error of the first take-over that failed
	done     chan struct{}      // closed after the owner has ended
	fenced   bool               // by an owner that has had our last transaction decided
}

func newOwner(l *log, all *index.Index, partition int32, lost func()) *owner {
	o := &owner{
		lost: lost, queue: make(chan *request, maxGroup), promises: make(chan *promise),
		serving: make(chan struct{}), failed: make(chan error, 1), done: make(chan struct{}),
	}
	o.log, o.logger, o.partition = l, l.logger.With("partition", partition), partition
	o.all, o.index = all, all.Partitions[partition]
	o.ctx, o.cancel = context.WithCancel(l.ctx)
	return o
}

// Stop implements membership.Owner.
func (o *owner) Stop() { o.cancel() }

// Done implements membership.Owner.
func (o *owner) Done() <-chan struct{} { return o.done }

// submit queues r, and waits until the owner answers or the caller gives up. A request that is in
// the queue when the owner has ended was not sent.
func (o *owner) submit(r *request) ([]contract.Receipt, error) {
	select {
	case o.queue <- r:
		contract.Queued(r.ctx)
	case <-r.ctx.Done():
		return nil, r.failed(r.ctx.Err())
	case <-o.done:
		return nil, r.failed(o.log.closedOr(contract.ErrFenced))
	}
	select {
	case a := <-r.answer:
		return a.receipts, a.err
	case <-r.ctx.Done():
		return nil, r.giveUp(r.ctx.Err())
	case <-o.done:
	}
	select {
	case a := <-r.answer: // it came BEFORE the end
		return a.receipts, a.err
	default:
		return nil, r.giveUp(o.log.closedOr(contract.ErrFenced))
	}
}

// run takes over and serves, as often as it must, until the partition is revoked or fenced.
func (o *owner) run() {
	defer o.end()
	for o.ctx.Err() == nil {
		err := o.takeOver()
		if err == nil {
			err = o.serve()
		}
		o.producer.close()
		if isFenced(err) {
			o.logger.Warn("fenced", "err", err)
			o.fenced = true
			o.lost()
			return
		}
		if err != nil && o.ctx.Err() == nil {
			o.logger.Warn("partition is to be taken over again", "err", err)
			o.report(err)
			o.log.pause()
		}
	}
}

// report keeps the first error for Open.
func (o *owner) report(err error) {
	select {
	case o.failed <- fmt.Errorf("take over partition %d: %w", o.partition, err):
	default:
	}
}

// takeOver makes us the partition's only writer, with all of its events in the index. The order of
// the steps makes it safe.
func (o *owner) takeOver() error {
	// We are assigned. The group may give the partition to another process at any time; from here
	// on only fencing counts.

	// 1. Fence. From now on no earlier owner can commit, and their open transactions are aborted.
	// A crash here costs them a transaction that no caller was told of.
	var err error
	if o.producer, err = o.log.newProducer(o.partition); err != nil {
		return err
	}
	if err := o.producer.fence(o.ctx); err != nil {
		return fmt.Errorf("fence: %w", err)
	}

	// 2. Mark. All events that were committed before us now lie before our mark. A crash here
	// leaves a mark that readers skip.
	address, layout := o.log.opts.Address, o.log.layout()
	events, heads := newMark(o.log.events, address, layout), newMark(o.log.heads, address, layout)
	if err := o.producer.transact(o.ctx, []*kgo.Record{events, heads}); err != nil {
		return fmt.Errorf("mark: %w", err)
	}

	// 3. Read up to the mark. A crash from here on loses nothing that the log does not have.
	if err := o.catchUp(o.ctx, events.Offset, heads.Offset); err != nil {
		return err
	}

	// 4. Still assigned? If not, another process takes over, and would only have to fence us.
	if err := o.ctx.Err(); err != nil {
		return err
	}

	// 5. Serve, after the last event and every promise that came after it.
	last, err := o.reached(events.Offset)
	if err != nil {
		return fmt.Errorf("find the frontier: %w", err)
	}
	o.stamps.resume(last)
	select {
	case <-o.serving: // not for the first time
	default:
		close(o.serving)
	}
	return nil
}

// serve commits one group of waiting requests after another. It returns nil when the partition is
// revoked.
func (o *owner) serve() error {
	for {
		if len(o.group) == 0 && len(o.apart) > 0 {
			o.group, o.apart = o.apart[:1:1], o.apart[1:]
		}
		if len(o.group) == 0 {
			select {
			case r := <-o.queue:
				if !r.take() {
					continue
				}
				o.group = append(o.group, r)
			case r := <-o.promises:
				if err := o.promise(r); err != nil {
					return err
				}
				continue
			case <-o.index.Broken():
				if err := o.index.Err(); err != nil {
					return err
				}
				continue
			case <-o.ctx.Done():
				return nil
			}
		}
		if len(o.apart) == 0 {
			o.gather()
		}
		if err := o.commit(); err != nil {
			return err
		}
	}
}

// reached returns the time that earlier owners have reached before the offset of our mark.
func (o *owner) reached(mark int64) (time.Time, error) {
	var from int64
	var last time.Time
	if e := o.index.Last(); e != nil {
		from, last = e.Position.Offset+1, e.RecordedAt
	}
	promised, err := o.log.latest(o.ctx, o.partition, from, mark)
	if promised.After(last) {
		last = promised
	}
	return last, err
}

// A promise is a request to commit the frontier of the partition.
type promise struct {
	at   time.Time
	err  error
	done chan struct{} // closed when at or err is set
}

// promise commits a frontier mark with the time that the partition has reached; in a simulated log,
// with the zero time, which promises nothing. The mark is committed BEFORE anybody is told of it. A
// crash between the two leaves a promise that the next owner keeps.
func (o *owner) promise(p *promise) error {
	defer close(p.done)
	if !o.log.simulated {
		p.at = o.stamps.promise(o.log.opts.Clock(o.ctx))
	}
	mark := newFrontier(o.log.events, o.log.opts.Address, p.at)
	if p.err = o.producer.transact(o.ctx, []*kgo.Record{mark}); p.err != nil {
		p.err = fmt.Errorf("commit the frontier of partition %d: %w", o.partition, p.err)
	}
	return p.err
}

// commitFrontier has the owner commit a frontier, and returns it. The error is contract.ErrFenced
// if the partition is no longer ours.
func (o *owner) commitFrontier(ctx context.Context) (time.Time, error) {
	p := &promise{done: make(chan struct{})}
	select {
	case o.promises <- p:
	case <-o.done:
		return time.Time{}, o.log.closedOr(contract.ErrFenced)
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	select {
	case <-p.done:
		return p.at, p.err
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// A group takes no more appends when it has so many, or so many bytes. A larger batch is a group of
// its own.
const (
	maxGroup      = 1000
	maxGroupBytes = 8 << 20
)

// gather takes all requests that wait now. In a simulated log each append is a group of its own.
// The end of a transaction takes an offset: with larger groups the positions, and each root over
// them, would depend on the speed of the machine.
func (o *owner) gather() {
	if o.log.simulated {
		return
	}
	size := 0
	for _, r := range o.group {
		size += r.size
	}
	for len(o.group) < maxGroup && size < maxGroupBytes {
		select {
		case r := <-o.queue:
			if r.take() {
				o.group, size = append(o.group, r), size+r.size
			}
		default:
			return
		}
	}
}

// end answers the requests that are left, and closes the index.
func (o *owner) end() {
	o.answerRest()
	o.cancel()
	if err := o.index.Close(); err != nil {
		o.logger.Warn("index file stays behind the log", "err", err)
	}
	close(o.done)
}

// answerRest answers the requests of a lost partition. A request that was not sent is not recorded.
// One that was sent may have landed. The log has the answer as soon as the next owner has had our
// transaction decided.
func (o *owner) answerRest() {
	err := o.learn()
	for _, r := range append(o.group, o.apart...) {
		receipts, unknown := o.recorded(r)
		switch {
		case unknown == nil && receipts != nil:
			o.reply(r, receipts, nil)
		case r.sent && err != nil:
			o.reply(r, nil, ErrUnknownOutcome)
		default:
			o.reply(r, nil, contract.ErrFenced)
		}
	}
	o.group, o.apart = nil, nil
}

// errUndecided means that we are no longer the owner, and that no owner has fenced us yet: our last
// transaction may still land.
var errUndecided = errors.New("the last transaction is not decided")

// learn reads the outcome of the last group from the log into the index, after the next owner has
// had the transaction decided. If there is no next owner yet, learn does not wait for one: the
// group gives the partition to no process, not even to this one, before this owner has ended.
func (o *owner) learn() error {
	var sent int64 = -1
	for _, r := range o.group {
		if r.sent {
			sent = max(sent, r.offset)
		}
	}
	if sent < 0 {
		return nil
	}
	if !o.fenced {
		return errUndecided
	}
	ctx, cancel := context.WithTimeout(o.log.ctx, o.log.opts.Timeout)
	defer cancel()
	// While the transaction is open, the last stable offset stays before it. The owner that fenced
	// us has aborted or completed it, so this ends.
	for {
		end, err := o.log.End(ctx)
		if err != nil {
			return err
		}
		if end.At(o.partition) > sent {
			return o.read(ctx, end.At(o.partition))
		}
		if o.log.pause(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
