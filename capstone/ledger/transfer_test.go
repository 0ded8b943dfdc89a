package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// transfer moves 10 from the ledger main to the ledger to.
func transfer(id, to, account string) ledger.Command {
	return ledger.Command{ID: id, Ledger: "main", EnteredAt: day(2), Actor: "clerk/1",
		Reason: "test", Do: ledger.TransferEntry{Entry: id, Description: "to " + to, To: to,
			Lines:   lines("transit", "sales", "10", "EUR"),
			ToLines: lines(account, "transit", "10", "EUR")}}
}

// twoLedgers opens the ledgers main and other, each with an account for transfers.
func twoLedgers(t *testing.T) *book {
	b := over(memory.New(contract.SimulatedClock)).open(t)
	b.must(t, start, open("transit", ledger.Asset, "EUR"))
	for _, r := range []ledger.Request{open("cash", ledger.Asset, "EUR"),
		open("transit", ledger.Asset, "EUR"), ledger.OpenPeriod{Period: "2025-01"}} {
		cmd := b.command(start, r)
		cmd.Ledger = "other"
		out, err := b.Do(t.Context(), cmd)
		require.NoError(t, err)
		require.Nil(t, out.Refusal)
	}
	return b
}

func (b *book) hanging(t *testing.T) []ledger.Hanging {
	end, err := b.Log.End(t.Context())
	require.NoError(t, err)
	all := ledger.NewTransfers()
	for f, err := range ledger.Facts(b.Log.Read(t.Context(), nil, end), "") {
		require.NoError(t, err)
		all.Take(f)
	}
	return all.Hanging()
}

// A half is not corrected, since its replacement would be no half: after a crash before the second
// half, no check would find the money on its way. It is reversed, and then nothing hangs unseen.
func TestHalfOfTransferIsNotCorrected(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	first := transfer("X-1", "other", "cash")
	half := b.command(day(2), ledger.PostEntry{Entry: "X-1", Description: "to other",
		Lines:     first.Do.(ledger.TransferEntry).Lines,
		OtherHalf: ledger.JournalStream("other", "X-1")}) // all that a crash leaves
	out, err := b.Do(t.Context(), half)
	require.NoError(t, err)
	require.Nil(t, out.Refusal)
	require.Len(t, b.hanging(t), 1)
	out, err = b.Do(t.Context(), b.command(day(3), ledger.CorrectEntry{Entry: "X-1",
		Reversal: "X-1-off", Replacement: "X-2", Description: "corrected",
		Lines: lines("transit", "sales", "11", "EUR")}))
	require.NoError(t, err)
	require.NotNil(t, out.Refusal, "the transfer hangs, and the check lists %v", b.hanging(t))
	require.Equal(t, ledger.HalfOfTransfer, out.Refusal.Rule)
	require.Contains(t, out.Refusal.Detail, "journal/other/X-1")
	require.Len(t, b.hanging(t), 1)
	b.must(t, day(3), ledger.ReverseEntry{Entry: "X-1", By: "X-1-off"})
	require.Empty(t, b.hanging(t))
	for _, back := range []ledger.Request{ // the money would be on its way again
		ledger.ReverseEntry{Entry: "X-1-off", By: "X-1-on"},
		ledger.CorrectEntry{Entry: "X-1-off", Reversal: "X-1-on", Replacement: "X-2",
			Description: "corrected", Lines: lines("transit", "sales", "11", "EUR")},
	} {
		out, err = b.Do(t.Context(), b.command(day(4), back))
		require.NoError(t, err)
		require.NotNil(t, out.Refusal)
		require.Equal(t, ledger.HalfOfTransfer, out.Refusal.Rule)
		require.Contains(t, out.Refusal.Detail, "X-1-off reverses X-1")
	}
	balances := b.books(t).Balances(trade.AsOf{})
	require.NotEmpty(t, balances)
	for _, s := range balances {
		require.True(t, s.Balance.IsZero(), "%+v", s)
	}
}

// Both halves of a transfer name each other and their correlation. Sent again, it is on record. A
// half that is reversed by hand leaves the other one hanging.
func TestTransferHasTwoHalves(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	for n := range 2 {
		out, err := b.Do(t.Context(), transfer("X-1", "other", "cash"))
		require.NoError(t, err)
		require.Equal(t, ledger.Outcome{Again: n == 1}, out)
	}
	require.Empty(t, b.hanging(t))
	first, err := b.Log.Find(t.Context(), trade.EventID("X-1", 0))
	require.NoError(t, err)
	second, err := b.Log.Find(t.Context(), trade.EventID("X-1/to", 0))
	require.NoError(t, err)
	require.Equal(t, first.Correlation, second.Correlation)
	require.Equal(t, first.ID, second.Causation)
	for half, other := range map[string]contract.Recorded{second.Stream: first,
		first.Stream: second} {
		f, _, err := ledger.FactOf(other)
		require.NoError(t, err)
		require.Equal(t, half, f.Body.(ledger.JournalEntryPosted).OtherHalf)
	}
	b.must(t, day(3), ledger.ReverseEntry{Entry: "X-1", By: "X-1-R"})
	hangs := b.hanging(t)
	require.Len(t, hangs, 1)
	require.Equal(t, "journal/other/X-1", hangs[0].Half)
	require.Contains(t, hangs[0].Why, "was reversed")
}

