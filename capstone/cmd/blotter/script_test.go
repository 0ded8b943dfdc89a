package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/lines/linestest"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/serve/servetest"
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
var raced = []string{"endings", "killed_stack", "frontier"}

// onlyHere skips a test that is mostly other programs, with an embedded stack of its own, where it
// shows nothing: under the race detector, and on another stack.
func onlyHere(t *testing.T) {
	t.Helper()
	if racing {
		t.Skip("make test runs it, without the race detector")
	}
	notElsewhere(t)
}

// notElsewhere skips a test on another stack than the embedded one.
func notElsewhere(t *testing.T) {
	t.Helper()
	if stack := cmp.Or(os.Getenv("STACK"), "embedded"); stack != "embedded" {
		t.Skip("it starts an embedded stack of its own: it shows nothing of " + stack)
	}
}

func runScripts(t *testing.T, files ...string) {
	if racing {
		files = slices.DeleteFunc(files, func(file string) bool {
			return !slices.Contains(raced, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		})
		if len(files) == 0 {
			t.Skip("make test runs this script, without the race detector")
		}
	}
	notElsewhere(t)
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
			"private": private, "answers": answers, "identities": identities, "overtls": overTLS,
			"readiness": readiness,
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

// unasked are the commands that a service does not run as queries.
var unasked = map[string]string{
	"they change the log, the data folder or the archive": "import backfill parked-skip " +
		"parked-retry snapshot rebuild party-record party-unmask party-rotate report-reference " +
		"report-make report-submit report-answer hold-place hold-lift retention-apply " +
		"retention-dispose erase ledger-apply ledger-post ledger-adopt ledger-publish seal " +
		"cosign signer-rotate signer-retire restore-from-archive principal canary-start " +
		"canary-promote canary-abort reconcile-run reconcile-file reconcile-assign " +
		"reconcile-accept",
	"they read or write files of their caller": "report-reconcile report-check " +
		"ledger-export prove check-proof certify check-snapshot extract verify-extract simulate",
	"they start or end processes": "up down demo migrate serve serve-log chaos keep-stack " +
		"chaos-writer",
	"they ask the data folder and the archive": "signer-show",
	"they ask no log":                          "help completion",
}

// unaskedFlags are the flags of queries that a service does not take. Those of audit are flags of
// each audit command.
var unaskedFlags = map[string]string{
	"they name files of the caller": "what-if:scenario audit-deleted:kept verify:key " +
		"verify:since verify:policy incident:alerts incident:logs",
	"they run programs of the caller": "replay:against canary-status:against",
	"they write a certified extract for the caller": "audit:certify audit:actor audit:reason " +
		"audit:page",
	"it writes its progress to the data folder": "replay:resume",
}

// excusedFlag returns the name in unaskedFlags of a flag of a query, if it is there.
func excusedFlag(query, flag string) (string, bool) {
	group, _, _ := strings.Cut(query, "-")
	for _, names := range unaskedFlags {
		for _, name := range []string{query + ":" + flag, group + ":" + flag} {
			if slices.Contains(strings.Fields(names), name) {
				return name, true
			}
		}
	}
	return "", false
}

// Every command is a query of a service, with all its flags, or one of unasked.
func TestEveryQueryIsAsked(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, names := range slices.Concat(slices.Collect(maps.Values(unasked)),
		slices.Collect(maps.Values(unaskedFlags))) {
		for _, name := range strings.Fields(names) {
			known[name] = true
		}
	}
	excused := map[string]bool{}
	for _, leaf := range newParser(new(cli), nil, nil).Model.Leaves(false) {
		name := strings.ReplaceAll(leaf.Path(), " ", "-")
		params, ok := paramsOf(leaf.Path())
		require.NotEqual(t, ok, known[name], "%s: list it in asked or in unasked", name)
		delete(known, name)
		for _, flag := range leaf.Flags {
			if key, is := excusedFlag(name, flag.Name); ok && is {
				require.NotContains(t, params, flag.Name, name)
				excused[key] = true
			} else if ok {
				require.Contains(t, params, flag.Name, name)
			}
		}
	}
	maps.DeleteFunc(known, func(name string, _ bool) bool { return excused[name] })
	require.Empty(t, known, "no commands or flags have these names")
}

// answers posts a body to the service as a principal, and compares the status of the answer and a
// part of its text: answers audit/1 /v1/commands {} 403 'no policy'. An empty body is a GET. Every
// request has the trace 4b4b….
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
	r.Header.Set("traceparent", "00-"+strings.Repeat("4b", 16)+"-"+strings.Repeat("cd", 8)+"-01")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	expect(ts, answer, args[3], args[4])
}

// expect requires the beginning of an answer's status, and a part of its text.
func expect(ts *testscript.TestScript, answer *http.Response, status, part string) {
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if !strings.HasPrefix(answer.Status, status) || !strings.Contains(string(text), part) {
		ts.Fatalf("status %s: %s", answer.Status, text)
	}
}

// identities starts an issuer at $ISSUER, and writes certificates and tokens: for bob and the
// server by an authority, for a stranger by nobody, and for alice by the issuer, good and bad.
func identities(ts *testscript.TestScript, _ bool, _ []string) {
	issuer := servetest.NewIssuer()
	ts.Defer(issuer.Close)
	ts.Setenv("ISSUER", issuer.URL)
	write := func(file, kind string, text []byte) {
		if kind != "" {
			text = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text})
		}
		ts.Check(os.WriteFile(ts.MkAbs(file), text, 0o600))
	}
	authority := servetest.Certificate("authority", nil)
	write("authority.pem", "CERTIFICATE", authority.Certificate[0])
	for name, by := range map[string]*tls.Certificate{"server": &authority, "bob": &authority,
		"stranger": nil} {
		c := servetest.Certificate(name, by)
		key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		ts.Check(err)
		write(name+".pem", "CERTIFICATE", c.Certificate[0])
		write(name+".key", "PRIVATE KEY", key)
	}
	reader := map[string]any{"roles": []string{"reader"}}
	for file, token := range map[string]string{
		"alice.token":    issuer.Token("RS256", issuer.Key, nil),
		"expired.token":  issuer.Token("RS256", issuer.Key, map[string]any{"exp": 1700000000}),
		"audience.token": issuer.Token("RS256", issuer.Key, map[string]any{"aud": "x"}),
		"none.token":     issuer.Token("none", nil, nil),
		"reader.token":   issuer.Token("RS256", issuer.Key, reader),
	} {
		write(file, "", []byte(token))
	}
}

