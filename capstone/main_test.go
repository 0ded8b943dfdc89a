package capstone_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
)

// TestMain gives the random tests a fixed seed, so that a run can be repeated. Another seed
// explores further:
//
//	go test ./capstone -rapid.seed=2 -rapid.checks=5000
//
// In a process of TestReplaysInManyProcesses it replays a log in place of the tests.
func TestMain(m *testing.M) {
	if file := os.Getenv(replayedLog); file != "" {
		replayFile(file)
		return
	}
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// newSystem returns a system over an empty log in memory, whose clock follows the commands.
func newSystem() *capstone.System { return over(memory.New(contract.SimulatedClock)) }

// over returns a system over a log, as a process has it that opens the log.
func over(log contract.Store) *capstone.System {
	s := capstone.New(log, codec.Offline(), "test")
	s.Projection, s.Project = readmodel.New(codec.Offline()), projection.Project
	s.AsOf = projection.AsOf
	return s
}

// dying is a store whose process dies after some appends.
type dying struct {
	contract.Store
	appends int // the appends that still succeed
}

var errDied = errors.New("died")

func (s *dying) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.appends--; s.appends < 0 {
		return nil, errDied
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

var nine = time.Date(2025, 1, 6, 9, 0, 0, 0, time.UTC)

// command returns a command about a contract, entered three hours after nine.
func command(id, uti string, body trade.Body) trade.Command {
	return trade.Command{
		ID: id, UTI: uti, EnteredAt: nine.Add(3 * time.Hour), Actor: "ops/1",
		Reason: "as the confirmation says", Body: body,
	}
}

func barrels(n int64) trade.Quantity { return trade.Quantity{Value: trade.Int(n), Unit: trade.BBL} }

func period(s string) trade.Period {
	p, err := trade.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// oil begins a contract of 1,000 bbl.
func oil(id, uti string) trade.Command {
	cmd := command(id, uti, trade.New{
		Book: "CRUDE", Counterparty: "ACME", Trader: "trader/1", Side: trade.Buy,
		Instrument: trade.Instrument{
			Commodity: trade.Oil, Zone: "BRENT", Delivery: period("2025-06"),
		},
		Quantity: barrels(1000), Price: trade.Dec("70"), Currency: "USD",
	})
	cmd.EnteredAt, cmd.Actor, cmd.Reason = nine, "trader/1", "client order"
	return cmd
}

// novate replaces our counterparty for 400 bbl of a contract. We remain, in a new contract.
func novate(id, uti, newUTI string) trade.Command {
	cmd := command(id, uti, trade.Novate{
		Role: trade.Remaining, Quantity: barrels(400), NewUTI: newUTI, Incoming: "NEWCO",
	})
	cmd.EnteredAt, cmd.Actor, cmd.Reason = nine.Add(time.Hour), "trader/1", "client leaves"
	return cmd
}

// restated corrects novate("c-2", "A", "B") to another quantity.
func restated(id string, quantity int64) trade.Command {
	cmd := novate(id, "A", "B")
	body := cmd.Body.(trade.Novate)
	body.Quantity = barrels(quantity)
	cmd.Body, cmd.Corrects, cmd.Approver = body, trade.EventID("c-2", 0), "control/1"
	return cmd
}

// latePrice amends a price. It is entered after a novation, and effective before it.
func latePrice(id, uti, price string) trade.Command {
	p := trade.Dec(price)
	cmd := command(id, uti, trade.Amend{Kind: trade.Amendment, Price: &p})
	cmd.EffectiveAt, cmd.Approver = nine.Add(time.Minute), "control/1"
	return cmd
}

func settle(id, uti string, quantity int64) trade.Command {
	return command(id, uti, trade.Settle{Quantity: barrels(quantity), Price: trade.Dec("71")})
}

func do(t *testing.T, s *capstone.System, cmd trade.Command) capstone.Outcome {
	t.Helper()
	out, err := s.Do(t.Context(), cmd)
	require.NoError(t, err)
	return out
}

func tradeOf(t *testing.T, s *capstone.System, uti string) trade.Trade {
	t.Helper()
	got, _, err := s.Trade(t.Context(), uti, trade.AsOf{})
	require.NoError(t, err)
	return got
}

func orphaned(t *testing.T, s *capstone.System) []capstone.OrphanedFollowUp {
	t.Helper()
	list, err := s.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	return list
}

func end(t *testing.T, log contract.Reader) contract.Cursor {
	t.Helper()
	c, err := log.End(t.Context())
	require.NoError(t, err)
	return c
}

func sample(t *testing.T) []lines.Line {
	t.Helper()
	text, err := books.FS.ReadFile(books.Sample)
	require.NoError(t, err)
	var all []lines.Line
	for line, err := range lines.Read(bytes.NewReader(text)) {
		require.NoError(t, err)
		all = append(all, line)
	}
	return all
}

// each yields the lines of a book without a problem.
func each(book []lines.Line) iter.Seq2[lines.Line, error] {
	return func(yield func(lines.Line, error) bool) {
		for _, line := range book {
			if !yield(line, nil) {
				return
			}
		}
	}
}

func imported(
	t *testing.T, s *capstone.System, book []lines.Line, width int,
) capstone.Imported {
	t.Helper()
	s.Width = width
	n, err := s.Import(t.Context(), each(book), func(r capstone.Result) {
		require.NoError(t, r.Problem)
	})
	require.NoError(t, err)
	require.Equal(t, len(book), n.Lines)
	return n
}
