package stack

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// InUseError says that another process, or another stack of this one, holds the data directory.
type InUseError struct {
	Dir string
	PID int // 0 when the holder has not written it yet
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("data directory %s is in use", e.Dir)
	}
	return fmt.Sprintf("data directory %s is in use by process %d", e.Dir, e.PID)
}

// Hint says what to do about it.
func (e *InUseError) Hint() string {
	if e.PID == 0 {
		return "wait until the other process ends, or choose another directory"
	}
	return fmt.Sprintf("wait until process %d ends, stop it, or choose another directory", e.PID)
}

// LockedError says that another process has the lock that a file stands for.
type LockedError struct {
	Path string
	PID  int // 0 when the holder has not written it yet
}

func (e *LockedError) Error() string { return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID) }

// ExitedError says that a component's process ended although nobody asked it to.
type ExitedError struct {
	Component string
	Err       error  // how it ended
	LogTail   string // the last lines of what it wrote
}

func (e *ExitedError) Error() string {
	s := fmt.Sprintf("%s ended unexpectedly: %v", e.Component, e.Err)
	if e.LogTail != "" {
		s += "; it last wrote:\n" + e.LogTail
	}
	return s
}

func (e *ExitedError) Unwrap() error { return e.Err }

// Hint says what to do about it, where its last words tell.
func (e *ExitedError) Hint() string {
	if errors.Is(e.Err, syscall.ENOSPC) || strings.Contains(strings.ToLower(e.LogTail), "no space left on device") {
		return "the disk is full: make room, and run it again; what was acknowledged is kept"
	}
	return ""
}

// hinted is an error with one line of advice. Callers ask any error of this package for its Hint() string by errors.As.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}
