// Package trade is the domain: what a desk may do to a trade, and what follows from it.
//
// Everything here is pure. Commands and events come in as values, with their times and ids; nothing reads
// a clock, draws a random number, uses a float or touches the outside. The same set of events gives the same
// bytes, whatever the order they arrived in.
//
// The pieces, in the order of the flow:
//
//	Command ── Decide ──▶ Event          (or a *Refusal that names the rule)
//	events of one trade ── Fold ──▶ Trade, with its legs
//	legs of all trades ── Pool ──▶ quantity, cost, realised P&L, by average cost and by FIFO
//	price marks ── Curve ──▶ unrealised P&L
//	an event of one contract ── FollowUps ──▶ commands for those that began from it
//	all events ── StateOf, or Book by steps ──▶ State, and its canonical bytes
//
// Where to look for what:
//
//	slot.go, fold.go        which events count, and in which order: the rule that everything hangs on
//	evolve.go               the lifecycle table; amend.go and reduce.go have its rows
//	decide.go               a command against a history; admit.go who may, resolve.go how much
//	terms.go                what a contract may say
//	pool.go                 netting; average.go and fifo.go the two methods
//	ledger.go, book.go      the same by steps: a late event costs as much as it is late
//	calendar.go             zones, hours, the book's day
//
// Decimals round at four named places and nowhere else: Currency.Amount, the split of a leg that crosses zero, the
// share of cost that a reduction takes out, and Curve.Value.
//
// # Limits
//
// What begins from another contract is restated whole (see FollowUps): a correction of its NEW that a user entered is gone as soon as the
// first contract changes what it has to be.
//
// A valuation has marks, and no date. A delivery of several months that is partly delivered is worth what is open of it at the mean
// of all its months, those that are over included; see Curve.Value, which has an example.
//
// Pools net options of one kind, strike and day of expiry, and one mark values them, whatever their windows of exercise: a long
// American call and a short European one come to a position of nothing, although the right to exercise early is worth
// something. The window stays with the contract, and EXERCISE is held to it. To tell them apart takes a new name for the second
// style, beside the one that all have now: instruments' names are on record, as those of their curves, and do not change.
package trade
