package kafka

import (
	"context"
	"net"
)

// Through has a store reach its brokers by dial.
func Through(opts Options, dial func(ctx context.Context, network, address string) (net.Conn, error)) Options {
	opts.dial = dial
	return opts
}
