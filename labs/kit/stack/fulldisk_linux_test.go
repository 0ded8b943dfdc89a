package stack_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// disk mounts a directory on a file system of the given size.
func disk(t *testing.T, size string) (dir string, remount func(flags uintptr, size string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	dir = stacktest.Dir(t)
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=711,size="+size); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(flags uintptr, size string) {
		flags |= syscall.MS_REMOUNT
		require.NoError(t, syscall.Mount("none", dir, "tmpfs", flags, "size="+size))
	}
}

// TestFullDiskKeepsAcknowledged writes until the disk is full. The broker reports that within
// seconds and stops answering. With room on the disk, a new broker has all acknowledged records.
// The last write was not acknowledged: it may be there or not.
func TestFullDiskKeepsAcknowledged(t *testing.T) {
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
	go func() {
		defer close(gone)
		failed = <-lost
		cancel()
		cl.Close() // a request in flight ignores its context and waits for an answer
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
	require.Contains(t, hintOf(t, failed), "room")
	require.ErrorContains(t, s.Close(), "no space left on device", "Close reports it, too")
	require.NotEmpty(t, acknowledged)

	remount(0, "64m")
	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	requireLastOffset(t, s, "events")
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

// On a read-only directory every component fails, and the files of the stack stay unchanged.
func TestReadOnlyDirectory(t *testing.T) {
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
	require.Empty(t, committed(t, s, "events"), "the topic still exists")
	require.NoError(t, s.Close())
}
