//go:build unix

package stack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// The tests here kill a process of their own, or run one as another user. That process is this test
// program, which the variable turns into the owner of a stack.
const ownerDir = "BLOTTER_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		if err := own(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	stacktest.MainAsShipped(m)
}

// report is an owner's message that all its writes were acknowledged.
type report struct {
	Postmaster int
	SchemaID   int
}

// own starts all components, writes to them, prints its report, and waits for an interrupt.
func own(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: dir})
	d, err := fill(ctx, s)
	if err != nil {
		return err
	}
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	<-ctx.Done()
	return s.Close()
}

func fill(ctx context.Context, s stack.Stack) (report, error) {
	var d report
	_, s3Err := s.S3(ctx)
	registryErr := fillRegistry(ctx, s, &d)
	return d, errors.Join(s3Err, fillKafka(ctx, s), fillPostgres(ctx, s, &d), registryErr)
}

func fillKafka(ctx context.Context, s stack.Stack) error {
	at, err := s.Kafka(ctx)
	if err != nil {
		return err
	}
	options, err := at.Options()
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(options, kgo.TransactionalID("owner"),
		kgo.DefaultProduceTopic("events"))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, "events"); err != nil {
		return err
	}
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, kgo.StringRecord("committed")).FirstErr(); err != nil {
		return err
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	// The second transaction is still open when the process ends.
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	return cl.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr()
}

func fillPostgres(ctx context.Context, s stack.Stack, d *report) error {
	at, err := s.Postgres(ctx)
	if err != nil {
		return err
	}
	dsn := at.MigrationDSN
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE t AS SELECT 42 AS n"); err != nil {
		return err
	}
	d.Postmaster, err = postmaster(ctx, conn)
	// A busy session does not notice that its server has ended, therefore it is the most likely
	// process to survive. The statement runs on, and nothing else uses the connection.
	go conn.Exec(ctx, "SELECT count(*) FROM generate_series(1, 1000000000000) AS forever")
	return errors.Join(err, waitBusy(ctx, dsn))
}

// postmaster returns the process id of the Postgres server.
func postmaster(ctx context.Context, conn *pgx.Conn) (int, error) {
	var pidFile string
	err := conn.QueryRow(ctx, "SELECT pg_read_file('postmaster.pid')").Scan(&pidFile)
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(pidFile, "\n")
	return strconv.Atoi(line)
}

// waitBusy waits until another session is busy with the endless statement.
func waitBusy(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return poll(ctx, func() (bool, error) {
		var busy bool
		const query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%forever' " +
			"AND state = 'active' AND pid <> pg_backend_pid())"
		err := conn.QueryRow(ctx, query).Scan(&busy)
		return busy, err
	})
}

func fillRegistry(ctx context.Context, s stack.Stack, d *report) error {
	at, err := s.Registry(ctx)
	if err != nil {
		return err
	}
	options, err := at.Options()
	if err != nil {
		return err
	}
	c, err := sr.NewClient(options...)
	if err != nil {
		return err
	}
	schema, err := c.CreateSchema(ctx, "one", record(fieldA))
	d.SchemaID = schema.ID
	return err
}

// poll calls ask until it returns true or an error, or the context ends.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// startOwner starts an owner of dir, and waits for its report.
func startOwner(t *testing.T, dir string, as *syscall.Credential) (*exec.Cmd, report) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	if as != nil {
		exe = executableByAll(t, exe)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), ownerDir+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "the owner ended without a report")
	var d report
	require.NoError(t, json.Unmarshal(line, &d))
	return cmd, d
}

// executableByAll copies this program to a directory where another user may run it. The go command
// builds it in a private directory.
func executableByAll(t *testing.T, exe string) string {
	t.Helper()
	b, err := os.ReadFile(exe)
	require.NoError(t, err)
	path := filepath.Join(stacktest.Dir(t), "owner")
	require.NoError(t, os.WriteFile(path, b, 0o755))
	return path
}

// After SIGKILL of an owner no child process survives, and all acknowledged data is there.
func TestSIGKILL(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	owner, d := startOwner(t, dir, nil)
	born := descendants(t, owner.Process.Pid)
	require.Contains(t, born, d.Postmaster)
	require.Greater(t, len(born), 5, "the gateway, the Postgres server and its children")

	require.NoError(t, owner.Process.Kill())
	owner.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, pid := range born {
		err := poll(ctx, func() (bool, error) { return !alive(pid), nil })
		require.NoError(t, err, "process %d still runs", pid)
	}

	s := embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	requireLastOffset(t, s, "events") // BEFORE another write
	require.Equal(t, []string{"committed"}, committed(t, s, "events"))
	conn := connect(t, s)
	defer conn.Close(t.Context())
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT n FROM t").Scan(&n))
	require.Equal(t, 42, n)
	schema, err := registryClient(t, s).SchemaByVersion(t.Context(), "one", 1)
	require.NoError(t, err)
	require.Equal(t, d.SchemaID, schema.ID)
}

// TestNotAsRoot runs a stack as an ordinary user: the user of the tests, or nobody if that is root.
func TestNotAsRoot(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Skip("there is no user nobody")
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	owner, _ := startOwner(t, dir, as)
	require.NoError(t, owner.Process.Signal(os.Interrupt))
	require.NoError(t, owner.Wait(), "the owner ends in an orderly way")
}

func TestDirectoryUnreachableForPostgres(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs Postgres as another user")
	}
	dir := stacktest.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o700))
	s := embedded(filepath.Join(dir, "below"))
	defer s.Close()
	_, err := s.Postgres(t.Context())
	require.Contains(t, hintOf(t, err), "chmod o+x "+dir)
}

// TestStalePIDFile starts Postgres on a pid file whose process id belongs to another process now:
// to this test.
func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	s := embedded(dir)
	require.NoError(t, connect(t, s).Close(t.Context()))
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "postgres", "data", "postmaster.pid")
	require.NoError(t, os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644))
	s = embedded(dir)
	require.NoError(t, connect(t, s).Close(t.Context()))
	require.NoError(t, s.Close())
}

func TestKilledPostgresIsReported(t *testing.T) {
	t.Parallel()
	s := embedded(stacktest.Dir(t))
	conn := connect(t, s)
	pid, err := postmaster(t.Context(), conn)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGQUIT))

	var exited *stack.ExitedError
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, poll(ctx, func() (bool, error) {
		_, err := s.Postgres(t.Context())
		return errors.As(err, &exited), nil
	}))
	require.Equal(t, "postgres", exited.Component)
	require.Contains(t, exited.LogTail, "immediate shutdown")
	require.ErrorAs(t, s.Close(), &exited, "Close reports it, too")
}

// alive reports whether a process runs. A zombie does not count.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	_, rest, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// descendants returns the ids of all child processes, their child processes, and so on.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	require.NoError(t, err)
	children := map[int][]int{}
	for line := range strings.Lines(string(out)) {
		var child, parent int
		_, err := fmt.Sscan(line, &child, &parent)
		require.NoError(t, err)
		children[parent] = append(children[parent], child)
	}
	var all []int
	for next := children[pid]; len(next) > 0; {
		p := next[0]
		next = append(next[1:], children[p]...)
		all = append(all, p)
	}
	return all
}
