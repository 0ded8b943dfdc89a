// Package contract declares the interfaces that the labs implement, and the numbered invariants of
// each. The suites test these invariants, and the guides explain them. The capstone
// relies on nothing else.
//
//	event.go       the event as every part sees it, and its content digest
//	cursor.go      positions in the feed, and the progress of a reader
//	codec.go       Lab 1: bodies to bytes and back, across schema versions
//	store.go       Lab 2: append, find, read, follow
//	atomic.go      Lab 2: append to several streams at once (optional)
//	blobs.go       Lab 2: payloads that are too large for the log
//	projection.go  Lab 3: read models with their checkpoint
//	replay.go      Lab 4: snapshots, and proof that history still leads to them
//	audit.go       Lab 5: seal the log, verify it
//	sealed.go      Lab 5: batches, their headers, proofs
package contract
