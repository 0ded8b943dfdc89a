package replay

import (
	"context"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Report is what Validate found.
type Report struct {
	Snapshot   contract.Snapshot
	Events     int64       // folded by the replay
	State      trade.State // as replayed
	Difference *contract.Difference
}

// Validate replays the log up to the snapshot of this name and compares. A difference is a finding, not an error; the
// error says that it could not be compared.
func Validate(ctx context.Context, archive contract.Snapshots, name string, log contract.Reader, replayer contract.Replayer) (Report, error) {
	snapshot, err := archive.Get(ctx, name)
	if err != nil {
		return Report{}, fmt.Errorf("validate %s: %w", name, err)
	}
	state, events, err := replayer.Replay(ctx, log, snapshot.Cursor)
	if err != nil {
		return Report{}, fmt.Errorf("validate %s: %w", name, err)
	}
	report := Report{Snapshot: snapshot, Events: events, State: state}
	err = replayer.Compare(snapshot.State, state.Canonical())
	if err != nil && !errors.As(err, &report.Difference) {
		return Report{}, fmt.Errorf("validate %s: %w", name, err)
	}
	return report, nil
}
