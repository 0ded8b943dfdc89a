package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// append decides and writes under the store's lock, so that no other append comes between the two
// (L2.I1 to L2.I6, L2.I8). The batch is valid, and the caller will not change its bytes.
//
// Exercise 6. A loop, which ends when the context does:
//   - take over if there is no producer;
//   - decide;
//   - give the events versions and times (contract.Stamp of o.s.opts.Clock, after o.last);
//   - write the events (o.records) and the head of the last event in one transaction;
//   - add the events, with their positions, to the index (o.indexEvent).
//
// If transact fails, ask resolve (exercise 7): return its error, or decide again if it has none.
func (o *owner) append(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	return nil, check.TODO("L2.append")
}

// resolve finds the outcome of a transaction that failed with cause (L2.I9). It returns nil after
// the index has that outcome: the append is then decided again. Otherwise it returns the error for
// the caller.
//
// Exercise 7. There are three kinds of failure, and each needs its own handling. Each begins with
// o.leave(): a producer that failed cannot be used again, and without a producer the next append
// takes over first.
func (o *owner) resolve(ctx context.Context, cause error) error {
	return check.TODO("L2.resolve")
}

// These are provided or exercises. Remove this line when you use them.
var _, _, _, _, _ = (*owner).records, (*owner).takeOver, (*owner).resolve, isFenced, (*index).find
