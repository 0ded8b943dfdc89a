package audit

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Verify implements contract.Auditor. A difference between log and archive is no error: it is the
// Fault of the result. Fill Checkpoint, Batches, Sealed, Unanchored and Fault. With a Fault, the
// other fields need not be set.
//
// Exercise 4. difference and archiveFault (auditor.go) make the faults.
func (a *Auditor) Verify(ctx context.Context) (v contract.Verification, err error) {
	return v, check.TODO("L5.verify")
}

var _ = archiveFault // provided; remove this line when you use it
