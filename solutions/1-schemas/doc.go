// Package codec encodes the bodies of events as Avro and decodes them again. It is the reference
// for Lab 1.
//
// # The bytes
//
// The data of an event is in the Confluent wire format: a prefix of five bytes, then the Avro
// binary encoding of the body (Avro 1.11.1, "Binary Encoding"). The prefix is a zero byte and the
// registry's id of the schema, in four bytes big-endian. A settlement of 2160 MWh at 83.1, in a
// registry that gave its schema the id 11:
//
//	00 00 00 00 0b        zero byte, schema id 11
//	0a 00 80 be fc 00     quantity value: 5 bytes, 2160000000 at scale 6
//	00                    quantity unit: symbol 0, MWh
//	08 04 f4 01 60        price: 4 bytes, 83100000 at scale 6
//	00                    price source: branch 0, null
//	00 00                 delivered period, from and to: null
//	00                    values that were entered in another unit: null
//
// # The shape of the code
//
// Each event type has one function in walks.go. It visits the fields of the body in the order of
// the schema:
//
//	func walkSettle(f fields, b *trade.Settle) {
//		quantity(f, "quantity", &b.Quantity)
//		f.decimal("price", &b.Price, unitScale)
//		optionalText(f, "price_source", &b.PriceSource)
//		optionalInstant(f, "from", &b.From)
//		optionalInstant(f, "to", &b.To)
//		entered(f, &b.Entered)
//	}
//
// Four walkers implement fields. The writer encodes each field and the reader fills it in; the
// printer and the scanner do the same as JSON. Each field is named in one place, and reading cannot
// drift away from writing.
//
// # The JSON form
//
// An event may travel as JSON (jsonform.go, scanner.go): the same prefix with the id of a JSON
// Schema, and one object. It is one event in both forms, because a consumer writes the value again
// in Avro, under the same version of the schema, before anything else sees it.
//
// # Versions
//
// Old data keeps its meaning (upcast.go). It is read under the schema that its prefix names, never
// under a newer one. The value is then converted from one version to the next until it is a body
// of the latest version.
//
// # One encoding
//
// Decode accepts only the bytes that Encode would have written. A body has one encoding, and equal
// facts have equal digests. Avro itself is looser: it allows padded integers, and arrays in several
// blocks.
package codec
