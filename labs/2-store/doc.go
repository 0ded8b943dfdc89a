// Package store is Lab 2: an append-only log on Kafka. README.md is the guide.
//
//	<prefix>.events   every event, for ever: delete policy, no retention; key = stream, headers = attributes, value = data
//	<prefix>.heads    where each stream stands: compacted; key = stream
//
// To be written are decide.go, takeover.go, transact.go, heads.go, append.go, end.go, frontier.go and offload.go, in this order. The other
// files are given:
//
//	store.go       what callers see: Open, Append, Find, Stream; one lock, an owner per partition, one index
//	owner.go       what an owner of a partition keeps, and how it reads on
//	index.go       what must be found: an event by its id, the events of a stream
//	producer.go    a producer under a partition's transactional id: fence, produce, and the wait until a commit can be read
//	feed.go        reading ranges of the log, read committed
//	record.go      events as records
//	mark.go        the mark of an owner, and what it says of the log
//	headrecord.go  heads as records
//	topics.go      topics that can hold a log
//	offloading.go    the store that keeps large payloads elsewhere
package store
