package runbooks

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

// onOneStack has the pages that share a log, in this order. They run on every stack.
var onOneStack = []string{
	"projection-behind.md", "projection-wrong.md", "replay-mismatch.md", "lost-index.md",
	"unsealed-too-long.md", "poison-event.md", "service-gone-or-slow.md", "fenced-owner.md",
	"incident-timeline.md", "key-rotation.md", "suspected-insider.md", "audit-extract.md",
	"subject-access.md", "restore-from-backup.md", "ledger-wrong.md",
}

// tamperAlarm runs last on the embedded stack: its log never verifies again. Other object stores
// refuse the removal of a locked object.
const tamperAlarm = "tamper-alarm.md"

// diskFull has a small disk of its own, which only root can mount.
const diskFull = "disk-full.md"

// sharesStack reports whether another test than TestRunbooks runs a page.
func sharesStack(page string) bool {
	return slices.Contains(onOneStack, page) || page == tamperAlarm || page == diskFull
}

// makeTrouble is the program trouble, which the test binary is under that name. By it pages make
// what no command of the product makes: trouble sql STATEMENT, and trouble force FILE.
func makeTrouble(args []string) int {
	act := map[string]func(context.Context, string) error{"sql": sql, "force": force}[args[1]]
	if err := act(context.Background(), args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "trouble:", err)
		return 1
	}
	return 0
}

// sql runs a statement as the owner of the database.
func sql(ctx context.Context, statement string) error {
	dsn := os.Getenv("BLOTTER_POSTGRES_MIGRATION_DSN")
	if os.Getenv("STACK") == "embedded" {
		at, _, err := stack.FindKept(filepath.Join(os.Getenv("BLOTTER_DATA"), "stack"))
		if err != nil {
			return err
		}
		dsn = at.Postgres.MigrationDSN
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// force appends the lines of a file past the desk, as a program does that does not know the rules.
func force(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := session.Open(ctx, session.Config{Data: os.Getenv("BLOTTER_DATA"),
		Stack: os.Getenv("STACK"), Progress: io.Discard}, session.Write)
	if err != nil {
		return err
	}
	defer s.Close()
	for line, err := range lines.Read(file) {
		if err != nil {
			return err
		}
		if err := forceLine(ctx, s, line.Command); err != nil {
			return err
		}
	}
	return nil
}

func forceLine(ctx context.Context, s *session.Session, cmd trade.Command) error {
	payload, err := s.Codec.Encode(ctx, cmd.Body)
	if err != nil {
		return err
	}
	_, err = s.Log.Append(ctx, cmd.Stream(), contract.Any, contract.Event{
		ID: trade.EventID(cmd.ID, 0), Stream: cmd.Stream(), Type: payload.Type,
		Schema: payload.Schema, Fingerprint: payload.Fingerprint, EffectiveAt: cmd.EnteredAt,
		EnteredAt: cmd.EnteredAt, Actor: cmd.Actor, Reason: cmd.Reason, CommandID: cmd.ID,
		Source: "other-desk", SourceLine: 7, Data: payload.Data,
	})
	return err
}

// The pages that only need a log share one: each makes its trouble, and mends it.
func TestPagesOnOneStack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("make long runs these pages")
	}
	shell, env := troubled(t)
	all := onOneStack
	if env["STACK"] == "embedded" {
		require.NoError(t, shell("blotter up").Run())
		all = append(slices.Clone(all), tamperAlarm)
	}
	for _, page := range all {
		began := time.Now()
		runPage(t, shell, env, page)
		t.Logf("%s: %v", page, time.Since(began).Round(100*time.Millisecond))
	}
}

// A full disk is made room on, and nothing that was acknowledged is lost.
func TestFullDiskPage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("make long runs this page")
	}
	shell, env := troubled(t)
	dir := shell("").Dir
	probe := shell("mkdir probe && mount -t tmpfs -o size=64k none probe && umount probe")
	if probe.Run() != nil || env["STACK"] != "embedded" {
		t.Skip("only root can mount a small disk to fill, for an embedded stack")
	}
	t.Cleanup(func() {
		require.NoError(t, exec.Command("umount", "-l", filepath.Join(dir, "small")).Run())
	})
	runPage(t, shell, env, diskFull)
}

// outagePage is also read on servers of one's own. TestRunbooks runs it on the embedded stack.
const outagePage = "broker-or-database-down.md"

// The page about an outage mends one of the real broker and the real database. Two commands of the
// environment take them away and bring them back, as the operator's tools do.
func TestOutagePageOnRealServers(t *testing.T) {
	t.Parallel()
	begin, end := os.Getenv("BLOTTER_OUTAGE_BEGIN"), os.Getenv("BLOTTER_OUTAGE_END")
	if begin == "" || end == "" {
		t.Skip("needs servers that it may kill: .ci/real")
	}
	shell, _ := troubled(t)
	text, err := os.ReadFile(outagePage)
	require.NoError(t, err)
	run(t, shell, ownServers(t, string(text), begin, end))
}

