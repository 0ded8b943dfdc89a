// Package projection is the reference of Lab 3: a read model that is built like the lab. The
// README of labs/3-projections is the guide. The capstone uses the read model in package postgres,
// which is faster.
//
// Model.Apply, Rebuild, Snapshot and Restore work on tables (tables.go), which exist in memory and
// in Postgres.
package projection
