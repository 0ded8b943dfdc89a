package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The session that the README tells is run as it stands, each command in its turn, and what the text says of it holds.
func TestTheSessionOfTheReadmeRuns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	commands := shell(string(text), "./blotter ")
	require.GreaterOrEqual(t, len(commands), 9)

	var script strings.Builder
	script.WriteString("mkdir capstone\nsymlink capstone/books -> $BOOKS\n")
	for _, command := range commands {
		if strings.Contains(command, " import ") {
			script.WriteString("! exec blotter" + command + "\nstderr '17 of 61 lines were not accepted: 0 bad, 17 refused'\nstdout '44 accepted'\n")
			continue
		}
		script.WriteString("exec blotter" + command + "\n")
	}
	file := filepath.Join(t.TempDir(), "readme.txtar")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o644))
	runScripts(t, file)
}

// Every make target that a document names is there.
func TestTheTargetsOfTheReadmeExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	named := regexp.MustCompile("make ([a-z]+)").FindAllStringSubmatch(strings.Join(shell(string(text), ""), "\n")+"`make build`", -1)
	require.GreaterOrEqual(t, len(named), 3)
	for _, n := range named {
		require.Contains(t, string(makefile), "\n"+n[1]+":", "make %s", n[1])
	}
}

// shell is the lines of the sh blocks of a document that begin with a prefix, without it.
func shell(document, prefix string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(document, -1) {
		for line := range strings.Lines(block[1]) {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				lines = append(lines, " "+strings.TrimSpace(rest))
			}
		}
	}
	return lines
}
