package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// hintOf is what to do about an error, if anybody knows.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	return advice(err)
}

// diskFull is what Postgres says then (PostgreSQL documentation, appendix A, class 53).
const diskFull = "53100"

// advice is what to do about an error that brings no hint of its own: what the machine itself refuses.
func advice(err error) string {
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &refused) && refused.Code == diskFull:
		return "the disk is full: make room, and run it again; what was acknowledged is kept"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "it must be possible to write there: see to that, or name another folder with --data"
	}
	return ""
}
