//go:build unix

package kafka_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// An owner that is stopped for longer than the group waits is succeeded. What it was about to append when it wakes, it must not.
func TestAnOwnerThatSleptIsFencedAndNothingOfItIsSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("the group waits for the sleeper's session to end")
	}
	t.Parallel()
	c := ownerConfig{Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Partitions: 1, Address: "one:1", Dir: t.TempDir()}
	first := start(t, c)
	require.EqualValues(t, 1, first.ask(stream, 1).Version)
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	awaitStop(t, first.cmd.Process.Pid) // the signal may be on its way for a while
	late := first.send(stream, 2, 1)

	c.Address, c.Dir = "two:2", t.TempDir()
	second := start(t, c)
	taken := <-second.send(stream, 102, 1)
	for taken.Again { // until the group has given up the sleeper
		require.Contains(t, []string{"", "one:1"}, taken.Owner)
		taken = <-second.send(stream, 102, 1)
	}
	require.EqualValues(t, 2, taken.Version, taken.Error)

	require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
	woken := <-late
	require.Zero(t, woken.Version, "what the sleeper is told: %+v", woken)
	reader := open(t, kafka.Options{Brokers: c.Brokers, Prefix: c.Prefix, ReadOnly: true, Clock: func(context.Context) time.Time { return noon }, Heads: jsonHeads{}})
	events := all(t, reader)
	require.Len(t, events, 2)
	require.Equal(t, event(stream, 102), events[1].Event)
}
