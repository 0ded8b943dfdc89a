package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/blotter/labs/kit/stack"
)

// access is what a command does to the log.
type access int

const (
	reads  access = iota // asks only: as the owner if nobody else is at work, whose index answers fast, else as a mere reader
	writes               // appends: as the owner or not at all
	looks                // changes nothing whatever, not even the marks of a take-over
)

// own makes this process the one on this folder that writes the log, if its command asks for that. There is one at a time: two owners
// would take partitions from each other in the middle of their work. The right ends with the process, however it ends, so
// after a kill the next has it at once.
func (a *app) own(ctx context.Context) (bool, error) {
	if a.access == looks {
		return false, nil
	}
	const patience = 10 * time.Second // most commands are short: a question must not break an import
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		release, err := stack.Lock(filepath.Join(a.cli.Data, "writer"))
		if err == nil {
			a.onClose(release)
			return true, nil
		}
		var locked *stack.LockedError
		if !errors.As(err, &locked) {
			return false, err
		}
		if a.access == reads {
			a.writer = locked.PID
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, &failure{fmt.Sprintf("process %d writes the log in %s, and only one can", locked.PID, a.cli.Data),
				"wait until it ends, or stop it"}
		}
	}
}

// address is what the owners of partitions know each other by: the same for every process that can be the owner on this
// folder, so that one that was killed is succeeded at once, and different for any other. An embedded stack has one folder.
func (a *app) address() string {
	if a.cli.Stack == "embedded" {
		return "blotter"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	dir, err := filepath.Abs(a.cli.Data)
	if err != nil {
		dir = a.cli.Data
	}
	folder := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("%s-%x", host, folder[:4])
}
