package capstone_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// foreign returns accepted lines of the sample book, as another system has recorded them. With a
// number of lines in BLOTTER_BACKFILL, a larger book has as many or more:
//
//	BLOTTER_BACKFILL=50000 go test ./capstone -run TestBackfill -timeout 2h
func foreign(t *testing.T) (book []lines.Line) {
	t.Helper()
	s, theirs := newSystem(), sample(t)[:1200]
	if wanted := os.Getenv("BLOTTER_BACKFILL"); wanted != "" {
		n, err := strconv.Atoi(wanted)
		require.NoError(t, err)
		theirs = simulated(t, n)
	}
	_, err := s.Import(t.Context(), each(theirs), func(r capstone.Result) {
		if r.Outcome.Refusal == nil {
			r.Command.SourceRecordedAt = r.Command.EnteredAt.Add(4 * time.Second)
			line, err := lines.Parse(r.Line, lines.Format(r.Command))
			require.NoError(t, err)
			line.Command.SourceRecordedAt = r.Command.SourceRecordedAt
			book = append(book, line)
		}
	})
	require.NoError(t, err)
	return book
}

// simulated returns at least n lines of a simulated book.
func simulated(t *testing.T, n int) (all []lines.Line) {
	t.Helper()
	for step := range simulate.Book(simulate.Config{
		Seed: 2025, Trades: max(540, n/4), From: nine.AddDate(0, 0, -5), Days: 365,
	}) {
		line, err := lines.Parse(len(all)+1, lines.Format(step.Command))
		require.NoError(t, err)
		all = append(all, line)
	}
	require.GreaterOrEqual(t, len(all), n)
	return all
}

// now is the clock of the live logs below. It is after the sample book.
var now = time.Date(2030, 1, 7, 9, 0, 0, 0, time.UTC)

func live() contract.Store {
	return memory.New(func(context.Context) time.Time { return now })
}

// staged decides a history over a draft of a log.
func staged(
	t *testing.T, log contract.Store, book []lines.Line, theirs []capstone.Figure,
) capstone.Backfill {
	t.Helper()
	draft, err := memory.Over(t.Context(), log, contract.SimulatedClock)
	require.NoError(t, err)
	before := end(t, log)
	b, err := over(draft).Stage(t.Context(), each(book), theirs, time.UTC)
	require.NoError(t, err)
	require.Equal(t, before, end(t, log), "a stage changes no log")
	b.File, b.Digest = "old.jsonl", [32]byte{1}
	return b
}

// compared is staged with figures that agree.
func compared(t *testing.T, log contract.Store, book []lines.Line) capstone.Backfill {
	t.Helper()
	return staged(t, log, book, append([]capstone.Figure{}, staged(t, log, book, nil).Figures...))
}

// theirLine is a line of another system, which recorded it after an hour.
func theirLine(number int, cmd trade.Command) lines.Line {
	cmd.SourceRecordedAt = cmd.EnteredAt.Add(time.Hour)
	return lines.Line{
		Number: number, Command: cmd, Names: []string{cmd.Stream(), "command/" + cmd.ID},
	}
}

var agreed = capstone.Adoption{Actor: "ops/1", Approver: "control/1", Reason: "the desk moves"}

// Figures that differ are found, all of them and no others: a changed value, a figure that one side
// lacks, and one that is given twice.
func TestBackfillListsEveryBreak(t *testing.T) {
	t.Parallel()
	book := foreign(t)
	clean := staged(t, live(), book, nil)
	require.Empty(t, clean.Breaks)
	require.Empty(t, staged(t, live(), book, slices.Clone(clean.Figures)).Breaks)
	kinds := map[string]int{}
	for _, f := range clean.Figures {
		kinds[f.Name]++
	}
	require.Len(t, kinds, 3, kinds)

	theirs, want := slices.Clone(clean.Figures), []string{}
	for i := range 20 {
		at := i * len(theirs) / 20
		f := theirs[at]
		switch i % 4 {
		case 0:
			theirs[at].Value = trade.Dec(f.Value).Add(trade.Dec("0.01")).String()
		case 1:
			theirs = slices.Delete(theirs, at, at+1)
		case 2:
			theirs = append(theirs, f)
		case 3:
			f.Book = fmt.Sprintf("unknown-%d", i)
			theirs = append(theirs, f)
		}
		want = append(want, capstone.Break{Figure: &f}.Place())
	}
	var got []string
	for _, k := range staged(t, live(), book, theirs).Breaks {
		require.NotEmpty(t, k.Rule)
		got = append(got, k.Place())
	}
	require.ElementsMatch(t, want, got)
}

