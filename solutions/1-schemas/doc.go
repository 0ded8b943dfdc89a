// Package codec turns the bodies of events into Avro and back: the reference for Lab 1.
//
// # The bytes
//
// An event's data is in the Confluent wire format: a zero byte, the registry's id of the schema in four bytes big-endian, and
// the Avro binary encoding of the body (Avro 1.11.1, "Binary Encoding"). A settlement of 2160 MWh at 83.1:
//
//	00 00 00 00 0b        zero byte, schema id 11
//	0a 00 80 be fc 00     quantity value: 5 bytes, 2160000000 at scale 6
//	00                    quantity unit: symbol 0, MWh
//	08 04 f4 01 60        price: 4 bytes, 83100000 at scale 6
//	00                    price source: branch 0, null
//
// # The shape of the code
//
// Each event type has one file with one function, which walks over the fields of the body in the order of the schema:
//
//	func settled(f fields, b *trade.Settle) {
//		quantity(f, "quantity", &b.Quantity)
//		f.decimal("price", &b.Price, unitScale)
//		optionalText(f, "price_source", &b.PriceSource)
//	}
//
// Three walkers implement fields. The writer encodes what it is shown, the reader fills it in, and the printer renders it for
// people. So a field has one place, and what is written cannot drift from what is read.
//
// # Versions
//
// What was once written stays readable as it was meant (upcast.go): data is read under the schema that its header names, never under a newer
// one, and what was read is then carried from one version to the next until it is a body of today.
//
// # One encoding
//
// Decode takes only what Encode would have written: a body has one encoding, so equal facts have equal digests. Avro itself
// is looser (an integer may be padded, an array split into blocks).
package codec
