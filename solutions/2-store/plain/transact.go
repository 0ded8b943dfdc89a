package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// errUnconfirmed is wrapped by the error of a transaction whose commit was requested and not
// confirmed: it may have landed. Any other error of transact means that no commit was requested:
// such a transaction never lands.
var errUnconfirmed = errors.New("commit is not confirmed")

// transact writes records in one transaction, and fills in their offsets. It returns after readers
// of committed records can see them. After any error the producer cannot be used again.
func (p *producer) transact(ctx context.Context, records []*kgo.Record) error {
	// A commit that was sent cannot be taken back, so we wait for its answer even if ctx ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	if err := p.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := p.produce(ctx, records); err != nil {
		return fmt.Errorf("produce: %w", err) // as after a crash, the next fence aborts the records
	}
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	// It is durable. A crash here leaves a caller without receipts; the same events again get them.
	if err := p.awaitVisible(ctx, records); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}
