// Package runbooks holds procedures, and runs them.
package runbooks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// fence is a block of a page: what its fence says, and what is in it.
var fence = regexp.MustCompile("(?ms)^```(sh|text)([^\n]*)\n(.*?)^```$")

func TestEveryRunbookDoesWhatItSays(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "blotter")
	out, err := exec.Command("go", "build", "-o", program, "example.com/blotter/capstone/cmd/blotter").CombinedOutput()
	require.NoError(t, err, "%s", out)
	pages, err := filepath.Glob("*-*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			run(t, workplace(t, filepath.Dir(program)), string(text))
		})
	}
}

// workplace gives a shell in a folder with the few files that the pages speak of.
func workplace(t *testing.T, bin string) func(script string) *exec.Cmd {
	t.Helper()
	dir := stacktest.Dir(t)
	book, err := os.ReadFile("../capstone/books/first.jsonl")
	require.NoError(t, err)
	morning := bytes.Join(bytes.SplitAfter(book, []byte("\n"))[:7], nil)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "morning.jsonl"), morning, 0o644))
	gateway, err := filepath.Abs("../.tools/bin/versitygw")
	require.NoError(t, err)
	env := append(os.Environ(), "STACK=embedded", "BLOTTER_DATA="+filepath.Join(dir, "log"), "PATH="+bin+":"+os.Getenv("PATH"))
	if os.Getenv("BLOTTER_S3_GATEWAY") == "" {
		env = append(env, "BLOTTER_S3_GATEWAY="+gateway)
	}
	shell := func(script string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	t.Cleanup(func() { exec.Command(filepath.Join(bin, "blotter"), "--data", filepath.Join(dir, "log"), "down").Run() }) // where a page failed halfway
	return shell
}

func run(t *testing.T, shell func(string) *exec.Cmd, page string) {
	t.Helper()
	var said string
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		kind, says, body := block[1], strings.TrimSpace(block[2]), block[3]
		if kind == "text" {
			contains(t, said, body)
			continue
		}
		out, err := shell(body).CombinedOutput()
		said = string(out)
		if says == "" {
			require.NoError(t, err, "%s\n%s", body, said)
			continue
		}
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s\n%s", body, said)
		require.Equal(t, says, "exit="+strings.TrimPrefix(exit.Error(), "exit status "), "%s\n%s", body, said)
	}
}

// contains holds that the lines of want are pieces of said, one behind the other.
func contains(t *testing.T, said, want string) {
	t.Helper()
	rest := said
	for line := range strings.Lines(want) {
		_, after, found := strings.Cut(rest, strings.TrimSpace(line))
		require.True(t, found, "%q is not in, or not in this order:\n%s", strings.TrimSpace(line), said)
		rest = after
	}
}
