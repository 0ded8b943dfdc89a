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
package trade
