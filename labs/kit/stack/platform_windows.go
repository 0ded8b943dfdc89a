package stack

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

func tryLock(f *os.File) error       { return lockFileEx(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }
func tryLockShared(f *os.File) error { return lockFileEx(f, 0) }

// lockFileEx locks one byte far after the end of the file. Other processes cannot read a locked
// byte, and they must read the process id at the start of the file.
func lockFileEx(f *os.File, how uint32) error {
	how |= windows.LOCKFILE_FAIL_IMMEDIATELY
	overlapped := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, overlapped)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// startBound refuses: Windows has no means that ends a child with its parent, and a child that
// outlives its parent would keep the files open.
func startBound(*exec.Cmd, *account, syscall.Signal) (ended func(), err error) {
	return nil, errors.New("the embedded stack runs Postgres and the S3 gateway on Unix only")
}

// account is unused on Windows, where no child starts.
type account struct{}

func unprivileged() (*account, error)    { return nil, nil }
func (*account) own(...string) error     { return nil }
func (*account) letPass(string) error    { return nil }
func (*account) checkReach(string) error { return nil }
func worksElsewhere(int, string) bool    { return false }
func hasXattrs(string) (bool, error)     { return true, nil }
