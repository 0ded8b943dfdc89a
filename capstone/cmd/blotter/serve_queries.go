package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
)

// asked are the queries that a service answers, each with the flags and arguments that it takes. A
// flag that names a file or a program of the service's machine is left out.
var asked = []struct{ name, params string }{
	{"status", ""},
	{"state", "uti known-at effective-at basis"},
	{"position", "book known-at effective-at basis"},
	{"pnl", "book known-at effective-at basis"},
	{"exposure", "book move known-at effective-at basis"},
	{"explain", "book from to known-at top"},
	{"what-if", "book method rounding marks without top known-at effective-at"},
	{"history", "name command correlation source claimed"},
	{"trades", "book counterparty trader status instrument known-at effective-at basis"},
	{"search", "words where"},
	{"confirmations", "status book counterparty days holiday known-at effective-at"},
	{"books", "known-at effective-at basis"},
	{"curves", "name known-at effective-at basis"},
	{"audit state", "uti known-at effective-at"},
	{"audit field", "name field from to top known-at effective-at"},
	{"audit principal", "principal from to top known-at effective-at"},
	{"audit out-of-hours", "principal from to top known-at effective-at"},
	{"audit four-eyes", "from to top known-at effective-at"},
	{"audit late", "over entry from to top known-at effective-at"},
	{"audit after-close", "from to top known-at effective-at"},
	{"audit rebook", "within tolerance from to top known-at effective-at"},
	{"audit lineage", "uti known-at effective-at"},
	{"audit cause", "event known-at effective-at"},
	{"audit restatement", "book on since top known-at effective-at"},
	{"audit deleted", "old new"},
	{"parked list", ""},
	{"parked show", "stream"},
	{"snapshots", ""},
	{"canary status", ""},
	{"replay", "name all uti book chain step from known-at effective-at"},
	{"checkpoints", ""},
	{"verify", ""},
	{"reconcile list", "job all"},
	{"incident", "from to"},
	{"hold list", ""},
	{"party show", "party"},
	{"report compare", "here there since as-known-at and-known-at"},
	{"report late", "rules as-known-at"},
	{"report list", "rules as-known-at"},
	{"retention plan", ""},
	{"ledger balances", "ledger known-at effective-at"},
	{"ledger statement", "account ledger known-at effective-at"},
	{"ledger general", "ledger known-at effective-at"},
	{"ledger journal", "ledger known-at effective-at"},
	{"ledger exceptions", "ledger known-at effective-at"},
	{"ledger transfers", ""},
	{"ledger reconcile", "ledger rules"},
	{"ledger what-if", "version ledger rules"},
}

// paramsOf returns the parameters of a query; ok is false for another command.
func paramsOf(name string) (params []string, ok bool) {
	for _, q := range asked {
		if q.name == name {
			return append(strings.Fields(q.params), "zone"), true
		}
	}
	return nil, false
}

