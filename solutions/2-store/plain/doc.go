// Package store is Lab 2: an append-only log on Kafka. labs/2-store/README.md is its guide.
//
//	<prefix>.events   every event, for ever: delete policy, no retention; key = stream, headers = attributes, value = data
//	<prefix>.heads    where each stream stands: compacted; key = stream
//
// Both have the same partitions, and a stream lives in the one its name hashes to. One process owns all of them. It keeps in memory
// what it must find, and makes that anew from the log when it starts; it does one append at a time, each in a transaction of its
// own. That is as simple as a store can be that is right. What is faster, larger or shared is in solutions/2-store/kafka, on the
// same topics: either opens the other's log.
//
// An append that fails, and what its caller is told:
//
//	what happened                    recorded   caller is told
//	refused by Decide                no         why
//	produce fails                    no         the error; the next owner's fence aborts it
//	produce fails, fenced            no         contract.ErrFenced
//	commit acknowledged              yes        receipts
//	commit unanswered, landed        yes        receipts, after the log was asked
//	commit unanswered, not landed    no         it is done again, behind a fence that the first cannot pass
//	crash                            ?          nothing: the same events again give the answer
package store
