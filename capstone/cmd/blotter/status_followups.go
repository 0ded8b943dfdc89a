package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// followUpCount counts and names the orphaned follow-ups.
type followUpCount struct {
	NotIssued int            `json:"not_issued"`
	Refused   int            `json:"refused"`
	Orphans   []serve.Orphan `json:"orphaned,omitempty"`
}

// issuing is how long a follow-up may be missing while it is issued. A working desk issues it right
// after its cause, and status can look between the two.
const issuing = 5 * time.Second

// countFollowUps looks for the follow-ups of every cause. It needs the owner's index, so it does
// nothing while another process writes the log.
func countFollowUps(ctx context.Context, system *capstone.System, s *status) error {
	if s.Log.Writer != 0 {
		return nil
	}
	orphaned, err := system.FollowUps.Orphaned(ctx)
	if err != nil {
		return err
	}
	var refused, unissued []capstone.OrphanedFollowUp
	for _, f := range orphaned {
		if f.Refusal != nil {
			refused = append(refused, f)
		} else {
			unissued = append(unissued, f)
		}
	}
	unissued, err = stillMissing(ctx, system.Log, unissued, issuing)
	s.FollowUps = &followUpCount{len(unissued), len(refused),
		serve.OrphansOf(append(refused, unissued...))}
	if len(s.FollowUps.Orphans) > 0 {
		s.Well, s.hint = false, cmp.Or(s.hint, orphanHint)
	}
	return err
}

// stillMissing polls until the timeout and returns the follow-ups that are still unrecorded.
func stillMissing(
	ctx context.Context, log contract.Store,
	missing []capstone.OrphanedFollowUp, timeout time.Duration,
) ([]capstone.OrphanedFollowUp, error) {
	over := time.NewTimer(timeout)
	defer over.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(missing) > 0 {
		select {
		case <-tick.C:
		case <-over.C:
			return missing, nil
		case <-ctx.Done():
			return missing, context.Cause(ctx)
		}
		var failures error
		missing = slices.DeleteFunc(missing, func(f capstone.OrphanedFollowUp) bool {
			_, err := log.Find(ctx, trade.EventID(f.Command.ID, 0))
			if !errors.Is(err, contract.ErrNotFound) {
				failures = errors.Join(failures, err)
			}
			return err == nil
		})
		if failures != nil {
			return missing, failures
		}
	}
	return nil, nil
}
