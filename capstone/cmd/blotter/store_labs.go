//go:build lab2

package main

import (
	"context"

	labstore "example.com/blotter/labs/2-store"
	kafkastore "example.com/blotter/solutions/2-store/kafka"
)

// openKafka opens a log on Kafka through the store that was written in labs/2-store. It knows no index files and says nothing by itself, so it
// heeds neither Dir nor Log.
func openKafka(ctx context.Context, o kafkastore.Options) (*labstore.Store, error) {
	return labstore.Open(ctx, labstore.Options{
		Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock, Heads: o.Heads,
		Address: o.Address, Place: labstore.Placement(o.Place), ReadOnly: o.ReadOnly, Alone: o.Alone, Timeout: o.Timeout,
	})
}
