// Package runbooks runs the procedures of this folder.
package runbooks

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// fence matches a block of a page: its kind, the rest of the fence, and its text.
var fence = regexp.MustCompile("(?ms)^```(sh|text)([^\n]*)\n(.*?)^```$")

func TestRunbooks(t *testing.T) {
	t.Parallel()
	if stack := os.Getenv("STACK"); stack != "" && stack != "embedded" {
		t.Skip("a page starts an embedded stack of its own: it shows nothing of " + stack)
	}
	bin := filepath.Dir(program(t))
	pages, err := filepath.Glob("*-*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range slices.DeleteFunc(pages, sharesStack) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			run(t, workplace(t, bin), string(text))
		})
	}
}

// build builds the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "runbooks")
	if err != nil {
		return "", err
	}
	args := append([]string{"build", "-o", dir}, stacktest.BuildFlags()...)
	out, err := exec.Command("go",
		append(args, "example.com/blotter/capstone/cmd/blotter")...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "blotter"), err
})

func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	require.NoError(t, err)
	return path
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "trouble" {
		os.Exit(makeTrouble(os.Args))
	}
	code := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// workplace returns a shell in a folder with the files that the pages use.
func workplace(t *testing.T, bin string) func(script string) *exec.Cmd {
	t.Helper()
	dir := stacktest.Dir(t)
	book, err := os.ReadFile("../capstone/books/first.jsonl")
	require.NoError(t, err)
	morning := bytes.Join(bytes.SplitAfter(book, []byte("\n"))[:7], nil)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "morning.jsonl"), morning, 0o644))
	gateway, err := filepath.Abs("../.tools/bin/versitygw")
	require.NoError(t, err)
	data := filepath.Join(dir, "log")
	env := append(os.Environ(), "STACK=embedded", "BLOTTER_DATA="+data,
		"PATH="+bin+":"+os.Getenv("PATH"))
	if os.Getenv("BLOTTER_S3_GATEWAY") == "" {
		env = append(env, "BLOTTER_S3_GATEWAY="+gateway)
	}
	shell := func(script string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	t.Cleanup(func() { // after a page that failed halfway
		exec.Command(filepath.Join(bin, "blotter"), "--data", data, "down").Run()
	})
	return shell
}

func run(t *testing.T, shell func(string) *exec.Cmd, page string) {
	t.Helper()
	var output string
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		kind, exit, body := block[1], strings.TrimSpace(block[2]), block[3]
		if kind == "text" {
			contains(t, output, body)
			continue
		}
		out, err := shell(body).CombinedOutput()
		output = string(out)
		if exit == "" {
			require.NoError(t, err, "%s\n%s", body, output)
			continue
		}
		var failed *exec.ExitError
		require.ErrorAs(t, err, &failed, "%s\n%s", body, output)
		require.Equal(t, exit, fmt.Sprintf("exit=%d", failed.ExitCode()), "%s\n%s", body, output)
	}
}

// contains checks that the lines of want are pieces of output, in this order.
func contains(t *testing.T, output, want string) {
	t.Helper()
	rest := output
	for line := range strings.Lines(want) {
		_, after, found := strings.Cut(rest, strings.TrimSpace(line))
		require.True(t, found, "%q is missing, or not in this order:\n%s",
			strings.TrimSpace(line), output)
		rest = after
	}
}
