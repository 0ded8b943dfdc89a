package postgres

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// cluster starts a server that allows prepared transactions. It returns the DSN of the superuser.
func cluster(t *testing.T) (dsn string) {
	t.Helper()
	dir := stacktest.Dir(t)
	first := stack.Embedded(stack.EmbeddedOptions{Dir: dir})
	defer first.Close()
	at, err := first.Postgres(t.Context())
	require.NoError(t, err)
	conn := session(t, at.MigrationDSN)
	_, err = conn.Exec(t.Context(), "alter system set max_prepared_transactions = 4")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	require.NoError(t, first.Close())

	again := stack.Embedded(stack.EmbeddedOptions{Dir: dir})
	t.Cleanup(func() { require.NoError(t, again.Close()) })
	at, err = again.Postgres(t.Context())
	require.NoError(t, err)
	return at.MigrationDSN
}

// client returns the path of a Postgres client program, from PATH or from the server package.
func client(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Skipf("this machine has no %s", name)
	}
	return found[len(found)-1]
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), client(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

func TestRestoredDumpKeepsItsPositions(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	for n := range 30 {
		stream := "trade/" + string(rune('A'+n%7))
		_, err := s.Append(t.Context(), stream, contract.Any, event(stream, n))
		require.NoError(t, err)
	}
	half, err := s.End(t.Context())
	require.NoError(t, err)
	// One event is appended and not sequenced at the time of the dump, because the lock of the feed
	// is held.
	held, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "select from counter for update")
	require.NoError(t, err)
	_, err = s.Append(t.Context(), "trade/LATE", 0, event("trade/LATE", 1))
	require.NoError(t, err)

	source := dumpable(t, dsn)
	file := filepath.Join(t.TempDir(), "dump")
	run(t, "pg_dump", "--format=custom", "--schema="+s.schema, "--file="+file, source)
	require.NoError(t, held.Rollback(t.Context()))
	target := cluster(t)
	run(t, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname="+target,
		file)
	require.NoError(t, os.Remove(file))

	restored := openAt(t, Options{DSN: target, Schema: s.schema, Clock: stoppedAtNoon})
	require.Equal(t, readRange(t, s, nil, half), readRange(t, restored, nil, half),
		"the same positions")
	reader := poller{Store: restored, at: half}
	require.Equal(t, []string{"trade/LATE@1"}, reader.next(t), "the event that had no position yet")
	receipts, err := restored.Append(t.Context(), "trade/A", contract.Any, event("trade/A", 0))
	require.NoError(t, err)
	require.EqualValues(t, 1, receipts[0].Version, "a retry in the restored log")
	_, err = restored.Append(t.Context(), "trade/B", 0, event("trade/B", 99))
	require.ErrorAs(t, err, new(*contract.ConflictError))
	_, err = restored.Append(t.Context(), "trade/NEW", 0, event("trade/NEW", 1))
	require.NoError(t, err)
	require.Equal(t, []string{"trade/NEW@1"}, reader.next(t))
}

// dumpable returns a DSN without the parameters that pg_dump 15 does not accept.
func dumpable(t *testing.T, dsn string) string {
	t.Helper()
	at, err := url.Parse(dsn)
	require.NoError(t, err)
	query := at.Query()
	query.Del("search_path")
	query.Del("sslcertmode")
	at.RawQuery = query.Encode()
	return at.String()
}

func readRange(t *testing.T, s *Store, from, to contract.Cursor) []contract.Recorded {
	t.Helper()
	var all []contract.Recorded
	for r, err := range s.Read(context.Background(), from, to) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

func TestConcurrentOpenOfANewLog(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			s, err := Open(t.Context(), Options{DSN: dsn, Schema: schema, Clock: stoppedAtNoon})
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}
