package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Lock takes the lock that a file stands for, or says who has it: *LockedError. The operating system gives a lock back
// when its process ends, so a lock is never stale; the process id in the file only serves the message. The file is made if
// it is missing, and stays when it is released: to remove it would let two processes lock two files of the same name.
func Lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = tryLockPatiently(f)
	if errors.Is(err, errLocked) {
		f.Close()
		return nil, &LockedError{Path: path, PID: readPID(path)}
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() error { return errors.Join(f.Truncate(0), f.Close()) }, nil
}

// lockDir locks a data directory.
func lockDir(dir string) (release func() error, err error) {
	release, err = Lock(filepath.Join(dir, lockFile))
	var locked *LockedError
	if errors.As(err, &locked) {
		err = &InUseError{Dir: dir, PID: locked.PID}
	}
	return release, err
}

const lockFile = "lock"

// errLocked is what tryLock and tryLockShared say when another holds the file.
var errLocked = errors.New("locked")

// tryLockPatiently looks more than once: who only asks whether the file is locked holds it for an instant (see Holder).
func tryLockPatiently(f *os.File) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 10 {
		if err := tryLock(f); !errors.Is(err, errLocked) {
			return err
		}
		<-tick.C
	}
	return errLocked
}

// Holder is the process that has a data directory locked, or 0. It changes nothing.
func Holder(dir string) (int, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() // gives the lock back, if we got it
	if err := tryLockShared(f); !errors.Is(err, errLocked) {
		return 0, err
	}
	return readPID(path), nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID is the first number in a file such as lock or postmaster.pid, or 0.
func readPID(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return pid
}
