//go:build !linux

package grade

import (
	"context"
	"os/exec"
)

// confineFailed is the exit code of a process that could not get its limits.
const confineFailed = 125

// A confinement is nothing on this system: only the limits of time hold.
type confinement struct{}

func findConfinement(*Grader) (confinement, error) { return confinement{}, nil }

func (confinement) describe() []string {
	return []string{"memory, processes, files, network, writes: NOT limited (the grader's limits " +
		"need Linux)"}
}

func (confinement) command(ctx context.Context, _, _, program string, args ...string) (
	*exec.Cmd, error) {
	return exec.CommandContext(ctx, program, args...), nil
}

// Confined reports whether this process is one that Confine must turn into a student's program.
func Confined() bool { return false }

// Confine does nothing on this system.
func Confine() int { return confineFailed }
