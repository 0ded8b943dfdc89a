package replay

import (
	"context"
	"crypto/sha256"
	"errors"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// The reference gets full marks, and so do right answers of another design. Each check must have
// called the answer: otherwise it tested nothing.
func TestRightAnswersHaveFullMarks(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*answer){
		"the reference":                       func(*answer) {},
		"splits lines, and folds by steps":    bySteps,
		"asks before it writes, and after it": asksTwice,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range check.JudgeAll(t.Context(), suiteOf(change)) {
				require.Equal(t, check.Passed, v.Outcome, v.Text)
				require.Positive(t, v.Answers, "%s did not call the answer", v.Check.ID)
			}
		})
	}
}

// bySteps splits the states into lines, folds the log with a trade.Book, and digests the whole
// state after each event.
func bySteps(a *answer) {
	a.compare = func(archived, replayed []byte) error {
		as := strings.SplitAfter(string(archived), "\n")
		rs := strings.SplitAfter(string(replayed), "\n")
		for i := range max(len(as), len(rs)) {
			var a, r string
			if i < len(as) {
				a = as[i]
			}
			if i < len(rs) {
				r = rs[i]
			}
			if a != r {
				return &contract.Difference{Line: i + 1, Archived: strings.TrimSuffix(a, "\n"),
					Replay: strings.TrimSuffix(r, "\n")}
			}
		}
		return nil
	}
	a.replay = func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
		trade.State, int64, error) {
		book, n := trade.NewBook(), int64(0)
		for recorded, err := range log.Read(ctx, nil, to) {
			if err != nil {
				return trade.State{}, 0, err
			}
			e, err := contract.Decoded(ctx, r.codec, recorded)
			if err != nil {
				return trade.State{}, 0, err
			}
			if err := book.Apply(recorded.Stream, e); err != nil {
				return trade.State{}, 0, &contract.DamagedError{
					Position: recorded.Position, What: err.Error(),
				}
			}
			n++
		}
		return book.State(), n, nil
	}
	a.chain = func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
		[]contract.Recorded, [][sha256.Size]byte, error) {
		events, chain, err := r.Chain(ctx, log, to)
		book, last := trade.NewBook(), [sha256.Size]byte{}
		for i, recorded := range events {
			e, err := contract.Decoded(ctx, r.codec, recorded)
			if err == nil {
				err = book.Apply(recorded.Stream, e)
			}
			if err != nil {
				return nil, nil, err
			}
			now := book.State().Digest()
			last = sha256.Sum256(append(last[:], now[:]...))
			chain[i] = last
		}
		return events, chain, err
	}
}

// asksTwice returns early for a name that is taken, and still lets the put of the manifest decide.
// Its search is that of package sort.
func asksTwice(a *answer) {
	a.put = func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
		if sha256.Sum256(s.State) != s.Digest {
			return errors.New("the digest is not that of the state")
		}
		if err := CheckName(s.Name); err != nil {
			return err
		}
		if err := winner(ctx, a, s); !errors.Is(err, contract.ErrNoSnapshot) {
			return err
		}
		err := putObjects(ctx, a, s, state, description)
		if errors.Is(err, contract.ErrObjectExists) {
			return winner(ctx, a, s)
		}
		return err
	}
	a.bisect = func(n int, same func(int) (bool, error)) (int, error) {
		var failed error
		k := sort.Search(n, func(k int) bool {
			equal, err := same(k)
			failed = errors.Join(failed, err)
			return !equal
		})
		return k, failed
	}
}
