package trade_test

import (
	"encoding/hex"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Ids and digests are on record in every log. A change makes every existing log unreadable.
func TestIDsAndDigestsNeverChange(t *testing.T) {
	t.Parallel()
	require.Equal(t, "664b25ee-3f24-8967-bc06-f4d292fc551c", trade.EventID("cmd-1", 0).String())
	require.Equal(t, "5b2781dc-a6ff-8106-ad1c-e55fe941b55e", trade.EventID("cmd-1", 1).String())
	cmd := golden()[0]
	digest := cmd.Digest()
	require.Equal(t, "2dc123403228d33e33f92e3c0b038bd4a3f743c37005e88102c9af9d7cd96af1",
		hex.EncodeToString(digest[:]))
	require.Equal(t, "2dc12340-3228-833e-b3f9-2e3c0b038bd4", cmd.ContentID().String())

	elsewhere := cmd
	elsewhere.EnteredAt = cmd.EnteredAt.In(trade.BookZone())
	elsewhere.Source, elsewhere.SourceLine = "again.jsonl", 7
	require.Equal(t, digest, elsewhere.Digest(), "neither zone nor source matters")
	other := cmd
	other.Reason = "another"
	require.NotEqual(t, digest, other.Digest())
}

func TestStreams(t *testing.T) {
	t.Parallel()
	of, marked := golden()[0], mark("02-03", powerCurve, "EUR", "2025-03", "53")
	require.Equal(t, "trade/T1", of.Stream())
	require.Equal(t, "refused/T1", of.RefusedStream())
	require.Equal(t, "curve/power/CET/base", marked.Stream())
	require.Equal(t, "refused/curve/power/CET/base", marked.RefusedStream())
	confirms := trade.Command{UTI: "T1", Body: trade.Confirm{}}
	require.Equal(t, "confirmation/T1", confirms.Stream())
	require.Equal(t, "refused/T1", confirms.RefusedStream())
}

func TestSubjectIsTheStreamOfTheAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []trade.Command{{UTI: "UTI-1", Body: trade.New{}},
		{Body: trade.PriceMarked{Curve: "POWER/CET"}}} {
		require.Equal(t, c.Stream(), trade.Subject(c.Stream()))
		require.Equal(t, c.Stream(), trade.Subject(c.RefusedStream()))
	}
	require.Equal(t, "trade/UTI-1", trade.Subject("confirmation/UTI-1"))
	require.Equal(t, "elsewhere/refused/x", trade.Subject("elsewhere/refused/x"))
}

// golden returns a small book with all kinds of contracts.
func golden() []trade.Command {
	forward := on("02-03", power("7430", "80"))
	forward.ID = "cmd-1"
	novate := on("02-10", trade.Novate{Role: trade.Remaining, Quantity: mwh("30"), NewUTI: "T2",
		Incoming: "cpty/8"})
	return []trade.Command{
		forward, novate,
		corrects(novate, on("02-11", trade.Novate{Role: trade.Remaining, Quantity: mwh("25.5"),
			Fee: dec("-12.34"), NewUTI: "T2", Incoming: "cpty/8"})),
		on("02-12", trade.Settle{Quantity: mwh("100"), Price: dec("83.1")}),
		of("T3", on("02-12", sell(power("50", "79.5")))),
		of("T3", on("02-13", trade.Cancel{Kind: trade.Void})),
		of("O1", on("04-01", option("10000", "2.15"))),
		of("O1", on("05-06", trade.Exercise{Quantity: bbl("4000"), UnderlyingPrice: dec("76"),
			Settlement: trade.Physical, NewUTI: "O2"})),
		mark("02-12", powerCurve, "EUR", "2025-03", "84.25"),
	}
}

func TestCanonicalStateNeverChanges(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, golden()...)
	state := d.state(t)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile("testdata/state.jsonl", state.Canonical(), 0o644))
	}
	want, err := os.ReadFile("testdata/state.jsonl")
	require.NoError(t, err)
	require.Equal(t, string(want), string(state.Canonical()))
	digest := state.Digest()
	require.Equal(t, "a6b5dfca71d87464cb2973c4f9f26929aa27ce673d2dc2bbb102b63113a64f3d",
		hex.EncodeToString(digest[:]))
}
