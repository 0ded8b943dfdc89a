package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that are branched on (PostgreSQL documentation, appendix A).
const (
	uniqueViolation  = "23505"
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
	undefinedTable   = "42P01"
	invalidParameter = "22023" // a session's role that does not exist
	diskFull         = "53100"
)

// isUnique says that what was to be written is there: a stream's version, or an id.
func isUnique(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == uniqueViolation
}

// overtaken says that another writer was there first, or is still under way: what was read before deciding no longer
// holds. Nothing was written.
func overtaken(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (isUnique(err) || e.Code == lockNotAvailable || e.Code == deadlockDetected)
}

// unacceptable says that the values themselves do not fit (class 22), such as text that the database's encoding does not have (22P05).
func unacceptable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "22")
}

// lost says that the server did not get to answer: the connection broke (no answer, or class 08), the server is going down
// (57P) or has nothing to spare (53): no connection, no memory. Whether a commit took place cannot be told from this. A full
// disk is not that: the server did answer, nothing was written, and room is made by people, not by waiting.
func lost(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err != nil
	}
	return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P") ||
		strings.HasPrefix(e.Code, "53") && e.Code != diskFull
}
