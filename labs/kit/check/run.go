package check

import (
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

// Run runs each check of the parts of a lab as a parallel subtest of t. It skips checks that are
// Todo or Blocked, and bonus checks that fail. After one check has hung, it gives the others less
// time, and after several it tries no more.
func Run(t *testing.T, parts ...Suite) {
	report, err := newReporter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fatal(t, report.end()) })
	l := limiter{report: report}
	for _, s := range parts {
		for _, c := range s.Checks {
			run(t, &l, s, c)
		}
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, l *limiter, s Suite, c Check) {
	t.Run(c.ID+" "+c.Title, func(t *testing.T) {
		t.Parallel()
		v := l.judge(t.Context(), s, c)
		fatal(t, l.report.verdict(v))
		t.Attr(Attribute, fmt.Sprintf("%s %d %s", c.ID, c.Points, v.Outcome))
		switch v.Outcome {
		case Failed:
			if !c.Bonus {
				t.Fatal(v.Text)
			}
			fallthrough
		case Todo, Blocked, Stopped:
			t.Skip(v.Text)
		}
	})
}

// JudgeAll judges every check of s, one after the other.
func JudgeAll(ctx context.Context, s Suite) []Verdict {
	all := make([]Verdict, len(s.Checks))
	for i, c := range s.Checks {
		all[i] = Judge(ctx, s, c)
	}
	return all
}

// A limiter makes hangs cheap. Checks begin alike: where one hangs, most do, and a minute for each
// would delay the report by half an hour. After a hang the others have a quarter of their limit,
// and at least shortestLimit, which is still more than a right answer needs on a slow machine.
// After three hangs no further check is tried.
type limiter struct {
	hung   atomic.Int32
	report *reporter
}

const (
	hangsAllowed  = 3
	shortestLimit = 15 * time.Second
)

func (l *limiter) judge(ctx context.Context, s Suite, c Check) Verdict {
	if l.hung.Load() >= hangsAllowed {
		return Verdict{Check: c, Outcome: Stopped, Text: fmt.Sprintf(
			"STOPPED: %d checks did not end; make them end first", hangsAllowed)}
	}
	c.Limit = l.limit(c)
	v := judge(ctx, s, c, l.report.seed())
	if v.Hung {
		l.hung.Add(1)
	}
	return v
}

func (l *limiter) limit(c Check) time.Duration {
	limit := l.report.limit(c)
	if l.hung.Load() == 0 {
		return limit
	}
	return min(limit, max(limit/4, shortestLimit))
}
