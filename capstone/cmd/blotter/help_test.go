package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The help of each command shows its own flags and an example that parses, and no global flag.
func TestHelpShowsOwnFlagsFirst(t *testing.T) {
	t.Parallel()
	var c cli
	root := newParser(&c, io.Discard, io.Discard).Model.Node
	for _, command := range root.Leaves(true) {
		var out strings.Builder
		words := append(strings.Fields(pathOf(command)), "--help")
		require.Equal(t, done, run(words, &out, t.Output()))
		var shown, own []string
		for _, flag := range regexp.MustCompile(`(?m)^ +--([a-z-]+)`).
			FindAllStringSubmatch(out.String(), -1) {
			shown = append(shown, flag[1])
		}
		for _, flags := range command.AllFlags(true)[1:] { // the first are global
			for _, flag := range flags { // of a group of commands, then of the command
				own = append(own, flag.Name)
			}
		}
		require.Equal(t, own, shown, command.Name)

		example := examples[pathOf(command)]
		require.NotEmpty(t, example, "add an example of %s to help.go", command.Name)
		require.Contains(t, out.String(), "Example:\n  blotter "+example+"\n")
		var other cli
		args := strings.Fields(strings.ReplaceAll(example, "'yearly review'", "review"))
		chosen, err := parse(newParser(&other, io.Discard, io.Discard), args)
		require.NoError(t, err, example)
		require.Equal(t, pathOf(command), pathOf(chosen.Selected()))
	}
	var all strings.Builder
	require.Equal(t, done, run([]string{"--help"}, &all, t.Output()))
	require.Contains(t, all.String(), "--data=DIR")
	require.Contains(t, all.String(), "3 could not look")
}

// Each command, and each query of a service, builds a parser of all commands. Each variable of kong
// is expanded for each of the hundreds of flags: seven times the allocations. It is not parallel
// because it counts the allocations of the process.
func TestParserIsCheap(t *testing.T) {
	build := func() { newParser(new(cli), io.Discard, io.Discard) }
	require.Less(t, testing.AllocsPerRun(3, build), 60_000.0)
}
