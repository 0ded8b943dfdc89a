package kafka_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/solutions/2-store/kafka"
)

// The group has forgotten us while two owners commit, and one of them is told that it is fenced. The other may still get its answer: until it has,
// nobody here begins to own its partition anew, since both would have one index.
func TestNoOwnerBeginsBeforeTheLastOneHereHasEnded(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	opts.Partitions, opts.Timeout = 2, time.Minute
	said := make(lines, 100)
	opts.Log = slog.New(slog.NewTextHandler(said, nil))
	first := new(gatedNet)
	s := open(t, kafka.Through(opts, first.dial))
	names := [2]string{}
	for n := 0; names[0] == "" || names[1] == ""; n++ {
		e := event(name(n), n)
		_, err := s.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err)
		found, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		names[found.Position.Partition] = e.Stream
	}

	slow, fenced := first.hold("log.0"), first.hold("log.1")
	t.Cleanup(slow.open)
	t.Cleanup(fenced.open)
	told := make(chan error, 1)
	go func() {
		_, err := s.Append(t.Context(), names[0], 1, event(names[0], 100))
		told <- err
	}()
	go func() { _, _ = s.Append(t.Context(), names[1], 1, event(names[1], 100)) }()
	<-slow.asked
	<-fenced.asked
	forget(cluster)
	require.Eventually(t, func() bool { return !kafka.IsAssigned(s) }, time.Minute, time.Millisecond)
	usurp(t, opts, 1)
	fence(cluster, "log.1")
	fenced.open()
	for line := ""; !strings.Contains(line, "level=WARN msg=fenced"); {
		select {
		case line = <-said:
		case <-t.Context().Done():
			t.Fatal("no owner was fenced")
		}
	}
	const longerThanAHangUp = 4 * time.Second
	require.Never(t, func() bool { return kafka.IsAssigned(s) }, longerThanAHangUp, 20*time.Millisecond)

	slow.open()
	require.NoError(t, <-told)
	_, err := s.Append(t.Context(), names[0], 2, event(names[0], 101))
	require.NoError(t, err)
	requireWhole(t, s)
}

// A gatedNet lets a commit through only when its gate is open.
type gatedNet struct{ gates sync.Map } // by transactional id

type gate struct {
	reach       func()        // closes asked
	open        func()        // closes gate
	asked, gate chan struct{} // asked is closed when the commit waits before the gate
}

// hold has the next commit under a transactional id wait.
func (n *gatedNet) hold(id string) *gate {
	g := &gate{asked: make(chan struct{}), gate: make(chan struct{})}
	g.reach, g.open = sync.OnceFunc(func() { close(g.asked) }), sync.OnceFunc(func() { close(g.gate) })
	n.gates.Store(id, g)
	return g
}

func (n *gatedNet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return gatedConn{conn, n}, err
}

type gatedConn struct {
	net.Conn
	net *gatedNet
}

// Write sees whole requests: 4 bytes of size, then 2 of the request's key (Kafka protocol guide, "Request Header").
func (c gatedConn) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.EndTxn {
		c.net.gates.Range(func(id, g any) bool {
			if bytes.Contains(b, []byte(id.(string))) {
				g.(*gate).pass()
			}
			return true
		})
	}
	return c.Conn.Write(b)
}

func (g *gate) pass() {
	g.reach()
	<-g.gate
}

// fence answers the next commit under a transactional id as a real broker does where another has taken that.
func fence(cluster *kfake.Cluster, id string) {
	cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		ask := req.(*kmsg.EndTxnRequest)
		if ask.TransactionalID != id {
			cluster.KeepControl()
			return nil, nil, false
		}
		answer := ask.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = kerr.ProducerFenced.Code
		return answer, nil, true
	})
}

// forget has the group know its member no more, when that asks next.
func forget(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.HeartbeatResponse)
		answer.ErrorCode = kerr.UnknownMemberID.Code
		return answer, nil, true
	})
}
