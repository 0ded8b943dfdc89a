package audit

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Seal implements contract.Auditor. Events after the last batch become one batch. End of the result
// need not be set.
//
// Exercise 2. archived, read, putBatch, publish, sealedEvents, follows and difference are in
// auditor.go.
func (a *Auditor) Seal(ctx context.Context) (c contract.Checkpoint, err error) {
	return c, check.TODO("L5.seal")
}

// These are provided. Remove this line when you use them.
var _, _, _, _, _, _, _ = (*Auditor).archived, (*Auditor).read, (*Auditor).putBatch,
	(*Auditor).publish, sealedEvents, follows, difference
