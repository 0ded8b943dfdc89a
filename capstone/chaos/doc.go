// Package chaos tests the promises of a store while the processes that write it are killed and
// stalled.
//
// Writers are separate processes, each with the store open. Clients, in this process, send them
// appends, reads and look-ups on a few contended streams. Where an outcome is unknown, a client
// asks again with the same event ids. A nemesis disturbs the writers:
//
//	kill     SIGKILL, and at once a new process at the same address
//	stall    SIGSTOP past the transaction's timeout, so that others take over; appends are sent to
//	         the stalled process meanwhile; then SIGCONT
//	replace  SIGSTOP, a new process at the same address while the old process is stopped, then
//	         SIGCONT: two processes that both act as the same writer
//	away     the broker (one of several) or the database is killed and started again, where the
//	         stack can do that
//
// Writers may be services (Run.Services): they take commands over HTTP, and each has a data folder
// of its own. None of them is replaced: the lock of the folder keeps a second process out.
//
// This process adds every question and every answer to a History, so no part of the history is
// lost when a writer is killed. A reader follows the feed during the whole run. At the end the
// whole log is read, once by an owner and once by each of several readers. Judge then checks the
// history against the rules (see Rule).
//
// # The seed
//
// A seed gives each client its operations (Tasks) and the nemesis its faults (Faults), the same
// ones each time. It cannot give the moment: the operating system decides at which instruction a
// SIGKILL finds a process, and which of two clients comes first. So two runs with the same seed do
// the same things at about the same times, which are counted in acknowledged appends and not in
// seconds. A rare failure may need a few runs to return. A kept history of a failed run can be
// judged again at any time, with the same verdict.
//
// # The history
//
// The history is JSON Lines (Entry), in the order in which this process saw things. Times are
// nanoseconds of one monotonic clock. An operation begins BEFORE its request is sent and ends AFTER
// its answer was received, so the time that the store took lies in between. One attempt that ends
// with a conflict:
//
//	{"at":1200,"invoke":{"op":7,"client":2,"writer":"writer-1#3","kind":"append",
//	  "stream":"trade/chaos-0-1","expected":4,"ids":["…"]}}
//	{"at":9400,"return":{"op":7,"outcome":"conflict","actual":5}}
package chaos
