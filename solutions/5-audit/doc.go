// Package audit makes the log tamper-evident. It builds one Merkle tree (RFC 6962) over the whole
// log and signs checkpoints of the tree. It keeps everything that was signed in an archive whose
// objects are locked: nobody can rewrite them until their locks expire.
//
// # The tree
//
// A leaf is the canonical bytes of one event (contract.Recorded.Leaf). Leaves are added in batches.
// A batch has the events of one range of the log in (partition, offset) order, then a header. The
// header names the range, the header before it, and the number of events:
//
//	leaf 0  event 0/0   ┐
//	leaf 1  event 0/2   │ batch 1: [] to [3,1], no header before it
//	leaf 2  event 1/0   │
//	leaf 3  header      ┘
//	leaf 4  event 0/3   ┐ batch 2: [3,1] to [4,2], after the header at leaf 3
//	leaf 5  event 1/1   │
//	leaf 6  header      ┘
//
// Ranges abut, and the first begins at the beginning of the log. Therefore an event that is in the
// log and not in the tree shows, and an event that is in the tree and not in the log shows too.
//
// The header's leaf is "blotter/batch/v3", the batch's number, the leaf hash of the header before
// it (zeros for the first), the two cursors, the number of events, one byte (1 if the
// log is simulated, else 0), the sealing time, the frontier, and for each offender its index in the
// batch (four bytes) and the broken rule (one byte). Times are microseconds since 1970; no time is
// the smallest number. Each field has its length
// before it, in four bytes big-endian. Numbers are eight bytes big-endian. A cursor is one number
// for each partition.
//
// # The archive
//
//	batches/000000000000      the batch that begins with leaf 0
//	batches/000000000004      the batch that begins with leaf 4
//	checkpoints/000000000007  the tree of 7 leaves, signed
//
// Each object is a signed note (C2SP signed-note). The text of a batch is JSON Lines: first its
// header with the right edge of the tree before it, then a line for each event.
//
//	{"first":4,"edge":["9x…="],"number":2,"previous":"Wd…=","from":[3,1],"to":[4,2],"events":2,
//	 "simulated":false,"sealed_at":"2025-03-31T12:00:00Z",
//	 "frontier":"2025-03-30T12:00:00.000005Z"}
//	{"partition":0,"offset":3,"leaf":"AAAAD2Js…"}
//	{"partition":1,"offset":1,"leaf":"AAAAD2Js…"}
//
//	— example.com/desk/blotter Az3grhs5…
//
// A checkpoint is a C2SP tlog-checkpoint without extension lines:
//
//	example.com/desk/blotter
//	7
//	qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=
//
//	— example.com/desk/blotter Az3grlgtzPICa5OS8npVmf1My…
//
// The files in testdata show complete examples.
//
// An object that the log's key did not sign is foreign. It counts for nothing, and is passed over
// and named (Options.Foreign). It may take a name before the sealer needs it, and be locked. The
// sealer then takes the next name:
//
//	batches/000000000004      junk
//	batches/000000000004.1    the batch that begins with leaf 4
//
// An object is foreign, too, if the server does not hand it out because of its storage class or its
// encryption key: a sealer chooses neither.
//
// # Guarantees
//
// Batches are archived BEFORE the checkpoint that covers them. An object is put only if no object
// has its name. Of several sealers one is therefore first; the others read its object and continue
// after it. A crash can leave a batch that no checkpoint covers. The next Seal reads the batch's
// range of the log again, and adopts the batch if it would have written the same bytes.
//
// # Times
//
// A store gives recorded_at, and nobody else can tell whether it is true. But two things bound it.
// Before a batch is sealed, the log puts a frontier on record in every partition
// (contract.SealableLog), and the batch states it: an event that comes later and claims an earlier
// time was backdated. And the batch states when it was sealed: no event in it is later. An event
// that breaks one of these rules, or runs backwards in its partition or stream, is an offender. It
// is sealed all the same, because the tree holds the whole log, and one bad row must not stop the
// sealing of all others. The header lists the offenders that the sealer found; Verify looks for
// itself, over the whole log.
//
// # Limits
//
// The tree does not show that an event was true, nor that an event was kept out of the log before
// it was sealed. After the locks of the last checkpoints expire, a person who may delete objects
// can remove those checkpoints, and the rest of the archive is still consistent. A person who also
// has the signer key can sign another history. Against both, keep a checkpoint outside the archive
// and give it to VerifySince.
//
// A verification is as good as its public key. A person who replaces the key and rewrites the log
// can sign that log with a key of their own, under names that are free. The checkpoints of the
// right key are then foreign. Keep the public key outside the data folder, and give it to the
// verifier (blotter verify --key). Options.Foreign tells of checkpoints by another key (KeyError).
//
// The bucket must have no lifecycle rule that moves objects to an archived storage class. Objects
// of the sealer would become unreadable, and be passed over as foreign ones. A sealer that has kept
// the last checkpoint (Options.Known) then refuses to sign. A verifier that has kept it reports
// that the archive was rolled back, and names the objects that were passed over.
package audit
