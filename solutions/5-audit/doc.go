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
// The header's leaf is "blotter/batch/v4", the batch's number, the leaf hash of the header before
// it (zeros for the first), the two cursors, the number of events, one byte (1 if the log is
// simulated, else 0), the sealing time, the frontier, for each offender its index in the batch
// (four bytes) and the broken rule (one byte), and the positions of the events: for each run of
// successive offsets the partition, the first offset after the beginning of the range, and the
// number of events, as unsigned varints. Times are microseconds since 1970; no time is the smallest
// number. Each field has its length before it, in four bytes big-endian. Numbers are eight bytes
// big-endian. A cursor is one number for each partition.
//
// # The archive
//
// The tree is archived as C2SP tlog-tiles has it, so that any client of such logs can read it:
//
//	checkpoint                a copy of the last checkpoint, which nobody must trust
//	checkpoints/000000000007  the tree of 7 leaves, signed
//	batches/000000000002      batch 2, signed
//	records/000000000002      its payloads, and their schemas, signed
//	cosignatures/000000000007/1a2b3c4d
//	                          checkpoint 7, cosigned by the witness whose key has this hash
//	signers/000000000001      leads from the log's key to its next one, signed by both
//	tile/entries/000.p/7      leaves 0 to 6, each with its length before it (two bytes)
//	tile/0/000.p/7            the hashes of leaves 0 to 6
//	tile/1/000.p/3            the roots of the first three full tiles of level 0
//
// A tile has up to 256 hashes, a bundle (tile/entries) up to 256 leaves. Each batch adds the tiles
// that it fills, and its partial tiles: those named .p/ and their width. Every object but the copy
// is put once, and locked.
//
// A batch and a checkpoint are signed notes (C2SP signed-note). The text of a batch is one line of
// JSON (here on three): its header, and the edge of the tree after it, which commits the sealer to
// the leaves.
//
//	{"size":7,"edge":["Fg…=","gl…=","wD…="],"number":2,"previous":"Jq…=","from":[3,1],"to":[4,2],
//	 "events":2,"simulated":false,"sealed_at":"2025-03-31T12:00:00Z",
//	 "frontier":"2025-03-30T12:00:00.000005Z","runs":[[0,3,1],[1,1,1]]}
//
//	— example.com/desk/blotter Az3grhs5…
//
// Records are a signed note whose text names the schemas of the batch's events, in one line of
// JSON. After the signature come the Avro bodies in the order of leaves, each with its length
// before it in four bytes big-endian, whether the log keeps them or object storage does. With the
// leaves, which have every attribute and the digests of the bodies, they are the events, byte for
// byte (Auditor.Records): the log can be made again from the archive alone. A schema that the
// sealer's catalog lacks is not in it.
//
// A checkpoint is a C2SP tlog-checkpoint without extension lines:
//
//	example.com/desk/blotter
//	7
//	EJiN9uFX8xu4Jewhd6TTPt3Alvyu+o0+AZqYflXsL5w=
//
//	— example.com/desk/blotter Az3grlgtzPICa5OS8npVmf1My…
//
// The files in testdata show complete examples.
//
// # Witnesses
//
// A witness (C2SP tlog-witness) is a computer of somebody else. It cosigns a checkpoint (C2SP
// tlog-cosignature) only if every leaf of the last one that it cosigned is still there. Seal asks
// the witnesses of a policy (C2SP tlog-policy), then publishes the checkpoint with the cosignatures
// that it got: a witness that is away, or refuses, stops no seal. A later Seal or Cosign gets the
// missing cosignatures of the last checkpoint.
//
// A sealer asks only when the batches under its checkpoint are in the archive. Batches have
// successive numbers and are locked, so every checkpoint after a crash continues the one that the
// witnesses saw, and they cosign it. A witness that has seen more than a sealer asks about accuses
// nobody if the archive has batches up to there.
//
// The object of a checkpoint is put once and locked, so it cannot get a cosignature later. And the
// copy of the last checkpoint is neither locked nor of an earlier one. So each cosignature is
// an object of its own, put once and locked: a complete cosigned checkpoint, which needs nothing
// else of the archive to be evidence. The copy of the last checkpoint, a proof, and Handler's
// answer have all cosignatures in one note.
//
// A witness that refuses has seen another history (RefusedError): two roots of one size, a log that
// shrank, or a tree that does not continue its own. With the cosigned checkpoint that somebody
// kept, the refused one convicts the log: the same key signed both (Fault.Notes). A witness that
// lost its key gets another one; whether the checkpoints still have a quorum without it, the policy
// says. A cosignature of an earlier policy is no foreign object.
//
// # Signers
//
// The signer key of a log can change, with an overlap in which both keys sign batches, records and
// checkpoints. Two notes say from which size on the new key signs and up to which size the old one
// does (Rotate, Retire). A Ring follows them from the key that a reader holds to earlier and later
// ones. So a checkpoint counts if one of its signatures is by a key that signed at its size. Each
// step is one object, and nothing depends on its time: a seal that runs across it leaves either
// objects that count, or foreign ones that the next seal passes over.
//
// # Foreign objects
//
// An object that the log's key did not sign is foreign. It counts for nothing, and is passed over
// and named (Options.Foreign). It may take a name before the sealer needs it, and be locked. The
// sealer then takes the next name:
//
//	batches/000000000002      junk
//	batches/000000000002.1    batch 2
//
// Tiles have no signature. A tile is foreign if its hashes do not lead to the signed edge of a
// batch. A client that reads the bucket as it is finds junk in place of that tile, and Handler
// serves the right one.
//
// An object is foreign, too, if the server does not hand it out because of its storage class or
// because its writer gave an encryption key (SSE-C): a sealer does neither.
//
// # Guarantees
//
// A batch is archived BEFORE its records and tiles, and these BEFORE the checkpoint that covers
// them. The witnesses are asked between the two. An object is put only if no object has its name.
// Batches have successive numbers, so of several sealers one is first; the others read its batch
// and continue after it. The tiles follow from the batch and the log: every sealer writes the same
// bytes. A crash can leave a batch that no checkpoint covers, with some of its tiles, or without
// its records. The next Seal reads the batch's range of the log again, adopts the batch if it has
// the same edge, and writes the rest.
//
// The cost of a Seal is that of its events and of the last batch before them. It lists only the
// checkpoints since the copied one. VerifySince costs as much as the events since a checkpoint that
// was verified before, and Prove the logarithm of the log's length. Verify reads the log and each
// object once: it makes the batches and tiles again, and compares.
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
// # Proofs and attackers
//
// A proof shows that an event was in the log, with these attributes and this payload, at this place
// among all others, when the checkpoint was signed; with cosignatures, at the latest at the times
// that they state. It shows neither that the event is true, nor that it still counts (a later one
// may correct it), nor that no other event is missing. Only a verification of the whole log shows
// that none was removed. An event that was never recorded leaves no trace.
//
//	who controls            can change                  found by
//
//	the application (a      the events that it sends    the events themselves, which name it
//	client of the desk)     from now on                 (SubmittedBy); the desk refuses
//	                                                    illegal ones
//	the database (its       any row, any recorded_at,   Verify: changed, missing, moved, extra
//	administrator)          the order, the tail         events, a tail that was cut, offenders
//	                                                    whose time cannot be true. Not past
//	                                                    the last checkpoint
//	the broker (its         any record, a whole topic,  the same; a topic that was made again
//	administrator)          the frontier, the tail      has another id (log.json)
//	the archive (its        nothing that is locked;     Verify: missing objects, a rollback by
//	administrator)          afterwards all; junk under  Known, a kept checkpoint or a witness.
//	                        any name                    Junk is foreign, and is named
//	the signer key          each later signature; with  a witness, which refuses it; a kept or
//	                        log and archive also the    cosigned checkpoint, which convicts
//	                        past: a whole new           the log (Fault.Notes). Without these:
//	                        tree                        nothing
//	a key that the log      documents about earlier     nothing, without a witness; a checkpoint
//	gave up                 checkpoints; a reader       or batch of more leaves is foreign
//	                        without the notes
//	the data folder         keys, marks, policy and     a reader who has the public key and
//	                        the embedded stack: all of  the policy from elsewhere (--key,
//	                        the above                   --policy), and a witness elsewhere
//	an extract or a proof   nothing: it is signed       verify-extract and CheckProof, which
//	(its receiver)                                      name file and line
//	a witness               nothing of the log; it may  the policy, if other witnesses make up
//	                        refuse, be away, or cosign  the quorum; two notes that it cosigned
//	                        a fork                      convict it, too
//
// A witness bounds a time from above: a checkpoint that it cosigned existed then, with everything
// under it. The frontier of an earlier batch bounds it from below: the store had promised to
// record nothing up to it. Between the two lies the moment at which an event came into the log. So
// an event that claims a time before the frontier is backdated, and one that claims a time after
// its sealing is premature. A batch that states a sealing time after its cosignature is a fault. A
// holder of the signer key can state a frontier that is too early; then the distance between it
// and the cosignature shows how long nobody was watching.
//
// # An archive without a checkpoint
//
// An archive that was emptied must not look like a new one. A checkpoint that is signed, and lies
// elsewhere than under its name, shows a rollback: the copy, a cosigned checkpoint, Options.Known
// and Options.Evidence. Verify reports a fault, and Seal signs nothing. Other traces show only that
// a seal began: an object of a seal, the frontier that it committed to the log (in a simulated log,
// a frontier without a time), and the statement of removed records. A first seal that was cut off
// leaves the same, and the next one continues it. CheckUnsealed names these traces.
//
// # Limits
//
// The tree does not show that an event was true, nor that an event was kept out of the log before
// it was sealed. After the locks of the last checkpoints expire, a person who may delete objects
// can remove those checkpoints, and the rest of the archive is still consistent. A person who also
// has the signer key can sign another history. Against both, keep a checkpoint outside the archive
// and give it to VerifySince. VerifySince does not read what that checkpoint covers: Verify does.
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
//
// The policy of the bucket must deny writing with a key of a key service (SSE-KMS, aws:kms) that
// the sealer may not use. If such a key encrypts an object under the name of the next batch, nobody
// can tell it from an object of the sealer that is unreadable for a while, and sealing stops.
package audit