// A process that dies between any two appends of an adoption leaves a part of the history. The same
// file again adopts the rest, and gives the state of an import. A third time changes nothing.
func TestBackfillSurvivesCrashes(t *testing.T) {
	t.Parallel()
	book := foreign(t)
	want := digest(t, newSystem(), book, 1)
	log := live()
	deaths, figures := 0, staged(t, log, book, nil).Figures
	for appends := 0; ; appends += max(1, len(book)/200) {
		b := staged(t, log, book, slices.Clone(figures))
		require.Empty(t, b.Breaks)
		err := over(&dying{log, appends}).Adopt(t.Context(), b, agreed, func(int) {})
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errDied)
		deaths++
	}
	t.Logf("%d lines, %d deaths", len(book), deaths)
	require.GreaterOrEqual(t, deaths, 10)
	require.Equal(t, want, recordedDigest(t, over(log)))

	before := end(t, log)
	b := staged(t, log, book, figures)
	require.Equal(t, b.Events, b.Adopted)
	require.NoError(t, over(log).Adopt(t.Context(), b, agreed, func(int) {}))
	require.NoError(t, over(log).FollowUps.SweepAll(t.Context()))
	require.Equal(t, before, end(t, log))
}

// An adopted event keeps the time at which the other system recorded it, and so does a follow-up.
// recorded_at is the time of the adoption. The adoption is on record before the first of them.
func TestBackfillKeepsForeignTimes(t *testing.T) {
	t.Parallel()
	log := live()
	require.NoError(t, over(log).Adopt(t.Context(), compared(t, log, foreign(t)), agreed,
		func(int) {}))
	i, follow := 0, 0
	for r, err := range log.Read(t.Context(), nil, end(t, log)) {
		require.NoError(t, err)
		if i == 0 {
			require.Equal(t, trade.BackfillStream, r.Stream)
			require.Equal(t, "control/1", r.Approver)
		} else {
			require.Equal(t, r.EnteredAt.Add(4*time.Second), r.SourceRecordedAt)
			require.False(t, r.RecordedAt.Before(now))
		}
		if trade.IsFollowUp(r.CommandID) {
			follow++
		}
		i++
	}
	require.NotZero(t, follow)
}

// By source, the state known at any time is that of a log which the other system would have kept.
// By record nothing is known before the adoption.
func TestAnswersBySource(t *testing.T) {
	t.Parallel()
	book := foreign(t)
	log := live()
	require.NoError(t, over(log).Adopt(t.Context(), compared(t, log, book), agreed,
		func(int) {}))
	theirs := newSystem()
	for _, line := range book {
		out, err := theirs.Desk.Do(contract.At(t.Context(), line.Command.SourceRecordedAt),
			line.Command)
		require.NoError(t, err)
		_, err = theirs.FollowUps.Issue(contract.At(t.Context(), line.Command.SourceRecordedAt),
			out)
		require.NoError(t, err)
	}
	ours := over(log)
	first, marks := book[0].Command, 0
	for i := 0; i < len(book); i += len(book) / 7 {
		at := trade.AsOf{Known: book[i].Command.SourceRecordedAt, Effective: now}
		want, _, err := theirs.StateAsOf(t.Context(), at)
		require.NoError(t, err)
		ours.BySource = true
		got, _, err := ours.StateAsOf(t.Context(), at)
		require.NoError(t, err)
		require.Equal(t, want.Digest(), got.Digest())
		one, _, err := ours.Trade(t.Context(), first.UTI, at)
		require.NoError(t, err)
		require.Equal(t, tradeAt(t, theirs, first.UTI, at), one)
		positions := got.ValuedAt(now)
		curves := curvesAt(t, theirs, positions, at)
		require.Equal(t, curves, curvesAt(t, ours, positions, at))
		ours.BySource = false
		for name, c := range curvesAt(t, ours, positions, at) {
			require.Empty(t, c.Points, name)
			marks += len(curves[name].Points)
		}
		got, _, err = ours.StateAsOf(t.Context(), at)
		require.NoError(t, err)
		require.Empty(t, got.Trades)
	}
	require.NotZero(t, marks)
}

func curvesAt(
	t *testing.T, s *capstone.System, positions []trade.Valuation, at trade.AsOf,
) map[string]trade.Curve {
	t.Helper()
	got, err := s.CurvesAt(t.Context(), positions, at)
	require.NoError(t, err)
	return got
}

func tradeAt(t *testing.T, s *capstone.System, uti string, at trade.AsOf) trade.Trade {
	t.Helper()
	got, _, err := s.Trade(t.Context(), uti, at)
	require.NoError(t, err)
	return got
}

