// Package codectest is the suite of Lab 1: the checks of a codec, of the rules of compatibility, and of a producer and a consumer on
// Kafka.
//
// history.go is the part that outlives the course: for each version of each event type the bytes that a producer wrote, and what a consumer
// makes of them. A change of a schema or of a codec that breaks either fails here, before it reaches a topic.
package codectest
