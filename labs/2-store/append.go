package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// append decides and writes under the store's lock, so that no other append comes between the two
// (L2.I1 to L2.I6, L2.I8, L2.I9). The batch is valid, and the caller will not change its bytes.
//
// Exercise 6. First write the case without failures:
//   - take over if there is no producer;
//   - decide;
//   - give the events versions and times (contract.Stamp, after o.last);
//   - write the events (o.records) and the head of the last event in one transaction;
//   - add the events, with their positions, to the index (o.indexEvent).
//
// Then write the case in which transact fails. There are three kinds of failure, and each needs its
// own handling. Each begins with o.leave(): a producer that failed cannot be used again, and
// without a producer the next append takes over first.
func (o *owner) append(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	return nil, check.TODO("L2.append")
}

// These are provided. Remove this line when you use them.
var _, _, _, _ = (*owner).records, (*owner).takeOver, isFenced, (*index).find
