// Code generated from solutions/1-schemas/fields.go by make generate; DO NOT EDIT.

package codec

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// fields is a walker: a walk calls one method for each field of a body, in the order of the schema.
// A walker keeps the first value that does not fit as its error, with the name of the field. The
// walk continues without effect, and its caller asks for the error at the end.
type fields interface {
	text(name string, v *string)
	flag(name string, v *bool)
	number(name string, v *int64)
	decimal(name string, v *trade.Decimal, scale int32)
	instant(name string, v *time.Time) // timestamp-micros
	period(name string, v *trade.Period)
	id(name string, v *uuid.UUID)
	digest(name string, v *[32]byte)

	// spelled returns the text of an enum: the text that a reader of texts found; every other
	// walker returns text.
	spelled(name, text string) string
	// symbol visits an enum of n symbols. i is the index of text, or -1 if text is none of them.
	// A reader returns the index that it read; every other walker returns i.
	symbol(name, text string, i, n int) int
	// present reports whether a field that may be null has a value. A writer takes it from has; a
	// reader reads it.
	present(name string, has bool) bool
	// record visits the fields of a nested record.
	record(name string, walk func())
	// list visits n items. A reader reads their number, and calls grow before each item.
	list(name string, n int, grow func(), item func(i int))
}

// Scales of the decimals in the catalog. schemas/README.md gives the reasons.
const (
	unitScale    = 6  // quantities, capacities and prices per unit
	amountScale  = 4  // amounts of money
	enteredScale = 10 // quantities and prices as they were entered
	precision    = 28
)

// enum visits a field that has one of the given values.
func enum[T ~string](f fields, name string, v *T, values ...T) {
	text := f.spelled(name, string(*v))
	i := f.symbol(name, text, slices.Index(values, T(text)), len(values))
	// Only a reader finds another value. Other walkers must not write here: the body belongs to the
	// caller of Encode, which may share it.
	if i >= 0 && *v != values[i] {
		*v = values[i]
	}
}

// optionalText visits a text that may be null. The empty text is written as null.
func optionalText(f fields, name string, v *string) {
	if f.present(name, *v != "") {
		f.text(name, v)
	}
}

// optionalInstant visits a time that may be null. The zero time is written as null.
func optionalInstant(f fields, name string, v *time.Time) {
	if f.present(name, !v.IsZero()) {
		f.instant(name, v)
	}
}

// optionalDecimal visits a decimal that may be null. Zero is written as null.
func optionalDecimal(f fields, name string, v *trade.Decimal, scale int32) {
	if f.present(name, !v.IsZero()) {
		f.decimal(name, v, scale)
	}
}

// optionalQuantity visits a quantity that may be null. The zero Quantity is written as null.
func optionalQuantity(f fields, name string, v *trade.Quantity) {
	if f.present(name, !v.IsZero()) {
		quantity(f, name, v)
	}
}

// quantity visits a record of value and unit. MW is not among the units: only conserved quantities
// may be recorded.
func quantity(f fields, name string, v *trade.Quantity) {
	f.record(name, func() {
		f.decimal("value", &v.Value, unitScale)
		enum(f, "unit", &v.Unit, trade.MWh, trade.BBL, trade.MMBtu)
	})
}

// allocate returns *p. If it is nil, allocate first sets it to a new value, for a reader to fill
// in.
func allocate[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
