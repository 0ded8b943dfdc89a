package grade

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A student's process has the limits that Limits describes: it reads no file of the kit, writes
// nowhere but in its own folder and its report, reaches nothing but loopback, and is not root. The
// sizes of files and of memory have a bound.
func TestConfinement(t *testing.T) {
	t.Parallel()
	g, err := shared()
	require.NoError(t, err)
	t.Logf("%q", g.Limits())
	home, err := os.MkdirTemp(g.dir, "run-")
	require.NoError(t, err)
	report := home + ".report"
	require.NoError(t, os.WriteFile(report, nil, 0o600))
	solution := filepath.Join(kitRoot(t), "solutions", "5-audit", "plain", "tree.go")
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, nil, 0o666))
	require.NoError(t, os.Chmod(outside, 0o666))
	sh := func(script string) error {
		cmd, err := g.confined.command(t.Context(), home, report, "/bin/sh", "-c", script)
		require.NoError(t, err)
		cmd.Dir = home
		out, err := cmd.CombinedOutput()
		require.NotEqual(t, confineFailed, exitCode(err), string(out))
		return err
	}
	require.NoError(t, sh("echo 1 > own && cat own && echo 1 >> "+report))
	require.NoError(t, sh("test $(id -u) != 0"))
	require.Error(t, sh("ulimit -d unlimited"), "raise the limit of memory")
	require.Error(t, sh("head -c 300000000 /dev/zero > big"), "a large file")
	if g.confined.Landlock {
		require.Error(t, sh("cat "+solution), "read a solution")
		require.Error(t, sh("echo 1 > "+outside), "write a file that everybody may write")
	}
	if g.confined.Network {
		require.NoError(t, sh("grep -q lo: /proc/net/dev && ! grep -q eth /proc/net/dev"))
	}
}

// A process that cannot get its limits is an error of the grader: its exit code says so, not its
// output, which a student may write.
func TestConfineFailure(t *testing.T) {
	t.Parallel()
	g, err := shared()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "missing")
	cmd, err := g.confined.command(t.Context(), t.TempDir(), os.DevNull, program)
	require.NoError(t, err)
	out, err := cmd.CombinedOutput()
	require.Equal(t, confineFailed, exitCode(err), string(out))
	_, err = g.run(t.Context(), program, suites())
	require.ErrorContains(t, err, "start a process with limits")
}
