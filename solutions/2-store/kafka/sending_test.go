package kafka_test

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// A commit has landed, and its owner has not heard of it. Another process reads the event. Whoever asks the owner after that must not be
// told that it is not there: the owner lets them wait until it knows. What the group does not touch is answered at once.
func TestWhatAnotherProcessHasReadTheOwnerDoesNotDeny(t *testing.T) {
	t.Parallel()
	held := &heldNet{gate: make(chan struct{})}
	opts := kafka.Options{
		Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Heads: jsonHeads{}, Address: "one:1", Timeout: 2 * time.Minute,
		Clock: func(context.Context) time.Time { return noon },
	}
	owner := open(t, kafka.Through(opts, held.dial))
	release := sync.OnceFunc(func() { close(held.gate) })
	t.Cleanup(release) // AFTER open, so before the store is closed, which would wait for the answer
	const other = "trade/UTI-2"
	for i, e := range []contract.Event{event(stream, 1), event(other, 2)} {
		_, err := owner.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err, i)
	}
	late := event(stream, 3)
	held.holding.Store(true)
	appended := make(chan error, 1)
	go func() {
		_, err := owner.Append(t.Context(), stream, 1, late)
		appended <- err
	}()
	opts.ReadOnly = true
	elsewhere := open(t, opts)
	require.Eventually(t, func() bool { _, err := elsewhere.Find(t.Context(), late.ID); return err == nil }, time.Minute, 10*time.Millisecond)

	asked, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := owner.Find(asked, late.ID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	read := make(chan int, 1)
	go func() {
		n := 0
		for _, err := range owner.Stream(t.Context(), stream) {
			if err == nil {
				n++
			}
		}
		read <- n
	}()
	require.Never(t, func() bool { return len(read) > 0 }, 50*time.Millisecond, 10*time.Millisecond, "it waits")
	_, err = owner.Find(t.Context(), event(other, 2).ID)
	require.NoError(t, err)
	require.NoError(t, streamError(t.Context(), owner, other))

	release()
	require.NoError(t, <-appended)
	found, err := owner.Find(t.Context(), late.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Version)
	require.Equal(t, 2, <-read)
}

func streamError(ctx context.Context, s *kafka.Store, name string) error {
	for _, err := range s.Stream(ctx, name) {
		if err != nil {
			return err
		}
	}
	return nil
}

// A heldNet withholds the broker's answers to EndTxn, while it is holding, until its gate is open.
type heldNet struct {
	holding atomic.Bool
	gate    chan struct{}
}

func (h *heldNet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &heldConn{Conn: conn, net: h}, err
}

type heldConn struct {
	net.Conn
	net  *heldNet
	hold atomic.Bool
}

// Write sees whole requests: 4 bytes of size, then 2 of the request's key (Kafka protocol guide, "Request Header").
func (c *heldConn) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.EndTxn && c.net.holding.Load() {
		c.hold.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.hold.Load() {
		<-c.net.gate
	}
	return n, err
}