// A refused line of the history stays refused when the adoption continues, although the log then
// has the whole stream, and would take it. A later event of the desk stops no continuation.
func TestContinuedBackfillKeepsRefusals(t *testing.T) {
	t.Parallel()
	corrected := settle("c-4", "A", 500)
	corrected.Corrects, corrected.Approver = trade.EventID("c-2", 0), "control/1"
	book := []lines.Line{
		theirLine(1, oil("c-1", "A")), theirLine(2, settle("c-2", "A", 800)),
		theirLine(3, settle("c-3", "A", 300)), theirLine(4, corrected),
		theirLine(5, oil("c-5", "B")),
	}
	for i := range book { // all were entered at one time: they rise
		book[i].Command.SourceRecordedAt = nine.Add(time.Duration(10+i) * time.Hour)
	}
	log, a := live(), agreed
	a.Breaks = 1
	died := 0
	for appends := 1; ; appends++ {
		b := compared(t, log, book)
		require.Len(t, b.Breaks, 1)
		require.Equal(t, 3, b.Breaks[0].Line)
		if err := over(&dying{log, appends}).Adopt(t.Context(), b, a, func(int) {}); err == nil {
			break
		}
		died++
	}
	require.GreaterOrEqual(t, died, 2)
	require.Equal(t, trade.Int(500), tradeOf(t, over(log), "A").Settled)

	do(t, over(log), settle("live", "A", 100))
	again := compared(t, log, book)
	require.Equal(t, again.Events, again.Adopted)
	require.Len(t, again.Breaks, 1)
	require.NoError(t, over(log).Adopt(t.Context(), again, a, func(int) {}))
}

// The record of another system has an order. A line that it recorded before an earlier line, or in
// the future, is a break.
func TestSourceTimesRise(t *testing.T) {
	t.Parallel()
	book := []lines.Line{
		theirLine(1, oil("c-1", "A")), theirLine(2, oil("c-2", "B")), theirLine(3, oil("c-3", "C")),
	}
	book[1].Command.SourceRecordedAt = nine
	book[2].Command.SourceRecordedAt = time.Date(2152, 1, 1, 0, 0, 0, 0, time.UTC)
	b := staged(t, live(), book, nil)
	require.Len(t, b.Breaks, 2)
	for i, k := range b.Breaks {
		require.Equal(t, i+2, k.Line)
		require.Equal(t, "source-time.order", k.Rule)
	}
}

// A stream that the log has from elsewhere is refused whatever is accepted. So are unaccepted
// breaks, and an approver who is the actor. Nothing is recorded then.
func TestBackfillIsRefused(t *testing.T) {
	t.Parallel()
	book := []lines.Line{theirLine(1, oil("c-1", "A")), theirLine(2, settle("c-2", "A", 5000))}
	b := compared(t, live(), book)
	require.Len(t, b.Breaks, 1)
	require.Equal(t, 2, b.Breaks[0].Line)
	require.Equal(t, string(trade.Exceeds), b.Breaks[0].Rule)

	accepted := agreed
	accepted.Breaks = 1
	alone := accepted
	alone.Approver = alone.Actor
	silent := accepted
	silent.Reason = ""
	unnamed := accepted
	unnamed.Approver = ""
	for _, a := range []capstone.Adoption{agreed, alone, silent, unnamed} {
		log := live()
		err := over(log).Adopt(t.Context(), b, a, func(int) {})
		require.ErrorAs(t, err, new(*capstone.AdoptionError))
		require.Empty(t, end(t, log).At(0))
	}
	log := live()
	do(t, over(log), oil("other", "A"))
	taken := compared(t, log, book)
	last := taken.Breaks[len(taken.Breaks)-1]
	require.Equal(t, "stream.exists", last.Rule)
	accepted.Breaks = len(taken.Breaks)
	require.ErrorContains(t, over(log).Adopt(t.Context(), taken, accepted, func(int) {}),
		"the log has streams of the file from elsewhere")

	log, accepted.Breaks = live(), 1
	require.NoError(t, over(log).Adopt(t.Context(), b, accepted, func(int) {}))
	accepted.Approver = "control/2"
	require.ErrorContains(t, over(log).Adopt(t.Context(), compared(t, log, book), accepted,
		func(int) {}), "adopted by ops/1, approved by control/1")
	require.ErrorContains(t, over(live()).Adopt(t.Context(), staged(t, live(), book, nil), agreed,
		func(int) {}), "not compared")
}

// Figures in a file are CSV with a header; a fault names its line.
func TestReadFigures(t *testing.T) {
	t.Parallel()
	header := strings.Join(capstone.FigureColumns(), ",") + "\n"
	all, err := capstone.ReadFigures(strings.NewReader(header + "trades,CRUDE,,,,12\n"))
	require.NoError(t, err)
	require.Equal(t, []capstone.Figure{{Name: "trades", Book: "CRUDE", Value: "12"}}, all)
	for text, want := range map[string]string{
		"":                                "no header",
		"a,b\n":                           "line 1: want the header figure,book",
		header + "trades,CRUDE,,,,many\n": "line 2: value",
		header + "trades,CRUDE\n":         "line 2",
	} {
		_, err := capstone.ReadFigures(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}
