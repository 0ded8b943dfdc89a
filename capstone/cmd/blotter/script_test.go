package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/lines/linestest"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// The scripts run this program as a process, on embedded stacks of their own.
func TestMain(m *testing.M) {
	stacktest.UseTemplates()
	testscript.Main(removeInstalled{m}, map[string]func(){"blotter": main, "blotter-lossy": lossy})
}

// Each script tells one story. The comment at its head names it.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	runScripts(t, scripts...)
}

// runScript runs the text of one script.
func runScript(t *testing.T, text string) {
	file := filepath.Join(t.TempDir(), "script.txtar")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	runScripts(t, file)
}

// builtGateway returns the path of the S3 gateway.
func builtGateway(t *testing.T) string {
	const built = "../../../.tools/bin/versitygw"
	gateway, err := filepath.Abs(cmp.Or(os.Getenv("BLOTTER_S3_GATEWAY"), built))
	require.NoError(t, err)
	return gateway
}

// raced are the scripts that also run under the race detector: a process ends early, or several run
// at once. There a process takes six times as long, and the scripts are 700 processes. The other
// tests of this module, which call the same code, all run under it.
var raced = []string{"endings", "import_files", "killed_stack", "life_of_a_log", "frontier"}

func runScripts(t *testing.T, files ...string) {
	if racing {
		files = slices.DeleteFunc(files, func(file string) bool {
			return !slices.Contains(raced, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		})
		if len(files) == 0 {
			t.Skip("make test runs this script, without the race detector")
		}
	}
	if stack := cmp.Or(os.Getenv("STACK"), "embedded"); stack != "embedded" {
		t.Skip("the scripts start embedded stacks of their own: they show nothing of " + stack)
	}
	gateway := builtGateway(t)
	witness, err := filepath.Abs("../../../.tools/bin/witness")
	require.NoError(t, err)
	_, missing := os.Stat(witness)
	books, err := filepath.Abs("../../books")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		WorkdirRoot:   passableDir(t),
		Setup: func(env *testscript.Env) error {
			env.Setenv("BLOTTER_S3_GATEWAY", gateway)
			env.Setenv("BLOTTER_WITNESS", witness)
			env.Setenv("BOOKS", books)
			env.Setenv("BLOTTER_TEMPLATES", stacktest.UseTemplates())
			env.Defer(func() { downAll(env.WorkDir) })
			return nil
		},
		Condition: func(name string) (bool, error) {
			return name == "mount" && canMount() ||
				name == "witness" && (missing == nil || os.Getenv("BLOTTER_CI") != ""), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"samedigest": sameDigest, "sameroot": sameRoot,
			"external": external, "killkeeper": killKeeper,
			"hold": hold, "disk": disk, "fill": fill, "sql": sql, "shuffle": shuffle,
			"exits": exits, "race": race, "force": force,
			"tamper": tamper, "await": await, "cut": cut, "marked": marked, "lost": lost,
			"private": private, "answers": answers,
		},
	})
}

// The script audit asks each route of an investigation.
func TestAuditRoutesAreAsked(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/script/audit.txtar")
	require.NoError(t, err)
	for _, q := range asked {
		if strings.HasPrefix(q.name, "audit ") {
			route := "answers audit/1 '?/v1/" + strings.ReplaceAll(q.name, " ", "-") + "\\b"
			require.Regexp(t, route, string(script), q.name)
		}
	}
}

// answers posts a body to the service as a principal, and compares the status of the answer and a
// part of its text: answers audit/1 /v1/commands {} 403 'no policy'. An empty body is a GET.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	var service struct{ URL string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(".blotter/service")), &service))
	method := http.MethodPost
	if args[2] == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, service.URL+args[1], strings.NewReader(args[2]))
	ts.Check(err)
	r.SetBasicAuth(args[0], "correct horse")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if !strings.HasPrefix(answer.Status, args[3]) || !strings.Contains(string(text), args[4]) {
		ts.Fatalf("status %s: %s", answer.Status, text)
	}
}

// private fails for a file or folder that another user may reach. As root the group of the
// database's user may pass through folders, since the database is not root.
func private(ts *testscript.TestScript, _ bool, args []string) {
	files := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		allowed := fs.FileMode(0o700)
		if d.IsDir() && os.Geteuid() == 0 {
			allowed = 0o710
		}
		if more := info.Mode().Perm() &^ allowed; more != 0 {
			ts.Logf("%s has mode %o", path, info.Mode().Perm())
			err = errors.New("another user may reach it")
		}
		return err
	}))
	if files < 50 {
		ts.Fatalf("only %d files", files)
	}
}

// exits runs a program and checks its exit code: exits 1 blotter state NOBODY.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	var ended *exec.ExitError
	code := 0
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// A demoAnswer is the part of an answer of demo --json that sameDigest and sameRoot compare.
type demoAnswer struct {
	Digest     string
	Checkpoint struct{ Root string }
}

// sameDigest compares the state digests in files that demo --json wrote.
func sameDigest(ts *testscript.TestScript, neg bool, files []string) {
	same(ts, neg, files, func(a demoAnswer) string { return a.Digest })
}

// sameRoot compares the roots in files that demo --json wrote.
func sameRoot(ts *testscript.TestScript, neg bool, files []string) {
	same(ts, neg, files, func(a demoAnswer) string { return a.Checkpoint.Root })
}

func same(ts *testscript.TestScript, neg bool, files []string, hash func(demoAnswer) string) {
	hashes := map[string]bool{}
	for _, file := range files {
		var out struct{ Answer demoAnswer }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &out))
		h := hash(out.Answer)
		if len(h) != 64 {
			ts.Fatalf("%s: the hash is %q", file, h)
		}
		hashes[h] = true
	}
	if same := len(hashes) == 1; same == neg {
		ts.Fatalf("%d hashes in %d files", len(hashes), len(files))
	}
}

// shuffle writes the lines of a book in another order. Those about linked contracts keep theirs.
func shuffle(ts *testscript.TestScript, _ bool, args []string) {
	seed, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	var book []lines.Line
	for line, err := range lines.Read(strings.NewReader(ts.ReadFile(args[1]))) {
		ts.Check(err)
		book = append(book, line)
	}
	var out []byte
	for _, line := range linestest.Shuffled(book, seed) {
		out = append(append(out, lines.Format(line.Command)...), '\n')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), out, 0o644))
}

// passableDir returns a folder that the database's user can pass through. Tests that run as root
// start the database as another user.
func passableDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "blotter-script-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
