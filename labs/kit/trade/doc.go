// Package trade is the domain: the life of a power, gas or oil contract, and the positions and the
// P&L that follow from it.
//
// # The domain in two minutes
//
// A desk buys and sells energy. Each deal is a contract, named by a UTI (unique transaction
// identifier). A contract is for a quantity of an instrument, at a price: 7,430 MWh of power in
// continental Europe, delivered in March 2025, at 80.00 EUR. It lives for months or years, and many
// events change it:
//
//	NEW       the contract begins
//	AMEND     the parties agree on another price or quantity
//	NOVATE    another party steps in, for a part of the contract or for all
//	SETTLE    a part is delivered, or all
//	EXERCISE  an option is used
//	CANCEL    the contract ends early (terminate), or should never have been (void)
//
// An event is a fact with an author and times. It is recorded once and never changed. There is no
// table of contracts: the state of a contract is computed from its events each time it is needed.
// So every number can be traced to the events behind it.
//
// An event has two times. EffectiveAt is the time in the business, RecordedAt is the time in the
// log. They differ every day: a price is agreed on Monday and entered on Tuesday, an error of
// March is found in June. Questions have the same two times (AsOf): "the position of 31 March, as
// known on 2 April".
//
// A mistake is corrected by another event, which restates the wrong one and takes over its slot:
// its place in the history of the contract. The wrong event stays on record. It counts only in
// questions as known before the correction. A void stands at the effective time of the NEW, so as
// known after it the contract never was.
//
// A command that changes the past of a contract needs a second principal (four eyes): the contract
// is closed, or one of its reductions would have another quantity, price or amount.
//
// Money follows from legs. A leg is one movement: a quantity (bought is positive) and an amount of
// cash (received is positive). NEW makes the opening leg. Each way out of a contract makes an
// opposite leg. The legs of one book, instrument and currency net against each other in a pool. The
// pool has the held quantity, its cost, and the gain by the closed part (realised P&L). It keeps
// them by two methods at once: average cost, and first in, first out. A price curve gives the value
// of the held quantity at a time, and with it the gain so far (unrealised P&L). Once delivery has
// begun, only the hours that are left take the prices of the months to come. An expired option is
// worth nothing.
//
// One event can begin another contract, its successor. After a novation in which we remain, we
// have a contract with the new party. After a physical exercise, we have a contract on the
// underlying. A successor is owned by its cause: when the cause is corrected, the successor is
// restated or voided. Its quantity and price are corrected at the cause, and nowhere else. A
// trader, book or counterparty that was corrected by hand stays as it is.
//
// # An example
//
// A buys 100 MWh at 80 and sells 40 of them at delivery, for 90:
//
//	event                leg                pool after it, by average cost
//	NEW buy 100 at 80    +100, -8000.00     100 held, cost 8000.00
//	SETTLE 40 at 90       -40, +3600.00      60 held, cost 4800.00, realised 400.00
//
// Cost goes out in proportion: 8000 · 40/100 = 3200, and 3600 - 3200 is realised. With a mark of
// 85, the other 60 are worth 5100.00: 300.00 is unrealised. Then the trader finds that the price
// was 81. The correction of the NEW takes its slot, and all later legs are applied again: the
// cost is 8100.00, of which 4860.00 remain, and 360.00 is realised.
//
// # What leaves other than by a trade
//
// NEW, SETTLE and EXERCISE are trades with the market, and net as above. NOVATE, CANCEL terminate
// and an AMEND to a lower quantity are exits: a part of one contract leaves, and takes its own lot
// with it. Its own cost is its share of the contract's booked cost. The booked cost is the cash
// that was paid for the contract, with its fee and its carried-in value, less the shares of earlier
// reductions.
//
//	event                average cost                 FIFO
//	A buys 100 at 50     100 held, cost 5000          a lot of 100, cost 5000
//	B buys 100 at 60     200 held, cost 11000         and one of 100, cost 6000
//	B is terminated      100 held, cost 5000          a lot of 100, cost 5000
//
// By average cost, the pool gives up the contract's own cost. By FIFO, it gives up the contract's
// own lots first, then the oldest others.
// The amount of the leg, which is the contract price and the fee, less that cost is realised: here
// nothing. What the pool no longer holds opens the other side at its share of the amount. A pool
// that becomes flat realises all the cost that is left. The methods agree on the total, as ever.
// An average may leave the range of the prices paid: see Pool.
//
// A premium is cash that was paid. An option that is terminated, or transferred, leaves at a price
// of zero, so it realises the fee less its own premium. Where we remain in a novation, it leaves at
// its price, because the successor pays that price again. A lower quantity returns its premium.
//
// # From command to state
//
//	Command ── Decide ──▶ Event          (or a *Refusal that names the rule)
//	events of one trade ── Fold ──▶ Trade, with its legs
//	legs of all trades ── Pool ──▶ quantity, cost, realised P&L
//	price marks ── Curve ──▶ prices by delivery
//	an event of one contract ── FollowUps ──▶ commands to the contracts that began from it
//	all events ── StateOf, or Book by steps ──▶ State, and its canonical bytes
//	State and a time ── ValuedAt ──▶ market value, and unrealised P&L
//
// All of this is pure. Commands and events come in as values, with their times and ids. Nothing
// here reads a clock, draws a random number, uses a float or does I/O. The same set of events
// gives the same bytes, in any order of arrival.
//
// # Reading order
//
//	kinds.go       the table of kinds, the body of each, and its effect on a contract
//	lifecycle.go   the state of a contract, and the table of its transitions
//	fold.go        slots: the events that count, and their order. All other files depend on it
//	decide.go      a command against a history: refused, or the event that it becomes
//	approval.go    the commands that need a second principal
//	terms.go       the limits of the terms of a contract
//	followups.go   the effect of an event on other contracts
//	ownership.go   the terms of a contract that its cause determines
//	parked.go      the longest legal prefix of a history with an illegal event
//	linked.go      the follow-ups that refuse their cause, and contracts that do not match
//	pool.go        legs, netting, and the two cost methods
//	curve.go       marks, and the mark that counts for a delivery
//	state.go       the business state from scratch, and its canonical bytes
//	value.go       the worth of a position at a time
//	delivery.go    the quantities that are delivered, unsettled or left at a time
//	book.go        the state by steps: brought up to date event by event
//	confirm.go     reports about confirmations, and the due and late ones
//	chain.go       a digest for each prefix of a history: the first event at which two differ
//	instrument.go  commodities, delivery periods, options, and the names of instruments
//	points.go      the table of delivery points
//	calendar.go    hours of delivery, the desk's day
//	moment.go      times, and the days of questions
//	names.go       the alphabets of identifiers and of text for people
//	decimal.go     exact numbers
//	unit.go        units, quantities, and values that are entered in another unit
//	currency.go    the currencies of ISO 4217
//	event.go       events and commands: their ids, their digests, the streams that hold them
//	refusal.go     the rules that refuse a command
//	warnings.go    remarks about a command that is accepted
//
// # Rounding
//
// Decimals are exact. They round half to even, at six named places and nowhere else:
// Currency.Amount, the split of a leg that crosses zero, the share of cost that a reduction takes
// out (of a pool, a lot or a contract's booked cost), the share of a quantity that some hours
// deliver (six decimals), State.ValuedAt, and the conversion of a value that is entered in another
// unit of energy (six decimals; see Entered).
//
// A converted price differs from the exact one by at most 0.0000005, so an amount differs by at
// most 0.0000005 times its quantity, and by its own rounding. A converted quantity differs by as
// much, times the price.
//
// # Limits
//
// Of a history with an illegal event only the longest legal prefix counts, for the desk, the
// follow-ups and every fold. The state lists the stream as parked. EventSkipped leaves the illegal
// event out, and the events after it count again. No event can skip another one in a stream that a
// void has ended.
//
// A settlement may name the period that it pays for, and only MW are counted over it. A valuation
// assumes that the earliest hours are settled first.
//
// Pools net options of one kind, strike and day of expiry, with any windows of exercise, and
// one mark values them all. A long American call and a short European one come to a flat position,
// although the right to exercise early is worth something. The window stays with the contract, and
// EXERCISE must be within it. To tell them apart, the second style would need a new name for its
// instruments, beside the name that all have now. Names of instruments and curves are on record,
// and do not change.
//
// # Left out
//
// A desk expects these, too. The project leaves them out:
//
//   - Shaped contracts: another quantity or price for each hour, day or month. A contract has one
//     quantity over its hours, base or peak.
//   - Prices that float: an index plus a spread, an average of fixings. A contract has one price,
//     and the settlement price is entered.
//   - Spreads and swaps as one contract, such as a spark spread, a calendar spread or a fixed for
//     floating swap. Each side is a contract of its own.
//   - Storage, swing and transport: rights over volume in time and place, their injections,
//     nominations and fuel losses.
//   - Prices in minor units, such as pence per therm: 81 p/therm is entered as 0.81 GBP per therm.
//   - FX conversion: each currency has its own pools and totals, and no rate is on record.
//   - Transfers between books from a date on. A correction moves a contract to another book for
//     its whole life.
//   - Compression: several contracts replaced by fewer, in one act with the counterparties.
package trade
