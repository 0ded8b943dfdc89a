package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// install installs the program in a folder bin, which every user can reach.
func install(t *testing.T) (bin string) {
	bin = filepath.Join(passableDir(t), "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	install := exec.CommandContext(t.Context(), "make", "-C", "../../..", "install")
	install.Env = append(os.Environ(), "GOBIN="+bin)
	out, err := install.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// The installed program runs in any folder: it finds the S3 gateway beside itself.
func TestInstalledProgramRunsAnywhere(t *testing.T) {
	t.Parallel()
	bin, elsewhere := install(t), passableDir(t)
	blotter := func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), filepath.Join(bin, "blotter"), args...)
		c.Dir, c.Env = elsewhere, []string{"HOME=" + elsewhere, "PATH=/usr/bin:/bin"}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	shown, err := blotter("--version")
	require.NoError(t, err)
	require.Regexp(t, `^blotter .+, go1\.[0-9.]+ `, shown)
	shown, err = blotter("status")
	require.NoError(t, err, shown)
	require.Regexp(t, `(?m)^  s3 .*answers`, shown)

	require.NoError(t, os.Remove(filepath.Join(bin, "versitygw")))
	shown, err = blotter("status")
	require.Error(t, err)
	require.Contains(t, shown, "no versitygw in "+bin)
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
		"se":                 "seal\n",
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