// ownServers returns the page about an outage for servers of one's own, as its first paragraph
// says: without up, down, kill and flock. While the servers are away, status exits 3.
func ownServers(t *testing.T, page, begin, end string) string {
	t.Helper()
	for _, c := range [][2]string{
		{"```sh\nblotter up\nblotter import", "```sh\nblotter import"}, {"is up: process\n7", "7"},
		{`kill -9 "$(head -n 1 "$BLOTTER_DATA/stack/lock")"`, begin},
		{`flock "$BLOTTER_DATA/stack/lock" true   # returns once the process is gone` + "\n", ""},
		{"```sh\nblotter status\n```", "```sh exit=3\nblotter status\n```"},
		{"stack  embedded, started for this command\nlog    blotter, in the kafka store: 8 events",
			"stack  external\nkafka\ndoes not answer"},
		{"```sh\nblotter up\nblotter status", "```sh\n" + end + "\nblotter status"},
		{"is up: process\nkafka", "kafka"},
		{"```sh\nblotter down\n```", ""}, {"```text\nis down\n```", ""},
	} {
		require.Equal(t, 1, strings.Count(page, c[0]), "%q", c[0])
		page = strings.Replace(page, c[0], c[1], 1)
	}
	return page
}

// The page about an outage still has the lines that do not fit servers of one's own.
func TestOutagePageFitsOwnServers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(outagePage)
	require.NoError(t, err)
	page := ownServers(t, string(text), "BEGIN", "END")
	var commands strings.Builder
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		if block[1] == "sh" {
			commands.WriteString(block[3])
		}
	}
	require.NotRegexp(t, "blotter (up|down)|kill|flock", commands.String())
	require.Regexp(t, "(?s)BEGIN.*blotter status.*END.*blotter verify", commands.String())
}

// links matches the files that a page links to.
var links = regexp.MustCompile(`\]\(([^)#]+)`)

// Every page of the folder is in its table, and its links lead somewhere.
func TestEveryPageIsListed(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("README.md")
	require.NoError(t, err)
	pages, err := filepath.Glob("*-*.md")
	require.NoError(t, err)
	for _, page := range pages {
		require.Contains(t, string(table), "]("+page+")")
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range links.FindAllStringSubmatch(string(text), -1) {
			require.FileExists(t, link[1], page)
		}
	}
}

// trouble matches the commands that make the trouble of a page.
var trouble = regexp.MustCompile("(?s)<!-- trouble\n(.*?)-->")

func runPage(t *testing.T, shell func(string) *exec.Cmd, env map[string]string, page string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	found := trouble.FindStringSubmatch(string(text))
	require.NotNil(t, found, page)
	out, err := shell(strings.ReplaceAll(found[1], "blotter_model", env["MODEL"])).CombinedOutput()
	require.NoError(t, err, "the trouble of %s: %s", page, out)
	run(t, shell, strings.ReplaceAll(string(text), "--name restored", "--name "+env["RESTORED"]))
}

// troubled returns a shell as workplace does, with the program trouble, and its variables. On an
// external stack every log has a name of its own.
func troubled(t *testing.T) (shell func(string) *exec.Cmd, env map[string]string) {
	t.Helper()
	bin := filepath.Dir(program(t))
	plain := workplace(t, bin)
	dir := plain("").Dir
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "trouble")))
	book, err := filepath.Abs("../capstone/books/first.jsonl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "poison.jsonl"), []byte(
		`{"command_id":"x-1","entered_at":"2025-01-16T09:00:00Z","actor":"intruder/9",`+
			`"reason":"no idea","op":"SETTLE","uti":"GAS-2","quantity":"5000","unit":"MWh",`+
			`"price":"71.00"}`), 0o644))
	env = map[string]string{"STACK": "embedded", "BOOK": book, "MODEL": "blotter_model",
		"RESTORED": "restored", "TROUBLE": dir}
	prelude := `PATH="$TROUBLE:$PATH"` + "\n"
	if os.Getenv("STACK") == "external" {
		name := "rb" + strings.ToLower(rand.Text()[:8])
		env["STACK"], env["MODEL"], env["RESTORED"] = "external", name+"_model", name+"r"
		prelude += fmt.Sprintf("blotter() { case \"$*\" in *restored*) command blotter \"$@\";; "+
			"*) command blotter --name %s \"$@\";; esac; }\n", name)
	}
	return func(script string) *exec.Cmd {
		cmd := plain(prelude + script)
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		return cmd
	}, env
}
