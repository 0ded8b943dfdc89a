//go:build unix

package kafka_test

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// napping has the process, once nap was called, stop itself (SIGSTOP) where the next transaction is to be committed: the broker has its
// records, and the request to commit them is the first thing that it sends when it wakes.
func napping(opts kafka.Options) (_ kafka.Options, nap func()) {
	n := new(sleeper)
	return kafka.Through(opts, n.dial), func() { n.tired.Store(true) }
}

type sleeper struct{ tired atomic.Bool }

func (s *sleeper) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &sleepyConn{conn, s}, err
}

type sleepyConn struct {
	net.Conn
	s *sleeper
}

// Write sees whole requests: 4 bytes of size, then 2 of the request's key (Kafka protocol guide, "Request Header").
func (c *sleepyConn) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.EndTxn && c.s.tired.CompareAndSwap(true, false) {
		if err := nap(); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// nap stops the process, and returns once that was woken. The signal may find another thread first, so who sent it waits for the next one.
func nap() error {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	defer signal.Stop(woken)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-woken
	return nil
}

// An owner stands still in the middle of a transaction. It is succeeded: either after the broker has timed its transaction out and the group has
// given it up, or at once, by a process under its address. The successor writes what it was about to write. Then the sleeper wakes and
// sends its commit. It is told that it is fenced, and nothing of its transaction is ever seen.
func TestAnOwnerThatStoodStillInATransactionIsFencedAndNothingOfItIsSeen(t *testing.T) {
	t.Parallel()
	for name, timedOut := range map[string]bool{"past its timeout": true, "replaced at once": false} {
		t.Run(name, func(t *testing.T) {
			if timedOut && testing.Short() {
				t.Skip("the broker waits for the transaction to time out")
			}
			t.Parallel()
			c := ownerConfig{
				Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Partitions: 1, Address: "one:1", Dir: t.TempDir(),
				Timeout: 2500 * time.Millisecond, NapAt: 2,
			}
			first := start(t, c)
			require.EqualValues(t, 1, first.ask(stream, 1).Version)
			asleep := first.send(stream, 2, 1)
			awaitStop(t, first.cmd.Process.Pid)
			require.Positive(t, undecided(t, c), "its records are with the broker")

			if timedOut {
				require.Eventually(t, func() bool { return undecided(t, c) == 0 }, 2*time.Minute, 50*time.Millisecond, "the broker aborts it")
				c.Address = "two:2"
			}
			c.Dir, c.NapAt = t.TempDir(), 0
			successor := start(t, c)
			taken := <-successor.send(stream, 102, 1)
			for taken.Again {
				taken = <-successor.send(stream, 102, 1)
			}
			require.EqualValues(t, 2, taken.Version, taken.Error)

			require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
			woken := <-asleep
			require.True(t, woken.Fenced, "what the sleeper is told: %+v", woken)
			require.Zero(t, woken.Version)
			opts := kafka.Options{Brokers: c.Brokers, Prefix: c.Prefix, ReadOnly: true, Clock: func(context.Context) time.Time { return noon }, Heads: jsonHeads{}}
			events := all(t, open(t, opts))
			require.Len(t, events, 2)
			require.Equal(t, event(stream, 1), events[0].Event)
			require.Equal(t, event(stream, 102), events[1].Event)
			_, err := open(t, opts).Find(t.Context(), event(stream, 2).ID)
			require.ErrorIs(t, err, contract.ErrNotFound)
		})
	}
}

// awaitStop returns once the process stands still.
func awaitStop(t *testing.T, pid int) {
	t.Helper()
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		require.NoError(t, err)
		require.True(t, status.Stopped(), "it ended instead: %v", status)
		return
	}
}

// undecided is how many offsets of the log lie behind the first transaction that is neither committed nor aborted.
func undecided(t *testing.T, c ownerConfig) int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	admin, topic := kadm.NewClient(client), c.Prefix+".events"
	stable, err := admin.ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	from, ok := stable.Lookup(topic, 0)
	require.True(t, ok)
	end, ok := ends.Lookup(topic, 0)
	require.True(t, ok)
	return end.Offset - from.Offset
}
