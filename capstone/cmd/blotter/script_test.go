package main

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// The scripts run this very program, as a process of its own, on embedded stacks of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"blotter": main, "blotter-lossy": lossy})
}

// Each script tells one story; see the comment at its head.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	runScripts(t, scripts...)
}

func runScripts(t *testing.T, files ...string) {
	gateway, err := filepath.Abs(cmp.Or(os.Getenv("BLOTTER_S3_GATEWAY"), "../../../.tools/bin/versitygw"))
	require.NoError(t, err)
	books, err := filepath.Abs("../../books")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		WorkdirRoot:   open0711(t),
		Setup: func(env *testscript.Env) error {
			env.Setenv("BLOTTER_S3_GATEWAY", gateway)
			env.Setenv("BOOKS", books)
			env.Defer(func() { downAll(env.WorkDir) })
			return nil
		},
		Condition: func(name string) (bool, error) { return name == "mount" && canMount(), nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"samedigest": sameDigest, "external": external, "killkeeper": killKeeper, "hold": hold, "disk": disk, "fill": fill, "sql": sql,
		},
	})
}

// sameDigest compares the state digests in the files that demo --json wrote.
func sameDigest(ts *testscript.TestScript, neg bool, files []string) {
	digests := map[string]bool{}
	for _, file := range files {
		var out struct{ Answer struct{ Digest string } }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &out))
		if len(out.Answer.Digest) != 64 {
			ts.Fatalf("%s: digest is %q", file, out.Answer.Digest)
		}
		digests[out.Answer.Digest] = true
	}
	if same := len(digests) == 1; same == neg {
		ts.Fatalf("%d digests in %d files", len(digests), len(files))
	}
}

// open0711 is a folder that the database's own user can pass through, which it must when the tests run as root.
func open0711(t *testing.T) string {
	dir, err := os.MkdirTemp("", "blotter-script-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
