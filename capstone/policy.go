package capstone

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Policy says when the next snapshot is due, and how long the archive keeps it. Its text is
// every=10000,age=24h,keep=43800h; each part may be missing.
type Policy struct {
	Every int64         // events after the last snapshot; 0: no number makes one due
	Age   time.Duration // of the last snapshot, with events after it; 0: no age makes one due
	Keep  time.Duration // nobody can remove the snapshot for that long; 0: as every snapshot
}

// ErrPolicy is the error of a text that is no policy.
var ErrPolicy = errors.New("a policy is every=EVENTS,age=DURATION,keep=DURATION, " +
	"and has at least one of the first two")

// ParsePolicy reads a policy.
func ParsePolicy(text string) (p Policy, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "every":
			p.Every, err = strconv.ParseInt(value, 10, 64)
		case "age":
			p.Age, err = time.ParseDuration(value)
		case "keep":
			p.Keep, err = time.ParseDuration(value)
		default:
			err = ErrPolicy
		}
		if err != nil {
			return p, fmt.Errorf("policy %q: %w", text, ErrPolicy)
		}
	}
	if p.Every < 0 || p.Age < 0 || p.Keep < 0 || p.Every == 0 && p.Age == 0 {
		return p, fmt.Errorf("policy %q: %w", text, ErrPolicy)
	}
	return p, nil
}

// A Lag is the part of the log that the last snapshot does not have.
type Lag struct {
	Last   string        // the snapshot on record of the latest state; empty without one
	Events int64         // of trades and curves
	Age    time.Duration // of the last snapshot; of the first event without one
}

// Due reports whether a snapshot is due. A log without events after its last snapshot needs none.
func (p Policy) Due(lag Lag) bool {
	return lag.Events > 0 && (p.Every > 0 && lag.Events >= p.Every || p.Age > 0 && lag.Age >= p.Age)
}

// SnapshotLag returns the lag after the snapshot on record that has the furthest cursor. The
// present of a simulated log is its last recorded time.
func (s *System) SnapshotLag(ctx context.Context) (lag Lag, err error) {
	recorded, _, err := s.recordedSnapshots(ctx)
	if err != nil {
		return lag, err
	}
	var last contract.Snapshot
	for _, r := range recorded { // an interrupted snapshot may be recorded after a later state
		if r.Cursor.Reaches(last.Cursor) {
			last = r
		}
	}
	end, err := s.Log.End(ctx)
	if err != nil {
		return lag, err
	}
	lag.Last = last.Name
	now := s.Clock()
	for r, err := range s.Log.Read(ctx, last.Cursor, end) {
		if err != nil {
			return lag, err
		}
		if trade.Folds(r.Stream) {
			lag.Events++
		}
		if last.Taken.IsZero() {
			last.Taken = r.RecordedAt
		}
		if s.Simulated && (lag.Age == 0 || r.RecordedAt.After(now)) {
			now = r.RecordedAt
		}
		lag.Age = max(0, now.Sub(last.Taken))
	}
	return lag, nil
}

// A PolicyCost is the cost of a snapshot after every so many events of a log.
type PolicyCost struct {
	Every     int64         // 0: never
	Snapshots int64         // of the whole log
	Bytes     int64         // of their states
	Decoded   int64         // events, by the longest window
	Rebuild   time.Duration // of the state at the end, by that window; the shortest of three
}

// PolicyCosts measures snapshots after every so many events of trades and curves, and archives
// none. The last row is a log without snapshots. The longest window begins Every events before the
// end.
func (s *System) PolicyCosts(ctx context.Context, every []int64) ([]PolicyCost, error) {
	end, err := s.Log.End(ctx)
	if err != nil {
		return nil, err
	}
	events := int64(0)
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if trade.Folds(r.Stream) {
			events++
		}
	}
	costs, from := make([]PolicyCost, len(every)+1), make([]contract.Snapshot, len(every)+1)
	for i, n := range every {
		costs[i].Every = n
	}
	if err := s.foldFor(ctx, end, events, costs, from); err != nil {
		return nil, err
	}
	for try := range 3 {
		for i := range costs {
			began := s.Clock()
			_, decoded, err := s.Window(ctx, s.Log, from[i], end)
			if err != nil {
				return nil, err
			}
			took := s.Clock().Sub(began)
			if costs[i].Decoded = decoded; try == 0 || took < costs[i].Rebuild {
				costs[i].Rebuild = took
			}
		}
	}
	return costs, nil
}

// foldFor folds the log once. It adds up the states that each policy archives, and keeps the state
// from which its longest window begins.
func (s *System) foldFor(
	ctx context.Context, end contract.Cursor, events int64, costs []PolicyCost,
	from []contract.Snapshot,
) error {
	book, at, n := trade.NewBook(), contract.Cursor{}, int64(0)
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return err
		}
		at = at.After(r.Position)
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(ctx, s.Desk.Codec, r)
		if err == nil {
			err = book.Apply(r.Stream, e)
		}
		if err != nil {
			return err
		}
		n++
		var state []byte
		for i := range costs[:len(costs)-1] {
			c := &costs[i]
			taken, begins := n%c.Every == 0, n == events-c.Every
			if state == nil && (taken || begins) {
				state = book.State().Canonical()
			}
			if taken {
				c.Snapshots, c.Bytes = c.Snapshots+1, c.Bytes+int64(len(state))
			}
			if begins {
				from[i] = contract.Snapshot{Cursor: at, State: state}
			}
		}
	}
	return nil
}
