package storetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// calls has one call of each method of a store and of object storage.
var calls = map[string]func(context.Context, contract.Store, contract.Blobs){
	"Append": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		_, _ = s.Append(ctx, "trade/UTI-1", 0)
	},
	"Find": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		_, _ = s.Find(ctx, uuid.Nil)
	},
	"End": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		_, _ = s.End(ctx)
	},
	"Frontier": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		_, _ = s.Frontier(ctx)
	},
	"Stream": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		drain(s.Stream(ctx, "trade/UTI-1"))
	},
	"Read": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		drain(s.Read(ctx, nil, nil))
	},
	"Follow": func(ctx context.Context, s contract.Store, _ contract.Blobs) {
		drain(s.Follow(ctx, nil))
	},
	"Put": func(ctx context.Context, _ contract.Store, b contract.Blobs) {
		_, _ = b.Put(ctx, nil)
	},
	"Get": func(ctx context.Context, _ contract.Store, b contract.Blobs) {
		_, _ = b.Get(ctx, [32]byte{})
	},
}

// Each method reports its answers to the check. A TODO counts for an operation of the lab, also
// after other answers: the operation is then half written.
func TestEveryMethodReportsItsAnswer(t *testing.T) {
	t.Parallel()
	suite := check.Suite{Checks: []check.Check{{Operation: "L2.append"}, {Operation: "L2.offload"}}}
	for name, call := range calls {
		for _, tc := range []struct {
			answers []error
			want    check.Outcome
		}{
			{[]error{nil}, check.Passed},
			{[]error{contract.ErrNotFound}, check.Passed},
			{[]error{check.TODO("L2.append")}, check.Todo},
			{[]error{check.TODO("L2.offload")}, check.Blocked},
			{[]error{check.TODO("L2.later")}, check.Failed},
			{[]error{nil, check.TODO("L2.append")}, check.Todo},
			{[]error{contract.ErrNotFound, check.TODO("L2.offload")}, check.Blocked},
		} {
			v := check.Judge(t.Context(), suite, check.Check{Operation: "L2.append", Func: func(
				t check.T,
			) {
				answers := &script{answers: tc.answers}
				for range tc.answers {
					call(t.Context(), watched{answers, t}, watchedBlobs{answers, t})
				}
			}})
			require.Equal(t, tc.want, v.Outcome, "%s, %v: %s", name, tc.answers, v.Text)
			require.GreaterOrEqual(t, v.Answers, len(tc.answers), name)
		}
	}
}

// An empty sequence is an answer: the check did try the store.
func TestEmptySequenceIsAnAnswer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Stream", "Read", "Follow"} {
		v := check.Judge(t.Context(), check.Suite{}, check.Check{Func: func(t check.T) {
			calls[name](t.Context(), watched{emptyLog{}, t}, nil)
		}})
		require.Equal(t, check.Passed, v.Outcome, name)
		require.Equal(t, 1, v.Answers, name)
	}
}

// emptyLog has no events.
type emptyLog struct{ contract.Store }

func (emptyLog) none(func(contract.Recorded, error) bool) {}

func (n emptyLog) Stream(
	context.Context, string,
) iter.Seq2[contract.Recorded, error] {
	return n.none
}
func (n emptyLog) Read(
	context.Context, contract.Cursor, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return n.none
}
func (n emptyLog) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return n.none
}

func drain(events iter.Seq2[contract.Recorded, error]) {
	for range events {
	}
}

// A script answers each call with the next of its errors.
type script struct{ answers []error }

func (s *script) next() error {
	err := s.answers[0]
	s.answers = s.answers[1:]
	return err
}

func (s *script) seq() iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) { yield(contract.Recorded{}, s.next()) }
}

func (s *script) Append(
	context.Context, string, int64, ...contract.Event,
) ([]contract.Receipt, error) {
	return nil, s.next()
}

func (s *script) Find(context.Context, uuid.UUID) (contract.Recorded, error) {
	return contract.Recorded{}, s.next()
}

func (s *script) End(
	context.Context,
) (contract.Cursor, error) {
	return nil, s.next()
}

func (s *script) Timeline(context.Context) (contract.Timeline, error) {
	return contract.Timeline{}, s.next()
}

func (s *script) CommitFrontier(context.Context) (time.Time, error) {
	return time.Time{}, s.next()
}

func (s *script) Frontier(
	context.Context,
) (time.Time, error) {
	return time.Time{}, s.next()
}

func (s *script) Put(
	context.Context, []byte,
) ([32]byte, error) {
	return [32]byte{}, s.next()
}

func (s *script) Get(
	context.Context, [32]byte,
) ([]byte, error) {
	return nil, s.next()
}

func (s *script) Stream(
	context.Context, string,
) iter.Seq2[contract.Recorded, error] {
	return s.seq()
}

func (s *script) Read(
	context.Context, contract.Cursor, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return s.seq()
}

func (s *script) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return s.seq()
}
