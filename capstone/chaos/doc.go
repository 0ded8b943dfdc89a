// Package chaos holds a store to what it promises while the processes that write it are killed and stalled.
//
// Writers are processes of their own, each with the store open. Clients, in this process, send them appends, reads and look-ups on a few
// contended streams, and ask again, with the same event ids, where an outcome is unknown. A nemesis disturbs the writers:
//
//	kill     SIGKILL, and a new process under the same address at once
//	stall    SIGSTOP past the transaction's timeout, so that others take over; late appends wait for it; then SIGCONT
//	replace  SIGSTOP, a new process under the same address while the old one stands still, then SIGCONT: two that think they are one
//	away     the broker or the database is killed and started again, where the stack can do that
//
// What was asked and what was answered goes into a History, in this process, so that a killed writer takes nothing of it along. A
// reader follows the feed all the while, and the log is read whole at the end. Judge then holds all of it to the rules (see Rules).
//
// # The seed
//
// A seed gives each client its operations (Tasks) and the nemesis its faults (Faults), the same ones each time. What it cannot give is the
// moment: which instruction a SIGKILL finds a process at, and who of two clients comes first, is up to the operating system. So a
// run under the same seed does the same things, about as far apart (faults are counted in acknowledged appends, not in seconds), and a
// rare failure may take a few runs to come back. The history of a failed run is judged again, as often as one likes, to the same verdict.
//
// # The history
//
// JSON Lines (Entry), in the order in which this process saw things. Times are nanoseconds of one monotonic clock. An operation begins
// BEFORE its request is sent and ends AFTER its answer has come, so the time that the store took lies within. One attempt, conflict and all:
//
//	{"at":1200,"invoke":{"op":7,"client":2,"writer":"writer-1#3","kind":"append","stream":"trade/chaos-0-1","expected":4,"ids":["…"]}}
//	{"at":9400,"return":{"op":7,"outcome":"conflict","actual":5}}
package chaos
