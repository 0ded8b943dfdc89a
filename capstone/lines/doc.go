// Package lines is the import format: commands as JSON Lines, one object per line, in UTF-8.
//
//	{"command_id":"c-0001","entered_at":"2025-01-16T13:03:00Z","actor":"ops/2","reason":"day-ahead average",
//	 "op":"SETTLE","uti":"BLOTTER0001","quantity":"2160","unit":"MWh","price":"83.10"}
//
// (on one line). Names are snake_case, decimals are JSON strings, times are RFC 3339 and no finer than a microsecond.
// README.md has an example of every operation and of every rule that a bad line can break; a test runs them all.
//
// The format is strict: what it does not know, it does not skip. A field that is read as something else than was meant, or not
// read at all, is a trade that nobody agreed to. A bad line costs that line alone: Read names it and goes on.
package lines
