package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// append decides and writes, under the store's lock, so that nothing comes between the two (L2.I1 to L2.I6, L2.I8, L2.I9). The batch is valid,
// and its bytes are ours to keep.
//
// Exercise 5. First what happens when all goes well: take over if there is no producer, decide, give versions and times (contract.Stamp, behind
// o.last), write the events (o.records) and the head of the last one in one transaction, and let the index know (o.indexEvent), with positions. Then
// what happens when transact fails: three kinds of failure, three ways on. Each begins with o.leave(): a producer that has failed is of no more
// use, and without one the next append takes over first.
func (o *owner) append(ctx context.Context, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	return nil, check.TODO("L2.append")
}

var _, _, _, _ = (*owner).records, (*owner).takeOver, isFenced, (*index).find // given: take this line away when you use them
