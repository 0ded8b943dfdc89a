package kafka

import (
	"context"
	"net"
	"time"
)

// Through has a store reach its brokers by dial.
func Through(opts Options, dial func(ctx context.Context, network, address string) (net.Conn, error)) Options {
	opts.dial = dial
	return opts
}

// Patient has the group wait that long for a member that is silent.
func Patient(opts Options, session time.Duration) Options {
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
