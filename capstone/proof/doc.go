// Package proof shows, from the outside, what the log survives. Its tests build the program and drive it as processes, as a
// person or a cron job would; nothing in them knows how a part is made inside. There is nothing to import.
//
// # Tampering
//
// Somebody who has the files of the broker, or the superuser's password of the database, changes what was recorded: a bit of a
// payload, an attribute, an event taken out (its place left empty, or the ones behind it moved up), two exchanged, a payload
// put under another event, the end cut off below the last checkpoint. After each of these
//
//   - verify exits 1, and its first line names the first bad position and what was done there; or, where a checksum of the broker's
//     files is wrong, the stack refuses to open them, naming topic, partition and offset;
//   - nothing is altered by looking: the log and the archive are, byte for byte, what the intruder left;
//   - what lies past the last checkpoint is called unanchored, and changing it goes unnoticed: nothing vouches for it yet.
//
// # Crashes
//
// The import is killed (SIGKILL) at random points, and now and then for certain amid its lines, with the stack
// kept by another process or dying with it, and the same lines are imported again: the state digest is that of an import that nobody
// disturbed. Then the projector is killed while it catches up, and the sealer while it seals: the state is the same, and verify agrees.
//
// The points come from a seed that the tests are named after; -seed repeats a run, and -rounds asks for more of them:
//
//	go test ./capstone/proof -run Whoever -v -seed 7 -rounds 10
//
// Then blotter chaos kills, stalls and replaces several writers of one log under load, and judges the history of it (package chaos): on each
// store, and where there is a container engine on the real broker and the real database too.
//
//	BLOTTER_CONTAINERS=1 go test ./capstone/proof -run WhateverIsKilled -v -seed 7
package proof