// commandName returns the name of the chosen command, such as "parked list".
func commandName(chosen *kong.Context) string {
	var words []string
	for _, p := range chosen.Path {
		if p.Command != nil {
			words = append(words, p.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// checkAsked refuses a command line that a service does not answer. The data folder and the stack
// are those of the service, whatever it says.
func checkAsked(chosen *kong.Context) error {
	name := commandName(chosen)
	params, ok := paramsOf(name)
	if !ok {
		return &usageError{fmt.Sprintf("a service does not run blotter %s", name),
			"it answers queries, and takes commands by import"}
	}
	params = append(params, "format", "json", "data", "stack")
	for _, p := range chosen.Path {
		if p.Flag != nil && !slices.Contains(params, p.Flag.Name) {
			return &usageError{fmt.Sprintf("a service does not take --%s of blotter %s",
				p.Flag.Name, name), "leave it out, or stop the service and ask the log itself"}
		}
	}
	return nil
}

// ask runs a command line over an open log, as main does over one that it opens.
func (a *app) ask(
	ctx context.Context, over *session.Session, args []string,
) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	var c cli
	chosen, err := parse(newParser(&c, &out, &errs), args)
	switch {
	case err != nil:
		return "", "", err
	case chosen == nil:
		return "", "", &usageError{"this asks for help", "blotter --help has it"}
	}
	if err := firstOf(checkEmpty(args, &c), checkAsked(chosen)); err != nil {
		return "", "", err
	}
	if c.JSON {
		c.Format = "json"
	}
	c.Data, c.Stack, c.Name, c.Store = a.cli.Data, a.cli.Stack, a.cli.Name, a.cli.Store
	view := newApp(&c, &visible{out: &out}, &visible{out: &errs})
	view.shared, view.health = over, a.health
	ctx, view.cancel = context.WithCancelCause(ctx)
	defer view.cancel(nil)
	chosen.BindTo(ctx, (*context.Context)(nil))
	err = view.finish(ctx, chosen.Run(view))
	return out.String(), errs.String(), err
}

// commandLine answers the other commands of the data folder.
func (a *app) commandLine(s *session.Session) func(context.Context, []string) serve.Printed {
	return func(ctx context.Context, args []string) (p serve.Printed) {
		var err error
		p.Stdout, p.Stderr, err = a.ask(ctx, s, args)
		if err != nil {
			p.Error, p.Hint, p.Code = err.Error(), hintOf(err), exitCode(err)
		}
		return p
	}
}

// queries makes a query of each command in asked: its flags and arguments are the parameters.
func (a *app) queries(s *session.Session) (all []serve.Query) {
	root := newParser(new(cli), nil, nil).Model.Node
	for _, q := range asked {
		node := find(root, strings.Fields(q.name))
		query := serve.Query{Name: strings.ReplaceAll(q.name, " ", "-"), Summary: node.Help}
		params, _ := paramsOf(q.name)
		for _, flag := range slices.Concat(node.Flags, root.Flags) {
			if slices.Contains(params, flag.Name) {
				query.Params = append(query.Params, paramOf(flag.Value))
			}
		}
		arguments := []string{}
		for _, value := range node.Positional {
			query.Params = append(query.Params, paramOf(value))
			arguments = append(arguments, value.Name)
		}
		query.Ask = func(ctx context.Context, values url.Values) serve.Answer {
			return a.answerTo(ctx, s, argsOf(q.name, arguments, values))
		}
		all = append(all, query)
	}
	return all
}

// find returns the node of a command.
func find(node *kong.Node, words []string) *kong.Node {
	for _, word := range words {
		i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
		node = node.Children[i]
	}
	return node
}

func paramOf(v *kong.Value) serve.Param {
	return serve.Param{Name: v.Name, Help: v.Help, Required: v.Required,
		Many: v.IsSlice() || v.IsMap()}
}

// argsOf returns the command line of a query. A value is never taken for a flag.
func argsOf(name string, arguments []string, values url.Values) []string {
	args := append(strings.Fields(name), "--format=json")
	for flag, all := range values {
		for _, value := range all {
			if !slices.Contains(arguments, flag) {
				args = append(args, "--"+flag+"="+value)
			}
		}
	}
	args = append(args, "--")
	for _, argument := range arguments {
		args = append(args, values[argument]...)
	}
	return args
}

// answerTo runs a query, and translates the exit code into a status of HTTP. A no that comes with
// an answer is an answer.
func (a *app) answerTo(ctx context.Context, s *session.Session, args []string) serve.Answer {
	out, _, err := a.ask(ctx, s, args)
	answer := serve.Answer{Status: http.StatusOK, JSON: []byte(out)}
	if err == nil {
		return answer
	}
	answer.Detail, answer.Hint = err.Error(), hintOf(err)
	switch code := exitCode(err); {
	case code == misuse:
		answer.Status = http.StatusBadRequest
	case code == unable:
		answer.Status = http.StatusServiceUnavailable
	case out == "":
		answer.Status = http.StatusNotFound
	}
	return answer
}
