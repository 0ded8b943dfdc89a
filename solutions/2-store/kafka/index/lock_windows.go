package index

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks f for this process. The error of a file that another owner has locked is errInUse.
// It locks a byte far after the end of the file: other processes cannot read a locked byte.
func tryLock(f *os.File) error {
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	after := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, after)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errInUse
	}
	return err
}
