// Package store is Lab 2: an append-only log on Kafka. README.md and 2b.md are the guides.
//
//	<prefix>.events   every event, for ever: delete policy, no retention;
//	                  key = stream, headers = attributes, value = data
//	<prefix>.heads    the head of each stream: compacted; key = stream
//
// You write decide.go, transact.go, takeover.go, heads.go and end.go for part 2a, append.go,
// frontier.go and offload.go for part 2b, in this order. The other files are provided, and are
// copied from the solution by make generate:
//
//	store.go       the API: Open, Append, Find, Stream; one lock, one owner for each partition,
//	               one index
//	owner.go       the state of a partition's owner, and how it reads new events
//	index.go       finds an event by its id, and the events of a stream
//	producer.go    a producer with a partition's transactional id: fence, produce, and the wait
//	               until a commit is visible
//	feed.go        reads committed ranges of the log
//	record.go      events as records
//	mark.go        the mark of an owner, with the layout of the log
//	headrecord.go  heads as records
//	topics.go      the topics and their configuration
//	offloading.go  the store that keeps large payloads in object storage
package store
