package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	snapshots "example.com/blotter/solutions/4-replay/s3"
)

// checkSnapshotName refuses a name before the state is made ready for it. No name is fine: a snapshot has one of its own then.
func checkSnapshotName(name string) error {
	if name == "" {
		return nil
	}
	if err := snapshots.CheckName(name); err != nil {
		return &usageError{err.Error(), "name it like month-end, or leave the name out"}
	}
	return nil
}

// noSnapshot is the failure of who asked for a snapshot that is not there: it names the latest of those that are.
func noSnapshot(ctx context.Context, archive contract.Snapshots, name string) error {
	names, err := archive.Names(ctx)
	if err != nil {
		return err
	}
	hint := "take one: blotter snapshot"
	if len(names) > 0 {
		const few = 10
		latest := names[max(0, len(names)-few):]
		slices.Reverse(latest)
		hint = fmt.Sprintf("the latest of %s: %s", plural(int64(len(names)), "snapshot"), strings.Join(latest, ", "))
	}
	return &failure{fmt.Sprintf("there is no snapshot %.40q", name), hint}
}
