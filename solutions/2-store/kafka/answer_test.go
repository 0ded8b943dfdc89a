package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// The connection breaks under each commit of a transaction, behind the request or before it, until the owner fences itself. So on any
// broker, a real one too: the log is asked, nothing is written twice, and nobody is told of what did not land.
func TestACommitWhoseConnectionBreaksIsAskedOfTheLog(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			lossy := &lossyNet{landed: landed}
			opts := kafka.Through(kafka.Options{
				Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Heads: jsonHeads{}, Address: "one:1", Timeout: 2 * time.Second,
				Clock: func(context.Context) time.Time { return noon },
			}, lossy.dial)
			s := open(t, opts)
			var want []contract.Receipt
			for n := 1; n <= 5; n++ {
				lossy.losing.Store(n%2 == 0)
				receipts, err := s.Append(t.Context(), stream, int64(n-1), event(stream, n))
				require.NoError(t, err)
				require.EqualValues(t, n, receipts[0].Version)
				want = append(want, receipts...)
			}
			require.GreaterOrEqual(t, lossy.lost.Load(), int32(2), "commits without an answer")
			events := all(t, s)
			require.Len(t, events, 5)
			for i, e := range events {
				require.Equal(t, event(stream, i+1), e.Event)
				again, err := s.Append(t.Context(), stream, int64(i), e.Event)
				require.NoError(t, err)
				require.Equal(t, want[i:i+1], again)
			}
		})
	}
}

// A lossyNet breaks the connection of each EndTxn while it is losing: behind the broker's answer if that is to have landed, else before
// the request. It loses no more once a producer id is asked for, which is how an owner fences.
type lossyNet struct {
	landed bool
	losing atomic.Bool
	lost   atomic.Int32
}

func (l *lossyNet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, net: l}, nil
}

type lossyConn struct {
	net.Conn
	net  *lossyNet
	lose atomic.Bool // the next answer
}

var errLost = errors.New("the connection broke")

// Write sees whole requests: 4 bytes of size, then 2 of the request's key (Kafka protocol guide, "Request Header").
func (c *lossyConn) Write(b []byte) (int, error) {
	if len(b) < 6 {
		return c.Conn.Write(b)
	}
	switch key := kmsg.Key(binary.BigEndian.Uint16(b[4:])); {
	case key == kmsg.InitProducerID:
		c.net.losing.Store(false)
	case key == kmsg.EndTxn && c.net.losing.Load():
		c.net.lost.Add(1)
		if !c.net.landed {
			c.Close()
			return 0, errLost
		}
		c.lose.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.lose.Load() {
		c.Close()
		return 0, errLost
	}
	return n, err
}
