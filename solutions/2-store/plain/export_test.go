package store

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrUnconfirmed is errUnconfirmed, for the checks.
var ErrUnconfirmed = errUnconfirmed

// Transact has a new producer of partition 0 fence, and write records in one transaction.
func Transact(ctx context.Context, opts Options, records ...*kgo.Record) error {
	return withProducer(ctx, opts, func(p *producer) error { return p.transact(ctx, records) })
}

// withProducer calls do with a new producer of partition 0 that has fenced.
func withProducer(ctx context.Context, opts Options, do func(*producer) error) error {
	s, err := connect(opts)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	p, err := s.newProducer(0)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.fence(ctx); err != nil {
		return err
	}
	return do(p)
}

// AwaitStored waits until the client has stored the partitions of the records.
func AwaitStored(ctx context.Context, client *kgo.Client, records ...*kgo.Record) error {
	return (&producer{client: client}).awaitStored(ctx, records)
}
