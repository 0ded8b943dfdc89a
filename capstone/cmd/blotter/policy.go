package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
)

// notDue is the answer of a policy that takes no snapshot.
func (a *app) notDue(s *session.Session, lag capstone.Lag) error {
	found := map[string]any{
		"due": false, "last": lag.Last, "events": lag.Events,
		"age_seconds": int64(lag.Age.Seconds()),
	}
	return a.answer(of(s), found, func(w io.Writer) {
		after := "and no snapshot"
		if lag.Last != "" {
			after = fmt.Sprintf("after %s, which is %v old", lag.Last, lag.Age.Round(time.Second))
		}
		printLine(w, "no snapshot is due: %s %s", plural(lag.Events, "event"), after)
	})
}

// A policyRow is the cost of one frequency.
type policyRow struct {
	Every     int64   `json:"every"` // events; 0: never
	Snapshots int64   `json:"snapshots"`
	Bytes     int64   `json:"bytes"`
	Decoded   int64   `json:"decoded"` // events, to rebuild the last state
	Seconds   float64 `json:"rebuild_seconds"`
}

// measurePolicies shows the cost of a snapshot after every so many events.
func (a *app) measurePolicies(ctx context.Context, every []int64) error {
	if slices.Min(every) < 1 {
		return &usageError{"--measure takes numbers of events from 1 on", "such as 1000,10000"}
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	system.Clock = time.Now // with its monotonic part
	costs, err := system.PolicyCosts(ctx, every)
	if err != nil {
		return err
	}
	list := make([]policyRow, len(costs))
	for i, c := range costs {
		list[i] = policyRow{c.Every, c.Snapshots, c.Bytes, c.Decoded, c.Rebuild.Seconds()}
	}
	return a.answer(of(s), list, func(w io.Writer) {
		var rows []string
		for _, r := range list {
			every := fmt.Sprint(r.Every)
			if r.Every == 0 {
				every = "never"
			}
			rows = append(rows, fmt.Sprintf("%s\t%d\t%.1f\t%d\t%.2f s",
				every, r.Snapshots, float64(r.Bytes)/1e6, r.Decoded, r.Seconds))
		}
		table(w, "every\tsnapshots\tMB\tdecoded\trebuilt in", rows...)
	})
}
