// Package projection keeps read models up with the log.
//
// A projection is a fold that remembers how far it has come. The log is read from the model's cursor on, and each batch
// goes in together with the cursor behind it: so whatever crashes, and whenever, the model is that of some
// prefix of the feed, and reading on from its cursor repairs it.
//
//	Reader ── Project ──▶ Projection.Apply(events, cursor behind them)
//
// The adapters are below: postgres keeps the model in tables, memory in a map. Both pass the suite projectiontest.
//
// As-of questions do not need a model of their own. The state as known then is the fold of the events that were
// recorded by then: see AsOf.
package projection
