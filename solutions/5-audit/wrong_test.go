package audit_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// lying is a right auditor whose answers are bent.
type lying struct {
	contract.Auditor
	bend func(*contract.Verification)
}

func (l lying) Verify(ctx context.Context) (contract.Verification, error) {
	v, err := l.Auditor.Verify(ctx)
	l.bend(&v)
	return v, err
}

// blurred is a log as seen by an auditor that does not look closely.
type blurred struct {
	contract.Reader
	see func(contract.Recorded) (contract.Recorded, bool)
}

func (b blurred) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range b.Reader.Read(ctx, from, to) {
			if r, ok := b.see(r); ok && !yield(r, err) {
				return
			}
		}
	}
}

// overwriting is an archive in which the last writer wins.
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

// stub has nothing written yet.
type stub struct{}

func (stub) Seal(context.Context) (contract.Checkpoint, error) {
	return contract.Checkpoint{}, check.TODO("L5.seal")
}
func (stub) Verify(context.Context) (contract.Verification, error) {
	return contract.Verification{}, check.TODO("L5.verify")
}

// Each wrong answer is found by the checks that are there for it, and by no others.
func TestTheSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	right := func(t check.T) audittest.Open {
		archive := new(audit.Memory)
		return func(log contract.Reader) contract.Auditor { return open(t, log, archive) }
	}
	bend := func(f func(*contract.Verification)) func(check.T) audittest.Open {
		return func(t check.T) audittest.Open {
			again := right(t)
			return func(log contract.Reader) contract.Auditor { return lying{again(log), f} }
		}
	}
	blur := func(see func(contract.Recorded) (contract.Recorded, bool)) func(check.T) audittest.Open {
		return func(t check.T) audittest.Open {
			again := right(t)
			return func(log contract.Reader) contract.Auditor { return again(blurred{log, see}) }
		}
	}
	overwrite := func(t check.T) audittest.Open {
		archive := new(overwriting)
		return func(log contract.Reader) contract.Auditor { return open(t, log, archive) }
	}
	for _, tc := range []struct {
		name    string
		archive func(check.T) audittest.Open
		fails   []string
	}{
		{"right", right, nil},
		{"never finds anything", bend(func(v *contract.Verification) { v.Fault = nil }), []string{"L5.8", "L5.9", "L5.10", "L5.11", "L5.12"}},
		{"finds it somewhere else", bend(func(v *contract.Verification) {
			if v.Fault != nil {
				v.Fault.Position.Offset++
			}
		}), []string{"L5.8", "L5.9", "L5.10", "L5.11"}},
		{"calls everything verified", bend(func(v *contract.Verification) { v.Sealed, v.Unanchored = v.Sealed+v.Unanchored, 0 }), []string{"L5.7", "L5.12"}},
		{"does not look at payloads", blur(func(r contract.Recorded) (contract.Recorded, bool) { r.Data = nil; return r, true }), []string{"L5.8", "L5.9", "L5.10", "L5.12"}},
		{"does not look at the trace", blur(func(r contract.Recorded) (contract.Recorded, bool) { r.Traceparent = ""; return r, true }), []string{"L5.8"}},
		{"leaves a stream out", blur(func(r contract.Recorded) (contract.Recorded, bool) { return r, r.Stream != "trade/UTI-2" }), []string{"L5.1", "L5.4", "L5.6", "L5.7"}},
		{"forgets its archive", func(t check.T) audittest.Open {
			return func(log contract.Reader) contract.Auditor { return open(t, log, new(audit.Memory)) }
		}, []string{"L5.1", "L5.3", "L5.4", "L5.6", "L5.7", "L5.8", "L5.9", "L5.10", "L5.12"}},
		{"lets the last sealer win", overwrite, []string{"L5.6"}},
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
			for _, id := range tc.fails {
				require.Contains(t, fails, id)
			}
			fails = slices.DeleteFunc(fails, func(id string) bool { return slices.Contains(tc.fails, id) })
			require.Empty(t, fails, "not what these checks are for")
		})
	}
}

func TestAStubIsToDo(t *testing.T) {
	t.Parallel()
	suite := audittest.Suite(audittest.Fixture{Archive: func(check.T) audittest.Open {
		return func(contract.Reader) contract.Auditor { return stub{} }
	}})
	for _, c := range suite.Checks {
		require.Equal(t, check.Todo, check.Judge(t.Context(), suite, c).Outcome, c.ID)
	}
}
