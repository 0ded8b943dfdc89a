package oracle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

// A repository may accept a part of the messages of one event or of one catch-up. The next report
// says only the rest, whatever was rejected, and whatever was corrected meanwhile.
func TestPartsAreAccepted(t *testing.T) {
	t.Parallel()
	price := func(p string) trade.Amend {
		d := trade.Dec(p)
		return trade.Amend{Kind: trade.Amendment, Price: &d}
	}
	more := trade.Amend{Kind: trade.Amendment, Quantity: trade.Quantity{Value: trade.Dec("130"),
		Unit: trade.MWh}}
	begin := reporttest.Story()[0].Body.(trade.New)
	dearer, cheaper := begin, begin
	dearer.Price, cheaper.Price = trade.Dec("91"), trade.Dec("79")
	w := newMarket(9)
	runs := make([]report.Filings, len(sets))
	uti := reporttest.LEI("OURFIRM") + "P1"
	var events []trade.Event
	for _, step := range []struct {
		body    trade.Body
		wrong   int             // 1-based: the event that the body corrects
		rejects map[string]bool // by regime and message, without the UTI
	}{
		// The second of two is accepted: both are of one file.
		{begin, 0, map[string]bool{"MIFIR 1/1": true}},
		{more, 0, map[string]bool{"MIFIR 2/after-0/1": true, "REMIT 2/1": true}},
		// E is accepted, and the new record is not; then a part of the catch-up.
		{dearer, 1, map[string]bool{"REMIT 3/after-1/3": true, "CFTC 3/1": true}},
		{cheaper, 1, map[string]bool{"REMIT 4/after-1-3+1+2/2": true, "MIFIR 4/2": true}},
		{price("82"), 0, nil},
		{nil, 0, nil},
	} {
		w.now, w.touched = w.now.Add(24*time.Hour), map[string]bool{}
		if step.body != nil {
			cmd := trade.Command{UTI: uti, EnteredAt: w.now, Body: step.body}
			if step.wrong > 0 {
				cmd.Corrects = events[step.wrong-1].ID
			}
			e, err := w.desk.Send(cmd)
			require.NoError(t, err)
			events = append(events, e)
		}
		w.runs(t, sets, runs, w.reference, func(regime string, m report.Message) bool {
			name := regime + " " + m.ID()[len(uti)+1:]
			found := step.rejects[name]
			delete(step.rejects, name)
			return found
		})
		require.Empty(t, step.rejects, "these messages were not sent")
	}
	for i := range runs {
		require.Empty(t, runs[i].Open, sets[i].Name)
	}
	w.agree(t, uti)
}

// A repository may accept one message of each catch-up, day by day. The ids of the messages stay
// short, and it is told of the contract as it is in the end.
func TestPathsAreBounded(t *testing.T) {
	t.Parallel()
	w, runs := newMarket(9), make([]report.Filings, len(sets))
	uti := reporttest.LEI("OURFIRM") + "P1"
	body := reporttest.Story()[0].Body.(trade.New)
	begun := w.agreed(t, uti, body)
	price := trade.Dec("95")
	w.agreed(t, uti, trade.Amend{Kind: trade.Amendment, Price: &price})
	longest := 0
	for day := range 30 {
		w.now = w.now.Add(time.Hour)
		body.Price = trade.Int(int64(100 + day))
		cmd := trade.Command{UTI: uti, EnteredAt: w.now, Corrects: begun.ID, Body: body}
		_, err := w.desk.Send(cmd)
		require.NoError(t, err)
		told := map[string]bool{}
		w.runs(t, sets, runs, w.reference, func(regime string, m report.Message) bool {
			longest = max(longest, len(m.ID()))
			defer func() { told[regime] = true }()
			return told[regime]
		})
	}
	require.Greater(t, longest, 128)
	require.Less(t, longest, 200)
	for range 2 {
		w.runs(t, sets, runs, w.reference, nil)
	}
	for i := range runs {
		require.Empty(t, runs[i].Open, sets[i].Name)
	}
	w.agree(t, uti)
}

