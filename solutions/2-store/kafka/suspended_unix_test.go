//go:build unix

package kafka_test

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// An owner is suspended for longer than its session, and another process succeeds it. When it
// wakes, it must not append.
func TestSuspendedOwnerIsFenced(t *testing.T) {
	if testing.Short() {
		t.Skip("the group waits for the session of the suspended owner to end")
	}
	t.Parallel()
	c := newOwnerConfig(t, 1)
	first := start(t, c)
	require.EqualValues(t, 1, first.ask(stream, 1).Version)
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	awaitStop(t, first.cmd.Process.Pid) // the signal may take a while
	late := first.send(stream, 2, 1)

	c.Address, c.Dir = "two:2", t.TempDir()
	second := start(t, c)
	r := <-second.send(stream, 102, 1)
	for r.Again { // until the group drops the suspended owner
		require.Contains(t, []string{"", "one:1"}, r.Owner)
		r = <-second.send(stream, 102, 1)
	}
	require.EqualValues(t, 2, r.Version, r.Error)

	require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
	woken := <-late
	require.Zero(t, woken.Version, "the reply of the suspended owner: %+v", woken)
	events := all(t, c.reader(t))
	require.Len(t, events, 2)
	require.Equal(t, event(stream, 102), events[1].Event)
}

// An owner is suspended in the middle of a transaction. Another process succeeds it: after the
// broker has timed the transaction out and the group has dropped the owner, or at once, by a
// process under its address. The successor writes the same version. Then the first owner wakes and
// sends its commit. It is fenced, and its transaction is never visible.
func TestOwnerSuspendedInATransaction(t *testing.T) {
	t.Parallel()
	for name, timedOut := range map[string]bool{"timed out": true, "replaced at once": false} {
		t.Run(name, func(t *testing.T) {
			if timedOut && testing.Short() {
				t.Skip("the broker waits for the transaction to time out")
			}
			t.Parallel()
			c := newOwnerConfig(t, 1)
			c.Timeout, c.SuspendAt = 2500*time.Millisecond, 2
			first := start(t, c)
			require.EqualValues(t, 1, first.ask(stream, 1).Version)
			late := first.send(stream, 2, 1)
			awaitStop(t, first.cmd.Process.Pid)
			require.Positive(t, openOffsets(t, c), "the broker has the records of the transaction")

			if timedOut {
				aborted := func() bool { return openOffsets(t, c) == 0 }
				require.Eventually(t, aborted, 2*time.Minute, 50*time.Millisecond)
				c.Address = "two:2"
			}
			c.Dir, c.SuspendAt = t.TempDir(), 0
			successor := start(t, c)
			r := <-successor.send(stream, 102, 1)
			for r.Again {
				r = <-successor.send(stream, 102, 1)
			}
			require.EqualValues(t, 2, r.Version, r.Error)

			require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
			woken := <-late
			require.True(t, woken.Fenced, "the reply of the suspended owner: %+v", woken)
			require.Zero(t, woken.Version)
			reader := c.reader(t)
			events := all(t, reader)
			require.Len(t, events, 2)
			require.Equal(t, event(stream, 1), events[0].Event)
			require.Equal(t, event(stream, 102), events[1].Event)
			_, err := reader.Find(t.Context(), event(stream, 2).ID)
			require.ErrorIs(t, err, contract.ErrNotFound)
		})
	}
}

// withSuspend returns options and a function. After a call of suspend the process stops itself
// (SIGSTOP) at its next commit: the broker has the records, and the request to commit them is the
// first request after the process wakes.
func withSuspend(opts kafka.Options) (_ kafka.Options, suspend func()) {
	var armed atomic.Bool
	n := &network{request: func(_ *conn, key kmsg.Key, _ []byte) error {
		if key == kmsg.EndTxn && armed.CompareAndSwap(true, false) {
			return stopSelf()
		}
		return nil
	}}
	return n.over(opts), func() { armed.Store(true) }
}

// stopSelf stops the process, and returns after it was woken. Another thread may get the signal
// first, so this one waits for the signal that wakes the process.
func stopSelf() error {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	defer signal.Stop(woken)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	<-woken
	return nil
}

// awaitStop returns after the process has stopped.
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

// openOffsets returns the number of offsets after the beginning of the first open transaction.
func openOffsets(t *testing.T, c ownerConfig) int64 {
	t.Helper()
	reader := dial(t, c.brokers())
	defer reader.Close()
	admin, topic := kadm.NewClient(reader), c.Prefix+".events"
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
