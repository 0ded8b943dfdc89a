package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completions has a script for each shell. A script asks the program itself for the words that can
// come next.
//
//go:embed completion
var completions embed.FS

// completeWord is the first argument of a script's question. The words of the command line follow,
// up to the one that is completed.
const completeWord = "__complete"

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

func (c *completionCmd) Run(_ context.Context, a *app) error {
	script, err := completions.ReadFile("completion/" + c.Shell)
	if err == nil {
		_, err = a.stdout.Write(script)
	}
	return err
}

// printCompletions prints the words that can stand for the last one, a line each. It prints none
// where the name of a file is expected, or any other free text: then a shell completes files.
func printCompletions(w io.Writer, root *kong.Node, words []string) error {
	var known []string
	for _, word := range words {
		if word != "=" { // bash cuts --flag=value into three words
			known = append(known, word)
		}
	}
	last := ""
	if n := len(words); n > 0 && words[n-1] != "=" {
		last, known = words[n-1], known[:len(known)-1]
	}
	for _, word := range nextWords(root, known, last) {
		if strings.HasPrefix(word, last) {
			if _, err := fmt.Fprintln(w, word); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextWords returns the words that can follow on the known ones, of the kind that last begins.
func nextWords(root *kong.Node, known []string, last string) (words []string) {
	node, expects := root, (*kong.Flag)(nil) // the flag whose value comes next
	for _, word := range known {
		name, isFlag := strings.CutPrefix(word, "--")
		switch {
		case expects != nil:
			expects = nil
		case isFlag:
			expects = flagWithValue(node, name)
		default:
			node = childOf(node, word)
		}
	}
	flag, _, given := strings.Cut(last, "=")
	switch {
	case expects != nil:
		return valuesOf(expects.Value, "")
	case given && strings.HasPrefix(flag, "--"):
		if f := flagWithValue(node, flag[2:]); f != nil {
			return valuesOf(f.Value, flag+"=")
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return flagsOf(node)
	}
	for _, command := range node.Children {
		if !command.Hidden {
			words = append(words, command.Name)
		}
	}
	for _, arg := range node.Positional {
		words = append(words, valuesOf(arg, "")...)
	}
	return words
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return node
}

// flagWithValue returns the flag with a name if it takes a value, or nil.
func flagWithValue(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == name && !flag.IsBool() {
				return flag
			}
		}
	}
	return nil
}

func flagsOf(node *kong.Node) (words []string) {
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			words = append(words, "--"+flag.Name)
		}
	}
	return words
}

// valuesOf returns the values of an enumeration, each with a prefix; none for free text.
func valuesOf(v *kong.Value, prefix string) (words []string) {
	if v.Enum == "" {
		return nil
	}
	for _, value := range v.EnumSlice() {
		words = append(words, prefix+value)
	}
	return words
}
