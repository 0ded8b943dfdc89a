package kafka

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// WithDial returns options with which a store reaches its brokers by dial.
func WithDial(
	opts Options, dial func(ctx context.Context, network, address string) (net.Conn, error),
) Options {
	opts.dial = dial
	return opts
}

// WithSession returns options with which the group drops a member after this silence.
func WithSession(opts Options, session time.Duration) Options {
	opts.session = session
	return opts
}

// IsAssigned reports whether the group has told the store its partitions.
func IsAssigned(s *Store) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.group.Owners(ctx)
	return err == nil
}

// AwaitStored waits until the client has stored the partitions of the records.
func AwaitStored(ctx context.Context, client *kgo.Client, records ...*kgo.Record) error {
	return (&producer{client: client}).awaitStored(ctx, records)
}
