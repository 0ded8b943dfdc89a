package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// takeOver makes us the partition's only writer, and lets the index know all that is in it. Each step comes BEFORE the next, and the order
// is what makes it safe.
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
	// Fence. From now on nobody before us can commit, and what they left open is aborted. A crash here costs them a transaction
	// that nobody was told of.
	if err := p.fence(ctx); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	// Mark. All that was committed before us now lies before our mark. A crash here leaves a mark that nobody heeds.
	events, heads := o.marks()
	if err := p.transact(ctx, []*kgo.Record{events, heads}); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	// Read up to the mark. The end of the log would not do: it moves, and tells nothing of who was fenced.
	if err := o.catchUp(ctx, events.Offset); err != nil {
		return fmt.Errorf("read the log up to %d: %w", events.Offset, err)
	}
	// Mend the heads. A crash here leaves some that differ, and the next owner mends those.
	if err := o.repairHeads(ctx, p, heads.Offset); err != nil {
		return fmt.Errorf("mend heads: %w", err)
	}
	return nil
}
