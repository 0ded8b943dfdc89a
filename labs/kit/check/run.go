package check

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// Attribute is the key under which Run leaves each verdict in the output of go test (see
// testing.T.Attr). The program that prints the table of the labs reads it. The value is the check's
// ID, its points and the outcome, separated by blanks.
const Attribute = "check"

// Run runs each check of s as a parallel subtest of t. It skips checks that are Todo or Blocked.
// After several checks have hung, it gives the others less time.
func Run(t *testing.T, s Suite) {
	var l limiter
	for _, c := range s.Checks {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			v := l.judge(t.Context(), s, c)
			t.Attr(Attribute, fmt.Sprintf("%s %d %s", c.ID, c.Points, v.Outcome))
			switch v.Outcome {
			case Todo, Blocked:
				t.Skip(v.Text)
			case Failed:
				t.Error(v.Text)
			}
		})
	}
}

// JudgeAll judges every check of s, one after the other.
func JudgeAll(ctx context.Context, s Suite) []Verdict {
	all := make([]Verdict, len(s.Checks))
	for i, c := range s.Checks {
		all[i] = Judge(ctx, s, c)
	}
	return all
}

// A limiter shortens the limits of a suite's checks after some of them have hung. Checks begin
// alike: where one hangs, most do, and a minute for each would delay the report by half an hour. A
// quarter of the limit is still more than a right answer needs on a slow machine. A check that is
// slow but ends with its context does not count.
type limiter struct{ hung atomic.Int32 }

const (
	hangsAllowed  = 2 // before limits are shortened
	shortestLimit = 15 * time.Second
)

func (l *limiter) judge(ctx context.Context, s Suite, c Check) Verdict {
	c.Limit = l.limit(c)
	v := Judge(ctx, s, c)
	if v.Hung {
		l.hung.Add(1)
	}
	return v
}

func (l *limiter) limit(c Check) time.Duration {
	limit := cmp.Or(c.Limit, Limit)
	if l.hung.Load() < hangsAllowed {
		return limit
	}
	return min(limit, max(limit/4, shortestLimit))
}
