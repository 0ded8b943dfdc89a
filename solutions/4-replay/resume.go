package replay

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Progress keeps the folded shares of a replay.
type Progress interface {
	// Load returns the content that was saved under a name, or nil if there is none.
	Load(name string) ([]byte, error)
	// Save keeps a content under a name. A crash in it leaves all of the content or none.
	Save(name string, content []byte) error
	// Clear removes all contents.
	Clear() error
}

// A Resumer is a Replayer whose replay continues after a crash. It saves each folded share, and
// folds only the shares that are not saved. The contracts of its states have no terms and no flows:
// they are for comparison, and not for valuation.
//
// A saved share vouches for the log as it was when the share was folded. It counts for the same
// program, cursor and plan alone, and not if it is damaged. It is as trustworthy as the place where
// it is kept.
type Resumer struct {
	Replayer
	Plan     Plan
	Progress Progress
	Program  string // the digest of the program: two programs may fold a share in two ways

	// Earlier counts the events of saved shares, which are not read again. It may be nil.
	Earlier *atomic.Int64
}

var _ contract.Replayer = Resumer{}

// Replay implements contract.Replayer. It counts the events of saved shares, too.
func (r Resumer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	state, events, err := r.byShares(ctx, r.Plan, to,
		func(ctx context.Context, s share) (trade.State, int64, error) {
			name := r.nameOf(s, to)
			kept, err := r.Progress.Load(name)
			if err != nil {
				return trade.State{}, 0, err
			}
			if f, ok := parseFolded(kept); ok {
				if r.Earlier != nil {
					r.Earlier.Add(f.Events)
				}
				return f.state(), f.Events, nil
			}
			state, events, err := r.fold(ctx, shared{log, s}, to)
			if err == nil {
				err = r.Progress.Save(name, foldedOf(state, events).bytes())
			}
			// A crash here costs only the shares that are being folded.
			return state, events, err
		})
	if err == nil {
		// A crash here leaves shares of which the same replay makes the same state.
		err = r.Progress.Clear()
	}
	return state, events, err
}

// nameOf names a share of a replay by everything that its state depends on, except the log.
func (r Resumer) nameOf(s share, to contract.Cursor) string {
	partitions := slices.Sorted(maps.Keys(s.partitions))
	of := fmt.Sprintf("%s\n%s\n%v\n%v\n%d of %d\n",
		r.Program, trade.StateFormat, to, partitions, s.part, s.of)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(of)))
}

// folded is the state of a share as JSON, without its positions. It has the legs, which a state in
// its canonical form has not.
type folded struct {
	Events  int64
	Trades  []foldedTrade
	Curves  map[string][]foldedMark
	Parked  []trade.Parked
	Skipped []trade.Skipped
}

type foldedTrade struct {
	trade.Trade
	Legs []trade.Leg
}

type foldedMark struct {
	Delivery trade.Period
	Mark     trade.Mark
}

func foldedOf(s trade.State, events int64) folded {
	f := folded{events, nil, map[string][]foldedMark{}, s.Parked, s.Skipped}
	for _, t := range s.Trades {
		f.Trades = append(f.Trades, foldedTrade{t, t.Legs})
	}
	for name, curve := range s.Curves {
		f.Curves[name] = []foldedMark{}
		for delivery, mark := range curve.Points {
			f.Curves[name] = append(f.Curves[name], foldedMark{delivery, mark})
		}
	}
	return f
}

func (f folded) state() trade.State {
	s := trade.State{Curves: map[string]trade.Curve{}, Parked: f.Parked, Skipped: f.Skipped}
	for _, t := range f.Trades {
		t.Trade.Legs = t.Legs
		s.Trades = append(s.Trades, t.Trade)
	}
	for name, marks := range f.Curves {
		curve := trade.Curve{Points: map[trade.Period]trade.Mark{}}
		for _, m := range marks {
			curve.Points[m.Delivery] = m.Mark
		}
		s.Curves[name] = curve
	}
	return s
}

// bytes returns f with its SHA-256 before it.
func (f folded) bytes() []byte {
	text, err := json.Marshal(f)
	if err != nil { // every field is plain data
		panic(fmt.Sprintf("replay: a share that does not marshal: %v", err))
	}
	sum := sha256.Sum256(text)
	return append(sum[:], text...)
}

// parseFolded is the inverse of bytes. ok is false for other content, and for none.
func parseFolded(content []byte) (f folded, ok bool) {
	if len(content) < sha256.Size {
		return f, false
	}
	text := content[sha256.Size:]
	if sha256.Sum256(text) != [sha256.Size]byte(content[:sha256.Size]) {
		return f, false
	}
	return f, json.Unmarshal(text, &f) == nil
}
