package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/stack"
)

type neighboursCmd struct {
	Logs []string `arg:"" name:"dir" help:"The data folders of the logs, each sealed once."`
}

// A neighbour is the log of one team, with the witness that the team runs for the others.
type neighbour struct {
	dir, origin, key string
	witness          *stack.Witness
}

// Run starts a witness for each log, which knows all others, and writes the policies with which
// they cosign one another. It keeps the witnesses until it is interrupted.
func (c *neighboursCmd) Run(ctx context.Context, to *streams) (err error) {
	all, err := readNeighbours(c.Logs)
	if err != nil {
		return err
	}
	for _, n := range all {
		if err = n.start(ctx, all); err != nil {
			break
		}
		defer n.witness.Close()
	}
	for _, n := range all {
		if err == nil {
			err = os.WriteFile(n.policyFile(), []byte(n.policy(all)), 0o600)
		}
		if err == nil {
			fmt.Fprintf(to.stdout, "%s is cosigned by its neighbours: %s\n", n.origin,
				n.policyFile())
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(to.stdout, "run blotter seal in each log; an interrupt ends the witnesses")
	<-ctx.Done()
	return nil
}

// readNeighbours reads the public keys of the logs.
func readNeighbours(dirs []string) ([]*neighbour, error) {
	if len(dirs) < 2 {
		return nil, &hintedError{misuse, "a log needs a neighbour", "name two data folders or more"}
	}
	var all []*neighbour
	seen := map[string]string{}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "keys", "verifier"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &hintedError{misuse, dir + " has no public key of a log",
				"seal the log once: blotter --data " + dir + " seal"}
		}
		if err != nil {
			return nil, err
		}
		// Cross-signed notes may follow the key.
		line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		n := &neighbour{dir: dir, key: line}
		key, err := note.NewVerifier(n.key)
		if err != nil {
			return nil, fmt.Errorf("%s/keys/verifier: %w", dir, err)
		}
		n.origin = key.Name()
		if other, ok := seen[n.origin]; ok { // a witness knows a log by its origin alone
			return nil, &hintedError{misuse, fmt.Sprintf("the logs in %s and %s are both %s", other,
				dir, n.origin), "create each log with a --name of its own"}
		}
		seen[n.origin] = dir
		if err := n.mayWrite(); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// written is the first line of a policy that this command wrote, and may write again.
const written = "# Written by lab neighbours.\n"

func (n *neighbour) policyFile() string { return filepath.Join(n.dir, "policy") }

func (n *neighbour) mayWrite() error {
	text, err := os.ReadFile(n.policyFile())
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.HasPrefix(string(text), written) {
		return nil
	}
	if err != nil {
		return err
	}
	return &hintedError{misuse, n.policyFile() + " is a policy that lab neighbours did not write",
		"move it away"}
}

// start starts the witness of n. It has the same key each time, and another address.
func (n *neighbour) start(ctx context.Context, all []*neighbour) (err error) {
	var logs []string
	for _, other := range all {
		if other != n {
			logs = append(logs, other.key)
		}
	}
	n.witness, err = stack.StartWitness(ctx, filepath.Join(n.dir, "neighbour"),
		"witness."+n.origin, logs...)
	return err
}

// policy returns the policy of n: more than half of its neighbours have to cosign.
func (n *neighbour) policy(all []*neighbour) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%slog %s\n", written, n.key)
	var names []string
	for _, other := range all {
		if other != n {
			fmt.Fprintf(&text, "witness %s %s %s\n", other.origin, other.witness.Key,
				other.witness.URL)
			names = append(names, other.origin)
		}
	}
	fmt.Fprintf(&text, "group neighbours %d %s\nquorum neighbours\n", len(names)/2+1,
		strings.Join(names, " "))
	return text.String()
}
