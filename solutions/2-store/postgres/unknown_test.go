package postgres

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A breaker wraps connections, which it can break while an append commits.
type breaker struct {
	armed atomic.Pointer[string] // when the next commit breaks: a constant below; nil: never
	broke atomic.Int32
}

const (
	beforeSending = "before it is sent"
	afterLanding  = "after it landed"
)

func (b *breaker) wrap(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
	return &fragile{Conn: conn, breaker: b}, nil
}

var errBroken = errors.New("the connection broke")

type fragile struct {
	net.Conn
	*breaker
	deaf atomic.Bool // the answer of the server is lost
}

// committing reports whether a write lets the server commit: it executes the insert, and contains
// the commit, or it ends the data of the copy (PostgreSQL documentation, "Message Formats",
// CopyDone). The driver names a prepared statement by the digest of its text. An earlier write,
// which prepares the statement, contains the text, too.
func committing(p []byte) bool {
	digest := sha256.Sum256([]byte(insertEvents))
	return strings.Contains(string(p), hex.EncodeToString(digest[:])[:32]) &&
		!strings.Contains(string(p), "insert into events") || string(p) == "c\x00\x00\x00\x04"
}

func (f *fragile) Write(p []byte) (int, error) {
	if where := f.armed.Load(); where != nil && committing(p) &&
		f.armed.CompareAndSwap(where, nil) {
		f.broke.Add(1)
		if *where == beforeSending {
			f.Conn.Close()
			return 0, errBroken
		}
		f.deaf.Store(true)
	}
	return f.Conn.Write(p)
}

func (f *fragile) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.deaf.Load() && strings.Contains(string(p[:n]), "COMMIT") {
		f.Conn.Close() // the commit took place
		return 0, errBroken
	}
	return n, err
}

// TestLostAnswerIsLookedUp breaks the connection at the commit, before and after the commit landed.
func TestLostAnswerIsLookedUp(t *testing.T) {
	t.Parallel()
	for _, where := range []string{beforeSending, afterLanding} {
		for _, size := range []int{1, fewRows + 1} {
			t.Run(fmt.Sprintf("%s, %d events", where, size), func(t *testing.T) {
				t.Parallel()
				loseAnswers(t, where, size)
			})
		}
	}
}

func loseAnswers(t *testing.T, where string, size int) {
	b := new(breaker)
	s, _ := open(t, func(opt *Options) { opt.connected = b.wrap })
	var want []int64
	for n, expected := range []int64{0, int64(size), contract.Any} {
		var batch []contract.Event
		for i := range size {
			batch = append(batch, event("trade/A", n*size+i))
			want = append(want, int64(len(want)+1))
		}
		b.armed.Store(&where)
		receipts, err := s.Append(t.Context(), "trade/A", expected, batch...)
		require.NoError(t, err)
		require.EqualValues(t, n*size+1, receipts[0].Version)
		require.EqualValues(t, n+1, b.broke.Load(), "connections that broke")
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	var versions []int64
	for _, r := range readRange(t, s, nil, end) {
		if r.Stream == "trade/A" {
			versions = append(versions, r.Version)
		}
	}
	require.Equal(t, want, versions)
}

// A call waits for an unavailable database, and never for an error that stays.
func TestPermanentErrorsAreNotRetried(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err   error
		waits bool
	}{
		{&pgconn.PgError{Code: "57P03"}, true}, // the server starts
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, true}, // the name of a container
		{&tls.CertificateVerificationError{Err: errors.New("unknown authority")}, false},
		{&pgconn.PgError{Code: "28P01"}, false}, // the password
		{&pgconn.PgError{Code: "3D000"}, false}, // no such database
		{&pgconn.PgError{Code: "42501"}, false}, // no privilege
	} {
		require.Equal(t, tt.waits, unavailable(fmt.Errorf("connect: %w", tt.err)), "%v", tt.err)
	}
}

// TestTerminatedSessionsLoseNothing ends sessions continuously while writers append. Every second
// writer appends to several streams of one place, which all of these writers share.
func TestTerminatedSessionsLoseNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 40
	cuts := 150 // then it stops, so that the test also ends on a slow machine
	s, dsn := open(t)
	killer := session(t, dsn)
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			stream := "trade/" + string(rune('A'+w))
			for n := range each {
				_, err := s.Append(t.Context(), stream, int64(n), event(stream, n))
				if err == nil && w%2 == 1 {
					_, err = s.AppendAll(t.Context(),
						posting(w*each+n, fmt.Sprint("journal/main/", w), cash, fees))
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for finished := 0; finished < writers; {
		select {
		case err := <-done:
			require.NoError(t, err)
			finished++
		case <-tick.C:
			if cuts--; cuts < 0 {
				continue
			}
			_, err := killer.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_locks
				where locktype = 'advisory'
				and classid = hashtext('blotter/append/' || $1)::oid`, s.schema)
			require.NoError(t, err)
		}
	}
	reader := poller{Store: s}
	require.Eventually(t, func() bool { _, err := s.End(t.Context()); return err == nil },
		time.Minute, 10*time.Millisecond)
	require.Len(t, reader.next(t), writers*each+writers/2*each*3)
	appends := map[uuid.UUID][]contract.Recorded{}
	for _, r := range readRange(t, s, nil, reader.at) {
		if r.AppendGroup != uuid.Nil {
			appends[r.AppendGroup] = append(appends[r.AppendGroup], r)
		}
	}
	require.Len(t, appends, writers/2*each)
	for group, events := range appends {
		require.Len(t, events, 3, "events of the append %s", group)
		for i, r := range events {
			require.Equal(t, events[0].RecordedAt, r.RecordedAt)
			require.Equal(t, events[0].Position.Offset+int64(i), r.Position.Offset)
		}
	}
}
