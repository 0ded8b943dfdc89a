// Package kafka is the log on Kafka. The topics are the store; everything else is derived from
// them.
//
//	<prefix>.events   every event, for ever: delete policy, no retention;
//	                  key = stream, headers = attributes, value = data
//	<prefix>.heads    the head of each stream: compacted; key = stream
//
// Both topics have the same partitions. The key of a stream determines its partition: its name, or
// the key that the log's Placement gives it. A Placement puts streams that are decided together
// into one partition. Each partition has one owner, which alone writes it, under the partition's
// transactional id. One transaction writes an event and the head of its stream.
//
// A stream ends with an event that says so (Event.Ends), never with a null head: a head is derived,
// and would come back with the next take-over. The index and the head of the stream only repeat it.
//
// # Packages and files
//
// Each line uses only those above it.
//
//	index, membership            the derived index; the group that assigns partitions
//	options, record, layout      options; the records of events and of owner marks; partitions
//	log                          the connection to the topics
//	feed, topics, producer       reading the log; creating and checking it; one transaction
//	catchup, commit, owner       one partition: read it, commit groups of appends, take it over
//	store, read                  the Store: append; find, stream, frontier
//
// # Topics that cannot hold a log
//
// Open refuses them with ErrUnfit, because everything that is read from them would be wrong:
//
//	events is compacted, or has retention   events would disappear over time
//	events begins after offset 0            events are missing
//	the two differ in partitions            an event and its head would be separated
//	max.message.bytes is too small          an event that a log must take would be refused
//	partitions or Placement have changed    streams would not be found, and would begin again in
//	  since the log was created             other partitions; the first owner of a partition wrote
//	                                        down both (layout.go)
//
// # Taking over a partition
//
// Each step comes BEFORE the next:
//
//	be assigned      the consumer group states that the partition is ours
//	fence            InitProducerID: earlier owners can commit no more, and their open
//	                 transactions are aborted
//	mark             commit a record with our address: the log up to here is complete
//	read             read all heads, and the events up to the mark that the index lacks; all
//	                 events if a head does not confirm the index; mend the heads that differ
//	still assigned?  if not, another process takes over: give up
//	serve
//
// An owner that is fenced or no longer assigned closes its producer, forgets the partition, and the
// process joins the group again. It does not do so if another process has started under its
// address: then it is fenced for good (ErrReplaced, package membership).
//
// # Committing
//
// An append to several streams (contract.Atomic) needs a Placement that has them in one partition:
// ByPlace. It is one append of a group, so its events and the heads of its streams are in one
// transaction, and its guards are compared by the owner, which decides one append after the other.
//
// The owner of a partition takes all appends that wait into one transaction (a group). In a
// simulated log each append has its own, so that the same lines have the same positions. If the
// outcome of a commit is unknown, the owner takes over from itself: fence, mark, read. Then the log
// tells whether the group landed, and its appends are decided again, by the rule that answers any
// retry.
//
//	the write              landed   the caller is told
//	produce fails          no       written again in a new transaction; ErrFenced if we are fenced
//	commit acknowledged    yes      receipts
//	commit unanswered      yes      receipts, after reading the log
//	commit unanswered      no       written again, after fencing the transaction, which might
//	                                still land
//	commit refused, fenced ?        receipts if the log has it, ErrFenced if not
//	a record is refused    no       each append of the group is tried alone; the refused one
//	                                gets the broker's error
//	caller gives up        ?        its context's error; the same events again give the answer
//
// # Reading
//
// An owner answers from its index (package index). It finds ids and streams there, so that neither
// a retry nor the load of a stream scans the log. A process that does not own a partition, such as
// a reader, uses the owner's index file if it has access to it, and reads the later part of the
// log.
//
// Files can be changed by anyone who may write them, and their checksums with them. So each head
// has a rolling digest of all events of its stream. Owners and readers read all heads of a
// partition before they use its index. They answer from a stream of the index only if it has the
// digest of its head. Otherwise they read the log, and an owner rebuilds the index. An append
// fetches nothing for that: the digests are in memory. CheckIndex compares the files with the
// heads.
//
// The answer of an owner has all events that another process had read in the log before the
// question: a question about events of a group in flight waits for the outcome. But reads are not
// fenced. An owner that stood still (a stopped process, a long pause) answers reads, and conflicts,
// from its index until it hears of its successor, with its next heartbeat. It returns the beginning
// of a stream, and the end may be missing. Nothing can be recorded because of that: an append names
// its version, and the producer is fenced. For that time its Frontier is too late.
//
// # Limits
//
// An id is unique in the log as long as one process owns every partition. With several processes it
// is unique per partition. So a Placement must give all streams that may have the same id one key.
//
// A process that owns some of the partitions asks for an unknown id in the others, too. Without
// access to their index files it reads these partitions completely. So processes on one machine
// should share one Dir.
package kafka
