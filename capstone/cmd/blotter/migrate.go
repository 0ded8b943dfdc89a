package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/capstone/session"
)

type migrateCmd struct {
	Simulate bool `help:"Of a new log: recorded_at follows entered_at."`
}

// Run creates or migrates the Postgres schemas of a log. A crash leaves each schema at one of its
// versions; run it again.
func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	config := a.config()
	config.New = a.newLog(c.Simulate)
	schemas, err := session.Migrate(ctx, config)
	if err != nil {
		return err
	}
	return a.answer(caveat{}, map[string]any{"schemas": schemas}, func(w io.Writer) {
		for _, schema := range schemas {
			fmt.Fprintf(w, "schema %s is up to date\n", schema)
		}
	})
}
