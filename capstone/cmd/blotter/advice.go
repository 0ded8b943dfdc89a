package main

import (
	"errors"
	"io/fs"
	"syscall"
)

// hintOf is what to do about an error, if anybody knows.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	return advice(err)
}

// advice is what to do about an error that brings no hint of its own: what the machine itself refuses.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full: make room, and run it again; what was acknowledged is kept"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return "it must be possible to write there: see to that, or name another folder with --data"
	}
	return ""
}
