//go:build unix

package stack

import (
	"errors"
	"os"
	"syscall"
)

func tryLock(f *os.File) error       { return flock(f, syscall.LOCK_EX) }
func tryLockShared(f *os.File) error { return flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
