// Package report derives regulatory reports from the log. It is pure: a report is a function of the
// events that are known at a time, the reference data that is known then, and a rule set.
//
//	events of one contract ── Actions ──▶ actions
//	actions ── RuleSet.Messages ──▶ messages of one regime
//	message, reference data ── RuleSet.Row ──▶ a row, or exceptions that name the missing data
//
// # Actions
//
// An Action is one event of a contract as a reporter sees it: the state as known just before the
// event was recorded, the state as known just after it, and the event that it replaced. Both states
// fold all effective times, so the last message of a contract always shows the contract as it is on
// record. A late event and a correction therefore need no rule of their own. Each event that counts
// is exactly one action. An action that a regime does not report, such as a settlement, maps to no
// message.
//
// # Rule sets
//
// A regime is one package, such as cftc. It declares a RuleSet for each version of its rules, with
// the first day on which the version holds. InForce selects one by day. Compare runs two versions
// over the same log, to see the effect of a change.
//
// A Field is one row of a regime's table: its number, its name, the passage that states the rule,
// and a function. A rule whose passage nobody could read is marked Unverified. The tables in
// README.md are printed from the fields.
//
// # How to add a regime
//
// Write a package beside cftc with a variable of type RuleSet: the fields, the mapping of actions
// to messages, the scope, the deadline and the writer of the file. Add attributes of reference data
// that it needs to Attributes. Package reporttest has a desk for tests: Desk.Inputs gives the
// messages of a contract, each as the input of RuleSet.Row.
//
// # Missing data
//
// A rule that lacks data returns a Gap, never a blank. A row with a gap is not reported. It is an
// Exception with an owner and a due time.
package report
