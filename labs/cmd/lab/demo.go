package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

type demoCmd struct {
	Parts string `default:"auto" placeholder:"1=mine" help:"Whose parts; auto: labs that pass."`
}

// Help is shown after the usage.
func (demoCmd) Help() string {
	return `Example: lab demo --parts 1=mine,3=mine

Runs the capstone on one's own parts. A part that is not named is the reference's, and so is one
that does not compile. A right mix has the reference's digest. If a mix is wrong, the parts are
exchanged one after another, and the wrong one is named.`
}

// Run runs the demo of the reference and of the chosen mix, and compares them.
func (d *demoCmd) Run(ctx context.Context, to *streams) (err error) {
	root, err := kitRoot(ctx)
	if err != nil {
		return err
	}
	c, err := newCapstone(root, os.Environ())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	m, err := d.mix(ctx, c, to.stdout)
	if err != nil {
		return err
	}
	_, err = c.prove(ctx, m, to.stdout)
	return err
}

// mix returns the chosen parts that compile.
func (d *demoCmd) mix(ctx context.Context, c *capstone, notes io.Writer) (mix, error) {
	m := allMine
	var err error
	if d.Parts != "auto" {
		if m, err = parseMix(d.Parts); err != nil {
			return 0, err
		}
	}
	for i := range labNames {
		if !m.has(i) {
			continue
		}
		if complaint := c.compiles(ctx, i); complaint != "" {
			fmt.Fprintf(notes, "part %d is the reference's: %s does not compile\n  %s\n",
				i+1, labNames[i], strings.ReplaceAll(complaint, "\n", "\n  "))
			m = m.without(i)
		}
	}
	if d.Parts != "auto" {
		return m, ctx.Err()
	}
	passing, err := c.passing(ctx, notes)
	return m & passing, err
}

// prove runs a mix and prints its digest. The error for a mix that is not right names the part.
func (c *capstone) prove(ctx context.Context, m mix, to io.Writer) (outcome, error) {
	fmt.Fprintf(to, "parts %s\n", m)
	found, err := c.wrong(ctx, m)
	if err != nil {
		return outcome{}, err
	}
	o := c.outcome[m]
	if found == "" {
		fmt.Fprintf(to, "state %s\naudit %s, root %s\nthe digest is the reference's\n",
			o.state, o.checkpoint, o.root)
		return o, nil
	}
	parts, err := c.culprits(ctx, m)
	if err != nil {
		return outcome{}, err
	}
	names, labs := []string{}, []string{}
	for _, i := range parts {
		names = append(names, fmt.Sprintf("part %d (%s)", i+1, labNames[i]))
		labs = append(labs, fmt.Sprintf("make lab%d", i+1))
	}
	verb := "is"
	if len(parts) > 1 {
		verb = "are"
	}
	return outcome{}, &hintedError{failed, fmt.Sprintf("%s %s wrong in the capstone: %s",
		strings.Join(names, " and "), verb, found), "run: " + strings.Join(labs, " and ")}
}
