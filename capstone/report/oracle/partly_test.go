package oracle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
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
		w.runs(t, runs, w.reference, func(regime string, m report.Message) bool {
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