// agreed sends a command at the next hour.
func (w *market) agreed(t *testing.T, uti string, body trade.Body) trade.Event {
	t.Helper()
	w.now = w.now.Add(time.Hour)
	e, err := w.desk.Send(trade.Command{UTI: uti, EnteredAt: w.now, Body: body})
	require.NoError(t, err)
	return e
}

// A repository that rejects the first message and accepts so many later ones that no id can name
// them makes an exception, until the contract is reported from its beginning.
func TestTooManyPartsAreAnException(t *testing.T) {
	t.Parallel()
	w, set, filings := newMarket(9), remit.Table1(), report.Filings{}
	uti := reporttest.LEI("OURFIRM") + "P1"
	w.agreed(t, uti, reporttest.Story()[0].Body)
	for i := range 110 {
		price := trade.Int(int64(100 + i))
		w.agreed(t, uti, trade.Amend{Kind: trade.Amendment, Price: &price})
	}
	run := func(rejects int, back ...string) report.Result {
		return w.runOne(t, set, &filings, uti, func(i int) bool { return i < rejects }, back...)
	}
	require.Len(t, run(1).Rows, 111)
	for range 2 { // it stays
		out := run(0)
		require.Empty(t, out.Rows)
		require.Len(t, out.Exceptions, 1)
		require.Equal(t, uti+"/1/1", out.Exceptions[0].Message)
		require.Contains(t, out.Exceptions[0].Missing, "report the contract from its beginning")
	}
	require.Len(t, run(0, uti).Rows, 111)
	out := run(0)
	require.Empty(t, out.Rows)
	require.Empty(t, out.Exceptions)
}

// A report of a contract from its beginning has every message, although the repository has accepted
// a part of a catch-up.
func TestBackIgnoresPartsThatAreAccepted(t *testing.T) {
	t.Parallel()
	w, set, filings := newMarket(9), remit.Table1(), report.Filings{}
	uti := reporttest.LEI("OURFIRM") + "P1"
	body := reporttest.Story()[0].Body.(trade.New)
	begun := w.agreed(t, uti, body)
	for day := range 2 {
		w.runOne(t, set, &filings, uti, func(i int) bool { return day == 0 || i > 0 })
		w.now = w.now.Add(time.Hour)
		body.Price = trade.Int(int64(100 + day))
		_, err := w.desk.Send(trade.Command{UTI: uti, EnteredAt: w.now, Corrects: begun.ID,
			Body: body})
		require.NoError(t, err)
		more := trade.Int(int64(200 + day))
		w.agreed(t, uti, trade.Amend{Kind: trade.Amendment, Price: &more})
	}
	w.runOne(t, set, &filings, uti, func(i int) bool { return i > 0 })
	rows := w.runOne(t, set, &filings, uti, func(int) bool { return false }, uti).Rows
	require.Equal(t, uti+"/1/1", rows[0].Message.ID())
}

// runOne makes the report of a contract, and takes its answer: the rows for which rejects says
// so are rejected.
func (w *market) runOne(t *testing.T, set report.RuleSet, filings *report.Filings, uti string,
	rejects func(row int) bool, back ...string) report.Result {
	t.Helper()
	w.now = w.now.Add(time.Hour)
	out := report.Run{Rules: set, Known: w.now, Reference: w.reference, Filings: *filings,
		Back: back}.Contract(report.Subject{Contract: w.desk.Contract(uti)})
	made, answered := report.Made{Name: w.now.String(), Known: w.now}, report.Answered{}
	for _, e := range out.Exceptions {
		made.Exceptions = append(made.Exceptions, report.Lack{Message: e.Message})
	}
	for i, row := range out.Rows {
		if rejects(i) {
			answered.Rejected = append(answered.Rejected,
				report.Rejected{Message: row.Message.ID()})
		}
	}
	filings.Take(w.now.String()+" made", w.now, made)
	filings.Take(w.now.String()+" answered", w.now, answered)
	return out
}
