// Package codec is Lab 1: it encodes the bodies of events as Avro, decodes them again, and sends
// them through Kafka. README.md is the guide.
//
// Write settled.go, codec.go and upcast.go for part 1a, compatible.go, producer.go and consumer.go
// for part 1b, in this order. The other files are provided: the walks over the fields of each event
// type and four walkers, Avro's primitives, the registry's client, the envelope, the JSON form, and
// the visit of two schemas side by side.
package codec
