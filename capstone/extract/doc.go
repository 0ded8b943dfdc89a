// Package extract makes certified extracts: a bundle of events as of a checkpoint that anybody can check with the public key of the log, without
// the log.
//
// # The bundle
//
//	manifest.json   what was asked, what is here, what is proven and what is not; size and SHA-256 of every file below
//	manifest.note   the signature of manifest.json
//	checkpoint      the signed root that everything is proved against, as the auditor published it (c2sp.org/tlog-checkpoint)
//	events.jsonl    an event on each line, in the order of leaves
//	events.csv      the same for a spreadsheet; Harmless says how cells are made safe, and Verbatim reads them back
//	proofs.jsonl    for each event, its path to the root (RFC 6962, section 2.1.1)
//	schemas/        the Avro schemas that the data is written in
//	README.txt      how to read all this
//
// It is a folder of plain files: each can be read, compared and sent with what is at hand, and nothing in it depends on an archiver's
// mood. The same query at the same checkpoint gives the same bytes; so who asked, why and when is not in it but beside it, in
// OUT.request, signed too (Request).
//
// # A worked example
//
// testdata/bundle is trade T-1 of a log of six leaves: the trade, a settlement at a price below zero, and a refusal, between which lie
// another trade's event (leaf 1) and the headers of two batches (leaves 3 and 5). Its lines, cut where there is an ellipsis:
//
//	manifest.json >   "format": "blotter/extract/v1",
//	manifest.json >       "T-1"
//	manifest.note > blotter extract manifest v1
//	manifest.note > example.com/blotter/test
//	manifest.note > sha256 5756596aedaf29e8a5d903d5b5e81183934b74b386583763b6797858ee5bcc2c
//	manifest.note > — example.com/blotter/test nzsXP1jh4VvySjWLW3BQXvaE…
//	events.jsonl > {"leaf":2,"stream":"trade/T-1","version":2,"id":"6e8d2012-…"data":{"quantity":{"value":"30","unit":"bbl"},"price":"-37.63"},"raw":"AAAAAAkIAcnDgAII/cHP0A=="}
//	events.jsonl > {"leaf":4,"stream":"refused/T-1","version":1,…"data":{"command_id":"=cmd()",…
//	events.csv > 2,"trade/T-1",2,"6e8d2012-…,30,"bbl","",-37.63,…
//	events.csv > 4,"refused/T-1",1,…,"'=cmd()",…
//	proofs.jsonl > {"leaf":2,"hashes":["xiyGeYftvp8Q…
//
// raw is base64 of the event's data: a zero byte, the registry's id of the schema (9), which means nothing outside of that registry, then
// Avro: 08 01c9c380 is a decimal of 4 bytes, 30000000 at scale 6; 02 is the second unit; 08 fdc1cfd0 is -37630000 at scale 6. With it and the
// other attributes the leaf is made anew (contract.Recorded.Leaf), hashed, and led up the path of the proof to the root.
//
// Attributes that are empty are left out of a line, as are fields of data that are null. Times are UTC with six decimals, decimals strings,
// digests hexadecimal. Every line has one spelling: Verify writes it again and compares.
//
// # What is signed
//
// A signature is a C2SP signed note (c2sp.org/signed-note) with the log's key, over a text whose first line says what it is for, so that none
// serves for another: a manifest's and a request's begin with a line of words, a checkpoint's with its origin, which has no spaces. Verify
// takes exactly one signature, in one spelling, so not even a note has a bit that is free.
//
// # What holds
//
// A bundle that verifies proves that every event in it is in the log, under the checkpoint, with exactly these attributes and this data.
//
//	the bundle asked for          is proven as well                                       is not
//	everything                    every leaf under the checkpoint is here: nothing left out
//	trades, or a book             versions of each stream run from 1 without a hole       no later version; no other trade of the book
//	anything, within a period     nothing more                                            nothing was left out
//
// To prove that it is everything, the bundle carries the headers of batches too, in proofs.jsonl, so that each leaf from the first to the last
// is shown to be an event of the bundle or the header of a batch. The manifest says all this in words, and Verify holds the words
// to the query. Nothing proves that an event was true.
//
// The fingerprint in an event binds the names and types of its schema, but by Avro's definition not the scale of a decimal or that a number is
// a time. For these the manifest's signature vouches, not the log.
package extract
