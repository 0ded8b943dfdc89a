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

// The commands of the README's session run in order, with the results that its text states.
func TestReadmeSession(t *testing.T) {
	t.Parallel()
	commands := shellLines(t, "../../../README.md", "./blotter ")
	require.GreaterOrEqual(t, len(commands), 9)
	script := "mkdir capstone\nsymlink capstone/books -> $BOOKS\n"
	for _, command := range commands {
		if !strings.Contains(command, "import ") {
			script += "exec blotter " + command + "\n"
			continue
		}
		script += "! exec blotter " + command + "\nstdout '44 accepted'\n" +
			"stderr '17 of 61 lines were not accepted: 0 bad, 17 refused'\n"
	}
	runScript(t, script)
}

// Every make target that a document names is in the Makefile.
func TestDocumentedMakeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	targets := map[string]bool{}
	rule := regexp.MustCompile(`(?m)^([a-z0-9 ]+):`)
	for _, line := range rule.FindAllStringSubmatch(string(makefile), -1) {
		for _, target := range strings.Fields(line[1]) {
			targets[target] = true
		}
	}
	named := 0
	check := func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		for _, target := range makeTargets(t, filepath.Join("../../..", path)) {
			require.Contains(t, targets, target, "make %s, in %s", target, path)
			named++
		}
		return nil
	}
	require.NoError(t, fs.WalkDir(os.DirFS("../../.."), ".", check))
	require.GreaterOrEqual(t, named, 20)
}

var (
	makeInText  = regexp.MustCompile("`(?:[A-Z]+=[a-z]+ )*make ([a-z0-9]+)")
	makeInShell = regexp.MustCompile("^(?:[A-Z]+=[a-z]+ )*make ([a-z0-9]+)")
	shellBlock  = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// makeTargets returns the make targets that a document names: between backquotes, and at the
// beginning of a line in its sh blocks.
func makeTargets(t *testing.T, path string) (targets []string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	found := makeInText.FindAllStringSubmatch(string(text), -1)
	for _, line := range shellLines(t, path, "") {
		found = append(found, makeInShell.FindAllStringSubmatch(line, -1)...)
	}
	for _, f := range found {
		targets = append(targets, f[1])
	}
	return targets
}

// shellLines returns the lines with a prefix in the sh blocks of a document, without the prefix.
func shellLines(t *testing.T, path, prefix string) (lines []string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				lines = append(lines, strings.TrimSpace(rest))
			}
		}
	}
	return lines
}

var block = regexp.MustCompile("(?s)```(sh|text|jsonl)\n(.*?)```")

// The commands of the ledger's guide run in order, with the results that the guide shows.
func TestLedgerGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../ledger/README.md")
	require.NoError(t, err)
	book, err := os.ReadFile("../../books/first.jsonl")
	require.NoError(t, err)
	script, commands, shown := "", 0, 0
	files, names := "-- first.jsonl --\n"+string(book), []string{"opening.jsonl", "february.jsonl"}
	for _, b := range block.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(b[2]) {
			switch b[1] {
			case "text": // the words of a row, with any blanks between
				words := strings.Fields(regexp.QuoteMeta(line))
				script += "stdout '" + strings.Join(words, " +") + "'\n"
				shown++
			case "sh":
				command, fails := strings.CutSuffix(strings.TrimSpace(line), "# exits 1")
				script += map[bool]string{true: "! "}[fails] + "exec " + command + "\n"
				commands++
			}
		}
		if b[1] == "jsonl" {
			files, names = files+"-- "+names[0]+" --\n"+b[2], names[1:]
		}
	}
	require.Greater(t, commands, 10)
	require.Greater(t, shown, 10)
	runScript(t, script+files)
}
