// Package outage tests the flow in process on a real stack: it opens the stores by itself, and
// reads their records in the broker and the database. It runs on the stack of the tests (see
// stacktest). Where there is a container engine, it also stops and kills the broker and the
// database.
//
//	an aborted transaction   is never read, and never projected
//	control records          and aborted transactions leave holes in the offsets; the lag of a
//	                         reader reaches 0 all the same
//	compaction               leaves heads that equal those which a replay of the log computes
//	a broker or a database   that is away for 5 s delays an import: the state is the same, no
//	                         event is lost or recorded twice, and the store logs that it waits
//	a broker                 that is killed (SIGKILL) again and again under load keeps every
//	                         acknowledged event, and shows no half of a transaction
//	two processes            that share the partitions record each command once
//
// Check L2.27 of the store's suite shows on every stack that a zombie owner is fenced, with
// contract.ErrFenced. There is nothing to import.
package outage
