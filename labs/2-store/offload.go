package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// offload gives e as it goes into the log: one whose body is over c.limit without it, and with its digest as its BodyDigest (L2.I13). The
// batch is valid.
//
// Exercise 8. The body is Data[wireHead:]; c.blobs.Put keeps it.
func (c *OffloadingStore) offload(ctx context.Context, e contract.Event) (contract.Event, error) {
	return e, check.TODO("L2.offload")
}

// fetch gives e as it was appended, its offload zero again. A payload that is gone or altered is *contract.OffloadError (L2.I13).
//
// Exercise 9. c.blobs.Get gives whatever is there, if anything is.
func (c *OffloadingStore) fetch(ctx context.Context, e contract.Recorded) (contract.Recorded, error) {
	return contract.Recorded{}, check.TODO("L2.fetch")
}
