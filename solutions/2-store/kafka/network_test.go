package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/solutions/2-store/kafka"
)

// A network is the connections of a store to its brokers, which a test can disturb.
type network struct {
	// request is called before each request is sent. An error breaks the connection.
	request func(c *conn, key kmsg.Key, request []byte) error
	// answer, if set, is called before the bytes of an answer are returned on a connection whose
	// flag was set. An error breaks the connection.
	answer func() error
}

type conn struct {
	net.Conn
	network *network
	flag    atomic.Bool
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// over returns options with which a store uses the network.
func (n *network) over(opts kafka.Options) kafka.Options {
	connect := new(net.Dialer).DialContext
	if client, err := kgo.NewClient(opts.Brokers...); err == nil {
		defer client.Close()
		if own, ok := client.OptValue(kgo.Dialer).(dialer); ok && own != nil {
			connect = own // for TLS: a request is seen before it is encrypted
		}
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, network: n}, nil
	}
	return kafka.WithDial(opts, dial)
}

var errBroken = errors.New("the connection broke")

// Write is called with whole requests: 4 bytes of size, then 2 of the request's key (Kafka protocol
// guide, "Request Header").
func (c *conn) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		key := kmsg.Key(binary.BigEndian.Uint16(b[4:]))
		if err := c.network.request(c, key, b); err != nil {
			c.Close()
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.flag.Load() {
		if broken := c.network.answer(); broken != nil {
			c.Close()
			return 0, broken
		}
	}
	return n, err
}