// overTLS is answers over TLS, with the certificate or the token of a file of identities:
// overtls bob.pem /v1/commands {} 400 ”. The name - is nobody. A status - is no answer at all.
func overTLS(ts *testscript.TestScript, _ bool, args []string) {
	var service struct{ Public string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(".blotter/service")), &service))
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile("authority.pem")))
	r, err := http.NewRequest(http.MethodPost, service.Public+args[1], strings.NewReader(args[2]))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	switch name, kind, _ := strings.Cut(args[0], "."); kind {
	case "pem":
		c, err := tls.LoadX509KeyPair(ts.MkAbs(args[0]), ts.MkAbs(name+".key"))
		ts.Check(err)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &c, nil // even to a server that does not ask for this authority
		}
	case "token":
		r.Header.Set("Authorization", "Bearer "+ts.ReadFile(args[0]))
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if args[3] == "-" && err != nil {
		return
	}
	ts.Check(err)
	expect(ts, answer, args[3], args[4])
}

// readiness compares the health that blotter status and /readyz give: readiness log seal. They are
// equal between two turns of the work in the background. All named parts are there and well.
func readiness(ts *testscript.TestScript, _ bool, names []string) {
	var service struct{ URL string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(".blotter/service")), &service))
	var seen, stated serve.Health
	var failed error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		seen = serve.Health{}
		answer, err := http.Get(service.URL + "/readyz")
		ts.Check(err)
		err = json.NewDecoder(answer.Body).Decode(&seen)
		ts.Check(errors.Join(err, answer.Body.Close()))
		failed = ts.Exec("blotter", "status", "--format", "json")
		var s struct{ Answer serve.Health }
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &s))
		stated = s.Answer
		missing := slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(seen.Parts, func(p serve.Part) bool {
				return p.Name == name && p.Well
			})
		})
		if failed == nil && seen.Ready && !missing && reflect.DeepEqual(seen, stated) {
			return
		}
	}
	ts.Fatalf("/readyz gives %v, blotter status %v: %v", seen, stated, failed)
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
