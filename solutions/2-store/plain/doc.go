// Package store is Lab 2: an append-only log on Kafka. labs/2-store has its guides.
//
//	<prefix>.events   every event, for ever: delete policy, no retention;
//	                  key = stream, headers = attributes, value = data
//	<prefix>.heads    the head of each stream: compacted; key = stream
//
// Both topics have the same number of partitions. The hash of a stream's name gives its partition.
// One process owns all partitions. It keeps an index of the whole log in memory, and rebuilds it
// from the log when it starts. It does one append at a time, each in a transaction of its own. This
// is the simplest store that is correct. solutions/2-store/kafka is faster, needs less memory and
// can be shared by processes. It uses the same topics: either store opens a log of the other.
//
// The outcomes of an append, and the answer to its caller:
//
//	event                            recorded   the caller gets
//	refused by Decide                no         the reason
//	produce fails                    no         the error; the next fence aborts the events
//	produce fails, fenced            no         contract.ErrFenced
//	commit acknowledged              yes        receipts
//	commit unanswered, landed        yes        receipts, after the store has read the log
//	commit unanswered, not landed    no         receipts: the store fences, so that the first
//	                                            transaction can never commit, and writes again
//	crash                            ?          nothing: the same events again get the answer
package store
