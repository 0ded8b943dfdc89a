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

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// The tests here need a process of their own to kill, or to run as somebody else. It is this test
// program, told by its environment to be an owner of a stack instead.
const ownerDir = "BLOTTER_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		if err := own(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	stacktest.Main(m)
}

// deed is what an owner tells that it has done, all of it acknowledged.
type deed struct {
	Postmaster int
	SchemaID   int
}

// own starts everything, puts something into each part, says so on one line, and waits for an
// interrupt.
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

func fill(ctx context.Context, s stack.Stack) (deed, error) {
	var d deed
	_, s3Err := s.S3(ctx)
	registryErr := fillRegistry(ctx, s, &d)
	return d, errors.Join(s3Err, fillKafka(ctx, s), fillPostgres(ctx, s, &d), registryErr)
}

func fillKafka(ctx context.Context, s stack.Stack) error {
	seeds, err := s.Kafka(ctx)
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.TransactionalID("owner"), kgo.DefaultProduceTopic("events"))
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
	// And one that is open when the end comes.
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	return cl.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr()
}

func fillPostgres(ctx context.Context, s stack.Stack, d *deed) error {
	dsn, err := s.Postgres(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE t AS SELECT 42 AS n"); err != nil {
		return err
	}
	var pidFile string
	if err := conn.QueryRow(ctx, "SELECT pg_read_file('postmaster.pid')").Scan(&pidFile); err != nil {
		return err
	}
	line, _, _ := strings.Cut(pidFile, "\n")
	d.Postmaster, err = strconv.Atoi(line)
	// A session at work does not notice that its server is gone, so it is the one most likely to
	// stay behind. It is left to itself: the connection goes out of use, the statement goes on.
	go conn.Exec(ctx, "SELECT count(*) FROM generate_series(1, 1000000000000) AS forever")
	return errors.Join(err, untilBusy(ctx, dsn))
}

func untilBusy(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return poll(ctx, func() (bool, error) {
		var busy bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%forever' AND state = 'active' AND pid <> pg_backend_pid())").Scan(&busy)
		return busy, err
	})
}

func fillRegistry(ctx context.Context, s stack.Stack, d *deed) error {
	url, err := s.Registry(ctx)
	if err != nil {
		return err
	}
	c, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		return err
	}
	schema, err := c.CreateSchema(ctx, "one", record(fieldA))
	d.SchemaID = schema.ID
	return err
}

// poll asks until the answer is yes, the question fails, or the context ends.
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

// startOwner runs an owner of dir and waits for its deed.
func startOwner(t *testing.T, dir string, as *syscall.Credential) (*exec.Cmd, deed) {
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
	require.NoError(t, err, "the owner ended before it was done")
	var d deed
	require.NoError(t, json.Unmarshal(line, &d))
	return cmd, d
}

// executableByAll copies this program to where another user may run it: the go command builds it in
// a private place.
func executableByAll(t *testing.T, exe string) string {
	t.Helper()
	b, err := os.ReadFile(exe)
	require.NoError(t, err)
	path := filepath.Join(stacktest.Dir(t), "owner")
	require.NoError(t, os.WriteFile(path, b, 0o755))
	return path
}

func TestSIGKILLLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	owner, d := startOwner(t, dir, nil)
	born := descendants(t, owner.Process.Pid)
	require.Contains(t, born, d.Postmaster)
	require.Greater(t, len(born), 5, "the gateway, the server and the server's own children")

	require.NoError(t, owner.Process.Kill())
	owner.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, pid := range born {
		err := poll(ctx, func() (bool, error) { return !alive(pid), nil })
		require.NoError(t, err, "process %d is still there", pid)
	}

	s := embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	requireReadableToTheEnd(t, s, "events") // BEFORE anybody else writes
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

// TestNotAsRoot is about an ordinary user: the tests' own, or nobody when they run as root.
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
	require.NoError(t, owner.Wait(), "an orderly end")
}

func TestADirectoryThatPostgresCannotReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs Postgres as another user")
	}
	dir := stacktest.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o700))
	s := embedded(filepath.Join(dir, "below"))
	defer s.Close()
	_, err := s.Postgres(t.Context())
	var h interface{ Hint() string }
	require.ErrorAs(t, err, &h)
	require.Contains(t, h.Hint(), "chmod o+x "+dir)
}

// TestAStalePIDFile is a data directory whose server is gone and whose process id now belongs to
// somebody else: here, us.
func TestAStalePIDFile(t *testing.T) {
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

func TestAComponentThatDiesSaysSo(t *testing.T) {
	t.Parallel()
	s := embedded(stacktest.Dir(t))
	conn := connect(t, s)
	var pidFile string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_read_file('postmaster.pid')").Scan(&pidFile))
	line, _, _ := strings.Cut(pidFile, "\n")
	pid, err := strconv.Atoi(line)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGQUIT))

	var exited *stack.ExitedError
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, poll(ctx, func() (bool, error) {
		_, err := s.Postgres(t.Context())
		return errors.As(err, &exited), nil
	}))
	require.Equal(t, "postgres", exited.Component)
	require.Contains(t, exited.LogTail, "immediate shutdown")
	require.ErrorAs(t, s.Close(), &exited, "and Close says it too")
}

// alive counts a process that has ended and is only waiting to be collected as gone.
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

// descendants is the process ids of all children, their children and so on.
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
