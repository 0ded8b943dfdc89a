package main

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
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

// aheadHint goes from what tells to what mends.
const aheadHint = "put the log back from a copy if there is one; blotter verify tells what of it is left, and blotter rebuild goes on with that," +
	" unsealed if what is lost was sealed"

// The way on where what was published is lost. Commands that are sent again do not bring it back: see audit.ErrRolledBack.
const (
	notContinued = "without one what was published cannot be continued: begin another log (--data and --name), and keep this one as evidence"
	noneVerifies = "if no copy of them verifies, begin another log (--data and --name)"
)

// advice is what to do about an error that brings no hint of its own: what the machine itself refuses.
func advice(err error) string {
	var refused *pgconn.PgError
	var ahead *contract.AheadError
	var beyond *contract.BeyondFrontierError
	switch {
	case errors.As(err, &ahead):
		return aheadHint
	case errors.As(err, &beyond):
		return "ask as known at that time or before it; without --known-at the answer is from all that is on record by now"
	case errors.Is(err, audit.ErrRolledBack):
		return "put the archive back from a copy that has it; " + notContinued
	case errors.Is(err, audit.ErrCut):
		return "put the log back from a copy that has it all; " + notContinued
	case errors.Is(err, audit.ErrArchive), errors.Is(err, audit.ErrForked):
		return "nothing is signed on top of that: blotter verify tells more; keep log and archive as they are; " + noneVerifies
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &refused) && refused.Code == diskFull:
		return "the disk is full: make room, and run it again; what was acknowledged is kept"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "it must be possible to write there: see to that, or name another folder with --data"
	}
	return ""
}
