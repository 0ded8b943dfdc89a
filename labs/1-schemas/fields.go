// Code generated from solutions/1-schemas/fields.go by make generate; DO NOT EDIT.

package codec

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// fields walks over a body, in the order of its schema. Whatever does not fit is kept as the walker's first error, under the
// name of its field, and ends the walk in effect: a caller asks for it once, at the end.
type fields interface {
	text(name string, v *string)
	flag(name string, v *bool)
	number(name string, v *int64)
	decimal(name string, v *trade.Decimal, scale int32)
	instant(name string, v *time.Time) // timestamp-micros
	period(name string, v *trade.Period)
	id(name string, v *uuid.UUID)
	digest(name string, v *[32]byte)

	// symbol is one of a closed set of n: i is its index, -1 for a text that is none of them. A reader returns what it
	// found, every other walker returns i.
	symbol(name, text string, i, n int) int
	// present says whether a field that may be null is there. A writer is told by has; a reader finds out.
	present(name string, has bool) bool
	// record walks over the fields of a nested record.
	record(name string, walk func())
	// list walks over n items. A reader finds out how many there are, and calls grow before each.
	list(name string, n int, grow func(), item func(i int))
}

// Scales of the decimals in the catalog. See schemas/README.md for why these.
const (
	unitScale   = 6 // quantities, capacities and prices per unit
	amountScale = 4 // amounts of money
	precision   = 28
)

// enum is a field of one of the named values.
func enum[T ~string](f fields, name string, v *T, values ...T) {
	// Only a reader finds another symbol than it was shown: what a writer is shown belongs to its caller, who may share it.
	if i := f.symbol(name, string(*v), slices.Index(values, *v), len(values)); i >= 0 && *v != values[i] {
		*v = values[i]
	}
}

// optionalText is a text that may be null, which the empty text is.
func optionalText(f fields, name string, v *string) {
	if f.present(name, *v != "") {
		f.text(name, v)
	}
}

// optionalDecimal is a decimal that may be null, which zero is.
func optionalDecimal(f fields, name string, v *trade.Decimal, scale int32) {
	if f.present(name, !v.IsZero()) {
		f.decimal(name, v, scale)
	}
}

// optionalQuantity is a quantity that may be null, which the zero Quantity is.
func optionalQuantity(f fields, name string, v *trade.Quantity) {
	if f.present(name, !v.IsZero()) {
		quantity(f, name, v)
	}
}

// quantity is a record of value and unit. Only what is conserved may be recorded: MW is not among the units.
func quantity(f fields, name string, v *trade.Quantity) {
	f.record(name, func() {
		f.decimal("value", &v.Value, unitScale)
		enum(f, "unit", &v.Unit, trade.MWh, trade.BBL)
	})
}

// at is what p points to, made if there is nothing yet: a reader fills it in.
func at[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
