package postgres

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// COPY writes the same rows as INSERT, with every attribute present and every optional one absent.
func TestCopyWritesTheRowsOfInsert(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	conn := session(t, dsn)
	full := event("trade/A", 1)
	full.Fingerprint = sha256.Sum256([]byte("schema"))
	full.EffectiveAt = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	full.EnteredAt = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	full.Corrects, full.AppendGroup = uuid.New(), uuid.New()
	full.Correlation, full.Causation = uuid.New(), uuid.New()
	full.Approver, full.Traceparent, full.SubmittedBy = "desk-9", "00-af", "sso/7 “ü”"
	full.SourceLine, full.SourceRecordedAt = 1<<40, noon.Add(-time.Microsecond)
	offloaded := event("trade/B", 2)
	offloaded.Data, offloaded.BodyDigest = []byte{0, 0, 0, 0, 7}, sha256.Sum256(nil)
	offloaded.Ends = true
	rows := rowsAt(1, event("trade/C", 3))
	for _, e := range []contract.Event{offloaded, full} {
		rows = append(rows, rowsAt(1, e)...)
	}

	ctx := t.Context()
	_, err := conn.Exec(ctx, "set search_path = "+quoted(s.schema))
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "create temporary table inserted (like events)")
	require.NoError(t, err)
	statement := strings.Replace(insertEvents, "into events", "into inserted", 1)
	_, err = conn.Exec(ctx, statement, arrays(rows)...)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "begin")
	require.NoError(t, err)
	require.NoError(t, copyRows(ctx, conn.PgConn(), rows, copyAndCommit))
	require.Equal(t, byte('I'), conn.PgConn().TxStatus(), "it has committed")

	var same, copied int
	require.NoError(t, conn.QueryRow(ctx, `select count(*) from
		(table events intersect table inserted) as same`).Scan(&same))
	require.NoError(t, conn.QueryRow(ctx, "select count(*) from events").Scan(&copied))
	require.Equal(t, []int{len(rows), len(rows)}, []int{same, copied})
}

// A COPY that fails does not commit, and the error is that of a failed insert.
func TestFailedCopyCommitsNothing(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	conn := session(t, dsn)
	_, err := conn.Exec(t.Context(), "set search_path = "+quoted(s.schema))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "begin")
	require.NoError(t, err)
	twice := append(rowsAt(1, event("trade/A", 1)), rowsAt(1, event("trade/A", 1))...)
	require.True(t, isUnique(copyRows(t.Context(), conn.PgConn(), twice, copyAndCommit)))
	require.Equal(t, byte('E'), conn.PgConn().TxStatus())
	_, err = conn.Exec(t.Context(), "rollback")
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from events").Scan(&n))
	require.Zero(t, n)
}
