package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// installed is a folder with the installed program, which is built once for all tests. Its name is
// in installDir, so that the end of the tests removes it.
var installed = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "blotter-install-"); err != nil {
		return "", err
	}
	installDir = dir
	install := exec.Command("make", "-C", "../../..", "install")
	install.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := install.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("make install: %w: %s", err, out)
	}
	return dir, nil
})

var installDir string

// install returns a folder bin of the test's own with the installed program. Every user can reach
// it.
func install(t *testing.T) (bin string) {
	dir, err := installed()
	require.NoError(t, err)
	bin = filepath.Join(passableDir(t), "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	for _, name := range []string{"blotter", "versitygw"} {
		require.NoError(t, os.Link(filepath.Join(dir, name), filepath.Join(bin, name)))
	}
	return bin
}

// removeInstalled runs the tests, and removes the installed program after them.
type removeInstalled struct{ *testing.M }

// Run implements testscript.TestingM.
func (m removeInstalled) Run() int {
	code := m.M.Run()
	os.RemoveAll(installDir)
	return code
}

// The installed program runs in any folder and any environment: it finds the S3 gateway beside
// itself, and the settings of the user's own Postgres have no effect.
func TestInstalledProgramRunsAnywhere(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	bin := install(t)
	book, err := filepath.Abs("../../books/first.jsonl")
	require.NoError(t, err)
	blotter := func(dir string, env []string, args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), filepath.Join(bin, "blotter"), args...)
		c.Dir, c.Env = dir, env
		out, err := c.CombinedOutput()
		return string(out), err
	}
	for name, env := range map[string][]string{
		"empty environment": {},
		"PGSERVICE":         {"HOME=/nonexistent", "PATH=/usr/bin:/bin", "PGSERVICE=x"},
	} {
		elsewhere := passableDir(t)
		shown, err := blotter(elsewhere, env, "demo", "--book", book, "--keep")
		require.NoError(t, err, "%s: %s", name, shown)
		require.Contains(t, shown, "verified to checkpoint", name)
		shown, err = blotter(elsewhere, env, "status")
		require.NoError(t, err, "%s: %s", name, shown)
		require.Regexp(t, `(?m)^  s3 .*answers`, shown, name)
	}
	shown, err := blotter("/", nil, "--version")
	require.NoError(t, err)
	require.Regexp(t, `^blotter .+, go1\.[0-9.]+ `, shown)

	require.NoError(t, os.Remove(filepath.Join(bin, "versitygw")))
	shown, err = blotter(passableDir(t), []string{}, "status")
	require.Error(t, err)
	require.Contains(t, shown, "no versitygw in "+bin)
}

// A clone works whatever git does with line ends: its files are as they were committed, and make
// demo runs, also beside the settings of the user's own Postgres.
func TestCloneWithOtherLineEndsRunsTheDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the program again")
	}
	top, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skipf("this is no clone: %v", err)
	}
	clone := filepath.Join(passableDir(t), "clone")
	env := []string{
		"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "PGSERVICE=x",
		"BLOTTER_S3_GATEWAY=" + builtGateway(t),
	}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "GO") { // where Go finds its modules and its cache
			env = append(env, variable)
		}
	}
	do := func(name string, args ...string) string {
		c := exec.CommandContext(t.Context(), name, args...)
		c.Env = env
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s %v: %s", name, args, out)
		return string(out)
	}
	do("git", "clone", "--quiet", "--config", "core.autocrlf=true", strings.TrimSpace(string(top)),
		clone)
	script, err := os.ReadFile(filepath.Join(clone, ".tools", "setup"))
	require.NoError(t, err)
	require.NotContains(t, string(script), "\r")
	require.Contains(t, do("make", "-C", clone, "demo"), "verified to checkpoint")
}

// Each shell's script completes commands, flags and values, and leaves the rest to the shell.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	for shell, ask := range map[string]string{
		"bash": `source <(blotter completion bash); COMP_WORDS=(blotter $1); COMP_CWORD=$2; ` +
			`_blotter; printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh": `compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { :; }; ` +
			`source <(blotter completion zsh); words=(blotter ${=1}); CURRENT=$(($2+1)); _blotter`,
		"fish": `blotter completion fish | source; complete -C "blotter $argv[1]"`,
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			dir := t.TempDir()
			self, err := os.Executable()
			require.NoError(t, err)
			require.NoError(t, os.Symlink(self, filepath.Join(dir, "blotter")))
			for line, want := range map[string]string{
				"posi":                   "position",
				"--store post":           "postgres",
				"position --boo":         "--book",
				"--data x verify-extrac": "verify-extract",
				"completion f":           "fish",
			} {
				words := strings.Fields(line)
				args := []string{"-c", ask, shell, line, string(rune('0' + len(words)))}
				if shell == "fish" {
					args = []string{"--no-config", "-c", ask, "--", line}
				}
				c := exec.CommandContext(t.Context(), shell, args...)
				c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
				out, err := c.CombinedOutput()
				require.NoError(t, err, "%s: %s", line, out)
				require.Equal(t, want, strings.TrimSpace(string(out)), line)
			}
		})
	}
}

// The words that can come next depend on the command, the flag and the place.
func TestCompletions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"se":                 "search\nseal\nserve\nserve-log\n",
		"--data pos":         "", // the value of a flag is free text
		"--stack=c":          "--stack=containers\n",
		"--stack = c":        "containers\n", // as bash cuts it
		"--stack =":          "embedded\ncontainers\nexternal\n",
		"import ":            "", // the shell completes files
		"history --correlat": "--correlation\n",
		"seal --correlat":    "",
	} {
		var out strings.Builder
		args := append([]string{completeWord}, strings.Split(line, " ")...)
		require.Equal(t, done, run(args, &out, t.Output()))
		require.Equal(t, want, out.String(), line)
	}
}
