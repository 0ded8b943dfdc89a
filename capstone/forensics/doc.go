// Package forensics answers the first questions of an investigation: who changed this field, which
// events did a principal touch, which were entered out of hours, late or after the close, where was
// the second pair of eyes missing, was a deal cancelled and booked again, what caused this event,
// and does a contract's quantity go on where it left. Every answer names its events by their ids,
// so each can be proved against a checkpoint.
//
// RowsOf derives a Row from each event and the events before it in its stream. A row depends on
// nothing that is recorded later, so an index of rows is only ever added to:
//
//	events of a stream ── RowsOf ──▶ rows ─┬─▶ Log: in memory; scans all rows for each question
//	                                       └─▶ postgres.Model: tables with an index for each kind
//
// Both are an Index, and give the same answers. Cause, LineageOf and StateOf follow the ids and the
// links of an Index.
//
// # Times
//
// Every question has two times: an event counts if it was recorded by Known and takes effect by
// Effective. A window selects by recorded_at, which the store gave; only the question about the
// hours of entry selects by entered_at, which is the producer's claim.
//
// # Definitions
//
//	out of hours  entered before 07:00 or from 19:00 on, or on a Saturday or Sunday, on the clocks
//	              of a zone. Holidays are not known
//	late          recorded_at - effective_at, or recorded_at - entered_at, is over a threshold
//	after close   the contract was no longer LIVE when the event was recorded
//	four eyes     see Breach
//	rebook        a NEW of another contract, recorded within a time after a CANCEL, of the same
//	              book, instrument and side, with quantity and price within a tolerance
//
// The package is pure: it reads no clock and no log.
package forensics
