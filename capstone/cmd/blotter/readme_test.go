package main

import (
	"io/fs"
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
func TestTheTargetsOfTheDocumentsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^([a-z0-9 ]+):`).FindAllStringSubmatch(string(makefile), -1) {
		for _, target := range strings.Fields(line[1]) {
			targets[target] = true
		}
	}
	named := 0
	require.NoError(t, fs.WalkDir(os.DirFS("../../.."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../../..", path))
		for _, target := range madeIn(string(text)) {
			require.Contains(t, targets, target, "make %s, in %s", target, path)
			named++
		}
		return err
	}))
	require.GreaterOrEqual(t, named, 20)
}

// madeIn is the make targets that a document names: in its text between backquotes, in its sh blocks at the beginning of a line.
func madeIn(document string) (targets []string) {
	quoted := regexp.MustCompile("`(?:[A-Z]+=[a-z]+ )*make ([a-z0-9]+)").FindAllStringSubmatch(document, -1)
	block := regexp.MustCompile("^ (?:[A-Z]+=[a-z]+ )*make ([a-z0-9]+)")
	for _, line := range shell(document, "") {
		quoted = append(quoted, block.FindAllStringSubmatch(line, -1)...)
	}
	for _, found := range quoted {
		targets = append(targets, found[1])
	}
	return targets
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
