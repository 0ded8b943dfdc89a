package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

// fullDisk is a writer without room.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

func TestIncompleteAnswerFails(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*app) error{
		"table": func(a *app) error {
			return a.answer(caveat{}, nil, func(w io.Writer) { printPositions(w, nil) })
		},
		"json": func(a *app) error {
			a.cli.Format = "json"
			return a.answer(caveat{}, "anything", nil)
		},
		"line": func(a *app) error { return a.printDown("the stack of %s is down", a.cli.Data) },
	} {
		a := newApp(&cli{}, fullDisk{}, io.Discard)
		err := a.finish(t.Context(), command(a))
		require.ErrorIs(t, err, syscall.ENOSPC, name)
		require.Contains(t, hintOf(err), "make room", name)
	}
	down := []string{"--stack", "embedded", "--data", t.TempDir(), "down"}
	require.Equal(t, unable, run(down, fullDisk{}, io.Discard))
}

// A file that is too long for a public key is named as that, and is not cut at its limit.
func TestLongKeyFileIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "long.key")
	require.NoError(t, os.WriteFile(file, make([]byte, 64<<10+1), 0o600))
	_, err := verifierKey(file)
	require.ErrorContains(t, err, file+" has more than 65536 bytes")
}

// The hint for a checkpoint that is not there fits every command, which may have no --checkpoint.
// A damaged archive, which also lacks an object, has another one.
func TestHintForAnAbsentCheckpoint(t *testing.T) {
	t.Parallel()
	absent := fmt.Errorf("checkpoints/000000000001: %w", audit.ErrAbsent)
	require.Equal(t, "blotter checkpoints lists the sizes", hintOf(withHint(absent)))
	require.Equal(t, failed, exitCode(withHint(absent)))
	damaged := fmt.Errorf("%w: %w", audit.ErrArchive, absent)
	require.Equal(t, advice(audit.ErrArchive), hintOf(withHint(damaged)))
	require.Equal(t, failed, exitCode(withHint(damaged)))
}

// Wrong usage is refused before anything is created.
func TestWrongUsageCreatesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		name, says string
		args       []string
	}{
		{"import a folder", dir + " is a folder", []string{"--data", data, "import", dir}},
		{"data is a file", file + " is not a folder", []string{"--data", file, "import", file}},
		{"data in a file", file + "/data is not a folder",
			[]string{"--data", file + "/data", "import", file}},
		{"query a file", file + " is not a folder", []string{"--data", file, "position"}},
		{"up in a file", file + " is not a folder", []string{"--data", file, "up"}},
		{"snapshot name is a path", `snapshot "a/b": a snapshot's name has at most 200 letters`,
			[]string{"--data", data, "snapshot", "a/b"}},
		{"snapshot name is too long", `snapshot "` + strings.Repeat("x", 40) + `": `,
			[]string{"--data", data, "snapshot", strings.Repeat("x", 201)}},
		{"no partition", "--partitions is 0",
			[]string{"--data", data, "--partitions", "0", "import", file}},
		{"too many partitions", "--partitions is 501",
			[]string{"--data", data, "--partitions", "501", "import", file}},
		{"empty data", "--data is empty", []string{"--data", "", "import", file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			code := run(append([]string{"--stack", "embedded"}, tc.args...), io.Discard, &stderr)
			require.Equal(t, misuse, code)
			require.Contains(t, stderr.String(), "error: "+tc.says)
			require.Regexp(t, `(?m)^hint: .`, stderr.String())
			require.NoDirExists(t, data)
		})
	}
}

// logIn creates the settings of a log in a new folder.
func logIn(t *testing.T, stack string) string {
	dir := t.TempDir()
	settings := logdir.Settings{Name: "example", Stack: stack, Store: "kafka", Partitions: 3}
	d, err := logdir.New(dir, settings)
	require.NoError(t, err)
	require.NoError(t, d.Create())
	return dir
}

func TestUpRefusesLogInAnotherStack(t *testing.T) {
	t.Parallel()
	dir := logIn(t, "containers")
	var stderr bytes.Buffer
	up := []string{"--stack", "embedded", "--data", dir, "up"}
	require.Equal(t, misuse, run(up, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "is in the containers stack, not in the embedded stack")
	require.NoDirExists(t, logdir.StackDir(dir))
}

// No log is created in place of one that is in another stack, or that cannot be read.
func TestUnreadableLogIsNotReplaced(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(c *cli, path string){
		"in another stack": func(c *cli, _ string) { c.Stack = "external" },
		"half a file": func(_ *cli, path string) {
			require.NoError(t, os.WriteFile(path, []byte(`{"name":`), 0o600))
		},
		"a folder": func(_ *cli, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		},
	} {
		for command, config := range map[string]func(a *app) (session.Config, error){
			"import": func(a *app) (session.Config, error) {
				config := a.config()
				config.New = a.newLog(false)
				return config, nil
			},
			"demo": (&demoCmd{Keep: true}).config,
		} {
			c := &cli{
				Data: logIn(t, "embedded"), Stack: "embedded",
				Store: "postgres", Partitions: 12, Name: "other",
			}
			spoil(c, filepath.Join(c.Data, "log.json"))
			opened, err := config(newApp(c, t.Output(), t.Output()))
			if err == nil {
				_, err = opened.Folder()
			}
			require.Error(t, err, "%s, %s", command, name)
		}
	}
}

// A finding exits with 1 and an outage with 3, also where one error wraps the other. An error of an
// unknown kind is an outage.
func TestFindingIsNoOutage(t *testing.T) {
	t.Parallel()
	denied := &fs.PathError{Op: "open", Path: "keys", Err: fs.ErrPermission}
	for want, all := range map[int][]error{
		done: {nil},
		failed: {
			&failure{"no", ""}, errors.Join(&failure{"no", ""}, syscall.ENOSPC),
			&contract.AheadError{}, &contract.DamagedError{}, &logdir.IntegrityError{},
			fmt.Errorf("stream a, version 1: %w", contract.ErrMalformed), audit.ErrCut,
			audit.ErrRolledBack, contract.ErrSnapshotDamaged, &contract.BeyondFrontierError{},
		},
		misuse: {&usageError{"x", ""}, &logdir.UsageError{}, &logdir.NoLogError{}},
		unable: {
			&outage{"away", ""}, denied, fmt.Errorf("%w: %w", audit.ErrArchive, denied),
			&stack.InUseError{}, &logdir.BusyError{}, &stackLost{io.EOF}, context.Canceled,
			errors.New("dial tcp: no route to host"), contract.ErrFenced,
		},
	} {
		for _, err := range all {
			require.Equal(t, want, exitCode(err), "%v", err)
		}
	}
}
