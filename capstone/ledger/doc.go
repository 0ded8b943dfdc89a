// Package ledger keeps double-entry books on the log: accounts, journal entries and periods.
//
// An entry moves amounts between accounts. Per currency, its debits equal its credits. The entry is
// an event, JournalEntryPosted, and balances are the fold of these events alone. The streams of the
// accounts have one event for each line, AccountDebited or AccountCredited. They limit the
// next postings (a floor, a closed account), and Books.Check holds them against the entries.
//
//	journal/<ledger>/<entry>     created, posted, reversed
//	account/<ledger>/<account>   opened, renamed, blocked, unblocked, debited, credited, closed,
//	                             reopened
//	period/<ledger>/<month>      opened, closed, reopened
//
// A decision is pure: Decide takes the state of the streams that Reads names, and a command. It
// returns events, or a refusal that names the rule. All events of a decision are one atomic append.
// So an entry is recorded whole or not at all. A posting guards its period: if the period closes
// meanwhile, the posting is decided again.
//
// # Two times
//
// An entry has an effective time and a recorded time. Books answers as known and as effective at
// any two times. The stage of an account and of a period is that of now: a closed account takes no
// entry, at any effective time. A floor holds at every effective time: a late entry
// that takes money out in March counts against the lowest balance from March on.
//
// An entry that comes after its month was closed is posted into an open month, with its original
// date. Or the month is reopened, which needs an approver.
//
// # Limits
//
// An account has one currency. An entry has 2 to 500 lines. A correction takes the old entry back
// and posts another one at the same effective time.
package ledger
