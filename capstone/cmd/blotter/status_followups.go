package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// followUpCount counts the causes without what was to follow from them in another contract, and names them.
type followUpCount struct {
	NotIssued int     `json:"not_issued"`
	Refused   int     `json:"refused"`
	Apart     []apart `json:"apart,omitempty"`
}

// onTheWay is how long a follow-up may take that is on its way. A desk at work issues it right behind its cause, and who looks can come
// between the two.
const onTheWay = 5 * time.Second

// countFollowUps asks for each cause whether what follows from it is on record. That needs the owner's index, so it waits while
// somebody else writes the log.
func (a *app) countFollowUps(ctx context.Context, system *capstone.System, s *status) error {
	if s.Log.Writer != 0 {
		return nil
	}
	missing, err := system.FollowUps.Orphaned(ctx)
	if err != nil {
		return err
	}
	var refused, unissued []capstone.OrphanedFollowUp
	for _, m := range missing {
		if m.Refusal != nil {
			refused = append(refused, m)
		} else {
			unissued = append(unissued, m)
		}
	}
	late, err := stillMissing(ctx, system.Log, unissued, onTheWay)
	s.FollowUps = &followUpCount{len(late), len(refused), apartOf(append(refused, late...))}
	s.Well = s.Well && len(late) == 0
	return err
}

// stillMissing is what of missing is not on record either when patience is over. It asks again until then.
func stillMissing(ctx context.Context, log contract.Store, missing []capstone.OrphanedFollowUp, patience time.Duration) ([]capstone.OrphanedFollowUp, error) {
	over := time.NewTimer(patience)
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
		var asking error
		missing = slices.DeleteFunc(missing, func(m capstone.OrphanedFollowUp) bool {
			_, err := log.Find(ctx, trade.EventID(m.Command.ID, 0))
			if !errors.Is(err, contract.ErrNotFound) {
				asking = errors.Join(asking, err)
			}
			return err == nil
		})
		if asking != nil {
			return missing, asking
		}
	}
	return nil, nil
}
