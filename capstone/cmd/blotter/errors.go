package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/governance"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/kafka/index"
	"example.com/blotter/solutions/2-store/postgres"
	"example.com/blotter/solutions/3-projections/readmodel"
	audit "example.com/blotter/solutions/5-audit"
)

// A usageError is wrong usage, with a hint.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Hint() string  { return e.hint }

// A failure is the answer no: something does not hold, was refused, or is not there.
type failure struct{ text, hint string }

func (e *failure) Error() string { return e.text }
func (e *failure) Hint() string  { return e.hint }

// An outage is a question without an answer: a part of the stack is away or busy, or the command
// was interrupted.
type outage struct{ text, hint string }

func (e *outage) Error() string { return e.text }
func (e *outage) Hint() string  { return e.hint }

// firstOf returns err, or else next.
func firstOf(err, next error) error {
	if err != nil {
		return err
	}
	return next
}

// complain prints err with its hint, as text or as one line of JSON, and returns the exit code.
func complain(stderr io.Writer, inJSON bool, err error) int {
	if err == nil {
		return done
	}
	code, hint := exitCode(err), hintOf(err)
	if inJSON {
		printObject(stderr, struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Code  int    `json:"code"`
		}{err.Error(), hint, code})
		return code
	}
	screen := screenOf(stderr)
	screen.paint(stderr, red, "error:")
	fmt.Fprintf(stderr, " %s\n", indented(err.Error()))
	if hint != "" {
		screen.paint(stderr, bold, "hint:")
		fmt.Fprintf(stderr, " %s\n", indented(hint))
	}
	return code
}

// Exit codes.
const (
	done   = 0
	failed = 1 // the answer is no: something does not hold, was refused, or is not there
	misuse = 2 // wrong usage: a flag, an argument, or a file or a data folder that is not there
	unable = 3 // could not look: a part is away or busy, or access is not permitted
)

// exitCode returns the code for an error. An error of an unknown kind is an outage: the command did
// not reach its answer.
func exitCode(err error) int {
	var no *failure
	switch {
	case err == nil:
		return done
	case isMisuse(err):
		return misuse
	case errors.As(err, &no):
		return failed
	case isOutage(err):
		return unable
	case isFinding(err):
		return failed
	}
	return unable
}

// indented returns a text whose lines after the first begin with blanks, so that text from outside
// cannot begin with "error:" or "hint:".
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }

func isMisuse(err error) bool {
	var usage *usageError
	var request *logdir.UsageError
	var noLog *logdir.NoLogError
	var text *vault.TextError
	return errors.As(err, &usage) || errors.As(err, &request) || errors.As(err, &noLog) ||
		errors.As(err, &text)
}

// isOutage recognises the causes that hide an answer, whatever error they are wrapped in.
func isOutage(err error) bool {
	var away *outage
	var lost *stackLost
	return errors.As(err, &away) || errors.As(err, &lost) ||
		slices.ContainsFunc([]error{
			fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.ECONNREFUSED,
			context.Canceled, context.DeadlineExceeded,
		}, func(cause error) bool { return errors.Is(err, cause) })
}

// isFinding recognises what the parts of the system report about the log, the archive and the
// folder: damage, a contradiction, or nothing under a name.
func isFinding(err error) bool {
	if governed := new(governance.Refusal); errors.As(err, &governed) {
		return true
	}
	var (
		folder   *logdir.IntegrityError
		ahead    *contract.AheadError
		damaged  *contract.DamagedError
		offload  *contract.OffloadError
		frontier *contract.BeyondFrontierError
		reused   *capstone.ReusedCommandError
		snapshot *capstone.SnapshotFault
		gone     *capstone.DestroyedError
		skip     *capstone.SkipError
		stale    *capstone.StaleError
		adoption *capstone.AdoptionError
		restore  *capstone.RestoreError
		segment  *stack.DamagedSegmentError
		state    *stack.DamagedStateError
		key      *audit.KeyError
		refused  *audit.RefusedError
		kept     *vault.KeptError
		master   *vault.MasterError
		step     *reconcile.Refusal
		version  *canary.Refusal
		fault    *contract.Fault
	)
	for _, target := range []any{
		&folder, &key, &refused, &ahead, &damaged, &offload, &frontier, &reused, &snapshot, &skip,
		&stale, &segment, &state, &adoption, &restore, &kept, &master, &step, &version,
		&fault, &gone,
	} {
		if errors.As(err, target) {
			return true
		}
	}
	return slices.ContainsFunc(findings, func(known error) bool { return errors.Is(err, known) })
}

