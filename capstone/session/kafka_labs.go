//go:build lab2

package session

import (
	"context"

	labstore "example.com/blotter/labs/2-store"
	kafkastore "example.com/blotter/solutions/2-store/kafka"
)

// openKafka opens the store of labs/2-store. It has no index files and logs nothing, so that Dir,
// Unwritten and Log have no effect.
func openKafka(ctx context.Context, o kafkastore.Options) (*labstore.Store, error) {
	return labstore.Open(ctx, labstore.Options{
		Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock,
		Simulated: o.Simulated,
		Heads:     o.Heads, Address: o.Address, Place: labstore.Placement(o.Place),
		ReadOnly: o.ReadOnly, Alone: o.Alone, Shared: true, Timeout: o.Timeout,
	})
}
