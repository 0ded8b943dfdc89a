// Package endure shows what the flow owes to its broker and its database, and that it gets it: on whatever stack the tests run (see
// stacktest), and where containers can be had, also while these are stopped and killed.
//
//	an aborted transaction              is never read, and never projected
//	control records and aborted ones    leave holes in the offsets, and a reader's lag reaches 0 all the same
//	compaction                          leaves heads that are what a replay of the log computes
//	a broker or a database that is away for 5 s in the middle of an import
//	                                    delays it: the same state, nothing lost, nothing twice, and the log says what was waited for
//	a broker that is killed (SIGKILL) again and again under load
//	                                    keeps all that was acknowledged, and shows no half of a transaction
//
// That a zombie owner is fenced, with contract.ErrFenced, is check L2.I9 of the store's suite, which runs on every stack too.
// There is nothing to import.
package endure
