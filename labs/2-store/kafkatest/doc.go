// Package kafkatest holds the checks of Lab 2 for a store on Kafka: those that every store passes (storetest), and those of what only such a
// store has: the decision as a pure function, taking over a partition, events and heads in one transaction, and commits
// that are not answered. For these it has brokers of its own, whose answers it bends, and owners of its own, which die at the
// worst moment.
//
// What it must know of the store's insides is what any other owner must know: the topics are <prefix>.events and <prefix>.heads, the
// transactional id of a partition is <prefix>.<partition>, and an event is a CloudEvents record (record.go).
package kafkatest
