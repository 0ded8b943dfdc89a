//go:build unix

package index

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for this process. The error of a file that another owner has locked is errInUse.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errInUse
	}
	return err
}
