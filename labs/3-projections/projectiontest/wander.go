package projectiontest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"example.com/blotter/labs/kit/contract"
)

// Wander applies a history of the seed to an empty model in a random way, and returns an error
// unless the model ends as a fold from scratch, with its cursor at the end of the log. The seed
// draws the partitions, how the feed interleaves them, the sizes of the batches, the place where
// the catch-up ends and single live events begin, and the batches that come again.
func Wander(ctx context.Context, p contract.Projection, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 3))
	log := History(seed, 20+random.IntN(40), 1+random.IntN(5))
	feed := interleaved(log, random)
	caughtUp := random.IntN(len(feed) + 1)
	for from := 0; from < len(feed); {
		to := from + 1
		if from < caughtUp {
			to = min(caughtUp, from+1+random.IntN(25))
		}
		begin := from
		if random.IntN(4) == 0 { // the batch before comes again, in part
			begin = random.IntN(from + 1)
		}
		if err := p.Apply(ctx, feed[begin:to], after(nil, feed[:to])); err != nil {
			return fmt.Errorf("seed %d: apply events %d to %d: %w", seed, begin+1, to, err)
		}
		from = to
	}
	if err := p.Apply(ctx, nil, log.end); err != nil {
		return fmt.Errorf("seed %d: apply the end of the log: %w", seed, err)
	}
	return requireEnd(ctx, p, log, seed)
}

// interleaved returns the events of a log, with each partition in its order.
func interleaved(log *Log, random *rand.Rand) []contract.Recorded {
	partitions := make([][]contract.Recorded, len(log.end))
	for _, r := range log.Events {
		partitions[r.Position.Partition] = append(partitions[r.Position.Partition], r)
	}
	var feed []contract.Recorded
	for len(feed) < len(log.Events) {
		n := random.IntN(len(partitions))
		some := partitions[n][:min(len(partitions[n]), 1+random.IntN(4))]
		feed, partitions[n] = append(feed, some...), partitions[n][len(some):]
	}
	return feed
}

func requireEnd(ctx context.Context, p contract.Projection, log *Log, seed uint64) error {
	got, err := p.State(ctx)
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	cursor, err := p.Cursor(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("seed %d: %w", seed, err)
	case !cursor.Equal(log.end):
		return fmt.Errorf("seed %d: the cursor is %s, want %s", seed, cursor, log.end)
	case canonical(got) != canonical(fold(log.Events)):
		return fmt.Errorf("seed %d: the state differs from a fold from scratch", seed)
	}
	return nil
}
