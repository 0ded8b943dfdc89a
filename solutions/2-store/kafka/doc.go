// Package kafka is the log on Kafka: the topics are the store, and everything else is derived from them.
//
//	<prefix>.events   every event, for ever: delete policy, no retention; key = stream, headers = attributes, value = data
//	<prefix>.heads    where each stream stands: compacted; key = stream
//
// Both have the same partitions, and a stream lives in the one that its key hashes to: its name, or what the log's Placement gives, so
// that streams which are decided together lie together. A partition is written by one owner only, under its own transactional id; an
// event and the head of its stream go in with one transaction.
//
// A stream ends by an event that says so (Event.Ends), never by a null head: a head is derived, and would come back with the next
// take-over. The index and the head of the stream only repeat it.
//
// Topics that cannot hold a log are refused (ErrUnfit), since whatever was served from them would be wrong:
//
//	events is compacted, or has retention   events would go, by and by
//	events begins past offset 0             events are gone
//	the two differ in partitions            an event and its head would lie apart
//	max.message.bytes is too small          an event that a log must take would not go in
//	there are other partitions, or another  streams would not be found, and be begun again elsewhere; the first owner of a
//	  Placement, than when it was created   partition wrote down how it was (marker.go)
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
// Whoever is fenced or no longer assigned closes its producer, drops what it knows, and joins again; but not where another process has
// come up under its address: then it is fenced for good (ErrReplaced). Which one came up last the broker knows (address.go), from Apache Kafka 3.0 on
// (DescribeTransactions, KIP-664); Open fails where it may not be asked.
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
//	a record is refused    no       the appends of the group are tried one by one; who is refused alone, the broker's error
//	caller gives up        ?        its context's error: the same events again give the answer
//
// # The index
//
// What must be found (an id's outcome, a stream's events) is in an index derived from the log and kept beside the owner, a file per
// partition in Options.Dir, so that neither a retry nor the reading of a stream scans the log (indexfile.go). It is written many events
// at a time, with the offset up to which it has come; what is not written yet is in memory. At a take-over only the log behind
// that offset is read.
//
//	the index file           what is done
//	behind the log           the rest is read from the log
//	missing, or half written made anew by reading the log, and that is logged as a warning
//	damaged                  the same: a checksum over the index, and one over each event, are wrong
//	of another log           the same: the id of the topic is another
//	ahead of the log, or of  the same: its latest event is not at its offset in the log
//	  a log that was cut
//	of an older format       the same
//	open in another process  nothing: that one may stand still. The index is kept in memory, from the whole log
//
// The heads are written with the events, so at a take-over only those behind the index are held against it; when the index
// is made anew, all of them are.
//
// Who is not the owner of a partition, such as a process that only reads, is answered from a copy of the owner's file, where that is at hand, and from the log
// behind it.
//
// Limits. Each time an index is written its checksum is made by reading it, so that costs more in a partition of many millions; use
// more partitions. An id is unique in the log as long as one process owns every partition; across processes it is unique
// per partition. So a Placement must give all streams that one id may be for, one key.
// A process that owns a part of the partitions asks the others' for an id that it does not know; where their index files are not at
// hand, that reads those partitions through. So processes of one machine should share one Dir.
//
// What an owner answers from its index holds all that others may have read in the log before it was asked: who asks for what a group under way touches
// waits until its outcome is known (sending.go). But reads are not fenced. An owner that stood still (a stopped process, a long pause) answers reads, and conflicts, from its index until it
// hears of its successor, at its next heartbeat: what it gives is the beginning of the stream, and may lack the end. Nothing can be
// recorded on the ground of that, since an append names its version and its producer is fenced. Its Frontier is too late for that long.
package kafka
