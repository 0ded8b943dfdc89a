package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/stack"
)

type principalCmd struct {
	Name   string       `arg:"" help:"The name that events have as their actor, such as trader/1."`
	Role   []serve.Role `help:"${principal_role}" enum:"${roles}"`
	Remove bool         `help:"Remove the principal." xor:"change"`
}

// Run replaces the file of principals, which a running service reads again at once.
func (c *principalCmd) Run(_ context.Context, a *app) error {
	all, err := serve.ReadLocal(logdir.Principals(a.cli.Data))
	if err != nil {
		return &usageError{err.Error(), "mend the file, or remove it and add the principals again"}
	}
	if c.Remove {
		if _, exists := all[c.Name]; !exists {
			return &failure{"there is no principal " + c.Name, "see " +
				logdir.Principals(a.cli.Data)}
		}
		delete(all, c.Name)
	} else if all[c.Name], err = c.local(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := stack.MakeDir(a.cli.Data); err != nil {
		return err
	}
	if err := logdir.SavePrincipals(a.cli.Data, text); err != nil {
		return err
	}
	answer := map[string]any{"principal": c.Name, "roles": all[c.Name].Roles, "removed": c.Remove}
	return a.answer(caveat{}, answer, func(w io.Writer) {
		if c.Remove {
			printLine(w, "%s can no longer sign in", c.Name)
			return
		}
		printLine(w, "%s can sign in as %v", c.Name, all[c.Name].Roles)
	})
}

// local reads the password from standard input, so that no list of processes shows it.
func (c *principalCmd) local() (serve.Local, error) {
	const hint = "for example: echo PASSWORD | blotter principal trader/1 --role reader " +
		"--role trader"
	if len(c.Role) == 0 {
		return serve.Local{}, &usageError{"a principal needs a role", hint}
	}
	if err := serve.CheckLocal(c.Name, c.Role); err != nil {
		return serve.Local{}, &usageError{err.Error(), hint}
	}
	password, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return serve.Local{}, err
	}
	roles := slices.Compact(slices.Sorted(slices.Values(c.Role)))
	l, err := serve.NewLocal(strings.TrimRight(password, "\r\n"), roles)
	if err != nil {
		err = &usageError{fmt.Sprintf("the password from standard input: %v", err),
			"give 8 to 72 bytes"}
	}
	return l, err
}