// If the other ledger refuses its half, the first half is taken back. A transfer to the same ledger
// is refused before that.
func TestRefusedTransferIsTakenBack(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	for range 2 {
		out, err := b.Do(t.Context(), transfer("X-1", "other", "nowhere"))
		require.NoError(t, err)
		require.Equal(t, ledger.NoAccount, out.Refusal.Rule)
		require.Empty(t, b.hanging(t))
		require.True(t, of(b.books(t), "transit").IsZero())
	}
	out, err := b.Do(t.Context(), transfer("X-2", "main", "cash"))
	require.NoError(t, err)
	require.Equal(t, ledger.BadCommand, out.Refusal.Rule)
}

// The process dies at each append of a transfer, recorded or not. A half that is alone hangs, and
// the same command, sent again, brings the transfer to its end.
func TestTransferDiesAtAnyAppend(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"cash", "nowhere"} {
		for appends := range 3 {
			for _, after := range []bool{false, true} {
				b := twoLedgers(t)
				id := fmt.Sprintf("X-%s-%d-%v", account, appends, after)
				dies := over(&dying{b.Log, appends, after})
				_, err := dies.Do(t.Context(), transfer(id, "other", account))
				hangs := len(b.hanging(t))
				if err != nil {
					require.ErrorIs(t, err, errDied)
					appended := appends
					if after {
						appended++
					}
					require.Equal(t, appended == 1, hangs == 1, id)
				}
				out, err := over(b.Log).Do(t.Context(), transfer(id, "other", account))
				require.NoError(t, err)
				require.Equal(t, account == "nowhere", out.Refusal != nil)
				require.Empty(t, b.hanging(t), id)
			}
		}
	}
}

// The halves of a transfer take effect together, also if the command that continues it was entered
// at another time: its content is the same.
func TestTransferHasOneTime(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	_, err := over(&dying{b.Log, 1, false}).Do(t.Context(), transfer("X-1", "other", "cash"))
	require.ErrorIs(t, err, errDied)
	later := transfer("X-1", "other", "cash")
	later.EnteredAt = day(3)
	out, err := b.Do(t.Context(), later)
	require.NoError(t, err)
	require.Nil(t, out.Refusal)
	second, err := b.Log.Find(t.Context(), trade.EventID("X-1/to", 0))
	require.NoError(t, err)
	require.True(t, second.EffectiveAt.Equal(day(2)), second.EffectiveAt)
}

// A first half that somebody reverses after a crash stays alone: the same command, sent again,
// posts no second half.
func TestReversedTransferIsOff(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	_, err := over(&dying{b.Log, 1, false}).Do(t.Context(), transfer("X-1", "other", "cash"))
	require.ErrorIs(t, err, errDied)
	b.must(t, day(3), ledger.ReverseEntry{Entry: "X-1", By: "X-1-R"})
	for range 2 {
		out, err := b.Do(t.Context(), transfer("X-1", "other", "cash"))
		require.NoError(t, err)
		require.NotNil(t, out.Refusal)
		require.Equal(t, ledger.AlreadyReversed, out.Refusal.Rule)
		require.Contains(t, out.Refusal.Detail, "X-1-R")
		require.Empty(t, b.hanging(t))
		_, err = b.Log.Find(t.Context(), trade.EventID("X-1/to", 0))
		require.NoError(t, err, "the refusal is on record")
	}
}

// The names that a transfer may need later have room, or nothing of it is recorded.
func TestTransferHasRoomForItsNames(t *testing.T) {
	t.Parallel()
	b := twoLedgers(t)
	long := transfer(strings.Repeat("x", 124), "other", "nowhere")
	long.Do = transfer("X-1", "other", "nowhere").Do
	for _, cmd := range []ledger.Command{long,
		transfer(strings.Repeat("x", 76), "other", "nowhere")} {
		out, err := b.Do(t.Context(), cmd)
		require.NoError(t, err)
		require.NotNil(t, out.Refusal)
		require.Equal(t, ledger.BadCommand, out.Refusal.Rule)
		require.Empty(t, b.hanging(t))
	}
}

// The same transfer, sent by many at once, has two halves: or none, if the other ledger refuses.
func TestTransferSentByManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"cash", "nowhere"} {
		b := twoLedgers(t)
		var all sync.WaitGroup
		var failed [8]error
		for i := range failed {
			all.Go(func() {
				_, failed[i] = over(b.Log).Do(t.Context(), transfer("X-1", "other", account))
			})
		}
		all.Wait()
		require.NoError(t, errors.Join(failed[:]...))
		require.Empty(t, b.hanging(t))
		want := map[string]string{"cash": "10", "nowhere": "0"}[account]
		require.Equal(t, want, of(b.books(t), "transit").String())
	}
}
