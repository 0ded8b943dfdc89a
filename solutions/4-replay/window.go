package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Window returns the canonical state of the events before to, and the number of events that it
// decoded. It begins from an archived state with an earlier cursor, and gives the bytes of a full
// replay.
//
// An archived state cannot be continued event by event. It has no slots, and an event after its
// cursor may be late or correct an earlier one; it has no legs, and a late leg changes the pool's
// later ones. Both follow from two rules of the fold:
//
//   - The lines of a trade or a curve depend on the events of its stream alone. So a stream with an
//     event in the window is folded from its first event, and the others keep their lines.
//   - A position depends on the legs of the contracts in its pool alone, and the line of a contract
//     names its pool: only a correction of its first event changes that. So all contracts of a pool
//     that the window touches are folded again, and the other pools keep their lines.
//
// A window vouches for the streams that it folds. Only a full replay shows that today's program
// gives the other lines, too.
//
// A snapshot thus needs nothing besides its state, whose digest is on record. The price is a pass
// over the log, in which the events of the other streams are not decoded. A state whose lines are
// not canonical is contract.ErrSnapshotDamaged.
func (r Replayer) Window(ctx context.Context, log contract.Reader, from contract.Snapshot,
	to contract.Cursor) ([]byte, int64, error) {
	if !to.Reaches(from.Cursor) {
		return nil, 0, fmt.Errorf("the window ends at %s, before snapshot %s at %s",
			to, from.Name, from.Cursor)
	}
	lines, err := placedLines(from.State)
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot %s: %w: %v",
			from.Name, contract.ErrSnapshotDamaged, err)
	}
	w := window{lines, map[string]bool{}, map[trade.PoolKey]bool{}}
	for recorded, err := range log.Read(ctx, from.Cursor, to) {
		if err == nil && trade.Folds(recorded.Stream) {
			w.again[recorded.Stream] = true
			err = r.begins(ctx, w, recorded)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read the log from %s up to %s: %w", from.Cursor, to, err)
		}
	}
	w.widen()
	for {
		state, events, err := r.Replayer.Replay(ctx, chosen{log, w.again}, to)
		if err != nil {
			return nil, 0, err
		}
		w.touch(state.Trades)
		if !w.widen() {
			text, err := w.join(state)
			return text, events, err
		}
	}
}

// A window is an archived state, with the streams and the pools of it that are folded again.
type window struct {
	lines []placed
	again map[string]bool
	pools map[trade.PoolKey]bool
}

// begins adds the pool in which an event begins a contract, so that mostly one pass over the log is
// enough.
func (r Replayer) begins(ctx context.Context, w window, recorded contract.Recorded) error {
	if kind, _ := trade.FindKind(trade.New{}); recorded.Type != kind.Type {
		return nil
	}
	e, err := contract.Decoded(ctx, r.codec, recorded)
	if n, ok := e.Body.(trade.New); ok {
		pool := trade.PoolKey{Book: n.Book, Instrument: n.Instrument.ID(), Currency: n.Currency}
		w.pools[pool] = true
	}
	return err
}

// touch adds the pools of contracts, of which some may be new: a skipped event can bring an earlier
// one of its stream into effect.
func (w window) touch(trades []trade.Trade) {
	for _, t := range trades {
		for _, leg := range t.Legs {
			w.pools[leg.Pool] = true
		}
	}
}

// widen adds the archived pools of the streams, then the streams of all pools. It reports whether
// it added a stream.
func (w window) widen() (more bool) {
	for _, l := range w.lines {
		if l.kind == tradeLine && w.again[l.stream] {
			w.pools[l.pool] = true
		}
	}
	for _, l := range w.lines {
		if l.kind == tradeLine && w.pools[l.pool] && !w.again[l.stream] {
			w.again[l.stream], more = true, true
		}
	}
	return more
}

// join returns the archived lines that stay, and those of the state of the other streams.
func (w window) join(again trade.State) ([]byte, error) {
	lines, err := placedLines(again.Canonical())
	for _, l := range w.lines {
		stays := !w.again[l.stream]
		if l.kind == positionLine {
			stays = !w.pools[l.pool]
		}
		if stays {
			lines = append(lines, l)
		}
	}
	return joined(lines), err
}

// The kinds of lines, in the order of a canonical state.
const (
	tradeLine = iota
	positionLine
	markLine
	parkedLine
	skippedLine
)

// A placed line is a line of a canonical state, with its place. Lines of one kind and stream keep
// their order.
type placed struct {
	kind   int
	stream string        // that it is folded from; empty for a position
	pool   trade.PoolKey // of a trade or a position
	text   []byte
}

func (l placed) compare(o placed) int {
	return cmp.Or(cmp.Compare(l.kind, o.kind), cmp.Compare(l.stream, o.stream),
		l.pool.Compare(o.pool))
}

// joined returns lines as a canonical state.
func joined(lines []placed) []byte {
	slices.SortStableFunc(lines, placed.compare)
	var b bytes.Buffer
	for _, l := range lines {
		b.Write(l.text)
	}
	return b.Bytes()
}

// placedLines returns the lines of a canonical state. It refuses other text.
func placedLines(state []byte) (all []placed, err error) {
	n := 0
	for text := range bytes.Lines(state) {
		n++
		l, ok := place(text)
		if !ok || len(all) > 0 && all[len(all)-1].compare(l) > 0 {
			return nil, fmt.Errorf("line %d of the state is not in the format %s",
				n, trade.StateFormat)
		}
		all = append(all, l)
	}
	return all, nil
}

// place finds the place of a line.
func place(text []byte) (l placed, ok bool) {
	var of struct {
		Trade *struct {
			UTI string
			trade.PoolKey
		}
		Position        *trade.PoolKey
		Mark            *struct{ Curve string }
		Parked, Skipped *struct{ Stream string }
	}
	if json.Unmarshal(text, &of) != nil || !bytes.HasSuffix(text, []byte("\n")) {
		return l, false
	}
	switch {
	case of.Trade != nil:
		return placed{tradeLine, trade.TradeStream(of.Trade.UTI), of.Trade.PoolKey, text}, true
	case of.Position != nil:
		return placed{positionLine, "", *of.Position, text}, true
	case of.Mark != nil:
		return placed{markLine, trade.CurveStream(of.Mark.Curve), trade.PoolKey{}, text}, true
	case of.Parked != nil:
		return placed{parkedLine, of.Parked.Stream, trade.PoolKey{}, text}, true
	case of.Skipped != nil:
		return placed{skippedLine, of.Skipped.Stream, trade.PoolKey{}, text}, true
	}
	return l, false
}

// A chosen log has the events of some streams alone.
type chosen struct {
	contract.Reader
	streams map[string]bool
}

// Read implements contract.Reader.
func (l chosen) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded,
	error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Reader.Read(ctx, from, to) {
			if (err != nil || l.streams[r.Stream]) && !yield(r, err) {
				return
			}
		}
	}
}
