package stack

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func tryLock(f *os.File) error       { return lockFileEx(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }
func tryLockShared(f *os.File) error { return lockFileEx(f, 0) }

// lockFileEx locks one byte far behind the end of the file, because a locked byte cannot be read by others and they are
// to read the process id at its start.
func lockFileEx(f *os.File, how uint32) error {
	how |= windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
