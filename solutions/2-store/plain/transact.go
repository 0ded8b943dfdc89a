package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// errUnconfirmed is wrapped by the error of a transaction whose commit was asked for and not confirmed: it may have landed. Any other
// error of transact means that the commit was not asked for: such a transaction never lands.
var errUnconfirmed = errors.New("commit is not confirmed")

// transact writes records in one transaction, and fills in their offsets. It returns once who reads what is committed can see
// them. After any error the producer is of no more use.
func (p *producer) transact(ctx context.Context, records []*kgo.Record) error {
	// A commit that was sent cannot be taken back, so its answer is worth waiting for, whatever becomes of ctx.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	if err := p.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := p.produce(ctx, records); err != nil {
		return fmt.Errorf("produce: %w", err) // a crash here, too, leaves what the next fence aborts
	}
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	// It is durable. A crash here leaves a caller without receipts; the same events again give them.
	if err := p.awaitVisible(ctx, records); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}
