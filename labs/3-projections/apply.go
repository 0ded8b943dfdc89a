package projection

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Advance returns the events that a model at cursor has not taken yet, in their order, and the
// model's cursor after them (L3.I2). next is the cursor after the batch. The model may be past it.
//
// Exercise 2. contract.Cursor has the methods that you need.
func Advance(cursor contract.Cursor, batch []contract.Recorded, next contract.Cursor) (
	fresh []contract.Recorded, to contract.Cursor, err error) {
	return nil, nil, check.TODO("L3.advance")
}

// Apply adds the events that are new to the model, and moves its cursor, in one transaction
// (L3.I1).
//
// Exercise 3. m.tables.begin begins a transaction, m.store (model.go) writes the rows that fresh
// events change, and the methods of tx (tables.go) do the rest.
func (m *Model) Apply(ctx context.Context, batch []contract.Recorded, next contract.Cursor) error {
	return check.TODO("L3.apply")
}

var _ = (*Model).store // provided; remove this line when you use it
