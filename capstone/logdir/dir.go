// Package logdir guards the data folder of one log.
//
// The folder says which log it is, how far that log had come, and which checkpoint was published
// last. A log that contradicts the folder is refused: it lost its end, or it is another log.
//
//	log.json         the settings, written once; a folder without it has no log
//	keys/signer      the key that signs checkpoints; keep it where administrators cannot read it
//	keys/signer.pem  or the public key of the command BLOTTER_SIGNER, which signs instead
//	keys/signer.next the key that takes over from keys/signer, while both sign
//	keys/verifier    the public key that checks them, and the cross-signed notes of other keys
//	keys/checkpoint  the last checkpoint that was published with these keys
//	policy           the witnesses that cosign checkpoints; there may be none
//	evidence/        signed checkpoints that contradict each other
//	reached          the end of the log after the last command that wrote it
//	swept            the cursor of the process that issues follow-ups
//	published        the cursor of the process that publishes events to other systems
//	published.topic  the id of the topic that has the events before that cursor
//	accounts/        the states of accounts with long histories; it may be lost
//	writer           the lock of the only process that may append
//	restoring        the archive from which the log is being made again; no other command opens it
//	service          the address and the token of a running service
//	service.lock     the lock of that service
//	principals       the people and programs that may sign in to it, with their roles
//	refused          the requests that it refused
//	index/           the owner's index files (see the store)
//	stack/           the embedded stack
//	containers/      the secrets and the registry of the stack in containers
//
// A crash between two of these files leaves a folder that can be opened:
//
//	before log.json        there is no log; empty topics or tables wait for the next attempt
//	before restoring goes  the log may lack events; the same restore continues
//	before keys/verifier   the next seal derives it from keys/signer
//	after keys/signer.next the key signs nothing before the archive has its cross-signed note
//	before keys/signer.next goes   the log gave keys/signer up, and only the next one signs
//	before keys/checkpoint the older checkpoint is valid, too; the next seal keeps the last one
//	before reached         the older mark is valid, too, but it notices fewer losses
//	before swept           the same follow-ups are issued again, which changes nothing
//	before published       the same events are published again, with the same ids
package logdir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/blotter/capstone/product"
	"example.com/blotter/labs/kit/stack"
)

// A Dir is the data folder of one log. In a new folder the log exists only after Create.
type Dir struct {
	path     string
	settings Settings
	isNew    bool
}

// Expected describes the log that the caller wants. Another log is refused.
type Expected struct {
	Stores    []string          // the names of all stores
	Stack     string            // the stack that the caller uses
	Choices   map[string]string // by flag: store, partitions, name; only those that were chosen
	Simulated bool              // simulated commands are about to be written
	Restoring string            // the archive from which the log is made again; empty for none
}

// Open opens the folder of an existing log. If the folder has no log, the error is *NoLogError.
func Open(path string, want Expected) (*Dir, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	s, err := load(path, want.Stores)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, settings: s}
	if err := s.match(want, path); err != nil {
		return nil, err
	}
	return d, d.checkRestore(want.Restoring)
}

// checkRestore refuses a log that is being made again, unless the caller continues that. It also
// refuses to make a complete log again.
func (d *Dir) checkRestore(from string) error {
	found, err := os.ReadFile(d.restoring())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch was := strings.TrimSpace(string(found)); {
	case was == from:
		return nil
	case was == "":
		return &UsageError{"there is a log in " + d.path, "name an empty folder with --data"}
	default:
		return &UsageError{fmt.Sprintf("the log in %s is incomplete: it is being restored from %s",
			d.path, was), "finish that with the same command: blotter restore-from-archive"}
	}
}

// BeginRestore keeps all other commands out of the log until EndRestore. Call it BEFORE Create.
func (d *Dir) BeginRestore(from string) error { return replace(d.restoring(), []byte(from+"\n")) }

// EndRestore opens the log to all commands.
func (d *Dir) EndRestore() error { return CursorFile(d.restoring()).remove() }

func (d *Dir) restoring() string { return filepath.Join(d.path, "restoring") }

