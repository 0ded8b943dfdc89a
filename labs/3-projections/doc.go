// Package projection is Lab 3: a read model of trades, positions and curves. README.md is the
// guide.
//
// You write fold.go, apply.go, refold.go and rebuild.go, in this order. The other files are
// provided, and are copied from the solution by make generate:
//
//	model.go     the Model: reading it, and the helpers of your functions (store, catchUp, load)
//	tables.go    the statements of a transaction, and the rows
//	memory.go    the tables in memory
//	postgres.go  the tables in Postgres
package projection
