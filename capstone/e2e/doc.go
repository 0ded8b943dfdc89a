// Package e2e tests the program from the outside, end to end. Its tests build blotter and run it as
// processes, as a person or a cron job would. They do not know how a part works inside. The package
// outage below it tests the flow in process, on a stack that fails: it opens stores by itself.
// There is nothing to import.
//
// # Tampering
//
// An intruder has the files of the broker, or the superuser's password of the database, and changes
// the record: a bit of a payload, or an attribute. An event is removed, and its place is left empty
// or closed up. Two events are swapped. A payload is put into another event. The end is cut off
// below the last checkpoint. After each of these:
//
//   - verify exits 1, and its first line names the first bad position and the change. Where a
//     checksum of the broker's files is wrong, the stack refuses to open them and names topic,
//     partition and offset.
//   - no command alters anything: the log and the archive are, byte for byte, as the intruder left
//     them.
//   - events past the last checkpoint are called unanchored. No checkpoint covers them yet. In
//     Postgres a change of those goes unnoticed. On Kafka the index of the owner differs from it.
//
// # Breaches
//
// An intruder leaves the sealed events alone, and changes something else: the protection of the
// log, the index files, the keys, the archive, an extract. One table has each breach, the command
// that finds it, the error that names it, and the exit code.
//
// # Crashes
//
// The import is killed (SIGKILL) at random points, and at some points in the middle of its lines.
// The stack is kept by another process, or dies with the import. The same lines are imported again:
// the state digest is that of an undisturbed import. Then the projector is killed while it catches
// up, and the sealer while it seals: the state is the same, and verify agrees.
//
// The points come from a seed, which is part of the test's name. -seed repeats a run, and -rounds
// asks for more rounds:
//
//	go test ./capstone/e2e -run TestKilledCommands -v -seed 7 -rounds 10
//
// # Chaos
//
// blotter chaos kills, stalls and replaces several writers of one log under load and judges the
// history (package chaos): on each store, and where there is a container engine also on the real
// broker and the real database.
//
//	BLOTTER_CONTAINERS=1 go test ./capstone/e2e -run TestChaos -v -seed 7
package e2e