// New prepares the folder of a new log. The stack may be unreachable, so nothing is fixed yet: call
// Create once stack and store have answered.
func New(path string, s Settings) (*Dir, error) {
	if err := s.checkNew(); err != nil {
		return nil, err
	}
	d := &Dir{path: path, settings: s, isNew: true}
	if err := d.checkNoCheckpoint(); err != nil {
		return nil, err
	}
	return d, stack.MakeDir(path)
}

// Create writes the settings of a new log. A crash before it leaves no log, but empty topics or
// tables under its name; the next log of that name uses them.
func (d *Dir) Create() error {
	// The files of an earlier log say nothing about this one.
	err := errors.Join(d.reached().remove(), d.Published().remove(), d.AccountSnapshots().Clear())
	if err != nil {
		return err
	}
	if err := create(d.path, d.settings); err != nil {
		return err
	}
	d.isNew = false
	return nil
}

// CheckPath refuses a path that cannot be a data folder.
func CheckPath(path string) error {
	hint := "name the folder of a log and its stack with --data; the default is " +
		product.Defaults.Data
	if path == "" {
		return &UsageError{"--data is empty", hint}
	}
	info, err := os.Stat(path)
	if errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
		return &UsageError{path + " is not a folder", hint}
	}
	return nil
}

// Settings returns the choices that the log was created with.
func (d *Dir) Settings() Settings { return d.settings }

// IsNew reports whether the log has yet to be created.
func (d *Dir) IsNew() bool { return d.isNew }

// Index returns the folder of the owner's index files.
func (d *Dir) Index() string { return filepath.Join(d.path, "index") }

// StackDir returns the folder of the embedded stack in a data folder, with or without a log.
func StackDir(path string) string { return filepath.Join(path, "stack") }

// ContainerDir returns the folder of the stack in containers in a data folder.
func ContainerDir(path string) string { return filepath.Join(path, "containers") }

// Lock makes this process the only writer of the log. Two would take partitions from each other in
// the middle of their work. The lock ends with the process, however it ends: after a kill the next
// process gets it at once. While another process has it, the error is *BusyError.
func (d *Dir) Lock() (release func() error, err error) {
	release, err = stack.Lock(filepath.Join(d.path, "writer"))
	var locked *stack.LockedError
	if errors.As(err, &locked) {
		err = &BusyError{d.path, locked.PID}
	}
	return release, err
}

// LockSoon is Lock that waits up to ten seconds for another process to end. Most commands are
// short.
func (d *Dir) LockSoon(ctx context.Context) (release func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		release, err = d.Lock()
		if busy := new(BusyError); !errors.As(err, &busy) {
			return release, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Address returns the name under which the owners of partitions know each other. Every process that
// can be the owner in this folder has the same name, and can succeed a killed one at once.
// Processes of other folders have other names. An embedded stack belongs to one folder.
func (d *Dir) Address() string {
	if d.settings.Stack == "embedded" {
		return "blotter"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	path, err := filepath.Abs(d.path)
	if err != nil {
		path = d.path
	}
	folder := sha256.Sum256([]byte(path))
	return fmt.Sprintf("%s-%x", host, folder[:4])
}

// A NoLogError reports a folder without a log. A query fails; an import creates one.
type NoLogError struct{ Path string }

func (e *NoLogError) Error() string { return fmt.Sprintf("there is no log in %s", e.Path) }

// Hint returns the ways to find or create a log.
func (e *NoLogError) Hint() string {
	return "begin one with: blotter import FILE, or name its folder with --data"
}

// A UsageError reports a request that contradicts the folder, or that describes no possible log.
type UsageError struct{ What, Remedy string }

func (e *UsageError) Error() string { return e.What }

// Hint returns the way to a valid request.
func (e *UsageError) Hint() string { return e.Remedy }

// An IntegrityError reports a folder and a log that no longer belong together.
type IntegrityError struct{ What, Remedy string }

func (e *IntegrityError) Error() string { return e.What }

// Hint returns the way to repair the folder or the log.
func (e *IntegrityError) Hint() string { return e.Remedy }

// A BusyError reports another process that writes the log.
type BusyError struct {
	Path string
	PID  int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("process %d writes the log in %s; only one process can", e.PID, e.Path)
}

// Hint returns the way past the other process.
func (e *BusyError) Hint() string { return "wait until the process ends, or stop it" }
