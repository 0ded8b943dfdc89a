package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// An owner writes one partition, from its assignment until it is revoked or fenced. All its work is done by one
// goroutine, so appends to a partition are decided one after the other.
type owner struct {
	s         *Store
	m         *membership
	partition int32
	ctx       context.Context // ends when the partition is revoked
	cancel    context.CancelFunc
	queue     chan *request // unbuffered: what was not taken is not ours to answer
	serving   chan struct{} // closed once the partition is taken over
	failed    chan error    // the first take-over that did not work
	done      chan struct{} // closed when the owner has ended

	index    *part
	producer *producer
	stamps   stamps
	group    []*request // taken from the queue and not answered
	apart    []*request // the rest of a group that was turned down, to be tried one by one
	fenced   bool       // by another owner, who has our last transaction decided
}

func newOwner(s *Store, m *membership, partition int32) *owner {
	o := &owner{
		s: s, m: m, partition: partition, index: s.index.parts[partition],
		queue: make(chan *request), serving: make(chan struct{}), failed: make(chan error, 1), done: make(chan struct{}),
	}
	o.ctx, o.cancel = context.WithCancel(s.ctx)
	return o
}

// run takes over and serves, as often as it must, until the partition is revoked or we are fenced.
func (o *owner) run() {
	defer o.end()
	for o.ctx.Err() == nil {
		err := o.takeOver()
		if err == nil {
			err = o.serve()
		}
		o.producer.close()
		if isFenced(err) {
			o.s.opts.Log.Warn("fenced", "log", o.s.opts.Prefix, "partition", o.partition, "err", err)
			o.fenced = true
			o.m.lose()
			o.s.unsettle(o.m) // who comes now waits for the next assignment
			return
		}
		if err != nil && o.ctx.Err() == nil {
			o.s.opts.Log.Warn("partition is to be taken over again", "log", o.s.opts.Prefix, "partition", o.partition, "err", err)
			o.report(err)
			o.s.pause()
		}
	}
}

// end answers what is left, lets go of the place, and forgets.
func (o *owner) end() {
	o.settle()
	o.cancel()
	if err := o.index.shut(); err != nil {
		o.s.opts.Log.Warn("index file stays behind the log", "log", o.s.opts.Prefix, "partition", o.partition, "err", err)
	}
	close(o.done)
}

// settle answers a group whose place is lost. What was not sent is not recorded. What was sent may have landed, and the log says so
// as soon as whoever comes after us has had our transaction decided.
func (o *owner) settle() {
	err := o.learn()
	for _, r := range append(o.group, o.apart...) {
		receipts, was := o.known(r)
		switch {
		case was == nil && receipts != nil:
			o.reply(r, receipts, nil)
		case r.sent && err != nil:
			o.reply(r, nil, ErrUnknownOutcome)
		default:
			o.reply(r, nil, contract.ErrFenced)
		}
	}
	o.group, o.apart = nil, nil
}

func (o *owner) report(err error) {
	select {
	case o.failed <- fmt.Errorf("take over partition %d: %w", o.partition, err):
	default: // only the first is of interest
	}
}

// takeOver makes us the partition's only writer, and lets us know all that is in it. The order is what makes it safe.
func (o *owner) takeOver() error {
	// We are assigned. The group may give the partition to another at any time; from here on only fencing counts.

	// 1. Fence. From now on nobody before us can commit, and what they left open is aborted. A crash here costs them a
	// transaction that nobody was told of.
	var err error
	if o.producer, err = o.s.newProducer(o.partition); err != nil {
		return err
	}
	if err := o.producer.fence(o.ctx); err != nil {
		return fmt.Errorf("fence: %w", err)
	}

	// 2. Mark. All that was committed before us now lies before our mark. A crash here leaves a mark that nobody heeds.
	as := layout{o.s.opts.Place.Name, o.s.partitions}
	events, heads := marker(o.s.events, o.s.opts.Address, as), marker(o.s.heads, o.s.opts.Address, as)
	if err := o.producer.transact(o.ctx, []*kgo.Record{events, heads}); err != nil {
		return fmt.Errorf("mark: %w", err)
	}

	// 3. Read up to the mark. A crash from here on loses nothing that the log does not have.
	if err := o.catchUp(o.ctx, events.Offset, heads.Offset); err != nil {
		return err
	}

	// 4. Still assigned? If not, another takes over, and would only have to fence us.
	if err := o.ctx.Err(); err != nil {
		return err
	}

	// 5. Serve.
	var last time.Time
	if e, _ := o.index.at(); e != nil {
		last = e.RecordedAt
	}
	o.stamps.resume(last)
	select {
	case <-o.serving: // not for the first time
	default:
		close(o.serving)
	}
	return nil
}

// serve takes what waits into one group after another. It ends without an error when the partition is revoked.
func (o *owner) serve() error {
	for {
		if len(o.group) == 0 && len(o.apart) > 0 {
			o.group, o.apart = o.apart[:1:1], o.apart[1:]
		}
		if len(o.group) == 0 {
			select {
			case r := <-o.queue:
				o.group = append(o.group, r)
			case <-o.index.wake:
				if err := o.index.damage(); err != nil {
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

// A transaction ends where it has so many appends, or bytes. A larger batch has one of its own.
const (
	maxGroup      = 1000
	maxGroupBytes = 8 << 20
)

// gather takes all that waits now, without waiting for more.
func (o *owner) gather() {
	size := 0
	for _, r := range o.group {
		size += r.size
	}
	for len(o.group) < maxGroup && size < maxGroupBytes {
		select {
		case r := <-o.queue:
			o.group, size = append(o.group, r), size+r.size
		default:
			return
		}
	}
}

// errUndecided says that nobody has fenced us yet, who are no longer the owner: our last transaction may still land.
var errUndecided = errors.New("the last transaction is not decided")

// learn reads what the log says of the last group once a successor has decided it, into the index. Where there is none yet it does not
// wait for one: the group gives our place to nobody, not even to us, before we let go of it.
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
	ctx, cancel := context.WithTimeout(o.s.ctx, o.s.opts.Timeout)
	defer cancel()
	// While the transaction is open, the last stable offset stays before it. Who fenced us has aborted or
	// completed it, so this ends.
	for {
		end, err := o.s.End(ctx)
		if err != nil {
			return err
		}
		if end.At(o.partition) > sent {
			return o.read(ctx, end.At(o.partition), nil)
		}
		if o.s.pause(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// isFenced says whether an error of the broker means that another has our transactional id. A transaction
// that timed out looks the same, and is treated the same: the place is lost, and we join again.
func isFenced(err error) bool {
	for _, fenced := range fencingErrors {
		if errors.Is(err, fenced) {
			return true
		}
	}
	return false
}
