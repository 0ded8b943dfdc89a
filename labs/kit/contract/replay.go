package contract

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A Snapshot is an archived state: its canonical bytes, and its place in the log.
//
// It is known at its cursor. No time can say the same: partitions are cut independently, so of two
// events that were recorded at one time the cursor may have one, and another event with an earlier
// time may yet commit. RecordedThrough, the largest time before the cursor, is for people, and for
// the choice of a question as known at a time.
//
// It is effective at all times. A fold that left out the events of the future would read a clock,
// and the same events would give other bytes tomorrow: no replay could reproduce it.
type Snapshot struct {
	Name   string    // unique; Get finds the snapshot by it
	Taken  time.Time // by the clock that was given, or RecordedThrough if that is later
	Cursor Cursor    // the state is that of the events before it
	Digest [32]byte  // SHA-256 of State
	State  []byte    // trade.State.Canonical
	Format string    // trade.StateFormat of the program that took it

	RecordedThrough time.Time // the largest recorded_at of the events before Cursor

	Provenance *Provenance // nil if it is not known
}

// Provenance says by which program and model a state was made. It is for the person who compares
// the state years later: a replay needs none of it.
type Provenance struct {
	Projection string   `json:"projection"` // the read model that the state was read from
	Revision   string   `json:"revision"`   // of the program's source, as its version control says
	Schemas    []string `json:"schemas"`    // that the program writes, such as trade.settled.v2
	// Sealed and Root are the leaves and the root of the last checkpoint that was published before;
	// 0 and zero if there was none.
	Sealed int64   `json:"sealed"`
	Root   HexHash `json:"root"`
}

// A HexHash is a SHA-256 hash, in hexadecimal in a text.
type HexHash [32]byte

// MarshalText implements encoding.TextMarshaler.
func (h HexHash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HexHash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a digest has %d hex digits, not %d", hex.EncodedLen(len(h)), len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Snapshots archives states (Lab 4). It never overwrites a snapshot.
//
// Invariants:
//
//	L4.I1  Get returns the bytes that Put was given, or ErrSnapshotDamaged: never other bytes
//	L4.I2  Put under a name that another state has is refused: of several writers at once, one
//	       wins, and the others hear of it
//	L4.I3  a crash in Put leaves the whole snapshot or none, and the next Put of it succeeds
type Snapshots interface {
	Put(ctx context.Context, s Snapshot) error
	Get(ctx context.Context, name string) (Snapshot, error)
	// List returns all snapshots without their states, sorted by the time that they were taken. It
	// returns the name alone of a snapshot whose description is damaged.
	List(ctx context.Context) ([]Snapshot, error)
}

// Objects is object storage in which an object is written once (Lab 4).
type Objects interface {
	// Put stores an object, which is durable when Put returns. It returns ErrObjectExists if the
	// key has an object. Of several calls at once, one succeeds. After any other error the object
	// may or may not be there.
	Put(ctx context.Context, key string, content []byte) error
	// Get returns the object as it was first put, or ErrNoObject.
	Get(ctx context.Context, key string) ([]byte, error)
	// List returns the keys that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Errors of Objects.
var (
	ErrObjectExists = errors.New("there is an object under this key")
	ErrNoObject     = errors.New("there is no object under this key")
)

// Replayer derives a state from the log alone, without the projection's code or rows (Lab 4).
//
// Invariants:
//
//	L4.I4  a replay of the events before a snapshot's cursor gives its state, byte for byte;
//	       otherwise the Difference names the first line where the two differ, and shows both
//	L4.I5  a replay takes every event before its cursor, or ends with an error that names the
//	       event that it cannot take
//	L4.I6  the chain of a history has a digest for each event, by recorded_at, stream and version:
//	       D(k) = SHA-256(D(k-1) ‖ the effect of event k); two chains are equal before the first
//	       event whose effect differs, and differ from it on
//	L4.I7  an answer as known at a time has every event recorded by then; a time past the frontier
//	       is refused
type Replayer interface {
	// Replay folds the events before to from scratch, and returns their number, too.
	Replay(ctx context.Context, log Reader, to Cursor) (trade.State, int64, error)
	// Compare returns nil for equal bytes, otherwise a *Difference.
	Compare(archived, replayed []byte) error
}

// Errors of Snapshots.
var (
	ErrNoSnapshot      = errors.New("no snapshot under this name")
	ErrSnapshotTaken   = errors.New("a snapshot with other content has this name")
	ErrSnapshotDamaged = errors.New("the archived snapshot is not the one that was put there")
)

// A Difference is the first line where a replay and an archived state differ (L4.I4).
type Difference struct {
	Line             int    // 1-based line of the canonical state
	Archived, Replay string // that line in each; empty if the state ends before it
}

func (d *Difference) Error() string {
	return fmt.Sprintf("replay differs from the archived state at line %d\n"+
		"  archived %s\n  replayed %s", d.Line, d.Archived, d.Replay)
}
