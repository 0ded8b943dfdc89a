// Package kafka is the log on Kafka: the topics are the store, and everything else is derived from them.
//
//	<prefix>.events   every event, for ever: delete policy, no retention; key = stream, headers = attributes, value = data
//	<prefix>.heads    where each stream stands: compacted; key = stream
//
// Both have the same partitions, and a stream lives in the one its name hashes to. A partition is written by one owner only,
// under its own transactional id; an event and the head of its stream go in with one transaction.
//
// Taking over a partition, each step BEFORE the next:
//
//	be assigned      the consumer group says that the partition is ours
//	fence            InitProducerID: who owned it before can commit no more, and what it left open is aborted
//	mark             commit a record with our address: the log up to here is complete
//	read             all that is committed up to the mark, into the index; mend the heads that differ
//	still assigned?  if not, somebody else is on the way: give up
//	serve
//
// Whoever is fenced or no longer assigned closes its producer, drops what it knows, and joins again.
//
// An append waits for its partition's owner, who takes all that wait into one transaction (a group). Where the outcome of
// a commit is unknown, the owner takes over from itself: fence, mark, read. The log then says what landed, and
// the appends of the group are decided again, by the same rule that answers any retry.
//
//	the write              landed   caller is told
//	produce fails          no       it is done again in a new transaction; ErrFenced if we are fenced
//	commit acknowledged    yes      receipts
//	commit unanswered      yes      receipts, after reading the log
//	commit unanswered      no       it is done again, after fencing the transaction that might still land
//	commit refused, fenced ?        receipts if the log has it, ErrFenced if it has not
//	caller gives up        ?        its context's error: the same events again give the answer
//
// Limits of this version. The index is in memory and keeps every event of the partitions owned, so memory bounds the
// log, and a start reads all of it. An id is unique in the log as long as one process owns every partition; across
// processes it is unique per partition.
package kafka
