// Package audit makes the log tamper-evident: one Merkle tree (RFC 6962) over all of it, its checkpoints signed, and everything that
// was signed kept in an archive that nobody can rewrite for as long as its objects are locked.
//
// # The tree
//
// A leaf is the canonical bytes of one event (contract.Recorded.Leaf). Leaves go in by batch: the events of a range of the log in
// (partition, offset) order, then a header that names the range, the header before it, and how many events there are:
//
//	leaf 0  event 0/0   ┐
//	leaf 1  event 0/2   │ batch 1: [] to [3,1], nothing before it
//	leaf 2  event 1/0   │
//	leaf 3  header      ┘
//	leaf 4  event 0/3   ┐ batch 2: [3,1] to [4,2], after the header at leaf 3
//	leaf 5  event 1/1   │
//	leaf 6  header      ┘
//
// Ranges abut and begin at the beginning, so an event that is in the log and not in the tree shows, and so does the reverse. The header is
// "blotter/batch/v1", the batch's number, the leaf hash of the header before it (zeros for the first), the two cursors and the count,
// each with its length in four bytes big-endian before it; numbers are eight bytes big-endian, and a cursor is one per partition.
//
// # The archive
//
//	batches/000000000000      the batch that begins with leaf 0
//	batches/000000000004      the batch that begins with leaf 4
//	checkpoints/000000000007  the tree of 7 leaves, signed
//
// A batch is JSON Lines: what it is, with the right edge of the tree before it, then a line per event.
//
//	{"first":4,"edge":["9x…="],"number":2,"previous":"Wd…=","from":[3,1],"to":[4,2],"events":2}
//	{"partition":0,"offset":3,"leaf":"AAAAD2Js…"}
//	{"partition":1,"offset":1,"leaf":"AAAAD2Js…"}
//
// A checkpoint is a C2SP signed note (c2sp.org/tlog-checkpoint) without extension lines:
//
//	example.com/desk/blotter
//	7
//	qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=
//
//	— example.com/desk/blotter Az3grlgtzPICa5OS8npVmf1My…
//
// Files in testdata show each of them whole.
//
// # What holds
//
// Batches are archived BEFORE the checkpoint that covers them. Each object is put only where there is none, so of sealers that run at once
// one is first, and the others read what it wrote and go on. A batch that no checkpoint covers is what a crash leaves behind: the
// next Seal reads its range of the log again and takes it over if it is what it would have written itself.
//
// What this does not show: that an event was true, or that nothing was kept out of the log before it was sealed. Once the lock of
// the last checkpoints has run out, whoever may delete objects can take them away, and what is left agrees with itself; and who holds the signer
// key besides can sign another history. Against both, keep a checkpoint elsewhere and give it to VerifySince.
package audit
