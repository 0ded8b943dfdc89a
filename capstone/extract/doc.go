// Package extract makes certified extracts: bundles of events as of a checkpoint. Anybody can check
// a bundle with the public key of the log, without the log.
//
// # The bundle
//
//	manifest.json   the query, the content, the proven and the unproven claims; the size and
//	                SHA-256 of every file below
//	manifest.note   the signature of manifest.json, with its size
//	checkpoint      the signed root that everything is proved against, as the auditor published
//	                it (c2sp.org/tlog-checkpoint)
//	events.jsonl    an event on each line, in the order of leaves
//	events.csv      the same for a spreadsheet; Harmless makes cells safe, Verbatim reads them
//	proofs.jsonl    for each event, its path to the root (RFC 6962, section 2.1.1)
//	schemas/        the Avro schemas of the data
//	README.txt      instructions for a reader
//	index.html      optional: a page that shows the events and checks the other files, which it
//	                holds, in a browser without a network. The manifest does not list it; Verify
//	                compares it with the page of the bundle.
//
// The bundle is a folder of plain files: each can be read, compared and sent with any tool, and no
// byte depends on an archiver. The same query at the same checkpoint gives the same bytes.
// Therefore the name of the requester, the reason and the time are not in the bundle. They are
// beside it, in OUT.request, which is signed too (Request).
//
// # A worked example
//
// testdata/bundle is trade T-1 of a log of six leaves: the trade, a settlement at a price below
// zero, and a refusal. The other leaves are another trade's event (leaf 1) and the headers of two
// batches (leaves 3 and 5). Its lines, cut where there is an ellipsis:
//
//	manifest.json >   "format": "blotter/extract/v3",
//	manifest.json >       "T-1"
//	manifest.note > blotter extract manifest v3
//	manifest.note > example.com/blotter/test
//	manifest.note > bytes 2832
//	manifest.note > sha256 2597f26f0ca4a7221dd8dab18e2f9fe9336b820d107a303021f070db4ae19253
//	manifest.note > — example.com/blotter/test nzsXP/+2Dp5olXUKr6gx…
//	events.jsonl > {"leaf":2,"stream":"trade/T-1","version":2,"id":"6e8d2012-…"
//	events.jsonl > "data":{"quantity":{"value":"30","unit":"bbl"},"price":"-37.63"},…
//	events.jsonl > "raw":"AAAAAAkIAcnDgAII/cHP0A=="}
//	events.jsonl > {"leaf":4,"stream":"refused/T-1","version":1,…"data":{"command_id":"=cmd()",…
//	events.csv > 2,"trade/T-1",2,"6e8d2012-…,30,"bbl","",-37.63,…
//	events.csv > 4,"refused/T-1",1,…,"'=cmd()",…
//	proofs.jsonl > {"leaf":2,"hashes":["3Z9cuI56gIL9…
//
// raw is base64 of the event's data: a zero byte, then the registry's id of the schema (9), which
// has no meaning outside of that registry, then Avro. 08 01c9c380 is a decimal of 4 bytes, 30000000
// at scale 6; 02 is the second unit; 08 fdc1cfd0 is -37630000 at scale 6. raw and the other
// attributes give the leaf (contract.Recorded.Leaf). Its hash and the path of the proof give the
// root.
//
// The data of an event that cannot be decoded is null (its stream is parked; see trade.Unreadable).
// A line leaves out empty attributes and null fields of data. Times are UTC with six decimals,
// decimals are strings, digests are hexadecimal. Every line has one spelling: Verify writes it
// again and compares.
//
// # Signatures
//
// A signature is a C2SP signed note (c2sp.org/signed-note) with the log's key. The first line of
// the text states its purpose, so no signature can serve for another purpose: the text of a
// manifest or a request begins with a line of words, and that of a checkpoint with its origin,
// which has no spaces. Verify accepts exactly one signature, in one spelling. Therefore no bit of a
// note can be changed unnoticed.
//
// # Proven claims
//
// A bundle that verifies proves that every event in it is in the log, under the checkpoint, with
// exactly these attributes and this raw data.
//
//	query                      also proven                      not proven
//	everything                 the bundle has every leaf        whether the log is simulated
//	                           under the checkpoint
//	trades, or a book          the events answer the query;     the same; that there is no later
//	                           the versions of each stream      version, or no other trade of the
//	                           run from 1 without a hole        book
//	trades within a period     the events answer the query      that no event was left out
//	a book within a period                                      that the trades were in it
//
// To prove that nothing was left out, the bundle of everything also carries the headers of batches,
// in proofs.jsonl. So each leaf from the first to the last is shown to be an event of the bundle or
// the header of a batch. The manifest states all this in words, and Verify compares the words with
// the query. No bundle proves that an event was true.
//
// The fingerprint in an event binds the names and types of its schema. By Avro's definition it does
// not bind the scale of a decimal, or that a number is a time. Therefore Verify compares the
// schemas of the bundle with the published ones that it has. A schema that it does not have is one
// more claim that is not proven: only the signature of the manifest vouches for the readable data.
// Data that is null is one more claim that is not proven, too: the program that made the bundle did
// not have the schema, or the data could not be decoded.
//
// # Bundles from strangers
//
// Verify reads at most 16 KiB of manifest.note before the signature is checked. The signature
// states the size of the manifest, and the manifest the sizes of all other files. Links, pipes and
// devices are not opened. The largest manifest has 64 MiB, the largest schema 1 MiB, and the
// longest line 16 MiB.
package extract
