// Package codec is Lab 1: it encodes the bodies of events as Avro, decodes them again, and sends
// them through Kafka. README.md is the guide.
//
// Write codec.go, upcast.go, compatible.go, producer.go and consumer.go, in this order. The other
// files are provided: the walks over the fields of each event type, the printer as an example of a
// walker, the registry's client, and the envelope.
package codec
