package replay

import (
	"context"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Plan says how a log is replayed. Each share of it has whole streams and is folded alone. So the
// shares may run on several cores, and only those that run are in memory as events.
type Plan struct {
	Cores int   // shares that are folded at a time
	Share int64 // the wanted number of offsets in a share
}

// Replay implements contract.Replayer, on all cores. A short log is one share.
func (r Replayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	const short, share = 20_000, 100_000
	if contract.Cursor(nil).Distance(to) <= short {
		return r.Replayer.Replay(ctx, log, to)
	}
	return r.ReplayBy(ctx, Plan{runtime.GOMAXPROCS(0), share}, log, to)
}

// ReplayBy is Replay by a plan. Every plan gives the same state: see merged.
func (r Replayer) ReplayBy(ctx context.Context, p Plan, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	return r.byShares(ctx, p, to, func(ctx context.Context, s share) (trade.State, int64, error) {
		return r.fold(ctx, shared{log, s}, to)
	})
}

// byShares merges the states of all shares, of which it folds several at a time.
func (Replayer) byShares(ctx context.Context, p Plan, to contract.Cursor,
	fold func(context.Context, share) (trade.State, int64, error)) (trade.State, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	shares := p.shares(to)
	states, events := make([]trade.State, len(shares)), make([]int64, len(shares))
	var folding sync.WaitGroup
	free := make(chan struct{}, max(1, p.Cores))
	for i, s := range shares {
		free <- struct{}{}
		folding.Go(func() {
			defer func() { <-free }()
			var err error
			states[i], events[i], err = fold(ctx, s)
			if err != nil {
				cancel(err) // the others stop, and the first error counts
			}
		})
	}
	folding.Wait()
	if err := context.Cause(ctx); err != nil {
		return trade.State{}, 0, err
	}
	all := int64(0)
	for _, n := range events {
		all += n
	}
	return merged(states), all, nil
}

// fold returns the state of a share without its positions, and the number of its events.
func (r Replayer) fold(ctx context.Context, log shared, to contract.Cursor) (
	s trade.State, events int64, err error) {
	streams := map[string][]trade.Event{}
	for recorded, err := range log.Read(ctx, nil, to) {
		if err != nil {
			return s, 0, fmt.Errorf("read the log up to %s: %w", to, err)
		}
		e, err := contract.Decoded(ctx, r.codec, recorded)
		if err != nil {
			return s, 0, err
		}
		history := streams[recorded.Stream]
		if history == nil {
			history = make([]trade.Event, 0, 4) // most streams have a few
		}
		if want := int64(len(history)) + 1; e.Version != want {
			what := fmt.Sprintf("%s has version %d here, want %d", recorded.Stream, e.Version, want)
			return s, 0, &contract.DamagedError{Position: recorded.Position, What: what}
		}
		streams[recorded.Stream] = append(history, e)
		events++
	}
	return trade.Unnetted(streams, trade.AsOf{}), events, nil
}

// A share is the events of some partitions. Of those it has the streams whose hash is part, modulo
// of.
type share struct {
	partitions map[int32]bool
	part, of   uint32
}

// shares divides the events before a cursor. A share has whole partitions, which are then read once
// in all. A partition that is too large, and a log of too few partitions for the cores, are divided
// by streams, and read once for each share.
func (p Plan) shares(to contract.Cursor) (all []share) {
	var groups []share
	size, sizes := int64(0), []int64{}
	for partition, end := range to {
		if len(groups) == 0 || size+end > p.Share {
			groups, sizes, size = append(groups, share{partitions: map[int32]bool{}}),
				append(sizes, 0), 0
		}
		size += end
		groups[len(groups)-1].partitions[int32(partition)] = true
		sizes[len(sizes)-1] = size
	}
	for i, g := range groups {
		g.of = uint32(max(1, (sizes[i]+p.Share-1)/p.Share))
		if len(groups) < p.Cores {
			g.of = max(g.of, uint32(p.Cores))
		}
		for g.part = range g.of {
			all = append(all, g)
		}
	}
	return all
}

func (s share) has(stream string) bool {
	return s.of == 1 || crc32.ChecksumIEEE([]byte(stream))%s.of == s.part
}

// shared is the share of a log.
type shared struct {
	contract.Reader
	share
}

// Read implements contract.Reader. It does not read other partitions.
func (l shared) Read(ctx context.Context, _, to contract.Cursor) iter.Seq2[contract.Recorded,
	error] {
	from := slices.Clone(to)
	for partition := range l.partitions {
		from[partition] = 0
	}
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Reader.Read(ctx, from, to) {
			if err == nil {
				err = context.Cause(ctx)
			}
			if (err != nil || l.has(r.Stream)) && !yield(r, err) {
				return
			}
		}
	}
}

// merged returns the state of streams whose shares were folded apart. Everything but a position
// depends on one stream, and a position follows from the legs of all contracts in its pool.
func merged(states []trade.State) trade.State {
	all, trades := trade.State{Curves: map[string]trade.Curve{}}, []*trade.Trade{}
	for _, s := range states {
		all.Parked = append(all.Parked, s.Parked...)
		all.Skipped = append(all.Skipped, s.Skipped...)
		maps.Copy(all.Curves, s.Curves)
		for i := range s.Trades {
			trades = append(trades, &s.Trades[i])
		}
	}
	slices.SortFunc(trades, func(a, b *trade.Trade) int { return strings.Compare(a.UTI, b.UTI) })
	all.Trades = make([]trade.Trade, len(trades))
	for i, t := range trades {
		all.Trades[i] = *t
	}
	slices.SortFunc(all.Parked, func(a, b trade.Parked) int {
		return strings.Compare(a.Stream, b.Stream)
	})
	slices.SortStableFunc(all.Skipped, func(a, b trade.Skipped) int {
		return strings.Compare(a.Stream, b.Stream)
	})
	all.Net()
	return all
}
