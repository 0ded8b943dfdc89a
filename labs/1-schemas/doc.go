// Package codec is Lab 1: it turns the bodies of events into Avro and back, and takes them through Kafka. README.md is the guide.
//
// To be written are codec.go, upcast.go, compatible.go, producer.go and consumer.go, in this order. The other files are given: the
// walks over the fields of each event type, the printer as an example of a walker, the registry's client, and the envelope.
package codec
