package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
)

// The faults of a projector, and the tests that cause them:
//
//	a crash between any two statements of Apply    TestACrashInApplyLeavesAPrefix
//	a crash between any two statements of Rebuild  TestACrashInRebuildLeavesAModel
//	two projectors                                 TestTwoProjectorsCountOnce
//	a rebalance of the log's owners under load     TestARebalanceUnderLoadCountsOnce
//	a swap while others read                       TestRebuildWithConcurrentReaders
//	a swap while others read and append            TestRebuildWhileAppendsGoOn
//	batches that come again, of any size           TestAnyWayGivesTheSameBytes
//	an event that is illegal or not readable       TestOneBadEventStopsOneStream
//
// In each the model ends as a fold in memory.

// The connection breaks at each message of Apply, the commit included: before the message is sent,
// or after that. The model is then that of the batches before, the list of parked streams included,
// unless the commit was sent. Applying the same batch again succeeds.
func TestACrashInApplyLeavesAPrefix(t *testing.T) {
	t.Parallel()
	p, crasher := openCrashing(t)
	log := projectiontest.History(21, 400, 2)
	for i := 10; i < len(log.Events); i += 40 {
		log.Events[i].Corrects = uuid.Max // illegal: no event has this id
	}
	require.Contains(t, fold(t, log, end(t, log)), `{"parked":`)
	var cursor contract.Cursor
	crashes := 0
	for from := 0; from < len(log.Events); from += 100 {
		batch, next := log.Events[from:from+100], after(cursor, log.Events[from:from+100])
		before, then := fold(t, log, cursor), fold(t, log, next)
		for message := 1; ; message++ {
			crasher.arm(message, from%200 > 0)
			err := p.Apply(t.Context(), batch, next)
			if crashed := crasher.disarm(); !crashed {
				require.NoError(t, err)
				break
			}
			require.Error(t, err, "crash at message %d", message)
			crashes++
			found, err := p.State(t.Context())
			require.NoError(t, err)
			if from%200 > 0 && string(found.Canonical()) == then {
				break // the commit was sent
			}
			require.Equal(t, before, string(found.Canonical()),
				"after a crash at message %d", message)
		}
		require.NoError(t, p.Apply(t.Context(), batch, next))
		requireState(t, p, log, next)
		cursor = next
	}
	require.Greater(t, crashes, 4*8, "every message of each batch was lost once")
}

// The connection breaks at a message of Rebuild: at each one, or each seventh. The model is then
// whole: the old one or the new one. A rebuild without a crash gives the new one.
func TestACrashInRebuildLeavesAModel(t *testing.T) {
	t.Parallel()
	p, crasher := openCrashing(t)
	log := projectiontest.History(23, 120, 2)
	early := after(nil, log.Events[:60])
	require.NoError(t, projection.Project(t.Context(), log, p, early, 60))
	was, will := fold(t, log, early), fold(t, log, end(t, log))
	step := 1
	if testing.Short() {
		step = 7
	}
	for message := 1; ; message += step {
		crasher.arm(message, false)
		err := p.Rebuild(t.Context(), log, 60)
		if crashed := crasher.disarm(); !crashed {
			require.NoError(t, err)
			require.Greater(t, message, 40, "crashes")
			break
		}
		found, err := p.State(t.Context())
		require.NoError(t, err)
		require.Contains(t, []string{was, will}, string(found.Canonical()),
			"after a crash at message %d", message)
	}
	requireState(t, p, log, end(t, log))
}

// Apply sends as many messages for 1000 events as for 50, except for longer rows.
func TestMessagesOfApplyDoNotGrow(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	p, crasher := openCrashing(t)
	log := projectiontest.History(22, 1100, 2)
	var sent []int
	for _, to := range []int{50, 100, 1100} {
		crasher.arm(most, false)
		next := after(nil, log.Events[:to])
		require.NoError(t, projection.Project(t.Context(), log, p, next, 2000))
		sent = append(sent, most-crasher.left)
	}
	requireState(t, p, log, after(nil, log.Events))
	require.Less(t, sent[2], sent[1]+20, "messages for 50 events, and for 1000: %v", sent)
	require.Less(t, sent[2], 80)
}

// after returns the cursor after the last of events.
func after(cursor contract.Cursor, events []contract.Recorded) contract.Cursor {
	for _, r := range events {
		cursor = cursor.After(r.Position)
	}
	return cursor
}

// openCrashing opens a model whose connections the crasher breaks.
func openCrashing(t *testing.T) (*Projection, *crasher) {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	c := &crasher{}
	// After the TLS handshake, a write is a message.
	config.ConnConfig.AfterNetConnect = func(
		_ context.Context, _ *pgconn.Config, conn net.Conn,
	) (net.Conn, error) {
		return &breaking{conn, c}, nil
	}
	// A ping would be the message at which the connection breaks.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	p, err := open(t.Context(), config, config, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, c
}

// A crasher breaks the connection of the n-th message after arm, as a crash of the process would.
type crasher struct {
	sync.Mutex
	left    int
	isSent  bool
	crashed bool
}

func (c *crasher) arm(n int, isSent bool) {
	c.Lock()
	defer c.Unlock()
	c.left, c.isSent, c.crashed = n, isSent, false
}

// disarm reports whether a connection broke.
func (c *crasher) disarm() bool {
	c.Lock()
	defer c.Unlock()
	c.left = 0
	return c.crashed
}

// breaks reports whether the next message breaks its connection, and whether it is sent before.
func (c *crasher) breaks() (now, isSent bool) {
	c.Lock()
	defer c.Unlock()
	if c.left == 0 {
		return false, false
	}
	c.left--
	now = c.left == 0
	c.crashed = c.crashed || now
	return now, c.isSent
}

// A breaking is a connection that a crasher breaks.
type breaking struct {
	net.Conn
	*crasher
}

func (b *breaking) Write(message []byte) (n int, err error) {
	if isFarewell(message) {
		return b.Conn.Write(message)
	}
	now, isSent := b.breaks()
	if !now {
		return b.Conn.Write(message)
	}
	if isSent {
		_, _ = b.Conn.Write(message)
	}
	return 0, errors.Join(errors.New("the connection is broken"), b.Close())
}

// isFarewell reports whether a message is a Terminate or a CancelRequest (PostgreSQL documentation,
// "Message Formats"). The pool sends them in the background, after a connection broke: they are no
// messages of Apply.
func isFarewell(message []byte) bool {
	const cancelRequest = 80877102
	return len(message) == 5 && message[0] == 'X' ||
		len(message) >= 8 && binary.BigEndian.Uint32(message[4:]) == cancelRequest
}
