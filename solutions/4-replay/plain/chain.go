package replay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Chain returns the events before to, by recorded_at, stream and version, and a digest for each:
// D(k) = SHA-256(D(k-1) ‖ the effect of event k), where D(0) is 32 zero bytes (L4.I6).
func (r Replayer) Chain(ctx context.Context, log contract.Reader, to contract.Cursor) (
	events []contract.Recorded, chain [][sha256.Size]byte, err error) {
	for recorded, err := range log.Read(ctx, nil, to) {
		if err != nil {
			return nil, nil, fmt.Errorf("read the log up to %s: %w", to, err)
		}
		events = append(events, recorded)
	}
	slices.SortFunc(events, func(a, b contract.Recorded) int {
		return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), cmp.Compare(a.Stream, b.Stream),
			cmp.Compare(a.Version, b.Version))
	})
	streams, last := map[string][]trade.Event{}, [sha256.Size]byte{}
	for _, recorded := range events {
		e, err := contract.Decoded(ctx, r.codec, recorded)
		if err == nil {
			err = take(streams, recorded, e)
		}
		if err != nil {
			return nil, nil, err
		}
		last = sha256.Sum256(append(last[:], effect(recorded.Stream, streams[recorded.Stream])...))
		chain = append(chain, last)
	}
	return events, chain, nil
}

// Bisect returns the first of n places at which same is false, or n if there is none. Once same is
// false, it must stay false. Bisect asks it about log2(n) times.
func Bisect(n int, same func(place int) (bool, error)) (int, error) {
	from, to := 0, n // same is true before from, and false from to on
	for from < to {
		middle := from + (to-from)/2
		equal, err := same(middle)
		if err != nil {
			return 0, fmt.Errorf("compare place %d: %w", middle, err)
		}
		if equal {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}
