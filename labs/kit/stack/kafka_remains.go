package stack

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// remains is what a crash left in the broker's files that the broker itself would leave there.
type remains struct {
	torn []tornLog
	open []openTransaction
}

// A tornLog is a state log whose last entry is not whole. Nobody was told of that entry.
type tornLog struct {
	path  string
	whole int64 // bytes before it
}

// cut takes the torn entries away. The broker skips them when it reads, but writes behind them, and then they stand in the
// middle, where everything after them counts for nothing. A crash between two cuts leaves the rest for the next start.
func (r remains) cut() error {
	for _, log := range r.torn {
		if err := os.Truncate(log.path, log.whole); err != nil {
			return err
		}
	}
	return nil
}

// An openTransaction has records in a partition, and neither commit nor abort.
type openTransaction struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16
}

// abort writes the end that is missing. The broker takes such transactions for aborted, but says so to nobody: where
// there should be a marker is nothing, and a reader of committed records that waits for the last offset to come would wait
// for ever. A real broker writes the marker when it has recovered. No client of the old broker is left, since the ports are
// new, so none of them can still be under way. A crash between two markers leaves the rest for the next start.
func (r remains) abort(ctx context.Context, brokers []string) error {
	if len(r.open) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, t := range r.open {
		var at kadm.TopicsSet
		at.Add(t.topic, t.partition)
		responses, err := kadm.NewClient(client).WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: t.producer, ProducerEpoch: t.epoch, Topics: at})
		responses.EachPartition(func(p kadm.TxnMarkersPartitionResponse) { err = errors.Join(err, p.Err) })
		if err != nil {
			return fmt.Errorf("abort what a crash left open in %s, partition %d: %w", t.topic, t.partition, err)
		}
	}
	return nil
}
