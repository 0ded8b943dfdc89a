package main

import "context"

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command; by default all of them are listed."`
}

// Run prints what --help prints.
func (c *helpCmd) Run(_ context.Context, a *app) error {
	var other cli
	_, err := parse(newParser(&other, a.stdout, a.stderr), append(c.Command, "--help"))
	return err
}
