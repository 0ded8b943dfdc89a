package capstone_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// of is a command about a contract, three hours on.
func of(id, uti string, body trade.Body) trade.Command {
	return trade.Command{ID: id, UTI: uti, EnteredAt: nine.Add(3 * time.Hour), Actor: "ops/1", Reason: "as the confirmation says", Body: body}
}

// latePrice is agreed before novate(…) takes effect, and known after it.
func latePrice(id, uti, price string) trade.Command {
	p := trade.Dec(price)
	cmd := of(id, uti, trade.Amend{Kind: trade.Amendment, Price: &p})
	cmd.EffectiveAt = nine.Add(time.Minute)
	return cmd
}

func settle(id, uti string, quantity int64) trade.Command {
	return of(id, uti, trade.Settle{Quantity: trade.Quantity{Value: trade.Int(quantity), Unit: trade.BBL}, Price: trade.Dec("71")})
}

func contractOf(t *testing.T, desk *capstone.Desk, uti string) trade.Trade {
	got, err := (&capstone.System{Desk: desk}).Trade(t.Context(), uti, trade.AsOf{})
	require.NoError(t, err)
	return got
}

func missing(t *testing.T, desk *capstone.Desk) []capstone.MissingFollowUp {
	list, err := desk.MissingFollowUps(t.Context())
	require.NoError(t, err)
	return list
}

// Also where the desk dies in between.
func TestALatePriceReachesWhatBeganFromItsContract(t *testing.T) {
	t.Parallel()
	for appends := 2; appends <= 6; appends++ {
		desk := newDesk(contract.SimulatedClock)
		store := desk.Store
		desk.Store = &dying{store, appends}
		story := []trade.Command{oil("c-1", "A"), novate("c-2", "A", "B"), novate("c-3", "B", "C"), latePrice("c-4", "A", "75")}
		for _, cmd := range story {
			_, _ = desk.Do(t.Context(), cmd)
		}
		desk.Store = store
		for _, cmd := range story {
			require.Nil(t, do(t, desk, cmd).Refusal)
		}
		for _, uti := range []string{"A", "B", "C"} {
			require.Equal(t, "75", contractOf(t, desk, uti).Price.String(), uti)
		}
		require.Empty(t, missing(t, desk))
		end, err := desk.Store.End(t.Context())
		require.NoError(t, err)
		_, err = desk.Sweep(t.Context(), nil)
		require.NoError(t, err)
		after, err := desk.Store.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, end, after, "nothing is issued twice")
	}
}

// Or else the contract would begin at the price from before, after its restatement was refused for good.
func TestALatePriceIssuesFirstWhatItsContractStillOwes(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	store := desk.Store
	desk.Store = &dying{store, 2}
	do(t, desk, oil("c-1", "A"))
	_, err := desk.Do(t.Context(), novate("c-2", "A", "B"))
	require.ErrorIs(t, err, errDied)
	desk.Store = store
	do(t, desk, latePrice("c-3", "A", "75"))
	require.Equal(t, "75", contractOf(t, desk, "B").Price.String())
	require.Empty(t, missing(t, desk))
}

func TestASweepIssuesWhatALatePriceOwes(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{true, false} {
		desk := newDesk(contract.SimulatedClock)
		do(t, desk, oil("c-1", "A"))
		do(t, desk, novate("c-2", "A", "B"))
		from, err := desk.Store.End(t.Context())
		require.NoError(t, err)
		if whole {
			from = nil
		}
		store := desk.Store
		desk.Store = &dying{store, 1}
		_, err = desk.Do(t.Context(), latePrice("c-3", "A", "75"))
		require.ErrorIs(t, err, errDied)
		desk.Store = store
		require.Len(t, missing(t, desk), 1)
		_, err = desk.Sweep(t.Context(), from)
		require.NoError(t, err)
		require.Equal(t, "75", contractOf(t, desk, "B").Price.String())
		require.Empty(t, missing(t, desk))
	}
}

