package stack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dataDir is the directory that holds all files of an embedded stack. It is locked from the start
// of the first component until the stack is closed.
type dataDir struct {
	mu      sync.Mutex
	path    string
	release func() error // nil while the directory is not locked
}

func (d *dataDir) open(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.release != nil {
		return nil
	}
	if dir == "" {
		return errors.New("the data directory has no name")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := MakeDir(abs); err != nil {
		return err
	}
	release, err := lockDir(abs)
	if err != nil {
		return err
	}
	// A killed process may have left a record of its stack, whose addresses answer no more.
	err = os.Remove(filepath.Join(abs, keptFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, release())
	}
	d.path, d.release = abs, release
	return nil
}

func (d *dataDir) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.release == nil {
		return nil
	}
	err := d.release()
	d.release = nil
	return err
}

// InUseError says that another process, or another stack of this process, holds the data directory.
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

// Hint returns the advice.
func (e *InUseError) Hint() string {
	if e.PID == 0 {
		return "wait until the other process ends, or choose another directory"
	}
	return fmt.Sprintf("wait until process %d ends, stop it, or choose another directory", e.PID)
}

// LockedError says that another process holds the lock of a file.
type LockedError struct {
	Path string
	PID  int // 0 when the holder has not written it yet
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// Lock locks a file, or returns a *LockedError that names the holder. Lock creates a missing file.
// The operating system releases a lock when its process ends; therefore a lock is never stale, and
// the process id in the file only serves the message. Release keeps the file: after a removal two
// processes could lock two files of the same name.
func Lock(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = retryLock(f)
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

func lockDir(dir string) (release func() error, err error) {
	release, err = Lock(filepath.Join(dir, lockFile))
	var locked *LockedError
	if errors.As(err, &locked) {
		err = &InUseError{Dir: dir, PID: locked.PID}
	}
	return release, err
}

const lockFile = "lock"

// errLocked is the answer of tryLock and tryLockShared when another process holds the file.
var errLocked = errors.New("locked")

// retryLock tries several times, because Holder locks the file for an instant.
func retryLock(f *os.File) error {
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

// Holder returns the id of the process that has locked a data directory, or 0. It changes no file.
func Holder(dir string) (int, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() // also releases the shared lock
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

// readPID returns the number in the first line of a file such as lock or postmaster.pid, or 0.
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

// secret returns the secret in a file that only the owner may read. The first call makes the secret
// up; later calls return the same.
func secret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	s := rand.Text()
	return s, writeDurably(path, []byte(s+"\n"))
}

// writeDurably replaces a small file. After a crash the file holds either the old or the new
// content.
func writeDurably(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // has mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the file names in a directory durable. Windows does that by itself, and has no call
// for it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir creates a directory and its missing parents. Only this user may enter them. If this
// process is root, Postgres runs as another user: its group may pass through, and list nothing.
func MakeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return nil
		}
		return err
	}
	as, err := unprivileged()
	if err != nil {
		return nil // the start of Postgres reports it
	}
	return as.letPass(dir)
}

// privateDir creates a directory that only its owner may enter.
func privateDir(elem ...string) (string, error) {
	dir := filepath.Join(elem...)
	return dir, os.MkdirAll(dir, 0o700)
}
