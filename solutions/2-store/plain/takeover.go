package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// takeOver makes this process the only writer of the partition, and reads the whole partition into
// the index. Each step comes BEFORE the next, and the safety of the take-over rests on that order.
func (o *owner) takeOver(ctx context.Context) error {
	o.leave()
	producer, err := o.s.newProducer(o.partition)
	if err != nil {
		return err
	}
	err = o.becomeOwner(ctx, producer)
	if err != nil {
		producer.close()
		return err
	}
	o.producer = producer
	return nil
}

func (o *owner) becomeOwner(ctx context.Context, p *producer) error {
	// Fence. From now on no earlier owner can commit, and their open transactions are aborted. A
	// crash here costs them a transaction that no caller has receipts for.
	if err := p.fence(ctx); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	// Mark. Every commit of an earlier owner is now before our mark. A crash here leaves a mark
	// that every reader skips.
	events, heads := o.marks()
	if err := p.transact(ctx, []*kgo.Record{events, heads}); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	// Read up to the mark. The end of the log would not do: it moves, and an open transaction of
	// another program may hide committed events after it.
	if err := o.catchUp(ctx, events.Offset); err != nil {
		return fmt.Errorf("read the log up to %d: %w", events.Offset, err)
	}
	// Repair the heads. A crash here leaves some heads that differ, and the next owner repairs
	// them.
	if err := o.repairHeads(ctx, p, heads.Offset); err != nil {
		return fmt.Errorf("repair heads: %w", err)
	}
	return nil
}
