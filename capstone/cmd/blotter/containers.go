package main

import (
	"fmt"
	"path/filepath"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
)

// containerStack is the real parts, for as long as the command runs. What they stored stays with the log, unless the log goes too.
func (a *app) containerStack() stack.Stack {
	return containers.New(containers.Options{
		Dir: filepath.Join(a.cli.Data, "containers"), Temporary: a.temporary, Compatible: compatible,
		Log: func(line string) { fmt.Fprintln(a.stderr, line) },
	})
}
