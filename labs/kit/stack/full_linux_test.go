package stack_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// disk is a directory on a file system of its own, of so many bytes.
func disk(t *testing.T, size string) (dir string, remount func(flags uintptr, size string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk to fill")
	}
	dir = stacktest.Dir(t)
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=711,size="+size); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(flags uintptr, size string) {
		require.NoError(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size="+size))
	}
}

// TestAFullDiskTakesNothingThatWasAcknowledged writes until the disk is full. The broker says so
// within seconds, stands still, and when there is room again, everything that was acknowledged is
// there. The last write, whose outcome nobody was told, may be there or not.
func TestAFullDiskTakesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir, remount := disk(t, "1m")
	lost := make(chan error, 1)
	s := stack.Embedded(stack.EmbeddedOptions{Dir: dir, Failed: func(err error) { lost <- err }})
	createTopic(t, s, "events", nil)
	cl := client(t, s, kgo.TransactionalID("owner"), kgo.DefaultProduceTopic("events"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	padding := make([]byte, 1500)
	rand.NewChaCha8([32]byte{1}).Read(padding) // does not compress
	var acknowledged []string
	var failed error
	gone := make(chan struct{})
	go func() { // who is told that the broker is gone need not wait for it
		defer close(gone)
		failed = <-lost
		cancel()
		cl.Close() // what is in flight waits for an answer, whatever its context says
	}()
	for i := 0; ; i++ {
		number := fmt.Sprintf("%05d", i)
		if err := commitOne(ctx, cl, number+string(padding)); err != nil {
			break
		}
		acknowledged = append(acknowledged, number)
	}
	<-gone
	require.ErrorContains(t, failed, "no space left on device")
	var h interface{ Hint() string }
	require.ErrorAs(t, failed, &h)
	require.Contains(t, h.Hint(), "room")
	require.ErrorContains(t, s.Close(), "no space left on device", "and Close says it too")
	require.NotEmpty(t, acknowledged)

	remount(0, "64m")
	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	requireReadableToTheEnd(t, s, "events")
	var kept []string
	for _, value := range committed(t, s, "events") {
		kept = append(kept, value[:5])
	}
	require.LessOrEqual(t, len(kept), len(acknowledged)+1)
	require.Equal(t, acknowledged, kept[:min(len(kept), len(acknowledged))])
}

func commitOne(ctx context.Context, cl *kgo.Client, value string) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
		return err
	}
	return cl.EndTransaction(ctx, kgo.TryCommit)
}

// TestAReadOnlyDirectory is one with a stack's files in it, which stay as they are.
func TestAReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	dir, remount := disk(t, "64m")
	s := embedded(dir)
	createTopic(t, s, "events", nil)
	require.NoError(t, s.Close())
	remount(syscall.MS_RDONLY, "64m")
	s = embedded(dir)
	for name, ask := range components(t, s) {
		require.ErrorIs(t, ask(), syscall.EROFS, name)
	}
	require.NoError(t, s.Close())
	remount(0, "64m")
	s = embedded(dir)
	require.Empty(t, committed(t, s, "events"), "the topic is still there")
	require.NoError(t, s.Close())
}
