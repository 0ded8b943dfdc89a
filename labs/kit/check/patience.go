package check

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"
)

// patience is how long a suite under way waits for its checks. Where one hangs, most do, since they begin alike; and a minute for each
// is half an hour before anything is said. So once some had to be left behind, the others get a quarter of their time, which is still more
// than a right answer needs on a slow machine. A check that is only slow ends with its context, and costs the others nothing.
type patience struct{ hung atomic.Int32 }

const (
	enough   = 2 // checks that hang by themselves
	shortest = 15 * time.Second
)

func (p *patience) judge(ctx context.Context, s Suite, c Check) Verdict {
	c.Limit = p.limit(c)
	v := Judge(ctx, s, c)
	if v.Hung {
		p.hung.Add(1)
	}
	return v
}

func (p *patience) limit(c Check) time.Duration {
	limit := cmp.Or(c.Limit, Limit)
	if p.hung.Load() < enough {
		return limit
	}
	return min(limit, max(limit/4, shortest))
}
