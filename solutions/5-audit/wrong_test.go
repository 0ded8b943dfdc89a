package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// lying is a right auditor whose verifications are falsified.
type lying struct {
	contract.Auditor
	falsify func(*contract.Verification)
}

func (l lying) Verify(ctx context.Context) (contract.Verification, error) {
	v, err := l.Auditor.Verify(ctx)
	l.falsify(&v)
	return v, err
}

// partialLog is a log of which the auditor ignores a part: see drops or changes each event.
type partialLog struct {
	contract.SealableLog
	see func(contract.Recorded) (contract.Recorded, bool)
}

func (l partialLog) Read(ctx context.Context, from, to contract.Cursor) events {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.SealableLog.Read(ctx, from, to) {
			if r, ok := l.see(r); ok && !yield(r, err) {
				return
			}
		}
	}
}

// overwriting is an archive in which the last writer of a name wins.
type overwriting struct {
	mu   sync.Mutex
	last audit.Memory
}

func (o *overwriting) Put(ctx context.Context, name string, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	names, _ := o.last.List(ctx, name)
	return o.last.Put(ctx, fmt.Sprintf("%s;%09d", name, len(names)), data)
}

func (o *overwriting) Get(ctx context.Context, name string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	names, _ := o.last.List(ctx, name+";")
	if len(names) == 0 {
		return nil, audit.ErrAbsent
	}
	return o.last.Get(ctx, names[len(names)-1])
}

func (o *overwriting) List(ctx context.Context, prefix string) ([]string, error) {
	names, err := o.last.List(ctx, prefix)
	for i, name := range names {
		names[i], _, _ = strings.Cut(name, ";")
	}
	return slices.Compact(names), err
}

func (o *overwriting) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	names, err := o.List(ctx, prefix)
	return slices.DeleteFunc(names, func(name string) bool { return name <= after }), err
}

func (o *overwriting) Replace(ctx context.Context, name string, data []byte) error {
	return o.Put(ctx, name, data)
}

func (o *overwriting) Current(ctx context.Context, name string) ([]byte, error) {
	return o.Get(ctx, name)
}

// oneName is an archive without a second name for an object.
type oneName struct{ audit.Archive }

func (o oneName) Put(ctx context.Context, name string, data []byte) error {
	if strings.Contains(name, ".") && !strings.Contains(name, ".p/") {
		return audit.ErrExists
	}
	return o.Archive.Put(ctx, name, data)
}

// believing is a key that believes every note but a checkpoint.
type believing struct{ note.Verifier }

func (b believing) Verify(text, signature []byte) bool {
	return !bytes.HasPrefix(text, []byte(origin)) || b.Verifier.Verify(text, signature)
}

// stub is an auditor that is not written yet.
type stub struct{}

func (stub) Seal(context.Context) (contract.Checkpoint, error) {
	return contract.Checkpoint{}, check.TODO("L5.seal")
}
func (stub) Verify(context.Context) (contract.Verification, error) {
	return contract.Verification{}, check.TODO("L5.verify")
}

// Each wrong answer fails the checks that are made for it, and no others.
func TestTheSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	type fixture = func(check.T) (audittest.Open, audittest.Bucket)
	memory := func(check.T) audit.Archive { return new(audit.Memory) }
	right := opener(memory)
	falsify := func(f func(*contract.Verification)) fixture {
		return func(t check.T) (audittest.Open, audittest.Bucket) {
			again, bucket := right(t)
			return func(log contract.SealableLog) contract.Auditor {
				return lying{again(log), f}
			}, bucket
		}
	}
	ignore := func(see func(contract.Recorded) (contract.Recorded, bool)) fixture {
		return func(t check.T) (audittest.Open, audittest.Bucket) {
			again, bucket := right(t)
			return func(log contract.SealableLog) contract.Auditor {
				return again(partialLog{log, see})
			}, bucket
		}
	}
	overwrite := opener(func(check.T) audit.Archive { return new(overwriting) })
	oneName := opener(func(check.T) audit.Archive { return oneName{new(audit.Memory)} })
	believe := func(t check.T) (audittest.Open, audittest.Bucket) {
		archive := new(audit.Memory)
		return func(log contract.SealableLog) contract.Auditor {
			a := open(t, log, archive)
			a.Verifier = believing{a.Verifier}
			return a
		}, archive
	}
	forget := func(t check.T) (audittest.Open, audittest.Bucket) {
		return func(log contract.SealableLog) contract.Auditor {
			return open(t, log, new(audit.Memory))
		}, new(audit.Memory)
	}
	for _, tc := range []struct {
		name    string
		archive fixture
		fails   []string
	}{
		{"right", right, nil},
		{"never reports a fault", falsify(func(v *contract.Verification) { v.Fault = nil }),
			[]string{"L5.30", "L5.31", "L5.32", "L5.33", "L5.34"}},
		{"names no offenders", falsify(func(v *contract.Verification) { v.Offenders = nil }),
			[]string{"L5.35", "L5.36"}},
		{"reports faults at another place", falsify(func(v *contract.Verification) {
			if v.Fault != nil {
				v.Fault.Position.Offset++
			}
		}), []string{"L5.30", "L5.31", "L5.32", "L5.33"}},
		{"counts every event as sealed", falsify(func(v *contract.Verification) {
			v.Sealed, v.Unanchored = v.Sealed+v.Unanchored, 0
		}), []string{"L5.29", "L5.34"}},
		{"ignores payloads", ignore(func(r contract.Recorded) (contract.Recorded, bool) {
			r.Data = nil
			return r, true
		}), []string{"L5.30", "L5.31", "L5.32", "L5.34"}},
		{"ignores the trace", ignore(func(r contract.Recorded) (contract.Recorded, bool) {
			r.Traceparent = ""
			return r, true
		}), []string{"L5.30"}},
		{"leaves a stream out", ignore(func(r contract.Recorded) (contract.Recorded, bool) {
			return r, r.Stream != "trade/UTI-2"
		}), []string{"L5.23", "L5.26", "L5.28", "L5.29"}},
		{"forgets its archive", forget, []string{
			"L5.23", "L5.25", "L5.26", "L5.28", "L5.29", "L5.30", "L5.31", "L5.32", "L5.34",
			"L5.35", "L5.36", "L5.37",
		}},
		{"gives up if a name is taken", oneName, []string{"L5.37"}},
		{"believes an unsigned batch", believe, []string{"L5.37"}},
		{"lets the last sealer win", overwrite, []string{"L5.28"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var fails []string
			suite := audittest.Suite(audittest.Fixture{Archive: tc.archive})
			for _, c := range suite.Checks {
				if v := check.Judge(t.Context(), suite, c); v.Outcome == check.Failed {
					fails = append(fails, c.ID)
				}
			}
			require.ElementsMatch(t, tc.fails, fails)
		})
	}
}

func TestAStubIsToDo(t *testing.T) {
	t.Parallel()
	suite := audittest.Suite(audittest.Fixture{
		Archive: func(check.T) (audittest.Open, audittest.Bucket) {
			return func(contract.SealableLog) contract.Auditor { return stub{} }, new(audit.Memory)
		},
	})
	for _, c := range suite.Checks {
		require.Equal(t, check.Todo, check.Judge(t.Context(), suite, c).Outcome, c.ID)
	}
}
