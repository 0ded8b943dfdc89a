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

// Settled says whether the group has told the store what is its own.
func Settled(s *Store) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled
}
