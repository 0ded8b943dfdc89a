package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// A usageError is wrong usage, with a hint.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Hint() string  { return e.hint }

// A failure is a check that did not hold: the command did its work, and the answer is no.
type failure struct{ text, hint string }

func (e *failure) Error() string { return e.text }
func (e *failure) Hint() string  { return e.hint }

// firstOf returns err, or else next.
func firstOf(err, next error) error {
	if err != nil {
		return err
	}
	return next
}

// complain prints err with its hint and returns the exit code.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return done
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
	if isMisuse(err) {
		return misuse
	}
	return failed
}

func isMisuse(err error) bool {
	var usage *usageError
	var request *logdir.UsageError
	var noLog *logdir.NoLogError
	return errors.As(err, &usage) || errors.As(err, &request) || errors.As(err, &noLog)
}

// hintOf returns the hint of an error; empty without one.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	return advice(err)
}

// diskFull is the SQLSTATE of a full disk (PostgreSQL documentation, appendix A, class 53).
const diskFull = "53100"

const aheadHint = "restore the log from a backup if there is one; " +
	"blotter verify shows how much of it is left, " +
	"and blotter rebuild continues with the rest, unsealed if a lost event was sealed"

// Hints for a published checkpoint that is lost. Sending the commands again does not bring it back:
// see audit.ErrRolledBack.
const (
	cannotContinue = "without a backup the published checkpoint cannot be continued: " +
		"begin another log (--data and --name), and keep this one as evidence"
	noBackupVerifies = "if no backup of them verifies, begin another log (--data and --name)"
)

// advice returns the hint for an error that has none of its own.
func advice(err error) string {
	var refused *pgconn.PgError
	var ahead *contract.AheadError
	var beyond *contract.BeyondFrontierError
	switch {
	case errors.As(err, &ahead):
		return aheadHint
	case errors.As(err, &beyond):
		return "ask for that time or an earlier one; " +
			"without --known-at the answer uses all events on record"
	case errors.Is(err, audit.ErrRolledBack):
		return "restore the archive from a backup that has the checkpoint; " + cannotContinue
	case errors.Is(err, audit.ErrCut):
		return "restore the complete log from a backup; " + cannotContinue
	case errors.Is(err, audit.ErrArchive), errors.Is(err, audit.ErrForked):
		return "nothing more was signed; run blotter verify for the details; " +
			"keep log and archive as they are; " + noBackupVerifies
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &refused) && refused.Code == diskFull:
		return "the disk is full: make room, and run the command again; " +
			"every acknowledged event is kept"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "allow writing to this folder, or name another folder with --data"
	}
	return ""
}
