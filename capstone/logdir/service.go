package logdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"example.com/blotter/labs/kit/stack"
)

// A Service is a process that owns the log and answers on HTTP. The file names it for the other
// commands in this folder: whoever may read the file may send commands.
type Service struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"process"`

	Public string `json:"public,omitempty"` // the URL for others; empty if it is URL
}

// Announce writes the file of a running service, which holds the lock until withdraw. A crash
// leaves a file that FindService passes over, since nobody has the lock.
func (d *Dir) Announce(s Service) (withdraw func() error, err error) {
	release, err := stack.Lock(filepath.Join(d.path, "service.lock"))
	if locked := new(stack.LockedError); errors.As(err, &locked) {
		err = &BusyError{d.path, locked.PID}
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(d.path, "service")
	text, err := json.Marshal(s)
	if err == nil {
		err = replace(path, text)
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return func() error { return errors.Join(os.Remove(path), release()) }, nil
}

// FindService returns the running service of a data folder; nil without one. It believes the file
// only while the process that it names has the lock: another command holds it for an instant too.
func FindService(path string) (*Service, error) {
	_, err := os.Stat(filepath.Join(path, "service"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil // the command itself refuses a path that is no folder
	}
	if err != nil {
		return nil, err
	}
	release, err := stack.Lock(filepath.Join(path, "service.lock"))
	if err == nil {
		return nil, release()
	}
	locked := new(stack.LockedError)
	if !errors.As(err, &locked) {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, "service")) // that of the holder, if it has one
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := new(Service)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("the file of the service in %s: %w", path, err)
	}
	if s.PID != locked.PID {
		return nil, nil
	}
	return s, nil
}

// Principals returns the file of the local principals in a data folder.
func Principals(path string) string { return filepath.Join(path, "principals") }

// SavePrincipals replaces the file of the local principals.
func SavePrincipals(path string, text []byte) error { return replace(Principals(path), text) }

// Refusals returns the file that records refused requests.
func (d *Dir) Refusals() string { return filepath.Join(d.path, "refused") }