var findings = []error{
	audit.ErrArchive, audit.ErrBegun, audit.ErrCheckpoint, audit.ErrCut, audit.ErrForked,
	audit.ErrProof,
	audit.ErrRolledBack, audit.ErrUnanchored, audit.ErrUnwitnessed, audit.ErrUnlocked,
	capstone.ErrReserved, capstone.ErrNoPart, capstone.ErrNothingRecorded,
	contract.ErrInvalid, contract.ErrMagic, contract.ErrMalformed, contract.ErrNoBlob,
	contract.ErrNoSnapshot, contract.ErrNotFound, contract.ErrOversize, contract.ErrPartial,
	contract.ErrSnapshotDamaged, contract.ErrSnapshotTaken, contract.ErrTrailing,
	contract.ErrTruncated, contract.ErrUnencodable, contract.ErrUnknownSchema,
	contract.ErrWrongType,
	index.ErrUnusable, kafka.ErrUnfit, postgres.ErrDamaged,
	filing.ErrOvertaken, repository.ErrTaken,
	vault.ErrErased, vault.ErrNoKey, vault.ErrNoParty, vault.ErrSealed,
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

const aheadHint = "restore the log from a backup; without one, see how much is left with " +
	"blotter verify, and continue with the rest after blotter rebuild: " +
	"if a lost event was sealed, blotter verify goes on reporting it"

const indexHint = "find out who changed the files of the index; answers are right, since they " +
	"come from the log, and the next command that writes rebuilds the index"

const strayHint = "keep a copy as evidence, find who could write to the table of events, and let " +
	"the owner of the database remove the event before its stream goes on: no answer and no " +
	"checkpoint contains it"

const parkedHint = "another program appended the illegal events, or older rules accepted them: " +
	"find that program; the events before them count, and commands to these streams are refused; " +
	"leave an illegal event out: blotter parked skip"

const unwitnessedHint = "ask the witnesses that are missing: blotter cosign; " +
	"if one of them is gone for ever, decide who takes its place, and put that in the policy"

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
	var key *audit.KeyError
	switch {
	case errors.As(err, &key):
		return "nothing was signed; the keys of the data folder, or --key, are not those that " +
			"sealed this archive: restore them from a backup, or find out who sealed it"
	case errors.Is(err, audit.ErrUnwitnessed):
		return unwitnessedHint
	case errors.Is(err, audit.ErrUnlocked):
		return "find out who replaced the bucket; restore it with object lock from a backup"
	case errors.As(err, &ahead):
		return aheadHint
	case errors.As(err, &beyond):
		return "ask for that time or an earlier one; " +
			"without --known-at the answer uses all events on record"
	case errors.Is(err, postgres.ErrDamaged):
		return "run blotter verify and blotter status for what is wrong, and keep the log as it is"
	case errors.Is(err, audit.ErrRolledBack):
		return "restore the archive from a backup that has the checkpoint; " + cannotContinue
	case errors.Is(err, audit.ErrBegun):
		return "if a seal was ever finished, restore the archive from a backup; " +
			"if the first seal was cut off, blotter seal continues it"
	case errors.Is(err, audit.ErrCut):
		return "restore the complete log from a backup; " + cannotContinue
	case errors.Is(err, audit.ErrArchive), errors.Is(err, audit.ErrForked):
		return "nothing more was signed; run blotter verify for the details; " +
			"keep log and archive as they are; " + noBackupVerifies
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &refused) && refused.Code == diskFull:
		return "the disk is full: make room, and run the command again; " +
			"every acknowledged event is kept"
	case errors.Is(err, postgres.ErrNoLog), errors.Is(err, readmodel.ErrNoModel):
		return "let the role that owns the schemas run: blotter migrate, with the same --name, " +
			"and its connection string in BLOTTER_POSTGRES_MIGRATION_DSN"
	case errors.Is(err, contract.ErrUnknownSchema):
		return "restore the schemas of the registry from a backup: events on record name their ids"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "allow writing to this folder, or name another folder with --data"
	}
	return ""
}
