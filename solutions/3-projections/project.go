package projection

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Project brings p up to the cursor to, in batches of up to about size events. Once it returns nil the model is that of every
// event before to, and to is its cursor: offsets of a feed may have holes, so the position of the last event does not tell. Where
// there is nothing to take, nothing is written.
//
// A batch is an equal share of every partition, so that they go through time together. Taken one partition after the other, each
// would bring legs from all over history, and the pools would be folded again from near their beginnings with every batch.
//
// A crash between two batches leaves p at the first of them. Project again goes on from there.
//
// A model that has taken more than the log has is *AheadError: what it says is not what the log says, and the events that will come
// where it has been already would be passed over.
func Project(ctx context.Context, log contract.Reader, p contract.Applier, to contract.Cursor, size int) error {
	begin, err := p.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("where to project from: %w", err)
	}
	if err := within(ctx, log, begin, to); err != nil {
		return err
	}
	batches := (begin.Distance(to) + int64(size) - 1) / int64(size)
	from := begin
	for n := range batches {
		next := begin.Share(to, n+1, batches)
		if err := take(ctx, log, p, from, next); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// within says that a model which came to cursor has taken nothing that is not in the log. Where it is ahead of to, another process may have
// brought it on since to was asked for: so the end that counts is asked for AFTER the cursor was.
func within(ctx context.Context, log contract.Reader, cursor, to contract.Cursor) error {
	if cursor.Ahead("the read model", to) == nil {
		return nil
	}
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("whether the log has what the read model has: %w", err)
	}
	return cursor.Ahead("the read model", end)
}

// take is one batch.
func take(ctx context.Context, log contract.Reader, p contract.Applier, from, to contract.Cursor) error {
	var batch []contract.Recorded
	for r, err := range log.Read(ctx, from, to) {
		if err != nil {
			return fmt.Errorf("read the log behind %s: %w", from, err)
		}
		batch = append(batch, r)
	}
	return p.Apply(ctx, batch, to)
}