// A novation that is corrected to less than its contract has settled leaves the two apart. That is named until they fit again.
func TestARefusedFollowUpIsNamedUntilItIsMadeGood(t *testing.T) {
	t.Parallel()
	for _, mend := range []string{"restated", "annulled"} {
		desk := newDesk(contract.SimulatedClock)
		for _, cmd := range []trade.Command{oil("c-1", "A"), novate("c-2", "A", "B"), settle("c-3", "B", 300), restated("c-4", 200)} {
			require.Nil(t, do(t, desk, cmd).Refusal)
		}
		require.Equal(t, "200", contractOf(t, desk, "A").Novated.String())
		require.Equal(t, "400", contractOf(t, desk, "B").Contracted.String())
		apart := missing(t, desk)
		require.Len(t, apart, 1)
		require.Equal(t, "B", apart[0].Command.UTI)
		require.Equal(t, trade.BreaksLater, apart[0].Refusal.Rule)
		require.Equal(t, trade.EventID("c-4", 0), apart[0].Cause.ID)

		if mend == "annulled" {
			do(t, desk, restated("c-5", 0))
		} else {
			less := settle("c-5", "B", 150)
			less.Corrects = trade.EventID("c-3", 0)
			require.Nil(t, do(t, desk, less).Refusal)
			require.Len(t, missing(t, desk), 1, "it fits now, but was not restated")
			do(t, desk, restated("c-6", 200))
		}
		require.Empty(t, missing(t, desk), mend)
	}
}

// What goes on from what began goes with it.
func TestAnAnnulledCauseVoidsTheWholeRow(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	for _, cmd := range []trade.Command{oil("c-1", "A"), novate("c-2", "A", "B"), novate("c-3", "B", "C"), restated("c-4", 0)} {
		require.Nil(t, do(t, desk, cmd).Refusal)
	}
	require.Equal(t, trade.Live, contractOf(t, desk, "A").Status)
	require.Equal(t, trade.Voided, contractOf(t, desk, "B").Status)
	require.Equal(t, trade.Voided, contractOf(t, desk, "C").Status)
	require.Empty(t, missing(t, desk))
}

func line(number int, cmd trade.Command, others ...string) lines.Line {
	names := []string{cmd.Stream(), "command/" + cmd.ID}
	for _, uti := range others {
		names = append(names, trade.TradeStream(uti))
	}
	return lines.Line{Number: number, Command: cmd, Names: names}
}

// An import says what of its follow-ups was refused, and says nothing of one that it made good itself.
func TestAnImportNamesTheFollowUpsThatWereRefused(t *testing.T) {
	t.Parallel()
	book := []lines.Line{
		line(1, oil("c-1", "A")), line(2, novate("c-2", "A", "B"), "B"), line(3, settle("c-3", "B", 300)), line(4, restated("c-4", 200), "B"),
	}
	desk := newDesk(contract.SimulatedClock)
	require.Len(t, imported(t, desk, book, 1).Missing, 1)
	require.Len(t, imported(t, desk, book, 1).Missing, 1, "again")

	book = append(book, line(5, restated("c-5", 0), "B"))
	require.Empty(t, imported(t, newDesk(contract.SimulatedClock), book, 1).Missing)
}

// asked is a store that notes, with each append to a stream, which ids were asked for before.
type asked struct {
	contract.Store
	mu     sync.Mutex
	ids    map[uuid.UUID]bool
	before map[string]map[uuid.UUID]bool // by the id of the event that was appended
}

func (s *asked) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	s.mu.Lock()
	s.ids[id] = true
	s.mu.Unlock()
	return s.Store.Find(ctx, id)
}

func (s *asked) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	s.mu.Lock()
	seen := map[uuid.UUID]bool{}
	for id := range s.ids {
		seen[id] = true
	}
	s.before[events[0].ID.String()] = seen
	s.mu.Unlock()
	return s.Store.Append(ctx, stream, expected, events...)
}

// A line about a contract waits for one about the contract that it began from, even though neither names the other: what follows from
// that one comes first, at any width.
func TestLinesAboutARowOfContractsGoInOneByOne(t *testing.T) {
	t.Parallel()
	book := []lines.Line{
		line(1, oil("c-1", "A")), line(2, novate("c-2", "A", "B"), "B"), line(3, novate("c-3", "B", "C"), "C"),
		line(4, latePrice("c-4", "A", "75")), line(5, settle("c-5", "C", 100)), line(6, oil("c-6", "D")),
	}
	desk := newDesk(contract.SimulatedClock)
	store := &asked{Store: desk.Store, ids: map[uuid.UUID]bool{}, before: map[string]map[uuid.UUID]bool{}}
	desk.Store = store
	imported(t, desk, book, 16)
	last := uuid.Nil
	for e, err := range store.Stream(t.Context(), "trade/C") {
		require.NoError(t, err)
		if e.Corrects != uuid.Nil {
			last = e.ID
		}
	}
	require.NotEqual(t, uuid.Nil, last)
	require.False(t, store.before[last.String()][trade.EventID("c-5", 0)], "line 5 waits for all that follows from line 4")
}
