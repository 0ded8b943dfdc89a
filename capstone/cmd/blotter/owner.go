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
	reads   access = iota // asks only
	settles               // asks as of a time of knowledge, which takes knowing that nothing is recorded before it any more
	writes                // appends: as the owner or not at all
	looks                 // changes nothing whatever, nowhere
)

// A role is what a process is to the log on Kafka while it has it open.
type role int

const (
	reader role = iota
	alone       // a reader, and there is no owner
	owner
)

// own gives this process the role that its command asks for. There is one owner at a time: two would take partitions from each
// other in the middle of their work. The right ends with the process, however it ends, so after a kill the next has it at
// once. A question leaves the log as it is, so it is asked as a mere reader; but up to when nothing more is recorded only an owner can tell, or
// who keeps others from becoming one: on an embedded stack there are none in other folders.
func (a *app) own(ctx context.Context) (role, error) {
	if a.access == looks {
		return reader, nil
	}
	const patience = 10 * time.Second // most commands are short: a question must not break an import
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		release, err := stack.Lock(filepath.Join(a.cli.Data, "writer"))
		if err == nil && a.access == reads {
			return reader, release()
		}
		if err == nil {
			a.onClose(release)
			if a.access == settles && a.cli.Stack == "embedded" {
				return alone, nil
			}
			return owner, nil
		}
		var locked *stack.LockedError
		if !errors.As(err, &locked) {
			return reader, err
		}
		if a.access != writes {
			a.writer = locked.PID
			return reader, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return reader, &failure{fmt.Sprintf("process %d writes the log in %s, and only one can", locked.PID, a.cli.Data),
				"wait until it ends, or stop it"}
		}
	}
}

// busy says of a stack that another process has for itself how two can have it: who asked for an answer did not ask for a part of a stack.
func (a *app) busy(err error) error {
	var taken *stack.InUseError
	if !errors.As(err, &taken) {
		return err
	}
	by := "another process"
	if taken.PID != 0 {
		by = fmt.Sprintf("process %d", taken.PID)
	}
	return &failure{fmt.Sprintf("the stack in %s is in use by %s", a.cli.Data, by),
		fmt.Sprintf("wait until %s ends, or keep one stack for all commands from then on: blotter up", by)}
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
