package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A Snapshot is a state that was archived: the canonical bytes, and where in history they stand.
type Snapshot struct {
	Name   string    // how it is asked for again; unique
	Taken  time.Time // by the clock that was given
	Cursor Cursor    // the state is that of the events before it
	Digest [32]byte  // SHA-256 of State
	State  []byte    // trade.State.Canonical
}

// Snapshots archives them (Lab 4). What is there is never overwritten.
//
// Invariants:
//
//	L4.I1  Get returns the bytes that Put was given, or ErrSnapshotDamaged: never other bytes
//	L4.I2  Put under a name that is taken by another state is refused
//	L4.I3  a replay of the events before Cursor gives State, byte for byte; where it does not, the Difference names the
//	       first place at which the two part, and shows both
type Snapshots interface {
	Put(ctx context.Context, s Snapshot) error
	Get(ctx context.Context, name string) (Snapshot, error)
	// Names are sorted by when they were taken.
	Names(ctx context.Context) ([]string, error)
}

// Replayer derives state from the log alone, without the projection's code or rows (Lab 4).
type Replayer interface {
	// Replay folds the events before to from scratch, and says how many there were.
	Replay(ctx context.Context, log Reader, to Cursor) (trade.State, int64, error)
	// Compare is nil for equal bytes, else a *Difference.
	Compare(archived, replayed []byte) error
}

// Errors of Snapshots.
var (
	ErrNoSnapshot      = errors.New("no snapshot under this name")
	ErrSnapshotTaken   = errors.New("a snapshot with other content has this name")
	ErrSnapshotDamaged = errors.New("the archived snapshot is not what was put there")
)

// A Difference is where a replay and an archived state part (L4.I3).
type Difference struct {
	Line             int    // 1-based line of the canonical state
	Archived, Replay string // that line in each; empty where one ends before
}

func (d *Difference) Error() string {
	return fmt.Sprintf("replay differs from the archived state at line %d\n  archived %s\n  replayed %s", d.Line, d.Archived, d.Replay)
}
